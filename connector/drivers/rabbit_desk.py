"""Hands turns that RabbitMQ delivered to whoever handles them, fairly and not too many at once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import structlog
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import MessageProcessError

from connector.drivers.rabbit_link import FAILURES, broker_errors, first_of
from connector.drivers.rabbit_messages import Unreadable, decode
from connector.drivers.rabbit_waiting import Handled, Waiting
from connector.ports import Handler, Metrics, Turn

_log = structlog.get_logger(__name__)

_ACK_S = 5.0
_TOLERANCE_S = 2.0
"""A message's time is in whole seconds, of another machine's clock."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message, and which life of its queue's consumer it belongs to."""

    message: AbstractIncomingMessage
    queue: str
    life: int


class Desk:
    """Handles turns of some queues, at most ``workers`` at once.

    A message is acknowledged when its handler is over, however it ended: the ledger still has the
    work. One that asks for what waits here already, or for what began after it was sent, is
    acknowledged at once, so that a busy merchant's messages do not stand in the others' way.

    While RabbitMQ gives us none of a queue's, those that are asked for in this very process are
    handled without it.
    """

    def __init__(
        self,
        queues: Sequence[str],
        handler: Handler,
        *,
        workers: int,
        handled: Handled,
        on_begin: Callable[[Turn], None],
        metrics: Metrics,
    ) -> None:
        self._handler = handler
        self._workers = workers
        self._handled = handled
        self._on_begin = on_begin
        self._metrics = metrics
        self._waiting: Waiting[Delivery | None] = Waiting(queues, handled)
        self._queues = frozenset(queues)
        self._cut_off = set(queues)
        self._lives: Counter[str] = Counter()
        self._wake = asyncio.Event()
        self.tasks: set[asyncio.Task[bool]] = set()
        self.idle = asyncio.Event()
        self.idle.set()

    async def receive(self, queue: str, message: AbstractIncomingMessage) -> None:
        """Take in one message of ``queue``."""
        delivery = Delivery(message, queue, self._lives[queue])
        try:
            turn = decode(message.body, queue)
        except Unreadable as error:
            self._metrics.count("broker_unreadable_total", queue=queue)
            _log.error("turn_unreadable", queue=queue, why=str(error))
            await self._settle(delivery, readable=False)
            return
        if self._is_answered(turn, message):
            self._metrics.count("broker_turns_dropped_total", reason="stale")
            await self._settle(delivery)
        elif not self._waiting.offer(turn, delivery):
            self._metrics.count("broker_turns_dropped_total", reason="duplicate")
            await self._settle(delivery)
        else:
            self._wake.set()

    def hear(self, turn: Turn, *, unsent: bool = False) -> None:
        """It is asked for in this process. Where RabbitMQ gives us none of its queue, or would not
        take it (``unsent``), it waits here at once.
        """
        without = self._queues if unsent else self._cut_off
        if turn.queue in without and self._waiting.offer(turn, None):
            self._wake.set()

    def attend(self, queue: str) -> None:
        """RabbitMQ gives us the turns of ``queue`` from now on."""
        self._cut_off.discard(queue)

    def forget(self, queue: str) -> None:
        """What was delivered of ``queue`` is not ours any more; RabbitMQ delivers it again."""
        self._lives[queue] += 1
        self._waiting.forget(queue)
        self._cut_off.add(queue)

    async def run(self, stop: asyncio.Event) -> None:
        """Hand out turns until ``stop``, then wait for those under way."""
        stopping = asyncio.ensure_future(stop.wait())
        stopping.add_done_callback(lambda _: self._wake.set())
        try:
            while not stop.is_set():
                self._wake.clear()
                while len(self.tasks) < self._workers and (found := self._waiting.take(_now())):
                    self._start(*found)
                # Who was passed over for company's sake may begin without anything happening.
                free = len(self.tasks) < self._workers and len(self._waiting)
                within_s = self._handled.changes_within(_now()) if free else None
                await first_of(self._wake, within_s=within_s)
            await self.idle.wait()
        finally:
            stopping.cancel()
            for task in self.tasks:  # only where this call itself was cancelled
                task.cancel()

    def _start(self, turn: Turn, delivery: Delivery | None) -> None:
        self._handled.begin(turn, _now())
        self._on_begin(turn)
        self.idle.clear()
        task = asyncio.create_task(self._handle(turn, delivery), name=f"turn {turn.queue}")
        self.tasks.add(task)
        task.add_done_callback(partial(self._end, turn, time.thread_time()))

    async def _handle(self, turn: Turn, delivery: Delivery | None) -> bool:
        behind = False
        try:
            behind = await self._handler(turn)
        # Whatever a handler does wrong, the next turn must be served.
        except Exception:  # noqa: BLE001
            _log.exception("turn_failed", connection=turn.connection, queue=turn.queue)
        if delivery is not None:
            await self._settle(delivery)
        return behind

    async def _settle(self, delivery: Delivery, *, readable: bool = True) -> None:
        """Acknowledge or reject, unless its channel is over.

        On a channel that is just being closed it would be an error that ends the connection.
        """
        if delivery.life != self._lives[delivery.queue]:
            return
        with contextlib.suppress(*FAILURES, MessageProcessError):
            async with broker_errors(), asyncio.timeout(_ACK_S):
                if readable:
                    await delivery.message.ack()
                else:
                    await delivery.message.reject(requeue=False)

    def _end(self, turn: Turn, computed_s: float, task: asyncio.Task[bool]) -> None:
        busy_s = time.thread_time() - computed_s
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("turn_failed", queue=turn.queue, error=type(error).__name__)
        behind = not task.cancelled() and error is None and task.result()
        self._handled.end(turn, _now(), busy_s=busy_s, behind=behind)
        self._wake.set()
        self.tasks.discard(task)
        if not self.tasks:
            self.idle.set()

    def _is_answered(self, turn: Turn, message: AbstractIncomingMessage) -> bool:
        rung = message.timestamp
        if rung is None:
            return False
        return self._handled.began_after(turn, rung.timestamp() + _TOLERANCE_S, _now())


def _now() -> float:
    return datetime.now(UTC).timestamp()
