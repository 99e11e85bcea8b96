"""The ledger in a MongoDB replica set, shared by any number of processes."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Self, TypeVar

from bson.errors import BSONError

from connector.domain.clock import Clock
from connector.domain.entries import Entry
from connector.domain.pending import Claim, Context, Mark, PendingRow
from connector.drivers import mongo_due as asking
from connector.drivers import mongo_pending as pending
from connector.drivers import mongo_reads as reads
from connector.drivers.micros import to_micros
from connector.drivers.mongo_janitor import Janitor
from connector.drivers.mongo_lanes import Job, Lane
from connector.drivers.mongo_schema import bounded, connect, migrate
from connector.drivers.mongo_walk import Walk
from connector.drivers.mongo_writes import write_unit
from connector.ports import (
    Document,
    Due,
    EntryQuery,
    Fact,
    Hold,
    PendingStats,
    StoreUnavailable,
    Write,
)

T = TypeVar("T")

_MARKS_AT_ONCE = 1000
_PLAIN_AT_ONCE = 200
_GROUPS = 3
"""Groups of marks under way at once: one that has to wait does not hold up the next."""
_UNITS_AT_ONCE = 16
_GRACE_S = 5.0
_LONG_S = 60.0
_CLAIM_TIMES = 6
"""A claim whose primary is lost in its middle outlasts the election: it would leave leases that
nobody knows of.
"""

_PLAIN = frozenset({Mark, Fact, Entry, Hold})
"""Writes that are never refused: units of these alone may share a transaction."""

# A job that no database could ever take (half a surrogate pair in a key, a number of 30 digits)
# must not take the rest of its group down with it.
_UNFIT = (BSONError, ValueError, OverflowError, TypeError, AttributeError, KeyError)


class MongoStore:
    """``ports.Store`` in the replica set that a ``mongodb://`` URL names.

    Units of marks alone are written as one statement a mark, many in one go; what else cannot be
    refused shares transactions; all others have their own. ``clock`` tells when marks arrive.
    ``timeout_s`` is how long anything may take, in real seconds: also how long a new primary is
    waited for.
    """

    def __init__(self, url: str, clock: Clock, *, timeout_s: float = 5.0) -> None:
        self._books = connect(url, timeout_s=timeout_s)
        self._clock = clock
        self._timeout_s = timeout_s
        self._janitor = Janitor(self._books)
        self._marks = Lane(self._write_marks, most=_MARKS_AT_ONCE, at_once=_GROUPS)
        self._plain = Lane(self._write_plain, most=_PLAIN_AT_ONCE, at_once=1)
        self._units = Lane(self._write_each, most=1, at_once=_UNITS_AT_ONCE)
        # Claims of this process go one after another: they would only get in each other's way.
        self._claiming: defaultdict[tuple[str, Context], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._fences = pending.Fences()
        self._walk, self._walking = Walk(), asking.Seldom(one_in=50)
        self._counting = asking.Seldom()
        self._counted: list[PendingStats] = []
        self._closed = False

    @classmethod
    async def opened(cls, url: str, clock: Clock, *, timeout_s: float = 5.0) -> Self:
        """A store that is ready for use.

        Raises:
            ValueError: ``url`` is no MongoDB URL.
            StoreUnavailable: nobody answers there, or not as it must.
        """
        store = cls(url, clock, timeout_s=timeout_s)
        try:
            await store.open()
        except BaseException:
            await store.close()
            raise
        return store

    async def open(self) -> None:
        """Connect, and bring the database up to date.

        Raises:
            StoreUnavailable: nobody answers, it is no replica set, or it is of a newer hub.
        """
        await self._ask(migrate(self._books), 6 * self._timeout_s)

    # --- writing --------------------------------------------------------------------------------

    async def commit(self, writes: Sequence[Write]) -> None:
        """Save all of ``writes`` or none, durably; see ``ports.Store``.

        Of a unit of marks alone a part may be saved where it ends in ``StoreUnavailable``: a mark
        only asks for a look.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if writes:
            await self._lane(writes).submit(writes)

    def _lane(self, writes: Sequence[Write]) -> Lane:
        kinds = {type(write) for write in writes}
        if kinds == {Mark}:
            return self._marks
        return self._plain if kinds <= _PLAIN else self._units

    async def _write_marks(self, jobs: Sequence[Job]) -> list[BaseException | None]:
        """Write units of marks."""
        now = self._clock.now()
        marks = [mark for job in jobs for mark in job if isinstance(mark, Mark)]
        try:
            hard = await self._save(pending.write_marks(self._books, marks, to_micros(now)))
        except _UNFIT as error:
            if len(jobs) == 1:
                return [error]
            return [result for job in jobs for result in await self._write_marks([job])]
        if not hard:
            return [None] * len(jobs)
        owners = [number for number, job in enumerate(jobs) for _ in job]
        results: list[BaseException | None] = [None] * len(jobs)
        try:
            await self._write_unit([marks[place] for place in hard])
        except StoreUnavailable as error:
            for place in hard:
                results[owners[place]] = error
        return results

    async def _write_plain(self, jobs: Sequence[Job]) -> list[BaseException | None]:
        """Write units that cannot be refused as if they were one."""
        try:
            await self._write_unit([write for job in jobs for write in job])
        except _UNFIT as error:
            if len(jobs) == 1:
                return [error]
            return [result for job in jobs for result in await self._write_plain([job])]
        return [None] * len(jobs)

    async def _write_each(self, jobs: Sequence[Job]) -> list[BaseException | None]:
        """Write units that may be refused, each by itself."""
        for job in jobs:
            await self._write_unit(job)
        return [None] * len(jobs)

    async def _write_unit(self, writes: Sequence[Write]) -> None:
        await self._save(write_unit(self._books, writes, self._clock.now()))

    async def _save(self, work: Awaitable[T], within_s: float | None = None) -> T:
        waiting = self._janitor.waiting()
        try:
            return await self._ask(work, within_s)
        finally:
            waiting.cancel()

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
        async with self._claiming[connection, context]:
            return await self._save(
                pending.claim(
                    self._books,
                    self._fences,
                    connection,
                    context,
                    limit=limit,
                    now=moment,
                    until=until,
                ),
                _CLAIM_TIMES * self._timeout_s,
            )

    async def renew(self, claims: Sequence[Claim], *, lease_until: datetime) -> None:
        """Extend leases that are still held."""
        if claims:
            await self._ask(pending.renew(self._books, claims, lease_until))

    async def forget(self, *, entries_before: datetime) -> int:
        """Delete log entries that are too old, in portions that others can get between."""
        total = 0
        while deleted := await self._ask(reads.forget(self._books, to_micros(entries_before))):
            total += deleted
        return total

    # --- reading --------------------------------------------------------------------------------

    async def due(self, now: datetime, *, limit: int = 1000) -> list[Due]:
        """Connections and contexts with due, unleased keys.

        Where a great many keys are due, their counts may be too low, and a connection whose keys
        are neither among those due longest nor among those due last is told of only when a walk
        through all of them, a portion at a time, comes by.
        """
        found, complete = await self._ask(asking.due_at_an_end(self._books, now))
        if complete:
            return asking.longest_waiting(found, limit)
        with contextlib.suppress(StoreUnavailable):  # what is known so far is worth a turn
            newest, _ = await self._ask(asking.due_at_an_end(self._books, now, newest=True))
            found += newest
            if self._walking.begin():
                with self._walking.measured():
                    found += await self._ask(self._walk.on(self._books, now))
        return asking.longest_waiting(found, limit)

    async def next_due(self) -> datetime | None:
        """When the next key that is not due yet becomes due."""
        return await self._ask(asking.next_due(self._books, self._clock.now()))

    async def pending(
        self, connection: str, context: Context, *, parked: bool, after: str = "", limit: int = 200
    ) -> list[PendingRow]:
        """Rows of the pending set by key."""
        return await self._ask(
            asking.pending(
                self._books,
                connection,
                context,
                parked=parked,
                after=after,
                limit=limit,
                now=self._clock.now(),
            )
        )

    async def pending_stats(self, now: datetime) -> list[PendingStats]:
        """Counts per connection and context; of a very large set those of a while ago."""
        if not self._counting.begin():
            return self._counted
        with self._counting.measured():
            self._counted = await self._ask(asking.pending_stats(self._books, now), _LONG_S)
        return self._counted

    async def get(self, kind: str, connection: str, keys: Sequence[str]) -> dict[str, Document]:
        """The documents that exist, by key."""
        return await self._ask(reads.get(self._books, kind, connection, keys)) if keys else {}

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
        return await self._ask(
            reads.scan(self._books, kind, connection, state=state, after=after, limit=limit)
        )

    async def count(self, kind: str, connection: str) -> dict[str, int]:
        """How many documents there are, by state."""
        return await self._ask(reads.count(self._books, kind, connection))

    async def facts(self, connection: str, subject: str) -> list[Fact]:
        """All facts about a subject in arrival order."""
        return await self._ask(reads.facts(self._books, connection, subject))

    async def held(self, account: str, skus: Sequence[str]) -> dict[str, int]:
        """Units held per SKU, over all connections of the account."""
        return await self._ask(reads.held(self._books, account, skus)) if skus else {}

    async def entries(self, query: EntryQuery) -> list[Entry]:
        """Log entries, newest first."""
        return await self._ask(reads.entries(self._books, query))

    async def _ask(self, work: Awaitable[T], within_s: float | None = None) -> T:
        """Do something that needs the server, and never wait for it for ever."""
        within_s = within_s or self._timeout_s
        with bounded(within_s):
            try:
                async with asyncio.timeout(within_s + _GRACE_S):  # should the driver itself hang
                    return await work
            except TimeoutError as error:
                raise StoreUnavailable("MongoDB: no answer") from error

    # --- the end --------------------------------------------------------------------------------

    async def close(self) -> None:
        """Finish what was accepted, then let go of the connections."""
        self._closed = True
        for lane in (self._marks, self._plain, self._units):
            await lane.drain()
        await self._janitor.close()
        # Saying goodbye to a server that is away is not worth waiting for.
        with contextlib.suppress(StoreUnavailable):
            await self._ask(self._books.client.close())
