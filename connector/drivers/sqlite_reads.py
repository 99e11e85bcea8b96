"""What the reader threads ask; each function is one or few statements on a connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from connector.domain.entries import Direction, Entry, Operation
from connector.domain.entries import Status as EntryStatus
from connector.domain.pending import Context, PendingRow, Priority
from connector.drivers.micros import from_micros, to_micros
from connector.ports import Document, Due, EntryQuery, Fact, PendingStats

_AT_ONCE = 64
_DOCUMENT = "SELECT kind, connection, key, body, state, version FROM documents"


def due(db: sqlite3.Connection, now: datetime, limit: int) -> list[Due]:
    """Connections and contexts with due, unleased keys; the longest waiting first."""
    moment = to_micros(now)
    rows = db.execute(
        """
        SELECT connection, context, count(*), min(due_at) AS oldest FROM pending
        WHERE due_at <= ? AND (lease_until IS NULL OR lease_until <= ?)
        GROUP BY connection, context ORDER BY oldest, connection, context LIMIT ?
        """,
        (moment, moment, limit),
    )
    return [
        Due(connection, Context(context), count, from_micros(oldest))
        for connection, context, count, oldest in rows
    ]


def next_due(db: sqlite3.Connection, now: datetime) -> datetime | None:
    """The next moment at which a key becomes due, or its lease runs out."""
    moment = to_micros(now)
    free = db.execute(
        """
        SELECT due_at FROM pending
        WHERE due_at > ? AND (lease_until IS NULL OR lease_until <= ?) ORDER BY due_at LIMIT 1
        """,
        (moment, moment),
    ).fetchone()
    leased = db.execute(
        """
        SELECT max(due_at, lease_until) AS moment FROM pending
        WHERE lease_until IS NOT NULL AND lease_until > ? ORDER BY moment LIMIT 1
        """,
        (moment,),
    ).fetchone()
    moments = [row[0] for row in (free, leased) if row is not None]
    return from_micros(min(moments)) if moments else None


def pending(
    db: sqlite3.Connection,
    connection: str,
    context: Context,
    *,
    parked: bool,
    after: str,
    limit: int,
    now: datetime,
) -> list[PendingRow]:
    """Rows of the pending set by key."""
    which = "parked = 1" if parked else "parked <> 1"
    rows = db.execute(
        f"""
        SELECT key, due_at, priority, attempts, coalesce(marked_at, due_at), parked, reasons,
            lease_until IS NOT NULL AND lease_until > ?
        FROM pending WHERE connection = ? AND context = ? AND {which} AND key > ?
        ORDER BY key LIMIT ?
        """,  # noqa: S608 - one of two constants
        (to_micros(now), connection, context.value, after, limit),
    )
    return [
        PendingRow(
            connection=connection,
            context=context,
            key=key,
            due_at=from_micros(due_at),
            priority=Priority(priority),
            attempts=attempts,
            marked_at=from_micros(marked_at),
            parked=state == 1,
            reasons=tuple(json.loads(reasons)),
            leased=bool(leased),
        )
        for key, due_at, priority, attempts, marked_at, state, reasons, leased in rows
    ]


def pending_stats(db: sqlite3.Connection, now: datetime) -> list[PendingStats]:
    """Counts per connection and context; a row is counted once, leased first, then parked."""
    rows = db.execute(
        """
        SELECT connection, context, sum(state = 'due'), sum(state = 'waiting'),
            sum(state = 'parked'), sum(state = 'leased'), min(iif(state = 'due', due_at, NULL))
        FROM (
            SELECT connection, context, due_at, CASE
                WHEN lease_until > ?1 THEN 'leased'
                WHEN parked = 1 THEN 'parked'
                WHEN due_at <= ?1 THEN 'due'
                ELSE 'waiting' END AS state
            FROM pending)
        GROUP BY connection, context ORDER BY connection, context
        """,
        (to_micros(now),),
    )
    return [
        PendingStats(
            connection=connection,
            context=Context(context),
            due=due_count,
            waiting=waiting,
            parked=parked,
            leased=leased,
            oldest_due=None if oldest is None else from_micros(oldest),
        )
        for connection, context, due_count, waiting, parked, leased, oldest in rows
    ]


def get(
    db: sqlite3.Connection, kind: str, connection: str, keys: Sequence[str]
) -> dict[str, Document]:
    """The documents that exist, by key."""
    found: dict[str, Document] = {}
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        rows = db.execute(
            f"{_DOCUMENT} WHERE kind = ? AND connection = ?"
            f" AND key IN ({','.join('?' * len(some))})",
            (kind, connection, *some),
        )
        found.update({row[2]: Document(*row) for row in rows})
    return found


def scan(
    db: sqlite3.Connection,
    kind: str,
    connection: str | None,
    *,
    state: str | None,
    after: str,
    limit: int,
) -> list[Document]:
    """Documents by (connection, key)."""
    where, values = ["kind = ?"], [kind]
    if connection is not None:
        where.append("connection = ? AND key > ?")
        values += [connection, after]
    elif after:
        last_connection, _, last_key = after.partition("/")
        where.append("(connection, key) > (?, ?)")
        values += [last_connection, last_key]
    if state is not None:
        where.append("state = ?")
        values.append(state)
    rows = db.execute(
        f"{_DOCUMENT} WHERE {' AND '.join(where)} ORDER BY connection, key LIMIT ?",
        (*values, limit),
    )
    return [Document(*row) for row in rows]


def count(db: sqlite3.Connection, kind: str, connection: str) -> dict[str, int]:
    """How many documents there are, by state."""
    return dict(
        db.execute(
            "SELECT state, count(*) FROM documents WHERE kind = ? AND connection = ?"
            " GROUP BY state",
            (kind, connection),
        ).fetchall()
    )


def facts(db: sqlite3.Connection, connection: str, subject: str) -> list[Fact]:
    """All facts about a subject in arrival order."""
    rows = db.execute(
        "SELECT connection, subject, kind, id, body, at, seq FROM facts"
        " WHERE connection = ? AND subject = ? ORDER BY seq",
        (connection, subject),
    )
    return [
        Fact(owner, about, kind, key, body, from_micros(at), seq)
        for owner, about, kind, key, body, at, seq in rows
    ]


def held(db: sqlite3.Connection, account: str, skus: Sequence[str]) -> dict[str, int]:
    """Units held per SKU."""
    found: dict[str, int] = {}
    for start in range(0, len(skus), _AT_ONCE):
        some = skus[start : start + _AT_ONCE]
        found.update(
            db.execute(
                "SELECT sku, sum(quantity) FROM holds WHERE account = ?"  # noqa: S608
                f" AND sku IN ({','.join('?' * len(some))}) GROUP BY sku",
                (account, *some),
            ).fetchall()
        )
    return found


def entries(db: sqlite3.Connection, query: EntryQuery) -> list[Entry]:
    """Log entries, newest first."""
    where, values = ["connection = ?"], [query.connection]
    numbers: list[tuple[str, int]] = []
    if query.subject:
        where.append("subject = ?")
        values.append(query.subject)
    if query.statuses:
        where.append(f"status IN ({','.join('?' * len(query.statuses))})")
        values += [status.value for status in query.statuses]
    if query.since is not None:
        numbers.append(("at >= ?", to_micros(query.since)))
    if query.until is not None:
        numbers.append(("at < ?", to_micros(query.until)))
    if query.before:
        numbers.append(("id < ?", query.before))
    where += [condition for condition, _ in numbers]
    rows = db.execute(
        "SELECT connection, at, subject, operation, direction, status, message, code, source,"  # noqa: S608
        " translated, destination, id FROM entries"
        f" WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?",
        (*values, *(value for _, value in numbers), query.limit),
    )
    return [
        Entry(
            connection=row[0],
            at=from_micros(row[1]),
            subject=row[2],
            operation=Operation(row[3]),
            direction=Direction(row[4]),
            status=EntryStatus(row[5]),
            message=row[6],
            code=row[7],
            source=row[8],
            translated=row[9],
            destination=row[10],
            id=row[11],
        )
        for row in rows
    ]
