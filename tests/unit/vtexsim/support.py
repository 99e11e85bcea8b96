"""A clock that stands still until it is moved, and a hub that answers what it is told to."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.domain.http import NotSent, Request, Response, json_request, json_response
from connector.sandbox.vtexsim import VtexSimulator, seed_catalog
from connector.sandbox.vtexsim.state import Catalog, Image, KitPart, Lagged, Price, Sku

HUB = "https://hub.example/vtex/v1/t1/s3cr3t"
NOTIFY = f"{HUB}/api/notification/?an=simstore"


class FakeClock:
    """Time moves only by ``advance``; sleepers wake in order."""

    def __init__(self) -> None:
        self._now = datetime(2026, 8, 20, 12, tzinfo=UTC)
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    def now(self) -> datetime:
        return self._now

    def wall(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        due = self._now + timedelta(seconds=seconds)
        heapq.heappush(self._sleepers, (due, next(self._count), future))
        await future

    async def advance(self, seconds: float) -> None:
        end = self._now + timedelta(seconds=seconds)
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not future.done():
                future.set_result(None)
            await self.settle()
        self._now = end

    async def settle(self) -> None:
        for _ in range(40):
            await asyncio.sleep(0)


class FakeHub:
    """Keeps every call; ``answer`` decides what it gets, None is a refused connection."""

    def __init__(self) -> None:
        self.calls: list[Request] = []
        self.answer: Callable[[Request], Response | None] = accept
        self.active = self.most_active = 0

    async def send(self, request: Request) -> Response:
        self.calls.append(request)
        self.active += 1
        self.most_active = max(self.active, self.most_active)
        await asyncio.sleep(0)
        self.active -= 1
        response = self.answer(request)
        if response is None:
            raise NotSent("refused")
        return response

    def bodies(self, part: str) -> list[Any]:
        return [call.json() for call in self.calls if part in call.url]

    def paths(self, part: str) -> list[str]:
        return [call.url.removeprefix(HUB) for call in self.calls if part in call.url]


def accept(request: Request) -> Response:
    del request
    return json_response({"date": "2026-08-20T13:00:00Z", "orderId": "x", "receipt": "r-1"})


def small_catalog() -> Catalog:
    """1001: plain. 1002: out of stock. 1003: sold by 1.5 m². 1004: kit of two 1001."""
    catalog = seed_catalog(4, random.Random(1))
    product = next(iter(catalog.products.values()))
    product.active = True
    for sku in catalog.skus.values():
        sku.active, sku.policies, sku.kit, sku.multiplier, sku.weight_g = True, {2}, [], 1.0, 1000.0
        sku.unit = "un"
        sku.images = [Image(900 + sku.id, f"foto-{sku.id}", "frente")]
        catalog.products[sku.product_id].active = True
        stock(sku, 10)
        sku.price = Lagged(Price(10_000, 12_000))
    stock(catalog.skus[1002], 0)
    catalog.skus[1003].multiplier, catalog.skus[1003].unit = 1.5, "m²"
    catalog.skus[1004].kit = [KitPart(1001, 2)]
    catalog.kits_of = {1001: [1004]}
    return catalog


def stock(sku: Sku, count: int) -> None:
    sku.total = count
    sku.stock = Lagged(count)


class Api:
    """Calls the simulator with its keys."""

    def __init__(self, sim: VtexSimulator) -> None:
        self.sim = sim

    async def __call__(
        self, method: str, path: str, payload: Any = None, *, keys: bool = True, **query: Any
    ) -> Response:
        settings = self.sim.settings
        headers = {
            "X-VTEX-API-AppKey": settings.app_key,
            "X-VTEX-API-AppToken": settings.app_token,
        }
        texts = {name: str(value) for name, value in query.items()}
        request = json_request(method, path, payload, query=texts, headers=headers if keys else {})
        return await self.sim.handle(request if payload is not None else replace(request, body=b""))


def cart(*lines: tuple[str, int], postal_code: str | None = None) -> dict[str, Any]:
    return {
        "items": [{"id": sku, "quantity": count, "seller": "1"} for sku, count in lines],
        "postalCode": postal_code,
        "country": "BRA" if postal_code else None,
        "geoCoordinates": [],
    }


def freight(count: int = 1) -> int:
    """What the SLA Normal costs for a line of one-kilo SKUs."""
    return 1200 + 90 * count


def new_order(own_id: str = "MP-1", status: str = "new", **changes: Any) -> dict[str, Any]:
    body = {
        "marketplaceOrderId": own_id,
        "connectorName": "hub",
        "connectorEndpoint": HUB,
        "marketplaceOrderStatus": status,
        "marketplacePaymentValue": 10_000 + freight(),
        "marketplaceInterestValue": 0,
        "allowFranchises": False,
        "items": [{"id": "1001", "price": 10_000, "quantity": 1}],
        "clientProfileData": {
            "email": "buyer@example.com",
            "firstName": "Ana",
            "lastName": "Souza",
            "phone": "11999999999",
            "document": "52998224725",
        },
        "shippingData": {
            "logisticsInfo": [
                {
                    "price": freight(),
                    "selectedDeliveryChannel": "delivery",
                    "selectedSla": "Normal",
                    "lockTTL": "10d",
                    "shippingEstimate": "5bd",
                }
            ],
            "selectedAddresses": [
                {"addressType": "residential", "postalCode": "12345-000", "country": "BRA"}
            ],
            "isFob": False,
            "trackingHints": [],
        },
        "openTextField": None,
    }
    return {**body, **changes}


def classic_order(own_id: str = "MP-1", **changes: Any) -> list[dict[str, Any]]:
    body = new_order(own_id)
    for name in ("connectorName", "connectorEndpoint", "marketplaceOrderStatus"):
        del body[name]
    body["items"] = [{"id": "1001", "quantity": 1, "seller": "1", "price": 10_000}]
    body["shippingData"]["logisticsInfo"][0]["itemIndex"] = 0
    body.update(
        marketplaceServicesEndpoint=HUB,
        isCreatedAsync=True,
        paymentData=None,
    )
    return [{**body, **changes}]
