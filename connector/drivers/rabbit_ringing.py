"""When a turn that was asked for is to be sent: decisions without a broker."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from connector.ports import Turn

FIRST_WINDOW_S = 0.6
"""Longer than sweepers rest between two rounds (0.5 s): what they repeat becomes one."""
LONGEST_WINDOW_S = 8.0
_FEW = 1000


@dataclass(slots=True)
class _Window:
    """Until ``ends_at`` no second message for the turn leaves this process."""

    ends_at: float
    length: float
    asked: int = 0
    """How often it was asked for meanwhile."""


class Ringing:
    """Turns that were asked for, each sent at most once per window.

    The first ring goes out at once. Those that follow within its window become one, sent when the
    window ends, which opens a window twice as long: a merchant with much to do, whom every sweeper
    of every process asks turns for, costs a message per process now and then instead of two a
    second. When a turn is handled here, or a window was asked into less often than the shortest
    windows fit into it, the next are short again: single changes after a wave must not wait.
    Nothing that was asked for is forgotten. Times are seconds of a monotonic clock.
    """

    def __init__(
        self, *, first_s: float = FIRST_WINDOW_S, longest_s: float = LONGEST_WINDOW_S
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._windows: dict[Turn, _Window] = {}
        self._crowded = _FEW
        self._asked: dict[Turn, float] = {}
        self._order: list[tuple[float, int, Turn]] = []
        self._count = 0

    def ask(self, turn: Turn, now: float) -> None:
        """Somebody wants a turn; one that is asked for already is enough."""
        window = self._windows.get(turn)
        if window is not None:
            window.asked += 1
        if turn not in self._asked:
            self._put(turn, now if window is None else max(now, window.ends_at))

    def take(self, now: float) -> Turn | None:
        """The next turn to send now."""
        while self._order and self._order[0][0] <= now:
            at, _, turn = heapq.heappop(self._order)
            if self._asked.get(turn) == at:
                del self._asked[turn]
                self._open_window(turn, at, now)
                return turn
        return None

    def next_at(self) -> float | None:
        """When the next turn is to be sent."""
        while self._order and self._asked.get(self._order[0][2]) != self._order[0][0]:
            heapq.heappop(self._order)
        return self._order[0][0] if self._order else None

    def served(self, turn: Turn) -> None:
        """It begins to be handled here: that answers whatever was asked until now."""
        self._windows.pop(turn, None)
        self._asked.pop(turn, None)

    def failed(self, turn: Turn) -> None:
        """It was not sent: nothing waits in the broker, so the next ring need not wait either."""
        self._windows.pop(turn, None)

    def hurry(self, now: float) -> None:
        """Send all that was asked for now: this process is about to end."""
        for turn in list(self._asked):
            self._put(turn, now)

    def __len__(self) -> int:
        return len(self._asked)

    def _put(self, turn: Turn, at: float) -> None:
        self._asked[turn] = at
        self._count += 1
        heapq.heappush(self._order, (at, self._count, turn))

    def _open_window(self, turn: Turn, at: float, now: float) -> None:
        window = self._windows.get(turn)
        length = self._first_s
        crowded = window is not None and window.asked * self._first_s >= window.length
        if window is not None and crowded and at <= window.ends_at:  # it had to wait
            length = min(window.length * 2, self._longest_s)
        self._windows[turn] = _Window(now + length, length)
        if len(self._windows) > self._crowded:
            self._windows = {one: two for one, two in self._windows.items() if two.ends_at > now}
            self._crowded = max(_FEW, 2 * len(self._windows))
