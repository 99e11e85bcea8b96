"""What of the pending set in MongoDB is due, and how much there is of everything.

What is asked all the time is answered from indexes, and from no more of them than is due. Where
even that is much, what is known of it at both ends will do for a while.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from bson.max_key import MaxKey

from connector.domain.pending import Context, PendingRow
from connector.drivers.micros import from_micros, to_micros
from connector.drivers.mongo_rows import PARKED, row_of
from connector.drivers.mongo_schema import Books, Doc
from connector.ports import Due, PendingStats

MOST_KEYS = 500
_NOTEWORTHY_S = 0.01


class Seldom:
    """When to ask something again that costs the server much: it gets a part of the time."""

    def __init__(self, *, one_in: int = 20) -> None:
        self._share = one_in
        self._again = 0.0
        self._began = 0.0

    def begin(self) -> bool:
        """Whether it is time; if so, it begins now."""
        self._began = time.monotonic()
        return self._began >= self._again

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Ask it in this block; what was quick may be asked again at once.

        What failed is tried sooner, as the server may just have been away, but not all the time:
        it may also be too much for it.
        """
        share = 1
        try:
            yield
            share = self._share
        finally:
            now = time.monotonic()
            took = now - self._began
            self._again = now + share * took if took > _NOTEWORTHY_S else 0.0


async def due_at_an_end(
    books: Books, now: datetime, *, newest: bool = False, most: int = MOST_KEYS
) -> tuple[list[Due], bool]:
    """Who has due, unleased keys among the ``most`` that are due longest, or shortest; and whether
    those were all.
    """
    moment = to_micros(now)
    rows = await books.pending.aggregate(
        [
            {"$match": {"due_at": {"$lte": moment}, "lease_until": {"$lte": moment}}},
            {"$sort": {"due_at": -1 if newest else 1}},
            {"$limit": most},
            {
                "$group": {
                    "_id": {"connection": "$_id.connection", "context": "$_id.context"},
                    "count": {"$sum": 1},
                    "oldest": {"$min": "$due_at"},
                }
            },
        ],
        hint="due",
    )
    found = [
        Due(
            doc["_id"]["connection"],
            Context(doc["_id"]["context"]),
            doc["count"],
            from_micros(doc["oldest"]),
        )
        async for doc in rows
    ]
    return found, sum(one.count for one in found) < most


def longest_waiting(found: Iterable[Due], limit: int) -> list[Due]:
    """Each connection and context once, the longest waiting first."""
    by_place: dict[tuple[str, Context], Due] = {}
    for one in found:
        place = one.connection, one.context
        known = by_place.get(place)
        if known is None or (one.oldest, -one.count) < (known.oldest, -known.count):
            by_place[place] = one
    every = sorted(by_place.values(), key=lambda one: (one.oldest, one.connection, one.context))
    return every[:limit]


async def next_due(books: Books, now: datetime) -> datetime | None:
    """The next moment at which a key becomes due, or its lease runs out."""
    moment = to_micros(now)
    free = await books.pending.find_one(
        {"due_at": {"$gt": moment}, "lease_until": {"$lte": moment}},
        {"due_at": 1},
        sort=[("due_at", 1)],
        hint="due",
    )
    # Whoever was claimed was due: it is again when the lease runs out.
    leased = await books.pending.find_one(
        {"lease_until": {"$gt": moment}},
        {"lease_until": 1},
        sort=[("lease_until", 1)],
        hint="lease",
    )
    moments = [doc["due_at"] for doc in (free,) if doc]
    moments += [doc["lease_until"] for doc in (leased,) if doc]
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
