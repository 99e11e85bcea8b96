"""Fold what outsiders told us about an order into it; the same facts always give the same order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from connector.domain.marketorder import Invoice, Tracking
from connector.domain.offer import Value
from connector.domain.order import Cancellation, CancelSide, Order, Parcel, Step, Task


class FactKind(StrEnum):
    """What a fact about an order says."""

    INVOICE = "invoice"
    TRACKING = "tracking"
    DELIVERED = "delivered"
    CANCEL = "cancel"
    CHANGE = "change"
    RESULT = "result"


class InvoiceTold(Value):
    """VTEX told of an invoice, perhaps with its tracking (protocol 7.2)."""

    invoice: Invoice
    returned: bool = False
    tracking: Tracking | None = None


class TrackingTold(Value):
    """VTEX told of an invoice's tracking (protocol 7.3)."""

    tracking: Tracking


class DeliveredTold(Value):
    """VTEX told that an invoice's parcel arrived (protocol 7.3)."""

    invoice_number: str
    delivered_at: datetime | None = None
    """None: when the call arrived."""


class CancelTold(Value):
    """VTEX asked us to cancel (protocol 7.4); believed once VTEX's order says so as well."""

    reason: str = ""
    refused: bool = False
    """We answered that the marketplace has shipped: a person must act."""


class ChangeTold(Value):
    """VTEX asked for a change of the order (protocol 7.5), which only a person can make."""

    summary: str = ""


class ResultTold(Value):
    """The order integration reported a result (protocol 6.4)."""

    flow: str
    success: bool
    code: str
    codes: tuple[str, ...] = ()
    """Normalised codes of ``errors`` besides ``code``."""
    messages: tuple[str, ...] = ()
    main_order_id: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A fact as read from the ledger: its arrival number, kind and JSON body."""

    seq: int
    kind: str
    body: str
    at: datetime


def fold_facts(order: Order, facts: Sequence[Told]) -> tuple[Order, tuple[ResultTold, ...]]:
    """Fold facts not seen before; results of placing are returned for the placing flow to judge."""
    results: list[ResultTold] = []
    for fact in facts:
        if fact.seq <= order.facts_seen:
            continue
        if fact.kind == FactKind.RESULT:
            results.append(ResultTold.model_validate_json(fact.body))
        elif fact.kind in _FOLDS:
            order = _FOLDS[fact.kind](order, fact)
        order = order.model_copy(update={"facts_seen": fact.seq})
    return order, tuple(results)


def number_key(number: str) -> str:
    """Invoice numbers are compared without outer spaces and case (KI 631970, 953285, 1302085)."""
    return " ".join(number.split()).casefold()


def parcel_of(order: Order, number: str) -> Parcel | None:
    """The parcel of an invoice number."""
    wanted = number_key(number)
    return next((p for p in order.parcels if number_key(p.invoice.number) == wanted), None)


def put_parcel(order: Order, parcel: Parcel) -> Order:
    """Replace the parcel with the same invoice number, or add it."""
    key = number_key(parcel.invoice.number)
    others = [number_key(p.invoice.number) for p in order.parcels]
    if key in others:
        parcels = list(order.parcels)
        parcels[others.index(key)] = parcel
        return order.model_copy(update={"parcels": tuple(parcels)})
    return order.model_copy(update={"parcels": (*order.parcels, parcel)})


def add_task(order: Order, task: Task) -> Order:
    """Ask a person for something, once."""
    if any(known.id == task.id for known in order.tasks):
        return order
    return order.model_copy(update={"tasks": (*order.tasks, task)})


def merge_tracking(old: Tracking | None, new: Tracking | None) -> Tracking | None:
    """Newer tracking wins field by field; an empty field never wipes a known one."""
    if old is None or new is None:
        return new or old
    update = {
        name: value
        for name in ("courier", "number", "url", "dispatched_at")
        if (value := getattr(new, name))
    }
    return old.model_copy(update=update)


def learn_parcel(order: Order, told: InvoiceTold) -> Order:
    """Take in an invoice, from a callback or from VTEX's own order."""
    known = parcel_of(order, told.invoice.number)
    has_xml = bool(told.invoice.xml) or (known is not None and known.has_xml)
    invoice = told.invoice.model_copy(update={"xml": ""})
    if known is None:
        invoice = invoice.model_copy(update={"number": invoice.number.strip()})
        parcel = Parcel(
            invoice=invoice, returned=told.returned, tracking=told.tracking, has_xml=has_xml
        )
        return put_parcel(order, parcel)
    filled = {
        name: value
        for name in ("key", "url", "issued_at", "items")
        if (value := getattr(invoice, name)) and not getattr(known.invoice, name)
    }
    placeholder = not known.invoice.value_minor
    if invoice.value_minor and placeholder:
        filled |= {"value_minor": invoice.value_minor, "currency": invoice.currency}
    return put_parcel(
        order,
        known.model_copy(
            update={
                "invoice": known.invoice.model_copy(update=filled),
                "returned": told.returned if placeholder else known.returned,
                "tracking": merge_tracking(known.tracking, told.tracking),
                "has_xml": has_xml,
            }
        ),
    )


def _invoice(order: Order, fact: Told) -> Order:
    told = InvoiceTold.model_validate_json(fact.body)
    order = learn_parcel(order, told)
    parcel = parcel_of(order, told.invoice.number)
    if parcel is None or parcel.told_at is not None:
        return order
    return put_parcel(order, parcel.model_copy(update={"told_at": fact.at}))


SHOWN_WITHIN = timedelta(hours=2)
"""VTEX's own order shows an invoice it told of within this time; if not, a person is asked."""


def cross_check(order: Order, shown: Mapping[str, int], now: datetime) -> Order:
    """Compare what calls told with what VTEX's own order shows (invoice number -> value).

    A call that nobody can vouch for, or another amount, becomes a task: only the message carried
    it, and messages are not signed.
    """
    by_key = {number_key(number): value for number, value in shown.items()}
    for parcel in order.parcels:
        number = parcel.invoice.number
        value = by_key.get(number_key(number))
        if value is not None:
            order = put_parcel(order, parcel.model_copy(update={"in_vtex": True}))
            if value and parcel.invoice.value_minor and value != parcel.invoice.value_minor:
                why = f"the call said {parcel.invoice.value_minor}, VTEX's order says {value}"
                order = add_task(order, _mismatch(number, why, now))
        elif parcel.told_at is not None and now - parcel.told_at > SHOWN_WITHIN:
            why = "a call told of it, VTEX's own order does not show it"
            order = add_task(order, _mismatch(number, why, now))
    return order


def _mismatch(number: str, why: str, now: datetime) -> Task:
    what = f"check invoice {number}"
    return Task(id=f"mismatch-{number_key(number)}", what=what, why=why, since=now)


def _tracking(order: Order, fact: Told) -> Order:
    tracking = TrackingTold.model_validate_json(fact.body).tracking
    known = parcel_of(order, tracking.invoice_number)
    if known is None:
        # Tracking before its invoice: kept, sent once the invoice is there.
        currency = order.market.currency if order.market else ""
        number = tracking.invoice_number.strip()
        invoice = Invoice(number=number, value_minor=0, currency=currency)
        return put_parcel(order, Parcel(invoice=invoice, tracking=tracking))
    merged = merge_tracking(known.tracking, tracking)
    return put_parcel(order, known.model_copy(update={"tracking": merged}))


def _delivered(order: Order, fact: Told) -> Order:
    told = DeliveredTold.model_validate_json(fact.body)
    known = parcel_of(order, told.invoice_number)
    if known is None:
        currency = order.market.currency if order.market else ""
        number = told.invoice_number.strip()
        invoice = Invoice(number=number, value_minor=0, currency=currency)
        known = Parcel(invoice=invoice)
    if known.delivered_at is not None:
        return order
    return put_parcel(
        order, known.model_copy(update={"delivered_at": told.delivered_at or fact.at})
    )


def _cancel(order: Order, fact: Told) -> Order:
    told = CancelTold.model_validate_json(fact.body)
    if told.refused:
        return add_task(
            order,
            Task(
                id="cancel-after-shipping",
                what="VTEX wants to cancel an order that the marketplace has already shipped",
                why=told.reason or "no reason given",
                since=fact.at,
            ),
        )
    if order.cancellation is not None:
        return order
    asked = Cancellation(by=CancelSide.SELLER, reason=told.reason, asked_at=fact.at)
    return order.model_copy(update={"cancellation": asked})


def _change(order: Order, fact: Told) -> Order:
    told = ChangeTold.model_validate_json(fact.body)
    return add_task(
        order,
        Task(
            id=f"change-{fact.seq}",
            what="VTEX asked for a change of the order; change it on the marketplace by hand",
            why=told.summary,
            since=fact.at,
        ),
    )


_FOLDS: dict[str, Callable[[Order, Told], Order]] = {
    FactKind.INVOICE: _invoice,
    FactKind.TRACKING: _tracking,
    FactKind.DELIVERED: _delivered,
    FactKind.CANCEL: _cancel,
    FactKind.CHANGE: _change,
}


def sendable(parcel: Parcel) -> bool:
    """Whether the marketplace can be given this invoice: it is a sale's, and itself is known."""
    return not parcel.returned and parcel.invoice.value_minor > 0


def open_step(step: Step) -> bool:
    """Whether a write still has to be done, or done again because its outcome is unknown."""
    return step in {Step.NO, Step.SENT}
