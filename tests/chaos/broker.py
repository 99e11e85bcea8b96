"""What RabbitMQ, and the network before it, may do to publishers and consumers."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.chaos.verdict import Verdict

_FOLDER = "tests/integration/rabbit"
_WITHIN_S = 400.0
_ROOT = Path(__file__).parents[2]

# The bounds are in the tests themselves; here is which of them make a row.
_ROWS: Sequence[tuple[str, str, tuple[str, ...]]] = (
    (
        "Broker faults through a fault proxy: reset, blackhole, slow, half-closed",
        "publish returns or raises <= 5 s, consumers back <= 30 s, 0 lost",
        (
            "test_a_publish_while_rabbitmq_is_away_ends",
            "test_a_publish_to_who_does_not_answer_ends",
            "test_a_publish_over_a_broken_connection_ends",
            "test_consumers_are_back_after_the_network_is",
            "test_a_killed_rabbitmq_comes_back_with_its_turns",
        ),
    ),
    (
        "Server-sent cancel, queue deleted, consumer timeout",
        "consuming again <= 15 s, metric raised",
        (
            "test_a_consumer_that_ends_is_made_anew",
            "test_a_cancel_that_was_missed_is_noticed_by_watching",
            "test_a_consumer_timeout_is_survived",
        ),
    ),
    (
        "Unroutable publish",
        "reported 100/100, work done after repair",
        ("test_an_unroutable_or_refused_publish_is_reported",),
    ),
)


async def prove(_machines: object, _short: bool) -> list[Verdict]:
    """Run the driver's own tests on a RabbitMQ of theirs and read how they ended."""
    with tempfile.TemporaryDirectory(prefix="hub-broker-") as folder:
        report = Path(folder) / "report.xml"
        names = " or ".join(name for _, _, tests in _ROWS for name in tests)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", _FOLDER),
            *("-k", names, f"--junitxml={report}"),
            cwd=_ROOT,
            env={**os.environ, "CONNECTOR_REQUIRE_SERVERS": "1"},
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            await asyncio.wait_for(process.wait(), _WITHIN_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        if not report.exists():
            return [Verdict(proof, wanted, "no report", ok=False) for proof, wanted, _ in _ROWS]
        cases = list(ET.parse(report).getroot().iter("testcase"))
    return [_verdict(*row, cases) for row in _ROWS]


def _verdict(proof: str, wanted: str, tests: Sequence[str], cases: Sequence[ET.Element]) -> Verdict:
    mine = [case for case in cases if case.get("name", "").partition("[")[0] in tests]
    good = [case for case in mine if not _ended_badly(case)]
    slowest = max((float(case.get("time", "0")) for case in mine), default=0.0)
    ran = {case.get("name", "").partition("[")[0] for case in mine}
    return Verdict(
        proof,
        wanted,
        f"{len(good)} of {len(mine)} checks hold, the longest took {slowest:.1f} s",
        len(good) == len(mine) and ran == set(tests),
        {"slowest_s": slowest},
    )


def _ended_badly(case: ET.Element) -> bool:
    return any(child.tag in {"failure", "error", "skipped"} for child in case)
