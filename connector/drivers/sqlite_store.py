"""The ledger in one SQLite file: one writer thread with group commit, and readers beside it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar, cast

from connector.domain.clock import Clock
from connector.domain.entries import Entry
from connector.domain.pending import Claim, Context, PendingRow
from connector.drivers import sqlite_pending as pending
from connector.drivers import sqlite_reads as reads
from connector.drivers import sqlite_writes as writing
from connector.drivers.micros import to_micros
from connector.drivers.sqlite_schema import connect, create, path_of
from connector.ports import (
    Document,
    Due,
    EntryQuery,
    Fact,
    PendingStats,
    StoreUnavailable,
    Write,
)

P = ParamSpec("P")
T = TypeVar("T")

_GROUP = 1000
"""Most jobs in one transaction, so that none waits for a very long one."""
_MANY = 8
_WINDOW_S = 0.001
"""Where so many jobs came at once, the next group waits this long for company: a group of 40 costs
hardly more than one of 20, and the event loop gets to answer the last one meanwhile."""
_QUICK_S = 0.002
"""On a disk slower than this the next group goes at once: what waits came while it was busy."""
_READERS = 4
_FORGET_AT_ONCE = 5000

# A job that no database could ever take (half a surrogate pair in a key, a number of 30 digits)
# must not take the rest of its group down with it.
_UNFIT = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    sqlite3.DataError,
    ValueError,
    OverflowError,
    TypeError,
    AttributeError,
    KeyError,
)

_Waiting = tuple[writing.Job, "asyncio.Future[object]"]


class SqliteStore:
    """``ports.Store`` in a SQLite file named by ``sqlite:///relative.db`` or ``sqlite:////abs.db``.

    Calls to ``commit`` that come while the writer is busy share its next transaction; one that
    finds it idle is written at once. ``clock`` tells when marks arrive.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        self.path = path_of(url)
        self._clock = clock
        self._db = create(self.path)
        self._spare = [connect(self.path, read_only=True) for _ in range(_READERS)]
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-reader")
        self._waiting: deque[_Waiting] = deque()
        self._busy = False
        self._idle: asyncio.Future[None] | None = None
        self._closed = False

    # --- writing --------------------------------------------------------------------------------

    async def commit(self, writes: Sequence[Write]) -> None:
        """Save all of ``writes`` or none, durably; see ``ports.Store``."""
        if writes:
            await self._submit(writes)

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
        moment, until = to_micros(now), to_micros(lease_until)

        def job(db: sqlite3.Connection, _now: int) -> list[Claim]:
            return pending.claim(db, connection, context, limit=limit, now=moment, until=until)

        return cast("list[Claim]", await self._submit(job))

    async def renew(self, claims: Sequence[Claim], *, lease_until: datetime) -> None:
        """Extend leases that are still held."""
        if claims:
            await self._submit(lambda db, _now: pending.renew(db, claims, lease_until))

    async def forget(self, *, entries_before: datetime) -> int:
        """Delete log entries that are too old, in portions that others can get between."""
        before = to_micros(entries_before)

        def job(db: sqlite3.Connection, _now: int) -> int:
            return db.execute(
                "DELETE FROM entries WHERE id IN"
                " (SELECT id FROM entries WHERE at < ? ORDER BY at LIMIT ?)",
                (before, _FORGET_AT_ONCE),
            ).rowcount

        total = 0
        while True:
            deleted = cast("int", await self._submit(job))
            total += deleted
            if deleted < _FORGET_AT_ONCE:
                return total

    def _submit(self, job: writing.Job) -> asyncio.Future[object]:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[object] = loop.create_future()
        self._waiting.append((job, future))
        if not self._busy:
            self._busy = True
            # Not at once: everything that is ready in this round of the loop goes along.
            loop.call_soon(self._flush, loop)
        return future

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand everything that waits to the writer thread; runs in the loop."""
        waiting = self._waiting
        if not waiting:
            self._busy = False
            if self._idle is not None and not self._idle.done():
                self._idle.set_result(None)
            return
        group = [waiting.popleft() for _ in range(min(len(waiting), _GROUP))]
        now = to_micros(self._clock.now())
        began = loop.time()
        work = loop.run_in_executor(self._writer, self._write, [job for job, _ in group], now)
        work.add_done_callback(lambda done: self._landed(loop, group, done, began))

    def _landed(
        self,
        loop: asyncio.AbstractEventLoop,
        group: list[_Waiting],
        done: asyncio.Future[list[object]],
        began: float,
    ) -> None:
        """Answer a group and see to the next one; runs in the loop."""
        quick = loop.time() - began < _QUICK_S
        if quick and len(group) + len(self._waiting) > _MANY:
            loop.call_later(_WINDOW_S, self._flush, loop)
        else:
            self._flush(loop)
        failure = StoreUnavailable("stopped") if done.cancelled() else done.exception()
        results = [failure] * len(group) if failure is not None else done.result()
        for (_, future), result in zip(group, results, strict=True):
            if future.done():  # its caller was cancelled
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)

    def _write(self, jobs: Sequence[writing.Job], now: int) -> list[object]:
        """Write a group in the writer thread; each job's result or exception."""
        try:
            return writing.write_group(self._db, jobs, now)
        except _UNFIT as error:
            if len(jobs) == 1:
                return [error]
            return [result for job in jobs for result in self._write([job], now)]
        except sqlite3.Error as error:
            return [StoreUnavailable(f"SQLite cannot save: {error}") for _ in jobs]

    # --- reading --------------------------------------------------------------------------------

    async def due(self, now: datetime, *, limit: int = 1000) -> list[Due]:
        """Connections and contexts with due, unleased keys."""
        return await self._read(reads.due, now, limit)

    async def next_due(self) -> datetime | None:
        """When the next key that is not due yet becomes due."""
        return await self._read(reads.next_due, self._clock.now())

    async def pending(
        self, connection: str, context: Context, *, parked: bool, after: str = "", limit: int = 200
    ) -> list[PendingRow]:
        """Rows of the pending set by key."""
        return await self._read(
            reads.pending,
            connection,
            context,
            parked=parked,
            after=after,
            limit=limit,
            now=self._clock.now(),
        )

    async def pending_stats(self, now: datetime) -> list[PendingStats]:
        """Counts per connection and context."""
        return await self._read(reads.pending_stats, now)

    async def get(self, kind: str, connection: str, keys: Sequence[str]) -> dict[str, Document]:
        """The documents that exist, by key."""
        return await self._read(reads.get, kind, connection, keys) if keys else {}

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
        return await self._read(reads.scan, kind, connection, state=state, after=after, limit=limit)

    async def count(self, kind: str, connection: str) -> dict[str, int]:
        """How many documents there are, by state."""
        return await self._read(reads.count, kind, connection)

    async def facts(self, connection: str, subject: str) -> list[Fact]:
        """All facts about a subject in arrival order."""
        return await self._read(reads.facts, connection, subject)

    async def held(self, account: str, skus: Sequence[str]) -> dict[str, int]:
        """Units held per SKU, over all connections of the account."""
        return await self._read(reads.held, account, skus) if skus else {}

    async def entries(self, query: EntryQuery) -> list[Entry]:
        """Log entries, newest first."""
        return await self._read(reads.entries, query)

    async def backup(self, path: Path) -> None:
        """Copy the database, consistent and complete, while it is being used."""
        await self._read(_backup, path)

    async def _read(
        self,
        ask: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        if self._closed:
            raise StoreUnavailable("the store is closed")

        def job() -> T:
            db = self._spare.pop()  # there are as many connections as threads
            try:
                return ask(db, *args, **kwargs)
            except sqlite3.Error as error:
                raise StoreUnavailable(f"SQLite cannot read: {error}") from error
            finally:
                self._spare.append(db)

        return await asyncio.get_running_loop().run_in_executor(self._readers, job)

    # --- the end --------------------------------------------------------------------------------

    async def close(self) -> None:
        """Finish what was accepted, then close the file."""
        if self._closed:
            return
        self._closed = True
        loop = asyncio.get_running_loop()
        while self._busy:
            self._idle = loop.create_future()
            await self._idle
        await loop.run_in_executor(None, self._readers.shutdown)
        for db in self._spare:
            db.close()
        # The last one to close copies the log into the file, which may take a moment.
        await loop.run_in_executor(self._writer, self._db.close)
        self._writer.shutdown()


def _backup(db: sqlite3.Connection, path: Path) -> None:
    """Write beside ``path`` first: what bears that name is always whole."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_RDWR | os.O_CREAT, 0o600))
    copy = sqlite3.connect(part)
    try:
        db.backup(copy)
    finally:
        copy.close()
    part.replace(path)
