"""Queues of the hub in RabbitMQ, with every argument that matters spelled out."""

from __future__ import annotations

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelPreconditionFailed
from pamqp.common import FieldTable

DEAD = "turns.dead"
"""Exchange and queue of messages that nobody could read, or that killed whoever took them."""

_FORTNIGHT_MS = 14 * 24 * 3600 * 1000


class QueueMismatch(Exception):
    """A queue or exchange exists with other arguments than this version declares."""


def turn_arguments() -> FieldTable:
    """Arguments of a queue of turns.

    There is no ``x-message-ttl``: an expired turn would be dead-lettered, so a night without
    workers would bury unreadable messages under thousands of harmless ones. There is no
    ``x-expires`` either: a queue without consumers is one whose workers are on their way.
    """
    return {
        "x-queue-type": "quorum",
        # A broker of one or two nodes takes what it has.
        "x-quorum-initial-group-size": 3,
        "x-queue-leader-locator": "balanced",
        # A message that takes its process down 20 times is put aside. RabbitMQ 4 counts to 20 by
        # itself, 3.x for ever.
        "x-delivery-limit": 20,
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-routing-key": DEAD,
        # At-least-once needs reject-publish and a length: without, it is silently at-most-once.
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        # Ten times what 10,000 connections ask for; beyond it rings are refused, and sweepers ask
        # again when there is room.
        "x-max-length": 100_000,
        # A turn ends within minutes. Since RabbitMQ 3.12 a queue's own limit; before, it is
        # ignored and the node's `consumer_timeout` counts (30 minutes if unset).
        "x-consumer-timeout": 600_000,
    }


def dead_arguments() -> FieldTable:
    """Arguments of the queue of dead letters: the newest are kept, for a fortnight."""
    return {
        "x-queue-type": "quorum",
        "x-quorum-initial-group-size": 3,
        "x-queue-leader-locator": "balanced",
        "x-max-length": 10_000,
        "x-overflow": "drop-head",
        "x-message-ttl": _FORTNIGHT_MS,
    }


async def declare(connection: AbstractConnection, queue: str) -> None:
    """Make sure of ``queue`` and of where its dead letters go.

    On a channel of its own, because RabbitMQ closes the channel on which a declaration fails.

    Raises:
        QueueMismatch: it exists with other arguments.
    """
    channel = await connection.channel(publisher_confirms=False)
    try:
        dead = await channel.declare_exchange(DEAD, "fanout", durable=True)
        letters = await channel.declare_queue(DEAD, durable=True, arguments=dead_arguments())
        await letters.bind(dead)
        await channel.declare_queue(queue, durable=True, arguments=turn_arguments())
    except ChannelPreconditionFailed as error:
        raise QueueMismatch(
            f"RabbitMQ has {queue!r} or {DEAD!r} with other arguments than this version declares;"
            f" let workers empty it, delete it, and it is made anew ({error})"
        ) from error
    finally:
        if not channel.is_closed:
            await channel.close()
