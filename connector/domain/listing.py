"""A listing: what VTEX says of a SKU, what the marketplace confirmed, and what is under way."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from connector.domain.offer import Content, Value


class Commercial(Value):
    """What the simulation says of a SKU (protocol 5.5). Prices are per sold unit, minor units.

    ``stock`` is already 0 where price, quantity or logistics say it cannot be sold; ``why`` then
    says so. ``missing``: VTEX answered and left the SKU out, which means stock zero.
    """

    price_minor: int = 0
    list_price_minor: int = 0
    currency: str = ""
    stock: int = 0
    missing: bool = False
    why: str = ""
    valid_until: datetime | None = None
    read_at: datetime


class SkuRecord(Value):
    """What the catalog says of a SKU (protocol 4.3). ``unknown``: VTEX answered 404."""

    sku: str
    unknown: bool = False
    content: Content | None = None
    active: bool = False
    product_active: bool = False
    in_policy: bool = False
    needs_attachment: bool = False
    """A required attachment: it cannot be ordered without one, so not from a marketplace."""
    gift_card: bool = False
    own_seller: bool = True
    """Sold by the main account (seller "1"); others are out of scope (H-CAT-16)."""
    release_at: datetime | None = None
    defaults: tuple[str, ...] = ()
    """Fields that were empty in VTEX and got a default (log A3), as "field=value"."""
    read_at: datetime


class Confirmed(Value):
    """What the marketplace last confirmed of the listing."""

    price_minor: int
    list_price_minor: int
    stock: int
    content_digest: str
    blocked: bool = False
    stopgap: bool = False
    """The price was only sent for want of one, with stock zero: nobody let it go on sale."""
    at: datetime


class Action(StrEnum):
    """The smallest step that closes the difference; at most one per SKU and look."""

    NOTHING = "nothing"
    CREATE = "create"
    CONTENT = "content"
    PRICE_STOCK = "price-stock"
    BLOCK = "block"
    DELETE = "delete"
    PARK = "park"
    FIND = "find"  # an earlier outcome is unknown: ask the marketplace what it has


class Intent(Value):
    """A write that was about to be sent; saved first, cleared by its outcome."""

    action: Action
    at: datetime
    target: Confirmed


class Lot(Value):
    """An asynchronous lot this listing waits in."""

    id: str
    action: Action
    since: datetime
    target: Confirmed
    checks: int = 0


class Vanished(Value):
    """How often the marketplace has lately said that it no longer has a listing it confirmed."""

    times: int
    at: datetime
    """The last time."""


class ListingState(StrEnum):
    """Where a listing stands, for people and counts."""

    NEW = "new"  # never listed
    CREATING = "creating"  # in a creation lot, or outcome unknown
    LISTED = "listed"
    BLOCKED = "blocked"
    PARKED = "parked"  # something must be mended first: see reasons
    GONE = "gone"  # deleted on the marketplace, or never to be listed


class Reason(Value):
    """Why something is not published; ``code`` is VTEX's catalogue of log messages (10.5)."""

    code: str
    text: str


class SecondLook(Value):
    """A look that was promised when something changed: VTEX's caches may not have been fresh."""

    at: datetime
    content: bool = False
    """Read the catalog again as well."""


class Listing(Value):
    """One SKU on one connection, as the ledger keeps it."""

    connection: str
    sku: str
    state: ListingState = ListingState.NEW
    record: SkuRecord | None = None
    commercial: Commercial | None = None
    confirmed: Confirmed | None = None
    market_id: str = ""
    url: str = ""
    intent: Intent | None = None
    lot: Lot | None = None
    reasons: tuple[Reason, ...] = ()
    approved_price_minor: int | None = None
    """A price that a person approved past the connection's bad-price guard."""
    second_looks: tuple[SecondLook, ...] = ()
    told: str = ""
    """Digest of what the log last said, so that the same thing is not logged on every look."""
    sold_at: datetime | None = None
    """When it last was in an order: such listings are looked at more often (H-STK-03)."""
    stages: int = 0
    """Stages finished since the marketplace last confirmed something: bounded, see flows."""
    vanished: Vanished | None = None
