"""What every broker must do. A driver's test module subclasses it and gives ``broker``."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from connector.domain.pending import Context
from connector.ports import Broker, Turn

Handler = Callable[[Turn], Awaitable[object]]


def turn(connection: str = "a", context: Context = Context.LISTINGS, adapter: str = "demo") -> Turn:
    return Turn(connection, context, adapter)


LISTINGS = "listings.demo"
ORDERS = "orders.demo"


async def until(condition: Callable[[], object], *, within_s: float = 5) -> None:
    """Poll until ``condition`` holds."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - any condition, not one of ours
            await asyncio.sleep(0.002)


class BrokerContract:
    """Semantics of ``ports.Broker``; ``max_outstanding`` is 4."""

    @pytest.fixture
    async def broker(self):
        raise NotImplementedError

    @pytest.fixture
    async def consume(self, broker: Broker):
        """Consume in the background until the test is over."""
        tasks: list[asyncio.Task[None]] = []

        def start(handler: Handler, *queues: str, workers: int = 8) -> asyncio.Task[None]:
            names = queues or (LISTINGS,)
            task = asyncio.create_task(broker.consume(names, handler, workers=workers))
            tasks.append(task)
            return task

        yield start
        await broker.close(drain_s=0)
        async with asyncio.timeout(5):
            await asyncio.gather(*tasks, return_exceptions=True)

    async def test_a_turn_reaches_its_handler(self, broker, consume):
        seen: list[Turn] = []

        async def handler(one: Turn) -> None:
            seen.append(one)

        consume(handler)
        await broker.ring(turn())
        await until(lambda: seen)
        assert seen == [turn()]

    async def test_turns_wait_for_a_consumer(self, broker, consume):
        seen: list[Turn] = []

        async def handler(one: Turn) -> None:
            seen.append(one)

        await broker.ring(turn("a"))
        await broker.ring(turn("b"))
        consume(handler)
        await until(lambda: len(seen) == 2)
        assert {one.connection for one in seen} == {"a", "b"}

    async def test_consumers_get_their_queues_only(self, broker, consume):
        listings: list[Turn] = []
        others: list[Turn] = []

        async def first(one: Turn) -> None:
            listings.append(one)

        async def second(one: Turn) -> None:
            others.append(one)

        consume(first, LISTINGS)
        consume(second, ORDERS, "listings.mirakl")
        await broker.ring(turn())
        await broker.ring(turn(context=Context.ORDERS))
        await broker.ring(turn(adapter="mirakl"))
        await broker.ring(turn(adapter="nobody's"))
        await until(lambda: len(listings) == 1 and len(others) == 2)
        assert listings == [turn()]

    async def test_never_more_than_its_workers_at_once(self, broker, consume):
        running = peak = done = 0
        gate = asyncio.Event()

        async def handler(_: Turn) -> None:
            nonlocal running, peak, done
            running += 1
            peak = max(peak, running)
            await gate.wait()
            running -= 1
            done += 1

        consume(handler, workers=3)
        for number in range(20):
            await broker.ring(turn(str(number)))
        await until(lambda: running == 3)
        gate.set()
        await until(lambda: done == 20)
        assert peak == 3

    async def test_one_connection_has_few_turns_at_once(self, broker, consume):
        running: Counter[str] = Counter()
        peak = 0
        gate = asyncio.Event()

        async def handler(one: Turn) -> None:
            nonlocal peak
            running[one.connection] += 1
            peak = max(peak, running["busy"])
            await broker.ring(one)  # there is always more to do
            await gate.wait()
            running[one.connection] -= 1

        consume(handler, workers=20)
        await broker.ring(turn("busy"))
        await until(lambda: running["busy"] == 4)
        await broker.ring(turn("other"))
        await until(lambda: running["other"] >= 1)
        assert peak == 4
        gate.set()

    async def test_a_busy_connection_leaves_room_for_the_others(self, broker, consume):
        order: list[str] = []

        async def handler(one: Turn) -> None:
            order.append(one.connection)
            if one.connection == "busy" and len(order) < 200:
                await broker.ring(one)
            await asyncio.sleep(0)

        await broker.ring(turn("busy"))
        for number in range(10):
            await broker.ring(turn(str(number)))
        consume(handler, workers=1)
        await until(lambda: len(set(order)) == 11)
        assert max(order.index(str(number)) for number in range(10)) < 40

    async def test_a_handler_that_fails_harms_nobody(self, broker, consume):
        seen: list[str] = []

        async def handler(one: Turn) -> None:
            seen.append(one.connection)
            if one.connection.startswith("bad"):
                raise ValueError("a handler's own mistake")

        consume(handler, workers=2)
        for name in ("bad1", "bad2", "bad3", "good"):
            await broker.ring(turn(name))
        await until(lambda: len(seen) >= 4)
        await broker.ring(turn("bad1"))
        await until(lambda: seen.count("bad1") >= 2)

    async def test_close_waits_for_turns_under_way(self, broker, consume):
        entered, gate = asyncio.Event(), asyncio.Event()
        finished: list[Turn] = []

        async def handler(one: Turn) -> None:
            entered.set()
            await gate.wait()
            finished.append(one)

        consuming = consume(handler, workers=1)
        await broker.ring(turn("a"))
        await entered.wait()
        await broker.ring(turn("b"))
        closing = asyncio.create_task(broker.close(drain_s=5))
        await asyncio.sleep(0.01)
        assert not closing.done()
        gate.set()
        async with asyncio.timeout(5):
            await closing
            await consuming
        assert finished == [turn("a")]  # no new one was begun

    async def test_close_does_not_wait_for_ever(self, broker, consume):
        entered = asyncio.Event()
        cancelled: list[Turn] = []

        async def handler(one: Turn) -> None:
            entered.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(one)
                raise

        consuming = consume(handler)
        await broker.ring(turn())
        await entered.wait()
        async with asyncio.timeout(5):
            await broker.close(drain_s=0.01)
            await consuming
        assert cancelled == [turn()]

    async def test_ringing_never_fails(self, broker, consume):
        await broker.close(drain_s=0)
        await broker.ring(turn())
        await broker.close(drain_s=0)

    async def test_a_cancelled_consumer_takes_its_turns_with_it(self, broker, consume):
        entered = asyncio.Event()
        ended: list[str] = []

        async def first(_: Turn) -> None:
            entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("first")

        async def second(_: Turn) -> None:
            ended.append("second")

        crashing = consume(first, workers=1)
        await broker.ring(turn())
        await entered.wait()
        crashing.cancel()
        await until(lambda: ended == ["first"])
        consume(second)
        await broker.ring(turn("b"))
        await until(lambda: "second" in ended)
