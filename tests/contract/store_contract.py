"""What every store must do. A driver's test module subclasses it and gives ``store``."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from connector.domain.entries import Direction, Entry, Operation, Status
from connector.domain.pending import (
    Claim,
    Context,
    Failed,
    Finished,
    Hint,
    Mark,
    Parked,
    PendingRow,
    Priority,
)
from connector.ports import (
    Conflict,
    Document,
    Drop,
    Due,
    EntryQuery,
    EraseFacts,
    Fact,
    Hold,
    LeaseLost,
    PendingStats,
    Put,
    Settle,
    Store,
)

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
C = "shop.BCD.demo"


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


class HandClock:
    """A clock that is moved by hand."""

    def __init__(self, now: datetime = T0) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    def wall(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds)

    def set(self, seconds: float) -> None:
        self.moment = at(seconds)


def mark(
    key: str = "1",
    due: float = 0,
    priority: Priority = Priority.CHANGE,
    *,
    connection: str = C,
    context: Context = Context.LISTINGS,
    **hint: bool,
) -> Mark:
    return Mark(connection, context, key, at(due), priority, Hint(**hint))


def document(key: str = "1", body: str = "{}", state: str = "", version: int = 0) -> Document:
    return Document("listing", C, key, body, state, version)


def fact(id_: str, body: str = "", subject: str = "o1") -> Fact:
    return Fact(C, subject, "status", id_, body, T0)


def entry(subject: str = "1", status: Status = Status.SUCCESS, second: float = 0, **more) -> Entry:
    return Entry(
        connection=more.pop("connection", C),
        at=at(second),
        subject=subject,
        operation=Operation.OFFER_CREATION,
        direction=Direction.TO_MARKETPLACE,
        status=status,
        message=more.pop("message", "sent"),
        **more,
    )


class StoreContract:
    """Semantics of ``ports.Store``; ``clock`` is the store's clock."""

    @pytest.fixture
    def clock(self) -> HandClock:
        return HandClock()

    @pytest.fixture
    async def store(self, clock):
        raise NotImplementedError

    # --- helpers --------------------------------------------------------------------------------

    async def claim(
        self, store: Store, second: float = 0, *, limit: int = 10, lease: float = 60, **where
    ) -> list[Claim]:
        return await store.claim(
            where.get("connection", C),
            where.get("context", Context.LISTINGS),
            limit=limit,
            now=at(second),
            lease_until=at(second + lease),
        )

    async def one(self, store: Store, second: float = 0, **more) -> Claim:
        (claim,) = await self.claim(store, second, **more)
        return claim

    async def row(self, store: Store, *, parked: bool = False) -> PendingRow:
        (row,) = await store.pending(C, Context.LISTINGS, parked=parked)
        return row

    async def fail(self, store: Store, claim: Claim, retry: float, **more) -> None:
        more = {"priority": Priority.CHANGE, "reason": "busy", **more}
        await store.commit([Settle(claim, Failed(at(retry), **more))])

    # --- marks ----------------------------------------------------------------------------------

    async def test_a_mark_becomes_a_claim(self, store, clock):
        clock.set(3)
        await store.commit([mark("a/b 1", 2, Priority.URGENT, price=True, active=False)])
        claim = await self.one(store, 5)
        assert claim == Claim(
            C,
            Context.LISTINGS,
            "a/b 1",
            fence=claim.fence,
            marks=1,
            priority=Priority.URGENT,
            hint=Hint(price=True, active=False),
            attempts=0,
            marked_at=at(3),
        )
        assert claim.fence > 0

    async def test_marks_of_a_key_are_merged(self, store, clock):
        await store.commit([mark(due=50, priority=Priority.ECHO, price=True, active=True)])
        clock.set(1)
        await store.commit([mark(due=20, priority=Priority.SWEEP, stock=True, removed=False)])
        clock.set(2)
        await store.commit([mark(due=90, priority=Priority.CHANGE, active=False)])
        assert await self.claim(store, 19) == []
        claim = await self.one(store, 20)
        assert claim.marks == 3
        assert claim.priority is Priority.CHANGE
        assert claim.hint == Hint(price=True, stock=True, active=False, removed=False)
        assert claim.marked_at == T0

    async def test_marks_of_one_commit_are_merged_too(self, store):
        await store.commit([mark(content=True), mark(echo=True), mark("2"), mark(recheck=True)])
        first, second = await self.claim(store)
        assert (first.marks, second.marks) == (3, 1)
        assert first.hint == Hint(content=True, echo=True, recheck=True)

    async def test_contexts_and_connections_are_apart(self, store):
        await store.commit(
            [
                mark(),
                mark(context=Context.ORDERS),
                mark(connection="other"),
            ]
        )
        assert len(await self.claim(store)) == 1
        assert len(await self.claim(store, context=Context.ORDERS)) == 1
        assert len(await self.claim(store, connection="other")) == 1
        assert await self.claim(store, context=Context.UPKEEP) == []

    async def test_keys_are_kept_as_they_are(self, store):
        keys = ["", " ", "ß/ü?%2F", "🙂", "x" * 2000, "a'b\"c;--", "new\nline", "zero\0zero"]
        await store.commit([mark(key) for key in keys])
        assert sorted(c.key for c in await self.claim(store)) == sorted(keys)

    async def test_moments_are_kept_to_the_microsecond(self, store):
        moment = datetime(2026, 7, 3, 23, 59, 59, 999_999, tzinfo=UTC)
        elsewhere = moment.astimezone(tz=None)
        await store.commit([Mark(C, Context.LISTINGS, "1", elsewhere)])
        assert (await self.row(store)).due_at == moment

    # --- claims ---------------------------------------------------------------------------------

    async def test_claims_go_by_priority_then_by_due_time(self, store):
        await store.commit(
            [
                mark("sweep", 0, Priority.SWEEP),
                mark("late", 5, Priority.CHANGE),
                mark("early", 1, Priority.CHANGE),
                mark("urgent", 6, Priority.URGENT),
                mark("tomorrow", 86_400, Priority.URGENT),
            ]
        )
        claims = await self.claim(store, 10)
        assert [claim.key for claim in claims] == ["urgent", "early", "late", "sweep"]

    async def test_a_claim_takes_no_more_than_its_limit(self, store):
        await store.commit([mark(str(n)) for n in range(200)])
        first = await self.claim(store, limit=130)
        rest = await self.claim(store, limit=130)
        assert (len(first), len(rest)) == (130, 70)
        assert {c.key for c in first} | {c.key for c in rest} == {str(n) for n in range(200)}

    async def test_a_leased_key_is_not_given_out_until_the_lease_ends(self, store):
        await store.commit([mark()])
        first = await self.one(store, 0, lease=60)
        assert await self.claim(store, 59.999) == []
        second = await self.one(store, 60)
        assert second.fence > first.fence
        assert second.marked_at == first.marked_at

    async def test_a_renewed_lease_lasts_longer(self, store):
        await store.commit([mark()])
        claim = await self.one(store, 0, lease=60)
        await store.renew([claim], lease_until=at(120))
        assert await self.claim(store, 100) == []
        newer = await self.one(store, 120, lease=60)
        await store.renew([claim], lease_until=at(999))  # lost: left alone
        assert len(await self.claim(store, 180)) == 1
        await store.renew([newer], lease_until=at(999))
        await store.renew([], lease_until=at(999))

    async def test_two_claimers_never_share_a_key(self, store):
        await store.commit([mark(str(n)) for n in range(300)])
        batches = await asyncio.gather(*(self.claim(store, limit=7) for _ in range(60)))
        keys = [claim.key for batch in batches for claim in batch]
        assert len(keys) == len(set(keys)) == 300

    # --- settlements ----------------------------------------------------------------------------

    async def test_a_finished_key_is_forgotten(self, store):
        await store.commit([mark()])
        await store.commit([Settle(await self.one(store), Finished())])
        assert await store.pending(C, Context.LISTINGS, parked=False) == []
        assert await store.pending_stats(T0) == []

    async def test_a_finished_key_waits_for_its_next_look(self, store, clock):
        await store.commit([mark(priority=Priority.URGENT, price=True)])
        claim = await self.one(store)
        await self.fail(store, claim, 5)
        claim = await self.one(store, 5)
        settled = Finished(at(100), Priority.ECHO, Hint(echo=True))
        await store.commit([Settle(claim, settled)])
        assert await self.claim(store, 99) == []
        clock.set(100)
        again = await self.one(store, 100)
        assert (again.priority, again.hint) == (Priority.ECHO, Hint(echo=True))
        assert (again.attempts, again.failing_since) == (0, None)
        assert again.marked_at == at(100)  # nobody marked it: its own time is what it answers

    async def test_a_mark_during_the_lease_is_not_lost(self, store, clock):
        await store.commit([mark(price=True, active=True)])
        claim = await self.one(store)
        clock.set(7)
        await store.commit([mark(due=20, priority=Priority.URGENT, stock=True)])
        clock.set(8)
        await store.commit([mark(due=30, active=False)])
        assert await self.claim(store, 10) == []
        settled = Finished(at(500), Priority.SWEEP, Hint(echo=True, active=True, removed=True))
        await store.commit([Settle(claim, settled)])
        again = await self.one(store, 10)
        assert again.hint == Hint(price=True, stock=True, echo=True, active=False, removed=True)
        assert again.priority is Priority.URGENT
        assert again.marked_at == at(7)
        assert again.marks == 3

    async def test_a_mark_during_the_lease_keeps_a_key_that_would_be_forgotten(self, store):
        await store.commit([mark()])
        claim = await self.one(store)
        await store.commit([mark()])
        await store.commit([Settle(claim, Finished())])
        assert (await self.one(store)).marks == 2

    async def test_a_failed_key_keeps_its_back_off(self, store, clock):
        await store.commit([mark(price=True)])
        clock.set(1)
        await self.fail(store, await self.one(store), 30, priority=Priority.ECHO)
        await store.commit([mark(due=2, priority=Priority.URGENT, stock=True)])
        assert await self.claim(store, 29) == []
        row = await self.row(store)
        assert (row.due_at, row.reasons, row.attempts) == (at(30), ("busy",), 1)
        clock.set(40)
        claim = await self.one(store, 40)
        assert (claim.attempts, claim.failing_since) == (1, at(1))
        assert claim.priority is Priority.URGENT
        assert claim.hint == Hint(price=True, stock=True)
        assert claim.marked_at == T0
        await self.fail(store, claim, 50, counts=False)
        claim = await self.one(store, 50)
        assert (claim.attempts, claim.failing_since) == (1, at(1))

    async def test_a_failure_sets_the_priority_of_its_retry(self, store):
        await store.commit([mark(priority=Priority.URGENT)])
        await self.fail(store, await self.one(store), 5, priority=Priority.SWEEP)
        claim = await self.one(store, 5)
        assert claim.priority is Priority.SWEEP
        await store.commit([mark(priority=Priority.URGENT)])
        await self.fail(store, claim, 9, priority=Priority.ECHO)
        assert (await self.one(store, 9)).priority is Priority.URGENT

    async def test_success_ends_the_back_off(self, store):
        await store.commit([mark()])
        await self.fail(store, await self.one(store), 30)
        await store.commit([Settle(await self.one(store, 30), Finished(at(500)))])
        await store.commit([mark(due=31)])
        assert len(await self.claim(store, 31)) == 1

    async def test_a_parked_key_is_tried_again_at_its_time(self, store):
        await store.commit([mark(price=True)])
        await store.commit([Settle(await self.one(store), Parked(at(900), ("a", "b")))])
        row = await self.row(store, parked=True)
        assert (row.parked, row.reasons, row.due_at) == (True, ("a", "b"), at(900))
        assert await store.pending(C, Context.LISTINGS, parked=False) == []
        assert await self.claim(store, 899) == []
        claim = await self.one(store, 900)
        assert claim.parked
        assert claim.hint == Hint(price=True)
        await store.commit([Settle(claim, Finished(at(1000)))])
        assert (await self.row(store)).reasons == ()
        assert not (await self.one(store, 1000)).parked

    async def test_a_mark_lets_a_parked_key_go(self, store):
        await store.commit([mark()])
        await store.commit([Settle(await self.one(store), Parked(at(900), ("a",)))])
        await store.commit([mark(due=10, priority=Priority.CHANGE)])
        assert not (await self.row(store)).parked
        claim = await self.one(store, 10)
        assert claim.parked  # it was, and is tried again
        await store.commit([Settle(claim, Parked(at(999), ("a",)))])
        assert (await self.row(store, parked=True)).due_at == at(999)

    async def test_a_sweep_leaves_a_parked_key_parked(self, store):
        await store.commit([mark()])
        await store.commit([Settle(await self.one(store), Parked(at(900), ("a",)))])
        await store.commit([mark(due=10, priority=Priority.SWEEP, recheck=True)])
        assert (await self.row(store, parked=True)).due_at == at(900)
        assert await self.claim(store, 10) == []
        claim = await self.one(store, 900)
        assert (claim.hint, claim.marks) == (Hint(recheck=True), 2)

    async def test_a_mark_during_the_lease_lets_a_key_that_gets_parked_go(self, store):
        await store.commit([mark()])
        claim = await self.one(store)
        await store.commit([mark(price=True)])
        await store.commit([Settle(claim, Parked(at(900), ("a",)))])
        assert not (await self.row(store)).parked
        again = await self.one(store, 1)
        assert (again.hint, again.parked) == (Hint(price=True), True)

    async def test_a_failure_of_a_parked_key_leaves_it_parked(self, store):
        await store.commit([mark()])
        await store.commit([Settle(await self.one(store), Parked(at(900), ("a",)))])
        await self.fail(store, await self.one(store, 900), 950, counts=False)
        assert (await self.row(store, parked=True)).due_at == at(950)
        await store.commit([mark(due=901)])
        assert await self.claim(store, 949) == []
        assert (await self.one(store, 950)).parked

    # --- fences ---------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "settlement",
        [
            Finished(),
            Finished(at(50)),
            Failed(at(50), Priority.CHANGE, "x"),
            Parked(at(50), ("x",)),
        ],
        ids=["forget", "finish", "fail", "park"],
    )
    async def test_a_stale_worker_is_refused_with_all_it_wanted(self, store, settlement):
        await store.commit([mark(), mark("2")])
        stale, other = await self.claim(store, 0, lease=60)
        fresh = (await self.claim(store, 60))[0]
        before = await store.pending(C, Context.LISTINGS, parked=False)
        with pytest.raises(LeaseLost):
            await store.commit(
                [
                    Put(document("d")),
                    Settle(stale, settlement),
                    Settle(other, settlement),
                    mark("3"),
                ]
            )
        assert await store.pending(C, Context.LISTINGS, parked=False) == before
        assert await store.get("listing", C, ["d"]) == {}
        await store.commit([Settle(fresh, settlement)])

    async def test_a_claim_ends_once(self, store):
        await store.commit([mark()])
        claim = await self.one(store)
        await store.commit([Settle(claim, Finished(at(50)))])
        with pytest.raises(LeaseLost):
            await store.commit([Settle(claim, Parked(at(60), ("late",)))])
        assert (await self.row(store)).due_at == at(50)

    async def test_a_lease_that_ran_out_is_good_until_somebody_takes_over(self, store):
        await store.commit([mark()])
        claim = await self.one(store, 0, lease=1)
        await store.commit([Settle(claim, Finished(at(500)))])
        assert (await self.row(store)).due_at == at(500)

    async def test_a_key_that_comes_back_does_not_repeat_its_fences(self, store):
        await store.commit([mark()])
        stale = await self.one(store, 0, lease=60)
        await store.commit([Settle(await self.one(store, 60), Finished())])
        await store.commit([mark(due=70)])
        await self.one(store, 70)
        with pytest.raises(LeaseLost):
            await store.commit([Settle(stale, Finished())])

    async def test_a_missing_key_is_a_lost_lease(self, store):
        await store.commit([mark()])
        claim = await self.one(store)
        await store.commit([Settle(claim, Finished())])
        with pytest.raises(LeaseLost):
            await store.commit([Settle(claim, Finished())])

    async def test_a_batch_is_settled_in_one_commit(self, store):
        await store.commit([mark(str(n)) for n in range(6)])
        claims = await self.claim(store)
        await store.commit(
            [
                Settle(claims[0], Finished()),
                Settle(claims[1], Finished(at(50))),
                Settle(claims[2], Failed(at(60), Priority.ECHO, "busy")),
                Settle(claims[3], Parked(at(70), ("no",))),
                mark("0", 80),
                entry("1"),
                Put(document("1", "x")),
            ]
        )
        rows = await store.pending(C, Context.LISTINGS, parked=False)
        assert [(row.key, row.due_at) for row in rows if not row.leased] == [
            ("0", at(80)),
            ("1", at(50)),
            ("2", at(60)),
        ]
        assert [row.key for row in rows if row.leased] == ["4", "5"]

    # --- what is due ----------------------------------------------------------------------------

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

    # --- documents ------------------------------------------------------------------------------

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

    # --- facts, holds, entries ------------------------------------------------------------------

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

    # --- units ----------------------------------------------------------------------------------

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
