"""Runs a demo from beginning to end and cleans up after it, however it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

from rich.console import Console

from connector.sandbox.demo.application import introduce, keep_access
from connector.sandbox.demo.books import Books
from connector.sandbox.demo.inspect import read_books, with_parked
from connector.sandbox.demo.installation import Installation
from connector.sandbox.demo.invariants import Finding, judge
from connector.sandbox.demo.options import DemoOptions
from connector.sandbox.demo.oversell import excused
from connector.sandbox.demo.progress import Progress
from connector.sandbox.demo.report import Report
from connector.sandbox.demo.scenario import Day, load_catalog, torment
from connector.sandbox.demo.stage import Stage, open_stage
from connector.sandbox.demo.supervised import HubError
from connector.sdk.testing.market import Paper

_LOOK_S, _LOOK_SHARE = 0.5, 9
"""How often it is looked at whether all holds: of a large day that must not be most of the work."""
_IN_A_ROW = 3
"""So often in a row all invariants must hold before the day counts as settled."""
_OURS = ("hub.db", "hub.db-wal", "hub.db-shm", "connection.json")
FAILED, REFUSED, STOPPED = 1, 2, 130

Trouble = Callable[[Installation], Coroutine[Any, Any, None]]
"""Something that happens to the hub during the day, and on until it ends by itself."""


async def run_demo(options: DemoOptions) -> int:
    """Run a demo; 0 only if every invariant holds at the end."""
    console = Console()
    demo = Demo(options, console)
    try:
        with _place(options) as place:
            report = await _until_told_to_stop(demo.run(place))
    except (HubError, LookupError, OSError) as error:
        console.print(str(error), style="bold red", highlight=False, markup=False)
        return REFUSED
    if report is None:
        console.print("stopped", style="bold red")
        return STOPPED
    report.show(console)
    if options.json_file is not None:
        report.write(options.json_file)
    return 0 if report.ok else FAILED


async def _until_told_to_stop(work: Coroutine[Any, Any, Report]) -> Report | None:
    """Do the work; SIGINT and SIGTERM end it, cleaned up, with None."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    signals = (signal.SIGINT, signal.SIGTERM)
    for each in signals:
        loop.add_signal_handler(each, task.cancel)
    try:
        await asyncio.wait([task])
    finally:
        for each in signals:
            loop.remove_signal_handler(each)
        if not task.done():  # cancelled by our own caller
            await _stopped(task)
    return None if task.cancelled() else task.result()


class Demo:
    """One run."""

    def __init__(
        self, options: DemoOptions, console: Console, troubles: Sequence[Trouble] = ()
    ) -> None:
        self._options = options
        self._troubles = troubles
        self._progress = Progress(console, self._numbers)
        self._stage: Stage | None = None
        self._day: Day | None = None
        self._hub: Installation | None = None
        self._listed = 0
        self._held = ""
        self.held_at = 0.0
        """Since when all invariants hold, by ``time.monotonic``; see ``_IN_A_ROW``."""

    async def run(self, place: Path) -> Report:
        """Set up, live the day, settle, judge.

        Raises:
            HubError: the hub does not start, or refuses what an operator asks of it.
        """
        began = monotonic()
        async with AsyncExitStack() as closing:
            await closing.enter_async_context(self._progress.shown())
            stage = self._stage = await closing.enter_async_context(open_stage(self._options))
            hub = self._hub = Installation(stage, place)
            closing.push_async_callback(hub.stop)
            day = self._day = Day(stage)
            closing.push_async_callback(day.close)
            connection_id = await self._connect(stage, hub, place)
            access = asyncio.create_task(keep_access(hub, stage.market, connection_id))
            closing.push_async_callback(_stopped, access)
            await self._live(stage, hub, day)
            self._progress.enter("the shop is closed; everything comes to rest")
            books, findings = await self._settle(stage, hub, day)
            if self._options.keep is not None:
                _write_ledgers(stage, place)
            return self._report(stage, hub, books, findings, monotonic() - began)

    async def _live(self, stage: Stage, hub: Installation, day: Day) -> None:
        """The day, and whatever happens to the hub meanwhile."""
        killing = asyncio.create_task(self._killing(hub)) if self._options.kills else None
        troubles = [asyncio.create_task(trouble(hub)) for trouble in self._troubles]
        try:
            self._progress.enter("the catalog is loaded")
            self._listed = await load_catalog(stage)
            self._progress.enter("the shop is open")
            await day.live()
            await _stopped(killing)
            await asyncio.gather(*troubles)
        finally:
            for trouble in (killing, *troubles):
                await _stopped(trouble)

    async def _connect(self, stage: Stage, hub: Installation, place: Path) -> str:
        """Do what a merchant's operator does to be connected; returns the connection's id."""
        self._progress.enter("the hub starts")
        await hub.start()
        self._progress.enter("the connection is added, checked and loaded")
        file = place / "connection.json"
        file.write_text(json.dumps(stage.connection_file(), indent=2), encoding="utf-8")
        file.chmod(0o600)
        urls = await hub.run_json("connection", "add", "--file", str(file))
        await introduce(hub, self._options.adapter, stage.market, urls)
        await hub.run("connection", "check", urls["id"], "--fix")
        stage.break_things()
        await hub.run("sync", urls["id"])
        return str(urls["id"])

    async def _killing(self, hub: Installation) -> None:
        dice = Random(self._options.seed + 5)  # noqa: S311 - a demo's dice
        await torment(hub, dice, self._options.kill_every_s)

    async def _settle(
        self, stage: Stage, hub: Installation, day: Day
    ) -> tuple[Books, list[Finding]]:
        """Wait until all holds, among faults at first, and then for a while without."""
        await hub.restart_if_down()
        if not await self._all_holds(stage, hub, day, self._options.patience_s):
            self._progress.enter("nothing fails any more")
            stage.mend_things()
            await self._all_holds(stage, hub, day, self._options.calm_s)
        books = await with_parked(read_books(stage, day, hub), hub)
        return books, judge(books)

    async def _all_holds(self, stage: Stage, hub: Installation, day: Day, within_s: float) -> bool:
        """Whether all holds several times in a row before patience is over."""
        deadline = monotonic() + within_s
        in_a_row, took = 0, 0.0
        while in_a_row < _IN_A_ROW and monotonic() < deadline:
            await asyncio.sleep(max(_LOOK_S, _LOOK_SHARE * took))
            began = monotonic()
            findings = judge(read_books(stage, day, hub))
            took = monotonic() - began
            held = sum(finding.ok for finding in findings)
            self._held = f"{held} of {len(findings)}"
            in_a_row = in_a_row + 1 if held == len(findings) else 0
            if in_a_row == 1:
                self.held_at = began
        return in_a_row >= _IN_A_ROW

    def _report(
        self,
        stage: Stage,
        hub: Installation,
        books: Books,
        findings: Sequence[Finding],
        duration_s: float,
    ) -> Report:
        counts = Counter(stage.events)
        counts["SKUs loaded before opening"] = self._listed
        counts["listings"] = len(books.shelf)
        counts["orders in VTEX"] = len(books.orders)
        counts["oversold before the hub could know"] = excused(books)
        counts["parked for a person"] = len(books.parked)
        counts["calls of the hub to VTEX"] = stage.store_tap.calls
        counts["calls of the hub to the marketplace"] = stage.market_tap.calls
        counts["calls to the hub"] = stage.outbound.calls
        return Report(
            self._options,
            findings,
            duration_s,
            counts=counts,
            faults=_faults(stage),
            repeats=_repeats(stage, books),
            kills=hub.kills,
        )

    def _numbers(self) -> dict[str, str]:
        stage, day, hub = self._stage, self._day, self._hub
        if stage is None or day is None or hub is None:
            return {}
        numbers = {
            "listed": len(stage.shelf()),
            "sold": day.sold,
            "in VTEX": len(stage.store.orders),
            "lives going on": len(day.unfinished),
            "invoices": stage.events["invoices"],
            "faults": sum(stage.faults.values()),
            "kills": hub.kills,
        }
        told = {name: str(number) for name, number in numbers.items()}
        return {"clock": f"{stage.clock.now():%H:%M}", **told, "invariants": self._held or "-"}


def _faults(stage: Stage) -> dict[str, int]:
    kinds = Counter(row.kind for row in stage.store.ledger)
    return {
        **stage.faults,
        "VTEX: notifications lost": kinds["notification.lost"],
        "VTEX: results lost": kinds["processing.lost"],
    }


def _repeats(stage: Stage, books: Books) -> dict[str, int]:
    """Calls that were made again, whoever made them."""
    rows = stage.store.ledger
    papers = [paper for bought in books.buys.values() for paper in bought.papers]
    return {
        "VTEX's calls to the hub": sum(row.kind == "callback.refused" for row in rows),
        "notifications": sum(
            row.kind == "notification.delivered" and row.data.get("attempt", 0) > 0 for row in rows
        ),
        "papers handed in again, to no effect": sum(_again(paper) for paper in papers),
        "calls to the hub without an answer": stage.outbound.unanswered,
    }


def _again(paper: Paper) -> int:
    arrivals = (paper.arrivals, paper.tracking_arrivals, paper.delivery_arrivals)
    return sum(count - 1 for count in arrivals if count)


def _write_ledgers(stage: Stage, place: Path) -> None:
    for name, ledger in (("vtex", stage.store.ledger), ("marketplace", stage.market.ledger)):
        with (place / f"{name}-ledger.jsonl").open("w", encoding="utf-8") as file:
            for row in ledger:
                line: dict[str, Any] = {"at": row.at, "kind": row.kind, "data": row.data}
                file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")


async def _stopped(task: asyncio.Task[Any] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextmanager
def _place(options: DemoOptions) -> Iterator[Path]:
    """Where hub and simulators keep what they write; gone afterwards unless it is to be kept."""
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
        for name in _OURS:  # of an earlier run
            (options.keep / name).unlink(missing_ok=True)
        for log in options.keep.glob("*.log"):
            log.unlink()
        yield options.keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="connector-demo-") as place:
        yield Path(place)
