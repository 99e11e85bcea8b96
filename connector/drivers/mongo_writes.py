"""Units of writes in MongoDB: one transaction each, or one statement where that is enough."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pymongo import InsertOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.results import BulkWriteResult

from connector.drivers.mongo_changes import (
    DocumentChange,
    Statement,
    Subject,
    Unit,
    change_documents,
    change_facts,
    change_holds,
    change_rows,
    touched_rows,
)
from connector.drivers.mongo_pending import take_numbers
from connector.drivers.mongo_rows import entry_doc, facts_about, row_of
from connector.drivers.mongo_schema import Books, Collection, Doc
from connector.ports import Conflict, EraseFacts, Fact, Write

_DUPLICATE = 11000
_TRIES = 20
_SNAPSHOT = ReadConcern("snapshot")


class Raced(Exception):
    """Another process was given the same place at the same moment: do it all again."""


async def write_unit(books: Books, writes: Sequence[Write], now: datetime) -> None:
    """Save all of ``writes`` or none.

    Raises:
        Conflict: a document's version is not the expected one.
        LeaseLost: a claim's fence is not the stored one.
    """
    unit = Unit.of(writes)
    changes = change_documents(unit.documents)
    if unit.is_one_document:
        await _write_documents(books, changes, None)
        return
    last = await take_numbers(books, "entries", len(unit.entries)) if unit.entries else 0

    async def write(session: AsyncClientSession) -> None:
        # The rows first: what their marks wait for is over the sooner.
        await _write_rows(books, unit, now, session)
        await _write_documents(books, changes, session)
        await _write_facts(books, unit.facts, session)
        await _statements(books.holds, change_holds(unit.holds), session)
        await _write_entries(books, unit, last, session)

    async with books.client.start_session() as session:
        for _ in range(_TRIES):
            try:
                await session.with_transaction(write, read_concern=_SNAPSHOT)
            except Raced:
                continue
            return
    raise PyMongoError("others wrote to the same places over and over")


async def _write_rows(books: Books, unit: Unit, now: datetime, session: AsyncClientSession) -> None:
    if not unit.rows:
        return
    which = {"_id": {"$in": touched_rows(unit.rows)}}
    found = [row_of(doc) async for doc in books.pending.find(which, session=session)]
    try:
        await _statements(books.pending, change_rows(unit.rows, found, now), session)
    except BulkWriteError as error:
        raise _raced(error) from error


async def _write_documents(
    books: Books, changes: Sequence[DocumentChange], session: AsyncClientSession | None
) -> None:
    sure = [change for change in changes if change.expected is not None]
    others = [change for change in changes if change.expected is None]
    try:
        result = await _all(books.documents, sure, session)
    except BulkWriteError as error:
        if _is_duplicate(error):
            raise Conflict("a document that was to be new is there already") from error
        raise
    expected = sum(change.hits or 0 for change in sure)
    if result is not None and result.matched_count + result.deleted_count != expected:
        raise Conflict("a document has another version than the one that was read")
    await _all(books.documents, others, session)


async def _all(
    documents: Collection, changes: Sequence[DocumentChange], session: AsyncClientSession | None
) -> BulkWriteResult | None:
    return await _statements(documents, [one for c in changes for one in c.statements], session)


async def _write_facts(
    books: Books, writes: Sequence[Fact | EraseFacts], session: AsyncClientSession
) -> None:
    """Give each new fact the next seq of its subject; of two that want the same one, one repeats
    everything: so seqs grow in the order of commits.
    """
    if not writes:
        return
    about = {(write.connection, write.subject) for write in writes}
    subjects: dict[tuple[str, str], Subject] = {}
    which = {"$or": [facts_about(*each) for each in about]}
    async for doc in books.facts.find(which, {"id": 1}, hint="_id_", session=session):
        place = doc["_id"]
        subject = subjects.setdefault((place["connection"], place["subject"]), Subject())
        subject.top = max(subject.top, place["seq"])
        if "id" in doc:
            subject.ids.add(doc["id"])
    try:
        await _statements(books.facts, change_facts(writes, subjects), session)
    except BulkWriteError as error:
        raise _raced(error) from error


async def _write_entries(books: Books, unit: Unit, last: int, session: AsyncClientSession) -> None:
    first = last - len(unit.entries) + 1
    # The server's own clock decides about the long stop, so no clock that is handed in.
    written = datetime.now(UTC)
    inserts: list[Statement] = [
        InsertOne[Doc](entry_doc(entry, first + n, written)) for n, entry in enumerate(unit.entries)
    ]
    await _statements(books.entries, inserts, session)


async def _statements(
    collection: Collection, statements: Sequence[Statement], session: AsyncClientSession | None
) -> BulkWriteResult | None:
    if not statements:
        return None
    return await collection.bulk_write(list(statements), session=session)


def _raced(error: BulkWriteError) -> Exception:
    return Raced() if _is_duplicate(error) else error


def _is_duplicate(error: BulkWriteError) -> bool:
    return any(one["code"] == _DUPLICATE for one in error.details["writeErrors"])
