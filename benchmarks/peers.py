"""VTEX and the marketplace in one small, fast server: ``python -m benchmarks.peers``.

A stand-in for the simulators, which would take more of the machine than the hub. It answers the
calls that loading and updating listings need, in the simulators' shapes (see ``shapes``), each
after the latency it is told. What it is asked below ``/_bench`` is answered at once.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from benchmarks.shapes import FIRST_SKU, Shapes, shapes
from benchmarks.wire import split_request

_HEAD = (
    "HTTP/1.1 {status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {n}\r\n"
    "\r\n"
)
_SKU = "/api/catalog_system/pvt/sku/stockkeepingunitbyid/"
_LIST = "/api/catalog_system/pvt/sku/stockkeepingunitidsbysaleschannel"
_SIMULATION = "/api/fulfillment/pvt/orderForms/simulation"


@dataclass
class World:
    """What is true of every SKU, what the marketplace has, and what was called."""

    shapes: Shapes
    skus: int
    latency_s: float
    listed: bool = False
    """Whether VTEX's list of SKUs has them; a hub that begins finds none at first."""
    versions: dict[int, int] = field(default_factory=dict)
    """How often price and stock of a SKU have changed."""
    market: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Price as text and stock, by SKU."""
    behind: set[int] = field(default_factory=set)
    """SKUs whose truth the marketplace does not have."""
    calls: Counter[str] = field(default_factory=Counter)
    items: Counter[str] = field(default_factory=Counter)
    reads: Counter[int] = field(default_factory=Counter)
    synced_at: dict[int, float] = field(default_factory=dict)
    last_synced: float = 0.0
    last_call: float = 0.0
    waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.contexts = {sku: self.shapes.context_of(sku) for sku in self.all[:5000]}
        self.reset()

    @property
    def all(self) -> range:
        """Every SKU there is."""
        return range(FIRST_SKU, FIRST_SKU + self.skus)

    def reset(self, *, listings: bool = False) -> None:
        """Forget what was called; with ``listings`` also that the marketplace has any."""
        for counted in (self.calls, self.items, self.reads, self.synced_at):
            counted.clear()
        if listings:
            self.market.clear()
            self.behind = set(self.all)

    def truth(self, sku: int) -> tuple[str, int]:
        """Price as the marketplace writes it, and stock."""
        cents = self.price(sku)
        return f"{cents // 100}.{cents % 100:02}", self.stock(sku)

    def price(self, sku: int) -> int:
        """Cents."""
        return 10_000 + sku % 977 + self.versions.get(sku, 0)

    def stock(self, sku: int) -> int:
        """Units."""
        return 50 + (sku + self.versions.get(sku, 0)) % 50

    def change(self, skus: Iterable[int]) -> None:
        """Other prices and stocks from now on."""
        for sku in skus:
            self.versions[sku] = self.versions.get(sku, 0) + 1
            self.behind.add(sku)

    def take(self, rows: Iterable[dict[str, Any]]) -> None:
        """The marketplace takes price and stock of listings."""
        now = time.monotonic()
        for row in rows:
            sku = int(row["seller_sku"])
            self.market[sku] = row["price"], row["stock"]
            if self.market[sku] == self.truth(sku):
                self.synced_at[sku] = self.last_synced = now
                self.behind.discard(sku)
        if not self.behind:
            for each in self.waiting:
                each.set_result(None)
            self.waiting.clear()


# --- VTEX and the marketplace ---------------------------------------------------------------------


def _sku(world: World, path: str) -> bytes:
    sku = int(path.removeprefix(_SKU))
    world.reads[sku] += 1
    return world.contexts.get(sku) or world.shapes.context_of(sku)


def _ids(world: World, query: str) -> bytes:
    asked = parse_qs(query)
    page, size = int(asked["page"][0]), int(asked["pageSize"][0])
    found = world.all[(page - 1) * size : page * size] if world.listed else ()
    return json.dumps(list(found)).encode()


def _simulate(world: World, body: bytes) -> bytes:
    rows = json.loads(body)["items"]
    world.items["simulate"] += len(rows)
    items, logistics = [], []
    for at, row in enumerate(rows):
        sku = int(row["id"])
        values = {"sku": sku, "at": at, "price": world.price(sku), "stock": world.stock(sku)}
        items.append(world.shapes.item % values)
        logistics.append(world.shapes.logistics % values)
    return (
        f'{{"items":[{",".join(items)}],"logisticsInfo":[{",".join(logistics)}],"postalCode":null,'
        '"geoCoordinates":[],"country":"BRA","pickupPoints":[],"messages":[]}'
    ).encode()


def _write(world: World, operation: str, body: bytes) -> bytes:
    rows = json.loads(body)["items"]
    world.items[operation] += len(rows)
    world.take(rows)
    done = [
        {
            "seller_sku": row["seller_sku"],
            "status": "done",
            "listing_id": f"DM-{row['seller_sku']}",
            "url": f"https://demo-market.example/item/DM-{row['seller_sku']}",
        }
        for row in rows
    ]
    return json.dumps({"lot_id": None, "items": done}).encode()


def _search(world: World, body: bytes) -> bytes:
    """What the marketplace has of some SKUs."""
    asked = [int(sku) for sku in json.loads(body)["seller_skus"]]
    rows = [
        {
            "seller_sku": str(sku),
            "listing_id": f"DM-{sku}",
            "price": world.market[sku][0],
            "currency": "BRL",
            "stock": world.market[sku][1],
        }
        for sku in asked
        if sku in world.market
    ]
    return json.dumps({"items": rows}).encode()


_WRITES = {
    ("POST", "/v1/listings"): "create",
    ("PUT", "/v1/listings"): "content",
    ("PUT", "/v1/listings/terms"): "terms",
}


def answer(world: World, method: str, target: str, body: bytes) -> bytes | None:
    """What a call is answered; None for one that a benchmark should not see."""
    world.last_call = time.monotonic()
    path, _, query = target.partition("?")
    if path.startswith(_SKU):
        world.calls["read"] += 1
        return _sku(world, path)
    if path == _SIMULATION:
        world.calls["simulate"] += 1
        return _simulate(world, body)
    operation = _WRITES.get((method, path))
    if operation:
        world.calls[operation] += 1
        return _write(world, operation, body)
    if path == "/v1/listings/search":
        world.calls["find"] += 1
        return _search(world, body)
    world.calls["other"] += 1
    if path == _LIST:
        return _ids(world, query)
    if "/saleschannel/" in path:
        return world.shapes.channel
    return b'{"items":[],"next":""}' if path == "/v1/orders" else None


# --- control --------------------------------------------------------------------------------------


async def control(world: World, what: str, told: Any) -> Any:
    """What the benchmark asks for or tells."""
    match what:
        case "reset":
            world.reset(listings=bool(told.get("listings")))
            world.listed = told.get("listed", world.listed)
            world.skus = told.get("skus", world.skus)
        case "change":
            world.change(told.get("skus") or world.all)
        case "synced":  # answers when the marketplace has everything
            if world.behind:
                done = asyncio.get_running_loop().create_future()
                world.waiting.append(done)
                await done
            return {"at": world.last_synced}
        case "seen":
            return {
                "calls": world.calls,
                "items": world.items,
                "reads": world.reads,
                "synced_at": world.synced_at,
                "behind": len(world.behind),
                "last_call": world.last_call,
            }
    return {}


# --- the server -----------------------------------------------------------------------------------


class _Door(asyncio.Protocol):
    """One connection of a caller; calls come one after another."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._data = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        request = split_request(self._data)
        if request is None:
            return
        self._data = b""
        method, target, body = request
        if target.startswith("/_bench/"):
            task = asyncio.create_task(self._control(target.removeprefix("/_bench/"), body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        loop = asyncio.get_running_loop()
        loop.call_later(self._world.latency_s, self._answer, method, target, body)

    def _answer(self, method: str, target: str, body: bytes) -> None:
        told = answer(self._world, method, target, body)
        self._send("404 Not Found" if told is None else "200 OK", told or b"{}")

    async def _control(self, what: str, body: bytes) -> None:
        told = await control(self._world, what, json.loads(body) if body else {})
        self._send("200 OK", json.dumps(told).encode())

    def _send(self, status: str, body: bytes) -> None:
        self._transport.write(_HEAD.format(status=status, n=len(body)).encode() + body)


async def serve(skus: int, latency_s: float) -> tuple[asyncio.Server, World]:
    """Open the server on a free port."""
    world = World(await shapes(), skus, latency_s)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Door(world), "127.0.0.1", 0)
    return server, world


async def _main() -> None:
    server, _ = await serve(int(sys.argv[1]), float(sys.argv[2]))
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
