"""The pending set: which keys of a connection are to be looked at, when, and how urgently."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum


class Context(StrEnum):
    """What kind of thing a pending key is. Each has queues and turns of its own."""

    LISTINGS = "listings"  # key: SKU
    ORDERS = "orders"  # key: order reference
    UPKEEP = "upkeep"  # key: name of a periodic job of the connection


class Priority(IntEnum):
    """Lower goes first."""

    URGENT = 0  # stock to zero, blocks, cancellations, orders
    CHANGE = 1  # somebody told us that something changed
    ECHO = 2  # second reads and reindexes
    SWEEP = 3  # backfill and periodic re-checks


@dataclass(frozen=True, slots=True)
class Hint:
    """What was said about a key since it was last looked at. Only a hint: truth is read.

    Flags of several notifications are OR-ed; ``active`` and ``removed`` are the newest arrival's
    (None: nothing was said).
    """

    content: bool = False
    price: bool = False
    stock: bool = False
    recheck: bool = False
    """Somebody asked to look at everything (reindex, sweep, backfill, operator)."""
    sold: bool = False
    """The marketplace sold some: its own stock is no longer what it confirmed."""
    active: bool | None = None
    removed: bool | None = None

    def merged(self, newer: Hint) -> Hint:
        """This hint and a newer one as one."""
        return Hint(
            content=self.content or newer.content,
            price=self.price or newer.price,
            stock=self.stock or newer.stock,
            recheck=self.recheck or newer.recheck,
            sold=self.sold or newer.sold,
            active=self.active if newer.active is None else newer.active,
            removed=self.removed if newer.removed is None else newer.removed,
        )


NO_HINT = Hint()


URGENT_PATIENCE = timedelta(seconds=60)
"""What somebody urgently says of a failing key is not kept waiting longer by the key's back-off."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Look at this key, not later than ``due_at``.

    A failed key keeps its back-off, but an urgent mark cuts it to ``URGENT_PATIENCE`` and begins
    the count of its failures anew. A peer's Retry-After is kept all the same: whoever calls it is
    held back by the limiter.
    """

    connection: str
    context: Context
    key: str
    due_at: datetime
    priority: Priority = Priority.CHANGE
    hint: Hint = NO_HINT


@dataclass(frozen=True, slots=True)
class Claim:
    """A key leased to one worker. No other lease ever has its ``fence``: a stale worker's is
    refused.

    ``marks`` counts the marks seen so far, so that one that arrives meanwhile is not lost.
    ``attempts`` and ``failing_since`` tell of failures since the last success.
    """

    connection: str
    context: Context
    key: str
    fence: int
    marks: int
    priority: Priority
    hint: Hint
    attempts: int
    marked_at: datetime
    """When the oldest unanswered mark arrived."""
    failing_since: datetime | None = None
    parked: bool = False
    """It was parked and is tried again (daily, by an operator, or because of a new mark)."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The key was looked at. ``next_due`` is its next regular look; None forgets the key."""

    next_due: datetime | None = None
    priority: Priority = Priority.SWEEP
    hint: Hint = NO_HINT


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed; not before ``retry_at`` again. ``counts`` is False when the failure says
    nothing about this key (its peer is away), so that the ladder is not climbed.
    """

    retry_at: datetime
    priority: Priority
    reason: str
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Parked:
    """The key cannot be finished without somebody's help; tried again at ``retry_at``."""

    retry_at: datetime
    reasons: tuple[str, ...] = field(default_factory=tuple)


Settlement = Finished | Failed | Parked


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A row of the pending set as operators see it."""

    connection: str
    context: Context
    key: str
    due_at: datetime
    priority: Priority
    attempts: int
    marked_at: datetime
    parked: bool
    reasons: tuple[str, ...]
    leased: bool
