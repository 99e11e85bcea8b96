"""An event loop whose time jumps to the next timer: hours of waiting pass in milliseconds."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

START = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Stuck(RuntimeError):
    """Every task waits for something that no timer will bring."""


class _Jump:
    """Stands where a selector would: instead of waiting, it moves the loop's time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        """Jump to the next timer unless something is ready."""
        if timeout is None:
            self._loop.give_up()
        elif timeout > 0:
            self._loop.jump()
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """A deterministic event loop without sockets and threads.

    It starts at 0 and never waits. When nothing can happen any more the main task is cancelled,
    and ``run_virtual`` raises Stuck, so that a deadlock shows instead of hanging a test.
    """

    _scheduled: list[asyncio.TimerHandle]
    _clock_resolution: float

    def __init__(self) -> None:
        super().__init__()
        self._virtual_now = 0.0
        # A timer is due when it is earlier than now plus this; after some months of virtual time
        # the usual nanosecond would be lost in rounding, and timers would never be due.
        self._clock_resolution = 1e-6
        self._selector = _Jump(self)
        self.main: asyncio.Task[Any] | None = None
        self.stuck = False

    def time(self) -> float:
        """Seconds of virtual time since the loop was made."""
        return self._virtual_now

    def jump(self) -> None:
        """Move on to the moment of the next timer."""
        self._virtual_now = max(self._virtual_now, self._scheduled[0].when())

    def give_up(self) -> None:
        """Nothing will ever happen again: end the main task."""
        if self.stuck or self.main is None:
            raise Stuck("no timer is left, and nothing is ready")
        self.stuck = True
        self.main.cancel()

    def run_in_executor(self, *_: object) -> NoReturn:
        """Threads have no place in a simulation: their timing would not repeat."""
        raise RuntimeError("no threads in virtual time")

    def _process_events(self, event_list: list[Any]) -> None:
        """No sockets, no events."""

    def _write_to_self(self) -> None:
        """No other thread ever waits for this loop."""


class VirtualClock:
    """The clock of the running virtual loop; ``start`` is its time 0."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start
        self._last = 0.0

    def now(self) -> datetime:
        """This moment; outside of the loop the last one told."""
        with suppress(RuntimeError):  # no loop: a test's assertions after the run
            self._last = asyncio.get_running_loop().time()
        return self.start + timedelta(seconds=self._last)

    async def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(max(0.0, seconds))
        self.now()

    def wall(self, seconds: float) -> timedelta:
        """Virtual time is the only time there is."""
        return timedelta(seconds=seconds)


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` in virtual time, as ``asyncio.run`` would.

    Raises:
        Stuck: everything waits for something that never comes.
    """
    loop = VirtualLoop()

    async def watched() -> T:
        loop.main = asyncio.current_task()
        try:
            return await main
        except asyncio.CancelledError:
            if loop.stuck:
                raise Stuck("no timer is left, and nothing is ready") from None
            raise

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(watched())
