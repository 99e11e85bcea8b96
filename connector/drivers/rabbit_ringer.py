"""Sends the turns that were asked for, many at once, without anybody waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from connector.drivers.rabbit_link import first_of
from connector.drivers.rabbit_publisher import NotSent, Publisher
from connector.drivers.rabbit_ringing import Ringing
from connector.ports import Turn

AT_ONCE = 64


class Ringer:
    """Passes turns from ``Ringing`` to the publisher.

    While RabbitMQ is away, what grows is one entry per connection and context that has something
    to do; each is tried for a few seconds, and told to ``on_failed``.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        on_failed: Callable[[Turn], None] = lambda _: None,
        at_once: int = AT_ONCE,
    ) -> None:
        self._publisher = publisher
        self._on_failed = on_failed
        self._at_once = at_once
        self._ringing = Ringing()
        self._sending: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._quiet = asyncio.Event()

    def ask(self, turn: Turn, *, repeated: bool = False) -> None:
        """Send it soon; what is only repeated has time."""
        self._ringing.ask(turn, _now(), repeated=repeated)
        self._wake.set()

    def served(self, turn: Turn) -> None:
        """It begins to be handled in this process."""
        self._ringing.served(turn)

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            while True:
                self._wake.clear()
                while len(self._sending) < self._at_once and (turn := self._ringing.take(_now())):
                    self._start(turn)
                if not self._sending and not len(self._ringing):
                    self._quiet.set()
                await self._pause()
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)

    async def flush(self, *, within_s: float) -> None:
        """Send all that was asked for, as far as the time allows."""
        self._quiet.clear()
        self._ringing.hurry(_now())
        self._wake.set()
        await first_of(self._quiet, within_s=within_s)

    async def _pause(self) -> None:
        """Until there may be something to send."""
        next_at = self._ringing.next_at() if len(self._sending) < self._at_once else None
        within = None if next_at is None else max(0.0, next_at - _now())
        await first_of(self._wake, within_s=within)

    def _start(self, turn: Turn) -> None:
        task = asyncio.create_task(self._send(turn), name=f"ring {turn.queue}")
        self._sending.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._wake.set()

    async def _send(self, turn: Turn) -> None:
        try:
            await self._publisher.publish(turn)
        except NotSent:
            self._ringing.failed(turn)
            self._on_failed(turn)


def _now() -> float:
    return asyncio.get_running_loop().time()
