"""SQLite, MongoDB and memory must make the same of any history."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from connector.domain.entries import Status
from connector.domain.pending import (
    Claim,
    Context,
    Failed,
    Finished,
    Hint,
    Mark,
    Parked,
    Priority,
)
from connector.drivers.memory_store import MemoryStore
from connector.drivers.mongo_store import MongoStore
from connector.drivers.sqlite_store import SqliteStore
from connector.ports import (
    Conflict,
    Document,
    Drop,
    EntryQuery,
    EraseFacts,
    Fact,
    Hold,
    LeaseLost,
    Put,
    Settle,
    Store,
    Write,
)
from tests.contract.store_words import HandClock, at, entry
from tests.servers import mongo

CONNECTIONS = ("a", "b")
KEYS = ("1", "2")
maybe = st.none() | st.booleans()
hints = st.builds(
    Hint,
    content=st.booleans(),
    price=st.booleans(),
    stock=st.booleans(),
    recheck=st.booleans(),
    sold=st.booleans(),
    active=maybe,
    removed=maybe,
)
connections = st.sampled_from(CONNECTIONS)
keys = st.sampled_from(KEYS)
priorities = st.sampled_from(Priority)
offsets = st.integers(-5, 60)
# One pending set of two keys: what happens to a key in a row is what matters here.
marks = st.tuples(keys, offsets, priorities, hints)
settlements = st.one_of(
    st.tuples(st.just("finish"), st.none() | offsets, priorities, hints),
    st.tuples(st.just("fail"), offsets, priorities, st.booleans()),
    st.tuples(st.just("park"), offsets, st.lists(st.text(max_size=3), max_size=2)),
)
documents = st.tuples(connections, keys, st.sampled_from(["", "x"]), st.integers(0, 3))


class StoresAgree(RuleBasedStateMachine):
    """Everything is done to both; what can be asked is compared after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = HandClock()
        self.second = 0.0
        # Claims by store: fences are each store's own business.
        self.claims: dict[str, tuple[Claim, Claim]] = {}
        self.old_claims: list[tuple[Claim, Claim]] = []

    @initialize()
    def open(self) -> None:
        self.real: Store = self.run(self.opened())
        self.memory: Store = MemoryStore(self.clock)

    async def opened(self) -> Store:
        return SqliteStore(f"sqlite:///{self.folder / 'hub.db'}", self.clock)

    def teardown(self) -> None:
        self.run(self.real.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def both(self, ask: Callable[[Store], Coroutine[Any, Any, Any]]) -> tuple[Any, Any]:
        return self.run(ask(self.real)), self.run(ask(self.memory))

    def commit(self, first: Sequence[Write], second: Sequence[Write] | None = None) -> None:
        outcomes: list[type[Exception] | None] = []
        for store, writes in ((self.real, first), (self.memory, second or first)):
            try:
                self.run(store.commit(writes))
                outcomes.append(None)
            except (Conflict, LeaseLost) as refusal:
                outcomes.append(type(refusal))
        assert outcomes[0] is outcomes[1]

    # --- histories ------------------------------------------------------------------------------

    @rule(seconds=st.integers(0, 40))
    def time_passes(self, seconds: int) -> None:
        self.second += seconds
        self.clock.set(self.second)

    @rule(told=st.lists(marks, min_size=1, max_size=4))
    def mark(self, told) -> None:
        self.commit([self.to_mark(one) for one in told])

    def to_mark(self, told) -> Mark:
        key, offset, priority, hint = told
        return Mark("a", Context.LISTINGS, key, at(self.second + offset), priority, hint)

    @rule(limit=st.integers(1, 2), lease=st.sampled_from([0.5, 10, 30]))
    def claim(self, limit, lease) -> None:
        first, second = self.both(
            lambda store: store.claim(
                "a",
                Context.LISTINGS,
                limit=limit,
                now=at(self.second),
                lease_until=at(self.second + lease),
            )
        )
        assert [replace(one, fence=0) for one in first] == [replace(one, fence=0) for one in second]
        for pair in zip(first, second, strict=True):
            self.old_claims += [self.claims[pair[0].key]] if pair[0].key in self.claims else []
            self.claims[pair[0].key] = pair

    @precondition(lambda self: self.claims)
    @rule(
        data=st.data(),
        how=settlements,
        also=st.none() | documents,
        told=st.lists(marks, max_size=1),
    )
    def settle(self, data, how, also, told) -> None:
        key = data.draw(st.sampled_from(sorted(self.claims)))
        self.settle_all([(self.claims.pop(key), how)], also, told)

    @precondition(lambda self: self.claims)
    @rule(how=st.lists(settlements, min_size=2, max_size=2))
    def settle_batch(self, how) -> None:
        claims = [self.claims.pop(key) for key in sorted(self.claims)]
        self.settle_all(list(zip(claims, how, strict=False)), None, [])

    @precondition(lambda self: self.old_claims)
    @rule(data=st.data(), how=settlements, told=st.lists(marks, max_size=1))
    def settle_late(self, data, how, told) -> None:
        self.settle_all([(data.draw(st.sampled_from(self.old_claims)), how)], None, told)

    def settle_all(self, settled, also, told) -> None:
        units: tuple[list[Write], list[Write]] = ([], [])
        more: list[Write] = [self.to_mark(one) for one in told]
        if also is not None:
            more.append(self.to_put(also))
        for number, unit in enumerate(units):
            unit += [Settle(pair[number], self.to_settlement(how)) for pair, how in settled]
            unit.extend(more)
        self.commit(*units)

    def to_settlement(self, how):
        match how:
            case ("finish", offset, priority, hint):
                due = None if offset is None else at(self.second + offset)
                return Finished(due, priority, hint)
            case ("fail", offset, priority, counts):
                return Failed(at(self.second + offset), priority, "why", counts=counts)
            case (_, offset, reasons):
                return Parked(at(self.second + offset), tuple(reasons))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), lease=st.integers(1, 50))
    def renew(self, data, lease) -> None:
        first, second = self.claims[data.draw(st.sampled_from(sorted(self.claims)))]
        until = at(self.second + lease)
        self.run(self.real.renew([first], lease_until=until))
        self.run(self.memory.renew([second], lease_until=until))

    @rule(told=st.lists(documents, min_size=1, max_size=3), drop=st.booleans())
    def write_documents(self, told, drop) -> None:
        writes: list[Write] = [self.to_put(one) for one in told]
        if drop:
            writes.append(Drop("k", told[0][0], told[0][1]))
        self.commit(writes)

    def to_put(self, told) -> Put:
        connection, key, state, version = told
        return Put(Document("k", connection, key, f"at {self.second}", state, version))

    @rule(
        ids=st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, max_size=3),
        erase=st.booleans(),
        quantity=st.integers(0, 5),
        key=keys,
        connection=connections,
    )
    def tell(self, ids, erase, quantity, key, connection) -> None:
        writes: list[Write] = [
            Fact(connection, key, "kind", one, str(self.second), at(0)) for one in ids
        ]
        if erase:
            writes.append(EraseFacts(connection, key))
        writes.append(Hold("shop", key, connection, ids[0], quantity))
        self.commit(writes)

    @rule(key=keys, status=st.sampled_from(Status))
    def log(self, key, status) -> None:
        self.commit([entry(key, status, self.second, connection="a")])

    @rule(ago=st.integers(0, 50))
    def forget(self, ago) -> None:
        first, second = self.both(lambda store: store.forget(entries_before=at(self.second - ago)))
        assert first == second

    # --- comparison -----------------------------------------------------------------------------

    @invariant()
    def same_pending_set(self) -> None:
        now = at(self.second)
        self.same(lambda store: store.due(now))
        self.same(lambda store: store.next_due())
        self.same(lambda store: store.pending_stats(now))
        for parked in (False, True):
            self.same(
                lambda store, parked=parked: store.pending("a", Context.LISTINGS, parked=parked)
            )

    @invariant()
    def same_books(self) -> None:
        self.same(lambda store: store.scan("k"))
        self.same(lambda store: store.scan("k", "a", state="x", after="1"))
        self.same(lambda store: store.count("k", "b"))
        self.same(lambda store: store.held("shop", KEYS))
        first, second = self.both(lambda store: store.facts("a", "1"))
        assert [replace(one, seq=0) for one in first] == [replace(one, seq=0) for one in second]
        first, second = self.both(lambda store: store.entries(EntryQuery("a")))
        plain = [[one.model_copy(update={"id": 0}) for one in found] for found in (first, second)]
        assert plain[0] == plain[1]

    def same(self, ask: Callable[[Store], Coroutine[Any, Any, Any]]) -> None:
        first, second = self.both(ask)
        assert first == second


class MongoAgrees(StoresAgree):
    """The same with MongoDB; what one history left is removed before the next."""

    async def opened(self) -> Store:
        store = await MongoStore.opened(mongo.shared().url("agree"), self.clock)
        books = store._books
        for rows in (books.pending, books.documents, books.facts, books.holds, books.entries):
            await rows.delete_many({})
        return store


@pytest.mark.parametrize(
    ("machine", "examples"), [(StoresAgree, 60), (MongoAgrees, 15)], ids=["sqlite", "mongo"]
)
def test_stores_agree(machine, examples):
    from hypothesis.stateful import run_state_machine_as_test

    if machine is MongoAgrees:
        mongo.require()
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=40, deadline=None),
    )
