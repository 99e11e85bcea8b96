"""What marketplaces last said of lots, shared by all turns that run at the same time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.domain.listing import Lot
from connector.sdk import LotStatus

CHECK_S = (5, 10, 20, 40, 60, 120, 300)
"""How long after each look without news the next one is, unless the marketplace says longer."""
_FINISHED_FOR = timedelta(minutes=10)
"""How long a finished lot's status is remembered for those who ask about it later."""
_SHARE_OF_AGE = 8
_LONGEST = timedelta(minutes=30)
_MOST_LOTS = 200


@dataclass(frozen=True, slots=True)
class Known:
    """A lot's status, and until when nobody asks about it again."""

    status: LotStatus
    until: datetime


class LotBook:
    """The lots of one connection.

    A lot may hold ten thousand listings, and some marketplaces let us ask once a minute: whoever
    comes with a listing of a lot that was just asked about is given the same answer.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._asking: dict[str, asyncio.Lock] = {}

    async def status(
        self, lot: Lot, ask: Callable[[str], Awaitable[LotStatus]], now: Callable[[], datetime]
    ) -> Known:
        """The lot's status, asked for only where what is known is too old.

        Raises:
            AdapterError, HttpFailure: it was asked for in vain.
        """
        lock = self._asking.setdefault(lot.id, asyncio.Lock())
        try:
            async with lock:
                known = self._known.get(lot.id)
                if known is not None and now() < known.until:
                    return known
                return self._remember(lot, await ask(lot.id), now())
        finally:
            if not lock.locked():
                self._asking.pop(lot.id, None)

    def _remember(self, lot: Lot, status: LotStatus, now: datetime) -> Known:
        wait = _FINISHED_FOR if status.finished else _wait(lot, status, now)
        known = Known(status, now + wait)
        self._known[lot.id] = known
        self._known.move_to_end(lot.id)
        while len(self._known) > _MOST_LOTS:
            self._known.popitem(last=False)
        return known


def _wait(lot: Lot, status: LotStatus, now: datetime) -> timedelta:
    """The longer it has taken already, the longer it may take still: some lots last for days."""
    ladder = timedelta(seconds=CHECK_S[min(lot.checks + 1, len(CHECK_S) - 1)])
    by_age = min((now - lot.since) / _SHARE_OF_AGE, _LONGEST)
    return max(ladder, by_age, timedelta(seconds=status.after_s))
