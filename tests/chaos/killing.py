"""A merchant's day on several processes, while all of them, the broker and the database die."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from random import Random

from rich.console import Console

from connector.sandbox.demo.installation import Installation
from connector.sandbox.demo.options import DemoOptions
from connector.sandbox.demo.run import Demo
from tests.chaos import backlog
from tests.chaos.verdict import Verdict
from tests.servers.machines import Machines, Servers

_DAY_S = 9_000


@dataclass(frozen=True)
class Size:
    """How large the day is and how often what is killed; ``time_scale`` sets how long it lasts.

    ``faults`` is what goes wrong with the peers besides: keys that failed wait for their next try,
    so where any are, ``drained_s`` (real seconds after the last kill) is not asked for.
    """

    skus: int
    orders: int
    kills: int
    broker_kills: int
    primary_kills: int
    time_scale: float
    web: int = 2
    workers: int = 3
    faults: str = "none"
    drained_s: float = float("inf")

    @property
    def killing_s(self) -> float:
        """Real seconds over which the kills are spread: until shortly before the shop closes."""
        return _DAY_S / self.time_scale


LONG = Size(2_000, 1_000, 100, 3, 3, time_scale=30, drained_s=60.0)
SHORT = Size(60, 20, 8, 1, 1, time_scale=240, workers=2, faults="normal")


async def prove(machines: Machines, size: Size, *, seed: int = 3) -> Verdict:
    """Live the day, kill all the time, see that everything holds and how soon after the last."""
    servers = await machines.fresh()
    options = DemoOptions(
        skus=size.skus,
        orders=size.orders,
        seed=seed,
        faults=size.faults,
        time_scale=size.time_scale,
        store_url=servers.store_url,
        broker_url=servers.broker_url,
        web=size.web,
        workers=size.workers,
    )
    killer = _Killer(machines, servers, size, Random(seed))
    demo = Demo(options, Console(quiet=True), [killer.run])
    with tempfile.TemporaryDirectory(prefix="hub-killing-") as folder:
        report = await demo.run(Path(folder))
    held_s = demo.held_at - killer.last if demo.held_at else float("inf")
    wrong = [finding.name for finding in report.findings if not finding.ok]
    return Verdict(
        f"Kill anywhere: {size.web} web, {size.workers} workers, {size.orders:,} orders,"
        f" {size.skus:,} SKUs",
        "0 lost, 0 doubled, all invariants"
        + (f", drained <= {size.drained_s:g} s" if isfinite(size.drained_s) else ""),
        f"{report.kills} SIGKILLs, broker killed {killer.done['broker']} times, primary"
        f" {killer.done['primary']} times; {len(report.findings) - len(wrong)} of"
        f" {len(report.findings)} invariants hold{': not ' + ', '.join(wrong) if wrong else ''};"
        f" drained {killer.drained_s:.0f} s after the last kill, in the middle of the day; all held"
        f" {held_s:.0f} s after it, when the last promotion had ended",
        report.ok
        and report.kills >= size.kills
        and killer.all_done
        and killer.drained_s <= size.drained_s,
        {"drained_s": killer.drained_s, "held_s": held_s, "kills": report.kills},
    )


class _Killer:
    """Spreads its kills over the day, and stops when all are done."""

    def __init__(self, machines: Machines, servers: Servers, size: Size, dice: Random) -> None:
        self._machines = machines
        self._store_url = servers.store_url
        self._size = size
        self._dice = dice
        self._losses: set[asyncio.Task[None]] = set()
        self.last = 0.0
        self.drained_s = float("inf")
        """So long after the last kill nothing waited for the hub any more."""
        self.done = {"broker": 0, "primary": 0}

    @property
    def all_done(self) -> bool:
        """Whether everything that was to be killed was killed, and is back."""
        size = self._size
        return self.done == {"broker": size.broker_kills, "primary": size.primary_kills}

    async def run(self, hub: Installation) -> None:
        """Kill everything as often as planned, then watch the hub catch up."""
        async with asyncio.TaskGroup() as killing:
            killing.create_task(self._processes(hub))
            killing.create_task(self._broker())
            killing.create_task(self._primary())
        if isfinite(self._size.drained_s):
            within_s = 2 * self._size.drained_s
            gone = await backlog.gone(self._store_url, hub.clock, within_s=within_s)
            self.drained_s = max(0.0, gone - self.last)

    async def _processes(self, hub: Installation) -> None:
        every = self._size.killing_s / (self._size.kills + 1)
        began = time.monotonic()
        async with asyncio.TaskGroup() as killing:  # the next one does not wait for the last one
            for number in range(self._size.kills):
                planned = began + every * (number + self._dice.uniform(0.2, 0.9))
                await asyncio.sleep(max(0.0, planned - time.monotonic()))
                killing.create_task(hub.kill_one(self._dice))
                self.last = time.monotonic()

    async def _broker(self) -> None:
        lose = self._machines.lose_the_broker
        await self._spread("broker", self._size.broker_kills, lose, offset=0.3)

    async def _primary(self) -> None:
        lose = self._machines.lose_the_primary
        await self._spread("primary", self._size.primary_kills, lose, offset=0.8)

    async def _spread(
        self, what: str, times: int, lose: Callable[[], Awaitable[None]], *, offset: float
    ) -> None:
        part = self._size.killing_s / max(1, times)
        for number in range(times):
            await asyncio.sleep(part * offset * 0.5 if number == 0 else part * 0.8)
            loss = asyncio.create_task(self._lose(what, lose))
            self._losses.add(loss)
            await asyncio.shield(loss)  # what is down comes back, even where the day is over

    async def _lose(self, what: str, lose: Callable[[], Awaitable[None]]) -> None:
        await lose()
        self.done[what] += 1
        self.last = time.monotonic()
