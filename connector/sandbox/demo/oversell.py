"""Sales of more than there was, and whether the hub could have known. Pure.

A sale is oversold when VTEX's free units, less those of earlier sales that VTEX has not reserved
yet, do not cover it. That alone is nobody's fault: stock sinks in VTEX while a buyer buys. It is
the hub's when the stock the marketplace showed was more than anything the hub may have believed:
VTEX's free units at some moment it may still have been reading, less the units of sales that it
had been told of, or had placed itself, and that VTEX had not reserved at that moment.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.domain.order import order_ref
from connector.sandbox.demo.books import Books
from connector.sdk.testing.market import Bought, ShelfItem

_SETTLING = timedelta(seconds=5)
"""An order's reservation shows in the stock a moment after the order itself."""


@dataclass(frozen=True, slots=True)
class Sold:
    """A sale with the moment VTEX reserved its units; None while it has not."""

    bought: Bought
    reserved_at: datetime | None

    def open_at(self, at: datetime, *, settling: timedelta = timedelta(0)) -> bool:
        """Whether its units are neither reserved in VTEX nor given back at this moment."""
        if self.reserved_at is not None and self.reserved_at + settling <= at:
            return False
        return self.bought.cancelled_at is None or self.bought.cancelled_at > at


class _Ledger:
    """The books, arranged by time."""

    def __init__(self, books: Books) -> None:
        self.books = books
        first = {ref: orders[0].created_at for ref, orders in books.by_ref().items()}
        self.sales = sorted(
            (Sold(each, first.get(order_ref(each.key))) for each in books.buys.values()),
            key=lambda sold: sold.bought.sold_at,
        )

    def parts(self, sku: str) -> tuple[tuple[str, int], ...]:
        """What one unit takes off the shelves."""
        truth = self.books.skus.get(sku)
        return truth.parts if truth is not None and truth.parts else ((sku, 1),)

    def free(self, part: str, at: datetime) -> int:
        """Units that could be promised in VTEX at a moment."""
        rows = self.books.free_since.get(part, ())
        place = bisect_right(rows, at, key=lambda row: row[0])
        if not rows:
            return 0
        return rows[max(0, place - 1)][1]

    def units(self, sold: Sold, part: str) -> int:
        """Units of a part that a sale takes."""
        return sum(
            quantity * amount
            for sku, quantity in sold.bought.lines
            for name, amount in self.parts(sku)
            if name == part
        )

    def available(
        self, sku: str, at: datetime, sales: Iterable[Sold], *, settling: timedelta = timedelta(0)
    ) -> int:
        """Units left at a moment once these sales have got theirs."""
        open_sales = [sold for sold in sales if sold.open_at(at, settling=settling)]
        return min(
            (self.free(part, at) - sum(self.units(sold, part) for sold in open_sales)) // amount
            for part, amount in self.parts(sku)
        )

    def known(self, at: datetime) -> list[Sold]:
        """The sales the hub must have taken into account in what it published at a moment.

        It was told of them long before, or it had placed them in VTEX itself a moment before.
        """
        allowance = self.books.allowance
        told_by = at - timedelta(seconds=allowance.act_s)
        placed_by = at - timedelta(seconds=allowance.under_way_s)
        return [
            sold
            for sold in self.sales
            if (sold.bought.told_at is not None and sold.bought.told_at <= told_by)
            or (sold.reserved_at is not None and sold.reserved_at <= placed_by)
        ]

    def most_believed(
        self, sku: str, since: datetime, until: datetime, known: Sequence[Sold]
    ) -> int:
        """The most the hub may have believed there was, reading between two moments."""
        moments = {since, until}
        for part, _ in self.parts(sku):
            moments |= {at for at, _ in self.books.free_since.get(part, ()) if since < at < until}
        return max(self.available(sku, at, known, settling=_SETTLING) for at in moments)


def oversold(books: Books) -> list[str]:
    """Every sale that oversold by the hub's fault."""
    ledger = _Ledger(books)
    wrong = []
    for place, sold in enumerate(ledger.sales):
        at = sold.bought.sold_at
        for sku, quantity in sold.bought.lines:
            left = ledger.available(sku, at, ledger.sales[:place])
            item = books.shelf.get(sku)
            if quantity <= left or item is None:
                continue
            fault = _fault(ledger, sku, item, at)
            if fault:
                wrong.append(f"{sold.bought.key}: {quantity} of {sku} with {left} left; {fault}")
    return wrong


def excused(books: Books) -> int:
    """How many sales were oversold though the hub could not know."""
    ledger = _Ledger(books)
    short = sum(
        quantity > ledger.available(sku, sold.bought.sold_at, ledger.sales[:place])
        for place, sold in enumerate(ledger.sales)
        for sku, quantity in sold.bought.lines
    )
    return short - len(oversold(books))


def unreserved(books: Books, sku: str) -> int:
    """Units of a SKU in living orders that VTEX has not got."""
    by_ref = books.by_ref()
    return sum(
        quantity
        for key, bought in books.buys.items()
        if not bought.cancelled and order_ref(key) not in by_ref
        for name, quantity in bought.lines
        if name == sku
    )


def _fault(ledger: _Ledger, sku: str, item: ShelfItem, at: datetime) -> str:
    """What the hub did wrong before this sale, in words; empty where it could not know."""
    allowance = ledger.books.allowance
    act = timedelta(seconds=allowance.act_s)
    stale = timedelta(seconds=allowance.stale_s)
    before = [change for change in item.history if change.at < at]
    pushes = [change for change in before if change.by_seller]
    if not pushes:
        return ""
    push, shown = pushes[-1], before[-1].stock
    known = ledger.known(push.at)
    read = timedelta(seconds=allowance.read_s)
    believed = ledger.most_believed(sku, push.at - stale - read, push.at, known)
    if push.stock > believed:
        return f"the hub had published {push.stock} when it could believe in {believed} at most"
    late = stale + act + timedelta(seconds=allowance.unannounced_s)
    believed = ledger.most_believed(sku, at - late, at, ledger.known(at - late))
    if shown > believed:
        return f"{shown} stood published, for longer than the hub may take, with {believed} left"
    return ""
