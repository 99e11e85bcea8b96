"""When a turn that was asked for is to be sent: decisions without a broker."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from connector.ports import Turn

_FEW = 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """How long after a message the next one for the same turn may leave this process.

    The first window after quiet is short; one that was crowded, which is a wish or more in each
    ``first_s`` of it, is followed by one twice as long. Seconds.
    """

    first_s: float
    longest_s: float


NEWS = Pace(0.1, 2.0)
"""Changes that are a tenth of a second apart do not wait for each other. For a merchant who has
more of them for long, the sweepers' rounds are soon enough, and messages that nobody gets round to
would fill the queue.
"""
REPEATED = Pace(0.6, 8.0)
"""Longer than sweepers rest between two rounds (0.5 s): what they repeat becomes one."""


@dataclass(slots=True)
class _Window:
    """Until it ends nobody of its kind has a further message sent; ``asked``: how often one was
    wanted.
    """

    pace: Pace
    length: float
    asked: int = 0

    def next(self, began: float, at: float) -> _Window:
        """The one that follows on a message which was to leave at a moment."""
        waited = at <= began + self.length
        crowded = waited and self.asked * self.pace.first_s >= self.length
        return _Window(
            self.pace, min(2 * self.length, self.pace.longest_s) if crowded else self.pace.first_s
        )


@dataclass(slots=True)
class _Sent:
    """A turn's last message: when it left, and the windows it opened."""

    at: float
    news: _Window
    repeated: _Window

    @property
    def ends_at(self) -> float:
        """When neither window matters any more."""
        return self.at + max(self.news.length, self.repeated.length)


class Ringing:
    """Turns that were asked for; how soon each is sent again depends on who asks.

    The first ring goes out at once. News that follows within its window becomes one message, sent
    when the window ends. Who repeats what it asked before (a sweep) is held back for longer: a
    merchant with much to do, whom every sweeper of every process asks turns for, costs a message
    per process now and then instead of two a second. When a turn is handled here, or a window was
    asked into less often than the shortest windows fit into it, the next are short again: single
    changes after a wave must not wait. Nothing that was asked for is forgotten. Times are seconds
    of a monotonic clock.
    """

    def __init__(self, *, news: Pace = NEWS, repeated: Pace = REPEATED) -> None:
        self._news = news
        self._repeated = repeated
        self._sent: dict[Turn, _Sent] = {}
        self._crowded = _FEW
        self._asked: dict[Turn, float] = {}
        self._order: list[tuple[float, int, Turn]] = []
        self._count = 0

    def ask(self, turn: Turn, now: float, *, repeated: bool = False) -> None:
        """Somebody wants a turn; one that is asked for already is enough."""
        at, sent = now, self._sent.get(turn)
        if sent is not None:
            window = sent.repeated if repeated else sent.news
            window.asked += 1
            at = max(now, sent.at + window.length)
        if at < self._asked.get(turn, float("inf")):
            self._put(turn, at)

    def take(self, now: float) -> Turn | None:
        """The next turn to send now."""
        while self._order and self._order[0][0] <= now:
            at, _, turn = heapq.heappop(self._order)
            if self._asked.get(turn) == at:
                del self._asked[turn]
                self._open_windows(turn, at, now)
                return turn
        return None

    def next_at(self) -> float | None:
        """When the next turn is to be sent."""
        while self._order and self._asked.get(self._order[0][2]) != self._order[0][0]:
            heapq.heappop(self._order)
        return self._order[0][0] if self._order else None

    def served(self, turn: Turn) -> None:
        """It begins to be handled here: that answers whatever was asked until now."""
        self._sent.pop(turn, None)
        self._asked.pop(turn, None)

    def failed(self, turn: Turn) -> None:
        """It was not sent: nothing waits in the broker, so the next ring need not wait either."""
        self._sent.pop(turn, None)

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

    def _open_windows(self, turn: Turn, at: float, now: float) -> None:
        last = self._sent.get(turn)
        if last is None:
            news, repeated = _first(self._news), _first(self._repeated)
        else:
            news, repeated = last.news.next(last.at, at), last.repeated.next(last.at, at)
        self._sent[turn] = _Sent(now, news, repeated)
        if len(self._sent) > self._crowded:
            self._sent = {one: sent for one, sent in self._sent.items() if sent.ends_at > now}
            self._crowded = max(_FEW, 2 * len(self._sent))


def _first(pace: Pace) -> _Window:
    return _Window(pace, pace.first_s)
