"""The benchmarks run, and keep what they find; how fast anything is does not matter here."""

from __future__ import annotations

import json
import math

from benchmarks.__main__ import main
from benchmarks.sizes import FULL, QUICK, TINY
from benchmarks.table import Row, keep, show
from tests.servers import machines

KEYS = [
    "acks",
    "load",
    "load-loop",
    "wave",
    "latency-p50",
    "latency-p99",
    "reindex-reads",
    "reindex-pushes",
    "memory",
]
GROWN = [
    "grown-acks",
    "grown-load",
    "grown-wave",
    "grown-messages",
    "growth-connections-4",
    "growth-listings-100",
]


def test_every_figure_is_measured_shown_and_kept(tmp_path, capsys):
    main(["--sizes", "tiny", "--results", str(tmp_path)])
    told = json.loads((tmp_path / "latest.json").read_text())
    expected = [*KEYS, *(GROWN if machines.available() else [])]
    assert [row["key"] for row in told["rows"]] == expected
    assert told["mode"] == "tiny"
    assert told["machine"]["cores"]
    assert len(list(tmp_path.glob("2*.json"))) == 1
    rows = {row["key"]: row for row in told["rows"]}
    assert all(math.isfinite(row["measured"]) for row in told["rows"])
    assert rows["reindex-reads"]["measured"] == 1
    assert rows["reindex-pushes"]["measured"] == 0
    assert rows["load"]["detail"]["calls"][0]["read"] == TINY.skus
    assert set(rows["acks"]["detail"]["generator_cpu_share"]) == {"hub", "bare", "app", "null"}
    shown = capsys.readouterr().out
    assert all(row["what"] in shown for row in told["rows"])


def test_a_row_knows_what_it_must_be():
    assert Row("a", "a", 0.5, must=0.4, goal=0.6).verdict == "ok"
    assert Row("a", "a", 0.3, must=0.4, goal=0.6).verdict == "FAILS"
    assert Row("a", "a", 1.05, must=1.3, goal=1.1, at_most=True).verdict == "goal"
    assert Row("a", "a", 160, goal=150, at_most=True).verdict == "below"
    assert not Row("a", "a", math.nan, must=1).ok


def test_what_was_not_measured_is_no_number(tmp_path):
    from datetime import UTC, datetime

    row = Row("a", "nothing", math.nan, must=1)
    told = keep([row], "tiny", datetime.now(UTC), tmp_path)
    assert told["rows"][0]["measured"] is None
    assert "none" in show([row])


def test_all_sizes_measure_the_same_things():
    for sizes in (FULL, QUICK, TINY):
        assert sizes.loop_skus <= sizes.skus
        assert sizes.reindex_skus <= sizes.skus
        assert sizes.reindex_notifications % sizes.reindex_skus == 0
        assert sizes.changes <= sizes.skus
