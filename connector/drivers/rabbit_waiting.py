"""Which of the delivered turns is handled next: decisions without a broker."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from connector.domain.pending import Context
from connector.ports import Turn

Handle = TypeVar("Handle")
_MOST_REMEMBERED = 10_000
LATELY_S = 1.0
"""Whoever may not begin for company's sake may after this time."""
_SHORT_S = 0.05
"""Nobody notices that a turn kept the processor busy for so long."""
_REST_TIMES = 3.0


class Handled:
    """How many turns of each connection's context are handled now, and when one began last.

    ``at_once`` of them may be. While other connections have something to do, too, another one may
    begin only where the last has been under way for a while: whoever has a hundred thousand keys
    waiting always has a next turn, and the others' few keys share its processors and its ledger;
    but what is urgent of somebody whose peers are slow does not wait for a long turn to end. For
    the same reason whoever is behind with listings and kept the processor busy rests for three
    times as long, but no longer than a second, in company of connections that are not behind. Where
    all are, nobody would gain. Times are seconds of one clock, that of the rings.
    """

    def __init__(self, *, at_once: int) -> None:
        self._at_once = at_once
        self._now: Counter[Turn] = Counter()
        self._began: dict[Turn, float] = {}
        self._behind: dict[Turn, float] = {}
        """When the last turn ended of those that had much to do in it."""
        self._rests: dict[Turn, float] = {}
        """Until when."""

    def may_begin(self, turn: Turn, at: float) -> bool:
        """Whether another turn of it may be handled beside those under way."""
        under_way = self._now[turn]
        if self._rests_at(turn, at) and any(map(self._is_hurt, self._company(turn, at))):
            return False
        if not under_way:
            return True
        if under_way >= self._at_once:
            return False
        began = self._began.get(turn, float("-inf"))
        return began <= at - LATELY_S or not any(self._company(turn, at))

    def _rests_at(self, turn: Turn, at: float) -> bool:
        """A rest that would last longer than any tells nothing: the clock was set back since."""
        return at < self._rests.get(turn, at) <= at + LATELY_S

    def _company(self, turn: Turn, at: float) -> Iterator[Turn]:
        """Turns of other connections that are under way, or were begun lately."""
        yield from (one for one in self._now if one.connection != turn.connection)
        for one, began in reversed(self._began.items()):
            if began <= at - LATELY_S:
                break
            if one.connection != turn.connection:
                yield one

    def _is_hurt(self, turn: Turn) -> bool:
        """Whether it waits for whoever computes: no regular job, and not behind itself."""
        return turn not in self._behind and turn.context is not Context.UPKEEP

    def begin(self, turn: Turn, at: float) -> None:
        """One begins."""
        self._now[turn] += 1
        self._began.pop(turn, None)
        self._began[turn] = at
        if self._behind.get(turn, at) < at - 2 * LATELY_S:
            del self._behind[turn]  # others took what was left
        if len(self._began) > _MOST_REMEMBERED:
            oldest = next(iter(self._began))
            del self._began[oldest]
            self._behind.pop(oldest, None)

    def end(self, turn: Turn, at: float, *, busy_s: float = 0.0, behind: bool = False) -> None:
        """One is over; ``busy_s``: how long this process computed meanwhile; ``behind``: it had
        much to do, and there may be more.
        """
        self._now[turn] -= 1
        if not self._now[turn]:
            del self._now[turn]
        if not behind:
            self._behind.pop(turn, None)
            return
        self._behind[turn] = at
        # What the process computed for all who are behind is not one's alone.
        busy_s /= 1 + sum(one in self._behind for one in self._now if one != turn)
        if busy_s >= _SHORT_S and turn.context is Context.LISTINGS:
            self._rests = {one: until for one, until in self._rests.items() if until > at}
            self._rests[turn] = at + min(_REST_TIMES * busy_s, LATELY_S)

    def changes_within(self, at: float) -> float:
        """When to look again, in seconds, where nothing happens that would wake anybody."""
        rests = (until - at for until in self._rests.values() if until > at)
        return min((LATELY_S, *rests))

    def began_after(self, turn: Turn, at: float, now: float) -> bool:
        """Whether one began after ``at``: it saw whatever was due then.

        One that began later than ``now`` tells nothing: the clock was set back since.
        """
        return at < self._began.get(turn, float("-inf")) <= now


class Waiting(Generic[Handle]):
    """Turns of one consumer that wait for a free worker, at most one of each connection's context.

    Queues are served in turns, so that a long one leaves room for the others; and a connection
    that has as many workers as it may have is passed over.
    """

    def __init__(self, queues: Sequence[str], handled: Handled) -> None:
        self._order = deque(queues)
        self._queues: dict[str, OrderedDict[Turn, Handle]] = {
            name: OrderedDict() for name in queues
        }
        self._handled = handled

    def offer(self, turn: Turn, handle: Handle) -> bool:
        """Let it wait; False where one of its kind waits already."""
        queue = self._queues[turn.queue]
        if turn in queue:
            return False
        queue[turn] = handle
        return True

    def take(self, at: float) -> tuple[Turn, Handle] | None:
        """The next turn whose connection is not handled too often already."""
        for _ in range(len(self._order)):
            queue = self._queues[self._order[0]]
            self._order.rotate(-1)
            for turn in queue:
                if self._handled.may_begin(turn, at):
                    return turn, queue.pop(turn)
        return None

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def forget(self, queue: str) -> None:
        """Drop those of a queue: their messages are not ours any more."""
        self._queues[queue].clear()
