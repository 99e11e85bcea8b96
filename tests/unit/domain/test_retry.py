"""When to try again: the ladder, the urgent hour, other people's wishes, parking."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import pytest

from connector.domain.pending import Failed, Parked, Priority
from connector.domain.retry import (
    JITTER,
    LADDER_S,
    PARKED_EVERY,
    URGENT_STEP_S,
    Setback,
    jittered,
    settle_setback,
)
from tests.unit.domain.build import HOUR, NOW, claim

BROKEN = Setback(("the peer is unwell",))


def _failed(settlement: Failed | Parked) -> Failed:
    assert isinstance(settlement, Failed), settlement
    return settlement


@pytest.mark.parametrize("attempts", range(len(LADDER_S)))
def test_each_step_of_the_ladder_is_waited_for(attempts: int):
    for seed in range(20):
        settled = _failed(settle_setback(claim(attempts=attempts), BROKEN, NOW, Random(seed)))
        waited = (settled.retry_at - NOW).total_seconds()
        step = LADDER_S[attempts]
        assert step * (1 - JITTER) <= waited <= step * (1 + JITTER)
        assert settled.counts


def test_the_ladder_rises_and_has_more_than_ten_steps():
    assert list(LADDER_S) == sorted(LADDER_S)
    assert len(LADDER_S) > 10


def test_after_the_ladder_it_is_parked_and_tried_daily():
    settled = settle_setback(claim(attempts=len(LADDER_S)), BROKEN, NOW, Random(1))
    assert isinstance(settled, Parked)
    assert settled.reasons == BROKEN.reasons
    assert abs((settled.retry_at - NOW) / PARKED_EVERY - 1) <= JITTER


def test_what_is_pointless_is_parked_at_once_with_all_its_reasons():
    final = Setback(("no image", "bad EAN"), final=True)
    settled = settle_setback(claim(), final, NOW, Random(1), urgent=True)
    assert isinstance(settled, Parked)
    assert settled.reasons == ("no image", "bad EAN")


@pytest.mark.parametrize("attempts", [0, 3, 6, 10])
@pytest.mark.parametrize("urgent", [False, True])
def test_retry_after_is_never_undercut(attempts: int, urgent: bool):
    wish = Setback(("slow down",), after_s=90_000)
    for seed in range(20):
        one = claim(attempts=attempts)
        settled = _failed(settle_setback(one, wish, NOW, Random(seed), urgent=urgent))
        assert settled.retry_at >= NOW + timedelta(seconds=90_000)


@pytest.mark.parametrize("counts", [True, False])
def test_our_own_hold_back_is_never_undercut(counts: bool):
    held = Setback(("breaker open",), until=NOW + HOUR, counts=counts)
    for seed in range(20):
        settled = _failed(settle_setback(claim(), held, NOW, Random(seed), urgent=True))
        assert settled.retry_at >= NOW + HOUR


def test_a_short_retry_after_does_not_shorten_the_ladder():
    wish = Setback(("slow down",), after_s=1)
    settled = _failed(settle_setback(claim(attempts=7), wish, NOW, Random(1)))
    assert settled.retry_at >= NOW + timedelta(seconds=LADDER_S[7] * (1 - JITTER))


def test_a_failure_that_says_nothing_of_the_key_does_not_climb():
    held = Setback(("breaker open",), until=NOW + HOUR, counts=False)
    settled = _failed(settle_setback(claim(attempts=len(LADDER_S)), held, NOW, Random(1)))
    assert not settled.counts


@pytest.mark.parametrize("attempts", [*range(12), 40])
@pytest.mark.parametrize("minutes", [0, 30, 59])
def test_urgent_work_is_tried_within_a_minute_for_an_hour(attempts: int, minutes: int):
    failing = claim(
        attempts=attempts,
        priority=Priority.URGENT,
        failing_since=NOW - timedelta(minutes=minutes),
    )
    for seed in range(20):
        settled = _failed(settle_setback(failing, BROKEN, NOW, Random(seed)))
        assert timedelta(seconds=1) <= settled.retry_at - NOW <= timedelta(seconds=60)
        assert settled.priority is Priority.URGENT


def test_an_urgent_outcome_lifts_an_ordinary_key():
    settled = _failed(settle_setback(claim(), BROKEN, NOW, Random(1), urgent=True))
    assert settled.priority is Priority.URGENT


def test_ordinary_work_keeps_its_priority():
    sweep = claim(priority=Priority.SWEEP)
    assert _failed(settle_setback(sweep, BROKEN, NOW, Random(1))).priority is Priority.SWEEP


def test_an_urgent_key_is_tried_every_quarter_of_an_hour_before_it_is_parked():
    """One bad hour of the peer must not cost a whole day of overselling."""
    now, attempts, waits = NOW, 0, []
    for _ in range(10_000):
        one = claim(attempts=attempts, priority=Priority.URGENT, failing_since=NOW)
        settled = settle_setback(one, BROKEN, now, Random(attempts))
        if isinstance(settled, Parked):
            break
        waits.append((settled.retry_at - now).total_seconds())
        now, attempts = settled.retry_at, attempts + 1
    assert max(waits) <= URGENT_STEP_S * (1 + JITTER)
    assert now - NOW > timedelta(hours=12)


def test_jitter_spreads_both_ways_and_within_a_fifth():
    waits = [jittered(HOUR, Random(seed)) / HOUR for seed in range(200)]
    assert 1 - JITTER <= min(waits) < 0.9
    assert 1.1 < max(waits) <= 1 + JITTER


def test_a_key_that_keeps_failing_gets_more_than_ten_attempts():
    now: datetime = NOW
    attempts = 0
    while isinstance(settled := settle_setback(claim(attempts=attempts), BROKEN, now, Random(2)),
                     Failed):  # fmt: skip
        now, attempts = settled.retry_at, attempts + 1
    assert attempts > 10
    assert now - NOW > timedelta(hours=24)
