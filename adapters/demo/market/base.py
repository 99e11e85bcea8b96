"""The simulated Demo Market's door: credentials, rate limits and the shape of its answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from adapters.demo.market.state import DemoSimSettings
from connector.sdk import Clock, Http, Request, Response, json_response
from connector.sdk.testing.simulator import Faults, Simulator, route

# (id, name, parent): only leaves take listings.
CATEGORIES = (
    ("100", "Fashion", ""),
    ("110", "Running shoes", "100"),
    ("120", "T-shirts", "100"),
    ("130", "Trousers", "100"),
    ("200", "Home", ""),
    ("210", "Kitchen", "200"),
    ("220", "Bed & bath", "200"),
    ("300", "Electronics", ""),
    ("310", "Headphones", "300"),
    ("320", "Chargers & cables", "300"),
    ("400", "Food & drinks", ""),
    ("410", "Coffee", "400"),
)
LEAVES = frozenset(node[0] for node in CATEGORIES) - {node[2] for node in CATEGORIES}


class Bucket:
    """A token bucket on the injected clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens: float | None = None
        self._at = clock.now()

    def take(self, rate: float, burst: int) -> float:
        """Take a token; returns 0, or the seconds until there is one."""
        now = self._clock.now()
        tokens = burst if self._tokens is None else self._tokens
        tokens = min(float(burst), tokens + (now - self._at).total_seconds() * rate)
        self._at = now
        if tokens < 1:
            self._tokens = tokens
            return (1 - tokens) / rate
        self._tokens = tokens - 1
        return 0.0


def problem(status: int, code: str, message: str) -> Response:
    """A refusal of a whole call."""
    return json_response({"code": code, "message": message}, status)


class Market(Simulator):
    """What both halves of the API stand on."""

    def __init__(
        self,
        *,
        clock: Clock,
        outbound: Http,
        seed: int = 0,
        faults: Faults | None = None,
        settings: DemoSimSettings | None = None,
    ) -> None:
        super().__init__(clock=clock, outbound=outbound, seed=seed, faults=faults)
        self.settings = settings or DemoSimSettings()
        self._all_calls = Bucket(clock)
        self._creations = Bucket(clock)
        self._numbers: dict[str, int] = {}

    def now(self) -> datetime:
        """This moment on the injected clock."""
        return self.clock.now()

    def next_id(self, prefix: str) -> str:
        """The next number with this prefix: ``DM-000001``."""
        number = self._numbers[prefix] = self._numbers.get(prefix, 0) + 1
        return f"{prefix}-{number:06}"

    def refuse_unauthorized(self, request: Request) -> Response | None:
        """Ask for the API key, then for patience."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("authorization") != f"Bearer {self.settings.api_key}":
            self.record("call.unauthorized", path=_path(request))
            return problem(401, "unauthorized", "The API key is not valid")
        return self._over_limit(request) if self.settings.limits else None

    def _over_limit(self, request: Request) -> Response | None:
        settings = self.settings
        wait = self._all_calls.take(settings.rate, settings.burst)
        if not wait and request.method == "POST" and _path(request) == "/v1/listings":
            wait = self._creations.take(settings.create_rate, settings.create_burst)
        if not wait:
            return None
        self.record("call.throttled", path=_path(request))
        # Half of the refusals do not say how long to wait, as in real life.
        headers = {"retry-after": str(math.ceil(wait))} if self.chance(0.5) else {}
        body = {"code": "too_many_requests", "message": "Too many requests"}
        return json_response(body, 429, headers)

    def batch(self, request: Request, field: str) -> list[Any] | Response:
        """The items of a batch, or the refusal of the whole of it."""
        payload = request.json()
        items = payload.get(field) if isinstance(payload, dict) else None
        if not isinstance(items, list):
            return problem(400, "unreadable", f"A JSON object with a list of {field} is expected")
        if len(items) > self.settings.max_batch:
            message = f"{len(items)} items, at most {self.settings.max_batch} are allowed"
            return problem(413, "batch_too_large", message)
        return items

    def page(self, rows: Sequence[Any], request: Request) -> tuple[list[Any], str]:
        """One page of rows, and the token of the next."""
        token = request.query.get("page", "")
        start = int(token) if token.isdecimal() else 0
        end = start + self.settings.page_size
        return list(rows[start:end]), str(end) if end < len(rows) else ""

    @route("GET", "/v1/account")
    async def account(self, request: Request) -> Response:
        """Whose key this is."""
        del request
        settings = self.settings
        return json_response(
            {
                "seller_id": settings.seller_id,
                "name": settings.seller_name,
                "currency": settings.currency,
            }
        )

    @route("GET", "/v1/categories")
    async def category_tree(self, request: Request) -> Response:
        """The category tree."""
        rows, following = self.page(CATEGORIES, request)
        items = [
            {"id": key, "name": name, "parent_id": parent, "leaf": key in LEAVES}
            for key, name, parent in rows
        ]
        return json_response({"items": items, "next": following})


def _path(request: Request) -> str:
    return request.url.split("?", 1)[0].rstrip("/")
