"""What waits for the hub in its ledger, and since when."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from connector.domain.clock import Clock
from connector.drivers.micros import to_micros

_WAITED_S = 5.0
"""Real seconds: whoever was told of something has acted on it by then, or it waits."""
_LOOK_S = 0.5
_IN_A_ROW = 4


async def gone(store_url: str, clock: Clock, *, within_s: float) -> float:
    """Since when nothing waits any more, by ``time.monotonic``; infinity where something still
    does.

    What waits is what the ledger itself says: every key, parked ones aside, that has been due for
    too long, leased or not, or that has been failing for too long, whenever it is tried again.
    """
    deadline = time.monotonic() + within_s
    since, in_a_row = float("inf"), 0
    async with AsyncMongoClient[dict[str, Any]](store_url, serverSelectionTimeoutMS=2000) as client:
        while (now := time.monotonic()) < deadline:
            late = to_micros(clock.now() - clock.wall(_WAITED_S))
            in_a_row = in_a_row + 1 if await _waiting(client, late) == 0 else 0
            since = now if in_a_row == 1 else since
            if in_a_row == _IN_A_ROW:
                return since
            await asyncio.sleep(_LOOK_S)
    return float("inf")


async def _waiting(client: AsyncMongoClient[dict[str, Any]], late: int) -> int:
    pending = client.get_default_database().get_collection("pending")
    which = {
        "parked": {"$ne": 1},
        "$or": [{"due_at": {"$lte": late}}, {"failing_since": {"$lte": late}}],
    }
    try:
        return await pending.count_documents(which)
    except PyMongoError:
        return -1  # who cannot tell has not caught up
