"""The public server: which path leads to whom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiohttp import web

from connector.flows.hub import Hub
from connector.flows.secrets import digest
from connector.web import app_base, oauth, webhooks
from connector.web.directory import Directory
from connector.web.errors import Refused, answer_to, log_failure
from connector.web.incoming import BODY_S, split
from connector.web.logs import read_log
from connector.web.mapper import mapper
from connector.web.notifications import notify
from connector.web.services import result, serve
from connector.web.serving import PublicServer


class PublicSite:
    """Answers everything that VTEX, its app and marketplaces send.

    Paths are matched as they were sent, because an encoded slash may be part of an invoice's
    number, and without aiohttp's router, which costs a third of a notification's time.
    """

    def __init__(
        self,
        hub: Hub,
        *,
        app_secret: str = "",
        app_settings: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._hub = hub
        self._directory = Directory(hub)
        self._app_digest = digest(app_secret) if app_secret else ""
        self._doors = webhooks.app_doors(hub.registry, app_settings or {})
        self._under_way = 0
        self._idle: asyncio.Event | None = None

    def server(self) -> web.Server:
        """An aiohttp server for this site; what was taken is finished even if nobody listens."""
        return PublicServer(self.handle)

    async def settle(self, within_s: float) -> None:
        """Let requests under way come to their end; aiohttp reads no body once it shuts down."""
        self._idle = asyncio.Event()
        if self._under_way:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(within_s, BODY_S)):
                    await self._idle.wait()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, whatever happens."""
        began = time.monotonic()
        route = "unknown"
        self._under_way += 1
        try:
            parts = split(request)
            route = route_of(parts)
            return await self._answer(route, request, parts)
        # The last resort: a mistake of ours must not show its insides to a stranger.
        except Exception as error:  # noqa: BLE001
            response = answer_to(error)
            log_failure(error, route, response.status, time.monotonic() - began)
            self._hub.metrics.count("web_refused_total", route=route, status=str(response.status))
            return response
        finally:
            self._under_way -= 1
            if self._idle is not None and not self._under_way:
                self._idle.set()

    async def _answer(
        self, route: str, request: web.BaseRequest, parts: tuple[str, ...]
    ) -> web.StreamResponse:
        hub, directory = self._hub, self._directory
        match route:
            case "notification" | "result" | "webhook":
                return await _BY_SECRET[route](hub, request, parts[2], parts[3])
            case "orders":
                return await serve(hub, request, parts[2], parts[3], parts[6:])
            case "mapper":
                return await mapper(hub, request, parts[2], parts[3], parts[5])
            case "log":
                account = parts[4] if len(parts) == 6 else ""
                return await read_log(hub, request, parts[2], parts[3], account)
            case "app-webhook":
                door = self._doors.get(parts[3])
                return await webhooks.app_webhook(hub, request, directory, door, parts[4])
            case "consent":
                return await oauth.callback(hub, request, parts[3])
            case "app-catalog" | "app-config":
                app_base.enter_app(self._app_digest, parts[3])
                catalog = route == "app-catalog"
                take = app_base.catalog if catalog else app_base.store_config
                return await take(hub, request, directory)
            case _:
                raise Refused


def route_of(parts: tuple[str, ...]) -> str:
    """The name of the route a path belongs to."""
    match parts:
        case ("vtex", "v1", "app", _, *rest):
            return _APP.get(tuple(rest), "unknown")
        case ("vtex", "v1", _, _, *rest):
            return _vtex_route(rest)
        case ("marketplace", "v1", "app" | "oauth" as kind, _, last):
            return "app-webhook" if kind == "app" else _OAUTH.get(last, "unknown")
        case ("marketplace", "v1", _, _):
            return "webhook"
        case _:
            return "unknown"


def _vtex_route(rest: Sequence[str]) -> str:
    """The route of what VTEX itself calls, below a connection and its secret."""
    match rest:
        case ["api" | "catalog", "notification"]:
            return "notification"
        case ["pub" | "pvt", "orders", *_]:
            return "orders"
        case ["order-integration", "notification", "processing-result"]:
            return "result"
        case ["logs"] | [_, "logs"]:
            return "log"
        case ["mapper", _]:
            return "mapper"
        case _:
            return "unknown"


_BY_SECRET: Mapping[str, Callable[..., Awaitable[web.Response]]] = {
    "notification": notify,
    "result": result,
    "webhook": webhooks.webhook,
}
_OAUTH: Mapping[str, str] = {"callback": "consent"}
_APP: Mapping[tuple[str, ...], str] = {
    ("catalog", "notification"): "app-catalog",
    ("store-config", "notification"): "app-config",
}
