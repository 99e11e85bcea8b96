"""Words for tests of the RabbitMQ driver."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from connector.domain.pending import Context
from connector.drivers.rabbit_link import Link, read_url
from connector.drivers.rabbit_publisher import NotSent, Publisher
from connector.ports import Turn

LISTINGS = "listings.demo"


def turn(connection: str = "a", adapter: str = "demo") -> Turn:
    return Turn(connection, Context.LISTINGS, adapter)


async def until(condition: Callable[[], object], *, within_s: float = 10) -> float:
    """Poll until ``condition`` holds; returns how long that took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - any condition, not one of ours
            await asyncio.sleep(0.01)
    return loop.time() - began


@dataclass(frozen=True)
class Limits:
    """How long the broker waits for what, and how long a fault lasts that is to outlast it; s."""

    publish_s: float
    watch_every_s: float
    lasts_s: float


@contextlib.asynccontextmanager
async def publishing(url: str, told, **options) -> AsyncIterator[Publisher]:
    """A publisher on a connection of its own."""
    link = Link(read_url(url), use="publish", metrics=told)
    await link.open(patience_s=10)
    try:
        yield Publisher(link, told, **options)
    finally:
        await link.close()


async def attempt(publisher: Publisher, one: Turn) -> tuple[str, float]:
    """Why a turn was not sent (empty: it was), and how long that took to say."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        await publisher.publish(one)
    except NotSent as error:
        return error.reason, loop.time() - began
    return "", loop.time() - began


class Sweeper:
    """A hub's ledger and sweeper in small: work that is asked for until it is done."""

    def __init__(self, broker, connections: set[str], *, adapter: str = "demo") -> None:
        self._broker = broker
        self._adapter = adapter
        self.due = set(connections)
        self._task = asyncio.create_task(self._sweep())

    async def handle(self, one: Turn) -> None:
        self.due.discard(one.connection)

    async def _sweep(self) -> None:
        while True:
            for connection in sorted(self.due):
                await self._broker.ring(turn(connection, self._adapter), repeated=True)
            await asyncio.sleep(0.5)

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
