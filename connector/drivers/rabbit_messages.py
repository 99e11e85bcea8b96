"""What travels through RabbitMQ: the names of a connection and of a context, and no more."""

from __future__ import annotations

import json

from connector.domain.pending import Context
from connector.ports import Turn

VERSION = 1


class Unreadable(ValueError):
    """The message is none of ours, or of a version that this process does not know."""


def encode(turn: Turn) -> bytes:
    """The body of a message; the adapter is named by the queue that it waits in."""
    body = {"v": VERSION, "connection": turn.connection, "context": turn.context}
    return json.dumps(body, separators=(",", ":")).encode()


def decode(body: bytes, queue: str) -> Turn:
    """The turn that a message from ``queue`` asks for. Fields that are not known are ignored.

    Raises:
        Unreadable: for whatever else came out of that queue.
    """
    context, _, adapter = queue.partition(".")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not JSON") from error
    if not isinstance(told, dict) or told.get("v") != VERSION:
        raise Unreadable(f"not of version {VERSION}")
    connection = told.get("connection")
    if not isinstance(connection, str) or not connection:
        raise Unreadable("names no connection")
    if told.get("context") != context or context not in set(Context) or not adapter:
        raise Unreadable("its context is not its queue's")
    return Turn(connection, Context(context), adapter)
