"""A ledger in a SQLite file that is about to be moved: locked, and read as MongoDB keeps it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connector.drivers.mongo_schema import Doc
from connector.drivers.sqlite_schema import MIGRATIONS, path_of
from connector.ports import StoreUnavailable

_LOCK_MS = 1000
_FLAGS = (1, 2, 4, 8, 16)

Row = tuple[Any, ...]


def lock(url: str) -> sqlite3.Connection:
    """Open a ledger for nobody else to use until it is closed.

    Raises:
        ValueError: ``url`` is no SQLite URL, or there is no such file.
        StoreUnavailable: somebody uses it, or it is not of this hub's version.
    """
    path = path_of(url)
    if not path.exists():
        raise ValueError(f"there is no {path}")
    return _locked(path)


def _locked(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute(f"PRAGMA busy_timeout={_LOCK_MS}")
        # Before anything else: then SQLite wants the file for itself, and says so if it is not.
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        (version,) = db.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        db.close()
        raise StoreUnavailable(
            f"{path} cannot be had alone ({error}): stop every hub that uses it"
        ) from error
    if version != len(MIGRATIONS):
        db.close()
        raise StoreUnavailable(
            f"{path} is of version {version} of the ledger, this hub's is {len(MIGRATIONS)}:"
            " start the hub on it once"
        )
    return db


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that go to one collection, in the order of their key.

    ``keys`` are the columns of that key; ``columns`` all that is read, those of the key first.
    """

    name: str
    collection: str
    keys: tuple[str, ...]
    source: str
    columns: str
    to_doc: Callable[[Row], Doc]

    def page(self, db: sqlite3.Connection, after: list[Any] | None, limit: int) -> list[Row]:
        """Some rows behind a key."""
        key = ", ".join(self.keys)
        where, values = "", []
        if after is not None:
            where = f"WHERE ({key}) > ({', '.join('?' * len(self.keys))})"
            values = after
        sql = f"SELECT {self.columns} FROM {self.source} {where} ORDER BY {key} LIMIT ?"  # noqa: S608
        return db.execute(sql, (*values, limit)).fetchall()

    def key_of(self, row: Row) -> list[Any]:
        """The key of a row that was read."""
        return list(row[: len(self.keys)])

    def docs(self, db: sqlite3.Connection) -> Iterator[Doc]:
        """All rows as the target keeps them."""
        columns = db.execute(f"SELECT {self.columns} FROM {self.source}")  # noqa: S608
        return (self.to_doc(row) for row in columns)


def _document(row: Row) -> Doc:
    kind, connection, key, state, version, body = row
    about = {"kind": kind, "connection": connection, "key": key}
    return {"_id": about, "state": state, "version": version, "body": body}


def _fact(row: Row) -> Doc:
    connection, subject, seq, about, kind, body, at = row
    place = {"connection": connection, "subject": subject, "seq": seq}
    return {"_id": place, "id": about, "kind": kind, "body": body, "at": at}


def _erased(row: Row) -> Doc:
    connection, subject, seq = row
    return {"_id": {"connection": connection, "subject": subject, "seq": seq}}


def _hold(row: Row) -> Doc:
    account, sku, connection, order, quantity = row
    about = {"account": account, "sku": sku, "connection": connection, "order": order}
    return {"_id": about, "quantity": quantity}


_PENDING = (
    "due_at, priority, not_before, parked, marks, attempts, reasons, lease_until, fence,"
    " marked_at, later_at, failing_since, content, price, stock, recheck, sold, active, removed"
)


def _pending(row: Row) -> Doc:
    connection, context, key, *told = row
    due_at, priority, not_before, parked, marks, attempts, reasons, lease, fence, *rest = told
    marked_at, later_at, failing_since, *said = rest
    *flags, active, removed = said
    optional = {
        "marked_at": marked_at,
        "later_at": later_at,
        "failing_since": failing_since,
        "active": None if active is None else bool(active),
        "removed": None if removed is None else bool(removed),
    }
    return {
        "_id": {"connection": connection, "context": context, "key": key},
        "due_at": due_at,
        "priority": priority,
        "not_before": not_before or 0,
        "parked": parked,
        "marks": marks,
        "hint": sum(bit for bit, on in zip(_FLAGS, flags, strict=True) if on),
        "attempts": attempts,
        "reasons": json.loads(reasons),
        "lease_until": lease or 0,
        "fence": fence,
        **{name: value for name, value in optional.items() if value is not None},
    }


_ENTRY = (
    "connection",
    "at",
    "subject",
    "operation",
    "direction",
    "status",
    "message",
    "code",
    "source",
    "translated",
    "destination",
)


def _entry(row: Row) -> Doc:
    number, *values = row
    return {"_id": number, "written": datetime.now(UTC), **dict(zip(_ENTRY, values, strict=True))}


# Facts that were erased with their order leave no row, but whoever saw them remembers the highest
# number it saw: it stays taken, as if it had been erased there.
_ORDERS_WITHOUT_FACTS = """
    (SELECT connection, key AS subject,
        (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'facts') AS seq
    FROM documents WHERE kind = 'order' AND NOT EXISTS (
        SELECT 1 FROM facts
        WHERE facts.connection = documents.connection AND facts.subject = documents.key))
"""
_DOCUMENT_KEY = ("kind", "connection", "key")
_FACT_KEY = ("connection", "subject", "seq")
_HOLD_KEY = ("account", "sku", "connection", "order_key")
_PENDING_KEY = ("connection", "context", "key")

PARTS: tuple[Part, ...] = (
    Part(
        "documents",
        "documents",
        _DOCUMENT_KEY,
        "documents",
        "kind, connection, key, state, version, body",
        _document,
    ),
    Part(
        "facts",
        "facts",
        _FACT_KEY,
        "facts",
        "connection, subject, seq, id, kind, body, at",
        _fact,
    ),
    Part(
        "erased facts",
        "facts",
        _FACT_KEY,
        _ORDERS_WITHOUT_FACTS,
        "connection, subject, seq",
        _erased,
    ),
    Part(
        "holds",
        "holds",
        _HOLD_KEY,
        "holds",
        "account, sku, connection, order_key, quantity",
        _hold,
    ),
    Part("log entries", "entries", ("id",), "entries", f"id, {', '.join(_ENTRY)}", _entry),
    # Last: with it there is something to do.
    Part(
        "pending keys",
        "pending",
        _PENDING_KEY,
        "pending",
        f"connection, context, key, {_PENDING}",
        _pending,
    ),
)


def counters(db: sqlite3.Connection) -> dict[str, int]:
    """The numbers that were given out last."""
    (fence,) = db.execute("SELECT value FROM counters WHERE name = 'fence'").fetchone()
    (entries,) = db.execute(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'entries'"
    ).fetchone()
    return {"fence": fence, "entries": entries}
