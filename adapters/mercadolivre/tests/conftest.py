"""The simulated Mercado Livre behind real HTTP, with the adapter and a hub for its events."""

import asyncio
from dataclasses import dataclass, field

import pytest

from connector.sandbox.server import serve_simulator
from connector.sdk import Done, Request, Response, json_request
from connector.sdk.kit.bench import open_bench
from connector.sdk.kit.subject import find_subject
from connector.sdk.testing.market import Sale


@pytest.fixture
async def bench():
    async with open_bench(find_subject("mercadolivre")) as opened:
        yield opened


@pytest.fixture
def market(bench):
    return bench.simulator


@dataclass
class Seller:
    """What tests do as the seller, or let buyers do."""

    bench: object

    async def raw(self, method, path, body=None, **headers):
        """A call as the seller makes it, errors and all."""
        request = json_request(method, path, body, headers=headers)
        if body is None:
            request = Request(method, path.partition("?")[0], _query(path), headers)
        return await self.bench.signing.send(request)

    async def list(self, sku="11", **changes):
        """List a good offer; its terms, with the listing's id."""
        ends = await self.bench.adapter.create([self.bench.offer(sku, **changes)])
        assert isinstance(ends[sku], Done), ends
        return self.bench.offer(sku).terms.model_copy(update={"market_id": ends[sku].market_id})

    async def sell(self, quantity=1, **options):
        """List something and let a buyer buy it; the order's key."""
        await self.list()
        return self.bench.buy(Sale(lines=(("11", quantity),), **options))


def _query(path):
    pairs = [pair.partition("=") for pair in path.partition("?")[2].split("&") if pair]
    return {name: value for name, _, value in pairs}


@pytest.fixture
def seller(bench):
    return Seller(bench)


@dataclass
class Hub:
    """Takes events with the statuses it was given, then with 200; 0 never answers."""

    statuses: list = field(default_factory=list)
    taken: list = field(default_factory=list)

    async def handle(self, request):
        self.taken.append(request)
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 0:
            await asyncio.Event().wait()
        return Response(status)


@pytest.fixture
async def hub(market):
    taking = Hub()
    runner, url = await serve_simulator(taking)
    market.call_back(f"{url}/events")
    yield taking
    await runner.cleanup()
