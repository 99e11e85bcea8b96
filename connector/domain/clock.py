"""Time, as something that is handed in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """A clock that may run faster than the wall's (``--time-scale``).

    Business waits (retry ladder, second reads, grace periods) are told in its seconds. Waits that
    guard real processes (leases, socket timeouts) are real seconds; ``wall`` converts them.
    """

    def now(self) -> datetime:
        """This moment, aware, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let ``seconds`` of this clock pass."""
        ...

    def wall(self, seconds: float) -> timedelta:
        """How much time passes on this clock while ``seconds`` pass on the wall."""
        ...
