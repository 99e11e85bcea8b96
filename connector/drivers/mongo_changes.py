"""What a unit of writes comes to, collection by collection: decisions without a database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo import DeleteMany, DeleteOne, InsertOne, ReplaceOne, UpdateOne

from connector.domain.entries import Entry
from connector.domain.pending import Mark
from connector.drivers.memory_rows import Row
from connector.drivers.mongo_rows import (
    document_doc,
    document_id,
    fact_doc,
    marked_id,
    row_doc,
    row_id,
)
from connector.drivers.mongo_schema import Doc
from connector.ports import (
    Conflict,
    Document,
    Drop,
    EraseFacts,
    Fact,
    Hold,
    LeaseLost,
    Put,
    Settle,
    Write,
)

Statement = InsertOne[Doc] | UpdateOne | ReplaceOne[Doc] | DeleteOne | DeleteMany
RowKey = tuple[str, str, str]


@dataclass(slots=True)
class Unit:
    """A unit's writes by where they go, each in the unit's order."""

    rows: list[Mark | Settle] = field(default_factory=list)
    documents: list[Put | Drop] = field(default_factory=list)
    facts: list[Fact | EraseFacts] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    @classmethod
    def of(cls, writes: Iterable[Write]) -> Unit:
        """Sort writes."""
        unit = cls()
        places: dict[type, list[Any]] = {
            Mark: unit.rows,
            Settle: unit.rows,
            Put: unit.documents,
            Drop: unit.documents,
            Fact: unit.facts,
            EraseFacts: unit.facts,
            Hold: unit.holds,
            Entry: unit.entries,
        }
        for write in writes:
            places[type(write)].append(write)
        return unit

    @property
    def is_one_document(self) -> bool:
        """Whether it changes one document and nothing else: that needs no transaction."""
        return len(self.documents) == 1 and not (
            self.rows or self.facts or self.holds or self.entries
        )


# --- the pending set ------------------------------------------------------------------------------


def touched_rows(writes: Sequence[Mark | Settle]) -> list[Doc]:
    """The ids of the rows that are written, each once."""
    return list({_key(write): _id(write) for write in writes}.values())


def change_rows(
    writes: Sequence[Mark | Settle], found: Iterable[Row], now: datetime
) -> list[Statement]:
    """What makes of the rows that were found what the writes say.

    Raises:
        LeaseLost: a claim's fence is not its row's.
    """
    before = {(row.connection, row.context.value, row.key) for row in found}
    rows: dict[RowKey, Row | None] = {
        (row.connection, row.context.value, row.key): row for row in found
    }
    for write in writes:
        rows[_key(write)] = _written(rows.get(_key(write)), write, now)
    statements: list[Statement] = []
    for key, row in rows.items():
        if row is not None:
            doc = row_doc(row)
            known = key in before
            statements.append(ReplaceOne({"_id": doc["_id"]}, doc) if known else InsertOne(doc))
        elif key in before:
            connection, context, name = key
            about = {"connection": connection, "context": context, "key": name}
            statements.append(DeleteOne({"_id": about}))
    return statements


def _written(row: Row | None, write: Mark | Settle, now: datetime) -> Row | None:
    if isinstance(write, Mark):
        if row is None:
            return Row.of(write, now)
        row.mark(write, now)
        return row
    claim = write.claim
    if row is None or row.lease_until is None or row.fence != claim.fence:
        raise LeaseLost(f"{claim.context} {claim.key}: the lease ran out")
    return row if row.settle(claim, write.settlement, now) else None


def _key(write: Mark | Settle) -> RowKey:
    about = write if isinstance(write, Mark) else write.claim
    return about.connection, about.context.value, about.key


def _id(write: Mark | Settle) -> Doc:
    if isinstance(write, Mark):
        return marked_id(write)
    return row_id(write.claim.connection, write.claim.context, write.claim.key)


# --- documents ------------------------------------------------------------------------------------


@dataclass(slots=True)
class DocumentChange:
    """What one unit makes of one document.

    ``expected`` is the version it must have (0: none may be there), None where any will do.
    """

    id: Doc
    expected: int | None
    final: Document | None
    version: int = 0

    @property
    def statements(self) -> list[Statement]:
        """The statements, in order."""
        which: Doc = {"_id": self.id}
        if self.expected is None:
            return [
                DeleteOne(which)
                if self.final is None
                else ReplaceOne(which, document_doc(self.final, self.version), upsert=True)
            ]
        if self.expected == 0:
            if self.final is not None:
                return [InsertOne(document_doc(self.final, self.version))]
            return [InsertOne(dict(which)), DeleteOne(which)]  # made and dropped: it must be new
        which["version"] = self.expected
        if self.final is None:
            return [DeleteOne(which)]
        doc = document_doc(self.final, self.version)
        del doc["_id"]
        return [UpdateOne(which, {"$set": doc})]

    @property
    def hits(self) -> int | None:
        """How many documents its statements find if its version is as expected; None: any."""
        if self.expected is None:
            return None
        return int(self.expected > 0 or self.final is None)


def change_documents(writes: Sequence[Put | Drop]) -> list[DocumentChange]:
    """What a unit makes of each document.

    Raises:
        Conflict: the unit itself disagrees about a version.
    """
    changes: dict[tuple[str, str, str], DocumentChange] = {}
    for write in writes:
        about = write.document if isinstance(write, Put) else write
        key = (about.kind, about.connection, about.key)
        change = changes.get(key)
        if isinstance(write, Drop):
            if change is None:
                changes[key] = DocumentChange(document_id(*key), None, None)
            else:
                change.final, change.version = None, 0
            continue
        version = write.document.version
        if change is None:
            change = changes[key] = DocumentChange(document_id(*key), version, None, version)
        elif change.version != version:
            raise Conflict(f"{about.kind} {about.key}: version {version} is not current")
        change.final, change.version = write.document, version + 1
    return list(changes.values())


# --- facts and holds ------------------------------------------------------------------------------


@dataclass(slots=True)
class Subject:
    """The facts of one subject as they are stored: their ids, and the highest seq ever given."""

    ids: set[str] = field(default_factory=set)
    top: int = 0


def change_facts(
    writes: Sequence[Fact | EraseFacts], subjects: dict[tuple[str, str], Subject]
) -> list[Statement]:
    """The statements that save new facts and erase old ones, in order.

    Where facts are erased, the highest seq stays taken: whoever saw facts up to it must not take
    later ones for seen.
    """
    statements: list[Statement] = []
    for write in writes:
        subject = subjects.setdefault((write.connection, write.subject), Subject())
        if isinstance(write, Fact):
            if write.id not in subject.ids:
                subject.ids.add(write.id)
                subject.top += 1
                statements.append(InsertOne(fact_doc(write, subject.top)))
        elif subject.ids:
            about = {"_id.connection": write.connection, "_id.subject": write.subject}
            place = {"connection": write.connection, "subject": write.subject, "seq": subject.top}
            statements += [DeleteMany({**about, "id": {"$exists": True}})]
            statements += [ReplaceOne({"_id": place}, {"_id": place}, upsert=True)]
            subject.ids.clear()
    return statements


def change_holds(writes: Sequence[Hold]) -> list[Statement]:
    """The statements that hold units or let go of them."""
    statements: list[Statement] = []
    for hold in writes:
        about = {
            "account": hold.account,
            "sku": hold.sku,
            "connection": hold.connection,
            "order": hold.order,
        }
        doc = {"_id": about, "quantity": hold.quantity}
        if hold.quantity:
            statements.append(ReplaceOne({"_id": about}, doc, upsert=True))
        else:
            statements.append(DeleteOne({"_id": about}))
    return statements
