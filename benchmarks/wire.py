"""HTTP/1.1 by hand: as little work per call as Python allows, so that the client is no limit."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_HEAD_END = b"\r\n\r\n"


class BadAnswer(Exception):
    """A server said something else than it should: the measurement means nothing."""


def encode(
    method: str, path: str, payload: Any = None, headers: dict[str, str] | None = None
) -> bytes:
    """A request as bytes; ``payload`` is sent as JSON."""
    body = b"" if payload is None else json.dumps(payload, separators=(",", ":")).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", "Accept: application/json"]
    if payload is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def split(data: bytes) -> tuple[int, bytes] | None:
    """Status and body of an answer; None while some of it is still to come."""
    head = data.find(_HEAD_END)
    if head < 0:
        return None
    found = _LENGTH.search(data, 0, head)
    length = int(found[1]) if found else 0
    start = head + len(_HEAD_END)
    if len(data) < start + length:
        return None
    return int(data[9:12]), data[start : start + length]


def split_request(data: bytes) -> tuple[str, str, bytes] | None:
    """Method, target and body of a request; None while some of it is still to come."""
    head = data.find(_HEAD_END)
    if head < 0:
        return None
    found = _LENGTH.search(data, 0, head)
    length = int(found[1]) if found else 0
    start = head + len(_HEAD_END)
    if len(data) < start + length:
        return None
    method, target, _ = data[: data.find(b"\r\n")].decode().split(" ")
    return method, target, data[start : start + length]


# --- one call after another -----------------------------------------------------------------------


class Line(asyncio.Protocol):
    """One keep-alive connection for callers that wait for each answer."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._data = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> Line:
        """Connect."""
        _, line = await asyncio.get_running_loop().create_connection(cls, host, port)
        return line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        answer = split(self._data)
        if answer is not None and self._answer is not None:
            self._data = b""
            self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(BadAnswer(f"the connection broke: {exc}"))

    async def call(self, request: bytes) -> bytes:
        """Send a request; the body of its good answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        status, body = await self._answer
        if status // 100 != 2:
            raise BadAnswer(f"{status}: {body[:300]!r} to {request[:120]!r}")
        return body

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


async def ask(
    address: tuple[str, int],
    method: str,
    path: str,
    payload: Any = None,
    headers: dict[str, str] | None = None,
) -> Any:
    """One call on a connection of its own; its answer's JSON."""
    line = await Line.open(*address)
    try:
        body = await line.call(encode(method, path, payload, headers))
    finally:
        line.close()
    return json.loads(body) if body else None


# --- as many as the server takes ------------------------------------------------------------------


@dataclass
class Burst:
    """What came of sending requests as fast as they are answered."""

    seconds: float
    answered: int
    cpu_s: float
    """What the generator itself worked."""
    waits: list[float] = field(repr=False, default_factory=list)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answered / self.seconds

    @property
    def cpu_share(self) -> float:
        """Share of the time the generator was busy; near 1 it would be the limit itself."""
        return self.cpu_s / self.seconds


class _Sender(asyncio.Protocol):
    """One of the generator's connections: sends the next request when the last is answered."""

    def __init__(self, requests: Iterator[bytes], waits: list[float]) -> None:
        self._requests = requests
        self._waits = waits
        self._data = b""
        self._sent = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def send(self) -> None:
        """Send the next request, if there is one."""
        request = next(self._requests, None)
        if request is None:
            self.done.set_result(None)
            return
        self._sent = time.monotonic()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._data:
            data = self._data + data
        answer = split(data)
        if answer is None:
            self._data = data
            return
        self._data = b""
        self._waits.append(time.monotonic() - self._sent)
        if answer[0] == 200:
            self.send()
        elif not self.done.done():
            self.done.set_exception(BadAnswer(f"{answer[0]}: {answer[1][:200]!r}"))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(BadAnswer(f"the connection broke: {exc}"))


async def burst(address: tuple[str, int], requests: Iterable[bytes], connections: int) -> Burst:
    """Send requests over so many connections, on each the next as soon as the last is answered."""
    loop = asyncio.get_running_loop()
    waits: list[float] = []
    feed = iter(requests)
    senders: list[_Sender] = []
    for _ in range(connections):
        _, sender = await loop.create_connection(lambda: _Sender(feed, waits), *address)
        senders.append(sender)
    began, cpu = time.monotonic(), time.process_time()
    for sender in senders:
        sender.send()
    try:
        await asyncio.gather(*(sender.done for sender in senders))
        return Burst(time.monotonic() - began, len(waits), time.process_time() - cpu, waits)
    finally:
        for sender in senders:
            sender.transport.close()


class Lines:
    """A few connections shared by callers that come at their own times."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._free: deque[Line] = deque()

    async def call(self, request: bytes) -> bytes:
        """Send a request on a free connection, or on a new one."""
        line = self._free.popleft() if self._free else await Line.open(*self._address)
        body = await line.call(request)
        self._free.append(line)
        return body

    def close(self) -> None:
        """Hang up."""
        while self._free:
            self._free.pop().close()
