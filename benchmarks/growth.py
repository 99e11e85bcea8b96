"""What a notification costs as connections and listings grow, on MongoDB and RabbitMQ.

Cost is processor time of the hub's processes and of mongod, from the first notification until all
of them are published; ratios are against the smallest installation.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from benchmarks.ground import Grown
from benchmarks.grown import crew, ground_of
from benchmarks.hub import Ledger, RunningHub, connect, make_ledger, opened
from benchmarks.loads import Peers
from benchmarks.processes import cpu_of
from benchmarks.shapes import FIRST_SKU
from benchmarks.sizes import CONNECTIONS, Sizes
from benchmarks.table import Row
from benchmarks.wire import burst
from tests.servers.machines import Machines

_TOMORROW_US = 86_400_000_000
_AT_ONCE = 10_000
_FLAT = 1.15


@dataclass(frozen=True)
class Cost:
    """Microseconds of processor time per notification."""

    hub: float
    mongod: float

    @property
    def both(self) -> float:
        return self.hub + self.mongod


async def measure(sizes: Sizes, place: Path, peers: Peers, on: Machines) -> list[Row]:
    """By connections, then by listings."""
    by_connections = [
        await _connections(sizes, place, peers, on, count) for count in sizes.connections
    ]
    by_listings = [await _listings(sizes, place, peers, on, count) for count in sizes.ledgers]
    return [
        *_rows("connections", sizes.connections, by_connections, f"{sizes.each} of each"),
        *_rows("listings", sizes.ledgers, by_listings, f"{sizes.growth:,} in all"),
    ]


async def _connections(sizes: Sizes, place: Path, peers: Peers, on: Machines, count: int) -> Cost:
    """Every connection hears of as many SKUs, all of them new to the hub."""
    await peers.tell("reset", listings=True, listed=False, skus=sizes.each)
    ledger = await make_ledger(
        place / f"connections-{count}", peers.host, gather_s=0, ground=await ground_of(on),
        account="shop0",
    )  # fmt: skip
    ledgers = [ledger]
    async with opened(ledger.ground, ledger.key) as hub:
        for number in range(1, count):
            connection, secret = await connect(hub, peers.host, gather_s=0, account=f"shop{number}")
            ledgers.append(
                Ledger(ledger.place, ledger.key, connection, secret, peers.host, ledger.ground)
            )
    requests = [one.notification(FIRST_SKU + at) for at in range(sizes.each) for one in ledgers]
    async with crew(ledger) as hubs:
        return await _cost(hubs, requests, on)


async def _listings(sizes: Sizes, place: Path, peers: Peers, on: Machines, count: int) -> Cost:
    """Price and stock of some SKUs of a ledger change."""
    some = sizes.growth
    await peers.tell("reset", listings=True, listed=False, skus=some)
    ground = await ground_of(on)
    ledger = await make_ledger(place / f"listings-{count}", peers.host, gather_s=0, ground=ground)
    async with crew(ledger) as hubs:
        first = [ledger.notification(FIRST_SKU + at) for at in range(some)]
        await burst(hubs[0].public, first, CONNECTIONS)
        await peers.synced()
        await hubs[0].quiet()
        await asyncio.to_thread(_fill, ground, count - some)
        await peers.tell("change")
        return await _cost(hubs, first, on)


async def _cost(hubs: Sequence[RunningHub], requests: list[bytes], on: Machines) -> Cost:
    dice = random.Random(4)
    dice.shuffle(requests)
    await hubs[0].quiet()
    before = _spent(hubs), cpu_of(on.mongo.pids)
    await burst(hubs[0].public, requests, CONNECTIONS)
    await hubs[0].quiet()
    after = _spent(hubs), cpu_of(on.mongo.pids)
    hub, mongod = (
        (late - early) / len(requests) * 1e6 for early, late in zip(before, after, strict=True)
    )
    return Cost(hub, mongod)


def _spent(hubs: Sequence[RunningHub]) -> float:
    return sum(hub.worker.cpu_s() for hub in hubs)


def _fill(ground: Grown, count: int) -> None:
    """Copies of a listing that the hub really made, each due at some time of tomorrow."""
    with MongoClient[dict[str, Any]](ground.store_url) as client:
        database = client.get_default_database()
        listing = database["documents"].find_one({"_id.kind": "listing"})
        row = database["pending"].find_one({"_id.context": "listings"})
        assert listing is not None
        assert row is not None
        tomorrow = int(time.time() * 1e6) + _TOMORROW_US
        for start in range(0, count, _AT_ONCE):
            keys = [f"9{n:08}" for n in range(start, min(start + _AT_ONCE, count))]
            for name, model in (("documents", listing), ("pending", row)):
                database[name].insert_many(
                    [
                        {**model, "_id": {**model["_id"], "key": key}}
                        | ({"due_at": tomorrow + at} if name == "pending" else {})
                        for at, key in enumerate(keys)
                    ],
                    ordered=False,
                )


def _rows(what: str, counts: Sequence[int], costs: Sequence[Cost], sent: str) -> list[Row]:
    first = costs[0]
    rows = []
    for count, cost in zip(counts[1:], costs[1:], strict=True):
        rows.append(
            Row(
                f"growth-{what}-{count}",
                f"cost per notification at {count:,} {what}, against {counts[0]:,}",
                cost.both / first.both,
                goal=_FLAT,
                at_most=True,
                note=(
                    f"{cost.hub:.0f} us of the hub and {cost.mongod:.0f} us of mongod, against"
                    f" {first.hub:.0f} and {first.mongod:.0f}; {sent}, taken, read, simulated and"
                    " published"
                ),
            )
        )
    return rows
