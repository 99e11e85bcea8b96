"""How soon a change is on the marketplace, and what a reindex that changes nothing costs."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from itertools import starmap
from statistics import quantiles
from typing import Any

from benchmarks.hub import Ledger, RunningHub, running
from benchmarks.loads import Peers
from benchmarks.shapes import FIRST_SKU
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from benchmarks.wire import Lines

_SETTLE_S = 1.5
"""Nothing was called for so long: it is over."""


async def measure(sizes: Sizes, ledger: Ledger, peers: Peers) -> list[Row]:
    """Both on a hub whose listings are all there already."""
    async with running(ledger) as hub:
        await hub.quiet()
        return [*await _latency(hub, sizes, peers), *await _reindex(hub, sizes, peers)]


async def _latency(hub: RunningHub, sizes: Sizes, peers: Peers) -> list[Row]:
    """One SKU after another changes; VTEX tells of it at once."""
    await peers.tell("reset")
    dice = random.Random(2)
    skus = dice.sample(range(FIRST_SKU, FIRST_SKU + sizes.skus), min(sizes.changes, sizes.skus))
    every = 1 / sizes.changes_per_s
    times = [(at * every, sku) for at, sku in enumerate(skus)]
    sent: dict[int, float] = {}
    cpu = time.process_time()

    async def tell(lines: Lines, sku: int) -> None:
        await peers.tell("change", skus=[sku])
        sent[sku] = time.monotonic()
        await lines.call(hub.ledger.notification(sku))

    await _paced(hub, times, tell)
    busy = (time.process_time() - cpu) / (len(skus) * every)
    await peers.synced()
    seen = await peers.tell("seen")
    waits = sorted(seen["synced_at"][str(sku)] - sent[sku] for sku in skus)
    cuts = quantiles(waits, n=100, method="inclusive")
    what = f"change to marketplace, {sizes.changes_per_s:g}/s for {len(skus) * every:.0f} s"
    note = f"worst {waits[-1] * 1e3:.0f} ms; generator {busy:.0%} busy; calls {seen['calls']}"
    detail = {"waits_ms": [round(wait * 1e3, 1) for wait in waits]}
    return [
        Row("latency-p50", f"{what}: p50", cuts[49] * 1e3, goal=150, at_most=True, unit="ms",
            detail=detail),
        Row("latency-p99", f"{what}: p99", cuts[98] * 1e3, goal=600, at_most=True, unit="ms",
            note=note),
    ]  # fmt: skip


async def _reindex(hub: RunningHub, sizes: Sizes, peers: Peers) -> list[Row]:
    """VTEX tells of many SKUs several times and says nothing of what has changed: nothing has."""
    await hub.quiet()
    await peers.tell("reset")
    dice = random.Random(3)
    each = sizes.reindex_notifications // sizes.reindex_skus
    skus = [FIRST_SKU + at for at in range(sizes.reindex_skus)] * each
    dice.shuffle(skus)
    every = sizes.reindex_s / len(skus)

    async def tell(lines: Lines, sku: int) -> None:
        await lines.call(hub.ledger.notification(sku, change=False))

    await _paced(hub, [(at * every, sku) for at, sku in enumerate(skus)], tell)
    seen = await _at_rest(sizes, peers)
    await hub.quiet()
    reads = sum(seen["reads"].values())
    pushed = sum(seen["items"].get(name, 0) for name in ("create", "content", "terms"))
    if len(seen["reads"]) != sizes.reindex_skus:
        raise AssertionError(f"{len(seen['reads'])} of {sizes.reindex_skus} SKUs were read")
    what = f"reindex, {len(skus)} notifications for {sizes.reindex_skus} SKUs"
    note = f"sent within {sizes.reindex_s:g} s, gathered for {sizes.gather_s:g} s; {seen['calls']}"
    return [
        Row("reindex-reads", f"{what}: first reads per SKU", reads / sizes.reindex_skus,
            goal=1.05, at_most=True),
        Row("reindex-pushes", f"{what}: pushes of unchanged SKUs", pushed, goal=0, at_most=True,
            note=note),
    ]  # fmt: skip


async def _paced(hub: RunningHub, times: Sequence[tuple[float, int]], tell: Any) -> None:
    """Tell of every SKU at its time, whether or not the last one was answered."""
    lines = Lines(hub.public)
    began = time.monotonic()

    async def one(at: float, sku: int) -> None:
        await asyncio.sleep(began + at - time.monotonic())
        await tell(lines, sku)

    await asyncio.gather(*starmap(one, times))
    lines.close()


async def _at_rest(sizes: Sizes, peers: Peers) -> Any:
    """What was called, once all was read and nothing more comes."""
    async with asyncio.timeout(sizes.gather_s + sizes.reindex_s + 60):
        while True:
            seen = await peers.tell("seen")
            rested = time.monotonic() - seen["last_call"] > _SETTLE_S
            if len(seen["reads"]) >= sizes.reindex_skus and rested:
                return seen
            await asyncio.sleep(0.2)
