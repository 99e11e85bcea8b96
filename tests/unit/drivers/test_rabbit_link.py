import asyncio

import pytest

from connector.drivers.metrics import NoMetrics
from connector.drivers.rabbit_broker import RabbitBroker
from connector.drivers.rabbit_link import broker_errors, first_of, place, read_url


def test_heartbeats_are_ours_unless_the_address_names_others():
    assert read_url("amqp://u:p@host/v").query["heartbeat"] == "15"
    assert read_url("amqps://u:p@host:5671/v?heartbeat=30").query["heartbeat"] == "30"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:5672",
        "http://user:hunter2secret@host/",
        "amqp://",
        "amqp://user:hunter2secret@host:port/",
        "amqp:/user:hunter2secret",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(url):
    with pytest.raises(ValueError, match="amqp://user:password@host/vhost") as refused:
        RabbitBroker(url, metrics=NoMetrics())
    assert "hunter2secret" not in repr(refused.value)
    assert refused.value.__cause__ is None


def test_only_the_place_is_shown():
    shown = place(read_url("amqps://user:hunter2secret@rabbit.example:5671/hub?auth=plain"))
    assert shown == "amqps://rabbit.example:5671/hub"


async def test_a_cancellation_of_ours_stays_one():
    async def wait() -> None:
        async with broker_errors():
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_made_up_cancellation_is_a_lost_connection():
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel()
    with pytest.raises(ConnectionError):
        async with broker_errors():
            await future


async def test_a_time_limit_stays_one():
    with pytest.raises(TimeoutError):
        async with broker_errors(), asyncio.timeout(0.01):
            await asyncio.Event().wait()


async def test_the_first_of_several_events():
    never, soon = asyncio.Event(), asyncio.Event()
    assert not await first_of(never, soon, within_s=0.01)
    soon.set()
    assert await first_of(never, soon)


async def test_a_broker_that_was_never_opened_can_be_closed():
    broker = RabbitBroker("amqp://127.0.0.1:1/", metrics=NoMetrics())
    await broker.close(drain_s=0)
