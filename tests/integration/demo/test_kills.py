"""The merchant's day, with the hub killed over and over at random moments."""

from __future__ import annotations

from pathlib import Path

from tests.integration.demo.test_demo import finish, read, start

_KILLS = 20


async def test_twenty_kills_in_a_day_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    process = await start(
        "--skus", "60", "--orders", "20", "--seed", "6", "--faults", "hard",
        "--time-scale", "130", "--kill-every", "0.8", "--json", str(file),
        temp=tmp_path,
    )  # fmt: skip
    code, said = await finish(process, within_s=330)
    report = read(file)
    wrong = [row for row in report["invariants"] if not row["ok"]]
    assert report["kills"] >= _KILLS, f"only {report['kills']} kills"
    assert not wrong, f"{wrong}\n{said[-3000:]}"
    assert code == 0
