"""Takes turns of one queue from RabbitMQ, and notices when RabbitMQ has stopped giving any."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import cast

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aiormq import Channel as RawChannel

from connector.drivers.rabbit_link import FAILURES, Link, broker_errors, first_of
from connector.drivers.rabbit_topology import declare
from connector.ports import Metrics

_log = structlog.get_logger(__name__)

WATCH_EVERY_S = 10.0
_ANSWER_S = 5.0
_DELETE_S = 15.0
_LONGEST_PAUSE_S = 2.0
_MUTE_TIMES = 3

OnMessage = Callable[[AbstractIncomingMessage], Awaitable[None]]


class QueueConsumer:
    """A channel and a consumer of one queue, made anew whenever either is gone.

    A consumer can end without an error: the queue was deleted or moved, or a message was kept too
    long. RabbitMQ says so in a frame that is easily missed, so besides listening for it the queue
    is asked every ``watch_every_s`` seconds whether it still has consumers. ``on_begin`` is called
    when messages begin to be delivered, ``on_end`` when those delivered so far are not ours any
    more.
    """

    def __init__(
        self,
        link: Link,
        queue: str,
        on_message: OnMessage,
        *,
        on_begin: Callable[[], None],
        on_end: Callable[[], None],
        prefetch: int,
        metrics: Metrics,
        watch_every_s: float = WATCH_EVERY_S,
    ) -> None:
        self._link = link
        self._queue = queue
        self._on_message = on_message
        self._on_begin = on_begin
        self._on_end = on_end
        self._prefetch = prefetch
        self._metrics = metrics
        self._watch_every_s = watch_every_s
        self._lost = asyncio.Event()
        self._why = ""
        self._begun = 0
        self._mute = 0

    async def run(self, stop: asyncio.Event, idle: asyncio.Event) -> None:
        """Consume until ``stop``, then keep the channel until ``idle``: turns under way still
        want to acknowledge their messages.

        Raises:
            QueueMismatch: the queue exists with other arguments.
        """
        pause = 0.0
        while not stop.is_set():
            begun = self._begun
            try:
                async with broker_errors():
                    await self._session(stop, idle)
            except FAILURES as error:
                self._why = self._why or type(error).__name__
            if stop.is_set():
                return
            _log.warning("consumer_lost", queue=self._queue, why=self._why)
            pause = 0.1 if self._begun > begun else min(2 * pause + 0.1, _LONGEST_PAUSE_S)
            await first_of(stop, within_s=random.uniform(0, pause))  # noqa: S311 - jitter

    async def _session(self, stop: asyncio.Event, idle: asyncio.Event) -> None:
        """One channel, from opening to closing; returns when it is over, whoever ended it."""
        self._lost.clear()
        self._why = ""
        connection = await _unless(stop, self._link.connection())
        if connection is None:
            return
        channel: AbstractChannel | None = None
        try:
            async with asyncio.timeout(_ANSWER_S):
                await declare(connection, self._queue)
                channel = await connection.channel(publisher_confirms=False)
                await channel.set_qos(self._prefetch)
            raw = cast(RawChannel, await channel.get_underlay_channel())
            tag = await self._begin(channel, raw)
            if tag is None:
                await self._note_mute(connection)
                return
            await self._watch(raw, tag, stop)
            if stop.is_set() and not self._lost.is_set():
                async with asyncio.timeout(_ANSWER_S):
                    await raw.basic_cancel(tag)
                await idle.wait()
        except TimeoutError:
            self._why = "no answer"
            self._mute = 0
            self._link.drop(connection)
            channel = None  # ends with its connection
        finally:
            self._on_end()
            if channel is not None:
                await _end(channel)

    async def _begin(self, channel: AbstractChannel, raw: RawChannel) -> str | None:
        """Begin to consume; returns the consumer's tag, or None where the queue is mute."""
        channel.close_callbacks.add(lambda *_: self._note_lost("channel closed"))
        raw.on_consumer_cancel_callbacks.add(lambda _: self._note_lost("cancelled"))
        queue = await channel.get_queue(self._queue, ensure=False)
        try:
            async with asyncio.timeout(_ANSWER_S):
                tag = await queue.consume(self._on_message)
        except TimeoutError:
            return None
        self._note_begin()
        return tag

    async def _watch(self, raw: RawChannel, tag: str, stop: asyncio.Event) -> None:
        """Until the consumer is lost, or ``stop``.

        Raises:
            TimeoutError: the connection does not answer.
        """
        while not stop.is_set() and not self._lost.is_set():
            if await first_of(stop, self._lost, within_s=self._watch_every_s):
                return
            async with asyncio.timeout(_ANSWER_S):
                told = await raw.queue_declare(self._queue, passive=True)
            if tag not in raw.consumers or not told.consumer_count:
                self._note_lost("not consuming")

    async def _note_mute(self, connection: AbstractConnection) -> None:
        """The queue exists and does not answer, on a connection that does: it has no leader.

        It may get one. But RabbitMQ 3.10 can lose a queue that was declared within half a second
        before a crash such that it never has one again; and then it is made anew. That costs time
        only: whatever its turns asked for is due in the ledger.
        """
        self._why = "queue does not answer"
        self._mute += 1
        if self._mute < _MUTE_TIMES:
            return
        self._mute = 0
        _log.error("turn_queue_made_anew", queue=self._queue)
        self._metrics.count("broker_queues_remade_total", queue=self._queue)
        async with asyncio.timeout(_DELETE_S):
            channel = await connection.channel(publisher_confirms=False)
            await channel.queue_delete(self._queue)
            await channel.close()

    def _note_begin(self) -> None:
        self._mute = 0
        self._on_begin()
        self._begun += 1
        if self._begun > 1:
            self._metrics.count("broker_consumers_restored_total", queue=self._queue)
        _log.info("consuming", queue=self._queue)

    def _note_lost(self, why: str) -> None:
        self._why = self._why or why
        self._lost.set()


async def _unless(
    stop: asyncio.Event, wanted: Awaitable[AbstractConnection]
) -> AbstractConnection | None:
    """What is wanted, or None where ``stop`` comes first."""
    task = asyncio.ensure_future(wanted)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        stopping.cancel()


async def _end(channel: AbstractChannel) -> None:
    if channel.is_closed:
        return
    with contextlib.suppress(*FAILURES):
        async with broker_errors(), asyncio.timeout(_ANSWER_S):
            await channel.close()
