"""Units in orders that VTEX has not reserved yet: kept from being published anywhere."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from connector.domain.marketorder import Delivery, MarketStatus
from connector.domain.order import Order, Placement
from connector.domain.pending import Context, Hint, Mark, Priority
from connector.flows.documents import LISTING
from connector.flows.orderwork import OrderWork
from connector.ports import Hold


def reserved_at(order: Order, settle: timedelta) -> datetime | None:
    """When VTEX's simulation has surely taken the reservation in; None where it has no order.

    Until then the simulation may still answer the old stock (KI 549645, protocol 5.7).
    """
    return None if order.placed_at is None else order.placed_at + settle


def wanted_holds(order: Order, now: datetime, settle: timedelta) -> tuple[tuple[str, int], ...]:
    """What the order keeps from being published, by SKU."""
    market = order.market
    if market is None or order.ended_at is not None:
        return ()
    if market.status is MarketStatus.CANCELLED or order.placement is Placement.CANCELLED_BEFORE:
        return ()
    if market.delivery is Delivery.MARKETPLACE_STOCK:
        return ()
    reserved = reserved_at(order, settle)
    if reserved is not None and now >= reserved:
        return ()
    units: Counter[str] = Counter()
    for line in market.lines:
        units[line.sku] += line.quantity
    return tuple(sorted(units.items()))


async def update_holds(work: OrderWork, *, sold: bool = False) -> None:
    """Write changed holds, and have every listing of those SKUs looked at, on every connection.

    ``sold``: the order is new or has changed, so the marketplace's own stock has moved as well.
    """
    settle = timedelta(seconds=work.connection.rules.stock_second_look_s)
    wanted = wanted_holds(work.order, work.hub.now(), settle)
    before, after = dict(work.order.held), dict(wanted)
    changed = {sku for sku in {*before, *after} if before.get(sku) != after.get(sku)}
    account = work.connection.account
    for sku in sorted(changed):
        units = after.get(sku, 0)
        work.writes.append(Hold(account, sku, work.connection.id, work.order.ref, units))
    work.update(held=wanted)
    moved = {line.sku for line in work.order.market.lines} if sold and work.order.market else set()
    if changed | moved:
        await _look_at_listings(work, sorted(changed | moved), moved)


async def _look_at_listings(work: OrderWork, skus: list[str], moved: set[str]) -> None:
    for connection in await work.hub.book.all():
        if connection.account != work.connection.account:
            continue
        here = connection.id == work.connection.id
        known = await work.hub.store.get(LISTING, connection.id, skus)
        for sku in known:
            # No stock flag: nothing was announced by VTEX, so nothing needs a second look.
            hint = Hint(sold=here and sku in moved)
            now = work.hub.now()
            mark = Mark(connection.id, Context.LISTINGS, sku, now, Priority.URGENT, hint)
            work.writes.append(mark)
        if known:
            work.hub.ring(connection, Context.LISTINGS)
