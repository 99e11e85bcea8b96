"""What a hub with many listings holds while nothing happens."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.hub import Ledger, make_ledger, running, save
from benchmarks.loads import Peers
from benchmarks.shapes import FIRST_SKU
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from connector.domain.pending import Context, Mark, Priority
from connector.flows.documents import LISTING
from connector.ports import Document, Put, Write

_SETTLE_S = 2.0


async def measure(sizes: Sizes, place: Path, loaded: Ledger, peers: Peers) -> list[Row]:
    """A hub that was started on a ledger full of listings, and has compared VTEX's list to it."""
    await peers.tell("reset", listed=True, skus=sizes.listings)
    ledger = await make_ledger(place, peers.host)
    await _fill(ledger, loaded, sizes.listings)
    async with running(ledger) as hub:
        await hub.quiet()
        await asyncio.sleep(_SETTLE_S)
        rss = hub.worker.rss_mb()
        details = await hub.admin("GET", f"/api/v1/connections/{ledger.connection.id}")
    known = sum(details["listings"].values())
    if known != sizes.listings:
        raise AssertionError(f"the hub knows {known} listings")
    size = (ledger.place / "hub.db").stat().st_size / 1e6
    note = f"ledger {size:.0f} MB; all jobs that run at a start are done, relisting among them"
    what = f"memory with {sizes.listings} listings, idle"
    return [Row("memory", what, rss, goal=150, at_most=True, unit="MB", note=note)]


async def _fill(ledger: Ledger, loaded: Ledger, count: int) -> None:
    """Copies of a listing that a hub really made, each due at some time of tomorrow."""
    db = sqlite3.connect(loaded.place / "hub.db")
    sql = "SELECT key, connection, body, state FROM documents WHERE kind = ? LIMIT 1"
    key, owner, body, state = db.execute(sql, (LISTING,)).fetchone()
    db.close()
    body = body.replace(owner, ledger.connection.id)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    writes: list[Write] = []
    for sku in map(str, range(FIRST_SKU, FIRST_SKU + count)):
        document = Document(LISTING, ledger.connection.id, sku, body.replace(key, sku), state)
        due = tomorrow + timedelta(seconds=len(writes))
        writes.append(Put(document))
        writes.append(Mark(ledger.connection.id, Context.LISTINGS, sku, due, Priority.SWEEP))
    await save(ledger, writes)
