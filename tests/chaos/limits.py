"""Four workers, one marketplace's limit: it is used up and never overrun."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from tests.chaos.crew import Crew, crew
from tests.chaos.merchants import Merchant, open_merchants
from tests.chaos.verdict import Verdict
from tests.servers.machines import Servers

ALLOWED, BURST = 18.0, 30
"""Calls a second that the demo adapter declares for a connection; the marketplace takes 20."""
_MARKET = 20.0


@dataclass(frozen=True)
class Size:
    """How long the limit is leaned on."""

    seconds: float
    skus: int = 120


LONG, SHORT = Size(60), Size(8, 40)


async def prove(servers: Servers, size: Size) -> Verdict:
    """Keep more changes coming than the limit lets through."""
    (merchant,) = await open_merchants(1, size.skus)
    merchant.trouble.market_rate, merchant.trouble.market_burst = _MARKET, 40
    small = {"CONNECTOR_BATCH": "2"}  # many small calls: the limit is what holds them up
    async with crew(servers, [merchant], web=1, workers=4, settings=small) as hub:
        await hub.listed([merchant])
        feeding = asyncio.create_task(_keep_changing(hub, merchant))
        await asyncio.sleep(3)  # what had been saved up is spent
        merchant.market_calls.clear()
        merchant.refused = 0
        began = time.monotonic()
        await asyncio.sleep(size.seconds)
        lasted = time.monotonic() - began
        calls, refused = len(merchant.market_calls), merchant.refused
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
    await merchant.close()
    used, share = calls / lasted / ALLOWED, refused / max(1, calls)
    return Verdict(
        "Rate limit across 4 processes (marketplace takes 20/s, we declare 18/s)",
        "429s <= 0.5 %, >= 90 % used",
        f"{refused} of {calls} calls refused ({share:.2%}), {used:.0%} of the allowance used",
        share <= 0.005 and used >= 0.9,
        {"refused_share": share, "used_share": used},
    )


async def _keep_changing(hub: Crew, merchant: Merchant) -> None:
    at = 0
    skus = list(merchant.world.all)
    while True:
        some = [skus[(at + step) % len(skus)] for step in range(10)]
        at += 10
        merchant.world.change(some)
        await asyncio.gather(*(hub.told(merchant, sku) for sku in some))
        await asyncio.sleep(0.12)
