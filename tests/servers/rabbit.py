"""A private RabbitMQ node on free loopback ports, in a folder of its own.

It can be killed and started again with its data on the same port, and it ends with the process that
started it, however that one ends. ``tests/servers/get.sh`` (``make servers``) obtains the files.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from connector.sandbox.demo.installation import free_ports

ROOT = Path(__file__).parents[2]
HOW = "no RabbitMQ: `make servers` gets one where apt works; elsewhere install rabbitmq-server"
_UNPACKED = ROOT / ".venv/servers/rabbitmq"
_INSTALLED = Path("/usr/lib/rabbitmq/bin")
_START_S = 60.0
_VHOSTS_AT_ONCE = 16

# Ends everything when the pipe to it closes, that is when its parent is gone. A line replaces the
# process groups it knows.
_GUARD = """
trap '' INT TERM HUP
groups=
while read -r line; do groups=$line; done
for group in $groups; do kill -KILL "-$group" 2>/dev/null; done
rm -rf -- "$1"
"""


def binaries() -> Path | None:
    """The folder of ``rabbitmq-server`` and ``rabbitmqctl``: a named, our own, or installed one."""
    named = os.environ.get("CONNECTOR_RABBITMQ_BIN")
    choices = [Path(named)] if named else [_UNPACKED / "usr/lib/rabbitmq/bin", _INSTALLED]
    return next((path for path in choices if (path / "rabbitmq-server").exists()), None)


def require() -> Path:
    """The folder with RabbitMQ; skips the test without one, or fails it where CI must have it."""
    found = binaries()
    if found is not None:
        return found
    if os.environ.get("CONNECTOR_REQUIRE_SERVERS") == "1":
        pytest.fail(HOW)
    pytest.skip(HOW)


class Rabbit:
    """One node. Calls block: use ``asyncio.to_thread`` beside a running loop."""

    def __init__(self, home: Path, *, config: Sequence[str] = ()) -> None:
        self.home = home
        self.port, self._dist, self._epmd_port = free_ports(3)
        self._bin = require()
        self._config = config
        self._epmd: subprocess.Popen[bytes] | None = None
        self._node: subprocess.Popen[bytes] | None = None
        self._vhosts: list[str] = []
        self._made = 0
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", str(home)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    # --- life -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the node (with the data it had) and wait until it takes AMQP connections."""
        self._write_config()
        if self._epmd is None:
            # Started by us, in the foreground: the one that Erlang would start outlives everybody.
            self._epmd = self._run("epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1")
        self._node = self._run(str(self._bin / "rabbitmq-server"))
        self._tell_guard()
        deadline = time.monotonic() + _START_S
        while not self._takes_connections():
            if self._node.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"RabbitMQ did not start:\n{self.output()[-4000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, as a machine would lose it."""
        _kill_group(self._node)
        self._node = None

    def restart(self) -> None:
        """Kill the node and start it again: same port, same data."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Stop the node's processes without ending them; connections stay open, silent."""
        self._signal(signal.SIGSTOP)
        while self._takes_connections(within_s=0.2):  # a signal is not obeyed at once
            time.sleep(0.01)

    def resume(self) -> None:
        """Let a paused node go on."""
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """End everything that was started, and remove the folder."""
        self.kill()
        _kill_group(self._epmd)
        self._epmd = None
        self._guard.communicate(b"\n")
        self._guard.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    # --- use --------------------------------------------------------------------------------------

    def url(self, vhost: str = "%2F", *, port: int | None = None) -> str:
        """Where it listens; ``port`` of a proxy before it."""
        return f"amqp://guest:guest@127.0.0.1:{port or self.port}/{vhost}"

    def vhost(self) -> str:
        """A fresh virtual host. Made in heaps: each call of rabbitmqctl starts an Erlang."""
        if not self._vhosts:
            names = [f"t{self._made + number}" for number in range(_VHOSTS_AT_ONCE)]
            self._made += _VHOSTS_AT_ONCE
            listed = ",".join(f'<<"{name}">>' for name in names)
            self.ctl(
                "eval",
                f'[begin rabbit_vhost:add(V, <<"guest">>), '
                f"rabbit_auth_backend_internal:set_permissions("
                f'<<"guest">>, V, <<".*">>, <<".*">>, <<".*">>, <<"guest">>) '
                f"end || V <- [{listed}]].",
            )
            self._vhosts = names
        return self._vhosts.pop(0)

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl against the node; returns what it printed."""
        done = subprocess.run(
            [str(self._bin / "rabbitmqctl"), "-q", "-n", self._name, *arguments],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {arguments[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    def output(self) -> str:
        """What the node printed and logged so far."""
        return "\n".join(path.read_text(errors="replace") for path in self.home.glob("*.log"))

    # --- parts ------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return "hubtest@localhost"

    def _environment(self) -> dict[str, str]:
        tools, libraries = [], []
        if self._bin.is_relative_to(_UNPACKED):
            tools = [str(_UNPACKED / "usr/lib/erlang/bin")]
            libraries = [str(path) for path in _UNPACKED.glob("usr/lib/*-linux-*")]
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
        home = self.home
        return {
            **kept,
            "PATH": os.pathsep.join([*tools, kept.get("PATH", os.defpath)]),
            **({"LD_LIBRARY_PATH": os.pathsep.join(libraries)} if libraries else {}),
            "LC_ALL": "C.UTF-8",
            "HOME": str(home),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": str(home / "logs"),
            "RABBITMQ_LOGS": str(home / "node.log"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "generated"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "none.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            # Nothing of it listens outside of loopback, and it does not spin on shared cores.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none"
            ),
            "RABBITMQ_CTL_ERL_ARGS": "+S 1:1 +sbwt none",
        }

    def _write_config(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "plugins").write_text("[].\n")
        lines = [
            "vm_memory_high_watermark.absolute = 1GB",
            "disk_free_limit.absolute = 50MB",
            "log.file.level = warning",
            *self._config,
        ]
        (self.home / "rabbitmq.conf").write_text("\n".join([*lines, ""]))
        # How often a channel looks for consumers that keep a message too long: 60 s if unset.
        advanced = "[{rabbit, [{channel_tick_interval, 1000}]}].\n"
        (self.home / "advanced.config").write_text(advanced)

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.home / "stdout.log").open("ab") as output:
            return subprocess.Popen(
                command,
                env=self._environment(),
                executable=shutil.which(command[0], path=self._environment()["PATH"]),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _takes_connections(self, *, within_s: float = 5) -> bool:
        """Whether a node answers the protocol header with a method frame (Connection.Start)."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=within_s) as peer:
                peer.sendall(b"AMQP\x00\x00\x09\x01")
                return peer.recv(1) == b"\x01"
        except OSError:
            return False

    def _signal(self, number: int) -> None:
        if self._node is not None:
            os.killpg(self._node.pid, number)

    def _tell_guard(self) -> None:
        groups = " ".join(str(one.pid) for one in (self._node, self._epmd) if one is not None)
        if self._guard.stdin is not None:
            self._guard.stdin.write(f"{groups}\n".encode())
            self._guard.stdin.flush()


def _kill_group(process: subprocess.Popen[bytes] | None) -> None:
    if process is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def running(*, config: Sequence[str] = ()) -> Iterator[Rabbit]:
    """A node of one's own for as long as the block runs."""
    require()
    node = Rabbit(Path(tempfile.mkdtemp(prefix="hub-rabbit-")), config=config)
    try:
        node.start()
        yield node
    finally:
        node.end()


@functools.cache
def _shared() -> Rabbit:
    stack = contextlib.ExitStack()
    node = stack.enter_context(running())
    atexit.register(stack.close)
    return node


def shared() -> Rabbit:
    """The node that all tests of this process share: a start takes seconds, so each test takes a
    ``vhost`` of its own instead.
    """
    require()
    return _shared()
