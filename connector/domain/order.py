"""An order: facts from both sides, what each side confirmed, and what is under way."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from enum import StrEnum

from connector.domain.marketorder import Invoice, MarketOrder, Tracking
from connector.domain.offer import Value

_SAFE = re.compile(r"^[A-Za-z0-9_-]{1,60}$")


def order_ref(key: str) -> str:
    """The marketplaceOrderId VTEX gets for an adapter's order key: safe in URLs, and stable.

    A key that is safe already stays as it is; any other keeps what it can and gets a digest.
    """
    if _SAFE.fullmatch(key):
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    return f"{re.sub(r'[^A-Za-z0-9_-]', '', key)[:40]}-{digest}"


class Step(StrEnum):
    """How far one outgoing write is. SENT: intent saved, outcome not known yet."""

    NO = "no"
    SENT = "sent"
    DONE = "done"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"


class Placement(StrEnum):
    """How far the order is on its way into VTEX."""

    NO = "no"
    SENT = "sent"  # intent saved; the call may or may not have arrived
    QUEUED = "queued"  # VTEX took it (SOI003), the result is not known yet
    PLACED = "placed"
    REFUSED = "refused"  # VTEX refused, see reasons; tried again when something changes
    CANCELLED_BEFORE = "cancelled-before"  # VTEX says it was cancelled before (FMT0060)


class VtexView(Value):
    """VTEX's order as last read (protocol 8.1)."""

    order_id: str
    status: str
    value_minor: int = 0
    can_cancel: bool = True
    cancelled: bool = False
    invoiced: bool = False
    """Wholly invoiced."""
    invoiced_minor: int = 0
    returned_minor: int = 0
    return_numbers: tuple[str, ...] = ()
    last_change: datetime | None = None
    read_at: datetime
    status_since: datetime | None = None


class Parcel(Value):
    """One invoice and what became of it (protocol 7.2, 7.3)."""

    invoice: Invoice
    returned: bool = False
    """type Input: goods came back."""
    tracking: Tracking | None = None
    delivered_at: datetime | None = None
    has_xml: bool = False
    """The XML itself stays in the fact; ``invoice.xml`` is empty here."""
    told_at: datetime | None = None
    """When a call told of it; None where VTEX's own order was the first to."""
    in_vtex: bool = False
    """VTEX's own order shows it."""
    sent: Step = Step.NO
    tracking_sent: str = ""
    """Digest of the tracking that the marketplace has."""
    tracking_step: Step = Step.NO
    delivered_step: Step = Step.NO


class CancelSide(StrEnum):
    """Who wanted the order cancelled."""

    MARKETPLACE = "marketplace"
    SELLER = "seller"


class Cancellation(Value):
    """A cancellation and how far it is on each side."""

    by: CancelSide
    reason: str = ""
    asked_at: datetime
    confirmed_by_owner: bool = False
    """The side that asked was read and is indeed cancelled or cancelling."""
    in_vtex: Step = Step.NO
    vtex_asked_at: datetime | None = None
    in_market: Step = Step.NO
    returned: Step = Step.NO
    """Return invoice, where VTEX had already invoiced."""


class Task(Value):
    """Something only a person can do."""

    id: str
    what: str
    why: str
    since: datetime
    done: bool = False


class Shared(Value):
    """FOB: what VTEX has been told of the marketplace's own delivery (protocol 8.5)."""

    tracking: str = ""
    tracking_step: Step = Step.NO
    delivered_step: Step = Step.NO


class OrderState(StrEnum):
    """Where an order stands, for people and counts."""

    SEEN = "seen"  # a key, not read yet
    WAITING = "waiting"  # incomplete cart, or not placeable yet
    PLACING = "placing"
    PLACED = "placed"
    AUTHORIZED = "authorized"
    INVOICED = "invoiced"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    PARKED = "parked"


ENDED = frozenset({OrderState.DELIVERED, OrderState.CANCELLED})


class Order(Value):
    """One order on one connection, as the ledger keeps it."""

    connection: str
    ref: str
    key: str
    state: OrderState = OrderState.SEEN
    market: MarketOrder | None = None
    market_read_at: datetime | None = None
    vtex: VtexView | None = None
    vtex_order_id: str = ""
    placement: Placement = Placement.NO
    placement_since: datetime | None = None
    placement_attempts: int = 0
    placement_retry_at: datetime | None = None
    """A refused order is not sent again by itself before."""
    doubt_until: datetime | None = None
    """Until then VTEX may still come to show an order that was sent: a 404 means "not yet"."""
    services_generation: int = 0
    """Generation of the secret in the URL that VTEX calls back for this order."""
    placed_at: datetime | None = None
    placed_total_minor: int = 0
    authorize: Step = Step.NO
    authorize_since: datetime | None = None
    accept: Step = Step.NO
    parcels: tuple[Parcel, ...] = ()
    cancellation: Cancellation | None = None
    fob: Shared = Shared()
    tasks: tuple[Task, ...] = ()
    reasons: tuple[str, ...] = ()
    divergence: str = ""
    facts_seen: int = 0
    """``seq`` of the newest fact folded in."""
    told: tuple[str, ...] = ()
    """Codes already logged."""
    held: tuple[tuple[str, int], ...] = ()
    """Units kept from being published until VTEX has reserved them."""
    first_seen_at: datetime
    ended_at: datetime | None = None
    erased: bool = False
    aliases: tuple[str, ...] = ()
    """References that turned out to stand for this order; facts may have been told about them."""
    rivals: tuple[str, ...] = ()
    """Parts of this order that VTEX has by themselves: both placed would sell their units twice."""
    merged_into: str = ""
    """The order that the marketplace has made this one a part of, after VTEX was given it."""

    @property
    def placed(self) -> bool:
        """Whether VTEX has it."""
        return self.placement is Placement.PLACED
