"""The ledger in memory: deterministic, without threads, for tests and simulations."""

from __future__ import annotations

import asyncio
import copy
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from connector.domain.clock import Clock
from connector.domain.entries import Entry
from connector.domain.pending import Claim, Context, Mark, PendingRow
from connector.drivers.memory_rows import Row
from connector.ports import (
    Conflict,
    Document,
    Drop,
    Due,
    EntryQuery,
    EraseFacts,
    Fact,
    Hold,
    LeaseLost,
    PendingStats,
    Put,
    Settle,
    Write,
)

_RowKey = tuple[str, Context, str]
_DocumentKey = tuple[str, str, str]


@dataclass(slots=True)
class _Books:
    """Everything that is stored."""

    rows: dict[_RowKey, Row] = field(default_factory=dict)
    documents: dict[_DocumentKey, Document] = field(default_factory=dict)
    facts: dict[tuple[str, str], dict[str, Fact]] = field(default_factory=dict)
    holds: dict[tuple[str, str], dict[tuple[str, str], int]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    fence: int = 0
    seq: int = 0
    entry_id: int = 0


class MemoryStore:
    """``ports.Store`` in dictionaries. It outlives the hub that uses it: closing changes nothing.

    Every write gives way to other tasks once before it happens, as a real store would.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._books = _Books()

    # --- writing --------------------------------------------------------------------------------

    async def commit(self, writes: Sequence[Write]) -> None:
        """Save all of ``writes`` or none; see ``ports.Store``."""
        await asyncio.sleep(0)
        undo: list[Callable[[], object]] = []
        try:
            for write in writes:
                self._write(write, undo)
        except (Conflict, LeaseLost):
            for step in reversed(undo):
                step()
            raise

    def _write(self, write: Write, undo: list[Callable[[], object]]) -> None:
        match write:
            case Mark() | Settle():
                self._write_row(write, undo)
            case Put() | Drop():
                self._write_document(write, undo)
            case Fact() | EraseFacts():
                self._write_fact(write, undo)
            case Hold():
                self._write_hold(write, undo)
            case Entry():
                self._books.entry_id += 1
                self._books.entries.append(write.model_copy(update={"id": self._books.entry_id}))
                undo.append(self._books.entries.pop)
            case _:
                assert_never(write)

    def _write_row(self, write: Mark | Settle, undo: list[Callable[[], object]]) -> None:
        rows, now = self._books.rows, self._clock.now()
        about = write if isinstance(write, Mark) else write.claim
        key = (about.connection, about.context, about.key)
        row = rows.get(key)
        before = copy.copy(row)
        undo.append(lambda: rows.pop(key, None) if before is None else rows.update({key: before}))
        if isinstance(write, Mark):
            if row is None:
                rows[key] = Row.of(write, now)
            else:
                row.mark(write, now)
            return
        if row is None or row.lease_until is None or row.fence != write.claim.fence:
            raise LeaseLost(f"{about.context} {about.key}: the lease ran out")
        if not row.settle(write.claim, write.settlement, now):
            del rows[key]

    def _write_document(self, write: Put | Drop, undo: list[Callable[[], object]]) -> None:
        documents = self._books.documents
        about = write.document if isinstance(write, Put) else write
        key = (about.kind, about.connection, about.key)
        before = documents.get(key)
        undo.append(
            lambda: documents.pop(key, None) if before is None else documents.update({key: before})
        )
        if isinstance(write, Drop):
            documents.pop(key, None)
            return
        version = before.version if before else 0
        if write.document.version != version:
            raise Conflict(f"{about.kind} {about.key}: version {version} is current")
        documents[key] = replace(write.document, version=version + 1)

    def _write_fact(self, write: Fact | EraseFacts, undo: list[Callable[[], object]]) -> None:
        facts = self._books.facts
        key = (write.connection, write.subject)
        before = facts.get(key, {})
        undo.append(lambda: facts.update({key: before}))
        if isinstance(write, EraseFacts):
            facts[key] = {}
        elif write.id not in before:
            self._books.seq += 1
            facts[key] = {**before, write.id: replace(write, seq=self._books.seq)}

    def _write_hold(self, write: Hold, undo: list[Callable[[], object]]) -> None:
        holds = self._books.holds
        key = (write.account, write.sku)
        before = holds.get(key, {})
        undo.append(lambda: holds.update({key: before}))
        owner = (write.connection, write.order)
        kept = {other: quantity for other, quantity in before.items() if other != owner}
        holds[key] = {**kept, owner: write.quantity} if write.quantity else kept

    async def claim(
        self,
        connection: str,
        context: Context,
        *,
        limit: int,
        now: datetime,
        lease_until: datetime,
    ) -> list[Claim]:
        """Lease up to ``limit`` due keys, most urgent first."""
        await asyncio.sleep(0)
        due = [row for row in self._of(connection, context) if row.due(now)]
        due.sort(key=lambda row: (row.priority, row.due_at, row.key))
        if due:
            self._books.fence += 1
        return [row.claim(self._books.fence, lease_until) for row in due[:limit]]

    async def renew(self, claims: Sequence[Claim], *, lease_until: datetime) -> None:
        """Extend leases that are still held."""
        await asyncio.sleep(0)
        for claim in claims:
            row = self._books.rows.get((claim.connection, claim.context, claim.key))
            if row is not None and row.fence == claim.fence and row.lease_until is not None:
                row.lease_until = lease_until

    async def forget(self, *, entries_before: datetime) -> int:
        """Delete log entries that are too old; returns how many."""
        kept = [entry for entry in self._books.entries if entry.at >= entries_before]
        deleted = len(self._books.entries) - len(kept)
        self._books.entries = kept
        return deleted

    # --- reading --------------------------------------------------------------------------------

    def _of(self, connection: str, context: Context) -> Iterable[Row]:
        return (
            row
            for row in self._books.rows.values()
            if row.connection == connection and row.context == context
        )

    async def due(self, now: datetime, *, limit: int = 1000) -> list[Due]:
        """Connections and contexts with due, unleased keys."""
        groups: dict[tuple[str, Context], list[datetime]] = defaultdict(list)
        for row in self._books.rows.values():
            if row.due(now):
                groups[row.connection, row.context].append(row.due_at)
        found = [Due(*where, len(moments), min(moments)) for where, moments in groups.items()]
        return sorted(found, key=lambda due: (due.oldest, due.connection, due.context))[:limit]

    async def next_due(self) -> datetime | None:
        """When the next key that is not due yet becomes due, or its lease runs out."""
        now = self._clock.now()
        moments = (
            max(row.due_at, row.lease_until)
            if row.lease_until is not None and row.lease_until > now
            else row.due_at
            for row in self._books.rows.values()
        )
        return min((moment for moment in moments if moment > now), default=None)

    async def pending(
        self, connection: str, context: Context, *, parked: bool, after: str = "", limit: int = 200
    ) -> list[PendingRow]:
        """Rows of the pending set by key."""
        now = self._clock.now()
        rows = [
            row.shown(now)
            for row in self._of(connection, context)
            if row.parked == parked and row.key > after
        ]
        return sorted(rows, key=lambda row: row.key)[:limit]

    async def pending_stats(self, now: datetime) -> list[PendingStats]:
        """Counts per connection and context; a row is counted once, leased first, then parked."""
        counts: dict[tuple[str, Context], Counter[str]] = defaultdict(Counter)
        oldest: dict[tuple[str, Context], datetime] = {}
        for row in self._books.rows.values():
            where = (row.connection, row.context)
            if row.leased(now):
                counts[where]["leased"] += 1
            elif row.parked:
                counts[where]["parked"] += 1
            elif row.due_at <= now:
                counts[where]["due"] += 1
                oldest[where] = min(row.due_at, oldest.get(where, row.due_at))
            else:
                counts[where]["waiting"] += 1
        return [
            PendingStats(
                *where,
                due=counts[where]["due"],
                waiting=counts[where]["waiting"],
                parked=counts[where]["parked"],
                leased=counts[where]["leased"],
                oldest_due=oldest.get(where),
            )
            for where in sorted(counts)
        ]

    async def get(self, kind: str, connection: str, keys: Sequence[str]) -> dict[str, Document]:
        """The documents that exist, by key."""
        documents = self._books.documents
        return {
            key: documents[kind, connection, key]
            for key in keys
            if (kind, connection, key) in documents
        }

    async def scan(
        self,
        kind: str,
        connection: str | None = None,
        *,
        state: str | None = None,
        after: str = "",
        limit: int = 500,
    ) -> list[Document]:
        """Documents by (connection, key)."""
        last_connection, _, last_key = after.partition("/")
        start = (connection, after) if connection is not None else (last_connection, last_key)
        found = [
            document
            for document in self._books.documents.values()
            if document.kind == kind
            and (connection is None or document.connection == connection)
            and (state is None or document.state == state)
            and (not after or (document.connection, document.key) > start)
        ]
        return sorted(found, key=lambda document: (document.connection, document.key))[:limit]

    async def count(self, kind: str, connection: str) -> dict[str, int]:
        """How many documents there are, by state."""
        return dict(
            Counter(
                document.state
                for document in self._books.documents.values()
                if document.kind == kind and document.connection == connection
            )
        )

    async def facts(self, connection: str, subject: str) -> list[Fact]:
        """All facts about a subject in arrival order."""
        return list(self._books.facts.get((connection, subject), {}).values())

    async def held(self, account: str, skus: Sequence[str]) -> dict[str, int]:
        """Units held per SKU, over all connections of the account."""
        holds = {sku: self._books.holds.get((account, sku)) for sku in skus}
        return {sku: sum(owners.values()) for sku, owners in holds.items() if owners}

    async def entries(self, query: EntryQuery) -> list[Entry]:
        """Log entries, newest first."""
        found = [
            entry
            for entry in reversed(self._books.entries)
            if entry.connection == query.connection and _asked(entry, query)
        ]
        return found[: query.limit]

    async def close(self) -> None:
        """Nothing to release; the next hub finds everything as this one left it."""


def _asked(entry: Entry, query: EntryQuery) -> bool:
    return (
        (query.since is None or entry.at >= query.since)
        and (query.until is None or entry.at < query.until)
        and (not query.statuses or entry.status in query.statuses)
        and (not query.subject or entry.subject == query.subject)
        and (not query.before or entry.id < query.before)
    )
