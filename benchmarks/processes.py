"""The other processes of a measurement: started, watched, ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_TICKS = os.sysconf("SC_CLK_TCK")
_START_S = 30.0


def cpu_of(pids: Iterable[int]) -> float:
    """Seconds of processor time that processes have used, all threads."""
    spent = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        spent += int(fields[11]) + int(fields[12])
    return spent / _TICKS


class DidNotStart(Exception):
    """A process ended, or said nothing, before it was ready."""


class Worker:
    """A process that was started; knows what it costs."""

    def __init__(self, process: asyncio.subprocess.Process, told: dict[str, Any]) -> None:
        self._process = process
        self.told = told
        self.pid = process.pid

    def cpu_s(self) -> float:
        """Seconds of processor time it has used, all threads."""
        return cpu_of([self.pid])

    def rss_mb(self) -> float:
        """Memory it holds now, in MB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        return 0.0

    async def end(self) -> None:
        """Ask it to end, and wait."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), 15)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def module(name: str, *arguments: str) -> AsyncIterator[Worker]:
    """Run a module that prints one line of JSON when it is ready."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", name, *arguments,
        env=environment({}), cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    worker = Worker(process, {})
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), _START_S)
        if not line:
            raise DidNotStart(f"{name} ended at once")
        worker.told = json.loads(line)
        yield worker
    finally:
        await worker.end()


@asynccontextmanager
async def serving(
    place: Path, role: str, settings: dict[str, str], name: str
) -> AsyncIterator[Worker]:
    """Run ``connector serve``; ``told`` is its ready event."""
    log = place / f"{name}.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "connector.cli.main", "serve", "--role", role,
            env=environment(settings), cwd=place, stdout=out, stderr=out,
        )  # fmt: skip
    worker = Worker(process, {})
    try:
        async with asyncio.timeout(_START_S):
            while not worker.told:
                if process.returncode is not None:
                    raise DidNotStart(log.read_text()[-2000:])
                worker.told = _ready(log.read_text())
                await asyncio.sleep(0.05)
        yield worker
    finally:
        await worker.end()


def _ready(log: str) -> dict[str, Any]:
    for line in log.splitlines():
        if '"ready"' in line:
            return dict(json.loads(line))
    return {}


def environment(settings: dict[str, str]) -> dict[str, str]:
    """This environment without settings of any other hub."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CONNECTOR_")}
    named = {f"CONNECTOR_{name}": text for name, text in settings.items()}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        **named,
    }
