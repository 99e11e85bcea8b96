"""What was acknowledged is saved, though the process dies right after the answer."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from connector.domain.pending import Context
from connector.sandbox.demo.supervised import Supervised
from tests.chaos.crew import Crew, crew
from tests.chaos.merchants import Merchant, open_merchants
from tests.chaos.verdict import Verdict
from tests.servers.machines import Servers

_PAGE, _WEB = 500, 2


@dataclass(frozen=True)
class Size:
    """How often, and how much is said each time."""

    kills: int
    burst: int = 24


LONG, SHORT = Size(100), Size(6)


async def prove(servers: Servers, size: Size) -> Verdict:
    """Kill each web process over and over in the middle of a burst, right after an answer."""
    (merchant,) = await open_merchants(1, 10)
    async with crew(servers, [merchant], web=_WEB, workers=0) as hub:
        lives = await asyncio.gather(
            *(_lives(hub, merchant, size, range(web, size.kills, _WEB)) for web in range(_WEB))
        )
        saved = await _saved(hub, merchant)
    await merchant.close()
    bursts = [got for life in lives for got in life]
    hits = sum(bool(got) for got in bursts)
    acknowledged = set().union(*bursts)
    lost = len(acknowledged - saved)
    return Verdict(
        f"Acknowledged means saved: {size.kills} kills right after the answer",
        f"{size.kills}/{size.kills}, nothing lost",
        f"{hits}/{size.kills} kills after an answer, {len(acknowledged):,} acknowledged,"
        f" {lost} lost",
        lost == 0 and hits == size.kills,
        {"acknowledged": len(acknowledged), "lost": lost},
    )


async def _lives(
    hub: Crew, merchant: Merchant, size: Size, numbers: Sequence[int]
) -> list[set[str]]:
    """Kill one web process once for each number; what it had acknowledged each time."""
    bursts = []
    for number in numbers:
        victim = number % _WEB
        keys = [str(700_000 + number * 1000 + each) for each in range(size.burst)]
        first = asyncio.Event()
        killing = asyncio.create_task(_kill_after(first, hub.web[victim]))
        told = await asyncio.gather(*(_tell(hub, merchant, key, victim, first) for key in keys))
        first.set()
        await killing
        bursts.append({key for key, ok in zip(keys, told, strict=True) if ok})
    return bursts


async def _tell(hub: Crew, merchant: Merchant, key: str, web: int, first: asyncio.Event) -> bool:
    ok = await hub.notify(merchant, int(key), web=web) == 200
    if ok:
        first.set()
    return ok


async def _kill_after(first: asyncio.Event, victim: Supervised) -> None:
    await first.wait()
    await victim.end(signal.SIGKILL, 5)
    await victim.start()


async def _saved(hub: Crew, merchant: Merchant) -> set[str]:
    """The keys of the pending set."""
    saved: set[str] = set()
    after = ""
    async with hub.hub() as inner:
        while True:
            rows = await inner.store.pending(
                hub.ids[merchant.name], Context.LISTINGS, parked=False, after=after, limit=_PAGE
            )
            if not rows:
                return saved
            saved |= {row.key for row in rows}
            after = rows[-1].key
