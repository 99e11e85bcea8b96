import json

import pytest
import structlog

from connector.domain.breaker import (
    COOLDOWN_S,
    MAX_COOLDOWN_S,
    PROBE_S,
    Breaker,
    Phase,
    after,
    decide,
)
from connector.domain.http import Held
from connector.drivers.breakers import Breakers

NOW = 1.8e9


def calls(state: Breaker, good: int, bad: int, now: float = NOW) -> Breaker:
    for number in range(good + bad):
        state = after(state, now, number < good)
    return state


def opened(now: float = NOW) -> Breaker:
    state = calls(Breaker(), 0, 20, now)
    assert state.phase is Phase.OPEN
    return state


def test_it_opens_when_half_of_enough_calls_fail():
    assert calls(Breaker(), 0, 19).phase is Phase.CLOSED
    assert calls(Breaker(), 0, 20).phase is Phase.OPEN
    assert calls(Breaker(), 10, 9).phase is Phase.CLOSED
    assert calls(Breaker(), 10, 10).phase is Phase.OPEN
    assert calls(Breaker(), 11, 10).phase is Phase.CLOSED


def test_good_news_never_opens_it():
    state = calls(Breaker(), 0, 19)
    assert after(state, NOW, True).phase is Phase.CLOSED


def test_old_calls_do_not_count():
    state = calls(Breaker(), 0, 19)
    assert calls(state, 0, 1, NOW + 61).phase is Phase.CLOSED
    assert calls(state, 0, 19, NOW + 120).phase is Phase.CLOSED
    assert len(calls(state, 5, 0, NOW + 500).slots) == 1


def test_it_opens_when_nobody_is_there():
    state = Breaker()
    for _ in range(4):
        state = after(state, NOW, False, connected=False)
    reached = after(state, NOW, False)
    assert reached.phase is Phase.CLOSED
    assert reached.unreached == 0
    assert after(state, NOW, False, connected=False).phase is Phase.OPEN


def test_it_holds_calls_back_then_sends_one_probe():
    state = opened()
    same, wait = decide(state, NOW + 1)
    assert same == state
    assert wait == pytest.approx(COOLDOWN_S - 1)
    probing, wait = decide(state, NOW + COOLDOWN_S)
    assert (probing.phase, wait) == (Phase.HALF_OPEN, 0)
    assert decide(probing, NOW + COOLDOWN_S + 1)[1] > 0
    assert after(probing, NOW + COOLDOWN_S + 1, True) == Breaker()
    again, wait = decide(probing, NOW + COOLDOWN_S + PROBE_S)  # the probe was lost
    assert (again.phase, wait) == (Phase.HALF_OPEN, 0)


def test_the_cooldown_doubles_up_to_its_limit():
    state, now, cooldowns = opened(), NOW, []
    for _ in range(7):
        cooldowns.append(state.cooldown_s)
        now = state.until
        probing, wait = decide(state, now)
        assert wait == 0
        state = after(probing, now + 1, False)
    assert cooldowns == [30, 60, 120, 240, 480, 900, MAX_COOLDOWN_S]
    healed = after(decide(state, state.until)[0], state.until, True)
    assert healed == Breaker()


def test_late_answers_of_calls_from_before_change_nothing():
    state = opened()
    assert after(state, NOW + 1, True) == state
    assert after(state, NOW + 1, False) == state


@pytest.mark.parametrize(
    "state", [Breaker(), calls(Breaker(), 3, 4), opened(), decide(opened(), NOW + 99)[0]]
)
def test_it_survives_json(state):
    assert Breaker.load(json.loads(json.dumps(state.dump()))) == state


async def test_changes_are_told_once(clock):
    changes: list[tuple[str, Phase]] = []
    breakers = Breakers(clock, on_change=lambda peer, phase: changes.append((peer, phase)))
    with structlog.testing.capture_logs() as logs:
        for _ in range(30):
            await breakers.note("m", ok=False)
        for _ in range(3):
            with pytest.raises(Held) as held:
                await breakers.check("m")
            assert (held.value.until - clock.now()).total_seconds() == pytest.approx(30)
            clock.move(30)
            await breakers.check("m")  # looking takes no probe
            await breakers.enter("m")
            with pytest.raises(Held):
                await breakers.enter("m")
            await breakers.note("m", ok=False)
            clock.move(breakers.state("m").cooldown_s - 30)
        clock.move(1000)
        await breakers.enter("m")
        await breakers.note("m", ok=True)
        await breakers.note("m", ok=True)
        await breakers.enter("m")
    assert changes == [("m", Phase.OPEN), ("m", Phase.CLOSED)]
    assert [log["event"] for log in logs] == ["breaker_opened", "breaker_closed"]


async def test_peers_are_apart(clock):
    breakers = Breakers(clock)
    for _ in range(5):
        await breakers.note("a", ok=False, connected=False)
    await breakers.enter("b")
    with pytest.raises(Held):
        await breakers.enter("a")
