"""``python -m benchmarks [--quick]``: measure, print the table, keep the JSON."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import acks, changes, grown, growth, loads, memory
from benchmarks.sizes import FULL, QUICK, SIZES, Sizes
from benchmarks.table import RESULTS, Row, keep, show
from tests.servers import machines


async def measure(sizes: Sizes, place: Path) -> list[Row]:
    """Every figure, one after another: the machine is theirs alone in turns."""
    rows: list[Row] = []
    async with loads.standing_in(sizes.skus) as peers:
        with _told("acknowledgements"):
            rows += await acks.measure(sizes, place / "acks", peers.host)
        with _told("first load and wave"):
            figures, ledger = await loads.measure(sizes, place, peers)
            rows += figures
        with _told("changes and reindex"):
            rows += await changes.measure(sizes, ledger, peers)
        with _told("memory"):
            rows += await memory.measure(sizes, place / "memory", ledger, peers)
    if not machines.available():
        sys.stderr.write("MongoDB and RabbitMQ: left out, make servers obtains them\n")
        return rows
    async with machines.machines() as on, loads.standing_in(sizes.skus) as peers:
        with _told("MongoDB and RabbitMQ"):
            rows += await grown.measure(sizes, place, peers, on)
        with _told("growth"):
            rows += await growth.measure(sizes, place, peers, on)
    return rows


class _told:  # noqa: N801 - used like a function
    """Tell on stderr what is being measured, and how long it took."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        self._began = time.monotonic()
        sys.stderr.write(f"{self._what} ... ")
        sys.stderr.flush()

    def __exit__(self, *_: object) -> None:
        sys.stderr.write(f"{time.monotonic() - self._began:.0f} s\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 where a figure is not what it must be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller numbers, within a minute")
    parser.add_argument("--sizes", choices=sorted(SIZES), help="which numbers exactly")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the JSON is kept")
    asked = parser.parse_args(arguments)
    sizes = SIZES[asked.sizes] if asked.sizes else QUICK if asked.quick else FULL
    started = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        rows = asyncio.run(measure(sizes, Path(place)))
    told = keep(rows, sizes.name, started, asked.results)
    print(show(rows))
    print(f"\n{sizes.name} run of {told['seconds']:.0f} s, kept in {asked.results / 'latest.json'}")
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
