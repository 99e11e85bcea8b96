"""Several processes on one ledger; here several stores, and processes that are killed."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient

from connector.domain.pending import Context, Finished
from connector.drivers import mongo_schema
from connector.drivers.clock import SystemClock
from connector.drivers.mongo_store import MongoStore
from connector.ports import (
    Conflict,
    Document,
    LeaseLost,
    Put,
    Settle,
    StoreUnavailable,
)
from tests.contract.store_words import C, HandClock, at, document, entry, fact, mark
from tests.servers import mongo

ROOT = Path(__file__).parents[3]


@pytest.fixture
def url() -> str:
    return mongo.shared().url()


@pytest.fixture
async def stores(url):
    stores = [await MongoStore.opened(url, HandClock()) for _ in range(3)]
    yield stores
    for store in stores:
        await store.close()


async def claim(store, second=0, *, limit=10, lease=60):
    until = at(second + lease)
    return await store.claim(C, Context.LISTINGS, limit=limit, now=at(second), lease_until=until)


async def test_claimers_of_several_processes_never_share_a_key(stores):
    await stores[0].commit([mark(str(n)) for n in range(400)])
    batches = await asyncio.gather(*(claim(store, limit=9) for store in stores * 25))
    keys = [one.key for batch in batches for one in batch]
    assert sorted(keys) == sorted(str(n) for n in range(400))
    fences = [{one.fence for one in batch} for batch in batches if batch]
    assert all(len(each) == 1 for each in fences)
    assert len(set().union(*fences)) == len(fences)


async def test_a_stale_fence_is_refused_wherever_it_comes_from(stores):
    first, second, third = stores
    await first.commit([mark()])
    (stale,) = await claim(first)
    (fresh,) = await claim(second, 60)
    assert fresh.fence > stale.fence
    for store in stores:
        with pytest.raises(LeaseLost):
            await store.commit([Settle(stale, Finished()), Put(document("late"))])
    await third.commit([Settle(fresh, Finished())])
    assert await first.get("listing", C, ["late"]) == {}


async def test_of_units_that_race_one_wins_and_the_others_leave_no_trace(stores):
    await stores[0].commit([mark(str(n)) for n in range(8)])
    claims = await claim(stores[0])
    results = await asyncio.gather(
        *(
            store.commit([Settle(one, Finished(at(50))), Put(document(one.key, str(n))), entry()])
            for one in claims
            for n, store in enumerate(stores)
        ),
        return_exceptions=True,
    )
    assert results.count(None) == len(claims)
    assert {type(one) for one in results} <= {type(None), Conflict, LeaseLost}
    saved = await stores[1].get("listing", C, [one.key for one in claims])
    assert {one.version for one in saved.values()} == {1}


async def test_facts_of_several_processes_are_numbered_in_the_order_of_their_commits(stores):
    seen: list[int] = []

    async def tell(store, number):
        await store.commit([fact(f"f{number}"), mark()])

    async def read() -> None:
        for _ in range(60):
            seqs = [one.seq for one in await stores[2].facts(C, "o1")]
            assert seqs[: len(seen)] == seen  # nothing ever comes in before what was seen
            seen[:] = seqs

    await asyncio.gather(read(), *(tell(stores[n % 2], n) for n in range(80)))
    assert [one.seq for one in await stores[2].facts(C, "o1")] == list(range(1, 81))


async def test_the_same_fact_told_to_all_is_saved_once(stores):
    await asyncio.gather(*(store.commit([fact("f"), mark()]) for store in stores * 5))
    assert len(await stores[0].facts(C, "o1")) == 1


async def test_what_a_killed_process_left_locked_is_soon_free(stores, url):
    await stores[0].commit([mark(), mark("2")])
    script = f"""
import asyncio, os
from connector.drivers.clock import SystemClock
from connector.drivers.mongo_store import MongoStore
async def main():
    store = await MongoStore.opened({url!r}, SystemClock())
    session = store._books.client.start_session()
    await session.start_transaction()
    await store._books.pending.update_many({{}}, {{"$inc": {{"marks": 1}}}}, session=session)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, cwd=ROOT)
    assert await process.wait() == -9
    began = time.monotonic()
    await asyncio.gather(
        stores[0].commit([mark(price=True)]), stores[1].commit([mark("2"), fact("f")])
    )
    assert time.monotonic() - began < 5  # the server itself would wait a minute
    assert {one.marks for one in await claim(stores[2])} == {2}


async def test_what_was_acknowledged_survives_a_kill(url, stores):
    script = f"""
import asyncio, os
from connector.drivers.clock import SystemClock
from connector.drivers.mongo_store import MongoStore
from tests.contract.store_words import fact, mark
async def main():
    store = await MongoStore.opened({url!r}, SystemClock())
    async def one(n):
        await store.commit([mark(str(n))] if n % 2 else [fact(str(n)), mark(str(n))])
        print(n, flush=True)
        if n == 90:
            os.kill(os.getpid(), 9)
    await asyncio.gather(*map(one, range(60)))
    for n in range(60, 500):
        await one(n)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=PIPE, stderr=PIPE, cwd=ROOT
    )
    told, complaints = await process.communicate()
    assert process.returncode == -9, complaints
    acknowledged = set(told.decode().split())
    assert len(acknowledged) == 91
    rows = await stores[0].pending(C, Context.LISTINGS, parked=False, limit=1000)
    marked = {row.key for row in rows}
    facts = {one.id for one in await stores[0].facts(C, "o1")}
    assert marked >= acknowledged
    assert facts >= {key for key in acknowledged if int(key) % 2 == 0}
    assert marked >= facts  # no fact without its mark


# --- opening --------------------------------------------------------------------------------------


async def test_five_processes_may_begin_at_once(url):
    stores = await asyncio.gather(*(MongoStore.opened(url, SystemClock()) for _ in range(5)))
    for store in stores:
        await store.commit([Put(Document("k", "a", str(id(store)), "{}")), entry()])
    assert len(await stores[0].scan("k")) == 5
    database = stores[0]._books.database
    for name, indexes in mongo_schema.MIGRATIONS[0].items():
        known = await database.get_collection(name).index_information()
        assert set(known) == {"_id_", *(index.document["name"] for index in indexes)}
    version = await database.get_collection("schema").find_one({"_id": "version"})
    assert version == {"_id": "version", "value": len(mongo_schema.MIGRATIONS)}
    for store in stores:
        await store.close()


async def test_migrations_go_on_where_they_stopped(url, monkeypatch):
    await (await MongoStore.opened(url, SystemClock())).close()
    more = {"holds": (mongo_schema.IndexModel("more", name="more"),)}
    monkeypatch.setattr(mongo_schema, "MIGRATIONS", (*mongo_schema.MIGRATIONS, more))
    store = await MongoStore.opened(url, SystemClock())
    assert "more" in await store._books.holds.index_information()
    await store.close()


async def test_a_newer_database_is_refused(url):
    async with AsyncMongoClient(url) as client:
        schema = client.get_default_database().get_collection("schema")
        await schema.insert_one({"_id": "version", "value": 99})
        with pytest.raises(StoreUnavailable, match=r"newer version \(99\)"):
            await MongoStore.opened(url, SystemClock())


async def test_nobody_there_is_said_so_in_time():
    began = time.monotonic()
    with socket.socket() as taken:  # and nobody listens
        taken.bind(("127.0.0.1", 0))
        nobody = f"mongodb://127.0.0.1:{taken.getsockname()[1]}/x?replicaSet=none"
        with pytest.raises(StoreUnavailable, match="ServerSelectionTimeoutError: no primary"):
            await MongoStore.opened(nobody, SystemClock(), timeout_s=0.3)
    assert time.monotonic() - began < 3
    mongo.collect_sockets()


@pytest.mark.parametrize(
    "wrong",
    [
        "sqlite:///hub.db",
        "mongodb://",
        "mongodb://user:s3cret@/",
        "mongodb://a:b:c/x",
        "mongodb://a/x?authMechanism=GSSAPI",
    ],
)
async def test_what_is_no_url_is_said_so_without_repeating_it(wrong):
    with pytest.raises(ValueError, match="not a MongoDB URL") as caught:
        await MongoStore.opened(wrong, SystemClock())
    assert "s3cret" not in str(caught.value)
