"""The admin server: probes, metrics and the JSON API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ValidationError

from connector.flows.audit import audited
from connector.flows.connections import Refusal, explain
from connector.flows.hub import Hub
from connector.ports import Conflict, Json, StoreUnavailable
from connector.settings import AdminToken
from connector.vtex.bodies import load
from connector.web.admin_api import ROUTES, Call, Changes, Route
from connector.web.admin_auth import Gatekeeper
from connector.web.admin_mapping import MAPPING_ROUTES
from connector.web.errors import Answer, answer_to, log_failure, problem, reply
from connector.web.incoming import read_body

_STORE_S = 2.0
Render = Callable[[], Awaitable[tuple[bytes, str]]]


@dataclass
class Readiness:
    """Whether this process takes work; bootstrap turns it on last and off first."""

    hub: Hub
    serving: bool = False

    async def look(self) -> tuple[bool, Json]:
        """Whether to send work here, and what is wrong."""
        store = "ok"
        try:
            async with asyncio.timeout(_STORE_S):
                await self.hub.store.next_due()
        except TimeoutError:
            store = "does not answer"
        except StoreUnavailable:
            store = "not available"
        registry = self.hub.registry
        ready = self.serving and store == "ok"
        return ready, {
            "ready": ready,
            "serving": self.serving,
            "store": store,
            "adapters": sorted(registry.found),
            "broken_adapters": dict(registry.broken),
        }


class AdminSite:
    """Builds the admin application."""

    def __init__(
        self,
        hub: Hub,
        *,
        readiness: Readiness,
        render: Render,
        tokens: Sequence[AdminToken] = (),
        allow_hosts: Collection[str] = (),
    ) -> None:
        self._hub = hub
        self._readiness = readiness
        self._render = render
        self._gate = Gatekeeper(tokens)
        self._allow_hosts = tuple(allow_hosts)

    def app(self) -> web.Application:
        """The application, ready to be run."""
        app = web.Application(middlewares=[_tell])
        app.router.add_get("/live", self._live)
        app.router.add_get("/ready", self._ready)
        app.router.add_get("/metrics", self._metrics)
        for route in (*ROUTES, *MAPPING_ROUTES):
            app.router.add_route(route.method, f"/api/v1{route.path}", self._handler(route))
        return app

    async def _live(self, _: web.Request) -> web.Response:
        return reply({"live": True})

    async def _ready(self, _: web.Request) -> web.Response:
        ready, told = await self._readiness.look()
        return reply(told, 200 if ready else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        body, kind = await self._render()
        return web.Response(body=body, headers={"Content-Type": kind})

    def _handler(self, route: Route) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            access = self._gate.let_in(request, route.role)
            if route.everywhere and not access.everywhere:
                raise Answer(403, "this needs a token that reaches all connections")
            connection = request.match_info.get("connection", "")
            if connection and not access.reaches(connection):
                raise _unknown(connection)
            asked = await _asked(request, route)
            if connection and await self._hub.book.get(connection) is None:
                raise _unknown(connection)
            call = Call(
                self._hub,
                access,
                connection,
                dict(request.match_info),
                asked,
                allow_hosts=self._allow_hosts,
            )
            return reply(await self._run(route, call), route.status)

        return handle

    async def _run(self, route: Route, call: Call) -> object:
        """Do what was asked, on record where it changes something."""
        try:
            if not route.audit:
                return await route.verb(call)
            names = _names(call.asked)
            async with audited(
                self._hub,
                who=call.access.who,
                role=call.access.role,
                what=route.audit,
                connection_id=call.connection,
                names=names,
                record=call.record,
            ):
                return await route.verb(call)
        except Refusal as error:
            raise Answer(route.refusal, str(error)) from None
        except Conflict:
            raise Answer(409, "somebody else changed it at the same time: try again") from None
        except LookupError as error:
            if type(error) is not LookupError:  # a mistake of ours, such as KeyError
                raise
            raise Answer(409, str(error)) from None  # the adapter is missing or broken


def _unknown(connection: str) -> Answer:
    return Answer(404, f"there is no connection {connection[:100]}")


def _names(asked: object) -> list[str]:
    """The fields that were given, without their values."""
    given = asked.root if isinstance(asked, Changes) else getattr(asked, "model_fields_set", ())
    return sorted(given)


async def _asked(request: web.Request, route: Route) -> BaseModel:
    """What the call says, in its query or its body.

    Raises:
        Answer: it says something it may not (422).
    """
    try:
        if request.method == "GET":
            return route.says.model_validate(dict(request.query))
        body = await read_body(request, route.most)
        load(body or b"{}")
        return route.says.model_validate_json(body or b"{}", strict=True)
    except ValidationError as error:
        raise Answer(422, explain(error)) from None


@web.middleware
async def _tell(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure as JSON, and one event in the log."""
    began = time.monotonic()
    try:
        return await handler(request)
    except web.HTTPException as error:  # aiohttp's own: no such path or method
        allow = error.headers.get("Allow")
        return problem(error.status, error.reason, {"Allow": allow} if allow else None)
    # The last resort: whoever asks gets an answer, and the log says where it broke.
    except Exception as error:  # noqa: BLE001
        response = answer_to(error)
        log_failure(error, "admin", response.status, time.monotonic() - began)
        return response
