"""A merchant's peers come back after an outage: everything is made up for, at their pace."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.chaos.crew import crew, gather_some
from tests.chaos.limits import ALLOWED
from tests.chaos.merchants import open_merchants, peak_rate
from tests.chaos.verdict import Verdict
from tests.servers.machines import Servers

_WITHIN_S = 240.0


@dataclass(frozen=True)
class Size:
    """How much waits, and for how long its peers are down."""

    waiting: int
    down_s: float


LONG, SHORT = Size(5_000, 60), Size(400, 8)


async def prove(servers: Servers, size: Size) -> Verdict:
    """Take the peers down, let changes pile up, bring them back."""
    (merchant,) = await open_merchants(1, size.waiting)
    async with crew(servers, [merchant], web=1, workers=2) as hub:
        await hub.listed([merchant], within_s=_WITHIN_S)
        merchant.trouble.down = True
        merchant.world.change(merchant.world.all)
        await gather_some([hub.told(merchant, sku) for sku in merchant.world.all], at_once=32)
        await asyncio.sleep(size.down_s)
        merchant.market_calls.clear()
        merchant.trouble.down = False
        took = await hub.synced([merchant], within_s=_WITHIN_S)
        parked = await hub.parked()
    await merchant.close()
    peak = peak_rate(list(merchant.market_calls))
    share = peak / ALLOWED
    return Verdict(
        f"Recovery stampede: {size.down_s:g} s down, {size.waiting:,} waiting",
        "peak <= 1.2 x the limit, drained, nothing parked",
        f"peak {peak:.1f} calls/s ({share:.2f} x), drained in {took:.0f} s, {parked} parked",
        share <= 1.2 and parked == 0,
        {"peak_share": share, "drained_s": took},
    )
