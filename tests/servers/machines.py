"""Both private servers together, as proofs and benchmarks run on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tests.servers import mongo, rabbit


@dataclass(frozen=True)
class Servers:
    """Where ledger and broker are."""

    store_url: str
    broker_url: str = "memory://"


@dataclass
class Machines:
    """A MongoDB set and a RabbitMQ node that may be killed."""

    mongo: mongo.MongoSet
    rabbit: rabbit.Rabbit

    async def fresh(self) -> Servers:
        """A new database and a new vhost on them."""
        vhost = await asyncio.to_thread(self.rabbit.vhost)
        return Servers(self.mongo.url(), self.rabbit.url(vhost))

    async def lose_the_primary(self, away_s: float = 4.0) -> None:
        """Kill the primary; after a while it comes back as a secondary."""
        node = await asyncio.to_thread(self.mongo.primary)
        await asyncio.to_thread(self.mongo.kill, node)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(self.mongo.restart, node)

    async def lose_the_broker(self, away_s: float = 2.0) -> None:
        """Kill RabbitMQ and start it again with its data."""
        await asyncio.to_thread(self.rabbit.kill)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(self.rabbit.start)


def available() -> bool:
    """Whether both servers can be had here."""
    return mongo.binary() is not None and rabbit.binaries() is not None


@asynccontextmanager
async def machines(nodes: int = 1) -> AsyncIterator[Machines]:
    """Start both servers; they end with the block."""
    async with AsyncExitStack() as closing:
        started = []
        for manager in (mongo.running(nodes), rabbit.running()):
            started.append(await asyncio.to_thread(manager.__enter__))
            closing.push_async_callback(asyncio.to_thread, manager.__exit__, None, None, None)
        yield Machines(*started)
