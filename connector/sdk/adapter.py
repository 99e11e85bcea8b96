"""The contract between the hub and a marketplace adapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from connector.domain.clock import Clock
from connector.domain.http import Http, Request
from connector.domain.marketorder import Invoice, MarketOrder, Tracking
from connector.domain.offer import Offer, PriceStock
from connector.sdk.describe import FieldRule, KnownError
from connector.sdk.values import (
    METHODS,
    AdapterSettings,
    AppCall,
    Capability,
    Category,
    CategoryAttribute,
    CategoryGuess,
    Consent,
    Found,
    Limit,
    LotStatus,
    OrderPage,
    Outcomes,
    Token,
)

S = TypeVar("S", bound=AdapterSettings)


# --- the adapter --------------------------------------------------------------------------------


class Adapter(Generic[S]):
    """One marketplace. Subclass it, declare what it can do, implement those methods.

    One instance serves one connection. It keeps no state, opens no connections of its own and
    never retries: it sends requests through ``self.http``, returns typed outcomes, or raises one
    of ``connector.sdk.errors``. ``self.http`` raises ``NotSent`` and ``NoAnswer``: let them pass.

    Every write may be repeated by the hub after an unknown outcome; where the marketplace has no
    idempotency of its own, look before sending (``find``).
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    settings_model: ClassVar[type[AdapterSettings]] = AdapterSettings
    app_settings_model: ClassVar[type[AdapterSettings] | None] = None
    capabilities: ClassVar[frozenset[Capability]]
    limits: ClassVar[tuple[Limit, ...]] = ()
    batch_size: ClassVar[int] = 50
    """Most items in one listing call."""
    max_stock: ClassVar[int] = 1_000_000
    """The largest stock the marketplace takes; larger ones are cut."""
    refunds_shipped: ClassVar[bool] = False
    """Whether ``cancel`` also gives all the money of a shipped order back."""
    poll_every_s: ClassVar[float] = 300
    """How often orders are polled."""
    turn_size: ClassVar[int] = 0
    """Most SKUs looked at together, where few large calls are better than many small ones (a
    marketplace that takes one import a minute); 0: the hub's own batch size."""
    lot_patience_s: ClassVar[float] = 86_400
    """How long a lot may take before the hub stops believing in it and asks ``find``."""
    fields: ClassVar[tuple[FieldRule, ...]] = ()
    """What becomes of every field: the mapping table of the generated documentation."""
    errors: ClassVar[tuple[KnownError, ...]] = ()
    """Known errors, and what a merchant does about them."""
    unverified: ClassVar[tuple[str, ...]] = ()
    """Facts about the marketplace that nobody could verify, and how the adapter stays safe."""

    def __init__(
        self, settings: S, http: Http, clock: Clock, app: AdapterSettings | None = None
    ) -> None:
        self.settings = settings
        self.http = http
        self.clock = clock
        self.app: Any = app
        """The application's settings (``app_settings_model``), where the operator set them."""

    @classmethod
    def base_url(cls, settings: S) -> str:
        """Where the marketplace's API lives; ``self.http`` puts it in front of every path."""
        raise NotImplementedError

    @classmethod
    def tenant(cls, settings: S) -> str:
        """What an application-wide webhook calls this connection's account."""
        del settings
        return ""

    @classmethod
    def tree_scope(cls, settings: S) -> str:
        """What tells category trees apart: connections of one scope share theirs.

        The API's address, unless one address has several trees (one per country, say).
        """
        return cls.base_url(settings)

    async def check(self) -> str:
        """Prove that the credentials work; returns the account's name on the marketplace."""
        raise NotImplementedError

    def validate(self, offer: Offer) -> list[str]:
        """All rules of the marketplace that the offer breaks, in words a merchant can act on."""
        del offer
        return []

    # Listings: each takes at most ``batch_size`` items and returns an outcome per SKU.

    async def create(self, offers: Sequence[Offer]) -> Outcomes:
        """Create listings, with price and stock."""
        raise NotImplementedError

    async def update_content(self, offers: Sequence[Offer]) -> Outcomes:
        """Bring the content of existing listings up to date (price and stock may go along)."""
        raise NotImplementedError

    async def update_price_stock(self, terms: Sequence[PriceStock]) -> Outcomes:
        """Set price and stock of existing listings; a stock above zero makes them sellable."""
        raise NotImplementedError

    async def block(self, terms: Sequence[PriceStock]) -> Outcomes:
        """Make listings unsellable, keeping their identity; price and stock come again later."""
        raise NotImplementedError

    async def delete(self, terms: Sequence[PriceStock]) -> Outcomes:
        """Remove listings for good."""
        raise NotImplementedError

    async def find(self, skus: Sequence[str]) -> Mapping[str, Found]:
        """What the marketplace has of these SKUs now; a SKU it does not know is left out."""
        raise NotImplementedError

    async def lot(self, lot_id: str) -> LotStatus:
        """Ask how far an asynchronous lot is."""
        raise NotImplementedError

    async def categories(self) -> Sequence[Category]:
        """The marketplace's category tree."""
        raise NotImplementedError

    async def attributes(self, category_id: str) -> Sequence[CategoryAttribute]:
        """What the marketplace wants to know of products in a category.

        Leave out what the adapter fills from the content itself (title, EAN ...): a required
        attribute that is listed here and has no mapped value keeps the SKU from being listed.
        """
        raise NotImplementedError

    async def predict_category(self, title: str) -> Sequence[CategoryGuess]:
        """What the marketplace itself thinks a product of this title is, best first."""
        raise NotImplementedError

    async def category_by_ean(self, ean: str) -> str:
        """The category in which the marketplace knows a product; empty where it does not."""
        raise NotImplementedError

    # Orders.

    def webhook(self, request: Request, now: datetime) -> Sequence[str]:
        """Verify a webhook and return the order keys it speaks of. Pure: no calls out.

        Raises:
            BadWebhook: it is not the marketplace's, or unreadable.
        """
        raise NotImplementedError

    @classmethod
    def app_webhook(
        cls, settings: AdapterSettings | None, request: Request, now: datetime
    ) -> Sequence[AppCall]:
        """Verify an application-wide webhook and tell whose orders it speaks of."""
        raise NotImplementedError

    async def orders_since(self, cursor: str) -> OrderPage:
        """Keys of orders that changed since ``cursor`` (empty: since the beginning, or as far back
        as the marketplace allows). Overlap generously: repeats are harmless, gaps are not.
        """
        raise NotImplementedError

    async def order(self, key: str) -> MarketOrder | None:
        """Read one order, or the cart that ``key`` stands for; None where it does not exist.

        Where the answer's key differs from ``key``, the hub goes on under the answer's; see
        ``MarketOrder.members``.
        """
        raise NotImplementedError

    async def accept(self, key: str) -> None:
        """Tell the marketplace that the seller takes the order."""
        raise NotImplementedError

    async def cancel(self, key: str, reason: str) -> None:
        """Cancel the whole order on the marketplace; with ``refunds_shipped`` also one that
        was shipped: the buyer gets all the money back.
        """
        raise NotImplementedError

    async def send_invoice(self, key: str, invoice: Invoice) -> None:
        """Hand over one invoice."""
        raise NotImplementedError

    async def send_tracking(self, key: str, tracking: Tracking) -> None:
        """Hand over, or correct, the tracking of one invoice's parcel."""
        raise NotImplementedError

    async def send_delivered(self, key: str, invoice_number: str, delivered_at: datetime) -> None:
        """Say that one invoice's parcel has arrived."""
        raise NotImplementedError

    # Tokens (Capability.TOKENS; all three, or none). The hub keeps them sealed, refreshes one at a
    # time per connection, saves a new one before its first use, and sends a request that met a 401
    # once more with it.

    @classmethod
    def authorize_url(cls, app: Any, settings: S, consent: Consent) -> str:
        """Where the merchant gives consent. ``app`` is an ``app_settings_model``."""
        raise NotImplementedError

    @classmethod
    async def exchange_code(
        cls, app: Any, settings: S, http: Http, code: str, consent: Consent
    ) -> Token:
        """Trade the code of a consent for the first token.

        Raises:
            AuthExpired: the code is not accepted.
        """
        raise NotImplementedError

    @classmethod
    async def refresh_token(cls, app: Any, settings: S, http: Http, token: Token) -> Token:
        """Trade the refresh token for a new token.

        Raises:
            AuthExpired: the grant is over: the merchant must give consent again.
        """
        raise NotImplementedError

    @classmethod
    def signed(cls, request: Request, token: Token) -> Request:
        """The request with its credentials; a bearer token unless the marketplace differs."""
        headers = {**request.headers, "authorization": f"Bearer {token.access.get_secret_value()}"}
        return replace(request, headers=headers)


def capability_gaps(adapter: type[Adapter[AdapterSettings]]) -> list[str]:
    """What an adapter declares but does not implement, and the other way round."""
    gaps = []
    for capability, method in METHODS.items():
        written = getattr(adapter, method) is not getattr(Adapter, method) and (
            getattr(getattr(adapter, method), "__func__", None)
            is not getattr(getattr(Adapter, method), "__func__", object())
        )
        if capability in adapter.capabilities and not written:
            gaps.append(f"declares {capability} but has no {method}()")
        if written and capability not in adapter.capabilities:
            gaps.append(f"has {method}() but does not declare {capability}")
    return gaps
