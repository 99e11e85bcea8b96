"""A merchant's day, drawn from a seed: things change, sell, ship and get cancelled."""

from __future__ import annotations

from contextlib import suppress
from random import Random

from adapters.demo.market.buying import NotPossibleError
from connector.sandbox.vtexsim import WrongStatusError
from connector.sandbox.vtexsim.settings import DivergenceRule
from connector.sdk.testing.simulator import Faults
from tests.simulation.world import World

HOUR = 3600.0


class Day:
    """Acts on both simulators; the hub is only ever told by them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = Random(world.seed + 99)

    async def live(self, *, steps: int, kills: int = 0) -> None:
        """Do ``steps`` random things over some hours, and kill the hub now and then."""
        deaths = set(self.rng.sample(range(steps), kills))
        for step in range(steps):
            if step in deaths:
                await self.world.kill()
                await self.world.settle(self.rng.uniform(0.1, 20))
                await self.world.start()
            with suppress(NotPossibleError, WrongStatusError, LookupError):
                self.rng.choice(self.ACTS)(self)
            # Mostly close together, so that things cross each other.
            await self.world.settle(self.rng.choice([0.05, 0.3, 1, 5, 60, 400]))

    def sku(self) -> str:
        return self.rng.choice(sorted(self.world.vtex.catalog.skus))

    def price(self) -> None:
        silent = self.rng.random() < 0.2
        sku = self.sku()
        before = self.world.vtex.truth()[str(sku)].unit_price or 1000
        # Within what the store's divergence rule lets pass: larger ones have a test of their own.
        self.world.vtex.set_price(sku, int(before * self.rng.uniform(0.8, 1.2)) + 1, silent=silent)

    def stock(self) -> None:
        silent = self.rng.random() < 0.2
        self.world.vtex.set_stock(self.sku(), self.rng.choice([0, 1, 2, 50]), silent=silent)

    def toggle(self) -> None:
        self.world.vtex.set_active(self.sku(), self.rng.random() < 0.6)

    def content(self) -> None:
        self.world.vtex.edit_content(self.sku(), name=f"Nome {self.rng.randint(0, 999)} ✨")

    def policy(self) -> None:
        channel = self.world.vtex_settings.sales_channel
        self.world.vtex.set_trade_policy(self.sku(), channel, self.rng.random() < 0.7)

    def reindex(self) -> None:
        self.world.vtex.reindex()

    def sell(self) -> None:
        listed = sorted(self.world.market.listings)
        if not listed:
            return
        wanted = [
            (sku, self.rng.randint(1, 3)) for sku in self.rng.sample(listed, min(len(listed), 2))
        ]
        self.world.market.sell(
            wanted[: self.rng.randint(1, 2)],
            payment=self.rng.choice(["now", "now", "later"]),
            pay_after_s=self.rng.choice([5, 900]),
            discount_minor=self.rng.choice([0, 0, 7, 101]),
            shipping_minor=self.rng.choice([0, 990]),
            delivery=self.rng.choice(["seller", "seller", "seller", "marketplace"]),
            orders=self.rng.choice([1, 1, 1, 2]),
            arrive_every_s=self.rng.choice([0, 120]),
        )

    def cart(self) -> str:
        carts = sorted(self.world.market.carts)
        return self.rng.choice(carts) if carts else "none"

    def buyer_cancels(self) -> None:
        self.world.market.cancel_by_buyer(self.cart())

    def order(self) -> str:
        orders = sorted(self.world.vtex.orders)
        return self.rng.choice(orders) if orders else "none"

    def seller_cancels(self) -> None:
        self.world.vtex.cancel_order(self.order(), "sem estoque")

    def invoice(self) -> None:
        order_id = self.order()
        if not self.world.vtex.orders[order_id].invoices:
            fob = self.world.vtex.orders[order_id].is_fob
            how = "none" if fob else self.rng.choice(["none", "same", "second", "by-number"])
            self.world.vtex.invoice_order(order_id, tracking=how)

    def deliver(self) -> None:
        order_id = self.order()
        order = self.world.vtex.orders[order_id]
        for number in order.invoices:
            if order.is_fob:
                self.world.market.ship_fob(order.marketplace_order_id)
            else:
                self.world.vtex.send_tracking_event(order_id, number, delivered=True)

    ACTS = (
        price, price, stock, stock, stock, toggle, content, policy, reindex,
        sell, sell, sell, sell, buyer_cancels, seller_cancels, invoice, invoice, invoice, deliver,
        deliver,
    )  # fmt: skip


def world_for(seed: int, *, faults: float) -> World:
    """A world in which this share of everything goes wrong."""
    world = World(
        seed,
        skus=12,
        vtex_options={
            "notify_loss": faults,
            "notify_duplicate": faults,
            "notify_late": faults,
            "processing_loss": faults,
            "processing_duplicate": faults,
            "processing_instability": faults,
            "processing_timeout": faults,
            "error_after_create": faults,
            "callback_duplicate": faults,
            "divergence_rules": (DivergenceRule(0, 100, "authorize"),),
        },
        market_options={
            "lot_share": 0.3,
            "item_failure": faults,
            "item_silence": faults / 2,
            "webhook_loss": faults,
            "webhook_duplicate": faults,
            "webhook_late": faults,
        },
        rules={"recheck_s": 4 * HOUR, "relist_s": 2 * HOUR},
        order_api="classic" if seed % 4 == 0 else "integration",
    )
    world.vtex.faults = Faults.spread(faults)
    world.market.faults = Faults.spread(faults)
    return world
