"""What the hub's work is compared with: the same calls, made as plainly as can be."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from benchmarks.sizes import BATCH, CONCURRENCY
from benchmarks.wire import Line, encode

_READ = "/api/catalog_system/pvt/sku/stockkeepingunitbyid/{sku}?sc=2"
_SIMULATION = "/api/fulfillment/pvt/orderForms/simulation?sc=2&affiliateId=BNC"
_VTEX = {"X-VTEX-API-AppKey": "vtexappkey-simstore-SIMULA", "X-VTEX-API-AppToken": "token"}
_MARKET = {"Authorization": "Bearer demo-key"}

Job = Callable[[Line], Awaitable[None]]


async def bare_load(address: tuple[str, int], skus: Sequence[int]) -> float:
    """Seconds for the calls a first load needs, and nothing else: read all, simulate and create
    batch by batch; so many at once, as soon as they can be made.
    """
    return await _timed(address, _BareLoad(skus).work)


class _BareLoad:
    """Calls in the best order: what ends a batch goes before what begins one."""

    def __init__(self, skus: Sequence[int]) -> None:
        starts = range(0, len(skus), BATCH)
        self._open = len(starts)
        self._jobs: asyncio.LifoQueue[Job | None] = asyncio.LifoQueue()
        for start in reversed(starts):
            batch, contexts = skus[start : start + BATCH], list[Any]()
            for sku in reversed(batch):
                self._jobs.put_nowait(partial(self._read, sku, batch, contexts))

    async def work(self, line: Line) -> None:
        """Make calls on one connection until all are made."""
        while (job := await self._jobs.get()) is not None:
            await job(line)

    async def _read(self, sku: int, batch: Sequence[int], contexts: list[Any], line: Line) -> None:
        contexts.append(json.loads(await line.call(_get(sku))))
        if len(contexts) == len(batch):
            self._jobs.put_nowait(partial(self._finish, batch, contexts))

    async def _finish(self, batch: Sequence[int], contexts: list[Any], line: Line) -> None:
        told = json.loads(await line.call(_simulate(batch)))
        await line.call(_push("POST", "/v1/listings", contexts, told))
        self._open -= 1
        if not self._open:
            for _ in range(CONCURRENCY):
                self._jobs.put_nowait(None)


async def loop_over(address: tuple[str, int], skus: Sequence[int], *, create: bool) -> float:
    """Seconds for the usual connector: read, simulate and push every SKU by itself."""
    feed = iter(skus)
    method, path = ("POST", "/v1/listings") if create else ("PUT", "/v1/listings/terms")

    async def work(line: Line) -> None:
        for sku in feed:
            context = json.loads(await line.call(_get(sku)))
            told = json.loads(await line.call(_simulate([sku])))
            await line.call(_push(method, path, [context], told))

    return await _timed(address, work)


async def _timed(address: tuple[str, int], work: Callable[[Line], Awaitable[None]]) -> float:
    lines = [await Line.open(*address) for _ in range(CONCURRENCY)]
    began = time.monotonic()
    await asyncio.gather(*(work(line) for line in lines))
    seconds = time.monotonic() - began
    for line in lines:
        line.close()
    return seconds


def _get(sku: int) -> bytes:
    return encode("GET", _READ.format(sku=sku), headers=_VTEX)


def _simulate(skus: Sequence[int]) -> bytes:
    items = [{"id": str(sku), "quantity": 1, "seller": "1"} for sku in skus]
    return encode("POST", _SIMULATION, {"items": items, "country": "BRA"}, _VTEX)


def _push(method: str, path: str, contexts: Sequence[Any], told: Any) -> bytes:
    """Content of the catalog with price and stock of the simulation."""
    stocks = {row["itemIndex"]: row["stockBalance"] for row in told["logisticsInfo"]}
    terms = {item["id"]: (item["price"], stocks[at]) for at, item in enumerate(told["items"])}
    items = []
    for context in contexts:
        price, stock = terms[str(context["Id"])]
        money = f"{price // 100}.{price % 100:02}"
        items.append(
            {
                "seller_sku": str(context["Id"]),
                "price": money,
                "list_price": money,
                "currency": "BRL",
                "stock": stock,
                "title": context["NameComplete"],
                "description": context["ProductDescription"],
                "images": [image["ImageUrl"] for image in context["Images"]],
                "category_id": "110",
            }
        )
    return encode(method, path, {"items": items}, _MARKET)
