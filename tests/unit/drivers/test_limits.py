import asyncio
import random
from datetime import timedelta

import pytest

from connector.domain.http import Held
from connector.domain.limits import BACKGROUND, decide, in_background
from connector.drivers.limiter import Limiter, Rule
from connector.drivers.virtual_time import VirtualClock, run_virtual
from connector.sdk.values import Limit, Scope

NOW = 1.8e9


def test_a_burst_then_the_rate():
    state, waits = 0.0, []
    for _ in range(5):
        state, wait = decide(state, NOW, 10, 1.0, 3)
        waits.append(wait)
    assert waits == pytest.approx([0, 0, 0, 0.1, 0.1], abs=1e-5)
    state, wait = decide(state, NOW + 0.1, 10, 1.0, 3)
    assert wait == 0


def test_sleeping_what_was_told_is_enough():
    rng = random.Random(1)
    for _ in range(2000):
        rate, burst = rng.choice([0.01, 0.3, 1, 7, 33.3, 1000]), rng.choice([1, 2, 17])
        now, state = NOW + rng.random() * 1e6, 0.0
        for _ in range(burst + 3):
            state, wait = decide(state, now, rate, 1.0, burst)
            if wait:
                now += wait
                state, wait = decide(state, now, rate, 1.0, burst)
                assert wait == 0


def test_never_more_than_allowed_in_any_window():
    rng, now, state, taken = random.Random(2), NOW, 0.0, []
    while len(taken) < 3000:
        now += rng.expovariate(30)
        state, wait = decide(state, now, 10, 1.0, 5)
        if not wait:
            taken.append(now)
    for index, start in enumerate(taken):
        for width in (0.5, 1, 10):
            inside = 0
            for moment in taken[index:]:
                if moment >= start + width:
                    break
                inside += 1
            assert inside <= 5 + width * 10 + 1e-3


def test_what_was_not_used_is_not_saved_up():
    state, wait = decide(0.0, NOW, 1, 1.0, 2)
    for _ in range(2):
        state, wait = decide(state, NOW + 1000, 1, 1.0, 2)
        assert wait == 0
    assert decide(state, NOW + 1000, 1, 1.0, 2)[1] > 0


def test_background_is_per_task():
    assert not BACKGROUND.get()
    with in_background():
        assert BACKGROUND.get()
    assert not BACKGROUND.get()


def rule(scope: str = "s", rate: float = 10, burst: int = 1) -> Rule:
    return Rule(scope, Limit(Scope.CONNECTION, rate, burst=burst))


async def take(limiter: Limiter, clock: VirtualClock, count: int, *rules: Rule) -> list[float]:
    """When each of many callers at once got its turn."""

    async def one() -> float:
        began = clock.now()
        await limiter.acquire(rules)
        return (clock.now() - began).total_seconds()

    return sorted(await asyncio.gather(*(one() for _ in range(count))))


def test_callers_wait_for_their_turn():
    clock = VirtualClock()

    async def main() -> list[float]:
        return await take(Limiter(clock), clock, 20, rule())

    assert run_virtual(main()) == pytest.approx([n / 10 for n in range(20)], abs=1e-3)


def test_all_rules_count():
    clock = VirtualClock()

    async def main() -> list[float]:
        limiter = Limiter(clock)
        await limiter.acquire([rule("other")])  # leaves "slow" alone
        return await take(limiter, clock, 4, rule("quick", 100, 10), rule("slow", 2), Rule("x"))

    assert run_virtual(main()) == pytest.approx([0, 0.5, 1, 1.5], abs=1e-3)


def test_a_long_wait_is_held():
    clock = VirtualClock()

    async def main() -> None:
        limiter = Limiter(clock, max_wait_s=2)
        slow = rule(rate=0.1)
        await limiter.acquire([slow])
        began = clock.now()
        with pytest.raises(Held) as held:
            await limiter.acquire([slow])
        assert clock.now() == began
        assert (held.value.until - began).total_seconds() == pytest.approx(10)
        await clock.sleep(10)
        await limiter.acquire([slow])

    run_virtual(main())


def test_held_callers_are_told_to_come_behind_those_who_wait():
    clock = VirtualClock()

    async def main() -> None:
        limiter = Limiter(clock, max_wait_s=1)
        one = rule(rate=2)
        await limiter.acquire([one])
        waiting = [asyncio.create_task(limiter.acquire([one])) for _ in range(10)]
        await asyncio.sleep(0)
        await limiter.pause("s", clock.now() + timedelta(seconds=4))
        with pytest.raises(Held) as held:
            await limiter.acquire([one])
        assert (held.value.until - clock.now()).total_seconds() == pytest.approx(4 + 10 * 0.5)
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(result, Held) for result in results)

    run_virtual(main())


def test_a_pause_holds_everybody():
    clock = VirtualClock()

    async def main() -> None:
        limiter = Limiter(clock, max_wait_s=5)
        await limiter.pause("s", clock.now() + timedelta(seconds=3))
        await limiter.pause("s", clock.now() + timedelta(seconds=1))  # the later one holds
        assert await take(limiter, clock, 1, Rule("s")) == [3]
        await limiter.pause("s", clock.now() + timedelta(seconds=60))
        with pytest.raises(Held) as held:
            await limiter.acquire([rule()])
        assert (held.value.until - clock.now()).total_seconds() == pytest.approx(60)
        await limiter.acquire([Rule("other")])

    run_virtual(main())


def test_urgent_work_overtakes_sweeps():
    clock = VirtualClock()

    async def main() -> tuple[list[float], list[float]]:
        limiter = Limiter(clock, max_wait_s=1000)
        urgent: list[float] = []
        sweeps: list[float] = []

        async def call(done: list[float]) -> None:
            await limiter.acquire([rule()])
            done.append(asyncio.get_running_loop().time())

        async def sweep() -> None:
            with in_background():
                await asyncio.gather(*(call(sweeps) for _ in range(200)))

        sweeping = asyncio.create_task(sweep())
        await asyncio.sleep(5)
        await asyncio.gather(*(call(urgent) for _ in range(20)))
        await sweeping
        return urgent, sweeps

    urgent, sweeps = run_virtual(main())
    before = sum(moment < 5 for moment in sweeps)
    during = sum(5 <= moment <= urgent[-1] for moment in sweeps)
    assert 49 <= before <= 51  # alone they take everything
    assert during <= len(urgent) + 2  # at most half
    assert urgent[-1] <= 5 + 20 * 0.1 * 2 + 0.5
    assert sweeps[-1] == pytest.approx(21.9, abs=0.5)  # and nothing was wasted


def test_a_cancelled_caller_leaves_nothing_behind():
    clock = VirtualClock()

    async def main() -> None:
        limiter = Limiter(clock)
        await limiter.acquire([rule()])
        task = asyncio.create_task(limiter.acquire([rule()]))
        await asyncio.sleep(0)
        assert limiter._scopes["s"].urgent_waiting == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert limiter._scopes["s"].waiting == limiter._scopes["s"].urgent_waiting == 0

    run_virtual(main())
