"""The report at the end: what happened, what was thrown at the hub, and what held."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from connector.sandbox.demo.invariants import Finding
from connector.sandbox.demo.options import DemoOptions

_SHOWN = 5
"""Most offending ids shown per invariant; the JSON has all."""


@dataclass(frozen=True)
class Report:
    """Everything that is told about a finished demo."""

    options: DemoOptions
    findings: Sequence[Finding]
    duration_s: float
    counts: Mapping[str, int] = field(default_factory=dict)
    faults: Mapping[str, int] = field(default_factory=dict)
    repeats: Mapping[str, int] = field(default_factory=dict)
    kills: int = 0

    @property
    def ok(self) -> bool:
        """Whether every invariant holds."""
        return bool(self.findings) and all(finding.ok for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        options = self.options
        return {
            "ok": self.ok,
            "skus": options.skus,
            "orders": options.orders,
            "seed": options.seed,
            "adapter": options.adapter,
            "fault_level": options.faults,
            "time_scale": options.time_scale,
            "duration_s": round(self.duration_s, 2),
            "invariants": [finding.as_json() for finding in self.findings],
            "counts": dict(self.counts),
            "faults": dict(self.faults),
            "repeats": dict(self.repeats),
            "kills": self.kills,
        }

    def write(self, file: Path) -> None:
        """Write the JSON."""
        text = json.dumps(self.as_json(), indent=2, ensure_ascii=False)
        file.write_text(f"{text}\n", encoding="utf-8")

    def show(self, console: Console) -> None:
        """Print it for people."""
        console.print(_counts("What happened", self.counts))
        console.print(_counts("Repeated", self.repeats))
        thrown = dict(self.faults) | ({"the hub killed": self.kills} if self.kills else {})
        console.print(_counts("Thrown in", thrown))
        console.print(self._invariants())
        for finding in self.findings:
            self._explain(console, finding)
        verdict = "everything held" if self.ok else "NOT everything held"
        held = sum(finding.ok for finding in self.findings)
        text = f"{verdict}: {held} of {len(self.findings)} invariants, {self.duration_s:.1f} s"
        console.print(Text(text, style="bold green" if self.ok else "bold red"))

    def _invariants(self) -> Table:
        table = Table(title="Invariants, by both sides' own books")
        table.add_column("")
        table.add_column("invariant")
        table.add_column("expected", justify="right")
        table.add_column("actual", justify="right")
        for finding in self.findings:
            mark = Text("ok", style="green") if finding.ok else Text("FAIL", style="bold red")
            table.add_row(mark, finding.title, str(finding.expected), str(finding.actual))
        return table

    @staticmethod
    def _explain(console: Console, finding: Finding) -> None:
        if finding.ok:
            return
        console.print(Text(f"{finding.name}:", style="bold red"))
        for detail in finding.details[:_SHOWN]:
            console.print(Text(f"  {detail}"))
        more = len(finding.details) - _SHOWN
        if more > 0:
            console.print(Text(f"  and {more} more"))


def _counts(title: str, counts: Mapping[str, int]) -> Table:
    table = Table(title=title, show_header=False, min_width=48)
    table.add_column()
    table.add_column(justify="right")
    for name, count in sorted(counts.items()):
        if count:
            table.add_row(name, str(count))
    return table
