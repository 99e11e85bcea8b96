"""Real HTTP on this machine: a simulator behind a door where calls can be made to fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote, urlencode

from connector.domain.clock import Clock
from connector.domain.http import Request, Response
from connector.drivers.http import HttpPool
from connector.sandbox.server import OutboundHttp, serve_simulator
from connector.sdk.testing.simulator import Dropped

Which = Callable[[Request], bool]


class Handles(Protocol):
    """Whatever answers requests."""

    async def handle(self, request: Request) -> Response:
        """Answer one request, or raise Dropped."""
        ...


@dataclass
class Door:
    """In front of a simulator: passes calls on, or makes those go wrong that it was told to.

    ``instead`` answers in the simulator's place. ``lose_answer`` is asked about every call with
    its number among the writes: where it says so, the call takes effect and its answer is lost.
    ``mangle`` changes the simulator's own answers.
    """

    inner: Handles
    instead: Callable[[Request], Response] | None = None
    lose_call: bool = False
    lose_answer: Which | None = None
    mangle: Callable[[Response], Response] | None = None
    seen: list[Request] = field(default_factory=list)

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        self.seen.append(request)
        if self.lose_call:
            raise Dropped("call lost")
        if self.instead is not None:
            return self.instead(request)
        response = await self.inner.handle(request)
        if self.lose_answer is not None and self.lose_answer(request):
            raise Dropped("answer lost")
        return response if self.mangle is None else self.mangle(response)

    def open(self) -> None:
        """Let everything through again."""
        self.instead, self.lose_call, self.lose_answer = None, False, None
        self.mangle = None


@dataclass
class Mailbox:
    """Takes webhooks and keeps them."""

    letters: list[Request] = field(default_factory=list)

    async def handle(self, request: Request) -> Response:
        """Keep it and say yes."""
        self.letters.append(request)
        return Response(200)


class LoopbackHttp:
    """The hub's own way out, without its limiter and breakers, to one address on this machine."""

    def __init__(self, base_url: str, allow: str, clock: Clock) -> None:
        self._base_url = base_url.rstrip("/")
        self._pool = HttpPool(clock=clock, metrics=_Silent(), allow_hosts=[allow])

    async def send(self, request: Request) -> Response:
        """Send one request; see ``domain.http.Http``."""
        absolute = request.url.startswith(("http://", "https://"))
        text = request.url if absolute else f"{self._base_url}/{request.url.lstrip('/')}"
        url = self._pool.guard.check_url(text)
        if request.query:
            url = self._pool.guard.check_url(_with_query(text, request))
        headers = {name.lower(): value for name, value in request.headers.items()}
        return await self._pool.exchange(request, url, headers)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()


class _Silent:
    """Metrics that nobody reads."""

    def count(self, name: str, value: float = 1, **labels: str) -> None:
        """Forget it."""

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Forget it."""


def _with_query(text: str, request: Request) -> str:
    joint = "&" if "?" in text else "?"
    return f"{text}{joint}{urlencode(request.query, quote_via=quote)}"


@asynccontextmanager
async def served(inner: Handles) -> AsyncIterator[str]:
    """Serve something on a free port of this machine; gives its base URL."""
    runner, url = await serve_simulator(inner)
    try:
        yield url
    finally:
        await runner.cleanup()


@asynccontextmanager
async def outbound() -> AsyncIterator[OutboundHttp]:
    """How a simulator sends its webhooks."""
    http = OutboundHttp()
    try:
        yield http
    finally:
        await http.close()
