"""The values that pass between the hub and an adapter: capabilities, limits, outcomes, pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, SecretStr

from connector.domain.offer import Value


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
    ATTRIBUTES = "categories.attributes"
    PREDICT = "categories.predict"
    BY_EAN = "categories.by-ean"
    WEBHOOK = "orders.webhook"
    APP_WEBHOOK = "orders.app-webhook"
    POLLING = "orders.polling"
    ACCEPT = "orders.accept"
    CANCEL = "orders.cancel"
    INVOICE = "orders.invoice"
    TRACKING = "orders.tracking"
    DELIVERED = "orders.delivered"
    TOKENS = "auth.tokens"


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
    Capability.ATTRIBUTES: "attributes",
    Capability.PREDICT: "predict_category",
    Capability.BY_EAN: "category_by_ean",
    Capability.WEBHOOK: "webhook",
    Capability.APP_WEBHOOK: "app_webhook",
    Capability.POLLING: "orders_since",
    Capability.ACCEPT: "accept",
    Capability.CANCEL: "cancel",
    Capability.INVOICE: "send_invoice",
    Capability.TRACKING: "send_tracking",
    Capability.DELIVERED: "send_delivered",
    Capability.TOKENS: "refresh_token",
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


@dataclass(frozen=True, slots=True)
class Gone:
    """The marketplace no longer has this listing: the hub looks again and lists it anew."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Proceed:
    """One stage is done and the item needs the next: the same operation is called again at once.

    No failure: a product was made known to the marketplace, say, and can now be offered.
    """

    reason: str = ""


Outcome = Done | InLot | Refused | TryAgain | Gone | Proceed
Outcomes = Mapping[str, Outcome]
"""Outcome per SKU. A SKU that is missing from it is asked about again, never assumed done."""


@dataclass(frozen=True, slots=True)
class LotStatus:
    """How far a lot is: unsettled items are simply not in ``outcomes`` until ``finished``.

    ``rest`` is what holds, once finished, for every item of the lot that ``outcomes`` does not
    name (a lot that reports its errors alone); None: they are asked about with ``find``.
    ``after_s``: there is no point in asking again sooner.
    """

    finished: bool
    outcomes: Outcomes
    rest: Outcome | None = None
    after_s: float = 0


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
class CategoryAttribute:
    """What the marketplace wants to know of a product in one category.

    ``values`` are those it takes, as (id, name); empty where it takes any text. ``kind`` is its
    own word for the type (text, number, list ...).
    """

    id: str
    name: str
    required: bool = False
    recommended: bool = False
    variation: bool = False
    kind: str = ""
    max_length: int = 0
    units: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CategoryGuess:
    """A category that the marketplace itself proposes for a title; best first."""

    category_id: str
    name: str
    score: float = 0


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Keys of orders that changed, and where to go on. ``more`` asks for another page at once."""

    keys: tuple[str, ...]
    cursor: str
    more: bool = False


@dataclass(frozen=True, slots=True)
class AppCall:
    """One thing an application-wide webhook says: ``tenant`` is matched with ``Adapter.tenant``.

    ``key`` is anything ``Adapter.order`` understands; where the order's own key differs from it
    (an order of a pack, a shipment of an order), the hub goes on with ``MarketOrder.key``.
    """

    tenant: str
    key: str


# --- tokens ---------------------------------------------------------------------------------------


class Token(Value):
    """What a marketplace with OAuth 2.0 gave for one connection; kept sealed by the hub.

    ``account`` is whom it belongs to in the marketplace's words (compare ``Adapter.tenant``).
    """

    access: SecretStr
    refresh: SecretStr = SecretStr("")
    expires_in_s: float
    """Seconds from when the marketplace gave it; the hub notes the moment."""
    account: str = ""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Consent:
    """One run of the authorization-code flow with PKCE (RFC 7636, S256)."""

    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)
    challenge: str
