import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from connector.drivers.http import HttpPool

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


class HandClock:
    """A clock that moves only while somebody sleeps by it."""

    def __init__(self) -> None:
        self.moment = T0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    def wall(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds)

    def move(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Told:
    """Metrics that remember."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()

    def count(self, name: str, value: float = 1, **labels: str) -> None:
        assert name == "http_calls_total"
        self.outcomes[labels["outcome"]] += 1

    def observe(self, name: str, value: float, **labels: str) -> None:
        assert (name, set(labels)) == ("http_seconds", {"peer", "operation"})


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def make_pool(clock, told):
    pools: list[HttpPool] = []

    def make(**settings) -> HttpPool:
        settings = {"allow_hosts": ["127.0.0.1", "localhost"], **settings}
        pools.append(HttpPool(clock=clock, metrics=told, **settings))
        return pools[-1]

    yield make
    for pool in pools:
        await pool.close()
        await pool.close()


@pytest.fixture
async def serve():
    """Start a real server from an aiohttp handler; returns its URL."""
    servers: list[TestServer] = []

    async def start(handler, **more) -> str:
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{tail:.*}", handler)
        server = TestServer(app, **more)
        await server.start_server()
        servers.append(server)
        return str(server.make_url("")).rstrip("/")

    yield start
    for server in servers:
        await server.close()


@pytest.fixture
async def serve_raw():
    """Start a server that speaks what a test wants; returns its URL."""
    servers: list[asyncio.Server] = []

    async def start(talk: Raw, **more) -> str:
        async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await talk(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(closing, "127.0.0.1", 0, **more)
        servers.append(server)
        scheme = "https" if more.get("ssl") else "http"
        return f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.fixture
def fake_names(monkeypatch):
    """Let names stand for the addresses that a test wants."""

    def fake(names: dict[str, list[str]]) -> None:
        class Names:
            async def resolve(self, host, port=0, family=socket.AF_INET):
                if host not in names:
                    raise OSError("no such name")
                return [
                    {
                        "hostname": host,
                        "host": ip,
                        "port": port,
                        "family": socket.AF_INET6 if ":" in ip else socket.AF_INET,
                        "proto": 0,
                        "flags": 0,
                    }
                    for ip in names[host]
                ]

            async def close(self):
                pass

        monkeypatch.setattr(aiohttp, "DefaultResolver", Names)

    return fake
