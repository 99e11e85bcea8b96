"""One process of the hub, kept up as a supervisor would."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_UP_WITHIN_S = 45.0
_PR_SET_PDEATHSIG = 1


class HubError(Exception):
    """The hub, or a command given to it, did not do what it should; the message shows its words."""


class Supervised:
    """A process that takes calls at ``port`` once it is up; what it says goes to ``log``."""

    def __init__(
        self, arguments: tuple[str, ...], environment: Mapping[str, str], log: Path, port: int
    ) -> None:
        self._arguments = arguments
        self._environment = dict(environment)
        self._log = log
        self.port = port
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self.crashes: list[str] = []
        """Ends nobody asked for."""

    @property
    def pid(self) -> int:
        """The process's number; 0 while there is none."""
        return self._process.pid if self._process is not None and not self.down else 0

    @property
    def down(self) -> bool:
        """Whether it does not run now."""
        return self._process is None or self._process.returncode is not None

    async def start(self) -> None:
        """Start it and wait until it takes calls.

        Raises:
            HubError: it does not.
        """
        with self._log.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments,
                env=self._environment, cwd=self._log.parent, stdout=out, stderr=out,
                stdin=asyncio.subprocess.DEVNULL, start_new_session=True,
                preexec_fn=die_with_parent,
            )  # fmt: skip
        process = self._process
        try:
            async with asyncio.timeout(_UP_WITHIN_S):
                while not await answers(self.port):
                    if process.returncode is not None:
                        raise HubError(f"the hub does not start: {self.last_words()}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise HubError(f"the hub does not take calls: {self.last_words()}") from None
        self._watch = asyncio.create_task(self._keep_up(process))

    async def end(self, how: signal.Signals, within_s: float) -> int | None:
        """Send it a signal and wait; kill it where it does not end. Returns its exit code."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError, HubError):
                await self._watch
        process = self._process
        if process is None or process.returncode is not None:
            return None
        process.send_signal(how)
        try:
            async with asyncio.timeout(within_s):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        return process.returncode

    def last_words(self) -> str:
        """The end of its log."""
        if not self._log.exists():
            return "it said nothing"
        return self._log.read_text("utf-8", "replace")[-1500:].strip() or "it said nothing"

    async def _keep_up(self, process: asyncio.subprocess.Process) -> None:
        """Notice an end that nobody asked for, and start it again as a supervisor would."""
        code = await process.wait()
        self.crashes.append(f"exit code {code}: {self.last_words()[-300:]}")
        await self.start()


async def answers(port: int) -> bool:
    """Whether somebody takes calls at a port of this machine."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


def die_with_parent() -> None:
    """Run in a new child: it must not outlive a demo that is killed (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
