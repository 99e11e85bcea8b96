"""Erase personal data of orders that ended long ago; what remains is what happened, to nobody."""

from __future__ import annotations

from datetime import datetime, timedelta

from connector.domain.connection import Connection
from connector.domain.marketorder import Address, Buyer
from connector.domain.order import ENDED, Order, Task
from connector.flows.documents import ORDER, Saved, put_order
from connector.flows.hub import Hub
from connector.ports import Conflict, EraseFacts


async def erase_old_orders(hub: Hub, connection: Connection) -> int:
    """Erase buyers, addresses and facts ``personal_data_days`` after an order's end."""
    before = hub.now() - timedelta(days=connection.rules.personal_data_days)
    return await _erase_ended(hub, connection, before)


async def erase_all_orders(hub: Hub, connection: Connection) -> int:
    """Erase them all, ended or not: the connection is being removed."""
    erased = 0
    after = ""
    while rows := await hub.store.scan(ORDER, connection.id, after=after):
        for row in rows:
            order = Order.model_validate_json(row.body)
            erased += 0 if order.erased else await _erase(hub, Saved(order, row.version))
        after = rows[-1].key
    return erased


async def _erase_ended(hub: Hub, connection: Connection, before: datetime) -> int:
    erased = 0
    for state in sorted(ENDED):
        after = ""
        while rows := await hub.store.scan(ORDER, connection.id, state=state, after=after):
            for row in rows:
                order = Order.model_validate_json(row.body)
                due = order.ended_at is not None and order.ended_at <= before
                if due and not order.erased:
                    erased += await _erase(hub, Saved(order, row.version))
            after = rows[-1].key
    return erased


def without_person(order: Order) -> Order:
    """The order without anything that tells who bought."""
    market = order.market
    if market is not None:
        nobody = {"buyer": Buyer(), "address": Address(country=market.address.country)}
        market = market.model_copy(update={**nobody, "tracking_hints": (), "cancel_reason": ""})
    parcels = tuple(
        parcel.model_copy(
            update={
                "has_xml": False,
                "invoice": parcel.invoice.model_copy(update={"xml": "", "url": ""}),
            }
        )
        for parcel in order.parcels
    )
    quoted: dict[str, object] = {
        "reasons": (),
        "divergence": "",
        "tasks": tuple(_wordless(t) for t in order.tasks),
    }
    if order.cancellation is not None:
        quoted["cancellation"] = order.cancellation.model_copy(update={"reason": ""})
    return order.model_copy(update={"market": market, "parcels": parcels, "erased": True, **quoted})


def _wordless(task: Task) -> Task:
    """What was asked stays; why may quote the buyer."""
    return task.model_copy(update={"why": ""})


async def _erase(hub: Hub, saved: Saved[Order]) -> int:
    order = without_person(saved.value)
    told_about = (order.ref, *order.aliases)
    try:
        facts = [EraseFacts(order.connection, ref) for ref in told_about]
        await hub.store.commit([put_order(saved, order), *facts])
    except Conflict:
        return 0  # it is being worked on: tomorrow
    return 1
