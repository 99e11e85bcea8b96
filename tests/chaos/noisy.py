"""One merchant's trouble stays that merchant's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from connector.domain.pending import Context, Mark
from tests.chaos.crew import Crew, crew
from tests.chaos.merchants import Merchant, open_merchants
from tests.chaos.verdict import Verdict, percentile
from tests.servers.machines import Servers

_FACTOR = 2.0
_MOOD_S = 0.1
"""Below that a factor of two is the machine's mood, not a merchant's trouble."""
_GIVE_UP_S = 30.0
_LOOK_S = 0.005
_WARM_UP_S = 3.0
"""The first changes after thousands are no quiet ones yet."""


@dataclass(frozen=True)
class Size:
    """How many merchants, for how long, and how much one of them has waiting."""

    merchants: int
    seconds: float
    behind: int
    skus: int = 40
    changes_per_s: float = 15.0


LONG, SHORT = Size(20, 20, 100_000), Size(8, 6, 5_000, changes_per_s=5)
KINDS = ("failing", "slow (30 s)", "far behind")


async def prove(servers: Servers, size: Size) -> list[Verdict]:
    """Measure the others' changes in quiet, then beside each kind of trouble."""
    merchants = await open_merchants(size.merchants, size.skus)
    noisy, others = merchants[0], merchants[1:]
    verdicts = []
    async with crew(servers, merchants, web=1, workers=2) as hub:
        await hub.listed(merchants)
        await _changes(hub, others, replace(size, seconds=_WARM_UP_S))
        quiet = percentile(await _changes(hub, others, size), 0.99)
        for kind in KINDS:
            await _begin(hub, noisy, kind, size)
            told = asyncio.create_task(_tell_of_everything(hub, noisy))
            loud = percentile(await _changes(hub, others, size), 0.99)
            told.cancel()
            await asyncio.gather(told, return_exceptions=True)
            _end(noisy)
            verdicts.append(_verdict(kind, size, quiet, loud))
    for merchant in merchants:
        await merchant.close()
    return verdicts


def _verdict(kind: str, size: Size, quiet: float, loud: float) -> Verdict:
    shown = kind if kind != "far behind" else f"{size.behind:,} changes behind"
    return Verdict(
        f"Noisy neighbour, 1 of {size.merchants}: {shown}",
        f"others' p99 <= {_FACTOR:g} x quiet, or {_FACTOR * _MOOD_S:g} s",
        f"{loud * 1000:.0f} ms, quiet {quiet * 1000:.0f} ms: {loud / quiet:.2f} x",
        loud <= _FACTOR * max(quiet, _MOOD_S),
        {"quiet_s": quiet, "loud_s": loud},
    )


async def _begin(hub: Crew, noisy: Merchant, kind: str, size: Size) -> None:
    noisy.trouble.failing = kind == "failing"
    noisy.trouble.slow_s = 30.0 if kind == "slow (30 s)" else 0.0
    if kind == "far behind":
        connection = hub.ids[noisy.name]
        async with hub.hub() as inner:
            marks = [
                Mark(connection, Context.LISTINGS, str(900_000 + n), inner.now())
                for n in range(size.behind)
            ]
            for start in range(0, len(marks), 1000):
                await inner.store.commit(marks[start : start + 1000])


def _end(noisy: Merchant) -> None:
    noisy.trouble.failing, noisy.trouble.slow_s = False, 0.0


async def _tell_of_everything(hub: Crew, noisy: Merchant) -> None:
    while True:
        noisy.world.change(noisy.world.all)
        for sku in noisy.world.all:
            await hub.notify(noisy, sku)
        await asyncio.sleep(1)


async def _changes(hub: Crew, merchants: Sequence[Merchant], size: Size) -> list[float]:
    """Single changes of all these merchants in turn; how long each took to be published."""
    changes: list[asyncio.Task[float]] = []
    until, number = time.monotonic() + size.seconds, 0
    while time.monotonic() < until:
        merchant = merchants[number % len(merchants)]
        skus = merchant.world.all
        sku = skus[(number // len(merchants)) % len(skus)]
        changes.append(asyncio.create_task(_change(hub, merchant, sku)))
        number += 1
        await asyncio.sleep(1 / size.changes_per_s)
    return list(await asyncio.gather(*changes))


async def _change(hub: Crew, merchant: Merchant, sku: int) -> float:
    merchant.world.change([sku])
    began = time.monotonic()
    await hub.told(merchant, sku)
    while sku in merchant.world.behind:
        if time.monotonic() - began > _GIVE_UP_S:
            return _GIVE_UP_S
        await asyncio.sleep(_LOOK_S)
    return merchant.world.synced_at.get(sku, time.monotonic()) - began
