import asyncio
import os
from collections import Counter
from collections.abc import Callable

import aio_pika
import pytest

from connector.drivers import rabbit_consumer
from connector.drivers.rabbit_broker import RabbitBroker
from connector.drivers.rabbit_publisher import PUBLISH_S
from tests.integration.rabbit.support import Limits
from tests.servers import rabbit
from tests.servers.proxy import FaultProxy


class Told:
    """Metrics that remember."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count(self, name: str, value: float = 1, **labels: str) -> None:
        self.counts[name] += int(value)
        for label in labels.values():
            self.counts[f"{name} {label}"] += int(value)

    def observe(self, name: str, value: float, **labels: str) -> None:
        raise AssertionError(f"{name}: the broker measures no durations")


@pytest.fixture
async def node() -> rabbit.Rabbit:
    return await asyncio.to_thread(rabbit.shared)


@pytest.fixture
async def vhost(node) -> str:
    return await asyncio.to_thread(node.vhost)


@pytest.fixture
async def proxy(node):
    async with FaultProxy(node.port) as proxy:
        yield proxy


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def limits(monkeypatch) -> Limits:
    """Short ones, so that faults that outlast them are short, too. The long form of the proofs
    asks for the hub's own.
    """
    if os.environ.get("CONNECTOR_LONG_FORM") == "1":
        return Limits(PUBLISH_S, rabbit_consumer.WATCH_EVERY_S, lasts_s=16)
    monkeypatch.setattr(rabbit_consumer, "_ANSWER_S", 1.0)
    return Limits(publish_s=1, watch_every_s=1, lasts_s=2.5)


@pytest.fixture
def took(record_property):
    """Put down how long something took, for the table of proofs."""
    seconds: list[float] = []
    yield seconds.append
    record_property("took_s", max(seconds, default=0.0))


@pytest.fixture
async def make_broker(node, vhost, told):
    """Open brokers, as processes of one hub do; ``port`` of a proxy between."""
    brokers: list[RabbitBroker] = []

    async def make(*, port: int | None = None, **options) -> RabbitBroker:
        broker = RabbitBroker(node.url(vhost, port=port), metrics=told, **options)
        brokers.append(broker)
        await broker.open()
        return broker

    yield make
    for broker in brokers:
        await broker.close(drain_s=0)


@pytest.fixture
async def broker(make_broker) -> RabbitBroker:
    return await make_broker()


@pytest.fixture
async def start():
    """Consume in the background until the test is over."""
    tasks: list[asyncio.Task[None]] = []

    def begin(broker, handler: Callable, *queues: str, workers: int = 16) -> asyncio.Task[None]:
        names = queues or ("listings.demo",)
        tasks.append(asyncio.create_task(broker.consume(names, handler, workers=workers)))
        return tasks[-1]

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def channel(node, vhost):
    """A channel of an outsider, straight to RabbitMQ."""
    connection = await aio_pika.connect(node.url(vhost))
    yield await connection.channel()
    await connection.close()
