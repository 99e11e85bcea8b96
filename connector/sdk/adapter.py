"""The contract between the hub and a marketplace adapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from connector.domain.clock import Clock
from connector.domain.http import Http, Request, Response
from connector.domain.marketorder import Invoice, MarketOrder, Tracking
from connector.domain.offer import Offer, PriceStock
from connector.sdk.errors import (
    AuthExpired,
    RateLimited,
    Rejected,
    RetryLater,
    Unsupported,
)


class Capability(StrEnum):
    """What a marketplace can do. Declared by the adapter, checked against its methods."""

    CREATE = "listings.create"
    CONTENT = "listings.content"
    PRICE_STOCK = "listings.price-stock"
    BLOCK = "listings.block"
    DELETE = "listings.delete"
    FIND = "listings.find"
    LOTS = "listings.lots"
    CATEGORIES = "categories"
    WEBHOOK = "orders.webhook"
    APP_WEBHOOK = "orders.app-webhook"
    POLLING = "orders.polling"
    ACCEPT = "orders.accept"
    CANCEL = "orders.cancel"
    INVOICE = "orders.invoice"
    TRACKING = "orders.tracking"
    DELIVERED = "orders.delivered"


# Which method stands behind each capability; the order operations every adapter has are not here.
METHODS: Mapping[Capability, str] = {
    Capability.CREATE: "create",
    Capability.CONTENT: "update_content",
    Capability.PRICE_STOCK: "update_price_stock",
    Capability.BLOCK: "block",
    Capability.DELETE: "delete",
    Capability.FIND: "find",
    Capability.LOTS: "lot",
    Capability.CATEGORIES: "categories",
    Capability.WEBHOOK: "webhook",
    Capability.APP_WEBHOOK: "app_webhook",
    Capability.POLLING: "orders_since",
    Capability.ACCEPT: "accept",
    Capability.CANCEL: "cancel",
    Capability.INVOICE: "send_invoice",
    Capability.TRACKING: "send_tracking",
    Capability.DELIVERED: "send_delivered",
}


class Scope(StrEnum):
    """Whom a rate limit is counted for."""

    APPLICATION = "application"
    ACCOUNT = "account"
    CONNECTION = "connection"
    OPERATION = "operation"


@dataclass(frozen=True, slots=True)
class Limit:
    """``rate`` calls per ``per_s`` seconds, at most ``burst`` at once.

    ``operation`` limits the calls whose ``Request.operation`` it equals (Scope.OPERATION).
    """

    scope: Scope
    rate: float
    per_s: float = 1.0
    burst: int = 1
    operation: str = ""


class AdapterSettings(BaseModel):
    """A connection's settings for one marketplace; subclass it. SecretStr fields are encrypted."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=AdapterSettings)


# --- outcomes -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Done:
    """The marketplace has it. ``market_id`` and ``url`` are told on creation."""

    market_id: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class InLot:
    """The marketplace took it into an asynchronous lot that is asked about later."""

    lot_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The marketplace refused this item, for all these reasons."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The marketplace could not handle this item now."""

    reason: str = ""
    after_s: float = 0


Outcome = Done | InLot | Refused | TryAgain
Outcomes = Mapping[str, Outcome]
"""Outcome per SKU. A SKU that is missing from it is asked about again, never assumed done."""


@dataclass(frozen=True, slots=True)
class LotStatus:
    """How far a lot is: unsettled items are simply not in ``outcomes`` until ``finished``."""

    finished: bool
    outcomes: Outcomes


@dataclass(frozen=True, slots=True)
class Found:
    """A listing as the marketplace has it now."""

    market_id: str
    url: str = ""
    price_minor: int | None = None
    stock: int | None = None
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class Category:
    """A node of the marketplace's category tree."""

    id: str
    name: str
    parent_id: str = ""
    leaf: bool = True


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Keys of orders that changed, and where to go on. ``more`` asks for another page at once."""

    keys: tuple[str, ...]
    cursor: str
    more: bool = False


@dataclass(frozen=True, slots=True)
class AppCall:
    """One thing an application-wide webhook says: ``tenant`` is matched with ``Adapter.tenant``."""

    tenant: str
    key: str


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
    poll_every_s: ClassVar[float] = 300
    """How often orders are polled."""

    def __init__(self, settings: S, http: Http, clock: Clock) -> None:
        self.settings = settings
        self.http = http
        self.clock = clock

    @classmethod
    def base_url(cls, settings: S) -> str:
        """Where the marketplace's API lives; ``self.http`` puts it in front of every path."""
        raise NotImplementedError

    @classmethod
    def tenant(cls, settings: S) -> str:
        """What an application-wide webhook calls this connection's account."""
        del settings
        return ""

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
        """Read one order, or the cart that ``key`` stands for; None where it does not exist."""
        raise NotImplementedError

    async def accept(self, key: str) -> None:
        """Tell the marketplace that the seller takes the order."""
        raise NotImplementedError

    async def cancel(self, key: str, reason: str) -> None:
        """Cancel the order on the marketplace."""
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


def expect(response: Response, *, ok: Sequence[int] = ()) -> Response:
    """Pass a good answer through and turn any other into the error that fits its status.

    ``ok`` lists further statuses that the caller wants to read itself.
    """
    status = response.status
    if response.ok or status in ok:
        return response
    after = retry_after_s(response)
    if status == 429:
        raise RateLimited("the marketplace asks us to slow down", after_s=after)
    if status in (401, 403):
        raise AuthExpired("the marketplace does not accept the credentials")
    if status in (404, 405, 501):
        raise Unsupported(f"the marketplace has no such thing (HTTP {status})")
    if status in (408, 425) or status >= 500:
        raise RetryLater(f"the marketplace is unwell (HTTP {status})", after_s=after)
    raise Rejected([f"the marketplace refused (HTTP {status}): {response.text[:300]}"])


def retry_after_s(response: Response) -> float:
    """The Retry-After header in seconds; 0 where it is missing or not a number."""
    try:
        return max(0.0, float(response.headers.get("retry-after", "0")))
    except ValueError:
        return 0.0
