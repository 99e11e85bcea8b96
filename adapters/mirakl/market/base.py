"""The simulated platform's door: the key, the published ceilings, what the operator set up."""

from __future__ import annotations

import math
import re
from datetime import datetime

from adapters.mirakl.market import setup
from adapters.mirakl.market.operators import OPERATORS, Operator
from adapters.mirakl.market.state import MiraklSimSettings
from connector.sdk import Clock, Http, Request, Response, json_response
from connector.sdk.testing.simulator import Faults, Simulator, route

# What the specification publishes as the most usage of an operation: seconds between two calls.
# A parameter in brackets is counted for each of its values.
CEILINGS = (
    ("POST", r"/api/offers", 60),
    ("POST", r"/api/offers/pricing/imports", 60),
    ("POST", r"/api/offers/stock/imports", 60),
    ("POST", r"/api/products/imports", 900),
    ("GET", r"/api/offers/imports", 60),
    ("GET", r"/api/offers/imports/[^/]+", 60),
    ("GET", r"/api/offers/imports/[^/]+/error_report", 60),
    ("GET", r"/api/offers/pricing/imports", 60),
    ("GET", r"/api/offers/pricing/imports/[^/]+/error_report", 60),
    ("GET", r"/api/offers/stock/imports/[^/]+/status", 15),
    ("GET", r"/api/offers/stock/imports/[^/]+/error_report", 60),
    ("GET", r"/api/products/imports/[^/]+", 60),
    ("GET", r"/api/orders", 60),
    ("PUT", r"/api/orders", 60),
    ("GET", r"/api/hierarchies", 3_600),
    ("GET", r"/api/products/attributes", 3_600),
    ("GET", r"/api/values_lists", 3_600),
    ("GET", r"/api/account", 86_400),
    ("GET", r"/api/documents", 86_400),
    ("GET", r"/api/offers/states", 86_400),
    ("GET", r"/api/shipping/carriers", 86_400),
)
_PER_VALUE = ("hierarchy", "code")


def problem(status: int, message: str) -> Response:
    """A refusal of a whole call."""
    return json_response({"status": status, "message": message}, status)


class Platform(Simulator):
    """What every part of the API stands on."""

    def __init__(
        self,
        *,
        clock: Clock,
        outbound: Http,
        seed: int = 0,
        faults: Faults | None = None,
        settings: MiraklSimSettings | None = None,
    ) -> None:
        super().__init__(clock=clock, outbound=outbound, seed=seed, faults=faults)
        self.settings = settings or MiraklSimSettings()
        self.calls: dict[str, list[datetime]] = {}
        """When each operation with a ceiling was called."""
        self.throttles = 0
        self._last: dict[tuple[str, ...], datetime] = {}
        self._numbers: dict[str, int] = {}
        self._too_many = [
            (method, re.compile(pattern), every) for method, pattern, every in CEILINGS
        ]

    @property
    def operator(self) -> Operator:
        """Whose platform this is."""
        return OPERATORS[self.settings.operator]

    def now(self) -> datetime:
        """This moment on the injected clock."""
        return self.clock.now()

    def next_number(self, what: str, first: int = 2001) -> int:
        """The next number of a kind."""
        number = self._numbers[what] = self._numbers.get(what, first - 1) + 1
        return number

    def refuse_unauthorized(self, request: Request) -> Response | None:
        """Ask for the key, then whether it is too soon for this."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("authorization") != self.settings.api_key:
            self.record("call.unauthorized", path=_path(request))
            return problem(401, "Unauthorized")
        shop = request.query.get("shop_id", str(self.settings.shop_id))
        if shop != str(self.settings.shop_id):
            return problem(403, "You are not allowed to access this shop")
        return self._over_ceiling(request)

    def _over_ceiling(self, request: Request) -> Response | None:
        key, every = self._counted(request)
        if not key:
            return None
        now, last = self.now(), self._last.get(key)
        allowed = every * (1 - self.settings.ceiling_slack)
        if self.settings.ceilings and last is not None:
            wait = allowed - (now - last).total_seconds()
            if wait > 0:
                self.throttles += 1
                self.record("call.throttled", path=_path(request))
                headers = {"retry-after": str(max(1, math.ceil(wait)))}
                body = {"status": 429, "message": "Too many requests"}
                return json_response(body, 429, headers)
        self._last[key] = now
        self.calls.setdefault(key[0], []).append(now)
        return None

    def _counted(self, request: Request) -> tuple[tuple[str, ...], int]:
        """What a call is counted as, and the seconds between two of them; empty: not at all."""
        path = _path(request)
        if path == "/api/orders" and "order_ids" in request.query:
            return (), 0  # one order's page, not a list that somebody polls
        for method, pattern, every in self._too_many:
            if method == request.method and pattern.fullmatch(path):
                values = (request.query.get(name, "") for name in _PER_VALUE)
                return (f"{method} {pattern.pattern}", *values), every
        return (), 0

    # --- what the operator set up -----------------------------------------------------------------

    @route("GET", "/api/account")
    async def a01(self, request: Request) -> Response:
        """The shop."""
        del request
        told = setup.shop(self.operator, self.settings.shop_id, self.settings.shop_name)
        return json_response(told)

    @route("GET", "/api/platform/configuration")
    async def pc01(self, request: Request) -> Response:
        """The platform's features."""
        del request
        return json_response(setup.platform(self.operator))

    @route("GET", "/api/reasons")
    async def re01(self, request: Request) -> Response:
        """All reasons."""
        del request
        rows = [
            {"code": code, "type": kind, "label": label, "is_shop_right": True}
            for code, kind, label in self.operator.reasons
        ]
        return json_response({"reasons": rows, "total_count": len(rows)})

    @route("GET", "/api/documents")
    async def do01(self, request: Request) -> Response:
        """Document types."""
        del request
        rows = [
            {"code": code, "label": label, "description": label, "entity": "ORDER",
             "mime_types": ["application/pdf"]}
            for code, label in self.operator.documents
        ]  # fmt: skip
        return json_response({"documents": rows})

    @route("GET", "/api/offers/states")
    async def of61(self, request: Request) -> Response:
        """Offer conditions."""
        del request
        rows = [{"code": code, "label": label} for code, label in self.operator.states]
        return json_response({"offer_states": rows, "total_count": len(rows)})

    @route("GET", "/api/shipping/carriers")
    async def sh21(self, request: Request) -> Response:
        """Registered carriers."""
        del request
        rows = [
            {"code": code, "label": label, "standard_code": code,
             "tracking_url": f"https://track.example/{code}/{{trackingId}}"}
            for code, label in self.operator.carriers
        ]  # fmt: skip
        return json_response({"carriers": rows})


def _path(request: Request) -> str:
    return request.url.split("?", 1)[0].rstrip("/")
