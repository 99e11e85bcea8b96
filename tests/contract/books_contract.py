"""What every store must do besides keeping a pending set."""

from __future__ import annotations

import asyncio

import pytest

from connector.domain.entries import Status
from connector.domain.pending import Context, Parked
from connector.ports import (
    Conflict,
    Document,
    Drop,
    Due,
    EntryQuery,
    EraseFacts,
    Hold,
    PendingStats,
    Put,
    Settle,
)
from tests.contract.store_words import T0, C, StoreWords, at, document, entry, fact, mark


class BooksContract(StoreWords):
    """Documents, facts, holds, entries, and units of all of them."""

    # --- what is due ------------------------------------------------------------------------------

    async def test_due_tells_who_has_work(self, store):
        await store.commit(
            [
                mark("1", 5),
                mark("2", 3),
                mark("3", 50),
                mark("4", 1, connection="b"),
                mark("5", 4, context=Context.ORDERS),
                mark("6", 2, connection="leased"),
            ]
        )
        await self.claim(store, 5, connection="leased")
        assert await store.due(at(10)) == [
            Due("b", Context.LISTINGS, 1, at(1)),
            Due(C, Context.LISTINGS, 2, at(3)),
            Due(C, Context.ORDERS, 1, at(4)),
        ]
        assert len(await store.due(at(10), limit=2)) == 2
        assert len(await store.due(at(100))) == 4  # the lease ran out
        assert await store.due(at(0)) == []

    async def test_next_due_tells_when_to_look_again(self, store, clock):
        assert await store.next_due() is None
        await store.commit([mark("now", -5), mark("soon", 30), mark("later", 90)])
        assert await store.next_due() == at(30)
        await self.claim(store, 0, lease=20)
        assert await store.next_due() == at(20)  # should its worker be dead
        clock.set(30)
        assert await store.next_due() == at(90)
        clock.set(90)
        assert await store.next_due() is None

    async def test_stats_count_every_key_once(self, store):
        await store.commit([mark(str(n), due) for n, due in enumerate([0, 1, 2, 3, 100])])
        claims = await self.claim(store, 1, limit=2)
        await store.commit([Settle(claims[0], Parked(at(5), ("x",)))])
        await store.commit([mark(context=Context.ORDERS)])
        assert await store.pending_stats(at(10)) == [
            PendingStats(
                C, Context.LISTINGS, due=2, waiting=1, parked=1, leased=1, oldest_due=at(2)
            ),
            PendingStats(C, Context.ORDERS, due=1, waiting=0, parked=0, leased=0, oldest_due=T0),
        ]

    async def test_pending_is_paged_by_key(self, store):
        await store.commit([mark(f"{n:03}") for n in range(25)])
        seen: list[str] = []
        while rows := await store.pending(
            C, Context.LISTINGS, parked=False, after=seen[-1] if seen else "", limit=10
        ):
            seen += [row.key for row in rows]
        assert seen == [f"{n:03}" for n in range(25)]

    # --- documents --------------------------------------------------------------------------------

    async def test_documents_are_saved_and_found(self, store):
        await store.commit([Put(document("1", "a", "new")), Put(document("2", "b"))])
        found = await store.get("listing", C, ["1", "2", "3"])
        assert found == {
            "1": document("1", "a", "new", 1),
            "2": document("2", "b", "", 1),
        }
        assert await store.get("listing", C, []) == {}
        assert await store.get("listing", "other", ["1"]) == {}
        assert await store.get("order", C, ["1"]) == {}

    async def test_a_document_is_changed_by_those_who_read_it_last(self, store):
        await store.commit([Put(document(body="a"))])
        await store.commit([Put(document(body="b", version=1))])
        for version in (0, 1, 3):
            with pytest.raises(Conflict):
                await store.commit([Put(document(body="c", version=version))])
        assert (await store.get("listing", C, ["1"]))["1"] == document(body="b", version=2)

    async def test_a_document_that_is_gone_cannot_be_changed(self, store):
        with pytest.raises(Conflict):
            await store.commit([Put(document(version=1))])
        await store.commit([Put(document())])
        await store.commit([Drop("listing", C, "1"), Drop("listing", C, "never was")])
        with pytest.raises(Conflict):
            await store.commit([Put(document(version=1))])
        await store.commit([Put(document())])

    async def test_one_unit_sees_its_own_writes(self, store):
        await store.commit(
            [
                Put(document(body="a")),
                Put(document(body="b", version=1)),
                Drop("listing", C, "1"),
                Put(document(body="c")),
            ]
        )
        assert (await store.get("listing", C, ["1"]))["1"] == document(body="c", version=1)

    async def test_of_many_writers_one_wins(self, store):
        results = await asyncio.gather(
            *(store.commit([Put(document(body=str(n)))]) for n in range(50)),
            return_exceptions=True,
        )
        assert results.count(None) == 1
        assert all(isinstance(r, Conflict) for r in results if r is not None)
        winner = (await store.get("listing", C, ["1"]))["1"].body
        assert winner == str(results.index(None))

    async def test_many_documents_at_once(self, store):
        keys = [f"k{n:04}" for n in range(500)]
        await store.commit([Put(document(key, key)) for key in keys])
        found = await store.get("listing", C, [*keys, "none"])
        assert {key: one.body for key, one in found.items()} == {key: key for key in keys}

    async def test_scan_goes_through_all(self, store):
        docs = [
            Document("k", connection, key, "", state)
            for connection in ("a", "b")
            for key, state in (("1", "x"), ("2/3", "y"), ("4", "x"))
        ]
        await store.commit([*map(Put, docs), Put(Document("other", "a", "1", ""))])

        async def keys(*args, **kwargs) -> list[str]:
            return [f"{one.connection}/{one.key}" for one in await store.scan(*args, **kwargs)]

        assert await keys("k") == ["a/1", "a/2/3", "a/4", "b/1", "b/2/3", "b/4"]
        assert await keys("k", after="a/2/3") == ["a/4", "b/1", "b/2/3", "b/4"]
        assert await keys("k", limit=2) == ["a/1", "a/2/3"]
        assert await keys("k", "b") == ["b/1", "b/2/3", "b/4"]
        assert await keys("k", "b", after="1") == ["b/2/3", "b/4"]
        assert await keys("k", state="x") == ["a/1", "a/4", "b/1", "b/4"]
        assert await keys("k", "a", state="x", after="1") == ["a/4"]
        assert await store.count("k", "a") == {"x": 2, "y": 1}
        assert await store.count("k", "c") == {}

    # --- facts, holds, entries --------------------------------------------------------------------

    async def test_facts_are_kept_once_and_in_order(self, store):
        for number in (1, 2, 3):
            await store.commit([fact(f"f{number}", str(number))])
        await store.commit([fact("f2", "again"), fact("f4", "4")])
        await store.commit([fact("f1", "elsewhere", "o2")])
        told = await store.facts(C, "o1")
        assert [(one.id, one.body) for one in told] == [
            ("f1", "1"),
            ("f2", "2"),
            ("f3", "3"),
            ("f4", "4"),
        ]
        assert told[0].at == T0
        seqs = [one.seq for one in told]
        assert seqs == sorted(set(seqs))
        assert [one.body for one in await store.facts(C, "o2")] == ["elsewhere"]
        assert await store.facts(C, "o3") == []

    async def test_facts_are_erased_with_their_subject(self, store):
        await store.commit([fact("f1"), fact("f1", subject="o2")])
        await store.commit([EraseFacts(C, "o1")])
        assert await store.facts(C, "o1") == []
        assert len(await store.facts(C, "o2")) == 1
        await store.commit([fact("f1")])
        assert len(await store.facts(C, "o1")) == 1

    async def test_holds_add_up_over_connections(self, store):
        await store.commit(
            [
                Hold("shop", "1", C, "o1", 2),
                Hold("shop", "1", C, "o2", 3),
                Hold("shop", "1", "other", "o1", 4),
                Hold("shop", "2", C, "o1", 1),
                Hold("another", "1", C, "o1", 100),
            ]
        )
        assert await store.held("shop", ["1", "2", "3"]) == {"1": 9, "2": 1}
        await store.commit([Hold("shop", "1", C, "o1", 1), Hold("shop", "2", C, "o1", 0)])
        assert await store.held("shop", ["1", "2"]) == {"1": 8}
        await store.commit([Hold("shop", "9", C, "o1", 0)])
        assert await store.held("shop", []) == {}

    async def test_entries_come_newest_first(self, store):
        await store.commit(
            [
                entry("1", second=1, code="S1", source="{}", translated="t", destination="d"),
                entry("2", Status.ERROR, second=2),
                entry("1", Status.WARNING, second=3),
                entry("1", second=9, connection="other"),
            ]
        )
        found = await store.entries(EntryQuery(C))
        assert [(one.subject, one.status) for one in found] == [
            ("1", Status.WARNING),
            ("2", Status.ERROR),
            ("1", Status.SUCCESS),
        ]
        assert found[2].model_copy(update={"id": 0}) == entry(
            "1", second=1, code="S1", source="{}", translated="t", destination="d"
        )
        assert found[0].id > found[1].id > found[2].id > 0

        async def ids(**query) -> list[int]:
            return [one.id for one in await store.entries(EntryQuery(C, **query))]

        newest, middle, oldest = (one.id for one in found)
        assert await ids(subject="1") == [newest, oldest]
        assert await ids(statuses=[Status.ERROR, Status.WARNING]) == [newest, middle]
        assert await ids(since=at(2)) == [newest, middle]
        assert await ids(until=at(2)) == [oldest]
        assert await ids(before=newest) == [middle, oldest]
        assert await ids(limit=1) == [newest]

    async def test_old_entries_are_forgotten(self, store):
        await store.commit([entry(str(n), second=n) for n in range(10)])
        assert await store.forget(entries_before=at(4)) == 4
        assert await store.forget(entries_before=at(4)) == 0
        assert [one.subject for one in await store.entries(EntryQuery(C))] == list("987654")

    # --- units ------------------------------------------------------------------------------------

    async def test_nothing_is_a_commit_too(self, store):
        await store.commit([])

    async def test_a_refused_unit_leaves_no_trace(self, store):
        await store.commit(
            [Put(document(body="a")), fact("f1"), mark("old", 9), Hold("shop", "1", C, "o", 1)]
        )
        before = await store.pending(C, Context.LISTINGS, parked=False)
        with pytest.raises(Conflict):
            await store.commit(
                [
                    mark("new"),
                    mark("old"),
                    fact("f2"),
                    EraseFacts(C, "o1"),
                    Hold("shop", "1", C, "o", 5),
                    Hold("shop", "2", C, "o", 5),
                    entry(),
                    Drop("listing", C, "1"),
                    Put(document("2")),
                    Put(document(version=7)),
                ]
            )
        assert await store.pending(C, Context.LISTINGS, parked=False) == before
        assert [one.id for one in await store.facts(C, "o1")] == ["f1"]
        assert await store.held("shop", ["1", "2"]) == {"1": 1}
        assert await store.entries(EntryQuery(C)) == []
        assert list(await store.get("listing", C, ["1", "2"])) == ["1"]

    async def test_units_at_the_same_time_do_not_touch_each_other(self, store):
        await store.commit([Put(document("taken"))])
        units = [
            [Put(document(str(n))), mark(str(n)), entry(str(n))]
            if n % 3
            else [mark(str(n)), Put(document("taken"))]
            for n in range(60)
        ]
        results = await asyncio.gather(
            *(store.commit(unit) for unit in units), return_exceptions=True
        )
        good = {str(n) for n in range(60) if n % 3}
        for number, result in enumerate(results):
            assert (result is None) == (str(number) in good)
        rows = await store.pending(C, Context.LISTINGS, parked=False)
        assert {row.key for row in rows} == good
        assert {one.subject for one in await store.entries(EntryQuery(C))} == good
        found = await store.get("listing", C, [str(n) for n in range(60)])
        assert set(found) == good

    async def test_a_cancelled_caller_harms_nobody(self, store):
        tasks = [asyncio.create_task(store.commit([mark(str(n))])) for n in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert results[1::2] == [None] * 10
        await store.commit([mark("after")])
        keys = {row.key for row in await store.pending(C, Context.LISTINGS, parked=False)}
        assert keys >= {str(n) for n in range(1, 20, 2)} | {"after"}
