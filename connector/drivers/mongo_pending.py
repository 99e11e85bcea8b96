"""The pending set in MongoDB: marks, claims, leases, and what is due."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from pymongo import ReturnDocument, UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError
from pymongo.results import UpdateResult
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from connector.domain.pending import Claim, Context, Mark, Priority
from connector.drivers.micros import to_micros
from connector.drivers.mongo_rows import (
    FREE,
    claim_of,
    hint_bits,
    marked_id,
    row_id,
)
from connector.drivers.mongo_schema import Books, Doc, interrupted

_DUPLICATE = 11000
_ROUNDS = 20
_RETRY_S = 25.0
_FENCES = 100

# --- marks ----------------------------------------------------------------------------------------


def mark_update(mark: Mark, now: int) -> UpdateOne:
    """One mark in one statement, for a key that is new or neither failing nor parked.

    For those others it collides with the row that is there: what a mark does to them takes a look
    at the row first.
    """
    hint = mark.hint
    update: Doc = {
        # What is not there yet is set by $min, too.
        "$min": {
            "due_at": to_micros(mark.due_at),
            "priority": mark.priority.value,
            "marked_at": now,
            "later_at": now,
        },
        "$inc": {"marks": 1},
        "$bit": {"hint": {"or": hint_bits(hint)}},
        "$setOnInsert": {"attempts": 0, "reasons": [], "lease_until": 0, "fence": 0},
    }
    said = {
        name: value
        for name, value in (("active", hint.active), ("removed", hint.removed))
        if value is not None
    }
    if said:
        update["$set"] = said
    which = {"_id": marked_id(mark), "parked": FREE, "not_before": 0}
    return UpdateOne(which, update, upsert=True)


async def write_marks(books: Books, marks: Sequence[Mark], now: int) -> list[int]:
    """Write marks, each by itself; the places of those that need a look at their row first."""
    try:
        await books.pending.bulk_write([mark_update(mark, now) for mark in marks], ordered=False)
    except BulkWriteError as error:
        failed = error.details["writeErrors"]
        if error.details["writeConcernErrors"] or any(one["code"] != _DUPLICATE for one in failed):
            raise
        return [one["index"] for one in failed]
    return []


# --- claims ---------------------------------------------------------------------------------------


async def take_numbers(books: Books, counter: str, count: int = 1) -> int:
    """The last of ``count`` numbers that nobody was given before."""
    doc: Doc | None = await books.counters.find_one_and_update(
        {"_id": counter},
        {"$inc": {"value": count}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    return int(doc["value"])  # type: ignore[index]  # upserted: there always is one


class Fences:
    """Fences of one process, taken from the counter of all processes many at a time.

    Which of two fences is higher tells nothing; that no other claim ever had the same one does.
    """

    def __init__(self) -> None:
        self._left = range(0)
        self._taking = asyncio.Lock()

    async def next(self, books: Books) -> int:
        """One that no claim had before."""
        async with self._taking:
            if not self._left:
                last = await take_numbers(books, "fence", _FENCES)
                self._left = range(last - _FENCES + 1, last + 1)
            fence, self._left = self._left[0], self._left[1:]
            return fence


async def claim(
    books: Books,
    fences: Fences,
    connection: str,
    context: Context,
    *,
    limit: int,
    now: int,
    until: int,
) -> list[Claim]:
    """Lease the most urgent due keys, against other processes that want the same ones.

    Fences come from one counter, so that a key that was deleted and marked again never repeats
    the fence of a worker that is still asleep. The fence also tells which rows were won.
    """
    tried: list[Doc] = []
    fence = won = 0
    for _ in range(_ROUNDS):
        wanted = limit - won
        found = await _claimable(books, connection, context, now, wanted) if wanted > 0 else []
        if not found:
            break
        fence = fence or await fences.next(books)
        tried += found
        leased = await _lease(books, found, fence, now, until)
        won += leased
        if leased == len(found) < wanted:
            break
    if not tried:
        return []
    # Also where nothing was won at last: the first try of a lease may have won it unheard.
    rows = books.pending.find({"_id": {"$in": tried}, "fence": fence})
    claims = [(doc["due_at"], claim_of(doc)) async for doc in rows]
    claims.sort(key=lambda pair: (pair[1].priority, pair[0], pair[1].key))
    return [claimed for _, claimed in claims]


async def _claimable(
    books: Books, connection: str, context: Context, now: int, limit: int
) -> list[Doc]:
    """The ids of due, unleased rows: one walk along the index per priority, in one go."""
    rows = books.pending.find(
        {
            "_id.connection": connection,
            "_id.context": context.value,
            "priority": {"$in": [priority.value for priority in Priority]},
            "due_at": {"$lte": now},
            "lease_until": {"$lte": now},
        },
        {"_id": 1},
        hint="claim",
    )
    rows.sort([("priority", 1), ("due_at", 1), ("_id.key", 1)]).limit(limit).batch_size(limit + 1)
    return [doc["_id"] async for doc in rows]


async def _lease(books: Books, ids: Sequence[Doc], fence: int, now: int, until: int) -> int:
    """Lease those that nobody else leased meanwhile; how many. Repeated where a primary was lost
    in the middle: rows that got this fence the first time are not touched again.
    """
    retrying = AsyncRetrying(
        retry=retry_if_exception(interrupted),
        stop=stop_after_delay(_RETRY_S),
        wait=wait_random_exponential(0.05, max=1),
        reraise=True,
    )
    result: UpdateResult = await retrying(
        books.pending.update_many,
        {"_id": {"$in": list(ids)}, "due_at": {"$lte": now}, "lease_until": {"$lte": now}},
        {"$set": {"fence": fence, "lease_until": until}, "$unset": {"later_at": ""}},
    )
    return int(result.modified_count)


async def renew(books: Books, claims: Sequence[Claim], until: datetime) -> None:
    """Extend the leases that are still held; claims of one turn share their fence."""
    by_fence: dict[int, list[Doc]] = {}
    for own in claims:
        by_fence.setdefault(own.fence, []).append(row_id(own.connection, own.context, own.key))
    await books.pending.bulk_write(
        [
            UpdateMany(
                {"_id": {"$in": ids}, "fence": fence, "lease_until": {"$gt": 0}},
                {"$set": {"lease_until": to_micros(until)}},
            )
            for fence, ids in by_fence.items()
        ],
        ordered=False,
    )
