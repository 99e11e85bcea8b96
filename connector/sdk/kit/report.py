"""What came of every rule, and what it means for the level."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from connector.sdk.kit.ladder import Level, Step


class Verdict(StrEnum):
    """What came of one rule."""

    PASSED = "passed"
    FAILED = "FAILED"
    EXEMPT = "exempt"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Row:
    """One rule and what came of it; ``says`` are problems, or the reason it did not count."""

    step: Step
    verdict: Verdict
    says: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """All rules of an adapter. ``broken`` says why nothing could be checked at all."""

    name: str
    declared: Level
    rows: tuple[Row, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it keeps the rules of the level it declares."""
        return not self.broken and not self.failures()

    @property
    def reached(self) -> Level | None:
        """The highest level whose rules, and all below, are kept; None where bronze is not."""
        failed = [row.step.level for row in self.rows if row.verdict is Verdict.FAILED]
        if self.broken or Level.BRONZE in failed:
            return None
        return Level(min(failed) - 1) if failed else Level.GOLD

    def failures(self) -> list[Row]:
        """What fails at the declared level or below."""
        return [
            row
            for row in self.rows
            if row.verdict is Verdict.FAILED and row.step.level <= self.declared
        ]
