"""The figures as rows: what must be, what is aimed at, what was measured."""

from __future__ import annotations

import json
import math
import os
import platform
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
_WIDTH = 100


@dataclass
class Row:
    """One figure. ``at_most``: smaller is better. Without ``must`` it is only reported."""

    key: str
    what: str
    measured: float
    must: float | None = None
    goal: float | None = None
    at_most: bool = False
    unit: str = ""
    note: str = ""
    rounds: Sequence[float] = ()
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it is as good as it must be."""
        return self.must is None or self._reaches(self.must)

    @property
    def verdict(self) -> str:
        """In a word: does it do what it must, and what is aimed at?"""
        if not self.ok:
            return "FAILS"
        if self.goal is None:
            return "-"
        return "goal" if self._reaches(self.goal) else ("ok" if self.must is not None else "below")

    def _reaches(self, mark: float) -> bool:
        if math.isnan(self.measured):
            return False
        return self.measured <= mark if self.at_most else self.measured >= mark

    def bound(self, mark: float | None) -> str:
        """A bound as people read it."""
        if mark is None:
            return "report"
        return f"{'<=' if self.at_most else '>='} {_number(mark)}"


def show(rows: Sequence[Row]) -> str:
    """The table as text."""
    head = ("what", "must", "goal", "measured", "ok")
    lines = [
        (
            row.what,
            row.bound(row.must),
            row.bound(row.goal) if row.goal is not None else "",
            f"{_number(row.measured)} {row.unit}".strip(),
            row.verdict,
        )
        for row in rows
    ]
    widths = [max(len(line[at]) for line in (head, *lines)) for at in range(len(head))]
    shown = []
    for at, line in enumerate((head, *lines)):
        shown.append("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)))
        if at == 0:
            shown.append("  ".join("-" * width for width in widths))
        elif rows[at - 1].note:
            shown += textwrap.wrap(
                rows[at - 1].note, _WIDTH, initial_indent="    ", subsequent_indent="    "
            )
    return "\n".join(line.rstrip() for line in shown)


def keep(
    rows: Sequence[Row], mode: str, started: datetime, place: Path = RESULTS
) -> dict[str, Any]:
    """Write the figures as JSON, under their time and as the latest ones."""
    told = {
        "started": started.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
        "mode": mode,
        "machine": {
            "python": platform.python_version(),
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
        },
        "rows": [
            {**asdict(row), "ok": row.ok, "verdict": row.verdict, "measured": _plain(row.measured)}
            for row in rows
        ],
    }
    place.mkdir(parents=True, exist_ok=True)
    text = json.dumps(told, indent=2) + "\n"
    for name in (f"{started:%Y%m%dT%H%M%SZ}", "latest"):
        (place / f"{name}.json").write_text(text)
    return told


def _number(value: float) -> str:
    if math.isnan(value):
        return "none"
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"


def _plain(value: float) -> float | None:
    """JSON knows no NaN."""
    return None if math.isnan(value) else value
