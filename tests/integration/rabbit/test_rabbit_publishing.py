"""Sending turns: bounded, confirmed, routed, and never anybody's problem."""

import asyncio
import logging

import pytest

from connector.drivers.rabbit_broker import BrokerUnavailable, QueueMismatch, RabbitBroker
from connector.drivers.rabbit_topology import declare, turn_arguments
from tests.integration.rabbit.support import LISTINGS, Sweeper, attempt, publishing, turn, until
from tests.servers.proxy import Faults

LIMIT_S = 5.0


async def test_what_is_sent_is_durable_and_says_no_more_than_it_must(node, vhost, told, channel):
    async with publishing(node.url(vhost), told) as publisher:
        await publisher.publish(turn("acme"))
    message = await (await channel.get_queue(LISTINGS)).get()
    assert message.body == b'{"v":1,"connection":"acme","context":"listings"}'
    assert message.delivery_mode == 2
    assert set(message.headers) <= {"x-delivery-count"}  # RabbitMQ's own
    await message.ack()


async def test_a_publish_while_rabbitmq_is_away_ends(*, node, vhost, told, proxy, took):
    async with publishing(node.url(vhost, port=proxy.port), told) as publisher:
        assert await attempt(publisher, turn()) == ("", pytest.approx(0, abs=5))
        await proxy.down()
        outcomes = await asyncio.gather(*(attempt(publisher, turn(str(n))) for n in range(50)))
        assert {reason for reason, _ in outcomes} <= {"away", "lost"}
        took(max(seconds for _, seconds in outcomes))
        assert max(seconds for _, seconds in outcomes) <= LIMIT_S
        assert told.counts["broker_publish_failures_total"] == 50
        await proxy.up()
        await publisher.publish(turn())


@pytest.mark.parametrize("queue_is", ["deleted", "full"])
async def test_an_unroutable_or_refused_publish_is_reported(
    *, node, vhost, told, channel, make_broker, start, queue_is
):
    """One that RabbitMQ took but put nowhere is no success: 100 of 100 are reported."""
    seen: set[str] = set()

    async def handler(one) -> None:
        seen.add(one.connection)

    async with publishing(node.url(vhost), told) as publisher:
        await publisher.publish(turn())
        if queue_is == "full":
            await asyncio.to_thread(
                node.ctl,
                *("set_policy", "-p", vhost, "tiny", "^listings", '{"max-length": 1}'),
                *("--apply-to", "queues"),
            )
            await publisher.publish(turn())  # a quorum queue refuses when it is over its limit
        reported = 0
        for number in range(100):
            if queue_is == "deleted":
                await publisher.publish(turn())  # makes the queue anew, once it knows
                await channel.queue_delete(LISTINGS)
            reason, _ = await attempt(publisher, turn(str(number)))
            reported += reason == {"deleted": "unroutable", "full": "refused"}[queue_is]
        assert reported == 100
        assert told.counts["broker_publish_failures_total"] == 100
    # After repair (by the driver itself, or of the policy) the work is done.
    if queue_is == "full":
        await asyncio.to_thread(node.ctl, "clear_policy", "-p", vhost, "tiny")
    broker = await make_broker()
    start(broker, handler)
    for number in range(100):
        await broker.ring(turn(str(number)))
    await until(lambda: {str(number) for number in range(100)} <= seen, within_s=30)


async def test_a_queue_that_is_just_being_declared_loses_nothing(node, vhost, told, channel):
    """Two processes start at once: the second to declare a queue finds one without leader."""
    async with publishing(node.url(vhost), told) as publisher:
        for number in range(60):
            one = turn(adapter=f"new{number}")
            _, (reason, _) = await asyncio.gather(
                declare(channel._connection, one.queue), attempt(publisher, one)
            )
            assert reason == ""


@pytest.mark.parametrize("fault", ["blackhole", "slow", "lost server", "paused"])
async def test_a_publish_to_who_does_not_answer_ends(*, node, vhost, told, proxy, took, fault):
    async with publishing(node.url(vhost, port=proxy.port), told) as publisher:
        await publisher.publish(turn())
        if fault == "blackhole":
            proxy.faults = Faults(blackhole=True)
        elif fault == "slow":
            proxy.faults = Faults(latency_s=6, jitter_s=1)
        elif fault == "lost server":
            await proxy.lose_server()
        else:
            node.pause()
        try:
            outcomes = await asyncio.gather(*(attempt(publisher, turn(str(n))) for n in range(20)))
        finally:
            node.resume()
            proxy.heal()
        assert {reason for reason, _ in outcomes} == {"timeout"}
        took(max(seconds for _, seconds in outcomes))
        assert max(seconds for _, seconds in outcomes) <= LIMIT_S
        # The connection that did not answer is replaced.
        assert await attempt(publisher, turn()) == ("", pytest.approx(0, abs=LIMIT_S))


@pytest.mark.parametrize("fault", ["reset", "half closed", "down and up", "cut"])
async def test_a_publish_over_a_broken_connection_ends(*, node, vhost, told, proxy, took, fault):
    """aiormq cancels what waits on a connection that ends: it must not look like our own end."""
    async with publishing(node.url(vhost, port=proxy.port), told) as publisher:
        await publisher.publish(turn())
        proxy.faults = Faults(latency_s=0.3)  # so that publishes are under way
        sending = [asyncio.create_task(attempt(publisher, turn(str(n)))) for n in range(20)]
        await asyncio.sleep(0.1)
        proxy.heal()
        if fault == "reset":
            await proxy.reset()
        elif fault == "half closed":
            await proxy.half_close()
        elif fault == "cut":
            proxy.faults = Faults(limit_bytes=1)
        else:
            await proxy.down()
            await proxy.up()
        outcomes = await asyncio.gather(*sending)
        proxy.heal()
        assert {reason for reason, _ in outcomes} <= {"lost", ""}
        took(max(seconds for _, seconds in outcomes))
        assert max(seconds for _, seconds in outcomes) <= LIMIT_S
        await until(lambda: proxy.open == 1)
        assert (await attempt(publisher, turn()))[0] == ""


async def test_an_alarm_stops_publishing_and_not_consuming(*, node, vhost, told, broker, start):
    seen: list[str] = []

    async def handler(one) -> None:
        seen.append(one.connection)

    async with publishing(node.url(vhost), told, timeout_s=1) as publisher:
        for name in ("a", "b"):
            await publisher.publish(turn(name))
        alarm = "{{resource_limit, memory, node()}, []}"
        await asyncio.to_thread(node.ctl, "eval", f"rabbit_alarm:set_alarm({alarm}).")
        try:
            reasons = {(await attempt(publisher, turn()))[0] for _ in range(3)}
            assert reasons <= {"timeout", "blocked"}
            start(broker, handler)
            await until(lambda: len(seen) >= 2)
        finally:
            await asyncio.to_thread(
                node.ctl, "eval", "rabbit_alarm:clear_alarm({resource_limit, memory, node()})."
            )

        async def sent() -> bool:
            return (await attempt(publisher, turn()))[0] == ""

        async with asyncio.timeout(15):
            while not await sent():
                pass


async def test_a_queue_with_other_arguments_is_an_error_that_says_so(
    vhost, told, node, channel, broker
):
    await channel.declare_queue(
        LISTINGS, durable=True, arguments={**turn_arguments(), "x-max-length": 5}
    )
    async with publishing(node.url(vhost), told) as publisher:
        assert (await attempt(publisher, turn()))[0] == "mismatch"

    async def handler(_) -> None:
        raise AssertionError("nothing is delivered")

    async with asyncio.timeout(10):
        with pytest.raises(QueueMismatch, match=r"listings\.demo.*x-max-length"):
            await broker.consume([LISTINGS], handler, workers=1)


async def test_ringing_keeps_nobody_waiting_and_nothing_piles_up(make_broker, proxy, told, start):
    broker = await make_broker(port=proxy.port)
    await proxy.down()
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(20_000):
        await broker.ring(turn(str(number % 100)))
    assert loop.time() - began < 2
    assert len(broker._ringer._ringing) + len(broker._ringer._sending) <= 164
    await proxy.up()
    sweeper = Sweeper(broker, {str(number) for number in range(100)})
    start(broker, sweeper.handle)
    try:
        await until(lambda: not sweeper.due, within_s=30)
    finally:
        await sweeper.end()
    assert told.counts["broker_published_total"] <= 300


async def test_who_is_refused_or_finds_nobody_is_told(*, node, vhost, proxy, told, caplog, capsys):
    caplog.set_level(logging.DEBUG)  # aiormq says a lot there
    wrong = node.url(vhost, port=proxy.port).replace("guest:guest", "guest:hunter2secret")
    with pytest.raises(BrokerUnavailable, match="refuses us") as refused:
        await RabbitBroker(wrong, metrics=told).open(patience_s=20)
    await proxy.down()
    with pytest.raises(BrokerUnavailable, match=r"did not answer for 0\.5 s") as away:
        await RabbitBroker(wrong, metrics=told).open(patience_s=0.5)
    for error in (refused.value, away.value):
        assert "hunter2secret" not in str(error)
        assert f"127.0.0.1:{proxy.port}" in str(error)
    assert caplog.text
    assert "hunter2secret" not in caplog.text + capsys.readouterr().out
