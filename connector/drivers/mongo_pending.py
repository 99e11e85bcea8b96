"""The pending set in MongoDB: marks, claims, leases, and what is due."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from bson.max_key import MaxKey
from pymongo import ReturnDocument, UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError
from pymongo.results import UpdateResult
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from connector.domain.pending import Claim, Context, Mark, PendingRow, Priority
from connector.drivers.micros import from_micros, to_micros
from connector.drivers.mongo_rows import (
    FREE,
    PARKED,
    claim_of,
    hint_bits,
    marked_id,
    row_id,
    row_of,
)
from connector.drivers.mongo_schema import Books, Doc, interrupted
from connector.ports import Due, PendingStats

_DUPLICATE = 11000
_ROUNDS = 20
_RETRY_S = 15.0

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
    doc: Doc = await books.counters.find_one_and_update(  # type: ignore[assignment]
        {"_id": counter},
        {"$inc": {"value": count}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    return int(doc["value"])


async def claim(
    books: Books, connection: str, context: Context, *, limit: int, now: int, until: int
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
        fence = fence or await take_numbers(books, "fence")
        tried += found
        leased = await _lease(books, found, fence, now, until)
        won += leased
        if leased == len(found) < wanted:
            break
    if not won:
        return []
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


# --- what is due ----------------------------------------------------------------------------------


async def due(books: Books, now: datetime, limit: int) -> list[Due]:
    """Connections and contexts with due, unleased keys, the longest waiting first.

    Answered from an index alone, and from no more of it than what is due.
    """
    moment = to_micros(now)
    rows = await books.pending.aggregate(
        [
            {"$match": {"due_at": {"$lte": moment}, "lease_until": {"$lte": moment}}},
            {
                "$group": {
                    "_id": {"connection": "$_id.connection", "context": "$_id.context"},
                    "count": {"$sum": 1},
                    "oldest": {"$min": "$due_at"},
                }
            },
            {"$sort": {"oldest": 1, "_id": 1}},
            {"$limit": limit},
        ],
        hint="due",
    )
    return [
        Due(
            doc["_id"]["connection"],
            Context(doc["_id"]["context"]),
            doc["count"],
            from_micros(doc["oldest"]),
        )
        async for doc in rows
    ]


async def next_due(books: Books, now: datetime) -> datetime | None:
    """The next moment at which a key becomes due, or its lease runs out."""
    moment = to_micros(now)
    free = await books.pending.find_one(
        {"due_at": {"$gt": moment}, "lease_until": {"$lte": moment}},
        {"due_at": 1},
        sort=[("due_at", 1)],
        hint="due",
    )
    leased = await books.pending.aggregate(
        [
            {"$match": {"lease_until": {"$gt": moment}}},
            {"$group": {"_id": None, "at": {"$min": {"$max": ["$due_at", "$lease_until"]}}}},
        ],
        hint="lease",
    )
    moments = [doc["at"] async for doc in leased]
    if free is not None:
        moments.append(free["due_at"])
    return from_micros(min(moments)) if moments else None


async def pending(
    books: Books,
    connection: str,
    context: Context,
    *,
    parked: bool,
    after: str,
    limit: int,
    now: datetime,
) -> list[PendingRow]:
    """Rows of the pending set by key."""
    which = {"_id.connection": connection, "_id.context": context.value, "_id.key": {"$gt": after}}
    if parked:
        rows = books.pending.find({**which, "parked": PARKED}, hint="parked")
        rows = rows.sort([("_id.connection", 1), ("_id.context", 1), ("_id.key", 1)])
    else:
        rows = books.pending.find(
            {"_id": _behind(connection, context, after), "parked": {"$ne": PARKED}}, hint="_id_"
        )
        rows = rows.sort("_id", 1)
    return [row_of(doc).shown(now) async for doc in rows.limit(limit)]


def _behind(connection: str, context: Context, key: str) -> Doc:
    """All ids of a connection's context behind a key: documents compare field by field."""
    about = {"connection": connection, "context": context.value}
    return {"$gt": {**about, "key": key}, "$lt": {**about, "key": MaxKey()}}


_STATE: Doc = {
    "$switch": {
        "branches": [
            {"case": {"$gt": ["$lease_until", "$$now"]}, "then": "leased"},
            {"case": {"$eq": ["$parked", PARKED]}, "then": "parked"},
            {"case": {"$lte": ["$due_at", "$$now"]}, "then": "due"},
        ],
        "default": "waiting",
    }
}


async def pending_stats(books: Books, now: datetime) -> list[PendingStats]:
    """Counts per connection and context; a row is counted once, leased first, then parked."""
    rows = await books.pending.aggregate(
        [
            {
                "$group": {
                    "_id": {
                        "connection": "$_id.connection",
                        "context": "$_id.context",
                        "state": _STATE,
                    },
                    "count": {"$sum": 1},
                    "oldest": {"$min": "$due_at"},
                }
            }
        ],
        let={"now": to_micros(now)},
    )
    return _stats([doc async for doc in rows])


def _stats(rows: Iterable[Doc]) -> list[PendingStats]:
    counts: dict[tuple[str, Context], dict[str, Any]] = {}
    for doc in rows:
        about = doc["_id"]
        told = counts.setdefault((about["connection"], Context(about["context"])), {})
        told[about["state"]] = doc["count"]
        if about["state"] == "due":
            told["oldest_due"] = from_micros(doc["oldest"])
    return [
        PendingStats(
            connection,
            context,
            due=told.get("due", 0),
            waiting=told.get("waiting", 0),
            parked=told.get("parked", 0),
            leased=told.get("leased", 0),
            oldest_due=told.get("oldest_due"),
        )
        for (connection, context), told in sorted(counts.items())
    ]
