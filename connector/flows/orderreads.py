"""What both sides say of an order now, taken in: what was told late, twice or never is repaired."""

from __future__ import annotations

import hashlib

from connector.domain.entries import Status
from connector.domain.marketorder import MarketStatus
from connector.domain.order import Cancellation, CancelSide, Placement, Step
from connector.domain.order_facts import (
    FactKind,
    InvoiceTold,
    Told,
    cross_check,
    learn_parcel,
    parcel_of,
    put_parcel,
)
from connector.domain.order_planner import is_authorized, tracking_digest
from connector.domain.order_view import CANCELLING
from connector.flows.aliases import follow
from connector.flows.orderwork import OrderWork
from connector.flows.placing import found_in_vtex
from connector.flows.setbacks import Stuck
from connector.ports import Fact
from connector.vtex.oms import VtexOrder, read_order, vtex_order_id


async def read_market(work: OrderWork) -> bool:
    """Read the marketplace's order; False where the key stands for another one and is given up."""
    if work.order.erased:
        return True
    market = await work.peers.adapter.order(work.order.key)
    if market is not None and market.key != work.order.key:
        market = await follow(work, market)
        if market is None:
            return False
    if market is None:
        return True
    work.update(market=market, market_read_at=work.hub.now())
    if market.status is MarketStatus.CANCELLED and work.order.cancellation is None:
        asked = Cancellation(
            by=CancelSide.MARKETPLACE,
            reason=market.cancel_reason,
            asked_at=work.hub.now(),
            confirmed_by_owner=True,
        )
        work.update(cancellation=asked)
        _tell_cancelled(work)
    _absorb_market(work)
    return True


def _tell_cancelled(work: OrderWork) -> None:
    """What a cancellation on the marketplace means depends on how far the order was (10.5)."""
    text = f"the marketplace cancelled order {work.order.key}"
    if work.order.placement is Placement.REFUSED:
        text += ", which VTEX had not taken: it is not tried again"
        work.tell(text, code="Q", status=Status.ERROR, once="cancelled")
    elif work.order.placement in {Placement.SENT, Placement.QUEUED}:
        text += " before VTEX had it: it is cancelled there once it shows"
        work.tell(text, code="M", status=Status.PENDING, once="cancelled")
    else:
        work.tell(text, code="C", once="cancelled")


def _absorb_market(work: OrderWork) -> None:
    """What the marketplace already has is not sent again after an unknown outcome."""
    market = work.order.market
    if market is None:
        return
    if market.accepted and work.order.accept is not Step.DONE:
        work.update(accept=Step.DONE)
    parcels = []
    for parcel in work.order.parcels:
        fields: dict[str, object] = {}
        if parcel.invoice.number in market.known_invoices:
            fields["sent"] = Step.DONE
        tracking = parcel.tracking
        if (
            parcel.tracking_step is Step.SENT
            and tracking is not None
            and tracking.number in market.known_trackings
        ):
            fields |= {"tracking_sent": tracking_digest(tracking), "tracking_step": Step.DONE}
        if parcel.invoice.number in market.known_deliveries:
            fields["delivered_step"] = Step.DONE
        parcels.append(parcel.model_copy(update=fields))
    work.update(parcels=tuple(parcels))
    cancellation = work.order.cancellation
    if cancellation is not None and market.status is MarketStatus.CANCELLED:
        done = cancellation.model_copy(update={"in_market": Step.DONE})
        work.update(cancellation=done)


async def read_vtex(work: OrderWork) -> None:
    """Read VTEX's own order, wherever it may have one."""
    order = work.order
    # An attempt that may have arrived is asked about, whatever became of later ones.
    sent = order.placement in {Placement.SENT, Placement.QUEUED, Placement.PLACED}
    if not sent and order.doubt_until is None and order.cancellation is None:
        return
    order_id = order.vtex_order_id or vtex_order_id(work.connection.affiliate_id, order.ref)
    now = work.hub.now()
    found = await read_order(work.peers.vtex, order_id, now, currency=work.connection.currency)
    if found is None:
        if not sent and order.doubt_until is not None and now >= order.doubt_until:
            work.update(doubt_until=None)  # it would show by now
        return
    if found.ref and found.ref != order.ref:
        raise Stuck(f"VTEX's {order_id} is another order than {order.ref}")
    absorb_vtex(work, found)


def absorb_vtex(work: OrderWork, found: VtexOrder) -> None:
    """Take in what VTEX has; repair what its callbacks missed (protocol 7.6)."""
    order, view = work.order, found.view
    since = view.read_at
    if order.vtex is not None and order.vtex.status == view.status:
        since = order.vtex.status_since or since
    work.update(vtex=view.model_copy(update={"status_since": since}))
    found_in_vtex(work, view)
    for parcel in found.parcels:
        known = parcel_of(work.order, parcel.invoice.number)
        missed = known is None
        xml = found.xmls.get(parcel.invoice.number, "")
        told = InvoiceTold(
            invoice=parcel.invoice.model_copy(update={"xml": xml}),
            returned=parcel.returned,
            tracking=parcel.tracking,
        )
        if known is None or (xml and not known.has_xml):
            _keep_as_fact(work, told)
        work.order = learn_parcel(work.order, told)
        learned = parcel_of(work.order, parcel.invoice.number)
        if parcel.delivered_at is not None and learned is not None and not learned.delivered_at:
            learned = learned.model_copy(update={"delivered_at": parcel.delivered_at})
            work.order = put_parcel(work.order, learned)
        if missed:
            work.hub.metrics.count("callbacks_repaired_total")
    shown = {parcel.invoice.number: parcel.invoice.value_minor for parcel in found.parcels}
    work.order = cross_check(work.order, shown, work.hub.now())
    _absorb_cancel(work, found)
    if work.order.authorize is not Step.DONE and is_authorized(view.status):
        work.update(authorize=Step.DONE)


def _keep_as_fact(work: OrderWork, told: InvoiceTold) -> None:
    """An invoice no call told of is a fact like any other: its XML is kept there alone."""
    body = told.model_dump_json()
    digest = hashlib.blake2b(f"read|{body}".encode(), digest_size=16).hexdigest()
    now = work.hub.now()
    fact = Fact(work.connection.id, work.order.ref, FactKind.INVOICE, digest, body, now)
    work.writes.append(fact)
    work.facts.append(Told(0, fact.kind, fact.body, fact.at))


def _absorb_cancel(work: OrderWork, found: VtexOrder) -> None:
    cancellation = work.order.cancellation
    cancels = found.view.cancelled or found.view.status in CANCELLING
    if cancellation is None and cancels:
        # No callback told of it, or none was believed yet: VTEX's own order is the proof.
        cancellation = Cancellation(
            by=CancelSide.SELLER, reason=found.cancel_reason, asked_at=work.hub.now()
        )
    if cancellation is None:
        return
    if cancels and not cancellation.confirmed_by_owner:
        cancellation = cancellation.model_copy(update={"confirmed_by_owner": True})
    if found.view.cancelled:
        cancellation = cancellation.model_copy(update={"in_vtex": Step.DONE})
    if cancellation.returned is Step.SENT and found.view.return_numbers:
        cancellation = cancellation.model_copy(update={"returned": Step.DONE})
    work.update(cancellation=cancellation)
