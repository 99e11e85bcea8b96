"""The ledger's values as BSON documents, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bson.max_key import MaxKey

from connector.domain.entries import Direction, Entry, Operation
from connector.domain.entries import Status as EntryStatus
from connector.domain.pending import Claim, Context, Hint, Mark, Priority
from connector.drivers.memory_rows import Row
from connector.drivers.micros import from_micros, to_micros
from connector.drivers.mongo_schema import Doc
from connector.ports import Document, Fact

FREE, PARKED, LET_GO = 0, 1, 2
"""``parked`` of a pending row: as ever; parked; let go by a mark and not answered yet."""

_FLAGS = (("content", 1), ("price", 2), ("stock", 4), ("recheck", 8), ("sold", 16))

# --- the pending set ------------------------------------------------------------------------------
# ``due_at``, ``not_before`` and ``lease_until`` are compared by the server: 0 is none. Of the other
# moments none is a field that is not there, so that ``$min`` sets it.


def row_id(connection: str, context: Context, key: str) -> Doc:
    """What a pending row is found by; the order of its fields counts."""
    return {"connection": connection, "context": context.value, "key": key}


def hint_bits(hint: Hint) -> int:
    """The flags of a hint in one number."""
    return sum(bit for name, bit in _FLAGS if getattr(hint, name))


def hint_of(doc: Mapping[str, Any]) -> Hint:
    """The hint of a pending row."""
    bits = doc["hint"]
    flags = {name: bool(bits & bit) for name, bit in _FLAGS}
    return Hint(**flags, active=doc.get("active"), removed=doc.get("removed"))


def row_doc(row: Row) -> Doc:
    """A pending row as stored."""
    optional = {
        "marked_at": _micros(row.marked_at),
        "later_at": _micros(row.later_at),
        "failing_since": _micros(row.failing_since),
        "active": row.hint.active,
        "removed": row.hint.removed,
    }
    return {
        "_id": row_id(row.connection, row.context, row.key),
        "due_at": to_micros(row.due_at),
        "priority": row.priority.value,
        "not_before": _micros(row.not_before) or 0,
        "parked": PARKED if row.parked else LET_GO if row.let_go else FREE,
        "marks": row.marks,
        "hint": hint_bits(row.hint),
        "attempts": row.attempts,
        "reasons": list(row.reasons),
        "lease_until": _micros(row.lease_until) or 0,
        "fence": row.fence,
        **{name: value for name, value in optional.items() if value is not None},
    }


def row_of(doc: Mapping[str, Any]) -> Row:
    """A stored pending row."""
    about = doc["_id"]
    return Row(
        connection=about["connection"],
        context=Context(about["context"]),
        key=about["key"],
        due_at=from_micros(doc["due_at"]),
        priority=Priority(doc["priority"]),
        marked_at=_moment(doc.get("marked_at")),
        hint=hint_of(doc),
        marks=doc["marks"],
        not_before=_moment(doc["not_before"]),
        later_at=_moment(doc.get("later_at")),
        attempts=doc["attempts"],
        failing_since=_moment(doc.get("failing_since")),
        parked=doc["parked"] == PARKED,
        let_go=doc["parked"] == LET_GO,
        reasons=tuple(doc["reasons"]),
        lease_until=_moment(doc["lease_until"]),
        fence=doc["fence"],
    )


def claim_of(doc: Mapping[str, Any]) -> Claim:
    """The claim of a row that was just leased."""
    about = doc["_id"]
    return Claim(
        connection=about["connection"],
        context=Context(about["context"]),
        key=about["key"],
        fence=doc["fence"],
        marks=doc["marks"],
        priority=Priority(doc["priority"]),
        hint=hint_of(doc),
        attempts=doc["attempts"],
        marked_at=from_micros(doc.get("marked_at", doc["due_at"])),
        failing_since=_moment(doc.get("failing_since")),
        parked=doc["parked"] != FREE,
    )


def marked_id(mark: Mark) -> Doc:
    """What the row that a mark is about is found by."""
    return row_id(mark.connection, mark.context, mark.key)


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def _moment(micros: int | None) -> datetime | None:
    return from_micros(micros) if micros else None


# --- books ----------------------------------------------------------------------------------------


def document_id(kind: str, connection: str, key: str) -> Doc:
    """What a document is found by; the order of its fields counts."""
    return {"kind": kind, "connection": connection, "key": key}


def document_doc(document: Document, version: int) -> Doc:
    """A document as stored, at a version."""
    return {
        "_id": document_id(document.kind, document.connection, document.key),
        "state": document.state,
        "version": version,
        "body": document.body,
    }


def document_of(doc: Mapping[str, Any]) -> Document:
    """A stored document."""
    about = doc["_id"]
    return Document(
        about["kind"], about["connection"], about["key"], doc["body"], doc["state"], doc["version"]
    )


def facts_about(connection: str, subject: str) -> Doc:
    """Which ids the facts of a subject have: documents compare field by field."""
    about = {"connection": connection, "subject": subject}
    return {"_id": {"$gte": {**about, "seq": 0}, "$lt": {**about, "seq": MaxKey()}}}


def fact_doc(fact: Fact, seq: int) -> Doc:
    """A fact as stored."""
    return {
        "_id": {"connection": fact.connection, "subject": fact.subject, "seq": seq},
        "id": fact.id,
        "kind": fact.kind,
        "body": fact.body,
        "at": to_micros(fact.at),
    }


def fact_of(doc: Mapping[str, Any]) -> Fact:
    """A stored fact."""
    about = doc["_id"]
    return Fact(
        about["connection"],
        about["subject"],
        doc["kind"],
        doc["id"],
        doc["body"],
        from_micros(doc["at"]),
        about["seq"],
    )


def entry_doc(entry: Entry, number: int, written: datetime) -> Doc:
    """A log entry as stored. ``written`` is a date of the database's own: its long stop."""
    return {
        "_id": number,
        "written": written,
        "connection": entry.connection,
        "at": to_micros(entry.at),
        "subject": entry.subject,
        "operation": entry.operation.value,
        "direction": entry.direction.value,
        "status": entry.status.value,
        "message": entry.message,
        "code": entry.code,
        "source": entry.source,
        "translated": entry.translated,
        "destination": entry.destination,
    }


def entry_of(doc: Mapping[str, Any]) -> Entry:
    """A stored log entry."""
    return Entry(
        connection=doc["connection"],
        at=from_micros(doc["at"]),
        subject=doc["subject"],
        operation=Operation(doc["operation"]),
        direction=Direction(doc["direction"]),
        status=EntryStatus(doc["status"]),
        message=doc["message"],
        code=doc["code"],
        source=doc["source"],
        translated=doc["translated"],
        destination=doc["destination"],
        id=doc["_id"],
    )
