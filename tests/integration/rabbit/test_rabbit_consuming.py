"""Taking turns: whatever ends a consumer, there is a new one soon, and nothing is lost."""

import asyncio
import json

import aio_pika
import pytest
from aio_pika.exceptions import ChannelNotFoundEntity

from connector.drivers.rabbit_broker import RabbitBroker
from connector.drivers.rabbit_topology import DEAD, declare
from tests.integration.rabbit.support import LISTINGS, Sweeper, attempt, publishing, turn, until
from tests.servers.proxy import Faults
from tests.servers.rabbit import ROOT

BACK_S = 15
HEALED_S = 30


@pytest.fixture
async def sweep():
    sweepers: list[Sweeper] = []

    def begin(broker, connections: set[str], **more) -> Sweeper:
        sweepers.append(Sweeper(broker, connections, **more))
        return sweepers[-1]

    yield begin
    for sweeper in sweepers:
        await sweeper.end()


async def works(sweeper: Sweeper, *, within_s: float) -> float:
    """Something new is asked for and done; returns how long that took."""
    sweeper.due.update(f"new {number}" for number in range(50))
    return await until(lambda: not sweeper.due, within_s=within_s)


async def consumers(channel) -> int:
    queue = await channel.declare_queue(LISTINGS, passive=True)
    return queue.declaration_result.consumer_count or 0


@pytest.mark.parametrize("ending", ["queue deleted", "connection closed", "channel error"])
async def test_a_consumer_that_ends_is_made_anew(
    *, node, vhost, broker, make_broker, start, sweep, channel, told, took, ending
):
    sweeper = sweep(await make_broker(), {"first"})
    start(broker, sweeper.handle)
    await until(lambda: not sweeper.due)
    if ending == "queue deleted":
        await channel.queue_delete(LISTINGS)  # RabbitMQ cancels the consumer, nothing fails
    elif ending == "connection closed":
        await asyncio.to_thread(node.ctl, "close_all_connections", "--vhost", vhost, "test")
    else:
        connection = await broker._consuming.connection()
        for number, raw in list(connection.transport.connection.channels.items()):
            if number and raw is not None and raw.consumers:
                with pytest.raises(ChannelNotFoundEntity):
                    await raw.queue_declare("no such queue", passive=True)
    took(await works(sweeper, within_s=BACK_S))
    await until(lambda: told.counts[f"broker_consumers_restored_total {LISTINGS}"] >= 1)


async def test_a_cancel_that_was_missed_is_noticed_by_watching(
    *, make_broker, start, sweep, channel, told, took, limits
):
    broker = await make_broker(watch_every_s=limits.watch_every_s)
    sweeper = sweep(await make_broker(), {"first"})
    start(broker, sweeper.handle)
    await until(lambda: not sweeper.due)
    connection = await broker._consuming.connection()
    for raw in connection.transport.connection.channels.values():
        if raw is not None:
            raw.on_consumer_cancel_callbacks.clear()
    await channel.queue_delete(LISTINGS)
    took(await works(sweeper, within_s=BACK_S))
    assert told.counts[f"broker_consumers_restored_total {LISTINGS}"] >= 1


async def test_a_consumer_timeout_is_survived(*, node, broker, start, told, took):
    """RabbitMQ 3.10 closes the channel of who keeps a message too long."""
    gate = asyncio.Event()
    begun: list[str] = []

    async def handler(one) -> None:
        begun.append(one.connection)
        if len(begun) == 1:
            await gate.wait()

    def limit(milliseconds: int) -> None:
        node.ctl("eval", f"application:set_env(rabbit, consumer_timeout, {milliseconds}).")

    await asyncio.to_thread(limit, 1000)
    try:
        start(broker, handler)
        await broker.ring(turn())
        # It is delivered again while its first handler still sits on it.
        took(await until(lambda: len(begun) == 2, within_s=BACK_S))
        assert told.counts[f"broker_consumers_restored_total {LISTINGS}"] == 1
    finally:
        await asyncio.to_thread(limit, 1_800_000)
    gate.set()  # and acknowledges on a channel that is gone
    await broker.ring(turn("after"))
    await until(lambda: "after" in begun)


@pytest.mark.parametrize(
    "fault", ["reset", "blackhole", "slow", "half closed", "lost server", "down"]
)
async def test_consumers_are_back_after_the_network_is(
    *, make_broker, start, sweep, proxy, fault, limits, told, took
):
    """With the hub's own limits it takes 10 s to look, 5 to doubt, 5 to connect: 20 of 30."""
    broker = await make_broker(
        port=proxy.port,
        watch_every_s=limits.watch_every_s,
        publish_timeout_s=limits.publish_s,
    )
    sweeper = sweep(await make_broker(), {f"{number}" for number in range(20)})
    start(broker, sweeper.handle)
    await until(lambda: not sweeper.due)
    if fault == "reset":
        for _ in range(5):
            await proxy.reset()
            await asyncio.sleep(0.1)
    elif fault == "blackhole":
        proxy.faults = Faults(blackhole=True)
    elif fault == "slow":
        proxy.faults = Faults(latency_s=1, jitter_s=4, slice_bytes=50, slice_pause_s=0.1)
    elif fault == "half closed":
        await proxy.half_close()
    elif fault == "lost server":
        await proxy.lose_server()
    else:
        await proxy.down()
    sweeper.due.update(f"during {number}" for number in range(50))
    if fault in {"blackhole", "slow", "down"}:
        await asyncio.sleep(limits.lasts_s)
    await proxy.up()
    proxy.heal()
    took(await works(sweeper, within_s=HEALED_S))
    published = told.counts["broker_published_total"]
    async with asyncio.timeout(HEALED_S):  # and what it asks for itself gets through as well
        while told.counts["broker_published_total"] == published:
            await broker.ring(turn("its own"))
            await asyncio.sleep(0.1)


async def test_while_rabbitmq_is_away_a_process_takes_the_turns_it_asks_for(
    *, make_broker, start, sweep, proxy, told
):
    broker, elsewhere = await make_broker(port=proxy.port), await make_broker()
    sweeper, other = sweep(broker, {"first"}), sweep(elsewhere, set())
    handled: list[str] = []

    async def handle(one) -> None:
        handled.append(one.connection)
        await sweeper.handle(one)
        await other.handle(one)

    start(broker, handle)
    await until(lambda: not sweeper.due)
    await proxy.down()
    other.due.add("rung elsewhere")
    await until(lambda: told.counts["broker_connections_lost_total"] >= 1, within_s=5)
    for number in range(3):
        sweeper.due.update(f"{number} of {each}" for each in range(50))
        await until(lambda: not sweeper.due, within_s=5)
    assert "rung elsewhere" not in handled  # nothing came through
    await proxy.up()
    await until(lambda: not other.due, within_s=HEALED_S)
    await sweeper.end()
    seen = len(handled)
    await broker.ring(turn("last"))
    await until(lambda: told.counts["broker_published_total"] and "last" in handled)
    await elsewhere.ring(turn("after it"))
    await until(lambda: "after it" in handled)
    assert handled[seen:].count("last") == 1  # by RabbitMQ alone again


@pytest.mark.usefixtures("limits")
async def test_a_killed_rabbitmq_comes_back_with_its_turns(
    *, node, vhost, channel, broker, make_broker, start, sweep, told, took
):
    """And a queue that it had known for less than half a second is made anew: RabbitMQ 3.10
    recovers that one without its log, and no leader is ever elected for it.
    """
    kept = {f"kept {number}" for number in range(30)}
    elsewhere = await make_broker()
    async with publishing(node.url(vhost), told) as publisher:
        await publisher.publish(turn("first"))
        await asyncio.sleep(1.5)  # the server's own timer: only then does it survive a kill
        for name in sorted(kept):
            await publisher.publish(turn(name))
        await declare(channel._connection, "listings.young")
        await asyncio.to_thread(node.kill)
        done: set[str] = set()

        async def handle(one) -> None:
            done.add(one.connection)

        start(broker, handle)
        young = sweep(elsewhere, {"a", "b"}, adapter="young")
        start(broker, young.handle, "listings.young")
        await asyncio.to_thread(node.start)
        took(await until(lambda: kept <= done, within_s=HEALED_S))
        assert (await attempt(publisher, turn()))[0] == ""
    await until(lambda: not young.due, within_s=60)
    assert told.counts["broker_queues_remade_total listings.young"] == 1


async def test_an_unreadable_message_is_put_aside(broker, start, channel, told):
    seen: list[str] = []

    async def handler(one) -> None:
        seen.append(one.connection)

    start(broker, handler)
    await broker.ring(turn("before"))
    await until(lambda: seen)
    bodies = [b"", b"\xff", b"[]", b'{"v":2,"connection":"a","context":"listings"}', b"{" * 5000]
    for body in bodies:
        await channel.default_exchange.publish(aio_pika.Message(body), LISTINGS)
    await broker.ring(turn("after"))
    await until(lambda: "after" in seen)
    assert told.counts["broker_unreadable_total"] == len(bodies)
    dead = await channel.get_queue(DEAD)
    letters = [await dead.get(timeout=10, fail=True) for _ in range(1)]
    while len(letters) < len(bodies):
        letter = await dead.get(fail=False)
        if letter is not None:
            letters.append(letter)
    assert sorted(letter.body for letter in letters) == sorted(bodies)
    assert {letter.headers["x-first-death-reason"] for letter in letters} == {"rejected"}
    for letter in letters:
        await letter.ack()


async def test_a_message_that_kills_whoever_takes_it_is_put_aside(node, vhost, told, channel):
    async with publishing(node.url(vhost), told) as publisher:
        await publisher.publish(turn("deadly"))
    queue = await channel.get_queue(LISTINGS)
    deliveries = 0
    while (message := await queue.get(fail=False)) is not None:
        deliveries += 1
        await message.nack(requeue=True)  # counts like a lost connection, until RabbitMQ 4.3
    assert deliveries == 21
    dead = await channel.get_queue(DEAD)
    letter = None
    async with asyncio.timeout(10):
        while letter is None:
            letter = await dead.get(fail=False)
    assert json.loads(letter.body)["connection"] == "deadly"
    assert letter.headers["x-first-death-reason"] == "delivery_limit"
    await letter.ack()


async def test_an_acknowledgement_of_a_lost_channel_harms_nobody(node, vhost, broker, start):
    gate = asyncio.Event()
    begun: list[str] = []

    async def handler(one) -> None:
        begun.append(one.connection)
        await gate.wait()

    start(broker, handler)
    await broker.ring(turn("a"))
    await until(lambda: begun == ["a"])
    await asyncio.to_thread(node.ctl, "close_all_connections", "--vhost", vhost, "test")
    await until(lambda: begun == ["a", "a"], within_s=BACK_S)  # delivered again
    gate.set()
    await broker.ring(turn("b"))
    await until(lambda: "b" in begun)


async def test_the_permissions_that_are_deployed_suffice(*, node, vhost, told, start):
    deployed = json.loads((ROOT / "deploy/rabbitmq/definitions.json").read_text())
    rights = next(one for one in deployed["permissions"] if one["user"] == "hub")
    patterns = (rights["configure"], rights["write"], rights["read"])
    await asyncio.to_thread(node.ctl, "add_user", f"hub-{vhost}", "secret")
    await asyncio.to_thread(node.ctl, "set_permissions", "-p", vhost, f"hub-{vhost}", *patterns)
    seen: list[str] = []

    async def handler(one) -> None:
        seen.append(one.connection)

    url = node.url(vhost).replace("guest:guest", f"hub-{vhost}:secret")
    broker = RabbitBroker(url, metrics=told)
    await broker.open()
    start(broker, handler)
    await broker.ring(turn())
    await until(lambda: seen)
    await broker.close(drain_s=1)


async def test_late_handlers_are_cut_off_and_their_turns_given_back(make_broker, start, channel):
    first = await make_broker()
    begun = asyncio.Event()

    async def stuck(_) -> None:
        begun.set()
        await asyncio.Event().wait()

    consuming = start(first, stuck)
    await first.ring(turn("a"))
    await begun.wait()
    await first.close(drain_s=0.1)
    await consuming
    left = await channel.get_queue(LISTINGS)
    message = await left.get(timeout=5)
    assert message.redelivered
    await message.ack()


async def test_closing_leaves_nothing_behind(make_broker, start, channel):
    before = asyncio.all_tasks()
    broker = await make_broker()
    consuming = start(broker, lambda _: asyncio.sleep(0), LISTINGS, "orders.demo")
    for number in range(50):
        await broker.ring(turn(str(number)))
    await broker.close(drain_s=5)
    await consuming
    await until(lambda: asyncio.all_tasks() <= before, within_s=5)
    assert await consumers(channel) == 0
