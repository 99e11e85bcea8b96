"""A connection's periodic jobs: channel, polling, relisting, loading, housekeeping."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from connector.domain.connection import Connection, ConnectionState
from connector.domain.pending import (
    Claim,
    Context,
    Finished,
    Hint,
    Mark,
    Priority,
    Settlement,
)
from connector.domain.retry import jittered, settle_setback
from connector.flows.app_install import confirm_install
from connector.flows.channel import refresh_channel
from connector.flows.documents import LISTING, load_connection
from connector.flows.erasure import erase_old_orders
from connector.flows.hub import Hub
from connector.flows.intake import save_order_keys
from connector.flows.mapper import send_to_mapper
from connector.flows.mapping_job import refresh_categories, remap
from connector.flows.secrets import prune
from connector.flows.setbacks import PEER_ERRORS, Again, Stuck, setback
from connector.flows.upkeep_jobs import Job
from connector.ports import Conflict, Document, LeaseLost, Put, Settle, Write
from connector.vtex.catalog import list_skus

CURSOR, PROGRESS = "cursor", "progress"
PAGE = 1000
_MOST_PAGES = 50
_CHANNEL_EVERY = timedelta(hours=6)
_HOUSEKEEPING_EVERY = timedelta(days=1)
_LOOK = Hint(recheck=True)

Run = Callable[[Hub, Connection], Awaitable[datetime | None]]


async def upkeep_turn(hub: Hub, connection: Connection, claims: Sequence[Claim]) -> None:
    """Do every claimed job; each answers when it wants to run again (None: only when asked)."""
    await asyncio.gather(*(_one(hub, connection, claim) for claim in claims))


async def _one(hub: Hub, connection: Connection, claim: Claim) -> None:
    settlement: Settlement
    run = _JOBS.get(claim.key)
    try:
        due = await run(hub, connection) if run is not None else None
        settlement = Finished(due)
    except (*PEER_ERRORS, Stuck, Again) as error:
        settlement = settle_setback(claim, setback(error), hub.now(), hub.rng)
    except Conflict:
        settlement = Finished(hub.now() + timedelta(seconds=1))
    try:
        await hub.store.commit([Settle(claim, settlement)])
    except LeaseLost:
        hub.metrics.count("leases_lost_total", context=Context.UPKEEP)


# --- jobs -----------------------------------------------------------------------------------------


async def _channel(hub: Hub, connection: Connection) -> datetime:
    """Learn the sales channel's currency, and whether it still sells."""
    await refresh_channel(hub, connection)
    return hub.now() + jittered(_CHANNEL_EVERY, hub.rng)


async def _poll_orders(hub: Hub, connection: Connection) -> datetime:
    """Ask the marketplace for changed orders; the cursor moves only with what it brought."""
    adapter = hub.peers.of(connection, Context.ORDERS).adapter
    every = connection.rules.poll_s or adapter.poll_every_s
    for _ in range(_MOST_PAGES):
        saved = await _document(hub, connection, CURSOR, "orders")
        page = await adapter.orders_since(saved.body)
        await save_order_keys(hub, connection, page.keys, known_priority=Priority.CHANGE)
        if page.cursor != saved.body:
            await hub.store.commit([Put(_with(saved, page.cursor))])
        if not page.more:
            break
    return hub.now() + jittered(timedelta(seconds=every), hub.rng)


async def _relist(hub: Hub, connection: Connection) -> datetime:
    """List the sales channel again and look at what no notification told of (KI 276511, 403107)."""
    if connection.state is ConnectionState.ACTIVE:
        listed = await _all_skus(hub, connection)
        known = await _known_skus(hub, connection)
        news = sorted(listed - known) + sorted(known - listed)
        for start in range(0, len(news), PAGE):
            await hub.store.commit(_paced(hub, connection, news[start : start + PAGE], start))
        if news:
            hub.metrics.count("relist_differences_total", len(news))
    return hub.now() + jittered(timedelta(seconds=connection.rules.relist_s), hub.rng)


async def _all_skus(hub: Hub, connection: Connection) -> set[str]:
    vtex = hub.peers.of(connection, Context.UPKEEP).vtex
    found: set[str] = set()
    page = 1
    while skus := await list_skus(vtex, page, PAGE):
        if found.issuperset(skus):
            break  # a peer that ignores paging answers the same for ever
        found.update(skus)
        page += 1
    return found


async def _known_skus(hub: Hub, connection: Connection) -> set[str]:
    known: set[str] = set()
    after = ""
    while rows := await hub.store.scan(LISTING, connection.id, after=after, limit=PAGE):
        known.update(row.key for row in rows if row.state != "gone")
        after = rows[-1].key
    return known


def _paced(hub: Hub, connection: Connection, skus: Sequence[str], ahead: int) -> list[Write]:
    """Spread over time, so that a sweep stays within the connection's rate of reads."""
    now, rate = hub.now(), connection.rules.reads_per_s
    return [
        Mark(
            connection.id,
            Context.LISTINGS,
            sku,
            now + timedelta(seconds=(ahead + index) / rate),
            Priority.SWEEP,
            _LOOK,
        )
        for index, sku in enumerate(skus)
    ]


async def _backfill(hub: Hub, connection: Connection) -> None:
    """Load the whole sales channel, page by page; a page and its progress are one commit."""
    vtex = hub.peers.of(connection, Context.UPKEEP).vtex
    saved = await _document(hub, connection, PROGRESS, "backfill")
    progress = _progress(saved, hub.now())
    before: list[str] = []
    while True:
        page = int(progress["page"]) + 1
        skus = await list_skus(vtex, page, PAGE)
        done = not skus or skus == before
        progress |= {"page": page, "seen": int(progress["seen"]) + (0 if done else len(skus))}
        if done:
            progress |= {"state": "done", "finished_at": hub.now().isoformat()}
        marks = [] if done else _marks_now(hub, connection, skus)
        await hub.store.commit([Put(_with(saved, json.dumps(progress))), *marks])
        if done:
            return
        hub.ring(connection, Context.LISTINGS)
        saved = await _document(hub, connection, PROGRESS, "backfill")
        before = skus


def _progress(saved: Document, now: datetime) -> dict[str, str | int]:
    """Where an interrupted load stopped, or a new beginning."""
    fresh: dict[str, str | int] = {
        "state": "listing",
        "page": 0,
        "seen": 0,
        "started_at": now.isoformat(),
        "finished_at": "",
    }
    if not saved.body:
        return fresh
    known: dict[str, str | int] = json.loads(saved.body)
    return known if known.get("state") == "listing" else fresh


async def _recheck_all(hub: Hub, connection: Connection) -> None:
    """Look at every known listing: at once when they must be blocked, paced otherwise."""
    urgent = connection.state is ConnectionState.DISABLED
    priority = Priority.URGENT if urgent else Priority.CHANGE
    after = ""
    while rows := await hub.store.scan(LISTING, connection.id, after=after, limit=PAGE):
        marks: list[Write] = [
            Mark(connection.id, Context.LISTINGS, row.key, hub.now(), priority, _LOOK)
            for row in rows
        ]
        await hub.store.commit(marks)
        hub.ring(connection, Context.LISTINGS)
        after = rows[-1].key


def _marks_now(hub: Hub, connection: Connection, skus: Sequence[str]) -> list[Write]:
    now = hub.now()
    return [Mark(connection.id, Context.LISTINGS, sku, now, Priority.SWEEP, _LOOK) for sku in skus]


async def _housekeeping(hub: Hub, connection: Connection) -> datetime:
    """Retire secrets whose time is over, erase personal data of orders long ended."""
    saved = await load_connection(hub.store, connection.id)
    if saved is not None:
        pruned = await prune(hub.store, saved.value, hub.now())
        if pruned != saved.value:
            await hub.book.save(saved, pruned)
    await erase_old_orders(hub, connection)
    await hub.store.forget(entries_before=hub.now() - timedelta(days=hub.entries_days))
    return hub.now() + jittered(_HOUSEKEEPING_EVERY, hub.rng)


async def _confirm_install(hub: Hub, connection: Connection) -> None:
    """The store's app said it was switched off: believed once VTEX's own affiliate says so."""
    await confirm_install(hub, connection)


async def _categories(hub: Hub, connection: Connection) -> datetime:
    """Keep the marketplace's tree, and VTEX Mapper's copy of it, up to date."""
    due = await refresh_categories(hub, connection)
    if due - hub.now() > timedelta(hours=1):  # else attributes are still being fetched
        await send_to_mapper(hub, connection)
    return due


_JOBS: Mapping[str, Run] = {
    Job.CHANNEL: _channel,
    Job.POLL_ORDERS: _poll_orders,
    Job.RELIST: _relist,
    Job.BACKFILL: _backfill,
    Job.RECHECK_ALL: _recheck_all,
    Job.HOUSEKEEPING: _housekeeping,
    Job.CONFIRM_INSTALL: _confirm_install,
    Job.CATEGORIES: _categories,
    Job.REMAP: remap,
}


# --- documents ------------------------------------------------------------------------------------


async def _document(hub: Hub, connection: Connection, kind: str, key: str) -> Document:
    found = await hub.store.get(kind, connection.id, [key])
    return found.get(key, Document(kind, connection.id, key, ""))


def _with(saved: Document, body: str) -> Document:
    return Document(saved.kind, saved.connection, saved.key, body, saved.state, saved.version)
