"""The private servers that the proofs run on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

from tests.chaos.crew import Servers
from tests.servers import mongo, rabbit


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


@asynccontextmanager
async def machines(nodes: int = 1) -> AsyncIterator[Machines]:
    """Start both; they end with the block."""
    async with AsyncExitStack() as closing:
        together = await asyncio.gather(
            _entered(closing, mongo.running(nodes)), _entered(closing, rabbit.running())
        )
        yield Machines(*together)  # type: ignore[arg-type]


async def _entered(closing: AsyncExitStack, manager: object) -> object:
    entered = await asyncio.to_thread(manager.__enter__)  # type: ignore[attr-defined]

    @contextmanager
    def leaving():
        try:
            yield
        finally:
            manager.__exit__(None, None, None)  # type: ignore[attr-defined]

    closing.enter_context(leaving())
    return entered
