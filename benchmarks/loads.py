"""The first load of a store, and a wave of notifications, against simpler ways to do the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.clients import bare_load, loop_over
from benchmarks.hub import Ledger, RunningHub, make_ledger, running
from benchmarks.processes import Worker, module
from benchmarks.shapes import FIRST_SKU
from benchmarks.sizes import BATCH, CONNECTIONS, LATENCY_S, Sizes
from benchmarks.table import Row
from benchmarks.wire import ask, burst

_PATIENCE_S = 240.0


class Peers:
    """The stand-in for VTEX and the marketplace, as a benchmark speaks to it."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.address = "127.0.0.1", int(worker.told["port"])

    @property
    def host(self) -> str:
        """``host:port``."""
        return f"{self.address[0]}:{self.address[1]}"

    async def tell(self, what: str, **told: Any) -> Any:
        """Ask or tell the stand-in something, beside its API."""
        return await ask(self.address, "POST", f"/_bench/{what}", told)

    async def synced(self) -> float:
        """The moment the marketplace had everything; waits for it."""
        async with asyncio.timeout(_PATIENCE_S):
            return float((await self.tell("synced"))["at"])


@asynccontextmanager
async def standing_in(skus: int) -> AsyncIterator[Peers]:
    """The stand-in in a process of its own."""
    async with module("benchmarks.peers", str(skus), str(LATENCY_S)) as worker:
        yield Peers(worker)


@dataclass
class Loads:
    """Seconds of every round."""

    hub: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    loop: list[float] = field(default_factory=list)
    wave: list[float] = field(default_factory=list)
    wave_loop: list[float] = field(default_factory=list)
    acked: list[float] = field(default_factory=list)
    """Until the last notification of the wave was acknowledged."""
    calls: list[dict[str, int]] = field(default_factory=list)
    wave_calls: list[dict[str, int]] = field(default_factory=list)
    cpu: list[dict[str, float]] = field(default_factory=list)
    """Share of one core that hub and stand-in used in the hub's parts."""


async def measure(sizes: Sizes, place: Path, peers: Peers) -> tuple[list[Row], Ledger]:
    """Rounds of: plain client, hub, loop, wave, loop; also the last hub's ledger, fully loaded."""
    seen = Loads()
    skus = range(FIRST_SKU, FIRST_SKU + sizes.skus)
    few = skus[: sizes.loop_skus]
    scale = sizes.skus / sizes.loop_skus
    for number in range(sizes.load_rounds):
        await peers.tell("reset", listings=True, listed=False)
        seen.bare.append(await bare_load(peers.address, skus))
        await peers.tell("reset", listings=True)
        ledger = await make_ledger(place / f"load-{number}", peers.host, gather_s=sizes.gather_s)
        async with running(ledger) as hub:
            await _load(hub, peers, sizes, seen)
            await peers.tell("reset")
            seen.loop.append(await loop_over(peers.address, few, create=True) * scale)
            await _wave(hub, peers, sizes, seen)
            seen.wave_loop.append(await loop_over(peers.address, few, create=False) * scale)
    return _rows(sizes, seen), ledger


async def _load(hub: RunningHub, peers: Peers, sizes: Sizes, seen: Loads) -> None:
    await hub.quiet()  # its first jobs are done, and found nothing
    await peers.tell("reset", listings=True, listed=True)
    cpu, began = _cpu(hub, peers), time.monotonic()
    await hub.sync()
    seconds = await peers.synced() - began
    seen.hub.append(seconds)
    seen.cpu.append(_shares(cpu, _cpu(hub, peers), seconds))
    told = await peers.tell("seen")
    seen.calls.append(told["calls"])
    await hub.quiet()
    created = told["items"].get("create", 0)
    if created != sizes.skus or told["behind"]:
        raise AssertionError(f"{created} listings were created, {sizes.skus} were to be")


async def _wave(hub: RunningHub, peers: Peers, sizes: Sizes, seen: Loads) -> None:
    """Everything changes in VTEX, and VTEX tells of it."""
    await hub.quiet()
    await peers.tell("change")
    await peers.tell("reset")
    requests = [hub.ledger.notification(FIRST_SKU + at) for at in range(sizes.skus)]
    began = time.monotonic()
    told = await burst(hub.public, requests, CONNECTIONS)
    seen.acked.append(told.seconds)
    seen.wave.append(await peers.synced() - began)
    seen.wave_calls.append((await peers.tell("seen"))["calls"])
    await hub.quiet()


def _cpu(hub: RunningHub, peers: Peers) -> dict[str, float]:
    return {"hub": hub.worker.cpu_s(), "stand-in": peers.worker.cpu_s()}


def _shares(before: dict[str, float], after: dict[str, float], seconds: float) -> dict[str, float]:
    return {name: (after[name] - before[name]) / seconds for name in before}


def _rows(sizes: Sizes, seen: Loads) -> list[Row]:
    to_bare = [hub / bare for hub, bare in zip(seen.hub, seen.bare, strict=True)]
    to_loop = [loop / hub for hub, loop in zip(seen.hub, seen.loop, strict=True)]
    n, batches = sizes.skus, -(-sizes.skus // BATCH)
    scaled = _scaled(sizes)
    shares = {name: median(each[name] for each in seen.cpu) for name in seen.cpu[0]}
    return [
        Row(
            "load",
            f"first load of {n} SKUs: time against a plain client making the calls",
            median(to_bare),
            must=1.3,
            goal=1.1,
            at_most=True,
            note=(
                f"{median(seen.hub):.1f} s against {median(seen.bare):.1f} s ({n} reads,"
                f" {batches} simulations, {batches} creates); hub {shares['hub']:.0%} of a core,"
                f" stand-in {shares['stand-in']:.0%}; VTEX and marketplace are the fast stand-in"
                " of benchmarks/peers.py"
            ),
            rounds=to_bare,
            detail={"hub_s": seen.hub, "bare_s": seen.bare, "calls": seen.calls, "cpu": seen.cpu},
        ),
        Row(
            "load-loop",
            "that load: times faster than a read, simulate, push loop",
            median(to_loop),
            must=2.2,
            goal=2.6,
            note=f"{median(seen.hub):.1f} s against {median(seen.loop):.1f} s; {scaled}",
            rounds=to_loop,
            detail={"loop_s": seen.loop},
        ),
        _wave_row(sizes, seen),
    ]


def _wave_row(sizes: Sizes, seen: Loads) -> Row:
    wave = [loop / hub for hub, loop in zip(seen.wave, seen.wave_loop, strict=True)]
    n, scaled = sizes.skus, _scaled(sizes)
    return Row(
        "wave",
        f"wave of {n} price and stock notifications: times faster than the loop",
        median(wave),
        must=10,
        goal=25,
        note=(
            f"{median(seen.wave):.2f} s (all acknowledged after {median(seen.acked):.2f} s)"
            f" against {median(seen.wave_loop):.1f} s; {scaled}"
        ),
        rounds=wave,
        detail={
            "hub_s": seen.wave,
            "acknowledged_s": seen.acked,
            "loop_s": seen.wave_loop,
            "calls": seen.wave_calls,
        },
    )


def _scaled(sizes: Sizes) -> str:
    return f"the loop was run for {sizes.loop_skus} SKUs and scaled"
