"""When to try again: one ladder for ordinary work, a tight one where every minute costs money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from connector.domain.pending import Claim, Failed, Parked, Priority

LADDER_S = (5, 15, 60, 180, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200)
"""Waits after the first, second, ... failure; more than ten attempts before parking (H-ARC-04)."""
URGENT_CAP_S = 60
URGENT_FOR = timedelta(hours=1)
URGENT_STEP_S = 900
"""After that hour, for as long as the whole ladder takes."""
PARKED_EVERY = timedelta(days=1)
PARKED_AGAIN = timedelta(hours=2)
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Setback:
    """Why an attempt failed. ``after_s`` is the peer's Retry-After; ``until`` our own hold-back.

    ``final`` means that trying again without help is pointless. ``counts`` is False when the
    failure says nothing about the key itself.
    """

    reasons: tuple[str, ...]
    after_s: float = 0
    until: datetime | None = None
    final: bool = False
    counts: bool = True


def settle_setback(
    claim: Claim, setback: Setback, now: datetime, rng: Random, *, urgent: bool = False
) -> Failed | Parked:
    """Decide what becomes of a key after a failed attempt; Retry-After is never undercut."""
    if setback.final:
        again = setback.until or now + jittered(PARKED_EVERY, rng)
        return Parked(again, setback.reasons)
    if not setback.counts:
        wait = timedelta(seconds=rng.uniform(1, 5))
        retry_at = max(now + wait, setback.until or now) + timedelta(seconds=rng.random())
        return Failed(retry_at, claim.priority, "; ".join(setback.reasons), counts=False)
    if claim.parked and claim.attempts >= len(LADDER_S):
        # Its daily try met a peer that was away: that says nothing about what it is parked for.
        wait = max(jittered(PARKED_AGAIN, rng), timedelta(seconds=setback.after_s))
        return Failed(now + wait, claim.priority, "; ".join(setback.reasons), counts=False)
    urgent = urgent or claim.priority is Priority.URGENT
    failing = now - (claim.failing_since or now)
    if urgent and failing < URGENT_FOR:
        wait = timedelta(seconds=min(URGENT_CAP_S, 2 * 2 ** min(claim.attempts, 6)) * rng.random())
        wait = max(wait, timedelta(seconds=1))
    elif (step := _step(claim, failing, urgent=urgent)) is not None:
        wait = jittered(timedelta(seconds=step), rng)
    else:
        return Parked(now + jittered(PARKED_EVERY, rng), setback.reasons)
    not_before = max(now + timedelta(seconds=setback.after_s), setback.until or now)
    priority = Priority.URGENT if urgent else claim.priority
    return Failed(max(now + wait, not_before), priority, "; ".join(setback.reasons))


def _step(claim: Claim, failing: timedelta, *, urgent: bool) -> int | None:
    """The step by attempts, or by time where a tight hour has used up many; None: park."""
    if not urgent:
        return LADDER_S[claim.attempts] if claim.attempts < len(LADDER_S) else None
    return URGENT_STEP_S if failing < timedelta(seconds=sum(LADDER_S)) else None


def jittered(wait: timedelta, rng: Random) -> timedelta:
    """The wait, up to a fifth shorter or longer, so that failures do not come back in step."""
    return wait * rng.uniform(1 - JITTER, 1 + JITTER)
