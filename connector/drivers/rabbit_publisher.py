"""Sends turns to RabbitMQ: confirmed, routed, and never for longer than a few seconds."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import DeliveryError, PublishError
from pamqp.commands import Basic

from connector.drivers.rabbit_link import FAILURES, Link, broker_errors
from connector.drivers.rabbit_messages import encode
from connector.drivers.rabbit_topology import QueueMismatch, declare
from connector.ports import Metrics, Turn

_log = structlog.get_logger(__name__)

PUBLISH_S = 4.5
"""Every publish has ended within five seconds, with what a busy machine adds."""
_SETTLING_S = 2.0
_AGAIN_S = 0.1


class NotSent(Exception):
    """The turn did not reach its queue, as far as we know; ``reason`` is one of few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Publisher:
    """One channel with confirms, renewed with its connection; many turns may be under way on it."""

    def __init__(self, link: Link, metrics: Metrics, *, timeout_s: float = PUBLISH_S) -> None:
        self._link = link
        self._metrics = metrics
        self._timeout_s = timeout_s
        self._lock = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._declared: dict[str, float] = {}
        self._answers = 0
        self._trouble = ""

    async def publish(self, turn: Turn) -> None:
        """Send one turn; returns when its queue has it, or raises, within ``timeout_s`` seconds.

        Raises:
            NotSent: and counts why. Nothing is kept: the ledger knows what is due.
        """
        try:
            await self._publish(turn)
        except NotSent as error:
            self._metrics.count("broker_publish_failures_total", reason=error.reason)
            if error.reason != self._trouble:  # said once, counted always
                _log.warning("turn_not_sent", queue=turn.queue, reason=error.reason)
            self._trouble = error.reason
            raise
        self._trouble = ""
        self._metrics.count("broker_published_total", context=turn.context)

    async def _publish(self, turn: Turn) -> None:
        # The limit has to be ours: aio-pika's own does not cover waiting for a connection.
        stage = "away"
        connection: AbstractConnection | None = None
        answers = self._answers
        try:
            async with broker_errors(), asyncio.timeout(self._timeout_s):
                connection = await self._link.connection()
                stage = "blocked"  # by an alarm of RabbitMQ (memory, disk)
                await _unblocked(connection)
                stage = "timeout"
                channel = await self._ready(connection, turn.queue)
                confirmed = await self._send(channel, turn)
        except TimeoutError:
            if stage == "timeout" and connection is not None:
                if await _is_blocked(connection):
                    stage = "blocked"
                elif answers == self._answers:  # else it is this queue that has no leader
                    self._link.drop(connection)
            raise NotSent(stage) from None
        except PublishError:
            self._declared.pop(turn.queue, None)  # the next one makes the queue anew
            raise NotSent("unroutable") from None
        except DeliveryError:
            raise NotSent("refused") from None  # the queue is full, or its leader is away
        except QueueMismatch as error:
            _log.error("turn_queue_differs", error=str(error))
            raise NotSent("mismatch") from None
        except FAILURES:
            raise NotSent("lost") from None
        if not isinstance(confirmed, Basic.Ack):
            raise NotSent("unconfirmed")
        self._answers += 1

    async def _send(self, channel: AbstractChannel, turn: Turn) -> object:
        """Publish, and wait for RabbitMQ's answer.

        A queue that somebody else is just declaring refuses for a moment: its leader is not there
        yet. It is tried again then; whoever declares a queue first has that wait behind them.
        """
        while True:
            try:
                return await channel.default_exchange.publish(
                    _message(turn), turn.queue, mandatory=True
                )
            except PublishError:
                raise
            except DeliveryError:
                declared = self._declared.get(turn.queue, 0.0)
                if asyncio.get_running_loop().time() - declared > _SETTLING_S:
                    raise
                await asyncio.sleep(_AGAIN_S)

    async def _ready(self, connection: AbstractConnection, queue: str) -> AbstractChannel:
        """The channel of this connection; and the queue exists."""
        async with self._lock:
            if self._connection is not connection:
                self._connection, self._channel = connection, None
                self._declared.clear()
            if queue not in self._declared:
                await declare(connection, queue)
                self._declared[queue] = asyncio.get_running_loop().time()
            if self._channel is None or self._channel.is_closed:
                self._channel = await connection.channel(
                    publisher_confirms=True,
                    # Without, a message that no queue took counts as sent.
                    on_return_raises=True,
                )
            return self._channel


async def _is_blocked(connection: AbstractConnection) -> bool:
    try:
        async with asyncio.timeout(0.05):
            await _unblocked(connection)
    except TimeoutError:
        return True
    return False


async def _unblocked(connection: AbstractConnection) -> None:
    transport = connection.transport
    if transport is not None:
        await transport.ready()


def _message(turn: Turn) -> Message:
    return Message(
        encode(turn),
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
        timestamp=datetime.now(UTC),  # when it was rung, in whole seconds
    )
