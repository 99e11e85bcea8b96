"""What RabbitMQ, and the network before it, may do to publishers and consumers."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.chaos.verdict import Verdict

_FOLDER = "tests/integration/rabbit"
_WITHIN_S = 500.0
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class _Row:
    """A row of the table: the bounds are in the tests themselves, which tell what they measured."""

    proof: str
    wanted: str
    tests: Mapping[str, tuple[str, ...]]
    """By what it is that they measure."""

    @property
    def all(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(name for names in self.tests.values() for name in names)


_ROWS: Sequence[_Row] = (
    _Row(
        "Broker faults through a fault proxy: reset, blackhole, slow, half-closed",
        "publish returns or raises <= 5 s, consumers back <= 30 s, 0 lost",
        {
            "slowest publish": (
                "test_a_publish_while_rabbitmq_is_away_ends",
                "test_a_publish_to_who_does_not_answer_ends",
                "test_a_publish_over_a_broken_connection_ends",
            ),
            "consumers back after at most": (
                "test_consumers_are_back_after_the_network_is",
                "test_a_killed_rabbitmq_comes_back_with_its_turns",
            ),
        },
    ),
    _Row(
        "Server-sent cancel, queue deleted, consumer timeout",
        "consuming again <= 15 s, metric raised",
        {
            "consuming again after at most": (
                "test_a_consumer_that_ends_is_made_anew",
                "test_a_cancel_that_was_missed_is_noticed_by_watching",
                "test_a_consumer_timeout_is_survived",
            ),
        },
    ),
    _Row(
        "Unroutable publish",
        "reported 100/100, work done after repair",
        {"": ("test_an_unroutable_or_refused_publish_is_reported",)},
    ),
)


async def prove(_machines: object, short: bool) -> list[Verdict]:
    """Run the driver's own tests on a RabbitMQ of theirs and read how they ended."""
    with tempfile.TemporaryDirectory(prefix="hub-broker-") as folder:
        report = Path(folder) / "report.xml"
        names = " or ".join(name for row in _ROWS for name in row.all)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", _FOLDER),
            *("-k", names, f"--junitxml={report}"),
            cwd=_ROOT,
            env={
                **os.environ,
                "CONNECTOR_REQUIRE_SERVERS": "1",
                "CONNECTOR_LONG_FORM": "0" if short else "1",
            },
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            await asyncio.wait_for(process.wait(), _WITHIN_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        if not report.exists():
            return [Verdict(row.proof, row.wanted, "no report", ok=False) for row in _ROWS]
        cases = list(ET.parse(report).getroot().iter("testcase"))
    return [_verdict(row, cases) for row in _ROWS]


def _verdict(row: _Row, cases: Sequence[ET.Element]) -> Verdict:
    mine = [case for case in cases if _name(case) in row.all]
    good = [case for case in mine if not _ended_badly(case)]
    figures = {
        what: max((_took_s(case) for case in mine if _name(case) in names), default=0.0)
        for what, names in row.tests.items()
        if what
    }
    return Verdict(
        row.proof,
        row.wanted,
        ", ".join(
            [
                f"{len(good)} of {len(mine)} checks hold",
                *(f"{what} {seconds:.1f} s" for what, seconds in figures.items()),
            ]
        ),
        len(good) == len(mine) and {_name(case) for case in mine} == set(row.all),
        figures,
    )


def _name(case: ET.Element) -> str:
    return case.get("name", "").partition("[")[0]


def _took_s(case: ET.Element) -> float:
    told = (one for one in case.iter("property") if one.get("name") == "took_s")
    return max((float(one.get("value", "0")) for one in told), default=0.0)


def _ended_badly(case: ET.Element) -> bool:
    return any(child.tag in {"failure", "error", "skipped"} for child in case)
