"""A clock that tests move, and the adapter wired to a simulated platform."""

import asyncio
import heapq
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.mirakl import MiraklAdapter, MiraklSimulator
from adapters.mirakl.market.state import MiraklSimSettings
from connector.sdk import Content, Offer, PriceStock
from connector.sdk.testing.market import Sale


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
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self._now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            await _settle()
        self._now = end


async def _settle():
    for _ in range(10):
        await asyncio.sleep(0)


def ean13(number):
    """A valid EAN; the operator has always known it where its 11th and 12th digits are below 50."""
    body = f"7890{number:08}"
    weighted = sum(int(digit) * (1, 3)[i % 2] for i, digit in enumerate(body))
    return f"{body}{(10 - weighted % 10) % 10}"


def terms(sku, *, price=19990, stock=10, list_price=None, currency="BRL"):
    return PriceStock(
        sku=sku,
        price_minor=price,
        list_price_minor=list_price or price,
        currency=currency,
        stock=stock,
    )


def offer(sku, number=10, *, price=19990, stock=10, list_price=None, **content):
    fields = {
        "sku": sku,
        "product_id": f"P{sku}",
        "title": f"Tênis {sku}",
        "description": "<p>Leve</p>",
        "images": ("https://img.example/1.jpg", "https://img.example/2.jpg"),
        "market_category": "N11",
        "eans": (ean13(number),),
        **content,
    }
    told = terms(sku, price=price, stock=stock, list_price=list_price)
    return Offer(content=Content(**fields), terms=told)


@dataclass
class World:
    """One shop on one operator's platform; ``exchanges`` are all calls with their answers."""

    clock: StepClock
    market: MiraklSimulator
    adapter: MiraklAdapter = None
    exchanges: list = field(default_factory=list)

    async def send(self, request):
        request = replace(request, headers={k.lower(): v for k, v in request.headers.items()})
        response = await self.market.handle(request)
        self.exchanges.append((request, response))
        return response

    def calls(self, operation):
        return [request for request, _ in self.exchanges if request.operation == operation]

    async def finish(self, outcomes):
        """Wait for lots until each SKU has its last outcome."""
        done = dict(outcomes)
        for _ in range(100):
            waiting = {sku: one.lot_id for sku, one in done.items() if hasattr(one, "lot_id")}
            if not waiting:
                return done
            for lot_id in set(waiting.values()):
                status = await self.adapter.lot(lot_id)
                for sku in (sku for sku, lot in waiting.items() if lot == lot_id):
                    if sku in status.outcomes:
                        done[sku] = status.outcomes[sku]
                    elif status.finished:
                        done[sku] = status.rest
            await self.clock.advance(60)
        raise AssertionError("lots never finish")

    async def list(self, *offers):
        return await self.finish(await self.adapter.create(offers))

    async def sold(self, **options):
        """List one SKU and sell some of it."""
        await self.list(offer("1", price=3333, stock=100))
        options = {"lines": (("1", 3),), **options}
        return self.market.buy(Sale(**options))


@pytest.fixture
async def new_world():
    """Build a world from simulator switches and adapter settings, and close it."""
    markets = []

    def build(adapter=None, *, ceilings=False, **switches):
        clock = StepClock()
        market = MiraklSimulator(
            clock=clock,
            outbound=None,
            settings=MiraklSimSettings(ceilings=ceilings, **switches),
        )
        markets.append(market)
        world = World(clock, market)
        settings = market.seller_settings("https://north.mirakl.example") | (adapter or {})
        model = MiraklAdapter.settings_model.model_validate(settings)
        world.adapter = MiraklAdapter(model, world, clock)
        return world

    yield build
    for market in markets:
        await market.close()


@pytest.fixture
def world(new_world):
    return new_world()


@pytest.fixture
def make():
    """Builders of values: ``make.offer``, ``make.terms``, ``make.ean``."""

    class Make:
        pass

    Make.offer = staticmethod(offer)
    Make.terms = staticmethod(terms)
    Make.ean = staticmethod(ean13)
    return Make
