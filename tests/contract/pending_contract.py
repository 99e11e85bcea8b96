"""What the pending set of every store must do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from connector.domain.pending import Claim, Context, Failed, Finished, Hint, Mark, Parked, Priority
from connector.ports import (
    LeaseLost,
    Put,
    Settle,
)
from tests.contract.store_words import T0, C, StoreWords, at, document, entry, mark


class PendingContract(StoreWords):
    """Marks, claims, settlements and fences."""

    # --- marks ------------------------------------------------------------------------------------

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
        await store.commit([mark(content=True), mark(sold=True), mark("2"), mark(recheck=True)])
        first, second = await self.claim(store)
        assert (first.marks, second.marks) == (3, 1)
        assert first.hint == Hint(content=True, sold=True, recheck=True)

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

    # --- claims -----------------------------------------------------------------------------------

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

    # --- settlements ------------------------------------------------------------------------------

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
        settled = Finished(at(100), Priority.ECHO, Hint(sold=True))
        await store.commit([Settle(claim, settled)])
        assert await self.claim(store, 99) == []
        clock.set(100)
        again = await self.one(store, 100)
        assert (again.priority, again.hint) == (Priority.ECHO, Hint(sold=True))
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
        settled = Finished(at(500), Priority.SWEEP, Hint(sold=True, active=True, removed=True))
        await store.commit([Settle(claim, settled)])
        again = await self.one(store, 10)
        assert again.hint == Hint(price=True, stock=True, sold=True, active=False, removed=True)
        assert again.priority is Priority.URGENT
        assert again.marked_at == at(7)
        assert again.marks == 3

    async def test_a_mark_during_the_lease_keeps_a_key_that_would_be_forgotten(self, store):
        await store.commit([mark()])
        claim = await self.one(store)
        await store.commit([mark()])
        await store.commit([Settle(claim, Finished())])
        assert (await self.one(store)).marks == 2

    async def test_an_urgent_mark_cuts_a_long_back_off_and_begins_anew(self, store, clock):
        await store.commit([mark()])
        await self.fail(store, await self.one(store), 7_200)
        clock.set(10)
        await store.commit([mark(due=10, priority=Priority.URGENT)])
        assert await self.claim(store, 69) == []
        claim = await self.one(store, 70)
        assert (claim.attempts, claim.failing_since) == (0, None)
        assert claim.priority is Priority.URGENT

    async def test_an_urgent_mark_does_not_lengthen_a_short_back_off(self, store):
        await store.commit([mark()])
        await self.fail(store, await self.one(store), 5)
        await store.commit([mark(due=1, priority=Priority.URGENT)])
        assert await self.claim(store, 4) == []
        assert await self.one(store, 5)

    async def test_a_failed_key_keeps_its_back_off(self, store, clock):
        await store.commit([mark(price=True)])
        clock.set(1)
        await self.fail(store, await self.one(store), 30, priority=Priority.ECHO)
        await store.commit([mark(due=2, priority=Priority.CHANGE, stock=True)])
        assert await self.claim(store, 29) == []
        row = await self.row(store)
        assert (row.due_at, row.reasons, row.attempts) == (at(30), ("busy",), 1)
        clock.set(40)
        claim = await self.one(store, 40)
        assert (claim.attempts, claim.failing_since) == (1, at(1))
        assert claim.priority is Priority.CHANGE
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

    # --- fences -----------------------------------------------------------------------------------

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
