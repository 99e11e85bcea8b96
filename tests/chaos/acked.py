"""What was acknowledged is saved, though the process dies right after the answer."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass

from connector.domain.pending import Context
from connector.sandbox.demo.supervised import Supervised
from tests.chaos.crew import Crew, crew
from tests.chaos.merchants import Merchant, open_merchants
from tests.chaos.verdict import Verdict
from tests.servers.machines import Servers

_PAGE = 500


@dataclass(frozen=True)
class Size:
    """How often, and how much is said each time."""

    kills: int
    burst: int = 24


LONG, SHORT = Size(100), Size(6)


async def prove(servers: Servers, size: Size) -> Verdict:
    """Kill a web process in the middle of a burst, right after one of its answers."""
    (merchant,) = await open_merchants(1, 10)
    acknowledged: set[str] = set()
    hits = 0
    async with crew(servers, [merchant], web=2, workers=0) as hub:
        for number in range(size.kills):
            victim = number % 2
            keys = [str(700_000 + number * 1000 + each) for each in range(size.burst)]
            first = asyncio.Event()
            killing = asyncio.create_task(_kill_after(first, hub.web[victim]))
            told = await asyncio.gather(*(_tell(hub, merchant, key, victim, first) for key in keys))
            first.set()
            await killing
            got = {key for key, ok in zip(keys, told, strict=True) if ok}
            hits += bool(got)
            acknowledged |= got
        saved = await _saved(hub, merchant)
    await merchant.close()
    lost = len(acknowledged - saved)
    return Verdict(
        f"Acknowledged means saved: {size.kills} kills right after the answer",
        f"{size.kills}/{size.kills}, nothing lost",
        f"{hits}/{size.kills} kills after an answer, {len(acknowledged):,} acknowledged,"
        f" {lost} lost",
        lost == 0 and hits == size.kills,
        {"acknowledged": len(acknowledged), "lost": lost},
    )


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
