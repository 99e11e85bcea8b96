"""Several processes, one allowance and one view of who is down."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest

from connector.domain.breaker import COOLDOWN_S, Breaker, Phase
from connector.domain.http import Held
from connector.domain.limits import decide, in_background, reserve
from connector.drivers.breakers import Breakers
from connector.drivers.commons import ALLOWANCE, BREAKER, Commons, most_at_once
from connector.drivers.limiter import Limiter, Rule
from connector.drivers.memory_store import MemoryStore
from connector.drivers.virtual_time import VirtualClock, run_virtual
from connector.ports import StoreUnavailable
from connector.sdk.values import Limit, Scope

NOW = 1.8e9


def rule(scope: str = "s", rate: float = 20, burst: int = 20, per_s: float = 1.0) -> Rule:
    return Rule(scope, Limit(Scope.CONNECTION, rate, per_s=per_s, burst=burst))


class Bucket:
    """The peer's own count of calls."""

    def __init__(self, clock: VirtualClock, rate: float, burst: int) -> None:
        self.clock, self.rate, self.burst = clock, rate, burst
        self.state, self.taken, self.refused = 0.0, 0, 0

    def call(self) -> None:
        now = self.clock.now().timestamp()
        self.state, wait = decide(self.state, now, self.rate, 1.0, self.burst)
        self.taken += wait == 0
        self.refused += wait > 0


def test_reserving_one_by_one_is_taking():
    one, several = 0.0, 0.0
    for count in (1, 3, 2, 5):
        for _ in range(count):
            one, wait = decide(one, NOW + 99, 10, 1.0, 20)
            assert wait == 0
        several, at = reserve(several, NOW + 99, count, rate=10, burst=20)
        assert several == pytest.approx(one)
        assert at == NOW + 99
    assert reserve(several, NOW + 99, 20, rate=10, burst=20)[1] == pytest.approx(NOW + 99 + 1.1)


def test_a_slice_is_small_beside_the_burst():
    assert most_at_once(Limit(Scope.CONNECTION, 200, burst=200)) == 50
    assert most_at_once(Limit(Scope.CONNECTION, 18, burst=30)) == 4
    assert most_at_once(Limit(Scope.CONNECTION, 1, per_s=60)) == 1
    assert most_at_once(Limit(Scope.CONNECTION, 200, burst=1)) == 1


@pytest.mark.parametrize("processes", [1, 4])
def test_processes_share_an_allowance_and_use_it_up(processes):
    clock, seconds = VirtualClock(), 60.0
    bucket = Bucket(clock, 20, 30)

    async def caller(limiter: Limiter) -> None:
        while True:
            try:
                await limiter.acquire([rule("quick", 500, 500), rule(rate=19.8, burst=20)])
            except Held as held:
                await clock.sleep((held.until - clock.now()).total_seconds())
                continue
            bucket.call()

    async def main() -> None:
        store = MemoryStore(clock)
        limiters = [Limiter(clock, commons=Commons(store, clock)) for _ in range(processes)]
        tasks = [asyncio.create_task(caller(one)) for one in limiters for _ in range(10)]
        await clock.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run_virtual(main())
    assert bucket.refused <= 0.005 * bucket.taken
    assert bucket.taken >= 0.9 * 20 * seconds


async def _calling(
    clock: VirtualClock, limiter: Limiter, *, callers: int, each_s: float, seconds: float
) -> int:
    """How many calls some callers make that a peer answers after ``each_s``."""
    calls = 0

    async def caller() -> None:
        nonlocal calls
        while True:
            await limiter.acquire([rule(rate=200, burst=200)])
            calls += 1
            await clock.sleep(each_s)

    tasks = [asyncio.create_task(caller()) for _ in range(callers)]
    await clock.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return calls


def test_the_ledger_is_asked_a_few_times_a_second_however_few_wait_at_once():
    clock, seconds = VirtualClock(), 20.0

    async def main() -> tuple[int, int]:
        store = MemoryStore(clock)
        limiter = Limiter(clock, commons=Commons(store, clock))
        calls = await _calling(clock, limiter, callers=8, each_s=0.05, seconds=seconds)
        return calls, (await store.get(ALLOWANCE, "", ["s"]))["s"].version

    calls, asked = run_virtual(main())
    assert calls >= 150 * seconds
    assert asked <= 8 * seconds


def test_hardly_anything_that_was_taken_is_left_unspent():
    """At half of the rate, slices fit what is needed: others could have the rest."""
    clock, seconds = VirtualClock(), 30.0

    class Counted(Commons):
        taken = 0

        async def take(self, *about, **more):
            grant = await super().take(*about, **more)
            self.taken += grant.calls
            return grant

    async def main() -> tuple[int, int]:
        commons = Counted(MemoryStore(clock), clock)
        limiter = Limiter(clock, commons=commons)
        calls = await _calling(clock, limiter, callers=10, each_s=0.1, seconds=seconds)
        return calls, commons.taken

    calls, taken = run_virtual(main())
    assert calls >= 95 * seconds
    assert calls >= 0.9 * taken


def test_a_slow_limit_is_one_call_a_minute_for_all_together():
    clock = VirtualClock()
    calls: list[float] = []

    async def caller(limiter: Limiter) -> None:
        while True:
            try:
                await limiter.acquire([rule(rate=1, per_s=60, burst=1)])
            except Held as held:
                await clock.sleep((held.until - clock.now()).total_seconds())
                continue
            calls.append(clock.now().timestamp())

    async def main() -> None:
        store = MemoryStore(clock)
        limiters = [Limiter(clock, commons=Commons(store, clock)) for _ in range(3)]
        tasks = [asyncio.create_task(caller(one)) for one in limiters for _ in range(3)]
        await clock.sleep(1_800)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run_virtual(main())
    gaps = [later - earlier for earlier, later in pairwise(calls)]
    assert min(gaps) >= 59.5
    assert len(calls) >= 27


def test_a_strict_limit_loses_nothing_where_another_one_is_used_up():
    clock = VirtualClock()
    busy, strict = rule("busy", rate=1, per_s=60, burst=1), rule("strict", 1, 1, per_s=600)

    async def main() -> None:
        commons = Commons(MemoryStore(clock), clock)
        one, other = Limiter(clock, commons=commons), Limiter(clock, commons=commons)
        await other.acquire([busy])
        for _ in range(10):
            with pytest.raises(Held) as held:
                await one.acquire([busy, strict])
        assert await commons.read(ALLOWANCE, "strict") == ({}, 0)
        await clock.sleep((held.value.until - clock.now()).total_seconds())
        await one.acquire([busy, strict])

    run_virtual(main())


def test_a_pause_is_told_to_all():
    clock = VirtualClock()

    async def main() -> None:
        store = MemoryStore(clock)
        one, other = (Limiter(clock, commons=Commons(store, clock)) for _ in range(2))
        limited, plain = [rule()], [Rule("plain")]
        for rules in (limited, plain):
            await other.acquire(rules)
        for scope in ("s", "plain"):
            await one.pause(scope, clock.now() + timedelta(seconds=60))
        await clock.sleep(3)
        for rules in (limited, plain):
            with pytest.raises(Held) as held:
                await other.acquire(rules)
            assert (held.value.until - clock.now()).total_seconds() == pytest.approx(57, abs=0.1)
        await clock.sleep(58)
        for rules in (limited, plain):
            await other.acquire(rules)

    run_virtual(main())


def test_sweeps_leave_room_in_a_slice_too():
    clock = VirtualClock()
    done = {"urgent": 0, "sweep": 0}

    async def calls(limiter: Limiter, kind: str) -> None:
        while True:
            await limiter.acquire([rule(rate=20, burst=20)])
            done[kind] += 1

    async def main() -> None:
        limiter = Limiter(clock, max_wait_s=999, commons=Commons(MemoryStore(clock), clock))
        with in_background():
            sweeps = [asyncio.create_task(calls(limiter, "sweep")) for _ in range(50)]
        await clock.sleep(5)
        urgent = [asyncio.create_task(calls(limiter, "urgent")) for _ in range(3)]
        before = done["sweep"]
        await clock.sleep(20)
        for task in (*sweeps, *urgent):
            task.cancel()
        await asyncio.gather(*sweeps, *urgent, return_exceptions=True)
        assert done["sweep"] - before <= 20 * 20 * 0.6
        assert done["urgent"] >= 20 * 20 * 0.35

    run_virtual(main())


def test_without_a_ledger_nobody_calls():
    clock = VirtualClock()

    class Down(Commons):
        async def read(self, kind, key):
            raise StoreUnavailable("away")

    async def main() -> None:
        limiter = Limiter(clock, commons=Down(MemoryStore(clock), clock))
        with pytest.raises(Held):
            await limiter.acquire([rule()])
        await limiter.pause("s", clock.now() + timedelta(seconds=60))

    run_virtual(main())


def test_a_peer_found_down_is_down_for_all_and_asked_by_one():
    clock = VirtualClock()

    async def main() -> None:
        store = MemoryStore(clock)
        all_ = [Breakers(clock, commons=Commons(store, clock)) for _ in range(4)]
        for each in all_:
            await each.check("p")
        for _ in range(5):
            await all_[0].note("p", ok=False, connected=False)
        await clock.sleep(2.5)
        for each in all_:
            with pytest.raises(Held):
                await each.check("p")
        await clock.sleep(COOLDOWN_S)
        probes = 0
        for each in all_:
            try:
                await each.check("p")
                await each.enter("p")
            except Held:
                continue
            probes += 1
            prober = each
        assert probes == 1
        await prober.note("p", ok=True)
        await clock.sleep(2.5)
        for each in all_:
            await each.check("p")
            await each.enter("p")
            assert each.state("p").phase is Phase.CLOSED

    run_virtual(main())


@pytest.mark.parametrize("away", [False, True])
def test_of_many_calls_at_once_one_asks_what_others_found(away):
    clock = VirtualClock()
    asked = 0

    class Counted(Commons):
        async def read(self, kind, key):
            nonlocal asked
            asked += 1
            await clock.sleep(0.5)
            if away:
                raise StoreUnavailable("away")
            return await super().read(kind, key)

    async def main() -> None:
        breakers = Breakers(clock, commons=Counted(MemoryStore(clock), clock))
        await asyncio.gather(*(breakers.check("p") for _ in range(8)))
        assert asked == 1
        await clock.sleep(2.5)
        await breakers.check("p")
        assert asked == 2

    run_virtual(main())


class Fast(VirtualClock):
    """As a clock that runs thirty times as fast as the wall's."""

    def wall(self, seconds):
        return timedelta(seconds=30 * seconds)


def test_a_slice_lasts_as_long_as_ever_on_a_clock_that_runs_faster():
    async def main(clock: VirtualClock, limit: Limit) -> int:
        grant = await Commons(MemoryStore(clock), clock).take("s", limit, 500, within_s=99)
        return grant.calls

    for limit, slow, fast in (
        (Limit(Scope.CONNECTION, 18, burst=30), 4, 7),  # never more than a quarter of the burst
        (Limit(Scope.CONNECTION, 20, burst=400), 5, 100),
        (Limit(Scope.CONNECTION, 2, per_s=60, burst=60), 1, 1),
    ):
        assert run_virtual(main(VirtualClock(), limit)) == slow
        assert run_virtual(main(Fast(), limit)) == fast


def test_a_clock_that_runs_faster_does_not_ask_more_often():
    """What asking costs is paid in real time."""
    asked: list[str] = []

    class Counted(Commons):
        async def read(self, kind, key):
            asked.append(kind)
            return await super().read(kind, key)

    async def main() -> None:
        clock = Fast()
        commons = Counted(MemoryStore(clock), clock)
        breakers, limiter = Breakers(clock, commons=commons), Limiter(clock, commons=commons)
        for _ in range(121):  # two minutes of the clock are four seconds
            await breakers.check("p")
            await limiter.acquire([Rule("s")])
            await clock.sleep(1)

    run_virtual(main())
    assert (asked.count(BREAKER), asked.count(ALLOWANCE)) == (3, 3)


def test_what_is_told_while_it_is_asked_for_is_not_forgotten():
    clock = VirtualClock()

    class Slow(Commons):
        async def read(self, kind, key):
            found = await super().read(kind, key)
            await clock.sleep(1)
            return found

    async def main() -> None:
        store = MemoryStore(clock)
        own, other = Breakers(clock, commons=Slow(store, clock)), Commons(store, clock)
        assert await other.swap(BREAKER, "p", Breaker().dump(), 0)  # it was down once
        own._heard["p"] = clock.now().timestamp() - 60, 1
        asking = asyncio.create_task(own.check("p"))
        await clock.sleep(0.5)
        for _ in range(5):
            await own.note("p", ok=False, connected=False)
        await asyncio.gather(asking, return_exceptions=True)
        assert own.state("p").phase is Phase.OPEN
        with pytest.raises(Held):
            await Breakers(clock, commons=other).check("p")
        with pytest.raises(Held):
            await own.check("p")

    run_virtual(main())


def test_a_lost_probe_is_sent_by_another():
    clock = VirtualClock()

    async def main() -> None:
        store = MemoryStore(clock)
        one, other = (Breakers(clock, commons=Commons(store, clock)) for _ in range(2))
        await one.check("p")
        for _ in range(5):
            await one.note("p", ok=False, connected=False)
        await clock.sleep(COOLDOWN_S + 1)
        await one.check("p")
        await one.enter("p")  # and is killed
        await clock.sleep(5)
        with pytest.raises(Held):
            await other.check("p")
        await clock.sleep(20)
        await other.check("p")
        await other.enter("p")

    run_virtual(main())
