"""The primary of a set of three is lost while everybody writes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from connector.domain.pending import Context, Mark
from connector.drivers.clock import SystemClock
from connector.drivers.mongo_store import MongoStore
from connector.ports import (
    Conflict,
    Document,
    EntryQuery,
    Fact,
    Put,
    StoreUnavailable,
    Write,
)
from tests.contract.store_words import C, entry
from tests.servers import mongo

UNITS = 200


@pytest.fixture(scope="module")
def three():
    with mongo.running(3) as found:
        yield found


@pytest.fixture
async def store(three):
    store = await MongoStore.opened(three.url(), SystemClock())
    yield store
    await store.close()
    mongo.collect_sockets()


def unit(number: int) -> list[Write]:
    """A merchant's change, an order's event, or a saved listing."""
    key, now = str(number), SystemClock().now()
    mark = Mark(C, Context.LISTINGS, key, now)
    if number % 3 == 0:
        return [mark]
    if number % 3 == 1:
        return [Fact(C, "order", "status", key, "{}", now), mark]
    return [Put(Document("listing", C, key, "{}")), mark, entry(key)]


async def persist(store: MongoStore, number: int, begun: asyncio.Event) -> int:
    """Write a unit as its caller would, again and again until it is taken; how often it took."""
    for attempt in range(200):
        begun.set()
        try:
            await store.commit(unit(number))
        except StoreUnavailable:
            await asyncio.sleep(0.1)
            continue
        except Conflict:
            pass  # it had been saved, only its answer was lost
        return attempt
    raise AssertionError(f"unit {number} was never taken")


async def check(store: MongoStore, numbers: Sequence[int]) -> None:
    """Everything is there, and nothing twice."""
    rows = await store.pending(C, Context.LISTINGS, parked=False, limit=10_000)
    assert sorted(int(row.key) for row in rows) == sorted(numbers)
    facts = await store.facts(C, "order")
    assert sorted(int(one.id) for one in facts) == [n for n in numbers if n % 3 == 1]
    assert [one.seq for one in facts] == list(range(1, len(facts) + 1))
    documents = await store.get("listing", C, [str(n) for n in numbers])
    assert sorted(map(int, documents)) == [n for n in numbers if n % 3 == 2]
    assert {one.version for one in documents.values()} == {1}
    entries = await store.entries(EntryQuery(C, limit=10_000))
    assert sorted(int(one.subject) for one in entries) == [n for n in numbers if n % 3 == 2]


async def test_what_was_acknowledged_outlives_the_primary(three, store):
    begun = asyncio.Event()
    work = [asyncio.create_task(persist(store, n, begun)) for n in range(UNITS // 4)]
    await asyncio.gather(*work)  # connections are open, statements known
    work = [asyncio.create_task(persist(store, n, begun)) for n in range(UNITS // 4, UNITS)]
    await asyncio.sleep(0.01)  # in the middle of them
    primary = await asyncio.to_thread(three.primary)
    three.kill(primary)
    lost = time.monotonic()
    await asyncio.gather(*work)
    assert time.monotonic() - lost <= 30
    await check(store, range(UNITS))
    await asyncio.to_thread(three.restart, primary)
    await asyncio.to_thread(three.primary)
    await check(store, range(UNITS))


async def test_claims_go_on_with_the_next_primary(three, store):
    now = SystemClock().now()
    keys = {str(n) for n in range(400)}
    await store.commit([Mark(C, Context.ORDERS, key, now) for key in keys])
    got: list[str] = []

    async def worker() -> None:
        while len(got) < len(keys):
            moment = SystemClock().now()
            try:
                claims = await store.claim(
                    C, Context.ORDERS, limit=5, now=moment, lease_until=moment.replace(year=2999)
                )
            except StoreUnavailable:
                continue
            got.extend(claim.key for claim in claims)

    async with asyncio.timeout(60), asyncio.TaskGroup() as working:
        for _ in range(4):
            working.create_task(worker())
        while len(got) < 50:  # noqa: ASYNC110 - several tasks fill it
            await asyncio.sleep(0.01)
        primary = await asyncio.to_thread(three.primary)
        three.kill(primary)
    assert sorted(got) == sorted(keys)  # each once, and no lease orphaned
    await asyncio.to_thread(three.restart, primary)


async def test_without_a_majority_it_says_so_in_time_and_recovers(three):
    store = await MongoStore.opened(three.url(), SystemClock(), timeout_s=2)
    await store.commit(unit(3))
    first = await asyncio.to_thread(three.primary)
    others = [node for node in range(3) if node != first]
    for node in others:
        three.kill(node)
    began = time.monotonic()
    results = await asyncio.gather(
        *(store.commit(unit(n)) for n in range(10, 40)),
        store.claim(
            C, Context.LISTINGS, limit=5, now=SystemClock().now(), lease_until=SystemClock().now()
        ),
        return_exceptions=True,
    )
    assert all(isinstance(one, StoreUnavailable) for one in results)
    assert time.monotonic() - began < 15
    for node in others:
        await asyncio.to_thread(three.restart, node)
    await asyncio.gather(*(persist(store, n, asyncio.Event()) for n in range(10, 40)))
    await check(store, [3, *range(10, 40)])
    await store.close()
    mongo.collect_sockets()


async def test_a_silent_primary_is_given_up_in_time(three, store):
    await store.commit(unit(0))
    primary = await asyncio.to_thread(three.primary)
    three.pause(primary)
    try:
        began = time.monotonic()
        await asyncio.gather(
            *(store.commit(unit(n)) for n in range(100, 130)), return_exceptions=True
        )
        assert time.monotonic() - began < 15
        await asyncio.gather(*(persist(store, n, asyncio.Event()) for n in range(100, 130)))
        assert time.monotonic() - began < 40
    finally:
        three.resume(primary)
    saved = await store.get("listing", C, [str(n) for n in range(100, 130)])
    assert {one.version for one in saved.values()} == {1}
    assert len(saved) == 10
