import asyncio

import pytest

from connector.drivers.mongo_lanes import Lane
from connector.ports import Conflict, StoreUnavailable
from tests.contract.store_words import mark


class Writer:
    """Writes groups when it is told to, and notes them."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.under_way = self.most_under_way = 0
        self.go = asyncio.Event()
        self.result: list[BaseException | None] | Exception = []

    async def __call__(self, jobs):
        self.groups.append(len(jobs))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await self.go.wait()
        self.under_way -= 1
        if isinstance(self.result, Exception):
            raise self.result
        return self.result or [None] * len(jobs)


@pytest.fixture
def writer() -> Writer:
    return Writer()


async def rounds(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_comes_while_a_group_is_written_shares_the_next(writer):
    lane = Lane(writer, most=100, at_once=1)
    futures = [lane.submit([mark()]) for _ in range(3)]
    await rounds()
    futures += [lane.submit([mark()]) for _ in range(40)]
    await rounds()
    assert writer.groups == [3]
    writer.go.set()
    await asyncio.gather(*futures)
    assert writer.groups == [3, 40]
    await lane.drain()


async def test_groups_are_bounded_in_size_and_number(writer):
    lane = Lane(writer, most=10, at_once=2)
    futures = [lane.submit([mark()]) for _ in range(15)]
    await rounds()
    futures += [lane.submit([mark()]) for _ in range(40)]
    await rounds()
    assert writer.under_way == 2
    writer.go.set()
    await asyncio.gather(*futures)
    assert writer.most_under_way == 2
    assert max(writer.groups) == 10
    assert sum(writer.groups) == 55


async def test_a_lane_that_fell_idle_starts_again_at_once(writer):
    writer.go.set()
    lane = Lane(writer, most=10, at_once=1)
    for number in range(20):
        await lane.submit([mark()])
        await rounds(number % 4)  # wherever the last task is on its way to its end
    assert writer.groups == [1] * 20


async def test_each_caller_is_told_its_own_result(writer):
    writer.go.set()
    writer.result = [None, Conflict("taken"), None]
    lane = Lane(writer, most=10, at_once=1)
    futures = [lane.submit([mark()]) for _ in range(3)]
    results = await asyncio.gather(*futures, return_exceptions=True)
    assert [type(one) for one in results] == [type(None), Conflict, type(None)]


async def test_what_breaks_the_writer_is_told_to_all_of_its_group(writer):
    writer.go.set()
    writer.result = StoreUnavailable("away")
    lane = Lane(writer, most=10, at_once=1)
    results = await asyncio.gather(
        *(lane.submit([mark()]) for _ in range(3)), return_exceptions=True
    )
    assert [str(one) for one in results] == ["away"] * 3
    writer.result = []
    await lane.submit([mark()])  # and it goes on


async def test_nobody_waits_for_several_groups_to_fail(writer, monkeypatch):
    monkeypatch.setattr("connector.drivers.mongo_lanes._LONG_S", 0.0)
    lane = Lane(writer, most=1, at_once=1)
    futures = [lane.submit([mark()]) for _ in range(9)]
    await rounds()
    writer.result = StoreUnavailable("away")
    writer.go.set()
    results = await asyncio.gather(*futures, return_exceptions=True)
    assert [str(one) for one in results] == ["away"] * 9
    assert writer.groups == [1]


async def test_a_cancelled_caller_does_not_stop_the_group(writer):
    lane = Lane(writer, most=10, at_once=1)

    async def call() -> None:
        await lane.submit([mark()])

    tasks = [asyncio.create_task(call()) for _ in range(3)]
    await rounds()
    tasks[0].cancel()
    await rounds()
    writer.go.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [None, None]


async def test_drain_waits_for_everything(writer):
    lane = Lane(writer, most=1, at_once=1)
    futures = [lane.submit([mark()]) for _ in range(5)]
    draining = asyncio.create_task(lane.drain())
    await rounds()
    assert not draining.done()
    writer.go.set()
    await draining
    assert all(future.done() for future in futures)
