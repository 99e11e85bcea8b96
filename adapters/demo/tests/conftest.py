"""A clock that tests move, the adapter wired to a simulated market, and a hub that takes notes."""

import asyncio
import heapq
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from adapters.demo import DemoAdapter, DemoMarketSimulator
from adapters.demo.market.state import DemoSimSettings
from connector.sdk import Content, NotSent, Offer, PriceStock, Request, Response
from connector.sdk.testing.simulator import Faults


class StepClock:
    """Stands still until ``advance`` moves it past its sleepers, one by one."""

    def __init__(self):
        self._now = datetime(2026, 1, 1, 12, tzinfo=UTC)
        self._sleepers = []

    def now(self):
        return self._now

    def wall(self, seconds):
        return timedelta(seconds=seconds)

    async def sleep(self, seconds):
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), id(woken), woken))
        await woken

    async def advance(self, seconds):
        end = self._now + timedelta(seconds=seconds)
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self._now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            await settle()
        self._now = end


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


@dataclass
class FakeHub:
    """Where webhooks go: answers with the statuses it was given, then with 200."""

    statuses: list = field(default_factory=list)
    received: list = field(default_factory=list)

    async def send(self, request: Request) -> Response:
        self.received.append(request)
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 0:
            raise NotSent("hub is down")
        return Response(status)


@dataclass
class World:
    clock: StepClock
    hub: FakeHub
    market: DemoMarketSimulator
    adapter: DemoAdapter

    async def send(self, request: Request) -> Response:
        return await self.market.handle(request)

    async def list(self, *skus, price=19990, stock=10):
        return await self.adapter.create([offer(sku, price=price, stock=stock) for sku in skus])


def offer(sku, *, price=19990, stock=10, **content):
    fields = {
        "sku": sku,
        "product_id": f"p{sku}",
        "title": f"Trail Shoe {sku}",
        "images": ("https://img.example/1.jpg",),
        "market_category": "110",
        "eans": ("7891234567895",),
        **content,
    }
    return Offer(content=Content(**fields), terms=terms(sku, price=price, stock=stock))


def terms(sku, *, price=19990, stock=10, currency="BRL"):
    return PriceStock(
        sku=sku, price_minor=price, list_price_minor=price, currency=currency, stock=stock
    )


def adapter_settings(**changes):
    return DemoAdapter.settings_model.model_validate(
        {
            "base_url": "https://api.demo-market.example",
            "seller_id": "seller-1",
            "api_key": "demo-key",
            "webhook_secret": "demo-webhook-secret",
            **changes,
        }
    )


@pytest.fixture
async def new_world():
    """Build a world from simulator switches, and close it."""
    markets = []

    def build(*, faults=None, seed=0, adapter=None, **switches):
        clock, hub = StepClock(), FakeHub()
        switches = {"limits": False, **switches}
        market = DemoMarketSimulator(
            clock=clock,
            outbound=hub,
            seed=seed,
            faults=faults or Faults(),
            settings=DemoSimSettings(**switches),
        )
        markets.append(market)
        world = World(clock, hub, market, None)
        world.adapter = DemoAdapter(adapter_settings(**(adapter or {})), world, clock)
        return world

    yield build
    for market in markets:
        await market.close()


@pytest.fixture
def world(new_world):
    return new_world()


@pytest.fixture
def make():
    """Builders of values: ``make.offer``, ``make.terms``, ``make.settings``, ``make.settle``."""

    class Make:
        pass

    Make.offer = staticmethod(offer)
    Make.terms = staticmethod(terms)
    Make.settings = staticmethod(adapter_settings)
    Make.settle = staticmethod(settle)
    return Make
