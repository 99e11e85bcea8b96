"""Processes that are told to end, and processes that are asleep while their keys go elsewhere."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from connector.domain.listing import Listing
from tests.chaos.crew import LEASE_S, SHUTDOWN_S, Crew, crew
from tests.chaos.merchants import Merchant, open_merchants
from tests.chaos.verdict import Verdict
from tests.servers.machines import Servers

_WITHIN_S = 90.0


@dataclass(frozen=True)
class Size:
    """How often."""

    times: int
    skus: int = 300


LONG, SHORT = Size(10), Size(2, 120)


async def prove_terms(servers: Servers, size: Size) -> Verdict:
    """SIGTERM to one process after another while changes keep coming."""
    merchants = await open_merchants(2, size.skus)
    took, codes = [], []
    async with crew(servers, merchants, web=2, workers=2) as hub:
        await hub.listed(merchants)
        async with _under_load(hub, merchants):
            for number in range(size.times):
                victim = hub.all[number % len(hub.all)]
                await asyncio.sleep(0.5)
                began = time.monotonic()
                codes.append(await victim.end(signal.SIGTERM, SHUTDOWN_S))
                took.append(time.monotonic() - began)
                await victim.start()
        await hub.synced(merchants, within_s=_WITHIN_S)
        crashes = hub.crashes
    for merchant in merchants:
        await merchant.close()
    slowest, bad = max(took), sum(code != 0 for code in codes)
    return Verdict(
        f"SIGTERM under load, {size.times} times",
        f"exit 0 <= {SHUTDOWN_S} s, 0 lost",
        f"{size.times - bad} exit 0, slowest {slowest:.1f} s, everything published",
        bad == 0 and slowest <= SHUTDOWN_S and not crashes,
        {"slowest_s": slowest},
    )


async def prove_zombies(servers: Servers, size: Size) -> Verdict:
    """Stop a worker past its lease while it works, change everything, wake it up."""
    (merchant,) = await open_merchants(1, size.skus)
    dice, stale = Random(5), 0
    async with crew(servers, [merchant], web=1, workers=2) as hub:
        await hub.listed([merchant])
        for _ in range(size.times):
            merchant.world.latency_s = 0.3  # so that it is in the middle of something
            await _change_all(hub, merchant)
            victim = dice.choice(hub.workers)
            os.kill(victim.pid, signal.SIGSTOP)
            merchant.world.latency_s = 0.01
            await asyncio.sleep(LEASE_S + 1)
            await _change_all(hub, merchant)
            await hub.synced([merchant], within_s=_WITHIN_S)
            os.kill(victim.pid, signal.SIGCONT)
            await asyncio.sleep(1.5)  # time for it to do harm
            stale += await _differing(hub, merchant)
            await hub.synced([merchant], within_s=_WITHIN_S)
    await merchant.close()
    return Verdict(
        f"Zombie worker: stopped past its lease, {size.times} times",
        "0 stale commits",
        f"{stale} of {size.times * size.skus} listings say what a sleeper knew",
        stale == 0,
        {"stale": stale},
    )


async def _differing(hub: Crew, merchant: Merchant) -> int:
    """Listings of the ledger that say something else than VTEX and the marketplace both do."""
    connection, wrong = hub.ids[merchant.name], 0
    skus = [str(sku) for sku in merchant.world.all if sku not in merchant.world.behind]
    async with hub.hub() as inner:
        found = await inner.store.get("listing", connection, skus)
    for sku, document in found.items():
        confirmed = Listing.model_validate_json(document.body).confirmed
        truth = merchant.world.price(int(sku)), merchant.world.stock(int(sku))
        if confirmed is None or (confirmed.price_minor, confirmed.stock) != truth:
            wrong += 1
    return wrong + len(skus) - len(found)


async def _change_all(hub: Crew, merchant: Merchant) -> None:
    merchant.world.change(merchant.world.all)
    for sku in merchant.world.all:
        await hub.told(merchant, sku)


@asynccontextmanager
async def _under_load(hub: Crew, merchants: list[Merchant]) -> AsyncIterator[None]:
    async def load(merchant: Merchant) -> None:
        while True:
            for sku in merchant.world.all:
                merchant.world.change([sku])
                await hub.told(merchant, sku)
                await asyncio.sleep(0.01)

    tasks = [asyncio.create_task(load(merchant)) for merchant in merchants]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for merchant in merchants:  # the one that was being told of when we stopped
            for sku in list(merchant.world.behind):
                await hub.told(merchant, sku)
