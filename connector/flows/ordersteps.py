"""What each step of an order does: intent saved, one call, outcome taken in.

The outcome is saved with the next step's intent or with the settlement, whatever comes first and
without anything slow in between: a crash there leaves the intent, as one right after the call
would, and both sides are read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from connector.domain.entries import Direction, Operation, Status
from connector.domain.marketorder import Invoice
from connector.domain.order import Cancellation, Parcel, Step, Task
from connector.domain.order_facts import FactKind, InvoiceTold, add_task, parcel_of, put_parcel
from connector.domain.order_planner import shipment_digest, tracking_digest
from connector.domain.order_view import Act, Do
from connector.flows.composing import preflight
from connector.flows.orderwork import OrderWork
from connector.flows.placing import place
from connector.flows.secrets import services_endpoint
from connector.flows.setbacks import Again, Stuck
from connector.sdk import AlreadyDone, Rejected, Unsupported
from connector.vtex.errors import Refused
from connector.vtex.oms import (
    InvoiceItem,
    cancel,
    read_order,
    send_delivered,
    send_return_invoice,
    send_tracking,
)
from connector.vtex.orders import authorize_classic, authorize_integration
from connector.vtex.reactions import ReactionKind

Run = Callable[[OrderWork, Do], Awaitable[None]]


async def _place(work: OrderWork, do: Do) -> None:
    del do
    await place(work)


async def _tell_market(work: OrderWork, call: Awaitable[None]) -> Step:
    """One call to the marketplace; REFUSED when it will not have it, with its reasons as a task."""
    try:
        await call
    except (AlreadyDone, Unsupported) as answer:
        return Step.DONE if isinstance(answer, AlreadyDone) else Step.UNSUPPORTED
    except Rejected as refusal:
        text = "; ".join(refusal.reasons)
        work.tell(text, code="N", status=Status.ERROR, direction=Direction.TO_MARKETPLACE)
        task = Task(
            id=f"refused-{len(work.order.tasks)}",
            what="the marketplace refused; settle it there by hand",
            why=text,
            since=work.hub.now(),
        )
        work.order = add_task(work.order, task)
        return Step.REFUSED
    return Step.DONE


async def _accept(work: OrderWork, do: Do) -> None:
    del do
    if not work.order.placed and work.order.market is not None:
        await preflight(work, work.order.market)  # never accept what could not be delivered
    work.update(accept=Step.SENT)
    await work.save()
    step = await _tell_market(work, work.peers.adapter.accept(work.order.key))
    work.update(accept=step)
    if step is Step.DONE and not work.order.placed:
        # What the marketplace hid until now (the address, say) shows once it is accepted.
        market = await work.peers.adapter.order(work.order.key)
        if market is not None and market.key == work.order.key:
            work.update(market=market)
    await work.save()  # what follows may be slow: simulations, before an intent to place is saved


async def _authorize(work: OrderWork, do: Do) -> None:
    del do
    work.update(authorize=Step.SENT, authorize_since=work.hub.now())
    await work.save()
    connection, ref = work.connection, work.order.ref
    if connection.order_api == "classic":
        answer = await authorize_classic(work.peers.vtex, ref)
    else:
        endpoint = services_endpoint(work.hub.vault, work.hub.public_url, work.connection)
        answer = await authorize_integration(
            work.peers.vtex, ref, connection.connector_name, endpoint
        )
    if answer.kind is ReactionKind.OK:
        work.update(authorize=Step.DONE)
        work.tell(f"dispatch of {work.order.vtex_order_id} was authorized", once="authorized")
    elif answer.kind not in {ReactionKind.QUEUED, ReactionKind.WAIT, ReactionKind.EXISTS}:
        work.update(authorize=Step.NO)
        if answer.kind in {ReactionKind.RETRY, ReactionKind.NOT_YET}:
            raise Again(*answer.verdict.reasons)
        raise Stuck(*answer.verdict.reasons)


# --- to the marketplace -------------------------------------------------------------------------


def _parcel(work: OrderWork, number: str) -> Parcel:
    parcel = parcel_of(work.order, number)
    if parcel is None:
        raise Stuck(f"invoice {number} is not known")
    return parcel


def _with_xml(work: OrderWork, parcel: Parcel) -> Invoice:
    """The invoice with its embedded document, which only the fact keeps."""
    if not parcel.has_xml:
        return parcel.invoice
    for fact in work.facts:
        if fact.kind == FactKind.INVOICE:
            told = InvoiceTold.model_validate_json(fact.body).invoice
            if told.xml and told.number.split() == parcel.invoice.number.split():
                return parcel.invoice.model_copy(update={"xml": told.xml})
    return parcel.invoice


async def _invoice(work: OrderWork, do: Do) -> None:
    parcel = _parcel(work, do.number)
    invoice = _with_xml(work, parcel)
    await _parcel_step(
        work,
        parcel,
        "sent",
        lambda: work.peers.adapter.send_invoice(work.order.key, invoice),
        message=f"invoice {do.number} was sent to the marketplace",
        operation=Operation.INVOICE_SENDING,
    )


async def _tracking(work: OrderWork, do: Do) -> None:
    parcel = _parcel(work, do.number)
    if parcel.tracking is None:
        return
    # The marketplace knows the invoice by the number it was sent under.
    tracking = parcel.tracking.model_copy(update={"invoice_number": parcel.invoice.number})
    await _parcel_step(
        work,
        parcel,
        "tracking_step",
        lambda: work.peers.adapter.send_tracking(work.order.key, tracking),
        message=f"tracking {tracking.number} of invoice {do.number} was sent to the marketplace",
        operation=Operation.TRACKING_SENDING,
    )
    sent = _parcel(work, do.number).model_copy(update={"tracking_sent": tracking_digest(tracking)})
    work.order = put_parcel(work.order, sent)


async def _delivered(work: OrderWork, do: Do) -> None:
    parcel = _parcel(work, do.number)
    at = parcel.delivered_at
    if at is None:
        return
    await _parcel_step(
        work,
        parcel,
        "delivered_step",
        lambda: work.peers.adapter.send_delivered(work.order.key, do.number, at),
        message=f"delivery of invoice {do.number} was told to the marketplace",
        operation=Operation.TRACKING_SENDING,
    )


async def _parcel_step(
    work: OrderWork,
    parcel: Parcel,
    field: str,
    call: Callable[[], Awaitable[None]],
    *,
    message: str,
    operation: Operation,
) -> None:
    work.order = put_parcel(work.order, parcel.model_copy(update={field: Step.SENT}))
    await work.save()
    step = await _tell_market(work, call())
    work.order = put_parcel(work.order, parcel.model_copy(update={field: step}))
    if step is Step.DONE:
        work.tell(message, operation=operation, direction=Direction.TO_MARKETPLACE)


async def _cancel_market(work: OrderWork, do: Do) -> None:
    del do
    cancellation = await _sent(work, "in_market")
    call = work.peers.adapter.cancel(work.order.key, cancellation.reason or "cancelled by seller")
    step = await _tell_market(work, call)
    work.update(cancellation=cancellation.model_copy(update={"in_market": step}))
    if step is Step.DONE:
        text = f"order {work.order.key} was cancelled on the marketplace"
        work.tell(text, code="C", direction=Direction.TO_MARKETPLACE, once="cancelled-there")


# --- to VTEX ------------------------------------------------------------------------------------


async def _sent(work: OrderWork, field: str) -> Cancellation:
    cancellation = work.order.cancellation
    if cancellation is None:
        raise Stuck("there is no cancellation to carry out")
    work.update(cancellation=cancellation.model_copy(update={field: Step.SENT}))
    await work.save()
    return cancellation


async def _cancel_vtex(work: OrderWork, do: Do) -> None:
    del do
    cancellation = await _sent(work, "in_vtex")
    asked = cancellation.model_copy(update={"vtex_asked_at": work.hub.now()})
    try:
        reason = cancellation.reason or "cancelled on the marketplace"
        await cancel(work.peers.vtex, work.order.vtex_order_id, reason)
    except Refused as refusal:
        await _cancel_refused(work, asked, refusal)
        return
    work.update(cancellation=asked.model_copy(update={"in_vtex": Step.DONE}))
    text = f"VTEX was asked to cancel {work.order.vtex_order_id}"
    work.tell(text, code="C", once="cancelled-here")


async def _cancel_refused(work: OrderWork, asked: Cancellation, refusal: Refused) -> None:
    """Cancel and invoice may cross: what VTEX's order says now decides (KI 1400005)."""
    now = work.hub.now()
    found = await read_order(
        work.peers.vtex, work.order.vtex_order_id, now, currency=work.connection.currency
    )
    if found is not None:
        work.update(vtex=found.view)
    moved_on = found is not None and (found.view.cancelled or found.view.invoiced_minor > 0)
    step = Step.NO if moved_on else Step.REFUSED
    work.update(cancellation=asked.model_copy(update={"in_vtex": step}))
    if not moved_on:
        text = "; ".join(refusal.messages) or str(refusal)
        work.tell(f"VTEX refuses to cancel: {text}", code="E", status=Status.WARNING, once="E")


async def _return_invoice(work: OrderWork, do: Do) -> None:
    """Invoiced already: the goods come back by a return invoice over all of it (8.4)."""
    del do
    cancellation = await _sent(work, "returned")
    now = work.hub.now()
    order_id = work.order.vtex_order_id
    found = await read_order(work.peers.vtex, order_id, now, currency=work.connection.currency)
    if found is None:
        raise Again("VTEX does not show the order now")
    sales = [parcel for parcel in found.parcels if not parcel.returned]
    number = f"{sales[0].invoice.number if sales else work.order.ref}-R1"
    if number not in found.view.return_numbers:
        value = found.view.invoiced_minor
        items = [
            InvoiceItem(sku=item.sku, quantity=item.quantity, price_minor=item.price_minor)
            for item in found.items
        ]
        await send_return_invoice(
            work.peers.vtex, order_id, number, items, value_minor=value, issued_at=now
        )
        work.tell(f"return invoice {number} was sent to VTEX", once="returned")
    work.update(cancellation=cancellation.model_copy(update={"returned": Step.DONE}))


async def _share_tracking(work: OrderWork, do: Do) -> None:
    shipment = work.order.market.shipment if work.order.market else None
    if shipment is None:
        return
    work.update(fob=work.order.fob.model_copy(update={"tracking_step": Step.SENT}))
    await work.save()
    await send_tracking(
        work.peers.vtex,
        work.order.vtex_order_id,
        do.number,
        courier=shipment.courier,
        number=shipment.tracking_number,
        url=shipment.tracking_url,
        dispatched_at=shipment.shipped_at,
    )
    news = shipment_digest(shipment)
    work.update(
        fob=work.order.fob.model_copy(update={"tracking": news, "tracking_step": Step.DONE})
    )
    text = f"the marketplace's tracking {shipment.tracking_number} was told to VTEX"
    work.tell(text, operation=Operation.TRACKING_SENDING)


async def _share_delivered(work: OrderWork, do: Do) -> None:
    shipment = work.order.market.shipment if work.order.market else None
    if shipment is None or shipment.delivered_at is None:
        return
    work.update(fob=work.order.fob.model_copy(update={"delivered_step": Step.SENT}))
    await work.save()
    await send_delivered(
        work.peers.vtex,
        work.order.vtex_order_id,
        do.number,
        delivered_at=shipment.delivered_at,
    )
    work.update(fob=work.order.fob.model_copy(update={"delivered_step": Step.DONE}))
    work.tell("the delivery was told to VTEX", operation=Operation.TRACKING_SENDING)


async def _ask(work: OrderWork, do: Do) -> None:
    if do.task is None:
        return
    work.order = add_task(work.order, do.task)
    work.tell(f"{do.task.what}: {do.task.why}", status=Status.WARNING)


STEPS: Mapping[Act, Run] = {
    Act.PLACE: _place,
    Act.ACCEPT: _accept,
    Act.AUTHORIZE: _authorize,
    Act.INVOICE: _invoice,
    Act.TRACKING: _tracking,
    Act.DELIVERED: _delivered,
    Act.CANCEL_MARKET: _cancel_market,
    Act.CANCEL_VTEX: _cancel_vtex,
    Act.RETURN_INVOICE: _return_invoice,
    Act.SHARE_TRACKING: _share_tracking,
    Act.SHARE_DELIVERED: _share_delivered,
    Act.ASK: _ask,
}
