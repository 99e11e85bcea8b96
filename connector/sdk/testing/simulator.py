"""Base of every simulator: routes, faults, a ledger and a control API, without a socket."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import unquote

from connector.domain.clock import Clock
from connector.domain.http import Http, HttpFailure, NoAnswer, Request, Response, json_response

Handler = Callable[..., Awaitable[Response]]


@dataclass
class Faults:
    """How often each thing goes wrong on calls into a simulator; shares of 0..1.

    ``drop_before``: the connection closes before the call had an effect; ``drop_after``: after.
    """

    throttle: float = 0.0
    error: float = 0.0
    drop_before: float = 0.0
    drop_after: float = 0.0
    slow: float = 0.0
    slow_s: float = 0.5
    latency_s: float = 0.0
    retry_after_s: float = 2.0

    @classmethod
    def spread(cls, rate: float) -> Faults:
        """Faults of every kind that together hit ``rate`` of the calls."""
        return cls(
            throttle=rate * 0.3, error=rate * 0.3, drop_before=rate * 0.15, drop_after=rate * 0.25
        )


class Dropped(NoAnswer):
    """The simulator closes the connection instead of answering."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One thing that happened, as the simulated side saw it."""

    at: str
    kind: str
    data: dict[str, Any] = field(default_factory=dict)


def route(method: str, template: str) -> Callable[[Handler], Handler]:
    """Mark a method as the handler of ``METHOD /path/{parameter}``; parameters arrive decoded."""

    def mark(handler: Handler) -> Handler:
        marks = getattr(handler, "__routes__", [])
        handler.__routes__ = [*marks, (method, template)]  # type: ignore[attr-defined]
        return handler

    return mark


def _compile(template: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+\})", template)
    pattern = "".join(
        f"(?P<{part[1:-1]}>[^/]+)" if part.startswith("{") else re.escape(part) for part in parts
    )
    return re.compile(f"^{pattern}/?$", re.IGNORECASE)


class Simulator:
    """A simulated peer: state, routes and background work, driven by an injected clock and seed.

    ``handle`` is the whole server; a socket is put in front of it elsewhere, so the same simulator
    runs in a process of its own, in a test, or in a simulation without sockets. Paths below
    ``/_sim`` are its control API and never fail.
    """

    _routes: ClassVar[list[tuple[str, re.Pattern[str], str]]] = []

    def __init__(
        self, *, clock: Clock, outbound: Http, seed: int = 0, faults: Faults | None = None
    ) -> None:
        self.clock = clock
        self.outbound = outbound
        self.rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self.faults = faults or Faults()
        self.ledger: list[LedgerRow] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._routes = [
            (method, _compile(template), name)
            for name in dir(cls)
            for method, template in getattr(getattr(cls, name), "__routes__", [])
        ]
        # Literal paths are tried before those with parameters.
        cls._routes.sort(key=lambda entry: entry[1].pattern.count("(?P<"))

    # --- the server -----------------------------------------------------------------------------

    async def handle(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            Dropped: the connection is to be closed without an answer.
        """
        path = request.url.split("?", 1)[0]
        found = self._find(request.method, path)
        if path.startswith("/_sim"):
            return await self._call(found, request)
        refusal = await self._before(request)
        if refusal is not None:
            return refusal
        response = await self._call(found, request)
        if self.chance(self.faults.drop_after):
            raise Dropped("answer lost")
        return response

    def refuse_unauthorized(self, request: Request) -> Response | None:
        """Refuse a caller without credentials; overridden where the peer asks for some."""
        del request
        return None

    def throttled(self) -> Response:
        """The peer's answer to too many requests; half of them carry Retry-After."""
        wait = {"retry-after": f"{self.faults.retry_after_s:g}"} if self.chance(0.5) else {}
        return json_response({"message": "Too many requests"}, 429, wait)

    def broken(self) -> Response:
        """The peer's answer when it, or a gateway before it, is broken."""
        if self.chance(0.5):
            return Response(502, {"content-type": "text/html"}, b"<html>Bad Gateway</html>")
        return json_response({"message": "Internal error"}, 500)

    async def _before(self, request: Request) -> Response | None:
        faults = self.faults
        if faults.latency_s:
            await asyncio.sleep(faults.latency_s)
        if self.chance(faults.slow):
            await asyncio.sleep(faults.slow_s)
        if self.chance(faults.drop_before):
            raise Dropped("call lost")
        if self.chance(faults.throttle):
            return self.throttled()
        if self.chance(faults.error):
            return self.broken()
        return self.refuse_unauthorized(request)

    def _find(self, method: str, path: str) -> tuple[Handler, dict[str, str]] | None:
        for verb, pattern, name in self._routes:
            if verb == method and (match := pattern.match(path)):
                return getattr(self, name), {k: unquote(v) for k, v in match.groupdict().items()}
        return None

    async def _call(
        self, found: tuple[Handler, dict[str, str]] | None, request: Request
    ) -> Response:
        if found is None:
            return json_response({"message": f"no route {request.method} {request.url}"}, 404)
        handler, parameters = found
        return await handler(request, **parameters)

    # --- for subclasses ---------------------------------------------------------------------------

    def chance(self, share: float) -> bool:
        """Whether something that happens in ``share`` of all cases happens now."""
        return share > 0 and self.rng.random() < share

    def record(self, kind: str, **data: Any) -> None:
        """Write one row of the ledger, the simulator's own account of what happened."""
        self.ledger.append(LedgerRow(self.clock.now().isoformat(), kind, data))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background until the simulator is closed."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def call_out(self, request: Request) -> Response | None:
        """Call the hub; None where no answer came."""
        try:
            return await self.outbound.send(request)
        except HttpFailure:
            return None

    async def close(self) -> None:
        """Stop all background work."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- control API ------------------------------------------------------------------------------

    @route("GET", "/_sim/ledger")
    async def sim_ledger(self, request: Request) -> Response:
        """The ledger from row ``after`` on, optionally of one ``kind``."""
        after = int(request.query.get("after", "0"))
        kind = request.query.get("kind")
        rows = [
            {"at": row.at, "kind": row.kind, "data": row.data}
            for row in self.ledger[after:]
            if kind is None or row.kind == kind
        ]
        return json_response({"rows": rows, "next": len(self.ledger)})

    @route("GET", "/_sim/faults")
    async def sim_faults(self, request: Request) -> Response:
        """The fault switches as they stand."""
        del request
        return json_response(vars(self.faults))

    @route("POST", "/_sim/faults")
    async def sim_set_faults(self, request: Request) -> Response:
        """Set fault switches by name; unknown names are refused."""
        wanted = request.json() or {}
        unknown = set(wanted) - set(vars(self.faults))
        if unknown:
            return json_response({"message": f"unknown faults: {sorted(unknown)}"}, 400)
        for name, value in wanted.items():
            setattr(self.faults, name, float(value))
        return json_response(vars(self.faults))
