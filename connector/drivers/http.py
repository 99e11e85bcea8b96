"""The one way out: guarded, limited, capped, and told in no more words than a log may have."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from connector.domain.clock import Clock
from connector.domain.http import Held, HttpFailure, NoAnswer, NotSent, Request, Response
from connector.drivers.breakers import Breakers
from connector.drivers.guard import Guard, Refused, is_public
from connector.drivers.limiter import Limiter, Rule
from connector.ports import Metrics
from connector.sdk.values import Limit, Scope

_log = structlog.get_logger(__name__)

CONNECT_S = 3.0
TOTAL_S = 15.0
MAX_BODY = 16 * 1024 * 1024
# Shorter than servers and balancers keep an idle connection: a request that meets one just being
# closed by the other side ends as NoAnswer, though nothing was done.
KEEP_ALIVE_S = 10.0
PAUSE_S = 1.0
"""How long a scope pauses after a 429 that names no time."""
MAX_PAUSE_S = 86_400.0
_CHUNK = 64 * 1024
_UNWELL = frozenset({500, 502, 503, 504})
_USER_AGENT = "vtex-marketplace-hub"


class _NotPublic(OSError):
    """A socket was asked for an address that nobody vouched for."""


class _Lost(aiohttp.ClientError):
    """The connection broke; aiohttp must not send this request again by itself."""


class _Resolver(AbstractResolver):
    """Resolves names and refuses those that stand for addresses which are not public."""

    def __init__(self, guard: Guard, vouched: set[tuple[str, int]]) -> None:
        self._guard = guard
        self._vouched = vouched
        self.inner: AbstractResolver = aiohttp.DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self.inner.resolve(host, port, family)
        for result in found:
            # One bad address is enough: a name that has both is made for an attack.
            self._guard.check_address(host, port, result["host"])
            if self._guard.names(host, port):
                self._vouched.add((result["host"], port))
        return found

    async def close(self) -> None:
        await self.inner.close()


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp (3.14) from repeating PUT and DELETE when a connection breaks.

    It sends idempotent methods once more after a disconnect, POST and PATCH never. A second GET
    is welcome; a write is repeated only by those who know what its first try may have done.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if request.method in {"GET", "HEAD"}:
            raise
        raise _Lost("the connection broke") from error


class HttpPool:
    """Owns the process's HTTP session; ``peer`` gives out clients. Made anywhere, used in a loop.

    ``allow_hosts`` are hosts (``host`` or ``host:port``) that may be private or plain http.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        metrics: Metrics,
        allow_hosts: Collection[str] = (),
        limiter: Limiter | None = None,
        breakers: Breakers | None = None,
        connect_s: float = CONNECT_S,
        total_s: float = TOTAL_S,
        max_body: int = MAX_BODY,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.clock = clock
        self.metrics = metrics
        self.guard = Guard(allow_hosts)
        self.limiter = limiter or Limiter(clock)
        self.breakers = breakers or Breakers(clock)
        self._connect_s = connect_s
        self._total_s = total_s
        self._max_body = max_body
        self._tls = tls
        self._vouched: set[tuple[str, int]] = set()
        self._session: aiohttp.ClientSession | None = None  # noqa: TID251 - this is the place

    def peer(
        self,
        name: str,
        *,
        base_url: str = "",
        headers: Mapping[str, str] | None = None,
        scope: str = "",
        limits: Sequence[tuple[str, Limit]] = (),
    ) -> HubHttp:
        """Make a client for one peer; ``scope`` is whose breaker and pauses it shares.

        ``limits`` are rate limits with the names of the scopes they are counted for.
        """
        return HubHttp(
            self, name, base_url=base_url, headers=headers, scope=scope or name, limits=limits
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def exchange(self, request: Request, url: URL, headers: Mapping[str, str]) -> Response:
        """Send one request to a checked URL and read the whole answer.

        Raises:
            NotSent: the peer cannot have acted.
            NoAnswer: the outcome is unknown.
        """
        if url.raw_host is not None and self.guard.names(url.raw_host, url.port):
            self._vouched.add((url.raw_host, url.port or 0))  # counts where it is an address
        trace = SimpleNamespace(connected=False)
        timeout = aiohttp.ClientTimeout(
            total=request.timeout_s or self._total_s,
            connect=self._connect_s,
            sock_connect=self._connect_s,
        )
        try:
            async with self._opened().request(
                request.method,
                url,
                data=request.body or None,
                headers=headers,
                allow_redirects=False,
                timeout=timeout,
                skip_auto_headers=("Content-Type", "User-Agent"),
                trace_request_ctx=trace,
            ) as answer:
                return await self._read(answer)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            said = f"{type(error).__name__} from {url.raw_host}"
            # Before there is a connection nothing can have left: DNS, TCP, TLS, a full pool, and
            # headers that cannot be sent. After that the peer may have read every byte.
            if not trace.connected or isinstance(error, ValueError):
                raise NotSent(f"could not send: {said}") from error
            raise NoAnswer(f"no answer: {said}") from error

    async def _read(self, answer: aiohttp.ClientResponse) -> Response:
        """Read an answer, but no more of it than the cap, counted after decompression."""
        body = bytearray()
        async for chunk in answer.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > self._max_body:
                answer.close()
                raise NoAnswer(f"the answer is larger than {self._max_body} bytes")
        headers: dict[str, str] = {}
        for name, value in answer.headers.items():
            lower = name.lower()
            headers[lower] = f"{headers[lower]}, {value}" if lower in headers else value
        return Response(answer.status, headers, bytes(body))

    def _opened(self) -> aiohttp.ClientSession:  # noqa: TID251 - this is the place
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_connection_create_end.append(_connected)
            trace.on_connection_reuseconn.append(_connected)
            connector = aiohttp.TCPConnector(
                resolver=_Resolver(self.guard, self._vouched),
                socket_factory=self._socket,
                keepalive_timeout=KEEP_ALIVE_S,
                limit=500,
                ssl=self._tls or True,
            )
            self._session = aiohttp.ClientSession(  # noqa: TID251 - all that is banned for is here
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),  # tenants share this session
                auto_decompress=True,
                trust_env=False,
                trace_configs=[trace],
                middlewares=(_send_once,),
            )
        return self._session

    def _socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        """Make a socket for the very address that is connected to: the last check."""
        family, kind, proto, _, where = address
        ip, port = str(where[0]), int(where[1])
        if not is_public(ip) and (ip, port) not in self._vouched:
            raise _NotPublic("the address is not public")
        return socket.socket(family=family, type=kind, proto=proto)


async def _connected(_session: object, trace: SimpleNamespace, _params: object) -> None:
    trace.trace_request_ctx.connected = True


class HubHttp:
    """``domain.http.Http`` for one peer; made by ``HttpPool.peer``."""

    def __init__(
        self,
        pool: HttpPool,
        name: str,
        *,
        base_url: str,
        headers: Mapping[str, str] | None,
        scope: str,
        limits: Sequence[tuple[str, Limit]],
    ) -> None:
        self._pool = pool
        self._name = name
        self._base_url = base_url.rstrip("/")
        self._headers = dict(headers or {})
        self._scope = scope
        self._limits = tuple(limits)

    async def send(self, request: Request) -> Response:
        """Send one request; any status is an answer. See ``domain.http.Http``."""
        began = time.monotonic()
        outcome = "refused"
        try:
            url, headers = self._prepare(request)
            response = await self._send(request, url, headers)
        except HttpFailure as failure:
            outcome = _name_of(failure)
            _log.info("http_failed", **self._told(request), outcome=outcome, why=str(failure))
            raise
        else:
            outcome = f"{response.status // 100}xx"
            _log.debug("http_answered", **self._told(request), status=response.status)
            return response
        finally:
            operation, metrics = request.operation or "other", self._pool.metrics
            metrics.count("http_calls_total", peer=self._name, operation=operation, outcome=outcome)
            metrics.observe(
                "http_seconds", time.monotonic() - began, peer=self._name, operation=operation
            )

    def _prepare(self, request: Request) -> tuple[URL, dict[str, str]]:
        """Put URL and headers together and have them checked."""
        relative = not request.url.startswith(("http://", "https://"))
        text = f"{self._base_url}/{request.url.lstrip('/')}" if relative else request.url
        if request.query:
            text += "&" if "?" in text else "?"
            text += urlencode(request.query, quote_via=quote)
        url = self._pool.guard.check_url(text)
        headers = {"user-agent": _USER_AGENT}
        # Default headers carry credentials: they never go to another host than they are for.
        if relative or (self._base_url and url.origin() == URL(self._base_url).origin()):
            headers.update(_lower(self._headers))
        headers.update(_lower(request.headers))
        for name, value in headers.items():
            if not value.isprintable() or not name.isprintable():
                raise Refused("a header carries control characters")
        return url, headers

    async def _send(self, request: Request, url: URL, headers: Mapping[str, str]) -> Response:
        pool, peer = self._pool, f"{self._scope} at {url.raw_host}"
        rules = self._rules(request.operation)
        await pool.breakers.check(peer)  # before waiting for an allowance that would be wasted
        await pool.limiter.acquire(rules)
        await pool.breakers.enter(peer)
        try:
            response = await pool.exchange(request, url, headers)
        except Refused:
            raise
        except HttpFailure as failure:
            await pool.breakers.note(peer, ok=False, connected=isinstance(failure, NoAnswer))
            raise
        await pool.breakers.note(peer, ok=response.status not in _UNWELL)
        until = self._asked_to_wait(response)
        if until is not None:
            await pool.limiter.pause(rules[-1].scope, until)
        return response

    def _rules(self, operation: str) -> list[Rule]:
        """The rules of an operation, its own last: that is the one a 429 is about."""
        rules = [Rule(self._scope)]
        rules += [
            Rule(scope, limit) for scope, limit in self._limits if limit.scope != Scope.OPERATION
        ]
        own = [
            Rule(scope, limit)
            for scope, limit in self._limits
            if limit.scope == Scope.OPERATION and limit.operation == operation
        ]
        return [*rules[1:], rules[0], *own]

    def _asked_to_wait(self, response: Response) -> datetime | None:
        """Until when the peer asked to be left alone."""
        told = response.headers.get("retry-after", "")
        if response.status != 429 and not (response.status == 503 and told):
            return None
        now = self._pool.clock.now()
        seconds = _seconds(told, now)
        return now + timedelta(seconds=min(seconds, MAX_PAUSE_S))

    def _told(self, request: Request) -> dict[str, Any]:
        # No URL at all: paths carry order numbers and secrets, the operation says enough.
        return {"peer": self._name, "scope": self._scope, "operation": request.operation}


def _seconds(retry_after: str, now: datetime) -> float:
    """What a Retry-After header says, as a number or as a date."""
    try:
        return max(PAUSE_S, float(retry_after))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return PAUSE_S
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(PAUSE_S, (aware - now).total_seconds())


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _name_of(failure: HttpFailure) -> str:
    match failure:
        case Held():
            return "held"
        case Refused():
            return "refused"
        case NotSent():
            return "not_sent"
        case _:
            return "no_answer"
