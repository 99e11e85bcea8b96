"""How fast notifications are acknowledged, each saved for good before."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.ground import Ground
from benchmarks.hub import Ledger, make_ledger, running
from benchmarks.processes import Worker, module
from benchmarks.shapes import FIRST_SKU
from benchmarks.sizes import CONNECTIONS, Sizes
from benchmarks.table import Row
from benchmarks.wire import Burst, burst

_SKUS = 5_000
_WARM = 500


@dataclass
class _Side:
    """A server under load."""

    name: str
    worker: Worker
    address: tuple[str, int]
    rates: list[float]
    shares: list[float]
    server_cpu: list[float]
    """Microseconds of the server's processor time per answer."""

    async def round(self, requests: list[bytes]) -> Burst:
        """Load it once and take note."""
        cpu = self.worker.cpu_s()
        told = await burst(self.address, requests, CONNECTIONS)
        self.rates.append(told.rate)
        self.shares.append(told.cpu_share)
        self.server_cpu.append((self.worker.cpu_s() - cpu) / told.answered * 1e6)
        return told


@dataclass(frozen=True)
class Wanted:
    """What the figure is called and what it must be."""

    key: str
    what: str
    must: float
    goal: float


EMBEDDED = Wanted("acks", "durable acknowledgements against a bare aiohttp handler", 0.4, 0.65)


async def measure(
    sizes: Sizes,
    place: Path,
    peers: str,
    *,
    ground: Ground | None = None,
    wanted: Wanted = EMBEDDED,
) -> list[Row]:
    """The hub, a bare handler and a null server in turns, under the same load."""
    ledger = await make_ledger(place, peers, ground=ground)
    dice = random.Random(1)
    requests = [ledger.notification(FIRST_SKU + at) for at in range(_SKUS)]
    asked = [dice.choice(requests) for _ in range(sizes.acks)]
    async with AsyncExitStack() as closing:
        # Only the taking: what becomes of the notifications is another figure.
        hub = await closing.enter_async_context(running(ledger, "web"))
        sides = [_side("hub", hub.worker, hub.public)]
        for name in ("bare", "app", "null"):
            worker = await closing.enter_async_context(module("benchmarks.servers", name))
            sides.append(_side(name, worker, ("127.0.0.1", worker.told["port"])))
        for side in sides:
            await burst(side.address, asked[:_WARM], CONNECTIONS)
        answered = min(_WARM, sizes.acks)
        for _ in range(sizes.ack_rounds):
            for side in sides:
                told = await side.round(asked)
                answered += told.answered if side.name == "hub" else 0
        _check_saved(ledger, answered)
    return _rows({side.name: side for side in sides}, wanted)


def _side(name: str, worker: Worker, address: tuple[str, int]) -> _Side:
    return _Side(name, worker, address, [], [], [])


def _check_saved(ledger: Ledger, answered: int) -> None:
    """Every acknowledgement is in the ledger, or the figure is worth nothing."""
    marks = ledger.ground.marks()
    if marks != answered:
        raise AssertionError(f"{answered} were acknowledged, {marks} are in the ledger")


def _rows(sides: dict[str, _Side], wanted: Wanted) -> list[Row]:
    hub, bare, app, null = (sides[name] for name in ("hub", "bare", "app", "null"))
    # What a reader would write down as a bare handler: an application with one route.
    ratios = [one / other for one, other in zip(hub.rates, app.rates, strict=True)]
    most = median(null.rates)
    note = (
        f"{median(hub.rates):.0f}/s against {median(app.rates):.0f}/s (an Application with one"
        f" route; aiohttp's plain server without one: {median(bare.rates):.0f}/s); generator"
        f" {max(median(hub.shares), median(bare.shares)):.0%} busy, alone {most:.0f}/s"
    )
    return [
        Row(
            wanted.key,
            wanted.what,
            median(ratios),
            must=wanted.must,
            goal=wanted.goal,
            note=note,
            rounds=ratios,
            detail={
                "per_second": {name: side.rates for name, side in sides.items()},
                "against_plain_server": [
                    one / other for one, other in zip(hub.rates, bare.rates, strict=True)
                ],
                "server_cpu_us": {name: side.server_cpu for name, side in sides.items()},
                "generator_cpu_share": {name: side.shares for name, side in sides.items()},
            },
        )
    ]
