"""What waits for a person: parked keys, everything known about each, and trying them again."""

from __future__ import annotations

from collections.abc import AsyncIterator

from connector.domain.connection import Connection
from connector.domain.listing import Listing
from connector.domain.order import Order
from connector.domain.pending import Context, Hint, Mark, PendingRow, Priority
from connector.domain.personal import without_personal
from connector.flows.connections import Refusal, find
from connector.flows.documents import ORDER, load_listings, load_orders, put_listing, put_order
from connector.flows.hub import Hub
from connector.flows.views import listing_details, order_details
from connector.ports import Conflict, Json, Write

_PAGE = 200
_TRIES = 5


async def list_parked(hub: Hub, connection_id: str | None = None) -> list[Json]:
    """Every parked key with all its reasons, and every task, of one connection or of all.

    Raises:
        Refusal: there is no such connection.
    """
    if connection_id is None:
        connections = await hub.book.all()
    else:
        connections = [(await find(hub, connection_id)).value]
    rows = []
    for connection in connections:
        for context in Context:
            async for page in _pages(hub, connection.id, context):
                rows.extend(await _with_reasons(hub, connection.id, context, page))
        rows.extend(await _tasks(hub, connection.id, {row["key"] for row in rows}))
    return rows


async def _tasks(hub: Hub, connection_id: str, listed: set[str]) -> list[Json]:
    """Orders that are not parked and yet wait for a person."""
    rows: list[Json] = []
    after = ""
    while page := await hub.store.scan(ORDER, connection_id, after=after):
        for document in page:
            order = Order.model_validate_json(document.body)
            reasons = [f"task: {task.what}: {task.why}" for task in order.tasks if not task.done]
            if not reasons or order.ref in listed:
                continue
            since = min(task.since for task in order.tasks if not task.done)
            rows.append(
                {
                    "connection": connection_id,
                    "context": Context.ORDERS.value,
                    "key": order.ref,
                    "parked": False,
                    "attempts": 0,
                    "waiting_since": since.isoformat(),
                    "next_try_at": "",
                    "being_worked_on": False,
                    "reasons": [without_personal(text, order.market) for text in reasons],
                }
            )
        after = page[-1].key
    return rows


async def show_parked(hub: Hub, connection_id: str, context: Context | None, key: str) -> Json:
    """All that is known about one key: why it waits, until when, and what it is about.

    Without a context the first one that knows the key is shown.

    Raises:
        Refusal: nothing is known about it.
    """
    connection = (await find(hub, connection_id)).value
    if context is None:
        context = await _knower(hub, connection.id, key)
    row = await _row(hub, connection.id, context, key)
    listing = await _listing(hub, connection.id, key) if context is Context.LISTINGS else None
    order = await _order(hub, connection.id, key) if context is Context.ORDERS else None
    if row is None and listing is None and order is None:
        raise Refusal(f"{connection_id} knows nothing of {key} among its {context}")
    shown: Json = {"connection": connection.id, "context": context, "key": key, "parked": False}
    if row is not None:
        market = order.market if order else None
        shown |= _shown(row)
        shown["reasons"] = [without_personal(text, market) for text in row.reasons]
    if listing is not None:
        shown["listing"] = listing_details(listing)
    if order is not None:
        shown["order"] = order_details(order)
    shown["reasons"] = _all_reasons(shown)
    return shown


async def _knower(hub: Hub, connection_id: str, key: str) -> Context:
    for context in Context:
        if await _row(hub, connection_id, context, key) is not None:
            return context
    if await _order(hub, connection_id, key) is not None:
        return Context.ORDERS
    if await _listing(hub, connection_id, key) is not None:
        return Context.LISTINGS
    raise Refusal(f"{connection_id} knows nothing of {key}")


async def retry_parked(
    hub: Hub,
    connection_id: str,
    *,
    context: Context | None = None,
    key: str | None = None,
    approve_price: bool = False,
) -> int:
    """Try parked keys again now, one or all; returns how many.

    ``approve_price`` lets the price VTEX gives at present pass the connection's price guard.

    Raises:
        Refusal: the key does not wait for anything, or has no price to approve.
    """
    connection = (await find(hub, connection_id)).value
    if approve_price and context is None:
        context = Context.LISTINGS
    if approve_price and context is not Context.LISTINGS:
        raise Refusal("only listings have a price to approve")
    count = 0
    for each in Context if context is None else [context]:
        if key is not None:
            done = await _retry_one(hub, connection, each, key, approve_price=approve_price)
        else:
            done = await _retry_all(hub, connection, each, approve_price=approve_price)
        if done:
            hub.ring(connection, each)
        count += done
    if key is not None and count == 0:
        raise Refusal(f"{key} does not wait in {connection_id}: see connector parked list")
    return count


async def _retry_one(
    hub: Hub, connection: Connection, context: Context, key: str, *, approve_price: bool
) -> int:
    settled = context is Context.ORDERS and await _settle_tasks(hub, connection.id, key)
    if await _row(hub, connection.id, context, key) is None and not settled:
        return 0
    if not approve_price:
        await hub.store.commit([_mark(hub, connection.id, context, key)])
        return 1
    if not await _approve(hub, connection.id, key):
        raise Refusal(f"VTEX gives no price for {key}: there is nothing to approve")
    return 1


async def _settle_tasks(hub: Hub, connection_id: str, key: str) -> bool:
    """Whoever tries again has done what was asked: the order's tasks are settled."""
    for _ in range(_TRIES):
        saved = (await load_orders(hub.store, connection_id, [key])).get(key)
        if saved is None or all(task.done for task in saved.value.tasks):
            return False
        tasks = tuple(task.model_copy(update={"done": True}) for task in saved.value.tasks)
        try:
            await hub.store.commit(
                [put_order(saved, saved.value.model_copy(update={"tasks": tasks}))]
            )
        except Conflict:
            continue  # it is being worked on: once more, on top of that
        return True
    raise Refusal(f"{key} is being worked on: try again in a moment")


async def _retry_all(
    hub: Hub, connection: Connection, context: Context, *, approve_price: bool
) -> int:
    # All keys first: a marked one leaves the list that is being paged through.
    keys = [row.key async for page in _pages(hub, connection.id, context) for row in page]
    if approve_price:
        return sum([await _approve(hub, connection.id, key) for key in keys])
    for start in range(0, len(keys), _PAGE):
        chunk = keys[start : start + _PAGE]
        await hub.store.commit([_mark(hub, connection.id, context, key) for key in chunk])
    return len(keys)


async def _approve(hub: Hub, connection_id: str, sku: str) -> bool:
    """Approve the price VTEX gives now and look again; False where it gives none."""
    for _ in range(_TRIES):
        saved = (await load_listings(hub.store, connection_id, [sku]))[sku]
        commercial = saved.value.commercial
        if commercial is None or commercial.missing or commercial.price_minor <= 0:
            return False
        approved = saved.value.model_copy(update={"approved_price_minor": commercial.price_minor})
        mark = _mark(hub, connection_id, Context.LISTINGS, sku)
        writes: list[Write] = [put_listing(saved, approved), mark]
        try:
            await hub.store.commit(writes)
        except Conflict:
            continue  # a worker wrote the listing meanwhile, perhaps with another price
        return True
    raise Refusal(f"{sku} is being written all the time: try again")


def _mark(hub: Hub, connection_id: str, context: Context, key: str) -> Mark:
    hint = Hint(recheck=True)
    return Mark(connection_id, context, key, hub.now(), Priority.CHANGE, hint)


# --- reading --------------------------------------------------------------------------------------


async def _pages(hub: Hub, connection_id: str, context: Context) -> AsyncIterator[list[PendingRow]]:
    after = ""
    while page := await hub.store.pending(
        connection_id, context, parked=True, after=after, limit=_PAGE
    ):
        yield page
        after = page[-1].key


async def _row(hub: Hub, connection_id: str, context: Context, key: str) -> PendingRow | None:
    """The row of one key. Rows are listed, not fetched: begin right before it."""
    for parked in (True, False):
        after = key[:-1]
        while page := await hub.store.pending(
            connection_id, context, parked=parked, after=after, limit=_PAGE
        ):
            for row in page:
                if row.key == key:
                    return row
            after = page[-1].key
            if after > key:
                break
    return None


async def _with_reasons(
    hub: Hub, connection_id: str, context: Context, page: list[PendingRow]
) -> list[Json]:
    """Rows of one page; orders' reasons may quote their buyers and are masked."""
    orders = {}
    if context is Context.ORDERS:
        orders = await load_orders(hub.store, connection_id, [row.key for row in page])
    rows = []
    for row in page:
        market = orders[row.key].value.market if row.key in orders else None
        shown = _shown(row)
        shown["reasons"] = [without_personal(text, market) for text in row.reasons]
        rows.append(shown)
    return rows


def _shown(row: PendingRow) -> Json:
    return {
        "connection": row.connection,
        "context": row.context,
        "key": row.key,
        "parked": row.parked,
        "reasons": list(row.reasons),
        "attempts": row.attempts,
        "waiting_since": row.marked_at.isoformat(),
        "next_try_at": row.due_at.isoformat(),
        "being_worked_on": row.leased,
    }


def _all_reasons(shown: Json) -> list[str]:
    """What the pending set and the thing itself say, each once."""
    texts = list(shown.get("reasons", []))
    listed = shown.get("listing", {}).get("reasons", [])
    texts += [f"{reason['code']}: {reason['text']}" for reason in listed]
    texts += shown.get("order", {}).get("reasons", [])
    return list(dict.fromkeys(texts))


async def _listing(hub: Hub, connection_id: str, sku: str) -> Listing | None:
    saved = (await load_listings(hub.store, connection_id, [sku]))[sku]
    return saved.value if saved.version else None


async def _order(hub: Hub, connection_id: str, ref: str) -> Order | None:
    found = await load_orders(hub.store, connection_id, [ref])
    return found[ref].value if ref in found else None
