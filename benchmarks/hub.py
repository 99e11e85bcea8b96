"""A real hub in a process of its own, joined to the stand-in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ground import Embedded, Ground
from benchmarks.processes import Worker, serving
from benchmarks.sizes import BATCH, CONCURRENCY
from benchmarks.wire import ask, encode
from connector.bootstrap import open_hub
from connector.domain.connection import Connection, ConnectionSpec, Purpose
from connector.drivers.vault import generate_key
from connector.flows import connections
from connector.flows.hub import Hub
from connector.flows.secrets import reveal
from connector.ports import Write
from connector.settings import Settings

TOKEN = "benchmark-token-of-the-admin"
_IDLE_S = 60.0
_LATER_S = 86_400.0
"""Second looks and polls come after the measurement: they are work of another moment."""


@dataclass(frozen=True)
class Ledger:
    """Where a hub keeps its things, and the one connection in it."""

    place: Path
    key: str
    connection: Connection
    secret: str
    peers: str

    ground: Ground
    concurrency: int = CONCURRENCY
    """Most calls at once per process."""

    @property
    def settings(self) -> dict[str, str]:
        """The environment of its processes, without the prefix."""
        return {
            "STORE_URL": self.ground.store_url,
            "BROKER_URL": self.ground.broker_url,
            "BIND": "127.0.0.1:0",
            "ADMIN_BIND": "127.0.0.1:0",
            "PUBLIC_URL": "http://127.0.0.1:1",
            "SECRET_KEY": self.key,
            "ADMIN_TOKEN": TOKEN,
            "ALLOW_HOSTS": self.peers,
            "CONCURRENCY": str(self.concurrency),
            "BATCH": str(BATCH),
            "LIMITS": "false",
        }

    def notification(self, sku: int, *, change: bool = True) -> bytes:
        """A whole request that tells of a SKU; without ``change`` all its flags are false."""
        path = f"/vtex/v1/{self.connection.id}/{self.secret}/api/notification/"
        body = {
            "IdSku": str(sku),
            "ProductId": 900,
            "An": self.connection.account,
            "IdAffiliate": self.connection.affiliate_id,
            "DateModified": "2026-01-05T11:02:03.1234567Z",
            "IsActive": True,
            "StockModified": change,
            "PriceModified": change,
            "HasStockKeepingUnitModified": False,
            "HasStockKeepingUnitRemovedFromAffiliate": False,
            "Version": None,
        }
        return encode("POST", path, body)


async def make_ledger(
    place: Path,
    peers: str,
    *,
    gather_s: float = 15,
    ground: Ground | None = None,
    concurrency: int = CONCURRENCY,
    account: str = "simstore",
) -> Ledger:
    """A new ledger with one connection to the stand-in at ``peers`` (``host:port``)."""
    place.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - before anything runs
    key, ground = generate_key(), ground or Embedded(place / "hub.db")
    async with opened(ground, key) as hub:
        connection, secret = await connect(hub, peers, gather_s=gather_s, account=account)
    return Ledger(place, key, connection, secret, peers, ground, concurrency)


async def connect(hub: Hub, peers: str, *, gather_s: float, account: str) -> tuple[Connection, str]:
    """Add a connection; with the secret of its notifications."""
    spec = ConnectionSpec.model_validate(_spec(f"http://{peers}", gather_s, account))
    connection, _ = await connections.add(hub, spec)
    return connection, reveal(hub.vault, connection, Purpose.NOTIFY)


@asynccontextmanager
async def opened(ground: Ground, key: str) -> AsyncIterator[Hub]:
    """The ledger as a command would open it: no servers, no workers."""
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        store_url=ground.store_url,
        secret_key=key,
    )
    async with open_hub(settings, quiet=True) as hub:
        yield hub


def _spec(url: str, gather_s: float, account: str) -> dict[str, Any]:
    return {
        "account": account,
        "affiliate_id": "BNC",
        "sales_channel": 2,
        "app_key": "vtexappkey-simstore-SIMULA",
        "app_token": "simulated-token",
        "vtex_base_url": url,
        "adapter": "demo",
        "adapter_settings": {
            "base_url": url,
            "seller_id": "seller-1",
            "api_key": "demo-key",
            "webhook_secret": "demo-webhook-secret",
        },
        "rules": {
            "default_category": "110",
            "poll_s": _LATER_S,
            "price_second_look_s": _LATER_S,
            "stock_second_look_s": _LATER_S,
            "gather_s": gather_s,
        },
    }


@dataclass
class RunningHub:
    """A hub that serves."""

    ledger: Ledger
    worker: Worker

    @property
    def public(self) -> tuple[str, int]:
        """Where notifications go."""
        return _address(self.worker.told["public"])

    @property
    def admin_address(self) -> tuple[str, int]:
        """Where probes, metrics and the admin API are."""
        return _address(self.worker.told["admin"])

    async def admin(self, method: str, path: str, payload: Any = None) -> Any:
        """Call the admin API."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return await ask(self.admin_address, method, path, payload, headers)

    async def sync(self) -> None:
        """Begin to load the whole sales channel."""
        await self.admin("POST", f"/api/v1/connections/{self.ledger.connection.id}/sync", {})

    async def quiet(self) -> None:
        """Wait until nothing is due and nothing is being worked on."""
        until = time.monotonic() + _IDLE_S
        while await asyncio.to_thread(self.ledger.ground.busy):
            if time.monotonic() > until:
                raise TimeoutError("the hub does not come to rest")
            await asyncio.sleep(0.1)


@asynccontextmanager
async def running(ledger: Ledger, role: str = "all", name: str = "") -> AsyncIterator[RunningHub]:
    """Serve a ledger."""
    async with serving(ledger.place, role, ledger.settings, name or role) as worker:
        yield RunningHub(ledger, worker)


async def save(ledger: Ledger, writes: Sequence[Write]) -> None:
    """Put something into a ledger that nobody serves."""
    async with opened(ledger.ground, ledger.key) as hub:
        for start in range(0, len(writes), 1000):
            await hub.store.commit(writes[start : start + 1000])


def _address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return host, int(port)
