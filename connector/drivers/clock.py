"""The real clock, at the wall's speed or faster."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

# After the wall was set back, time goes on at this share of its speed until the wall has caught up:
# it neither stands still (nothing would become due) nor runs twice through the same hour.
_CATCH_UP = 0.5


class SystemClock:
    """UTC time that starts at ``epoch`` and runs ``scale`` times as fast as the wall.

    ``epoch`` is a moment of the wall that all processes of a hub share, so that a restarted one
    goes on along the same timeline. With ``scale`` 1 it makes no difference.
    """

    def __init__(self, scale: float = 1.0, epoch: datetime | None = None) -> None:
        if scale <= 0:
            raise ValueError("a clock's scale must be above zero")
        if epoch is not None and epoch.tzinfo is None:
            raise ValueError("a clock's epoch needs a time zone")
        self.scale = scale
        self._last = time.time()
        self._ticks = time.monotonic()
        self.epoch = (epoch or datetime.fromtimestamp(self._last, UTC)).astimezone(UTC)

    def now(self) -> datetime:
        """This moment, never earlier than the one told before."""
        wall = datetime.fromtimestamp(self._wall_now(), UTC)
        if self.scale == 1.0:
            return wall
        return self.epoch + (wall - self.epoch) * self.scale

    async def sleep(self, seconds: float) -> None:
        """Let ``seconds`` of this clock pass."""
        await asyncio.sleep(max(0.0, seconds) / self.scale)

    def wall(self, seconds: float) -> timedelta:
        """How much time passes on this clock while ``seconds`` pass on the wall."""
        return timedelta(seconds=seconds * self.scale)

    def _wall_now(self) -> float:
        ticks = time.monotonic()
        now = max(time.time(), self._last + (ticks - self._ticks) * _CATCH_UP)
        self._last, self._ticks = now, ticks
        return now
