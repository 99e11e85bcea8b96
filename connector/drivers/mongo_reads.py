"""What is asked of documents, facts, holds and the log in MongoDB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bson.max_key import MaxKey

from connector.domain.entries import Entry
from connector.drivers.micros import to_micros
from connector.drivers.mongo_rows import document_id, document_of, entry_of, fact_of, facts_about
from connector.drivers.mongo_schema import Books, Doc
from connector.ports import Document, EntryQuery, Fact

_FORGET_AT_ONCE = 5000


async def get(books: Books, kind: str, connection: str, keys: Sequence[str]) -> dict[str, Document]:
    """The documents that exist, by key."""
    which = {"_id": {"$in": [document_id(kind, connection, key) for key in keys]}}
    rows = books.documents.find(which, batch_size=len(keys) + 1)
    return {doc["_id"]["key"]: document_of(doc) async for doc in rows}


async def scan(
    books: Books,
    kind: str,
    connection: str | None,
    *,
    state: str | None,
    after: str,
    limit: int,
) -> list[Document]:
    """Documents by (connection, key): documents that are ids compare field by field."""
    if connection is not None:
        about = {"kind": kind, "connection": connection}
        which: Doc = {"_id": {"$lt": {**about, "key": MaxKey()}}}
        which["_id"]["$gt" if after else "$gte"] = {**about, "key": after}
    else:
        last_connection, _, last_key = after.partition("/")
        which = {"_id": {"$lt": {"kind": kind, "connection": MaxKey()}}}
        start = {"kind": kind, "connection": last_connection, "key": last_key}
        which["_id"]["$gt" if after else "$gte"] = start
    hint: Any = "_id_"
    order = [("_id", 1)]
    if state is not None:
        which["state"] = state
        if connection is not None:
            which |= {"_id.kind": kind, "_id.connection": connection, "_id.key": {"$gte": after}}
            order = [("_id.kind", 1), ("_id.connection", 1), ("state", 1), ("_id.key", 1)]
            hint = "state"
    rows = books.documents.find(which, hint=hint).sort(order).limit(limit)
    return [document_of(doc) async for doc in rows]


async def count(books: Books, kind: str, connection: str) -> dict[str, int]:
    """How many documents there are, by state."""
    rows = await books.documents.aggregate(
        [
            {"$match": {"_id.kind": kind, "_id.connection": connection}},
            {"$group": {"_id": "$state", "count": {"$sum": 1}}},
        ],
        hint="state",
    )
    return {doc["_id"]: doc["count"] async for doc in rows}


async def facts(books: Books, connection: str, subject: str) -> list[Fact]:
    """All facts about a subject in arrival order."""
    rows = books.facts.find(facts_about(connection, subject), hint="_id_").sort("_id", 1)
    return [fact_of(doc) async for doc in rows if "id" in doc]


async def held(books: Books, account: str, skus: Sequence[str]) -> dict[str, int]:
    """Units held per SKU."""
    rows = await books.holds.aggregate(
        [
            {"$match": {"_id.account": account, "_id.sku": {"$in": list(skus)}}},
            {"$group": {"_id": "$_id.sku", "quantity": {"$sum": "$quantity"}}},
        ],
        hint="held",
    )
    return {doc["_id"]: doc["quantity"] async for doc in rows}


async def entries(books: Books, query: EntryQuery) -> list[Entry]:
    """Log entries, newest first."""
    which: Doc = {"connection": query.connection}
    if query.subject:
        which["subject"] = query.subject
    if query.statuses:
        which["status"] = {"$in": [status.value for status in query.statuses]}
    moments: Doc = {}
    if query.since is not None:
        moments["$gte"] = to_micros(query.since)
    if query.until is not None:
        moments["$lt"] = to_micros(query.until)
    if moments:
        which["at"] = moments
    if query.before:
        which["_id"] = {"$lt": query.before}
    rows = books.entries.find(which, hint="subject" if query.subject else "connection")
    return [entry_of(doc) async for doc in rows.sort("_id", -1).limit(query.limit)]


async def forget(books: Books, before: int) -> int:
    """Delete some log entries that are too old; how many, and 0 when none are left."""
    rows = books.entries.find({"at": {"$lt": before}}, {"_id": 1}, hint="at", limit=_FORGET_AT_ONCE)
    ids = [doc["_id"] async for doc in rows]
    if not ids:
        return 0
    return (await books.entries.delete_many({"_id": {"$in": ids}})).deleted_count
