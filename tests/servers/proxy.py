"""A TCP proxy that does to connections what bad networks do."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Faults:
    """What happens to bytes on their way, in both directions; nothing by default."""

    latency_s: float = 0
    jitter_s: float = 0
    """Added to the latency, between nothing and this much."""
    bandwidth: float = 0
    """Bytes per second; 0: no limit."""
    slice_bytes: int = 0
    """Bytes are passed on in pieces of at most this many, with ``slice_pause_s`` between."""
    slice_pause_s: float = 0
    slow_close_s: float = 0
    """The end of a connection is passed on this much later."""
    limit_bytes: int = 0
    """A connection is closed when this many bytes have passed in one direction."""
    blackhole: bool = False
    """Connections are accepted and stay open; whatever they send vanishes."""
    timeout_s: float = 0
    """With ``blackhole``: a connection that sent something is closed after this time."""


class FaultProxy:
    """Listens on a loopback port and passes connections on to ``(host, port)``.

    ``faults`` may be replaced at any time and counts for open connections as well.
    """

    def __init__(self, port: int, *, host: str = "127.0.0.1", seed: int = 0) -> None:
        self._target = (host, port)
        self._random = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self.faults = Faults()
        self.port = 0
        self.accepted = 0

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    async def up(self) -> None:
        """Listen; on the same port as before."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuse new connections and end those there are."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        await self._each(_Pair.end)
        if server is not None:
            await server.wait_closed()

    async def reset(self) -> None:
        """End all connections with a TCP reset."""
        await self._each(_Pair.reset)

    async def half_close(self) -> None:
        """Tell clients that nothing more comes (FIN), and go on taking what they send."""
        for pair in self._pairs:
            with contextlib.suppress(OSError, RuntimeError):
                pair.client.write_eof()

    async def lose_server(self) -> None:
        """End the connections to the server; clients are not told."""
        for pair in self._pairs:
            pair.silent = True
            pair.server.transport.abort()

    def heal(self) -> None:
        """No faults from now on."""
        self.faults = Faults()

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self._pairs)

    async def _each(self, ending: Callable[[_Pair], Awaitable[None]]) -> None:
        await asyncio.gather(*(ending(pair) for pair in list(self._pairs)))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            other_reader, other_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, other_writer)
        self._pairs.add(pair)
        pair.tasks = [
            asyncio.create_task(self._pump(reader, other_writer, pair)),
            asyncio.create_task(self._pump(other_reader, writer, pair)),
        ]
        try:
            await asyncio.wait(pair.tasks)
        finally:
            self._pairs.discard(pair)
            await pair.end()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pair: _Pair
    ) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                passed += len(data)
                await self._pass_on(data, writer, pair)
                if 0 < self.faults.limit_bytes <= passed:
                    pair.close()
                    return
            await asyncio.sleep(self.faults.slow_close_s)
            if pair.silent:
                await asyncio.Event().wait()  # the client is to know nothing until we end
            writer.write_eof()

    async def _pass_on(self, data: bytes, writer: asyncio.StreamWriter, pair: _Pair) -> None:
        faults = self.faults
        if faults.blackhole:
            if faults.timeout_s:
                await asyncio.sleep(faults.timeout_s)
                pair.close()
            return
        if faults.latency_s or faults.jitter_s:
            await asyncio.sleep(faults.latency_s + self._random.uniform(0, faults.jitter_s))
        size = faults.slice_bytes or len(data)
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            if faults.bandwidth:
                await asyncio.sleep(len(piece) / faults.bandwidth)
            elif start:
                await asyncio.sleep(faults.slice_pause_s)
            writer.write(piece)
            await writer.drain()


class _Pair:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.tasks: list[asyncio.Task[None]] = []
        self.silent = False

    def close(self) -> None:
        """Close both, in order."""
        self.client.close()
        self.server.close()

    async def end(self) -> None:
        """End both at once."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for writer in (self.client, self.server):
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def reset(self) -> None:
        """End both with a reset: what the kernel sends when lingering is off."""
        for writer in (self.client, self.server):
            sock = writer.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.end()
