"""Both sides' own books, copied at one moment: all that the invariants are judged by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.domain.order import order_ref
from connector.sandbox.vtexsim import SimOrder
from connector.sdk.testing.market import Bought, ShelfItem


@dataclass(frozen=True, slots=True)
class SkuBook:
    """A SKU as VTEX really has it. ``presentable``: the marketplace's own rules allow it.

    ``parts`` are what one unit takes off the shelves: itself, or a kit's components.
    """

    sku: str
    price_minor: int
    stock: int
    sellable: bool
    presentable: bool = True
    parts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class VtexInvoice:
    """An invoice of a VTEX order. ``returned``: goods came back."""

    number: str
    value_minor: int
    returned: bool = False
    by_seller: bool = True
    tracking_number: str = ""
    delivered: bool = False
    told_tracking: str = ""
    """Tracking number that the hub told VTEX (FOB)."""
    told_delivered: bool = False


@dataclass(frozen=True, slots=True)
class VtexBook:
    """An order as VTEX has it. ``created`` counts how often it was made."""

    order_id: str
    ref: str
    value_minor: int
    status: str
    approved: bool
    created_at: datetime
    created: int = 1
    cancelled_by: tuple[str, ...] = ()
    invoices: tuple[VtexInvoice, ...] = ()
    callbacks: int = 0
    unanswered: tuple[str, ...] = ()
    """Kinds of the callbacks that got no receipt."""

    @property
    def cancelled(self) -> bool:
        """Whether it is cancelled for good."""
        return self.status == "canceled"

    @property
    def sales(self) -> tuple[VtexInvoice, ...]:
        """The invoices the seller issued."""
        return tuple(each for each in self.invoices if not each.returned)

    @property
    def sold_minor(self) -> int:
        """What was invoiced."""
        return sum(each.value_minor for each in self.sales)

    @property
    def returned_minor(self) -> int:
        """What return invoices gave back."""
        return sum(each.value_minor for each in self.invoices if each.returned)


@dataclass(frozen=True, slots=True)
class Parked:
    """A row of the hub's parked list."""

    context: str
    key: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Allowance:
    """How long, in simulated seconds, the hub may not know what it then could not know.

    ``stale_s``: VTEX itself still answers the old stock. ``read_s``: between reading from VTEX and
    publishing what was read. ``act_s``: from hearing of something to having acted on it.
    ``under_way_s``: until what it was just sending has arrived, once it has
    itself shown that it knows better. ``unannounced_s``: until it looks at what nobody told it of.
    """

    stale_s: float = 60.0
    read_s: float = 300.0
    act_s: float = 1_200.0
    under_way_s: float = 100.0
    unannounced_s: float = 4_000.0


@dataclass(frozen=True, slots=True)
class Books:
    """Everything at one moment."""

    skus: Mapping[str, SkuBook] = field(default_factory=dict)
    shelf: Mapping[str, ShelfItem] = field(default_factory=dict)
    buys: Mapping[str, Bought] = field(default_factory=dict)
    orders: Sequence[VtexBook] = ()
    free_since: Mapping[str, Sequence[tuple[datetime, int]]] = field(default_factory=dict)
    """By SKU that is no kit: from when on how many units could be promised in VTEX."""
    edits: Mapping[str, str] = field(default_factory=dict)
    """By SKU: words that its content must contain."""
    parked: Sequence[Parked] = ()
    crashes: Sequence[str] = ()
    wanted_orders: int = 0
    unfinished: Sequence[str] = ()
    """Orders of which something that was to happen has not happened yet."""
    allowance: Allowance = Allowance()
    tells_arrivals: bool = True
    """Whether the marketplace wants to hear of arrivals from the seller at all."""

    def by_ref(self) -> dict[str, list[VtexBook]]:
        """VTEX's orders by the marketplace's order id."""
        found: dict[str, list[VtexBook]] = {}
        for order in self.orders:
            found.setdefault(order.ref, []).append(order)
        return found

    def placed(self) -> list[tuple[Bought, list[VtexBook]]]:
        """Every marketplace order with the VTEX orders made of it."""
        by_ref = self.by_ref()
        return [(bought, by_ref.get(order_ref(key), [])) for key, bought in self.buys.items()]


def vtex_book(order: SimOrder, created: int) -> VtexBook:
    """An order of the simulated VTEX."""
    told: dict[str, dict[str, Any]] = {}
    for row in order.hub_tracking:
        told.setdefault(str(row["invoice"]), {}).update(row)
    return VtexBook(
        order_id=order.order_id,
        ref=order.marketplace_order_id,
        value_minor=order.value,
        status=order.status,
        approved=order.approved,
        created_at=order.created_at,
        created=created,
        cancelled_by=tuple(each.by for each in order.cancels),
        invoices=tuple(
            VtexInvoice(
                number=each.number,
                value_minor=each.value,
                returned=each.type == "Input",
                by_seller=each.by == "seller",
                tracking_number=each.tracking_number,
                delivered=each.delivered,
                told_tracking=str(told.get(each.number, {}).get("trackingNumber") or ""),
                told_delivered=bool(told.get(each.number, {}).get("isDelivered")),
            )
            for each in order.invoices.values()
        ),
        callbacks=len(order.callbacks),
        unanswered=tuple(each.kind for each in order.callbacks if each.accepted_at is None),
    )


def plain_number(number: str) -> str:
    """An invoice's number without outer or doubled blanks, which both sides treat as they like."""
    return re.sub(r"\s+", " ", number).strip()
