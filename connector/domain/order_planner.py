"""Decide what an order needs next, from the facts so far and what each side confirmed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from connector.domain.marketorder import MarketOrder, MarketStatus, Shipment, Tracking
from connector.domain.order import (
    CancelSide,
    Order,
    OrderState,
    Parcel,
    Placement,
    Step,
    Task,
    VtexView,
)
from connector.domain.order_facts import open_step, sendable
from connector.domain.order_view import (
    ASK_AGAIN,
    CANCEL_ASKED,
    CANCELLING,
    CARRIED_BY_MARKET,
    FORGET_AFTER,
    MANUAL_AUTHORIZATION,
    NEEDS_AUTHORIZATION,
    NOT_YET,
    SOON,
    Act,
    Decision,
    Do,
    OrderView,
    Rest,
)

Rule = Callable[[OrderView], Decision | None]


def is_authorized(status: str) -> bool:
    """Whether VTEX's order has moved past waiting for our word; an unknown status has."""
    waiting = NEEDS_AUTHORIZATION | CANCELLING | CANCEL_ASKED | {MANUAL_AUTHORIZATION, ""}
    return status not in waiting


def plan_order(view: OrderView) -> Decision:
    """The first rule that has something to say decides."""
    for rule in _RULES:
        decision = rule(view)
        if decision is not None:
            return decision
    return Rest(view.now + view.watch)


def order_state(order: Order, *, parked: bool = False) -> OrderState:
    """Where the order stands, for people and counts."""
    if order.ended_at is not None:
        return OrderState.CANCELLED if _cancelled_somewhere(order) else OrderState.DELIVERED
    if parked:
        return OrderState.PARKED
    if order.market is None:
        return OrderState.SEEN
    if order.placement in {Placement.SENT, Placement.QUEUED}:
        return OrderState.PLACING
    if not order.placed:
        return OrderState.WAITING
    if any(parcel.sent is Step.DONE for parcel in order.parcels):
        return OrderState.INVOICED
    return OrderState.AUTHORIZED if order.authorize is Step.DONE else OrderState.PLACED


def _cancelled_somewhere(order: Order) -> bool:
    there = order.market is not None and order.market.status is MarketStatus.CANCELLED
    here = order.vtex is not None and order.vtex.cancelled
    return there or here


def attention_tasks(order: Order, market: MarketOrder, now: datetime) -> list[Task]:
    """A task for everything the marketplace wants a person to see to, and nobody was asked yet."""
    asked = {task.id for task in order.tasks}
    why = "the marketplace says so: see to it there"
    tasks = [
        Task(
            id=f"attention-{hashlib.sha256(text.encode()).hexdigest()[:12]}",
            what=text,
            why=why,
            since=now,
        )
        for text in dict.fromkeys(market.attention)
    ]
    return [task for task in tasks if task.id not in asked]


# --- rules, in the order in which they are asked ------------------------------------------------


def _not_known(view: OrderView) -> Decision | None:
    """Without the marketplace's order there is nothing to decide on."""
    return Rest(view.now + view.watch) if view.order.market is None else None


def _forgotten(view: OrderView) -> Decision | None:
    """Nobody will come back for it, and its buyer has a right to be forgotten."""
    order = view.order
    return Rest(view.now, ended=True) if view.now - order.first_seen_at > FORGET_AFTER else None


def _attention(view: OrderView) -> Decision | None:
    """What a person must see to on the marketplace, each once; everything else goes on."""
    if view.order.market is None:
        return None
    news = attention_tasks(view.order, view.order.market, view.now)
    return Do(Act.ASK, task=news[0]) if news else None


def _partly_cancelled(view: OrderView) -> Decision | None:
    market = view.order.market
    if market is None or not market.partly_cancelled:
        return None
    what = "the marketplace cancelled part of the order; VTEX takes whole orders only"
    ask = _ask_aside(view, "partly-cancelled", what, market.cancel_reason or "no reason given")
    if ask is None and view.order.placement in {Placement.NO, Placement.REFUSED}:
        return Rest(view.now + view.watch)  # placing all of it would be wrong
    return ask


def _cancelled_on_market(view: OrderView) -> Decision | None:
    """The marketplace cancelled: VTEX has to follow, by cancellation or by return invoice."""
    order = view.order
    if order.market is None or order.market.status is not MarketStatus.CANCELLED:
        return None
    if not order.placed:
        # It may have been sent before: until VTEX would surely show it, this is not over.
        return _wait_for_placement(view) or Rest(view.now, ended=True)
    vtex, cancellation = order.vtex, order.cancellation
    if vtex is None or cancellation is None:
        return Rest(view.now + ASK_AGAIN)
    if vtex.cancelled:
        return Rest(view.now, ended=True)
    if vtex.invoiced_minor > 0:
        return _undo_invoice(view, vtex)
    return _ask_vtex_to_cancel(view)


def _undo_invoice(view: OrderView, vtex: VtexView) -> Decision:
    """Invoiced goods come back by a return invoice, and only when all of it was invoiced (8.4)."""
    cancellation = view.order.cancellation
    if cancellation is not None and cancellation.returned is Step.DONE:
        return Rest(view.now, ended=True)
    if vtex.returned_minor >= vtex.invoiced_minor:
        return Rest(view.now, ended=True)
    if not vtex.invoiced:
        why = "VTEX neither cancels nor returns an order that is invoiced in part"
        return _ask(view, "cancel-part-invoiced", "cancel the order in VTEX by hand", why)
    return Do(Act.RETURN_INVOICE)


def _ask_vtex_to_cancel(view: OrderView) -> Decision:
    cancellation = view.order.cancellation
    if cancellation is None:
        return Rest(view.now + ASK_AGAIN)
    if cancellation.in_vtex is Step.REFUSED:
        return _ask(view, "cancel-refused", "VTEX refuses to cancel the order", cancellation.reason)
    if view.order.vtex is not None and view.order.vtex.status in CANCEL_ASKED:
        return Rest(view.now + view.watch)  # the seller decides
    if cancellation.in_vtex is Step.DONE and cancellation.vtex_asked_at is not None:
        again = cancellation.vtex_asked_at + ASK_AGAIN
        if view.now < again:
            return Rest(again)
    return Do(Act.CANCEL_VTEX)


def _cancelled_by_seller(view: OrderView) -> Decision | None:
    """The seller cancelled in VTEX: the marketplace has to follow."""
    order, cancellation = view.order, view.order.cancellation
    if cancellation is None or cancellation.by is not CancelSide.SELLER or order.market is None:
        return None
    if not cancellation.confirmed_by_owner:
        return None  # VTEX's own order does not say so: nothing harmful follows from a call alone
    shipped = order.market.status in {MarketStatus.SHIPPED, MarketStatus.DELIVERED}
    if shipped and not view.can.refund:
        why = f"the marketplace says {order.market.raw_status or order.market.status}"
        return _ask(view, "cancel-after-shipping", "cancelled in VTEX after it was shipped", why)
    ended = order.vtex is not None and order.vtex.cancelled
    if order.merged_into:
        return Rest(view.now + view.watch, ended=ended)  # the whole it is a part of goes on
    if open_step(cancellation.in_market):
        if view.can.cancel:
            return Do(Act.CANCEL_MARKET)
        why = "the marketplace has no way to be told"
        return _ask(view, "cancel-by-hand", "cancel the order on the marketplace", why)
    if cancellation.in_market is Step.REFUSED:
        return _ask(
            view, "cancel-refused-there", "the marketplace refuses to cancel", cancellation.reason
        )
    return Rest(view.now + view.watch, ended=ended)


def _merged(view: OrderView) -> Decision | None:
    """An order and a part of it are never placed both: their units would be sold twice."""
    order = view.order
    if order.placed:
        return None
    if order.merged_into:
        return _wait_for_placement(view) or Rest(view.now + view.watch)
    if not order.rivals or order.placement in {Placement.SENT, Placement.QUEUED}:
        return None
    why = f"{', '.join(order.rivals)} is in VTEX: cancel it there, or place the rest there"
    return _ask(view, "merged", "the marketplace merged orders that VTEX was given", why)


def _place(view: OrderView) -> Decision | None:
    """Bring the order into VTEX, exactly once."""
    order = view.order
    if order.placed or order.market is None:
        return None
    if order.placement in {Placement.SENT, Placement.QUEUED}:
        return _wait_for_placement(view) or Do(Act.PLACE)
    if order.placement is Placement.CANCELLED_BEFORE:
        why = "VTEX cancelled it before and will not take it again (FMT0060)"
        return _ask(view, "cancelled-before", "cancel the order on the marketplace", why)
    if not order.market.complete:
        return Rest(view.now + ASK_AGAIN)
    if order.market.needs_acceptance:
        if open_step(order.accept):
            return Do(Act.ACCEPT)
        if order.accept is Step.DONE:
            return Rest(view.now + ASK_AGAIN)  # the marketplace has still to release it
        why = "the marketplace refuses to be told, or has no way to be"
        return _ask(view, "accept-by-hand", "accept the order on the marketplace", why)
    return Do(Act.PLACE)


def _wait_for_placement(view: OrderView) -> Rest | None:
    """While a placement's outcome may still show, a 404 means not yet."""
    order = view.order
    until = order.doubt_until
    if until is None and order.placement in {Placement.SENT, Placement.QUEUED}:
        # Sent by an earlier version, which kept only when that was.
        since = order.placement_since
        until = since + NOT_YET[view.order_api] if since is not None else None
    return Rest(until) if until is not None and view.now < until else None


def _accept(view: OrderView) -> Decision | None:
    order = view.order
    if not order.placed or not view.can.accept or order.market is None:
        return None
    waiting = order.market.status in {MarketStatus.PENDING, MarketStatus.PAID}
    return Do(Act.ACCEPT) if waiting and open_step(order.accept) else None


def _authorize(view: OrderView) -> Decision | None:
    """Tell VTEX that it is paid: only when it is, and until VTEX has moved on."""
    order = view.order
    if not order.placed or order.market is None or order.authorize is Step.DONE:
        return None
    if order.market.status is MarketStatus.PENDING:
        return None
    vtex = order.vtex
    if vtex is not None and vtex.status == MANUAL_AUTHORIZATION:
        why = "the price differs and the seller's rule asks a person: authorize or deny it in VTEX"
        return _ask(view, "manual-authorization", "VTEX waits for a manual authorization", why)
    if vtex is None:
        return Rest(view.now + SOON)
    if vtex.status not in NEEDS_AUTHORIZATION:
        return None
    if order.authorize is Step.SENT and order.authorize_since is not None:
        again = order.authorize_since + ASK_AGAIN
        if view.now < again:
            return Rest(again)
    return Do(Act.AUTHORIZE)


def _forward(view: OrderView) -> Decision | None:
    """Invoice, tracking and delivery to the marketplace, each once, in this order per parcel."""
    for parcel in view.order.parcels:
        decision = _forward_parcel(view, parcel)
        if decision is not None:
            return decision
    return None


def _forward_parcel(view: OrderView, parcel: Parcel) -> Decision | None:
    number = parcel.invoice.number
    if parcel.returned or parcel.sent is Step.REFUSED:
        return None
    if view.can.invoice and open_step(parcel.sent):
        return Do(Act.INVOICE, number) if sendable(parcel) else None
    if view.order.market is not None and view.order.market.delivery in CARRIED_BY_MARKET:
        return None  # its carrier told us, and we told VTEX: nothing of it is news to it
    refused = parcel.tracking_step is Step.REFUSED
    if view.can.tracking and not refused and tracking_changed(parcel):
        return Do(Act.TRACKING, number)
    if view.can.delivered and parcel.delivered_at is not None and open_step(parcel.delivered_step):
        return Do(Act.DELIVERED, number)
    return None


def tracking_changed(parcel: Parcel) -> bool:
    """Whether the parcel has tracking that the marketplace has not been told yet."""
    tracking = parcel.tracking
    if tracking is None or not (tracking.number or tracking.url):
        return False
    return parcel.tracking_sent != tracking_digest(tracking)


def tracking_digest(tracking: Tracking) -> str:
    """What a marketplace shows of it; a date of dispatch alone is no news."""
    return f"{tracking.courier}|{tracking.number}|{tracking.url}"


def shipment_digest(shipment: Shipment) -> str:
    """What VTEX is told of the marketplace's own parcel; told again when it changes."""
    return f"{shipment.courier}|{shipment.tracking_number}|{shipment.tracking_url}"


def _returned_by_seller(view: OrderView) -> Decision | None:
    """Goods that came back are refunded on the marketplace, by a person."""
    ours = view.order.vtex.return_numbers if view.order.vtex else ()
    for parcel in view.order.parcels:
        number = parcel.invoice.number
        if parcel.returned and not (number in ours and number.endswith("-R1")):
            why = f"return invoice {number} over {parcel.invoice.value_minor} minor units"
            ask = _ask_aside(view, f"returned-{number}", "refund the buyer on the marketplace", why)
            if ask is not None:
                return ask
    return None


def _share(view: OrderView) -> Decision | None:
    """FOB: what the marketplace's carrier does, VTEX is told (protocol 8.5)."""
    order = view.order
    if not order.placed or order.market is None or order.market.shipment is None:
        return None
    number = next((p.invoice.number for p in order.parcels if not p.returned), "")
    if not number:
        return None
    shipment = order.market.shipment
    if shipment.tracking_number and order.fob.tracking != shipment_digest(shipment):
        return Do(Act.SHARE_TRACKING, number)
    if shipment.delivered_at is not None and open_step(order.fob.delivered_step):
        return Do(Act.SHARE_DELIVERED, number)
    return None


def _end(view: OrderView) -> Decision | None:
    """Everything was told to everybody, or nothing has happened for very long."""
    order = view.order
    if order.market is None:
        return None
    sales = [parcel for parcel in order.parcels if not parcel.returned]
    told = bool(sales) and all(
        parcel.delivered_step is Step.DONE or order.fob.delivered_step is Step.DONE
        for parcel in sales
    )
    arrived = order.market.status is MarketStatus.DELIVERED and bool(sales)
    wholly = order.vtex is not None and order.vtex.invoiced
    if (told or arrived) and wholly:
        return Rest(view.now, ended=True)
    return None


def _ask(view: OrderView, task_id: str, what: str, why: str) -> Decision:
    """Ask a person once; after that the order rests until something changes."""
    return _ask_aside(view, task_id, what, why) or Rest(view.now + view.watch)


def _ask_aside(view: OrderView, task_id: str, what: str, why: str) -> Do | None:
    """Ask a person once, and go on with everything else."""
    if any(task.id == task_id for task in view.order.tasks):
        return None
    return Do(Act.ASK, task=Task(id=task_id, what=what, why=why, since=view.now))


_RULES: tuple[Rule, ...] = (
    _not_known,
    _forgotten,
    _attention,
    _cancelled_on_market,
    _cancelled_by_seller,
    _partly_cancelled,
    _merged,
    _place,
    _accept,
    _authorize,
    _forward,
    _returned_by_seller,
    _share,
    _end,
)
