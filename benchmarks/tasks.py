"""The wave as most teams would write it: a durable task per notification (FastStream, RabbitMQ).

``python -m benchmarks.tasks take|work AMQP_URL QUEUE PEERS``: ``take`` answers a notification once
RabbitMQ has confirmed its task; ``work`` asks VTEX for price and stock of the task's SKU and sends
them to the marketplace, as many at once as the hub does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import aiohttp
from aiohttp import web
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue
from faststream.rabbit.schemas.queue import QueueType

from benchmarks.sizes import CONCURRENCY

_SIMULATION = "/api/fulfillment/pvt/orderForms/simulation?sc=2&affiliateId=BNC"
_VTEX = {"X-VTEX-API-AppKey": "vtexappkey-simstore-SIMULA", "X-VTEX-API-AppToken": "token"}
_MARKET = {"Authorization": "Bearer demo-key"}


def _queue(name: str) -> RabbitQueue:
    return RabbitQueue(name, durable=True, queue_type=QueueType.QUORUM)


async def _take(broker: RabbitBroker, queue: RabbitQueue) -> int:
    async def notification(request: web.Request) -> web.Response:
        told = json.loads(await request.read())
        await broker.publish({"sku": told["IdSku"]}, queue=queue, persist=True)
        return web.Response(body=b"{}", content_type="application/json")

    await broker.connect()
    await broker.declare_queue(queue)
    app = web.Application()
    app.router.add_post("/{rest:.*}", notification)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return int(runner.addresses[0][1])


async def _work(broker: RabbitBroker, queue: RabbitQueue, peers: str) -> int:
    session = aiohttp.ClientSession(f"http://{peers}")  # noqa: TID251 - it is no hub

    @broker.subscriber(queue)
    async def publish(task: dict[str, Any]) -> None:
        cart = {"items": [{"id": task["sku"], "quantity": 1, "seller": "1"}], "country": "BRA"}
        async with session.post(_SIMULATION, json=cart, headers=_VTEX) as answer:
            told = await answer.json()
        price = told["items"][0]["price"]
        money = f"{price // 100}.{price % 100:02}"
        stock = told["logisticsInfo"][0]["stockBalance"]
        item = {"seller_sku": task["sku"], "price": money, "list_price": money}
        body = {"items": [{**item, "currency": "BRL", "stock": stock}]}
        async with session.put("/v1/listings/terms", json=body, headers=_MARKET) as answer:
            await answer.read()

    await broker.start()
    return 0


async def _main(role: str, url: str, name: str, peers: str) -> None:
    broker = RabbitBroker(url, default_channel=Channel(prefetch_count=CONCURRENCY), logger=None)
    queue = _queue(name)
    port = await (_take(broker, queue) if role == "take" else _work(broker, queue, peers))
    print(json.dumps({"port": port}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
