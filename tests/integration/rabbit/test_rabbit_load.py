"""Many processes and many changes: few messages, and nobody waits for somebody else's work."""

import asyncio
from collections import Counter

import pytest

from connector.drivers.rabbit_topology import declare
from tests.integration.rabbit.support import LISTINGS, turn, until

BATCH = 200


class Ledger:
    """What is due, as all processes of a hub see it; each with workers, a sweeper and a bell."""

    def __init__(self) -> None:
        self.due: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.turns: Counter[str] = Counter()
        self.empty = 0
        self.begun = 0
        self.most_at_once = 0

    async def serve(self, broker, *, work_s: float) -> None:
        """One worker process, until it is cancelled."""
        under_way: Counter[str] = Counter()

        async def handle(one) -> None:
            name = one.connection
            claimed = min(BATCH, self.due[name])
            self.due[name] -= claimed
            if not claimed:
                self.empty += 1
                return
            if claimed == BATCH:
                await broker.ring(one)
            under_way[name] += 1
            self.most_at_once = max(self.most_at_once, under_way[name])
            self.turns[name] += 1
            await asyncio.sleep(work_s)
            under_way[name] -= 1
            self.done[name] += claimed

        async def sweep() -> None:
            while True:
                for name in [name for name, count in self.due.items() if count]:
                    await broker.ring(turn(name), repeated=True)
                await asyncio.sleep(0.5)

        async with asyncio.TaskGroup() as group:
            group.create_task(sweep())
            group.create_task(broker.consume([LISTINGS], handle, workers=16))


@pytest.fixture
async def ledger():
    return Ledger()


@pytest.fixture
async def serve(ledger):
    tasks: list[asyncio.Task[None]] = []

    def begin(broker, *, work_s: float) -> None:
        tasks.append(asyncio.create_task(ledger.serve(broker, work_s=work_s)))

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_wave_costs_few_messages(make_broker, ledger, serve, told):
    """5,000 changes of 10 merchants, told to two web processes, with three worker processes."""
    webs = [await make_broker() for _ in range(2)]
    for _ in range(3):
        serve(await make_broker(), work_s=0.02)
    for number in range(5_000):
        name = f"merchant {number % 10}"
        ledger.due[name] += 1
        await webs[number % 2].ring(turn(name))
        if number % 50 == 0:
            await asyncio.sleep(0.01)
    await until(lambda: ledger.done.total() == 5_000, within_s=30)
    messages = told.counts["broker_published_total"]
    print(f"messages per changed SKU: {messages / 5_000:.3f}")  # noqa: T201 - a figure to report
    assert messages / 5_000 <= 0.1


async def test_a_merchant_with_much_to_do_slows_nobody_down(make_broker, ledger, serve, told):
    web = await make_broker()
    for _ in range(2):
        serve(await make_broker(), work_s=0.1)
    loop = asyncio.get_running_loop()

    async def one_change(name: str) -> float:
        began = loop.time()
        ledger.due[name] += 1
        await web.ring(turn(name))
        await until(lambda: ledger.done[name])
        return loop.time() - began

    await one_change("warm up")
    quiet = [await one_change(f"quiet {number}") for number in range(10)]
    ledger.due["busy"] += 100_000
    await web.ring(turn("busy"))
    await until(lambda: ledger.turns["busy"] >= 16)
    noisy = [await one_change(f"noisy {number}") for number in range(10)]
    assert ledger.due["busy"], "it was not busy all the time"
    assert ledger.most_at_once <= 2
    assert sorted(noisy)[5] <= 2 * sorted(quiet)[5] + 0.1
    assert max(noisy) <= 2
    await until(lambda: ledger.done["busy"] == 100_000, within_s=60)
    assert told.counts["broker_published_total"] / 100_000 <= 0.02


async def test_an_overload_of_merchants_does_not_flood_the_queue(
    make_broker, ledger, serve, told, channel
):
    """500 merchants due, slow turns, every sweeper asks for all of them twice a second."""
    await declare(channel._connection, LISTINGS)
    for _ in range(2):
        serve(await make_broker(), work_s=0.2)
    for number in range(500):
        ledger.due[f"merchant {number}"] += 1
    deepest = 0
    while ledger.done.total() < 500:
        queue = await channel.declare_queue(LISTINGS, passive=True)
        deepest = max(deepest, queue.declaration_result.message_count or 0)
        await asyncio.sleep(0.2)
    print(f"deepest {deepest}, sent {told.counts['broker_published_total']}, empty {ledger.empty}")  # noqa: T201 - figures
    assert deepest <= 4 * 500
    assert told.counts["broker_published_total"] <= 8 * 500
    assert ledger.empty <= 2 * 500


async def test_news_of_more_than_anybody_can_do_does_not_flood_the_queue_either(
    make_broker, ledger, serve, told, channel
):
    """100 merchants told of 20 times a second each, slow turns of at most 32 at once."""
    await declare(channel._connection, LISTINGS)
    web = await make_broker()
    for _ in range(2):
        serve(await make_broker(), work_s=0.5)
    loop = asyncio.get_running_loop()
    ends, rings, deepest = loop.time() + 10, 0, 0
    while loop.time() < ends:
        for number in range(100):
            ledger.due[f"merchant {number}"] += 1
            await web.ring(turn(f"merchant {number}"))
        rings += 1
        queue = await channel.declare_queue(LISTINGS, passive=True)
        deepest = max(deepest, queue.declaration_result.message_count or 0)
        await asyncio.sleep(0.05)
    sent = told.counts["broker_published_total"]
    print(f"deepest {deepest}, sent {sent} for {rings} rings of each")  # noqa: T201 - figures
    assert deepest <= 20 * 100
    assert sent <= 60 * 100
    await until(lambda: not ledger.due.total(), within_s=30)
