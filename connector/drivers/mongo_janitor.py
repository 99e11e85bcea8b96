"""Ends transactions whose process was killed or stopped in their middle.

The server keeps what such a transaction wrote locked for a minute, and whoever wants to write the
same rows waits. Ours take milliseconds: one that has not moved for seconds has nobody left.
"""

from __future__ import annotations

import asyncio

import structlog
from bson.binary import Binary
from pymongo.read_concern import ReadConcern

from connector.drivers.mongo_schema import APP_NAME, Books, bounded
from connector.ports import StoreUnavailable

log = structlog.get_logger(__name__)

PATIENCE_S = 1.0
"""A write that takes longer may be waiting for an abandoned transaction."""
_ABANDONED_S = 2.0
_ROUNDS = 4


class Janitor:
    """Looks for abandoned transactions while a write takes unusually long."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._task: asyncio.Task[None] | None = None

    def waiting(self) -> asyncio.TimerHandle:
        """A write begins; the handle is to be cancelled when it ended."""
        return asyncio.get_running_loop().call_later(PATIENCE_S, self._look)

    def _look(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._rounds())

    async def _rounds(self) -> None:
        for _ in range(_ROUNDS):
            try:
                with bounded(PATIENCE_S):
                    ended = await end_abandoned(self._books)
            except StoreUnavailable:
                return  # no primary, or not allowed to look: the server does it after a minute
            if ended:
                log.warning("abandoned transactions ended", count=ended)
            await asyncio.sleep(PATIENCE_S)

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


async def end_abandoned(books: Books) -> int:
    """End the hub's transactions that have not moved for seconds; how many."""
    admin = books.client.get_database("admin", read_concern=ReadConcern("local"))
    found = await admin.aggregate(
        [
            {"$currentOp": {"idleSessions": True}},
            {
                "$match": {
                    "type": "idleSession",
                    "appName": APP_NAME,
                    "transaction.timeInactiveMicros": {"$gt": round(_ABANDONED_S * 1e6)},
                }
            },
        ]
    )
    ids = [{"id": Binary.from_uuid(doc["lsid"]["id"])} async for doc in found]
    if ids:
        await admin.command("killSessions", ids)
    return len(ids)
