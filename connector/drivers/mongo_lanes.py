"""Group commit: calls that come while a group is being written share the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from connector.ports import StoreUnavailable, Write

Job = Sequence[Write]
Writer = Callable[[Sequence[Job]], Awaitable[Sequence[BaseException | None]]]
"""Writes a group of jobs; for each, what it was refused with."""

_LONG_S = 1.0
"""Who has waited so long when the store turns out to be away is told at once, not tried again."""


class _Waiting:
    __slots__ = ("future", "job", "since")

    def __init__(self, job: Job, future: asyncio.Future[None], since: float) -> None:
        self.job = job
        self.future = future
        self.since = since

    def tell(self, result: BaseException | None) -> None:
        if self.future.done():  # its caller was cancelled
            return
        if result is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(result)


class Lane:
    """Passes jobs to ``write`` in groups of at most ``most``, at most ``at_once`` groups at a time.

    A job goes on when its caller is cancelled: breaking off an operation costs its connection, and
    the others of its group have no part in it.
    """

    def __init__(self, write: Writer, *, most: int, at_once: int) -> None:
        self._write = write
        self._most = most
        self._at_once = at_once
        self._waiting: deque[_Waiting] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = 0

    def submit(self, job: Job) -> asyncio.Future[None]:
        """Have a job written; the future tells how that went."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append(_Waiting(job, future, loop.time()))
        if self._running < self._at_once:
            # It starts in the next round of the loop: what is ready in this one goes along.
            self._running += 1
            task = loop.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return future

    async def _run(self) -> None:
        try:
            while self._waiting:
                count = min(len(self._waiting), self._most)
                await self._pass_on([self._waiting.popleft() for _ in range(count)])
        finally:
            self._running -= 1

    async def _pass_on(self, group: Sequence[_Waiting]) -> None:
        results: Sequence[BaseException | None] = [StoreUnavailable("stopped")] * len(group)
        try:
            results = await self._write([waiting.job for waiting in group])
        except StoreUnavailable as error:
            results = [error] * len(group)
            self._give_up(error)
        except Exception as error:  # noqa: BLE001 - whatever it is: their callers must know
            results = [error] * len(group)
        finally:
            for waiting, result in zip(group, results, strict=True):
                waiting.tell(result)

    def _give_up(self, error: StoreUnavailable) -> None:
        """Nobody waits for several groups to fail one after another."""
        enough = asyncio.get_running_loop().time() - _LONG_S
        while self._waiting and self._waiting[0].since < enough:
            self._waiting.popleft().tell(error)

    async def drain(self) -> None:
        """Wait until all that was submitted is written."""
        while self._tasks:
            await asyncio.wait(self._tasks)
