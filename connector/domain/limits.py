"""Rate limits: one number per scope tells when the next call fits (GCRA)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

BACKGROUND: ContextVar[bool] = ContextVar("background", default=False)
"""Whether the calls of this task are sweep work, which leaves room for urgent work."""

BACKGROUND_SHARE = 0.5
"""How much of an allowance sweep work may take while urgent work waits for it."""

ROUNDING_S = 1e-6
"""Sleeping exactly as long as told must be enough, however seconds of this century are rounded."""


@contextmanager
def in_background() -> Iterator[None]:
    """Calls inside are sweep work."""
    token = BACKGROUND.set(True)
    try:
        yield
    finally:
        BACKGROUND.reset(token)


def decide(
    state: float, now: float, rate: float, per_s: float = 1.0, burst: int = 1
) -> tuple[float, float]:
    """Take one call, or tell how many seconds it is too early for it.

    ``state`` is 0 at first and belongs to one scope; it is the moment at which the allowance would
    be whole again. Where there is something to wait for it stays as it was.
    """
    interval = per_s / rate
    start = max(state, now)
    wait = start - now - interval * (burst - 1)
    if wait > ROUNDING_S:
        return state, wait
    return start + interval, 0.0


def reserve(
    state: float, now: float, calls: int, *, rate: float, per_s: float = 1.0, burst: int = 1
) -> tuple[float, float]:
    """Take ``calls`` at once; the new state and the moment from which all of them may be made."""
    interval = per_s / rate
    start = max(state, now)
    at = start + interval * (calls - burst)
    return start + interval * calls, max(now, at)
