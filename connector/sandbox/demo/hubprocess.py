"""The hub as a process of its own, and the command line as its operator uses it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import connector
from connector.drivers.vault import generate_key
from connector.sandbox.demo.stage import Stage

_UP_WITHIN_S = 30.0
_LEASE_S = 2
"""Real seconds: what a killed hub was working on is taken up again so soon."""
_SHUTDOWN_S = 5.0


class HubError(Exception):
    """The hub, or a command given to it, did not do what it should; the message shows its words."""


class HubProcess:
    """Starts, kills and restarts ``connector serve``, and runs commands on its ledger."""

    def __init__(self, stage: Stage, place: Path) -> None:
        self._place = place
        self._port, admin = free_ports(2)
        self._environment = _environment(stage, place, self._port, admin)
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self.kills = 0
        self.crashes: list[str] = []
        """Ends nobody asked for."""

    @property
    def log(self) -> Path:
        """What the hub says."""
        return self._place / "hub.log"

    async def start(self) -> None:
        """Start it and wait until it takes calls.

        Raises:
            HubError: it does not.
        """
        with self.log.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                *_COMMAND, "serve",
                env=self._environment, cwd=self._place, stdout=out, stderr=out,
                stdin=asyncio.subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        process = self._process
        try:
            async with asyncio.timeout(_UP_WITHIN_S):
                while not await self._answers():
                    if process.returncode is not None:
                        raise HubError(f"the hub does not start: {self.last_words()}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise HubError(f"the hub does not take calls: {self.last_words()}") from None
        self._watch = asyncio.create_task(self._keep_up(process))

    async def kill(self) -> None:
        """Kill it without any warning."""
        self.kills += 1
        await self._end(signal.SIGKILL)

    async def restart_if_down(self) -> None:
        """Start it where it was just killed."""
        if self._process is None or self._process.returncode is not None:
            await self.start()

    async def stop(self) -> None:
        """Ask it to end; kill it where it does not."""
        await self._end(signal.SIGTERM)

    async def run(self, *arguments: str) -> str:
        """Run one command of the command line; returns what it prints.

        Raises:
            HubError: it failed.
        """
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, *arguments,
            env=self._environment, cwd=self._place, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        try:
            out, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            told = (out + errors).decode("utf-8", "replace").strip()
            raise HubError(f"connector {' '.join(arguments)}: {told[-2000:]}")
        return out.decode()

    async def run_json(self, *arguments: str) -> Any:
        """Run one command that prints JSON."""
        return json.loads(await self.run(*arguments))

    def last_words(self) -> str:
        """The end of its log."""
        if not self.log.exists():
            return "it said nothing"
        return self.log.read_text("utf-8", "replace")[-1500:].strip() or "it said nothing"

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True

    async def _keep_up(self, process: asyncio.subprocess.Process) -> None:
        """Notice an end that nobody asked for, and start it again as a supervisor would."""
        code = await process.wait()
        self.crashes.append(f"exit code {code}: {self.last_words()[-300:]}")
        await self.start()

    async def _end(self, how: signal.Signals) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError, HubError):
                await self._watch
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(how)
        try:
            async with asyncio.timeout(_SHUTDOWN_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody uses now."""
    doors = [socket.socket() for _ in range(count)]
    try:
        for door in doors:
            door.bind(("127.0.0.1", 0))
        return [int(door.getsockname()[1]) for door in doors]
    finally:
        for door in doors:
            door.close()


_COMMAND = (sys.executable, "-m", "connector.cli.main")


def _environment(stage: Stage, place: Path, port: int, admin: int) -> dict[str, str]:
    """The process's environment without settings of any other hub."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CONNECTOR_")}
    root = str(Path(connector.__file__).resolve().parent.parent)
    paths = [root, *filter(None, [kept.get("PYTHONPATH")])]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "CONNECTOR_STORE_URL": f"sqlite:///{quote(str(place / 'hub.db'))}",
        "CONNECTOR_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "CONNECTOR_BIND": f"127.0.0.1:{port}",
        "CONNECTOR_ADMIN_BIND": f"127.0.0.1:{admin}",
        "CONNECTOR_SECRET_KEY": generate_key(),
        "CONNECTOR_ALLOW_HOSTS": stage.hosts,
        "CONNECTOR_TIME_SCALE": str(stage.clock.scale),
        "CONNECTOR_CLOCK_EPOCH": stage.clock.epoch.isoformat(),
        "CONNECTOR_LEASE_S": str(_LEASE_S),
        "CONNECTOR_SHUTDOWN_S": str(_SHUTDOWN_S),
    }
