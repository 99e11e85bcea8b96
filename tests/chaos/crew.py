"""Several processes of one hub on private servers, serving several merchants."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from connector.bootstrap import generate_key, open_hub
from connector.domain.connection import ConnectionSpec, Purpose
from connector.domain.pending import Context
from connector.flows import connections
from connector.flows.hub import Hub
from connector.flows.secrets import reveal
from connector.sandbox.demo.installation import free_ports
from connector.sandbox.demo.supervised import Supervised
from connector.settings import Settings
from tests.chaos.merchants import Merchant
from tests.servers.machines import Servers

ROOT = Path(__file__).parents[2]
_SERVE = (sys.executable, "-m", "connector.cli.main", "serve", "--role")
LEASE_S = 5
SHUTDOWN_S = 25


@dataclass
class Crew:
    """The processes of a hub; the first ones are web, the rest workers."""

    place: Path
    settings: dict[str, str]
    web: list[Supervised] = field(default_factory=list)
    workers: list[Supervised] = field(default_factory=list)
    doors: dict[str, str] = field(default_factory=dict)
    """Path of the notifications by merchant."""
    ids: dict[str, str] = field(default_factory=dict)
    """Connection id by merchant."""
    session: aiohttp.ClientSession | None = None  # noqa: TID251 - the proofs are a peer

    @property
    def all(self) -> list[Supervised]:
        """Every process."""
        return [*self.web, *self.workers]

    @property
    def crashes(self) -> list[str]:
        """Ends nobody asked for."""
        return [crash for process in self.all for crash in process.crashes]

    def add(self, role: str) -> Supervised:
        """Another process, not started yet."""
        port, admin = free_ports(2)
        environment = {
            **self.settings,
            "CONNECTOR_BIND": f"127.0.0.1:{port}",
            "CONNECTOR_ADMIN_BIND": f"127.0.0.1:{admin}",
        }
        crew = self.web if role == "web" else self.workers
        log = self.place / f"{role}{len(crew)}.log"
        process = Supervised((*_SERVE, role), environment, log, port if role == "web" else admin)
        crew.append(process)
        return process

    @asynccontextmanager
    async def hub(self) -> AsyncIterator[Hub]:
        """The ledger as a command would open it."""
        named = {
            name.removeprefix("CONNECTOR_").lower(): value
            for name, value in self.settings.items()
            if name.startswith("CONNECTOR_")
        }
        settings = Settings(_env_file=None, **named)  # type: ignore[call-arg, arg-type]
        async with open_hub(settings, quiet=True) as hub:
            yield hub

    async def connect(self, merchants: Iterable[Merchant], **rules: Any) -> None:
        """Add a connection for each."""
        async with self.hub() as hub:
            for merchant in merchants:
                spec = ConnectionSpec.model_validate(merchant.spec(**rules))
                connection, _ = await connections.add(hub, spec)
                secret = reveal(hub.vault, connection, Purpose.NOTIFY)
                path = f"/vtex/v1/{connection.id}/{secret}/api/notification/"
                self.doors[merchant.name], self.ids[merchant.name] = path, connection.id

    async def notify(self, merchant: Merchant, sku: int, *, web: int = 0) -> int:
        """Tell the hub of a change; the answer's status, 0 where there was none."""
        assert self.session is not None
        body = json.dumps(
            {
                "IdSku": str(sku),
                "An": merchant.name,
                "IdAffiliate": "CHS",
                "IsActive": True,
                "StockModified": True,
                "PriceModified": True,
            }
        )
        port = self.web[web % len(self.web)].port
        try:
            url = f"http://127.0.0.1:{port}{self.doors[merchant.name]}"
            async with self.session.post(url, data=body) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0

    async def told(self, merchant: Merchant, sku: int) -> None:
        """Tell the hub of a change until it says that it knows, as VTEX would."""
        attempt = 0
        while await self.notify(merchant, sku, web=attempt) != 200:
            attempt += 1
            await asyncio.sleep(0.1)

    async def listed(self, merchants: Sequence[Merchant], *, within_s: float = 120) -> None:
        """Have every SKU of these merchants listed, by telling of each."""
        for merchant in merchants:
            merchant.world.reset(listings=True)
            await gather_some([self.told(merchant, sku) for sku in merchant.world.all], at_once=32)
        await self.synced(merchants, within_s=within_s)

    async def synced(self, merchants: Sequence[Merchant], *, within_s: float) -> float:
        """Wait until these merchants' marketplaces have everything; how long that took."""
        began = time.monotonic()
        async with asyncio.timeout(within_s):
            while any(merchant.world.behind for merchant in merchants):  # noqa: ASYNC110 - polls
                await asyncio.sleep(0.05)
        return time.monotonic() - began

    async def parked(self) -> int:
        """How many keys wait for a person."""
        async with self.hub() as hub:
            stats = await hub.store.pending_stats(hub.now())
            return sum(one.parked for one in stats if one.context is Context.LISTINGS)


async def gather_some(work: Sequence[Any], *, at_once: int) -> None:
    """Do all of it, so much at once."""
    gate = asyncio.Semaphore(at_once)

    async def one(each: Any) -> None:
        async with gate:
            await each

    await asyncio.gather(*(one(each) for each in work))


@asynccontextmanager
async def crew(
    servers: Servers,
    merchants: Sequence[Merchant],
    *,
    web: int = 1,
    workers: int = 2,
    settings: dict[str, str] | None = None,
    **rules: Any,
) -> AsyncIterator[Crew]:
    """Connect the merchants and start the processes; all are ended at the end."""
    with tempfile.TemporaryDirectory(prefix="hub-chaos-") as folder:
        place = Path(folder)
        one = Crew(place, _environment(place, servers, merchants, settings or {}))
        await one.connect(merchants, **rules)
        for role, count in (("web", web), ("worker", workers)):
            for _ in range(count):
                one.add(role)
        try:
            await asyncio.gather(*(process.start() for process in one.all))
            connector = aiohttp.TCPConnector(limit=200)
            timeout = aiohttp.ClientTimeout(total=15)
            async with aiohttp.ClientSession(  # noqa: TID251 - the proofs are a peer
                connector=connector, timeout=timeout
            ) as one.session:
                yield one
        finally:
            await asyncio.gather(*(each.end(signal.SIGTERM, SHUTDOWN_S + 3) for each in one.all))


def _environment(
    place: Path, servers: Servers, merchants: Sequence[Merchant], settings: dict[str, str]
) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CONNECTOR_")}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "CONNECTOR_STORE_URL": servers.store_url or f"sqlite:///{place}/hub.db",
        "CONNECTOR_BROKER_URL": servers.broker_url,
        "CONNECTOR_PUBLIC_URL": "http://127.0.0.1:1",
        "CONNECTOR_SECRET_KEY": generate_key(),
        "CONNECTOR_ALLOW_HOSTS": ",".join(merchant.host for merchant in merchants),
        "CONNECTOR_LEASE_S": str(LEASE_S),
        "CONNECTOR_SHUTDOWN_S": str(SHUTDOWN_S),
        **settings,
    }
