"""Group commit: calls that come while a group is being written share the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from connector.ports import StoreUnavailable, Write

Job = Sequence[Write]
Writer = Callable[[Sequence[Job]], Awaitable[Sequence[BaseException | None]]]
"""Writes a group of jobs; for each, what it was refused with."""
_Waiting = tuple[Job, "asyncio.Future[None]"]


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
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, future))
        if self._running < self._at_once:
            # It starts in the next round of the loop: what is ready in this one goes along.
            self._running += 1
            task = asyncio.create_task(self._run())
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
            results = await self._write([job for job, _ in group])
        except Exception as error:  # noqa: BLE001 - whatever it is: their callers must know
            results = [error] * len(group)
        finally:
            _tell(group, results)

    async def drain(self) -> None:
        """Wait until all that was submitted is written."""
        while self._tasks:
            await asyncio.wait(self._tasks)


def _tell(group: Sequence[_Waiting], results: Sequence[BaseException | None]) -> None:
    for (_, future), result in zip(group, results, strict=True):
        if future.done():  # its caller was cancelled
            continue
        if result is None:
            future.set_result(None)
        else:
            future.set_exception(result)
