"""A turn of orders: read both sides, decide, act step by step until the order may rest."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from connector.domain.connection import Connection
from connector.domain.entries import Status
from connector.domain.marketorder import MarketOrder, MarketStatus
from connector.domain.order import Placement
from connector.domain.order_facts import (
    ResultTold,
    Told,
    add_task,
    fold_facts,
)
from connector.domain.order_planner import (
    attention_tasks,
    order_state,
    plan_order,
)
from connector.domain.order_view import Do, OrderView, Rest
from connector.domain.pending import Claim, Context, Failed, Finished, Parked, Priority, Settlement
from connector.domain.retry import settle_setback
from connector.flows.aliases import give_up, meet_parts
from connector.flows.channel import with_currency
from connector.flows.documents import Saved, load_orders
from connector.flows.holds import reserved_at, update_holds
from connector.flows.hub import Hub
from connector.flows.intake import first_seen, order_mark
from connector.flows.orderreads import read_market, read_vtex
from connector.flows.ordersteps import STEPS
from connector.flows.orderwork import OrderWork
from connector.flows.placing import absorb_result
from connector.flows.setbacks import PEER_ERRORS, Again, BadKeys, Stuck, setback
from connector.ports import Conflict, LeaseLost, Settle, StoreUnavailable

_MOST_STEPS = 25
"""A turn that has not come to rest after so many steps goes on in another turn."""
_UNKNOWN_FOR = timedelta(days=3)
"""How long callbacks about an order that the marketplace does not know are kept waiting."""
_CALM = timedelta(minutes=10)
_TRIES_AFTER_END = 3


async def orders_turn(hub: Hub, connection: Connection, claims: Sequence[Claim]) -> None:
    """Work on every claimed order; each is settled by itself.

    Raises:
        BadKeys: those that made us fail, once all others are done.
    """
    connection = await with_currency(hub, connection)
    peers = hub.peers.of(connection, Context.ORDERS)
    known = await load_orders(hub.store, connection.id, [claim.key for claim in claims])
    works = []
    for claim in claims:
        saved = known.get(claim.key)
        if saved is None:
            saved = Saved(first_seen(hub, connection, claim.key, claim.key))
        works.append(OrderWork(hub, connection, peers, claim, saved, saved.value))
    ended = await asyncio.gather(*(_one(work) for work in works), return_exceptions=True)
    failed = [
        (work.claim, error)
        for work, error in zip(works, ended, strict=True)
        if isinstance(error, Exception)
    ]
    for _, error in failed:
        if isinstance(error, StoreUnavailable):
            raise error
    if failed:
        raise BadKeys(failed)


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
        if not only_settle:
            await _save_alone(work)
    except Conflict:
        if not only_settle:
            await _commit(work, _again(work), only_settle=True)


async def _save_alone(work: OrderWork) -> None:
    """Somebody else has the lease: what our calls came to is true all the same, and saved unless
    they were faster.
    """
    with suppress(Conflict):
        await work.save()


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
            return await _after_end(work)
        # Something came after the end: it is taken up again, and erased again later.
        work.update(ended_at=None, erased=False)
    work.order, results = fold_facts(work.order, work.facts)
    before = work.order.market
    if not await read_market(work):
        return Finished(None)
    if work.order.market is None:
        return await _unknown(work)
    await read_vtex(work)
    if await give_up(work):
        return Finished(None)
    if _before_our_time(work):
        text = f"order {work.order.key} was shipped before this connection was made: left as it is"
        work.tell(text, code="", status=Status.WARNING, once="before")
        work.update(ended_at=work.hub.now())
        return Finished(None)
    await _absorb_results(work, results)
    await update_holds(work, sold=_sold(before, work.order.market))
    undecided = await meet_parts(work)
    await work.pass_on()
    if undecided:
        # Whoever decides about the part marks this order; looking again by itself is for the rest.
        return Finished(work.hub.now() + _patience(work), Priority.URGENT)
    rest = await _until_rest(work)
    if rest.ended:
        work.update(ended_at=work.hub.now())
        if work.order.merged_into:
            work.writes.append(order_mark(work.hub, work.connection, work.order.merged_into))
    await update_holds(work)
    return _settle(work, rest)


def _before_our_time(work: OrderWork) -> bool:
    """An order that somebody else saw to: placing it now would sell its goods a second time."""
    order, market = work.order, work.order.market
    return (
        market is not None
        and market.status in {MarketStatus.SHIPPED, MarketStatus.DELIVERED}
        and market.created_at < work.connection.created_at
        and order.placement is Placement.NO
        and order.vtex is None
    )


def _patience(work: OrderWork) -> timedelta:
    age = work.hub.now() - work.order.first_seen_at
    return min(max(age / 10, timedelta(seconds=5)), _CALM)


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


async def _after_end(work: OrderWork) -> Settlement:
    """A claim may come long after the end: a person is asked, nothing else happens any more.

    Nothing personal is kept again. A poll repeats itself; what it names is not read so often.
    """
    order, now = work.order, work.hub.now()
    known = order.market_read_at is not None and now - order.market_read_at < _CALM
    if known and work.claim.priority is not Priority.URGENT:
        return Finished(None)
    try:
        market = await work.peers.adapter.order(order.key)
    except PEER_ERRORS as error:
        again = settle_setback(work.claim, setback(error), now, work.hub.rng)
        tired = isinstance(again, Parked) or work.claim.attempts >= _TRIES_AFTER_END
        return Finished(None) if tired else again
    if market is not None and market.key == order.key:
        work.update(market_read_at=now)
        for task in attention_tasks(order, market, now):
            work.order = add_task(work.order, task)
            work.tell(f"{task.what}: {task.why}", status=Status.WARNING)
    return Finished(None)
