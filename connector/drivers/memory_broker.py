"""The broker of a hub that is one process: turns wait in memory and are handed out fairly."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence

import structlog

from connector.ports import Handler, Turn

_log = structlog.get_logger(__name__)

_Owner = tuple[str, str]


class MemoryBroker:
    """``ports.Broker`` without a network.

    At most one turn of a connection's context waits at a time, and one that was handed out waits
    behind all others when it asks again, so a connection with much work leaves room for the rest.
    ``max_outstanding`` turns of it are handled at once.
    """

    def __init__(self, *, max_outstanding: int = 8) -> None:
        self._max_outstanding = max_outstanding
        self._queues: dict[str, OrderedDict[_Owner, Turn]] = {}
        self._handled: Counter[_Owner] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake: set[asyncio.Event] = set()
        self._closed = False

    async def ring(self, turn: Turn, *, repeated: bool = False) -> None:
        """Ask for a turn; one that waits already is enough."""
        del repeated  # that costs nothing here
        if not self._closed:
            queue = self._queues.setdefault(turn.queue, OrderedDict())
            queue.setdefault(_owner(turn), turn)
            self._wake_all()

    async def consume(self, queues: Sequence[str], handler: Handler, *, workers: int) -> None:
        """Hand turns of these queues to ``handler``, at most ``workers`` at once, until closed."""
        wake = asyncio.Event()
        self._wake.add(wake)
        names = deque(queues)
        mine: set[asyncio.Task[None]] = set()
        try:
            while not self._closed:
                wake.clear()
                while len(mine) < workers and (turn := self._take(names)) is not None:
                    self._start(turn, handler, mine)
                await wake.wait()
            await asyncio.gather(*mine, return_exceptions=True)
        finally:
            self._wake.discard(wake)
            for task in mine:  # only where this call itself was cancelled
                task.cancel()

    async def close(self, *, drain_s: float) -> None:
        """Stop handing out turns; wait up to ``drain_s`` for those being handled, then end them."""
        self._closed = True
        self._wake_all()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=drain_s)
        for task in late:
            task.cancel()
        if late:
            _log.warning("turns_cut_off", count=len(late))
            await asyncio.wait(late)

    def _wake_all(self) -> None:
        for wake in self._wake:
            wake.set()

    def _take(self, names: deque[str]) -> Turn | None:
        """The next turn whose connection is not handled too often already, queue after queue."""
        for _ in range(len(names)):
            queue = self._queues.setdefault(names[0], OrderedDict())
            names.rotate(-1)
            for owner in queue:
                if self._handled[owner] < self._max_outstanding:
                    return queue.pop(owner)
        return None

    def _start(self, turn: Turn, handler: Handler, mine: set[asyncio.Task[None]]) -> None:
        owner = _owner(turn)
        self._handled[owner] += 1
        task = asyncio.create_task(_handle(turn, handler), name=f"turn {turn.queue}")

        def done(_: asyncio.Task[None]) -> None:
            self._handled[owner] -= 1
            if not self._handled[owner]:
                del self._handled[owner]
            mine.discard(task)
            self._tasks.discard(task)
            self._wake_all()

        mine.add(task)
        self._tasks.add(task)
        task.add_done_callback(done)


def _owner(turn: Turn) -> _Owner:
    return turn.connection, turn.context


async def _handle(turn: Turn, handler: Handler) -> None:
    try:
        await handler(turn)
    # Whatever a handler does wrong, the next turn must be served; the ledger still has the work.
    except Exception:  # noqa: BLE001
        _log.exception("turn_failed", connection=turn.connection, queue=turn.queue)
