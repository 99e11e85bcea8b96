"""A circuit breaker as values: a peer that is down is left alone, then asked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

WINDOW_S = 60.0
SLOTS = 6
MIN_CALLS = 20
FAILED_SHARE = 0.5
UNREACHED_IN_A_ROW = 5
COOLDOWN_S = 30.0
MAX_COOLDOWN_S = 900.0
PROBE_S = 20.0
"""A probe that was not answered for so long was lost; longer than any call may take."""


class Phase(StrEnum):
    """Whether calls go out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is known about one peer; moments are seconds since 1970."""

    phase: Phase = Phase.CLOSED
    slots: tuple[tuple[int, int, int], ...] = ()
    """Calls and failures of the window: (slot number, calls, failures)."""
    unreached: int = 0
    """Failures to connect since the last call that reached the peer."""
    until: float = 0.0
    """Open: no call before. Half open: the probe is lost after."""
    cooldown_s: float = COOLDOWN_S

    def dump(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Breaker:
        """Back from JSON values."""
        slots = tuple((int(slot), int(calls), int(failed)) for slot, calls, failed in data["slots"])
        return cls(**{**data, "phase": Phase(data["phase"]), "slots": slots})


def decide(state: Breaker, now: float) -> tuple[Breaker, float]:
    """Let a call go out, or tell how many seconds there is to wait.

    After the cooldown one call goes out as a probe; the others wait for what it finds.
    """
    if state.phase is Phase.CLOSED:
        return state, 0.0
    if now < state.until:
        return state, state.until - now
    return replace(state, phase=Phase.HALF_OPEN, until=now + PROBE_S), 0.0


def after(state: Breaker, now: float, ok: bool, *, connected: bool = True) -> Breaker:
    """Take note of how a call ended; ``connected``: it reached the peer."""
    if state.phase is Phase.OPEN:  # it was under way when the breaker opened
        return state
    if state.phase is Phase.HALF_OPEN:
        if ok:
            return Breaker()
        cooldown = min(state.cooldown_s * 2, MAX_COOLDOWN_S)
        return Breaker(phase=Phase.OPEN, until=now + cooldown, cooldown_s=cooldown)
    unreached = 0 if connected else state.unreached + 1
    slots = _counted(state.slots, now, failed=not ok)
    calls = sum(slot[1] for slot in slots)
    failures = sum(slot[2] for slot in slots)
    failing = calls >= MIN_CALLS and failures >= calls * FAILED_SHARE
    if not ok and (failing or unreached >= UNREACHED_IN_A_ROW):
        return Breaker(phase=Phase.OPEN, until=now + COOLDOWN_S)
    return replace(state, slots=slots, unreached=unreached)


def _counted(
    slots: tuple[tuple[int, int, int], ...], now: float, *, failed: bool
) -> tuple[tuple[int, int, int], ...]:
    current = int(now // (WINDOW_S / SLOTS))
    kept = {slot: (calls, failures) for slot, calls, failures in slots if slot > current - SLOTS}
    calls, failures = kept.get(current, (0, 0))
    kept[current] = (calls + 1, failures + failed)
    return tuple((slot, *counts) for slot, counts in sorted(kept.items()))
