"""What the writer thread does: groups of all-or-nothing units in one transaction each."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from connector.domain.entries import Entry
from connector.domain.pending import Mark
from connector.drivers.micros import to_micros
from connector.drivers.sqlite_pending import settle, write_mark, write_marks
from connector.ports import (
    Conflict,
    Drop,
    EraseFacts,
    Fact,
    Hold,
    LeaseLost,
    Put,
    Settle,
    Write,
)

Call = Callable[[sqlite3.Connection, int], object]
Job = Sequence[Write] | Call
"""A unit of writes, or something that is done in its place (claims, renewals)."""

_PLAIN = frozenset({Mark, Fact, Entry, Hold})
"""Writes that always succeed: units of these alone need no savepoint."""

# --- groups -------------------------------------------------------------------------------------


def write_group(db: sqlite3.Connection, jobs: Sequence[Job], now: int) -> list[object]:
    """Do all jobs in one durable transaction; the results, or what each was refused with."""
    db.execute("BEGIN IMMEDIATE")
    try:
        results: list[object] = [None] * len(jobs)
        plain: list[Any] = []
        others: list[tuple[int, Job]] = []
        for index, job in enumerate(jobs):
            if _is_plain(job):
                plain.append(job)
            else:
                others.append((index, job))
        _write_plain(db, plain, now)
        for index, job in others:
            results[index] = job(db, now) if callable(job) else _write_unit(db, job, now)
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
    return results


def _is_plain(job: Job) -> bool:
    if callable(job):
        return False
    for write in job:  # noqa: SIM110 - a generator costs more than what it looks at
        if type(write) not in _PLAIN:
            return False
    return True


def _write_plain(db: sqlite3.Connection, units: Sequence[Any], now: int) -> None:
    """Write units that cannot be refused, all marks of them in few statements."""
    marks: list[Mark] = []
    for unit in units:
        for write in unit:
            if type(write) is Mark:
                marks.append(write)
            else:
                _WRITERS[type(write)](db, write, now)
    write_marks(db, marks, now)


def _write_unit(
    db: sqlite3.Connection, unit: Sequence[Write], now: int
) -> Conflict | LeaseLost | None:
    db.execute("SAVEPOINT unit")
    try:
        for write in unit:
            _WRITERS[type(write)](db, write, now)
    except (Conflict, LeaseLost) as refusal:
        db.execute("ROLLBACK TO unit")
        db.execute("RELEASE unit")
        return refusal
    db.execute("RELEASE unit")
    return None


# --- documents, facts, holds, entries -----------------------------------------------------------


def _put(db: sqlite3.Connection, write: Put, _now: int) -> None:
    document = write.document
    where = (document.kind, document.connection, document.key)
    if document.version == 0:
        changed = db.execute(
            "INSERT INTO documents (kind, connection, key, state, version, body)"
            " VALUES (?,?,?,?,1,?) ON CONFLICT DO NOTHING",
            (*where, document.state, document.body),
        ).rowcount
    else:
        changed = db.execute(
            "UPDATE documents SET state = ?, body = ?, version = version + 1"
            " WHERE kind = ? AND connection = ? AND key = ? AND version = ?",
            (document.state, document.body, *where, document.version),
        ).rowcount
    if not changed:
        raise Conflict(f"{document.kind} {document.key}: version {document.version} is not current")


def _drop(db: sqlite3.Connection, write: Drop, _now: int) -> None:
    db.execute(
        "DELETE FROM documents WHERE kind = ? AND connection = ? AND key = ?",
        (write.kind, write.connection, write.key),
    )


def _fact(db: sqlite3.Connection, fact: Fact, _now: int) -> None:
    db.execute(
        "INSERT INTO facts (connection, subject, kind, id, body, at) VALUES (?,?,?,?,?,?)"
        " ON CONFLICT DO NOTHING",
        (fact.connection, fact.subject, fact.kind, fact.id, fact.body, to_micros(fact.at)),
    )


def _erase_facts(db: sqlite3.Connection, write: EraseFacts, _now: int) -> None:
    db.execute(
        "DELETE FROM facts WHERE connection = ? AND subject = ?", (write.connection, write.subject)
    )


def _hold(db: sqlite3.Connection, hold: Hold, _now: int) -> None:
    where = (hold.account, hold.sku, hold.connection, hold.order)
    if hold.quantity == 0:
        db.execute(
            "DELETE FROM holds WHERE account = ? AND sku = ? AND connection = ? AND order_key = ?",
            where,
        )
    else:
        db.execute("INSERT OR REPLACE INTO holds VALUES (?,?,?,?,?)", (*where, hold.quantity))


def _entry(db: sqlite3.Connection, entry: Entry, _now: int) -> None:
    db.execute(
        "INSERT INTO entries (connection, at, subject, operation, direction, status, message,"
        " code, source, translated, destination) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        (
            entry.connection,
            to_micros(entry.at),
            entry.subject,
            entry.operation.value,
            entry.direction.value,
            entry.status.value,
            entry.message,
            entry.code,
            entry.source,
            entry.translated,
            entry.destination,
        ),
    )


_WRITERS: dict[type, Callable[[sqlite3.Connection, Any, int], None]] = {
    Put: _put,
    Drop: _drop,
    Settle: settle,
    Fact: _fact,
    Hold: _hold,
    Mark: write_mark,
    Entry: _entry,
    EraseFacts: _erase_facts,
}
