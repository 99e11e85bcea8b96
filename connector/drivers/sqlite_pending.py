"""The pending set in SQL: marks, claims and what ends them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from connector.domain.pending import (
    URGENT_PATIENCE,
    Claim,
    Context,
    Failed,
    Finished,
    Hint,
    Mark,
    Parked,
    Priority,
)
from connector.drivers.micros import from_micros, to_micros
from connector.ports import LeaseLost, Settle

PARKED, LET_GO = 1, 2
_ROWS_AT_ONCE = 64

_MARK_ROW = "(?,?,?,?,?,1,?,?,?,?,?,?,?,?)"
_MARK_HEAD = """
    INSERT INTO pending (connection, context, key, due_at, priority, marks, marked_at,
                         content, price, stock, recheck, sold, active, removed)
    VALUES """
_PATIENCE = int(URGENT_PATIENCE.total_seconds() * 1_000_000)
_BACK_OFF = f"""
    CASE WHEN excluded.priority = {int(Priority.URGENT)}
        THEN min(not_before, excluded.due_at + {_PATIENCE}) ELSE not_before END
"""
_ANEW = f"excluded.priority = {int(Priority.URGENT)} AND lease_until IS NULL"
# A sweep does not let a parked key go; anybody else does. A failed key keeps its back-off, but for
# what is urgent.
_MARK_TAIL = f"""
    ON CONFLICT DO UPDATE SET
        due_at = CASE WHEN parked = {PARKED} AND excluded.priority = {int(Priority.SWEEP)}
            THEN due_at
            ELSE max(min(due_at, excluded.due_at), coalesce({_BACK_OFF}, 0)) END,
        not_before = {_BACK_OFF},
        attempts = CASE WHEN {_ANEW} THEN 0 ELSE attempts END,
        failing_since = CASE WHEN {_ANEW} THEN NULL ELSE failing_since END,
        parked = CASE WHEN parked = {PARKED} AND excluded.priority < {int(Priority.SWEEP)}
            THEN {LET_GO} ELSE parked END,
        priority = min(priority, excluded.priority),
        marks = marks + 1,
        marked_at = coalesce(marked_at, excluded.marked_at),
        later_at = coalesce(later_at, excluded.marked_at),
        content = content | excluded.content,
        price = price | excluded.price,
        stock = stock | excluded.stock,
        recheck = recheck | excluded.recheck,
        sold = sold | excluded.sold,
        active = coalesce(excluded.active, active),
        removed = coalesce(excluded.removed, removed)
"""

_OWN = """
    WHERE connection = ? AND context = ? AND key = ? AND fence = ? AND lease_until IS NOT NULL
"""
_FORGET = f"DELETE FROM pending {_OWN} AND marks = ?"  # noqa: S608 - constants only
_FINISH = f"""
    UPDATE pending SET due_at = ?, priority = ?, content = ?, price = ?, stock = ?, recheck = ?,
        sold = ?, active = ?, removed = ?, marked_at = NULL, attempts = 0, failing_since = NULL,
        not_before = NULL, parked = 0, reasons = '[]', lease_until = NULL
    {_OWN} AND marks = ?
"""  # noqa: S608 - constants only
# Somebody marked it while it was being looked at: what was said stays, and it is due at once.
_FINISH_MARKED = f"""
    UPDATE pending SET due_at = min(due_at, coalesce(?, due_at)), content = content | ?,
        price = price | ?, stock = stock | ?, recheck = recheck | ?, sold = sold | ?,
        active = coalesce(active, ?), removed = coalesce(removed, ?), marked_at = later_at,
        attempts = 0, failing_since = NULL, not_before = NULL, parked = 0, reasons = '[]',
        lease_until = NULL
    {_OWN}
"""  # noqa: S608 - constants only
_FAIL = f"""
    UPDATE pending SET due_at = ?1, not_before = ?1, reasons = ?2, attempts = attempts + ?3,
        priority = CASE WHEN marks = ?4 THEN ?5 ELSE min(priority, ?5) END,
        failing_since = coalesce(failing_since, ?6), lease_until = NULL
    {_OWN}
"""  # noqa: S608 - constants only
_PARK = f"""
    UPDATE pending SET due_at = CASE WHEN marks = ?1 THEN ?2 ELSE due_at END,
        parked = CASE WHEN marks = ?1 THEN {PARKED} ELSE {LET_GO} END,
        reasons = ?3, not_before = NULL, lease_until = NULL
    {_OWN}
"""  # noqa: S608 - constants only


@cache
def _mark_sql(rows: int) -> str:
    return _MARK_HEAD + ",".join([_MARK_ROW] * rows) + _MARK_TAIL


def write_marks(db: sqlite3.Connection, marks: Sequence[Mark], now: int) -> None:
    """One statement for many rows: the interpreter's lock changes hands once, not once a row."""
    for start in range(0, len(marks), _ROWS_AT_ONCE):
        some = marks[start : start + _ROWS_AT_ONCE]
        values: list[object] = []
        for mark in some:
            hint = mark.hint
            values += (
                mark.connection,
                mark.context.value,
                mark.key,
                to_micros(mark.due_at),
                mark.priority.value,
                now,
                hint.content,
                hint.price,
                hint.stock,
                hint.recheck,
                hint.sold,
                hint.active,
                hint.removed,
            )
        db.execute(_mark_sql(len(some)), values)


def write_mark(db: sqlite3.Connection, mark: Mark, now: int) -> None:
    """Write one mark."""
    write_marks(db, (mark,), now)


def settle(db: sqlite3.Connection, write: Settle, now: int) -> None:
    """End a claim, or raise LeaseLost."""
    claim, settlement = write.claim, write.settlement
    own = (claim.connection, claim.context.value, claim.key, claim.fence)
    match settlement:
        case Finished():
            changed = _finish(db, claim, settlement, own)
        case Failed():
            values = (
                to_micros(settlement.retry_at),
                json.dumps([settlement.reason], ensure_ascii=False),
                settlement.counts,
                claim.marks,
                settlement.priority.value,
                now,
            )
            changed = db.execute(_FAIL, (*values, *own)).rowcount
        case Parked():
            reasons = json.dumps(settlement.reasons, ensure_ascii=False)
            changed = db.execute(
                _PARK, (claim.marks, to_micros(settlement.retry_at), reasons, *own)
            ).rowcount
    if not changed:
        raise LeaseLost(f"{claim.context} {claim.key}: the lease ran out")


def _finish(
    db: sqlite3.Connection, claim: Claim, settlement: Finished, own: tuple[object, ...]
) -> int:
    hint = settlement.hint
    said = (
        hint.content,
        hint.price,
        hint.stock,
        hint.recheck,
        hint.sold,
        hint.active,
        hint.removed,
    )
    next_due = None if settlement.next_due is None else to_micros(settlement.next_due)
    if next_due is None:
        changed = db.execute(_FORGET, (*own, claim.marks)).rowcount
    else:
        changed = db.execute(
            _FINISH, (next_due, settlement.priority.value, *said, *own, claim.marks)
        ).rowcount
    return changed or db.execute(_FINISH_MARKED, (next_due, *said, *own)).rowcount


_CLAIM_COLUMNS = (
    "key, marks, priority, content, price, stock, recheck, sold, active, removed, attempts,"
    " coalesce(marked_at, due_at), failing_since, parked"
)
_CLAIMABLE = f"""
    SELECT {_CLAIM_COLUMNS} FROM pending
    WHERE connection = ? AND context = ? AND priority = ? AND due_at <= ?
        AND (lease_until IS NULL OR lease_until <= ?)
    ORDER BY due_at, key LIMIT ?
"""  # noqa: S608 - constants only


def claim(
    db: sqlite3.Connection, connection: str, context: Context, *, limit: int, now: int, until: int
) -> list[Claim]:
    """Lease the most urgent due keys: one walk along the index per priority."""
    rows: list[tuple[Any, ...]] = []
    for priority in Priority:
        if len(rows) < limit:
            rows += db.execute(
                _CLAIMABLE,
                (connection, context.value, priority.value, now, now, limit - len(rows)),
            )
    if not rows:
        return []
    (fence,) = db.execute(
        "UPDATE counters SET value = value + 1 WHERE name = 'fence' RETURNING value"
    ).fetchone()
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        keys = [row[0] for row in rows[start : start + _ROWS_AT_ONCE]]
        db.execute(
            "UPDATE pending SET lease_until = ?, fence = ?, later_at = NULL"  # noqa: S608
            f" WHERE connection = ? AND context = ? AND key IN ({_holders(len(keys))})",
            (until, fence, connection, context.value, *keys),
        )
    return [_claim_of(connection, context, fence, row) for row in rows]


def _holders(count: int) -> str:
    return ",".join("?" * count)


def _claim_of(connection: str, context: Context, fence: int, row: tuple[Any, ...]) -> Claim:
    key, marks, priority, content, price, stock, recheck, sold, active, removed, *rest = row
    attempts, marked_at, failing_since, parked = rest
    return Claim(
        connection=connection,
        context=context,
        key=key,
        fence=fence,
        marks=marks,
        priority=Priority(priority),
        hint=Hint(
            content=bool(content),
            price=bool(price),
            stock=bool(stock),
            recheck=bool(recheck),
            sold=bool(sold),
            active=None if active is None else bool(active),
            removed=None if removed is None else bool(removed),
        ),
        attempts=attempts,
        marked_at=from_micros(marked_at),
        failing_since=None if failing_since is None else from_micros(failing_since),
        parked=parked != 0,
    )


def renew(db: sqlite3.Connection, claims: Sequence[Claim], until: datetime) -> None:
    """Extend the leases that are still held."""
    db.executemany(
        f"UPDATE pending SET lease_until = ? {_OWN}",  # noqa: S608 - constants only
        [
            (to_micros(until), own.connection, own.context.value, own.key, own.fence)
            for own in claims
        ],
    )
