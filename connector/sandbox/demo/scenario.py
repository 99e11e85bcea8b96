"""The day itself: the merchant changes things and buyers buy until closing time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random

from connector.sandbox.demo.application import takes_parts
from connector.sandbox.demo.installation import Installation
from connector.sandbox.demo.lives import Life
from connector.sandbox.demo.merchant import Merchant
from connector.sandbox.demo.plan import Deed, OrderPlan, plan_deeds, plan_orders
from connector.sandbox.demo.stage import Stage
from connector.sandbox.vtexsim import Sku
from connector.sdk.testing.market import Sale

_TRY_AGAIN_S = 0.2
"""Real seconds until a buyer who found nothing looks again."""
_MOST_UNITS = 3


class Day:
    """A merchant's day, drawn from the seed."""

    def __init__(self, stage: Stage) -> None:
        options = stage.options
        self._stage = stage
        self._rng = Random(options.seed * 7919 + 11)  # noqa: S311 - a demo's dice
        self.merchant = Merchant(stage, self._rng)
        self.orders = plan_orders(options.orders, options.day_s, self._rng,
                                  taxes=options.order_api == "integration",
                                  parts=takes_parts(stage.market))  # fmt: skip
        self.deeds = plan_deeds(options.skus, options.day_s, self._rng)
        self._lives: dict[asyncio.Task[None], str] = {}
        self.sold = 0

    @property
    def unfinished(self) -> list[str]:
        """The orders whose lives still go on, and what is to become of them."""
        return sorted(self._lives.values())

    async def live(self) -> None:
        """Open the shop, and return once it has closed; orders may live on."""
        opened = self._stage.clock.now()
        async with asyncio.TaskGroup() as busy:
            busy.create_task(self._merchandise(opened, self.deeds))
            for plan in self.orders:
                busy.create_task(self._buy(opened, plan))

    async def close(self) -> None:
        """Stop whatever still goes on."""
        for task in list(self._lives):
            task.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)

    async def _merchandise(self, opened: datetime, deeds: Sequence[Deed]) -> None:
        for deed in deeds:
            await self._sleep_until(opened, deed.at_s)
            self.merchant.do(deed)

    async def _buy(self, opened: datetime, plan: OrderPlan) -> None:
        """Buy until something is bought: who finds one thing sold out takes another."""
        await self._sleep_until(opened, plan.at_s)
        dice = Random(self._stage.options.seed * 104_729 + plan.number)  # noqa: S311 - as above
        closes = opened + timedelta(seconds=self._stage.options.day_s)
        rushes = plan.last_units
        while (key := self._try_to_buy(plan, dice, rushes=rushes)) is None:
            if self._stage.clock.now() > closes:
                return
            rushes = False
            await asyncio.sleep(_TRY_AGAIN_S)
        self.sold += 1
        self._stage.events[f"bought: {plan.kind}"] += 1
        self._stage.look_again()
        life = asyncio.get_running_loop().create_task(Life(self._stage, plan, key).live())
        self._lives[life] = f"{key}: {plan.kind}; {plan.fate}"
        life.add_done_callback(self._lives.pop)

    def _try_to_buy(self, plan: OrderPlan, dice: Random, *, rushes: bool) -> str | None:
        lines = self._choose_last_unit() if rushes else None
        lines = lines or self._choose(plan, dice)
        if lines is None:
            return None
        key = self._stage.market.buy(Sale(lines=lines, **plan.options))
        if key is None:
            self._stage.look_again()
            self._stage.events["found sold out"] += 1
        return key

    def _choose_last_unit(self) -> tuple[tuple[str, int], ...] | None:
        """One of what is nearly, or just, sold out."""
        if not self.merchant.low:
            return None
        scarce = self.merchant.low[-1]
        item = self._stage.shelf().get(scarce)
        return ((scarce, 1),) if item is not None and item.stock <= _MOST_UNITS else None

    def _choose(self, plan: OrderPlan, dice: Random) -> tuple[tuple[str, int], ...] | None:
        """Products that are on the shelf in the wanted numbers."""
        carried = "delivery" in plan.options
        offered = dice.sample(self.merchant.offered, len(self.merchant.offered))
        fitting = [sku for sku in offered if not (carried and sku.multiplier != 1.0)]
        shelf, lines = self._stage.shelf(), []
        wanted = list(plan.quantities)
        for sku in fitting:
            item = shelf.get(str(sku.id))
            if item is None or not item.buyable or item.stock < wanted[0]:
                continue
            if item.price_minor * wanted[0] < 2 * plan.options.get("discount_minor", 0):
                continue
            lines.append((str(sku.id), wanted.pop(0)))
            if not wanted:
                return tuple(lines)
        return None

    async def _sleep_until(self, opened: datetime, at_s: float) -> None:
        wait = opened + timedelta(seconds=at_s) - self._stage.clock.now()
        await self._stage.clock.sleep(max(0.0, wait.total_seconds()))


async def load_catalog(stage: Stage, share: float = 0.9, patience_s: float = 25.0) -> int:
    """Wait until most of what can be listed is; returns how much is."""
    channel = stage.store.settings.sales_channel
    wanted = [
        str(sku.id) for sku in stage.store.catalog.skus.values() if _listable(stage, sku, channel)
    ]
    here: list[str] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            while len(here) < share * len(wanted):
                await asyncio.sleep(0.1)
                shelf = stage.shelf()
                here = [sku for sku in wanted if sku in shelf]
    return len(here)


def _listable(stage: Stage, sku: Sku, channel: int) -> bool:
    return bool(sku.images) and sku.free > 0 and stage.store.sellable(sku, channel)


async def torment(hub: Installation, dice: Random, every_s: float) -> None:
    """Kill a process of the hub about every ``every_s`` real seconds and start it again."""
    while True:
        await asyncio.sleep(every_s * dice.uniform(0.6, 1.4))
        await hub.kill_one(dice)
