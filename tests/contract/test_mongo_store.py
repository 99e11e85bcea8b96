from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from pymongo import MongoClient

from connector.domain.pending import Context, Finished, Priority
from connector.drivers import mongo_pending
from connector.drivers.mongo_store import MongoStore
from connector.drivers.mongo_walk import Walk
from connector.ports import Document, EntryQuery, EraseFacts, Hold, Put, Settle, StoreUnavailable
from tests.contract.store_contract import StoreContract
from tests.contract.store_words import C, HandClock, at, document, entry, fact, mark
from tests.servers import mongo

HOSTILE = ["", "$where", "a.b.c", "zero\0zero", "$$ROOT", "__proto__", "{}", "x" * 2000]


def _is_expected(scan: dict[str, Any]) -> bool:
    """Counts of all there is are made by looking at all there is."""
    return scan.get("aggregate") == "pending" and "let" in scan


class TestMongoStore(StoreContract):
    @pytest.fixture
    def url(self) -> str:
        return mongo.shared().url()

    @pytest.fixture
    async def store(self, url, clock):
        store = await MongoStore.opened(url, clock)
        database = store._books.database
        await database.create_collection("system.profile", capped=True, size=32_000_000)
        await database.command("profile", 2)
        yield store
        await store.close()
        with MongoClient(url) as client:
            asked = client.get_database(database.name).get_collection("system.profile")
            scans = asked.distinct("command", {"planSummary": "COLLSCAN"})
        assert [one for one in scans if not _is_expected(one)] == []

    # --- what a server adds ---------------------------------------------------------------------

    async def test_a_restart_finds_everything(self, store, clock, url):
        await store.commit([mark(price=True), mark("2"), fact("f"), Put(document()), entry()])
        claim = (await self.claim(store))[0]
        await store.close()
        await store.close()
        again = await MongoStore.opened(url, clock)
        await again.commit([Settle(claim, Finished())])
        assert [row.key for row in await again.pending(C, Context.LISTINGS, parked=False)] == ["2"]
        assert len(await again.facts(C, "o1")) == 1
        assert len(await again.entries(EntryQuery(C))) == 1
        assert list(await again.get("listing", C, ["1"])) == ["1"]
        await again.close()

    async def test_its_settings_are_as_promised(self, store):
        options = store._books.client.options
        assert options.write_concern.document == {"w": "majority", "j": True, "wtimeout": 5000}
        assert options.read_concern.level == "majority"
        assert options.retry_writes
        for rows in (store._books.pending, store._books.documents):
            assert rows.write_concern == options.write_concern
            assert rows.read_preference.name == "Primary"

    async def test_an_url_cannot_weaken_what_is_promised(self, clock):
        weak = f"{mongo.shared().url()}&w=1&journal=false&retryWrites=false&readConcernLevel=local"
        store = await MongoStore.opened(weak, clock)
        options = store._books.client.options
        assert options.write_concern.document == {"w": "majority", "j": True, "wtimeout": 5000}
        assert (options.read_concern.level, options.retry_writes) == ("majority", True)
        await store.close()

    async def test_names_from_outside_are_values_everywhere(self, store):
        for name in HOSTILE:
            await store.commit(
                [
                    mark(name, connection=name),
                    Put(Document(name, name, name, name, name)),
                    fact(name, name, name),
                    Hold(name, name, name, name, 2),
                    entry(name, connection=name, message=name, source=name),
                ]
            )
            claim = await self.one(store, connection=name)
            assert (claim.connection, claim.key) == (name, name)
            found = await store.scan(name, name)
            assert found == [Document(name, name, name, name, name, 1)]
            assert await store.get(name, name, [name]) == {name: found[0]}
            assert await store.count(name, name) == {name: 1}
            assert [one.id for one in await store.facts(C, name)] == [name]
            assert await store.held(name, [name]) == {name: 2}
            assert [one.source for one in await store.entries(EntryQuery(name))] == [name]

    async def test_what_no_database_takes_harms_only_itself(self, store):
        results = await asyncio.gather(
            store.commit([mark("good")]),
            store.commit([mark("half a surrogate \ud83d")]),
            store.commit([fact("good"), mark("good, with a fact")]),
            store.commit([fact("bad", "\ud83d"), mark("without its fact")]),
            store.commit([Put(document("also good"))]),
            store.commit([Put(document("bad", version=10**30))]),
            store.commit([Put(document("large", "x" * 17_000_000))]),
            store.commit([mark("good too")]),
            return_exceptions=True,
        )
        refused = [type(result) for result in results if result is not None]
        assert refused[0] is refused[1] is UnicodeEncodeError
        assert refused[2] is OverflowError
        assert refused[3] is ValueError
        assert len(refused) == 4
        keys = [row.key for row in await store.pending(C, Context.LISTINGS, parked=False)]
        assert keys == ["good", "good too", "good, with a fact"]
        assert [one.id for one in await store.facts(C, "o1")] == ["good"]

    async def test_concurrent_commits_share_round_trips(self, store, monkeypatch):
        groups: list[int] = []
        write = mongo_pending.write_marks

        async def counted(books, marks, now):
            groups.append(len(marks))
            return await write(books, marks, now)

        monkeypatch.setattr(mongo_pending, "write_marks", counted)
        await asyncio.gather(*(store.commit([mark(str(n))]) for n in range(500)))
        assert sum(groups) == 500
        assert len(groups) <= 3
        assert len(await self.claim(store, limit=1000)) == 500

    async def test_no_two_claims_of_any_process_have_the_same_fence(self, store, clock, url):
        other = await MongoStore.opened(url, clock)
        await store.commit([mark(str(n)) for n in range(250)])
        fences = [
            (await self.claim(one, limit=1))[0].fence for _ in range(125) for one in (store, other)
        ]
        assert len(set(fences)) == 250
        await other.close()

    async def test_failing_and_parked_keys_are_marked_among_others(self, store):
        await store.commit([mark(str(n)) for n in range(6)])
        for claim in await self.claim(store, limit=3):
            await self.fail(store, claim, 7_200)
        await asyncio.gather(
            *(store.commit([mark(str(n), 1, Priority.URGENT, price=True)]) for n in range(8))
        )
        rows = await store.pending(C, Context.LISTINGS, parked=False)
        assert [(row.key, row.due_at) for row in rows] == [
            *((str(n), at(61)) for n in range(3)),
            *((str(n), at(0)) for n in range(3, 6)),
            *((str(n), at(1)) for n in range(6, 8)),
        ]

    async def test_close_finishes_what_was_accepted(self, store, clock, url):
        accepted = [asyncio.create_task(store.commit([mark(str(n))])) for n in range(50)]
        accepted += [asyncio.create_task(store.commit([Put(document(str(n)))])) for n in range(30)]
        await asyncio.sleep(0)
        await store.close()
        assert await asyncio.gather(*accepted) == [None] * 80
        with pytest.raises(StoreUnavailable):
            await store.commit([mark()])
        with pytest.raises(StoreUnavailable):
            await store.get("listing", C, ["1"])
        again = await MongoStore.opened(url, clock)
        assert len(await self.claim(again, limit=100)) == 50
        await again.close()

    async def test_facts_erased_leave_their_numbers_taken(self, store):
        await store.commit([fact("f1"), fact("f2"), mark()])
        await store.commit([EraseFacts(C, "o1")])
        await store.commit([EraseFacts(C, "o1"), EraseFacts(C, "never was")])
        await store.commit([fact("f1"), fact("f3"), EraseFacts(C, "o1"), fact("f4")])
        assert [(one.id, one.seq) for one in await store.facts(C, "o1")] == [("f4", 5)]

    async def test_many_due_keys_of_one_hide_nobody(self, store):
        many = [mark(f"{n:04}", 10 + n / 1000) for n in range(4_500)]
        quiet = [mark(connection="old", due=1), mark(connection="new", due=50)]
        await store.commit([*many, *quiet, mark(connection="between", due=13)])
        store._walking.begin = lambda: True
        named = [[one.connection for one in await store.due(at(60))] for _ in range(6)]
        assert ["old", C, "between", "new"] in named[:2]
        assert named[:3] == named[3:]  # a walk of three portions, and then again
        assert all({"old", C, "new"} <= set(round_) for round_ in named)
        told = {one.connection: one for one in await store.due(at(60))}
        assert told[C].oldest == at(10)
        assert told["new"].count == 1
        assert len(await store.due(at(60), limit=1)) == 1

    async def test_many_keys_due_since_one_moment_are_passed_by_in_one_step(self, store):
        await store.commit([mark(f"{n:04}", 10) for n in range(6_000)])
        later = [mark("1", 10, connection="zz"), mark("1", 15, context=Context.ORDERS)]
        await store.commit([*later, *(mark(f"{n}", 30, connection="last") for n in range(600))])
        store._walking.begin = lambda: True
        await store.due(at(60))
        second = {(one.connection, one.context) for one in await store.due(at(60))}
        assert {("zz", Context.LISTINGS), (C, Context.ORDERS)} <= second

    async def test_a_walk_that_fails_costs_nobody_a_turn(self, store):
        async def away(*_: Any) -> list[Any]:
            raise StoreUnavailable("too slow")

        await store.commit([mark(f"{n}", 10) for n in range(600)])
        store._walk.on = away
        assert [one.connection for one in await store.due(at(60))] == [C]

    @pytest.mark.parametrize("portion", [1, 2, 3, 5, 50])
    async def test_a_walk_names_everybody_who_is_due_in_each_round(self, store, portion):
        names = ["a", "a\0", "a\0b", "b", "ä", "z" * 200]
        for number, name in enumerate(names):
            keys = [mark(str(key), 10 + key % 3, connection=name) for key in range(4)]
            await store.commit(
                [*keys, mark("o", 11 + number, connection=name, context=Context.ORDERS)]
            )
        claims = await store.claim("b", Context.LISTINGS, limit=2, now=at(20), lease_until=at(30))
        assert len(claims) == 2
        expected = {
            (name, context) for name in names for context in (Context.LISTINGS, Context.ORDERS)
        }
        walk = Walk(portion=portion)
        for now in (20, 15, 40, 41):  # a clock may be set back
            named = set()
            for _ in range(50):
                found = await walk.on(store._books, at(now))
                named |= {(one.connection, one.context) for one in found}
            due = {one for one in expected if one[1] is Context.LISTINGS or now >= 17}
            assert due <= named <= expected

    async def test_large_counts_are_not_made_all_the_time(self, store):
        await store.commit([mark()])
        first = await store.pending_stats(at(1))
        store._counting.begin = lambda: False
        await store.commit([mark("2")])
        assert await store.pending_stats(at(1)) == first


_WHERE = (".pending", ".documents", ".facts", ".holds")


class TestItsIndexes:
    """Nothing that is asked all the time looks at what is not due."""

    @pytest.fixture
    def clock(self) -> HandClock:
        return HandClock()

    @pytest.fixture
    async def looked(self, clock):
        """How much the server looked at to answer a question, with and without an idle ledger."""
        store = await MongoStore.opened(mongo.shared().url(), clock)
        books = store._books

        async def cost(ask: Any) -> tuple[int, int]:
            await books.database.command("profile", 2)
            await ask(store)
            await books.database.command("profile", 0)
            asked = await books.database.get_collection("system.profile").find().to_list()
            await books.database.drop_collection("system.profile")
            ours = [one for one in asked if one["ns"].endswith(_WHERE)]
            assert ours
            return (
                sum(one.get("keysExamined", 0) for one in ours),
                sum(one.get("docsExamined", 0) for one in ours),
            )

        async def compared(ask: Any) -> None:
            await store.commit([mark(str(n), n / 100) for n in range(20)])
            await store.commit([mark(f"{n:03}", connection="other") for n in range(20)])
            first = await cost(ask)
            idle = [mark(f"idle {n:04}", 9_000, connection="a") for n in range(1500)]
            idle += [mark(f"{n:04} {one}", 9_000, one) for n in range(500) for one in Priority]
            await store.commit(idle)
            await store.commit([Put(document(f"idle {n}")) for n in range(500)])
            await store.commit([fact(f"idle {n}", subject=f"o{n}") for n in range(2, 500)])
            await store.commit([Hold("acme", f"idle {n}", C, "o2", 1) for n in range(500)])
            second = await cost(ask)
            assert first[1] == second[1]
            assert second[0] <= first[0] + 8  # index keys: a few ends of ranges more

        yield compared
        await store.close()

    async def test_due(self, looked):
        await looked(lambda store: store.due(at(10)))

    async def test_due_needs_the_index_alone(self, clock):
        store = await MongoStore.opened(mongo.shared().url(), clock)
        await store.commit([mark(str(n)) for n in range(30)])
        books = store._books
        await books.database.command("profile", 2)
        await store.due(at(10))
        (asked,) = await (
            books.database.get_collection("system.profile").find({"op": "command"}).to_list()
        )
        assert (asked["keysExamined"], asked["docsExamined"]) == (30, 0)
        await store.close()

    async def test_a_walk_looks_at_its_portion_of_the_index_and_at_nothing_idle(self, clock):
        store = await MongoStore.opened(mongo.shared().url(), clock)
        await store.commit([mark(f"{n:04}", n / 1000) for n in range(3_000)])
        await store.commit([mark(f"idle {n}", 9_000) for n in range(3_000)])
        store._walking.begin = lambda: True
        books = store._books
        await books.database.command("profile", 2)
        for _ in range(3):
            await store.due(at(10))
        profile = books.database.get_collection("system.profile")
        asked = await profile.find({"op": "query", "ns": books.pending.full_name}).to_list()
        assert [one["keysExamined"] for one in asked] == [2_000, 1_000, 2_000]
        assert not any(one["docsExamined"] for one in asked)
        await store.close()

    async def test_next_due(self, looked):
        await looked(lambda store: store.next_due())

    async def test_claims_and_renewals(self, looked):
        async def turn(store: MongoStore) -> None:
            claims = await store.claim(
                "other", Context.LISTINGS, limit=5, now=at(10), lease_until=at(60)
            )
            await store.renew(claims, lease_until=at(70))
            await store.commit([Settle(claim, Finished(at(1))) for claim in claims])

        await looked(turn)

    async def test_documents(self, looked):
        await looked(lambda store: store.get("listing", C, ["1", "2"]))

    async def test_facts(self, looked):
        numbers = itertools.count()

        async def turn(store: MongoStore) -> None:
            subjects = (f"o1 {next(numbers)}", f"p1 {next(numbers)}")
            await store.commit([fact("f1", subject=one) for one in subjects])
            assert len(await store.facts(C, subjects[0])) == 1
            await store.commit([EraseFacts(C, one) for one in subjects])

        await looked(turn)

    async def test_holds(self, looked):
        async def turn(store: MongoStore) -> None:
            await store.commit([Hold("acme", "1", C, "o1", 2)])
            assert await store.held("acme", ["1"]) == {"1": 2}
            await store.commit([Hold("acme", "1", C, "o1", 0)])

        await looked(turn)

    async def test_next_due_does_not_look_at_all_that_is_leased(self, clock):
        store = await MongoStore.opened(mongo.shared().url(), clock)
        await store.commit([mark(str(n)) for n in range(300)])
        await store.claim(C, Context.LISTINGS, limit=300, now=at(1), lease_until=at(31))
        books = store._books
        await books.database.command("profile", 2)
        assert await store.next_due() == at(31)
        profile = books.database.get_collection("system.profile")
        asked = await profile.find({"ns": books.pending.full_name}).to_list()
        assert len(asked) == 2
        assert sum(one["keysExamined"] for one in asked) < 5
        await store.close()
