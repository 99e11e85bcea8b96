"""What must be true when the day has settled. Pure: books in, findings out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector.domain.marketorder import MarketStatus
from connector.sandbox.demo.books import Books, VtexBook, plain_number
from connector.sandbox.demo.oversell import oversold, unreserved
from connector.sdk.testing.market import Bought, Paper

_PAID = frozenset({MarketStatus.PAID, MarketStatus.SHIPPED, MarketStatus.DELIVERED})


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant: how much there should be, how much there is, and what is wrong where."""

    name: str
    title: str
    expected: int
    actual: int
    details: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether it holds."""
        return self.expected == self.actual and not self.details

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "name": self.name,
            "title": self.title,
            "ok": self.ok,
            "expected": self.expected,
            "actual": self.actual,
            "details": list(self.details),
        }


def _found(name: str, title: str, expected: int, wrong: Sequence[str]) -> Finding:
    """Of ``expected`` things these are wrong."""
    return Finding(name, title, expected, expected - len(wrong), tuple(wrong))


def _none(name: str, title: str, wrong: Sequence[str]) -> Finding:
    """There should be none of these."""
    return Finding(name, title, 0, len(wrong), tuple(wrong))


# --- listings -------------------------------------------------------------------------------------


def listed(books: Books) -> Finding:
    """What VTEX sells is listed at VTEX's price and stock, less units on their way to VTEX."""
    expected, wrong = 0, []
    for sku, truth in books.skus.items():
        if not (truth.sellable and truth.presentable):
            continue
        stock = max(0, truth.stock - unreserved(books, sku))
        item = books.shelf.get(sku)
        if item is None and stock == 0:
            continue  # nothing to sell, never listed: as it should be
        expected += 1
        if item is None:
            wrong.append(f"{sku}: not listed, VTEX has {stock} at {truth.price_minor}")
            continue
        shown = item.stock if item.buyable else 0
        if shown != stock:
            wrong.append(f"{sku}: stock {shown}, VTEX has {stock}")
        elif stock and item.price_minor != truth.price_minor:
            wrong.append(f"{sku}: price {item.price_minor}, VTEX says {truth.price_minor}")
    title = "sellable SKUs listed with VTEX's price and stock"
    return _found("listed-with-price-and-stock", title, expected, wrong)


def withdrawn(books: Books) -> Finding:
    """Nothing can be bought that VTEX does not sell."""
    wrong = []
    for sku, item in books.shelf.items():
        truth = books.skus.get(sku)
        if item.buyable and (truth is None or not truth.sellable):
            wrong.append(f"{sku}: {item.stock} for sale, VTEX does not sell it")
    return _none(
        "nothing-unsellable-for-sale", "inactive or removed SKUs that can be bought", wrong
    )


def content(books: Books) -> Finding:
    """What was edited reads as it was edited."""
    expected, wrong = 0, []
    for sku, words in books.edits.items():
        truth, item = books.skus.get(sku), books.shelf.get(sku)
        if truth is None or item is None or not (truth.sellable and truth.presentable):
            continue
        expected += 1
        if words not in item.text:
            wrong.append(f"{sku}: {words!r} is not in its content")
    return _found("content-current", "edited SKUs show their new content", expected, wrong)


def no_oversell(books: Books) -> Finding:
    """No sale of units that the hub could know were gone."""
    return _none("no-oversell-by-hub", "sales of more than there was, by the hub's fault",
                 oversold(books))  # fmt: skip


# --- orders ---------------------------------------------------------------------------------------


def all_sold(books: Books) -> Finding:
    """The day had as many orders as it was asked for."""
    sold = len(books.buys)
    wanted = books.wanted_orders
    details = () if sold == wanted else (f"{wanted - sold} orders were never sold",)
    return Finding("orders-sold", "orders sold on the marketplace", wanted, sold, details)


def lived(books: Books) -> Finding:
    """With every order happened what was to happen: nothing waits for the hub."""
    title = "orders that came to the end planned for them"
    return _found("orders-lived", title, len(books.buys), books.unfinished)


def placed_once(books: Books) -> Finding:
    """Every paid order is in VTEX exactly once; no order whatever is there twice."""
    expected, wrong = 0, []
    for bought, orders in books.placed():
        made = sum(order.created for order in orders)
        must = bought.status in _PAID
        expected += must
        if made > 1:
            wrong.append(f"{bought.key}: {made} VTEX orders")
        elif must and made == 0:
            wrong.append(f"{bought.key}: {bought.status}, not in VTEX")
    return _found("one-vtex-order-per-paid-order", "paid orders in VTEX exactly once",
                  expected, wrong)  # fmt: skip


def totals(books: Books) -> Finding:
    """Every order in VTEX has the marketplace's total, to the cent."""
    expected, wrong = 0, []
    known = set()
    for bought, orders in books.placed():
        for order in orders:
            expected += 1
            known.add(order.order_id)
            if order.value_minor != bought.total_minor:
                there = bought.total_minor
                wrong.append(f"{order.order_id}: VTEX {order.value_minor}, marketplace {there}")
    strange = [order.order_id for order in books.orders if order.order_id not in known]
    wrong += [f"{order_id}: nobody bought this" for order_id in strange]
    return _found("totals-equal", "VTEX orders whose total is right to the cent",
                  expected + len(strange), wrong)  # fmt: skip


def released(books: Books) -> Finding:
    """Paid orders are released in VTEX, unpaid ones are not."""
    expected, wrong = 0, []
    for bought, orders in books.placed():
        must = bought.status in _PAID
        for order in orders:
            if must and not order.cancelled:
                expected += 1
                if not order.approved:
                    wrong.append(f"{order.order_id}: paid, VTEX waits ({order.status})")
            elif order.approved and not bought.paid:
                expected += 1
                wrong.append(f"{order.order_id}: released, never paid")
    return _found("released-when-paid", "paid orders released in VTEX, unpaid ones not",
                  expected, wrong)  # fmt: skip


def cancelled(books: Books) -> Finding:
    """Cancelled on one side is cancelled on the other, or returned where it was invoiced."""
    expected, wrong = 0, []
    for bought, orders in books.placed():
        for order in orders:
            if not (bought.cancelled or order.cancelled or order.cancelled_by):
                continue
            expected += 1
            if not bought.cancelled:
                wrong.append(f"{bought.key}: {order.status} in VTEX, {bought.status} there")
            elif not order.cancelled and not _given_back(order):
                wrong.append(f"{bought.key}: cancelled there, {order.status} in VTEX")
    return _found("cancelled-on-both-sides", "cancellations carried out on both sides",
                  expected, wrong)  # fmt: skip


def _given_back(order: VtexBook) -> bool:
    """Whether return invoices cover exactly what was invoiced."""
    return order.sold_minor > 0 and order.returned_minor == order.sold_minor


# --- papers ---------------------------------------------------------------------------------------


def _pairs(books: Books) -> list[tuple[Bought, VtexBook]]:
    return [(bought, order) for bought, orders in books.placed() for order in orders]


def _papers(bought: Bought) -> dict[str, list[Paper]]:
    found: dict[str, list[Paper]] = {}
    for paper in bought.papers:
        found.setdefault(plain_number(paper.number), []).append(paper)
    return found


def invoices(books: Books) -> Finding:
    """Every invoice is on the marketplace once, with its value; none is there that VTEX lacks."""
    expected, wrong = 0, []
    for bought, order in _pairs(books):
        there = _papers(bought)
        for invoice in order.sales:
            arrived = there.pop(plain_number(invoice.number), [])
            if not arrived and bought.cancelled:
                continue  # cancelled before it could be handed in
            expected += 1
            label = f"{bought.key}: invoice {invoice.number!r}"
            if len(arrived) != 1:
                wrong.append(f"{label} is there {len(arrived)} times")
            elif arrived[0].value_minor != invoice.value_minor:
                wrong.append(f"{label}: {arrived[0].value_minor}, VTEX {invoice.value_minor}")
        wrong += [f"{bought.key}: invoice {number!r} is not VTEX's" for number in there]
    known = {bought.key for bought, _ in _pairs(books)}
    stray = [each for each in books.buys.values() if each.papers and each.key not in known]
    wrong += [f"{each.key}: invoices, but no VTEX order" for each in stray]
    return _found("invoices-arrived-once", "invoices handed in once, with their value",
                  expected, wrong)  # fmt: skip


def trackings(books: Books) -> Finding:
    """Every tracking of the seller's is on the marketplace, as the seller last told it."""
    expected, wrong = 0, []
    for bought, order in _pairs(books):
        if bought.carrier or bought.cancelled:
            continue
        there = _papers(bought)
        for invoice in order.sales:
            papers = there.get(plain_number(invoice.number), [])
            shown = papers[0].tracking_number if papers else ""
            expected += bool(invoice.tracking_number)
            if shown != invoice.tracking_number:
                wrong.append(
                    f"{bought.key}: tracking {shown!r}, VTEX says {invoice.tracking_number!r}"
                )
    return _found("trackings-arrived-once", "parcels tracked on the marketplace", expected, wrong)


def deliveries(books: Books) -> Finding:
    """Every arrival the seller told of is known on the marketplace, and no other."""
    expected, wrong = 0, []
    for bought, order in _pairs(books) if books.tells_arrivals else ():
        if bought.carrier or bought.cancelled:
            continue
        there = _papers(bought)
        for invoice in order.sales:
            papers = there.get(plain_number(invoice.number), [])
            shown = any(paper.delivered for paper in papers)
            expected += invoice.delivered
            if shown != invoice.delivered:
                what = "delivered there, not in VTEX" if shown else "delivered, not known there"
                wrong.append(f"{bought.key}: {invoice.number!r} {what}")
    return _found("deliveries-arrived-once", "deliveries known to the marketplace", expected, wrong)


def carrier_told(books: Books) -> Finding:
    """What the marketplace's own carrier did, VTEX knows (FOB)."""
    expected, wrong = 0, []
    for bought, order in _pairs(books):
        if not bought.carrier:
            continue
        told = {each.told_tracking for each in order.invoices} - {""}
        arrived = any(each.told_delivered for each in order.invoices)
        expected += bool(bought.parcel) + bought.arrived
        if told != ({bought.parcel} - {""}):
            wrong.append(f"{bought.key}: parcel {bought.parcel!r}, VTEX knows {sorted(told)}")
        if arrived != bought.arrived:
            what = "handed over, VTEX does not know" if bought.arrived else "not handed over"
            wrong.append(f"{bought.key}: {what}")
    return _found("carrier-told-to-vtex", "FOB shipments and arrivals told to VTEX",
                  expected, wrong)  # fmt: skip


# --- the hub itself -------------------------------------------------------------------------------


def answered(books: Books) -> Finding:
    """No call of VTEX waits for its receipt."""
    made = sum(order.callbacks for order in books.orders)
    open_ = [f"{order.order_id}: {kind}" for order in books.orders for kind in order.unanswered]
    return _found("callbacks-answered", "calls of VTEX that got their receipt", made, open_)


def stayed_up(books: Books) -> Finding:
    """The hub never ended unless it was killed."""
    return _none("hub-stayed-up", "ends of the hub that nobody asked for", books.crashes)


def parked_for_reasons(books: Books) -> Finding:
    """Whatever waits for a person says why."""
    silent = [
        f"{row.context} {row.key}"
        for row in books.parked
        if not any(reason.strip() for reason in row.reasons)
    ]
    return _found("parked-with-reason", "parked keys that say why", len(books.parked), silent)


Invariant = Callable[[Books], Finding]
INVARIANTS: tuple[Invariant, ...] = (
    listed,
    withdrawn,
    content,
    no_oversell,
    all_sold,
    lived,
    placed_once,
    totals,
    released,
    invoices,
    trackings,
    deliveries,
    carrier_told,
    cancelled,
    answered,
    stayed_up,
    parked_for_reasons,
)


def judge(books: Books) -> list[Finding]:
    """Every invariant."""
    return [invariant(books) for invariant in INVARIANTS]
