"""A clock that only the kit moves."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

_YIELDS = 20
"""Turns of the loop that whoever was woken gets before the clock goes on."""


class StepClock:
    """Stands still until ``advance`` moves it past its sleepers, one by one."""

    def __init__(self, at: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)) -> None:
        self._now = at
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._numbers = count()

    def now(self) -> datetime:
        """The moment it stands at."""
        return self._now

    def wall(self, seconds: float) -> timedelta:
        """One to one."""
        return timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        """Wait until somebody has moved the clock that far."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        until = self._now + timedelta(seconds=seconds)
        heapq.heappush(self._sleepers, (until, next(self._numbers), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Let time pass, and everybody who waits for it act in order."""
        end = self._now + timedelta(seconds=seconds)
        await _others()
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, woken = heapq.heappop(self._sleepers)
            self._now = max(self._now, at)
            if not woken.done():
                woken.set_result(None)
            await _others()
        self._now = max(self._now, end)

    async def until(self, met: Callable[[], bool], *, within_s: float, step_s: float = 1) -> bool:
        """Let time pass until something holds; False where it does not within ``within_s``.

        Real sockets need real time: every step leaves them some.
        """
        end = self._now + timedelta(seconds=within_s)
        while not met():
            if self._now >= end:
                return False
            await self.advance(step_s)
            await asyncio.sleep(_NETWORK_S)
        return True


_NETWORK_S = 0.005


async def _others() -> None:
    for _ in range(_YIELDS):
        await asyncio.sleep(0)
