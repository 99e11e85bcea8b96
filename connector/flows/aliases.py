"""Keys that stand for another order: an order of a cart, a shipment, carts that were merged.

A marketplace may speak of parts of an order. The hub goes on with the whole one, under its own key,
and forgets the part, unless VTEX was already given it: then placing the whole would sell its units
twice, and a person decides.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from connector.domain.connection import Connection
from connector.domain.entries import Status
from connector.domain.marketorder import MarketOrder
from connector.domain.order import Order, Placement, Task, order_ref
from connector.domain.order_facts import add_task
from connector.domain.order_view import NOT_YET
from connector.flows.documents import Saved, load_orders, put_order
from connector.flows.intake import first_seen, order_mark
from connector.flows.orderwork import OrderWork
from connector.ports import Fact, Hold

_FIRST_LOOK = timedelta(minutes=1)
"""How long a key that was just heard of may take until it is known what it stands for."""


def is_bound(order: Order) -> bool:
    """Whether VTEX was given the order and has not proved that it does not have it."""
    sent = {Placement.SENT, Placement.QUEUED, Placement.PLACED}
    return order.placement in sent or order.doubt_until is not None


async def follow(work: OrderWork, market: MarketOrder) -> MarketOrder | None:
    """The key stands for another order: mark that one in this work's commit.

    Returns the marketplace's order as this one goes on with, which it does where VTEX was given
    it; None: this one is forgotten.
    """
    ref = order_ref(market.key)
    known = await load_orders(work.hub.store, work.connection.id, [ref])
    whole = known.get(ref) or Saved(first_seen(work.hub, work.connection, ref, market.key))
    work.writes.append(order_mark(work.hub, work.connection, ref))
    if is_bound(work.order):
        return _keep(work, market, whole)
    await _forget(work, whole)
    return None


async def give_up(work: OrderWork) -> bool:
    """Forget a part that VTEX would show by now, and does not; returns whether it was."""
    part, now = work.order, work.hub.now()
    if not part.merged_into or part.placed:
        return False
    until = part.doubt_until
    if until is None and part.placement in {Placement.SENT, Placement.QUEUED}:
        until = (part.placement_since or now) + max(NOT_YET.values())
    known = await load_orders(work.hub.store, work.connection.id, [part.merged_into])
    if part.merged_into not in known or (until is not None and now < until):
        return False
    work.writes.append(order_mark(work.hub, work.connection, part.merged_into))
    await _forget(work, known[part.merged_into])
    return True


async def _forget(work: OrderWork, whole: Saved[Order]) -> None:
    """Give the part up for the whole; what was told about it goes along."""
    part, ref = work.order, whole.value.ref
    facts = await work.hub.store.facts(part.connection, part.ref)
    work.writes += [
        Fact(fact.connection, ref, fact.kind, fact.id, fact.body, fact.at) for fact in facts
    ]
    aliases = {*whole.value.aliases, part.ref} if facts else set(whole.value.aliases)
    rivals = set(whole.value.rivals) - {part.ref}
    fresh = whole.value.market is None
    held = _together(whole.value, part) if fresh else whole.value.held
    changed = whole.value.model_copy(
        update={"aliases": tuple(sorted(aliases)), "rivals": tuple(sorted(rivals)), "held": held}
    )
    if changed != whole.value or whole.version == 0:
        work.writes.append(put_order(whole, changed))
    for sku, _ in part.held:
        work.writes.append(_hold(work.connection, part.ref, sku, 0))
    if fresh:
        # Nobody may sell these units until the whole order has been read.
        work.writes += [_hold(work.connection, ref, sku, units) for sku, units in held]
    work.forgotten = True


def _together(whole: Order, part: Order) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((Counter(dict(whole.held)) + Counter(dict(part.held))).items()))


def _hold(connection: Connection, ref: str, sku: str, units: int) -> Hold:
    return Hold(connection.account, sku, connection.id, ref, units)


def _keep(work: OrderWork, market: MarketOrder, whole: Saved[Order]) -> MarketOrder:
    """VTEX has the part: it goes on by itself, and the whole is not placed beside it."""
    part = work.order
    if not whole.value.placed and part.ref not in whole.value.rivals:
        rivals = tuple(sorted({*whole.value.rivals, part.ref}))
        work.writes.append(put_order(whole, whole.value.model_copy(update={"rivals": rivals})))
    elif whole.version == 0:
        work.writes.append(put_order(whole, whole.value))
    work.update(merged_into=whole.value.ref)
    if whole.value.placed:
        why = "VTEX has both, so its units twice: cancel this one in VTEX"
    else:
        why = "VTEX has this one: cancel it there and the whole is placed, or place the rest there"
    what = f"the marketplace made this order a part of {whole.value.key}"
    work.order = add_task(work.order, Task(id="merged", what=what, why=why, since=work.hub.now()))
    work.tell(f"{what}: {why}", status=Status.WARNING, once="merged")
    if part.market is None:
        return market
    # Lines and amounts stay those that VTEX was given; where it is on its way is the whole's.
    own = {"key", "lines", "discount_minor", "shipping_minor", "interest_minor", "total_minor"}
    return market.model_copy(update={name: getattr(part.market, name) for name in own})


async def meet_parts(work: OrderWork) -> bool:
    """See which parts of the order are known by themselves, before it is placed.

    Returns whether one of them is just being looked at: it may be about to be placed, or forgotten.
    """
    order, hub = work.order, work.hub
    if order.market is None or order.placed:
        return False
    refs = {*map(order_ref, order.market.members), *order.rivals} - {order.ref}
    if not refs:
        return False
    parts = await load_orders(hub.store, order.connection, sorted(refs))
    now = hub.now()
    bound = {ref for ref, part in parts.items() if _in_the_way(part.value)}
    loose = {
        ref
        for ref, part in parts.items()
        if ref not in bound and part.value.ended_at is None and _undecided(part.value, now)
    }
    work.update(rivals=tuple(sorted(bound)))
    work.writes += [order_mark(hub, work.connection, ref) for ref in sorted(loose)]
    return bool(loose)


def _in_the_way(part: Order) -> bool:
    return is_bound(part) and not (part.vtex is not None and part.vtex.cancelled)


def _undecided(part: Order, now: datetime) -> bool:
    """Whether it might still be placed: it was read as an order of its own, or is being read."""
    return part.market is not None or now - part.first_seen_at < _FIRST_LOOK
