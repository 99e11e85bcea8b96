"""The demo as users run it: real processes, real sockets, a short day."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[3]
_SMALL = ("--skus", "40", "--orders", "12", "--time-scale", "900")


async def start(*arguments: str, temp: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "connector.cli.main", "demo", *arguments,
        cwd=temp, env={**os.environ, "TMPDIR": str(temp), "PYTHONPATH": str(_ROOT)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


async def finish(process: asyncio.subprocess.Process, within_s: float = 200) -> tuple[int, str]:
    try:
        async with asyncio.timeout(within_s):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    return process.returncode or 0, out.decode()


def read(file: Path) -> dict:
    return json.loads(file.read_text("utf-8"))


def lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def names_in(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def processes_in(place: Path) -> list[int]:
    """Processes that work in a folder or below it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if (entry / "cwd").readlink().is_relative_to(place):
                    found.append(int(entry.name))
            except OSError:
                continue  # it ended, or is not ours
    return found


@pytest.mark.parametrize(
    ("faults", "seed"), [("none", "1"), ("normal", "2"), ("hard", "3"), ("normal", "4")]
)
async def test_a_short_day(faults: str, seed: str, tmp_path: Path):
    report = tmp_path / "report.json"
    process = await start(
        *_SMALL, "--faults", faults, "--seed", seed, "--json", str(report), temp=tmp_path
    )
    code, out = await finish(process)
    told = read(report)
    wrong = [row for row in told["invariants"] if not row["ok"]]
    assert (code, wrong) == (0, []), out
    assert (told["skus"], told["orders"], told["seed"]) == (40, 12, int(seed))
    assert 0 < told["duration_s"] < 90
    assert all({"name", "ok", "expected", "actual"} <= row.keys() for row in told["invariants"])
    counted = {row["name"]: row["expected"] for row in told["invariants"]}
    assert counted["orders-sold"] == 12
    assert counted["one-vtex-order-per-paid-order"] > 0
    assert counted["invoices-arrived-once"] > 0
    assert counted["cancelled-on-both-sides"] > 0
    assert (told["kills"] > 0) == (faults == "hard")
    assert bool(sum(told["faults"].values())) == (faults != "none")
    assert "everything held" in out
    assert names_in(tmp_path) == ["report.json"]
    assert processes_in(tmp_path) == []


async def test_what_is_kept(tmp_path: Path):
    kept = tmp_path / "kept"
    process = await start(
        "--skus", "10", "--orders", "3", "--time-scale", "2000", "--faults", "none",
        "--keep", str(kept), temp=tmp_path,
    )  # fmt: skip
    code, out = await finish(process)
    assert code == 0, out
    assert set(names_in(kept)) >= {
        "hub.db", "hub.log", "connection.json", "vtex-ledger.jsonl", "marketplace-ledger.jsonl",
    }  # fmt: skip
    assert sum(row["kind"] == "sale" for row in lines(kept / "marketplace-ledger.jsonl")) == 3
    assert processes_in(tmp_path) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_stopped_in_the_middle_nothing_is_left(how: signal.Signals, tmp_path: Path):
    process = await start(*_SMALL, "--faults", "normal", temp=tmp_path)
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while b"the shop is open" not in await process.stdout.readline():
            assert process.returncode is None
    assert processes_in(tmp_path)
    process.send_signal(how)
    code, out = await finish(process, within_s=20)
    assert code == 130
    assert "stopped" in out
    assert "Traceback" not in out
    assert names_in(tmp_path) == []
    assert processes_in(tmp_path) == []


async def test_an_adapter_without_a_simulator_is_refused(tmp_path: Path):
    process = await start("--adapter", "nobody", temp=tmp_path)
    code, out = await finish(process)
    assert code == 2
    assert "nobody" in out
    assert names_in(tmp_path) == []
