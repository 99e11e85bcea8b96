"""What a proof found."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Verdict:
    """One row of the table: what had to hold, what was measured, and whether it held."""

    proof: str
    wanted: str
    found: str
    ok: bool
    figures: dict[str, float] = field(default_factory=dict)


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of them lies; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
