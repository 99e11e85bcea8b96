"""The hub as its operator runs it: one process or several, and the command line beside them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import connector
from connector.drivers.vault import generate_key
from connector.sandbox.demo.application import application_environment
from connector.sandbox.demo.door import Door
from connector.sandbox.demo.options import DemoOptions
from connector.sandbox.demo.stage import Stage
from connector.sandbox.demo.supervised import HubError, Supervised, die_with_parent

_LEASE_S, _SHARED_LEASE_S = 2, 5
"""Real seconds: what a killed hub was working on is taken up again so soon. Leases are renewed
three times as often, which costs a database on the same machine more than a file.
"""
_SHUTDOWN_S = 5.0
_COMMAND = (sys.executable, "-m", "connector.cli.main")


class Installation:
    """Starts, kills and restarts the processes of a hub, and runs commands on its ledger.

    Without further options it is one process with the embedded drivers; with ``web`` and
    ``workers`` there are that many of each, behind one address.
    """

    def __init__(self, stage: Stage, place: Path) -> None:
        options = stage.options
        self._place = place
        self._port = free_ports(1)[0]
        self.clock = stage.clock
        """The day's, which the processes follow."""
        self._environment = _environment(stage, place, self._port)
        self.processes = list(self._planned(options))
        webs = [process.port for process in self.processes[: max(1, options.web)]]
        self._door = Door(lambda: webs) if options.web else None
        self.kills = 0
        self._dying: list[Supervised] = []
        """Killed and not up again yet."""

    def _planned(self, options: DemoOptions) -> Iterator[Supervised]:
        if not options.web:
            yield self._process("all", "hub", self._port)
            return
        for number in range(options.web):
            yield self._process("web", f"web{number}", free_ports(1)[0])
        for number in range(options.workers):
            yield self._process("worker", f"worker{number}", 0)

    def _process(self, role: str, name: str, port: int) -> Supervised:
        admin = free_ports(1)[0]
        environment = {
            **self._environment,
            "CONNECTOR_ADMIN_BIND": f"127.0.0.1:{admin}",
            "CONNECTOR_BIND": f"127.0.0.1:{port}",
        }
        arguments = (*_COMMAND, "serve", "--role", role)
        return Supervised(arguments, environment, self._place / f"{name}.log", port or admin)

    @property
    def crashes(self) -> list[str]:
        """Ends nobody asked for."""
        return [crash for process in self.processes for crash in process.crashes]

    async def start(self) -> None:
        """Start all processes and wait until they take calls.

        Raises:
            HubError: one does not.
        """
        if self._door is not None:
            await self._door.open(self._port)
        await asyncio.gather(*(process.start() for process in self.processes))

    async def kill_one(self, dice: Random) -> None:
        """Kill one process without any warning, and start it again a moment later."""
        free = [each for each in self.processes if each not in self._dying]
        if not free:
            return
        victim = dice.choice(free)
        self._dying.append(victim)
        self.kills += 1
        try:
            await victim.end(signal.SIGKILL, _SHUTDOWN_S)
            await asyncio.sleep(dice.uniform(0.0, 0.3))
            with suppress(HubError):
                await victim.start()
        finally:
            self._dying.remove(victim)

    async def restart_if_down(self) -> None:
        """Start whatever was just killed."""
        await asyncio.gather(*(each.start() for each in self.processes if each.down))

    async def stop(self) -> None:
        """Ask all to end; kill those that do not."""
        ends = [each.end(signal.SIGTERM, _SHUTDOWN_S + 1) for each in self.processes]
        await asyncio.gather(*ends)
        if self._door is not None:
            await self._door.close()

    async def run(self, *arguments: str) -> str:
        """Run one command of the command line; returns what it prints.

        Raises:
            HubError: it failed.
        """
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, *arguments,
            env=self._environment, cwd=self._place, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            start_new_session=True, preexec_fn=die_with_parent,
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


def _environment(stage: Stage, place: Path, port: int) -> dict[str, str]:
    """The processes' environment without settings of any other hub."""
    options = stage.options
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CONNECTOR_")}
    root = str(Path(connector.__file__).resolve().parent.parent)
    paths = [root, *filter(None, [kept.get("PYTHONPATH")])]
    embedded = f"sqlite:///{quote(str(place / 'hub.db'))}"
    return {
        **kept,
        **application_environment(options.adapter, stage.market, stage.market_url),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "CONNECTOR_STORE_URL": options.store_url or embedded,
        "CONNECTOR_BROKER_URL": options.broker_url or "memory://",
        "CONNECTOR_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "CONNECTOR_SECRET_KEY": generate_key(),
        "CONNECTOR_ALLOW_HOSTS": stage.hosts,
        "CONNECTOR_TIME_SCALE": str(stage.clock.scale),
        "CONNECTOR_CLOCK_EPOCH": stage.clock.epoch.isoformat(),
        "CONNECTOR_LEASE_S": str(_SHARED_LEASE_S if options.broker_url else _LEASE_S),
        "CONNECTOR_SHUTDOWN_S": str(_SHUTDOWN_S),
    }
