"""A turn of orders: read both sides, decide, act step by step until the order may rest."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import timedelta

from connector.domain.connection import Connection
from connector.domain.entries import Status
from connector.domain.marketorder import MarketOrder, MarketStatus
from connector.domain.order import Cancellation, CancelSide, Placement, Step
from connector.domain.order_facts import (
    FactKind,
    InvoiceTold,
    ResultTold,
    Told,
    add_task,
    cross_check,
    fold_facts,
    learn_parcel,
    parcel_of,
    put_parcel,
)
from connector.domain.order_planner import (
    attention_tasks,
    is_authorized,
    order_state,
    plan_order,
    tracking_digest,
)
from connector.domain.order_view import CANCELLING, Do, OrderView, Rest
from connector.domain.pending import Claim, Context, Failed, Finished, Parked, Priority, Settlement
from connector.domain.retry import settle_setback
from connector.flows.aliases import follow, give_up, meet_parts
from connector.flows.channel import with_currency
from connector.flows.documents import Saved, load_orders
from connector.flows.holds import reserved_at, update_holds
from connector.flows.hub import Hub
from connector.flows.intake import first_seen, order_mark
from connector.flows.ordersteps import STEPS
from connector.flows.orderwork import OrderWork
from connector.flows.placing import absorb_result, found_in_vtex
from connector.flows.setbacks import PEER_ERRORS, Again, Stuck, setback
from connector.ports import Conflict, Fact, LeaseLost, Settle
from connector.vtex.oms import VtexOrder, read_order, vtex_order_id

_MOST_STEPS = 25
"""A turn that has not come to rest after so many steps goes on in another turn."""
_UNKNOWN_FOR = timedelta(days=3)
"""How long callbacks about an order that the marketplace does not know are kept waiting."""
_PARTS_S = timedelta(seconds=2)
_CALM = timedelta(minutes=10)


async def orders_turn(hub: Hub, connection: Connection, claims: Sequence[Claim]) -> None:
    """Work on every claimed order; each is settled by itself."""
    connection = await with_currency(hub, connection)
    peers = hub.peers.of(connection, Context.ORDERS)
    known = await load_orders(hub.store, connection.id, [claim.key for claim in claims])
    works = []
    for claim in claims:
        saved = known.get(claim.key)
        if saved is None:
            saved = Saved(first_seen(hub, connection, claim.key, claim.key))
        works.append(OrderWork(hub, connection, peers, claim, saved, saved.value))
    await asyncio.gather(*(_one(work) for work in works))


async def _one(work: OrderWork) -> None:
    settlement: Settlement
    try:
        settlement = await _work(work)
    except (*PEER_ERRORS, Stuck, Again) as error:
        settlement = _fail(work, error)
    except Conflict:
        # Somebody else saved the order: look again on top of what they saved, change nothing.
        await _commit(work, _again(work), only_settle=True)
        return
    await _commit(work, settlement)


async def _commit(work: OrderWork, settlement: Settlement, *, only_settle: bool = False) -> None:
    settle = Settle(work.claim, settlement)
    writes = [settle] if only_settle else [settle, *work.pending_writes()]
    try:
        await work.hub.store.commit(writes)
    except LeaseLost:
        work.hub.metrics.count("leases_lost_total", context=Context.ORDERS)
    except Conflict:
        if not only_settle:
            await _commit(work, _again(work), only_settle=True)


def _again(work: OrderWork) -> Failed:
    """In a moment, not at once: whoever is writing it may be about to do so again."""
    soon = work.hub.now() + timedelta(seconds=work.hub.rng.uniform(0.2, 1))
    return Failed(soon, Priority.URGENT, "written by another", counts=False)


def _fail(work: OrderWork, error: Exception) -> Settlement:
    what = setback(error)
    settlement = settle_setback(work.claim, what, work.hub.now(), work.hub.rng)
    parked = isinstance(settlement, Parked)
    work.update(reasons=what.reasons, state=order_state(work.order, parked=parked))
    if parked:
        work.hub.metrics.count("parked_total", context=Context.ORDERS)
    elif what.counts and work.claim.attempts in {0, 4}:
        text = f"{'; '.join(what.reasons)}; it is tried again"
        work.tell(text, code="L", status=Status.PENDING)
    return settlement


async def _work(work: OrderWork) -> Settlement:
    stored = await work.hub.store.facts(work.connection.id, work.order.ref)
    work.facts = [Told(fact.seq, fact.kind, fact.body, fact.at) for fact in stored]
    if work.order.ended_at is not None:
        if not _news(work):
            await _read_attention(work)
            return Finished(None)
        # Something came after the end: it is taken up again, and erased again later.
        work.update(ended_at=None, erased=False)
    work.order, results = fold_facts(work.order, work.facts)
    before = work.order.market
    if not await _read_market(work):
        return Finished(None)
    if work.order.market is None:
        return await _unknown(work)
    await _read_vtex(work)
    if await give_up(work):
        return Finished(None)
    await _absorb_results(work, results)
    await update_holds(work, sold=_sold(before, work.order.market))
    undecided = await meet_parts(work)
    await work.save()
    if undecided:
        return Finished(work.hub.now() + _PARTS_S, Priority.URGENT)
    rest = await _until_rest(work)
    if rest.ended:
        work.update(ended_at=work.hub.now())
        if work.order.merged_into:
            work.writes.append(order_mark(work.hub, work.connection, work.order.merged_into))
    await update_holds(work)
    return _settle(work, rest)


async def _absorb_results(work: OrderWork, results: Sequence[ResultTold]) -> None:
    """Take in every report; a later success outweighs an earlier failure.

    Raises:
        Again, Stuck: what the last failure means, unless the order is in VTEX after all.
    """
    failure: Again | Stuck | None = None
    for result in results:
        try:
            await absorb_result(work, result)
        except (Again, Stuck) as error:
            failure = error
    if failure is not None and not work.order.placed:
        raise failure


def _sold(before: MarketOrder | None, now: MarketOrder | None) -> bool:
    """Whether the marketplace has moved stock: a new order, other lines, or a cancellation."""
    if before is None or now is None:
        return now is not None
    cancelled = now.status is MarketStatus.CANCELLED is not before.status
    return cancelled or now.lines != before.lines


def _news(work: OrderWork) -> bool:
    return any(fact.seq > work.order.facts_seen for fact in work.facts)


async def _until_rest(work: OrderWork) -> Rest:
    for _ in range(_MOST_STEPS):
        view = OrderView(
            order=work.order,
            can=work.peers.ability,
            now=work.hub.now(),
            order_api=work.connection.order_api,
            watch=timedelta(seconds=work.connection.rules.watch_s),
        )
        decision = plan_order(view)
        if isinstance(decision, Rest):
            return decision
        await _step(work, decision)
    return Rest(work.hub.now() + timedelta(seconds=1))


async def _step(work: OrderWork, do: Do) -> None:
    work.hub.metrics.count("order_steps_total", step=do.act)
    await STEPS[do.act](work, do)


def _settle(work: OrderWork, rest: Rest) -> Settlement:
    now = work.hub.now()
    refused = work.order.placement is Placement.REFUSED and not rest.ended
    work.update(state=order_state(work.order, parked=refused))
    if rest.ended:
        return Finished(None)
    until = rest.until
    settle = timedelta(seconds=work.connection.rules.stock_second_look_s)
    release = reserved_at(work.order, settle)
    if work.order.held and release is not None:
        until = min(until, release)
    return Finished(max(until, now + timedelta(seconds=1)), Priority.CHANGE)


# --- reading -------------------------------------------------------------------------------------


async def _read_market(work: OrderWork) -> bool:
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


async def _read_attention(work: OrderWork) -> None:
    """A claim may come long after the end: a person is asked, nothing else happens any more.

    Nothing personal is kept again. A poll repeats itself; what it names is not read so often.
    """
    order, now = work.order, work.hub.now()
    known = order.market_read_at is not None and now - order.market_read_at < _CALM
    if work.saved.version == 0 or (known and work.claim.priority is not Priority.URGENT):
        return
    market = await work.peers.adapter.order(order.key)
    if market is None or market.key != order.key:
        return
    work.update(market_read_at=now)
    for task in attention_tasks(order, market, now):
        work.order = add_task(work.order, task)
        work.tell(f"{task.what}: {task.why}", status=Status.WARNING)


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


async def _unknown(work: OrderWork) -> Settlement:
    """The marketplace does not know the order (yet): keep every fact about it."""
    work.update(state=order_state(work.order))
    waited = work.hub.now() - work.order.first_seen_at
    if waited > _UNKNOWN_FOR:
        raise Stuck("the marketplace does not know this order: look it up there by hand")
    if work.saved.version == 0 and not work.facts:
        return Finished(None)
    wait = min(max(waited, timedelta(seconds=10)), timedelta(hours=1))
    return Finished(work.hub.now() + wait, Priority.CHANGE)


async def _read_vtex(work: OrderWork) -> None:
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
        missed = parcel_of(work.order, parcel.invoice.number) is None
        xml = found.xmls.get(parcel.invoice.number, "")
        told = InvoiceTold(
            invoice=parcel.invoice.model_copy(update={"xml": xml}),
            returned=parcel.returned,
            tracking=parcel.tracking,
        )
        if missed:
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
