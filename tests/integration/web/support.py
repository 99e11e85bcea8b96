"""A hub on SQLite behind its real servers, with peers that answer what a test tells them."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestClient, TestServer
from yarl import URL

from connector.bootstrap import open_hub
from connector.domain.clock import Clock
from connector.domain.connection import Connection, ConnectionSpec, Purpose
from connector.domain.http import Request, Response, json_response
from connector.drivers.clock import SystemClock
from connector.drivers.vault import AesVault, generate_key
from connector.flows.connections import add
from connector.flows.hub import Hub
from connector.flows.secrets import reveal
from connector.peerbook import LivePeers
from connector.ports import StoreUnavailable
from connector.sdk.registry import discover
from connector.settings import Settings
from connector.web.public import PublicSite

APP_SECRET = "the-secret-of-the-vtex-app"
HOOK_SECRET = "the-secret-of-the-demo-hook"
APP_SETTINGS = {"demo": {"webhook_path_secret": HOOK_SECRET, "webhook_secret": "app-signing-key"}}


class Recorder:
    """Metrics that tests can read."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()

    def count(self, name: str, value: float = 1, **labels: str) -> None:
        self.counts[(name, *(str(labels[key]) for key in sorted(labels)))] += value

    def observe(self, name: str, value: float, **labels: str) -> None:
        self.counts[(name,)] += 1


class Peer:
    """An ``Http`` that answers what it is told to and remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[Request] = []
        self.answer: Callable[[Request], Response] = lambda _: json_response({}, 404)

    async def send(self, request: Request) -> Response:
        self.calls.append(request)
        return self.answer(request)


class Pool:
    """Gives out the same peer for the same name."""

    def __init__(self) -> None:
        self.peers: dict[str, Peer] = {}

    def peer(self, name: str, **_: Any) -> Peer:
        return self.peers.setdefault(name, Peer())


class FullDisk:
    """A store whose writes fail while ``full``."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.full = self.gone = False

    async def commit(self, writes: Sequence[Any]) -> None:
        if self.full:
            raise StoreUnavailable("disk full")
        await self._inner.commit(writes)

    async def next_due(self) -> Any:
        if self.gone:
            raise StoreUnavailable("away")
        return await self._inner.next_due()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class SiteServer(BaseTestServer):
    """The site's own server; aiohttp's test server would cancel handlers."""

    def __init__(self, site: PublicSite) -> None:
        super().__init__()
        self._site = site

    async def _make_runner(self, **_: Any) -> web.ServerRunner:
        return web.ServerRunner(self._site.server(), shutdown_timeout=1)


class World:
    """A hub with two connections of two merchants."""

    def __init__(self, hub: Hub, pool: Pool, store: FullDisk, metrics: Recorder) -> None:
        self.hub, self.pool, self.store, self.metrics = hub, pool, store, metrics
        self.one: Connection
        self.two: Connection

    def secret(self, purpose: Purpose, connection: Connection | None = None) -> str:
        return reveal(self.hub.vault, connection or self.one, purpose)

    def vtex(self, purpose: Purpose, rest: str, connection: Connection | None = None) -> str:
        connection = connection or self.one
        return f"/vtex/v1/{connection.id}/{self.secret(purpose, connection)}/{rest}"

    def answer(self, name: str, payload: Any, status: int = 200) -> Peer:
        peer = self.pool.peer(name)
        peer.answer = lambda _: json_response(payload, status)
        return peer

    def refused(self, route: str, status: int) -> float:
        return self.metrics.counts["web_refused_total", route, str(status)]


def spec(account: str = "simstore", affiliate: str = "XPT", **changes: Any) -> ConnectionSpec:
    values: dict[str, Any] = {
        "account": account,
        "affiliate_id": affiliate,
        "sales_channel": 2,
        "app_key": "key",
        "app_token": "token",
        "adapter": "demo",
        "adapter_settings": {
            "base_url": "https://api.demo.example",
            "seller_id": f"seller-{account}",
            "api_key": "demo-key",
            "webhook_secret": "demo-signing-key",
        },
    }
    return ConnectionSpec.model_validate(values | changes)


@asynccontextmanager
async def world(tmp_path: Any, clock: Clock | None = None) -> Any:
    """A hub with two connections; nothing works on what it takes."""
    from connector.drivers.sqlite_store import SqliteStore

    clock = clock or SystemClock()
    settings = Settings(store_url=f"sqlite:///{tmp_path}/hub.db", public_url="https://hub.example")
    vault, registry = AesVault([generate_key()]), discover()
    pool, metrics = Pool(), Recorder()
    store = FullDisk(SqliteStore(settings.store_url, clock))
    peers = LivePeers(
        pool=pool, vault=vault, registry=registry, clock=clock, store=store, metrics=metrics
    )
    async with open_hub(
        settings,
        store=store,
        clock=clock,
        vault=vault,
        metrics=metrics,
        registry=registry,
        peers=peers,
    ) as hub:
        it = World(hub, pool, store, metrics)
        it.one, _ = await add(hub, spec())
        it.two, _ = await add(hub, spec("otherstore", "BRL"))
        yield it
    await store.close()


@asynccontextmanager
async def served(hub: Hub, **options: Any) -> Any:
    """The public site on a socket of its own."""
    options = {"app_secret": APP_SECRET, "app_settings": APP_SETTINGS} | options
    async with TestClient(SiteServer(PublicSite(hub, **options))) as client:
        yield client


@asynccontextmanager
async def served_app(app: Any) -> Any:
    async with TestClient(TestServer(app)) as client:
        yield client


async def call(
    client: TestClient, method: str, path: str, body: Any = None, **kwargs: Any
) -> tuple[int, Any, Mapping[str, str]]:
    """Send one request, its path as it is, and read status, body and headers."""
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    url = URL(path, encoded=True)
    data = io.BytesIO(body) if isinstance(body, bytes) else None
    async with client.request(method, url, data=data, **kwargs) as response:
        raw = await response.read()
        try:
            told = json.loads(raw) if raw else None
        except ValueError:
            told = raw
        return response.status, told, response.headers


def without_date(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "Date"}
