"""The broker of a hub of many processes: turns wait in RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog

from connector.drivers.rabbit_consumer import WATCH_EVERY_S, QueueConsumer
from connector.drivers.rabbit_desk import Desk
from connector.drivers.rabbit_link import BrokerUnavailable, Link, read_url
from connector.drivers.rabbit_publisher import PUBLISH_S, Publisher
from connector.drivers.rabbit_ringer import Ringer
from connector.drivers.rabbit_topology import QueueMismatch
from connector.drivers.rabbit_waiting import Handled
from connector.ports import Handler, Metrics, Turn

__all__ = ["BrokerUnavailable", "QueueMismatch", "RabbitBroker"]

_log = structlog.get_logger(__name__)

_PATIENCE_S = 30.0
_FLUSH_S = 1.0
_END_S = 10.0


class RabbitBroker:
    """``ports.Broker`` on RabbitMQ 3.10 or newer.

    The ledger knows what is due; a message only says where to look. One that is lost, doubled or
    late costs time, so nothing here is kept for a RabbitMQ that is away; meanwhile a process that
    consumes takes the turns that it asks for itself, as its own sweeper does.
    ``max_outstanding`` turns of a connection's context are handled at once by this process; fewer
    while others have some, too (``rabbit_waiting.Handled``).

    Raises:
        ValueError: ``url`` is no AMQP address.
    """

    def __init__(
        self,
        url: str,
        *,
        metrics: Metrics,
        max_outstanding: int = 2,
        publish_timeout_s: float = PUBLISH_S,
        watch_every_s: float = WATCH_EVERY_S,
    ) -> None:
        address = read_url(url)
        self._metrics = metrics
        self._watch_every_s = watch_every_s
        self._publishing = Link(address, use="publish", metrics=metrics)
        self._consuming = Link(address, use="consume", metrics=metrics)
        publisher = Publisher(self._publishing, metrics, timeout_s=publish_timeout_s)
        self._ringer = Ringer(publisher, on_failed=self._take_unsent)
        self._handled = Handled(at_once=max_outstanding)
        self._ringing: asyncio.Task[None] | None = None
        self._desks: set[Desk] = set()
        self._consumers: set[asyncio.Task[object]] = set()
        self._stop = asyncio.Event()

    async def open(self, *, patience_s: float = _PATIENCE_S) -> None:
        """Connect, to publish; a process that consumes connects for that when it begins to.

        Raises:
            BrokerUnavailable: RabbitMQ refuses us, or was not reached within ``patience_s``; the
                broker is closed then.
        """
        try:
            await self._publishing.open(patience_s=patience_s)
        except BrokerUnavailable:
            await self.close(drain_s=0)
            raise
        if self._ringing is None:
            self._ringing = asyncio.create_task(self._ringer.run(), name="rabbit ringer")

    async def ring(self, turn: Turn, *, repeated: bool = False) -> None:
        """Ask for a turn; it is sent in the background, and counted where it could not be."""
        if self._stop.is_set():
            return
        self._ringer.ask(turn, repeated=repeated)
        for desk in self._desks:
            desk.hear(turn)

    def _take_unsent(self, turn: Turn) -> None:
        if self._stop.is_set():
            return
        for desk in self._desks:
            desk.hear(turn, unsent=True)

    async def consume(self, queues: Sequence[str], handler: Handler, *, workers: int) -> None:
        """Hand turns of these queues to ``handler``, at most ``workers`` at once, until closed.

        Raises:
            QueueMismatch: a queue exists with other arguments.
        """
        if self._stop.is_set():
            return
        desk = Desk(
            queues,
            handler,
            workers=workers,
            handled=self._handled,
            on_begin=self._ringer.served,
            metrics=self._metrics,
        )
        task = asyncio.current_task()
        self._desks.add(desk)
        if task is not None:
            self._consumers.add(task)
        try:
            await self._consume(desk, queues, workers)
        finally:
            self._desks.discard(desk)
            if task is not None:
                self._consumers.discard(task)

    async def _consume(self, desk: Desk, queues: Sequence[str], workers: int) -> None:
        self._consuming.start()
        # Enough for all workers, and for one surplus turn of each connection that has as many
        # workers as it may have: those wait here and must not keep others out.
        prefetch = 2 * workers + 1
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(desk.run(self._stop))
                for queue in queues:
                    consumer = QueueConsumer(
                        self._consuming,
                        queue,
                        partial(desk.receive, queue),
                        on_begin=partial(desk.attend, queue),
                        on_end=partial(desk.forget, queue),
                        prefetch=prefetch,
                        metrics=self._metrics,
                        watch_every_s=self._watch_every_s,
                    )
                    group.create_task(consumer.run(self._stop, desk.idle))
        except ExceptionGroup as crashed:  # callers know of errors, not of our task group
            raise crashed.exceptions[0] from None

    async def close(self, *, drain_s: float) -> None:
        """Stop handing out turns; wait up to ``drain_s`` for those being handled, then end them.

        Turns that were asked for until then are still sent, as far as a second allows.
        """
        self._stop.set()
        tasks = {task for desk in self._desks for task in desk.tasks}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=drain_s)
            for task in late:
                task.cancel()
            if late:
                _log.warning("turns_cut_off", count=len(late))
                await asyncio.wait(late)
        if self._consumers:
            await asyncio.wait(self._consumers, timeout=_END_S)
        ringing, self._ringing = self._ringing, None
        if ringing is not None:
            await self._ringer.flush(within_s=_FLUSH_S)
            ringing.cancel()
            await asyncio.gather(ringing, return_exceptions=True)
        await asyncio.gather(self._publishing.close(), self._consuming.close())
