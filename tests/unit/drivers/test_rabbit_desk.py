"""Turns that are asked for while RabbitMQ gives none, without a broker."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from connector.domain.pending import Context
from connector.drivers.rabbit_desk import Desk
from connector.drivers.rabbit_messages import encode
from connector.drivers.rabbit_waiting import Handled
from connector.ports import Turn
from tests.integration.rabbit.support import until

QUEUE = "listings.demo"


class Uncounted:
    def count(self, name: str, value: float = 1, **labels: str) -> None: ...

    def observe(self, name: str, value: float, **labels: str) -> None: ...


class Message:
    """One that RabbitMQ delivered."""

    def __init__(self, turn: Turn) -> None:
        self.body = encode(turn)
        self.timestamp = datetime.now(UTC)
        self.acknowledged = 0

    async def ack(self) -> None:
        self.acknowledged += 1


def turn(connection: str, adapter: str = "demo") -> Turn:
    return Turn(connection, Context.LISTINGS, adapter)


class Bench:
    """A desk at work; ``gate`` lets its turns end."""

    def __init__(self) -> None:
        self.handled: list[str] = []
        self.behind = True
        """What turns of "computes", which keep the processor busy, say of themselves."""
        self.gate = asyncio.Event()
        self.gate.set()
        self.stop = asyncio.Event()
        self.desk = Desk(
            [QUEUE],
            self._handle,
            workers=4,
            handled=Handled(at_once=2),
            on_begin=lambda _: None,
            metrics=Uncounted(),
        )
        self.task = asyncio.create_task(self.desk.run(self.stop))

    async def _handle(self, one: Turn) -> bool:
        self.handled.append(one.connection)
        if one.connection == "computes":
            began = time.thread_time()
            while time.thread_time() < began + 0.1:
                pass
            return self.behind
        await self.gate.wait()
        return False

    async def rest(self) -> list[str]:
        """What was handled once nothing moves any more."""
        for _ in range(10):
            await asyncio.sleep(0)
        return self.handled


@pytest.fixture
async def bench():
    bench = Bench()
    yield bench
    bench.gate.set()
    bench.stop.set()
    await bench.task


async def test_what_is_asked_for_is_handled_here_until_rabbitmq_gives_turns(bench):
    bench.desk.hear(turn("before"))
    assert await bench.rest() == ["before"]
    bench.desk.attend(QUEUE)
    bench.desk.hear(turn("given"))
    assert await bench.rest() == ["before"]  # RabbitMQ will
    bench.desk.forget(QUEUE)
    bench.desk.hear(turn("after"))
    assert await bench.rest() == ["before", "after"]


async def test_what_rabbitmq_would_not_take_is_handled_here_though_it_gives_turns(bench):
    bench.desk.attend(QUEUE)
    bench.desk.hear(turn("blocked"), unsent=True)
    assert await bench.rest() == ["blocked"]


async def test_what_others_work_on_is_left_to_them(bench):
    bench.desk.hear(turn("elsewhere", "another"))
    bench.desk.hear(turn("elsewhere", "another"), unsent=True)
    assert await bench.rest() == []


async def test_what_waits_here_waits_once_and_as_many_begin_as_ever(bench):
    bench.gate.clear()
    for _ in range(5):
        bench.desk.hear(turn("busy"))
        await bench.rest()
    assert bench.handled == ["busy", "busy"]
    message = Message(turn("busy"))
    await bench.desk.receive(QUEUE, message)
    assert message.acknowledged == 1  # one of its kind waits, or began later
    bench.gate.set()
    await until(lambda: len(bench.handled) == 3)


@pytest.mark.parametrize(("behind", "again"), [(True, []), (False, ["computes"])])
async def test_a_turn_that_left_some_is_followed_by_a_rest_in_company(bench, behind, again):
    bench.behind = behind
    bench.gate.clear()
    bench.desk.hear(turn("other"))
    bench.desk.hear(turn("computes"))
    assert await bench.rest() == ["other", "computes"]
    bench.desk.hear(turn("computes"))
    assert await bench.rest() == ["other", "computes", *again]
