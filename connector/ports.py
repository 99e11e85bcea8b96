"""The few protocols that flows need; drivers implement them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from connector.domain.entries import Entry, Status
from connector.domain.pending import Claim, Context, Mark, PendingRow, Settlement


class Conflict(Exception):
    """Somebody else wrote the document first: read again and decide again."""


class LeaseLost(Exception):
    """The lease ran out and another worker has the key: drop the work, change nothing."""


class StoreUnavailable(Exception):
    """The store cannot say that it saved (disk full, locked, away): answer 503, never 2xx.

    It may have saved all the same; whoever repeats the commit finds out, and harms nothing.
    """


# --- what can be written ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON document of the ledger, found by (kind, connection, key).

    ``version`` is 0 for one that was never saved. ``state`` is the one field besides the key that
    documents can be listed and counted by.
    """

    kind: str
    connection: str
    key: str
    body: str
    state: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Put:
    """Save ``document`` if its version is still the stored one (0: if there is none yet)."""

    document: Document


@dataclass(frozen=True, slots=True)
class Drop:
    """Delete a document; nothing happens where there is none."""

    kind: str
    connection: str
    key: str


@dataclass(frozen=True, slots=True)
class Settle:
    """End a claim; the whole commit is refused with LeaseLost where its fence is stale."""

    claim: Claim
    settlement: Settlement


@dataclass(frozen=True, slots=True)
class Fact:
    """Something an outsider told us that must not be lost, in arrival order per subject.

    ``id`` makes it idempotent: a second fact with the same (connection, subject, id) is ignored.
    ``seq`` is given by the store and grows with arrival.
    """

    connection: str
    subject: str
    kind: str
    id: str
    body: str
    at: datetime
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """Units that an order keeps from being published (0 releases them)."""

    account: str
    sku: str
    connection: str
    order: str
    quantity: int


@dataclass(frozen=True, slots=True)
class EraseFacts:
    """Delete all facts of a subject (personal data whose time is over)."""

    connection: str
    subject: str


Write = Put | Drop | Settle | Fact | Hold | Mark | Entry | EraseFacts


# --- what can be asked --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turn:
    """Connection has pending work in a context. All that ever travels through the broker."""

    connection: str
    context: Context
    adapter: str

    @property
    def queue(self) -> str:
        """The queue this turn waits in: one per context and adapter."""
        return f"{self.context}.{self.adapter}"


@dataclass(frozen=True, slots=True)
class Due:
    """How much of a connection's context is due and not leased, and since when."""

    connection: str
    context: Context
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class PendingStats:
    """Counts of one connection's pending set in one context."""

    connection: str
    context: Context
    due: int
    waiting: int
    parked: int
    leased: int
    oldest_due: datetime | None = None


@dataclass(frozen=True, slots=True)
class EntryQuery:
    """Which log entries: newest first, ``before`` an entry id when paging."""

    connection: str
    since: datetime | None = None
    until: datetime | None = None
    statuses: Sequence[Status] = field(default_factory=tuple)
    subject: str = ""
    before: int = 0
    limit: int = 200


class Store(Protocol):
    """The ledger. Several processes may share one; every method is safe to call concurrently."""

    async def commit(self, writes: Sequence[Write]) -> None:
        """Save all of ``writes`` or none; on return they survive a crash of machine or process.

        Raises:
            Conflict: a Put's version is not the stored one.
            LeaseLost: a Settle's fence is not the stored one.
            StoreUnavailable: it is not known to be saved.
        """
        ...

    async def claim(
        self,
        connection: str,
        context: Context,
        *,
        limit: int,
        now: datetime,
        lease_until: datetime,
    ) -> list[Claim]:
        """Lease up to ``limit`` due keys, most urgent first; a key is leased to one worker only."""
        ...

    async def renew(self, claims: Sequence[Claim], *, lease_until: datetime) -> None:
        """Extend leases that are still held; lost ones are left alone."""
        ...

    async def due(self, now: datetime, *, limit: int = 1000) -> list[Due]:
        """Connections and contexts with due, unleased keys."""
        ...

    async def next_due(self) -> datetime | None:
        """When the next key that is not due yet becomes due."""
        ...

    async def pending(
        self, connection: str, context: Context, *, parked: bool, after: str = "", limit: int = 200
    ) -> list[PendingRow]:
        """Rows of the pending set by key."""
        ...

    async def pending_stats(self, now: datetime) -> list[PendingStats]:
        """Counts per connection and context."""
        ...

    async def get(self, kind: str, connection: str, keys: Sequence[str]) -> dict[str, Document]:
        """The documents that exist, by key."""
        ...

    async def scan(
        self,
        kind: str,
        connection: str | None = None,
        *,
        state: str | None = None,
        after: str = "",
        limit: int = 500,
    ) -> list[Document]:
        """Documents by (connection, key), starting behind ``after`` (a key; with ``connection``
        None, ``connection + "/" + key``).
        """
        ...

    async def count(self, kind: str, connection: str) -> dict[str, int]:
        """How many documents there are, by state."""
        ...

    async def facts(self, connection: str, subject: str) -> list[Fact]:
        """All facts about a subject in arrival order."""
        ...

    async def held(self, account: str, skus: Sequence[str]) -> dict[str, int]:
        """Units held per SKU, over all connections of the account; SKUs without are left out."""
        ...

    async def entries(self, query: EntryQuery) -> list[Entry]:
        """Log entries, newest first."""
        ...

    async def forget(self, *, entries_before: datetime) -> int:
        """Delete log entries that are too old; returns how many."""
        ...

    async def close(self) -> None:
        """Finish what was accepted, then release everything."""
        ...


Handler = Callable[[Turn], Awaitable[bool]]
"""Takes one turn, and says whether there was much to do in it: while others have something to do,
too, that connection may be served less often."""


class Broker(Protocol):
    """The bell: hands out turns, may lose or double them."""

    async def ring(self, turn: Turn, *, repeated: bool = False) -> None:
        """Ask for a turn; returns quickly and never fails for the caller.

        What is asked often may be held back for a second or two. ``repeated``: nothing is new,
        this is asked again and again while keys are due. It may be held back for longer.
        """
        ...

    async def consume(self, queues: Sequence[str], handler: Handler, *, workers: int) -> None:
        """Hand turns of these queues to ``handler``, at most ``workers`` at once, until closed."""
        ...

    async def close(self, *, drain_s: float) -> None:
        """Stop handing out turns; wait up to ``drain_s`` for those being handled."""
        ...


class Vault(Protocol):
    """Encryption at rest, bound to where the secret belongs."""

    def seal(self, secret: str, *, bound_to: str) -> str:
        """Encrypt; the result opens only with the same ``bound_to``."""
        ...

    def open(self, sealed: str, *, bound_to: str) -> str:
        """Decrypt.

        Raises:
            ValueError: tampered with, bound to something else, or sealed with an unknown key.
        """
        ...


class Metrics(Protocol):
    """Counters and timings; names are fixed in drivers/metrics.py."""

    def count(self, name: str, value: float = 1, **labels: str) -> None:
        """Add to a counter."""
        ...

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Record a duration or size."""
        ...


Json = dict[str, Any]
