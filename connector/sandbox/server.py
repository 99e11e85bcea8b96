"""A real HTTP server in front of a simulator, and its way to call the hub back."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Protocol
from urllib.parse import parse_qsl, quote, urlencode

import aiohttp
from aiohttp import web
from yarl import URL

from connector.domain.http import NoAnswer, NotSent, Request, Response
from connector.sdk.testing.simulator import Dropped, Faults

_SET_BY_SERVER = frozenset({"content-length", "transfer-encoding", "connection", "date", "server"})
_TIMEOUT_S = 10.0
_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)
FAULT_LEVELS = ("none", "normal", "hard")
"""How much goes wrong on calls into a simulator."""


class Handles(Protocol):
    """What a simulator is to a server."""

    async def handle(self, request: Request) -> Response:
        """Answer one request, or raise Dropped."""
        ...


def faults_of(level: str) -> Faults:
    """Fresh fault switches of a level, one of ``FAULT_LEVELS``."""
    if level == "none":
        return Faults()
    if level == "normal":
        return Faults.spread(0.02)
    faults = Faults.spread(0.12)
    faults.slow = 0.05
    return faults


async def serve_simulator(
    simulator: Handles, host: str = "127.0.0.1", port: int = 0
) -> tuple[web.ServerRunner, str]:
    """Serve a simulator; returns the running server and its base URL (port 0: any free one)."""

    async def answer(request: web.BaseRequest) -> web.Response:
        try:
            response = await simulator.handle(await _read(request))
        except Dropped:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # nobody is there to read it
        headers = {k: v for k, v in response.headers.items() if k.lower() not in _SET_BY_SERVER}
        return web.Response(status=response.status, headers=headers, body=response.body)

    # Without a router: simulators read paths as they were sent, percent-encodings included.
    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    bound = next(iter(runner.addresses))
    shown = f"[{host}]" if ":" in host else host
    return runner, f"http://{shown}:{bound[1]}"


async def _read(request: web.BaseRequest) -> Request:
    path, _, query = request.raw_path.partition("?")
    return Request(
        request.method,
        path,
        query=dict(parse_qsl(query, keep_blank_values=True)),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await request.content.read(),
    )


class OutboundHttp:
    """``domain.http.Http`` for simulators: they call whatever hub they were told of."""

    def __init__(self, timeout_s: float = _TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None  # noqa: TID251 - see _opened

    async def send(self, request: Request) -> Response:
        """Send one request.

        Raises:
            NotSent: there was no connection, or the URL is none.
            NoAnswer: the connection broke or took too long.
        """
        timeout = aiohttp.ClientTimeout(total=request.timeout_s or self._timeout_s)
        try:
            async with self._opened().request(
                request.method,
                URL(_with_query(request.url, request.query), encoded=True),
                data=BytesIO(request.body) if request.body else None,  # sent in pieces
                headers=dict(request.headers),
                allow_redirects=False,
                timeout=timeout,
            ) as answer:
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Response(answer.status, headers, await answer.read())
        except (*_NOT_SENT, ValueError) as error:
            raise NotSent(type(error).__name__) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswer(type(error).__name__) from error

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:  # noqa: TID251 - see below
        if self._session is None:
            # A simulator stands for another company: the hub's own way out is not its business.
            self._session = aiohttp.ClientSession(  # noqa: TID251 - see above
                cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session


def _with_query(url: str, query: Mapping[str, str]) -> str:
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query, quote_via=quote)}"
