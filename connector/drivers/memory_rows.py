"""The pending set's rules in plain Python, for the stores that decide beside their database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.domain.pending import (
    NO_HINT,
    URGENT_PATIENCE,
    Claim,
    Context,
    Failed,
    Finished,
    Hint,
    Mark,
    Parked,
    PendingRow,
    Priority,
    Settlement,
)


@dataclass(slots=True)
class Row:
    """One key of a pending set."""

    connection: str
    context: Context
    key: str
    due_at: datetime
    priority: Priority
    marked_at: datetime | None
    hint: Hint = NO_HINT
    marks: int = 1
    not_before: datetime | None = None
    """Set by a failure: marks do not make the key due earlier."""
    later_at: datetime | None = None
    """The first mark since the last claim."""
    attempts: int = 0
    failing_since: datetime | None = None
    parked: bool = False
    let_go: bool = False
    """It was parked until a mark let it go, and is not answered yet."""
    reasons: tuple[str, ...] = ()
    lease_until: datetime | None = None
    fence: int = 0

    @classmethod
    def of(cls, mark: Mark, now: datetime) -> Row:
        """The row of a key that was not there."""
        return cls(
            connection=mark.connection,
            context=mark.context,
            key=mark.key,
            due_at=mark.due_at,
            priority=mark.priority,
            marked_at=now,
            hint=mark.hint,
        )

    def leased(self, now: datetime) -> bool:
        """Whether a worker holds it."""
        return self.lease_until is not None and self.lease_until > now

    def due(self, now: datetime) -> bool:
        """Whether it may be claimed."""
        return self.due_at <= now and not self.leased(now)

    def mark(self, mark: Mark, now: datetime) -> None:
        """Another mark. A sweep leaves a parked key parked; a failed one keeps its back-off, but
        for what is urgent.
        """
        if mark.priority == Priority.URGENT:
            if self.not_before is not None:
                self.not_before = min(self.not_before, mark.due_at + URGENT_PATIENCE)
            if self.lease_until is None:
                self.attempts, self.failing_since = 0, None
        if not (self.parked and mark.priority == Priority.SWEEP):
            self.due_at = min(self.due_at, mark.due_at)
            if self.not_before is not None:
                self.due_at = max(self.due_at, self.not_before)
            self.let_go = self.let_go or self.parked
            self.parked = False
        self.priority = min(self.priority, mark.priority)
        self.marks += 1
        self.marked_at = self.marked_at or now
        self.later_at = self.later_at or now
        self.hint = self.hint.merged(mark.hint)

    def claim(self, fence: int, lease_until: datetime) -> Claim:
        """Lease it."""
        self.fence = fence
        self.lease_until = lease_until
        self.later_at = None
        return Claim(
            connection=self.connection,
            context=self.context,
            key=self.key,
            fence=fence,
            marks=self.marks,
            priority=self.priority,
            hint=self.hint,
            attempts=self.attempts,
            marked_at=self.marked_at or self.due_at,
            failing_since=self.failing_since,
            parked=self.parked or self.let_go,
        )

    def settle(self, claim: Claim, settlement: Settlement, now: datetime) -> bool:
        """End the lease; False where the row is to be deleted."""
        self.lease_until = None
        marked = self.marks != claim.marks  # somebody spoke of it meanwhile
        match settlement:
            case Finished():
                return self._finish(settlement, marked=marked)
            case Failed():
                self.due_at = self.not_before = settlement.retry_at
                self.priority = (
                    min(self.priority, settlement.priority) if marked else settlement.priority
                )
                self.attempts += settlement.counts
                self.failing_since = self.failing_since or now
                self.reasons = (settlement.reason,)
            case Parked():
                self.parked, self.let_go = not marked, marked
                self.due_at = self.due_at if marked else settlement.retry_at
                self.reasons = settlement.reasons
                self.not_before = None
        return True

    def _finish(self, settlement: Finished, *, marked: bool) -> bool:
        self.attempts = 0
        self.failing_since = self.not_before = None
        self.reasons = ()
        self.parked = self.let_go = False
        if marked:
            self.marked_at = self.later_at
            self.hint = settlement.hint.merged(self.hint)
            self.due_at = min(self.due_at, settlement.next_due or self.due_at)
            return True
        if settlement.next_due is None:
            return False
        self.marked_at = None
        self.hint = settlement.hint
        self.due_at = settlement.next_due
        self.priority = settlement.priority
        return True

    def shown(self, now: datetime) -> PendingRow:
        """As operators see it."""
        return PendingRow(
            connection=self.connection,
            context=self.context,
            key=self.key,
            due_at=self.due_at,
            priority=self.priority,
            attempts=self.attempts,
            marked_at=self.marked_at or self.due_at,
            parked=self.parked,
            reasons=self.reasons,
            leased=self.leased(now),
        )
