"""Webhooks of marketplaces: of one connection, or of an application for all its sellers."""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from connector.domain.connection import Connection, Purpose
from connector.domain.http import Request
from connector.flows.app_settings import read_app_settings
from connector.flows.hub import Hub
from connector.flows.intake import save_order_keys, take_webhook
from connector.flows.secrets import digest
from connector.sdk import Adapter, AdapterSettings, Capability
from connector.sdk.registry import AdapterRegistry
from connector.settings import WEBHOOK_SECRET, SettingsError
from connector.web.directory import Directory
from connector.web.errors import Refused
from connector.web.incoming import done, enter, look, read_body, usable

_SETTING = "CONNECTOR_ADAPTER_APP_SETTINGS"


async def webhook(
    hub: Hub, request: web.BaseRequest, connection_id: str, secret: str
) -> web.Response:
    """Take a webhook of one connection."""
    connection = await enter(hub, connection_id, Purpose.WEBHOOK, secret)
    seen = look(request)
    if seen is not None:
        return seen
    usable(hub, connection)
    await take_webhook(hub, connection, await _as_sent(request))
    return done()


@dataclass(frozen=True, slots=True)
class AppDoor:
    """Where one adapter's application webhook comes in; its secret is in the URL."""

    adapter: type[Adapter[Any]]
    digest: str
    settings: AdapterSettings | None = None


def app_doors(
    registry: AdapterRegistry, app_settings: Mapping[str, Mapping[str, Any]]
) -> dict[str, AppDoor]:
    """The doors of all adapters for which a secret is set; a broken adapter has none.

    Raises:
        SettingsError: the settings do not fit their adapter.
    """
    secrets = {name: values.get(WEBHOOK_SECRET) for name, values in app_settings.items()}
    own = {
        name: {key: value for key, value in values.items() if key != WEBHOOK_SECRET}
        for name, values in app_settings.items()
    }
    try:
        settings = read_app_settings(registry, own)
    except ValueError as error:
        raise SettingsError(f"{_SETTING}: {error}") from None
    doors = {}
    for name, secret in secrets.items():
        if secret is None or name in registry.broken:
            continue
        adapter = registry.found[name]
        if Capability.APP_WEBHOOK not in adapter.capabilities:
            raise SettingsError(f"{_SETTING}: {name} is no adapter with an application webhook")
        doors[name] = AppDoor(adapter, digest(str(secret)), settings.get(name))
    return doors


async def app_webhook(
    hub: Hub,
    request: web.BaseRequest,
    directory: Directory,
    door: AppDoor | None,
    secret: str,
) -> web.Response:
    """Take an application webhook: each of its calls goes to the connections of its tenant."""
    same = hmac.compare_digest(door.digest if door else "", digest(secret))
    if door is None or not same:
        raise Refused
    seen = look(request)
    if seen is not None:
        return seen
    sent = await _as_sent(request)
    keys: dict[str, dict[str, None]] = defaultdict(dict)
    connections: dict[str, Connection] = {}
    for call in door.adapter.app_webhook(door.settings, sent, hub.now()):
        for connection in await directory.by_tenant(door.adapter.name, call.tenant):
            connections[connection.id] = connection
            keys[connection.id][call.key] = None
    for connection in connections.values():
        await save_order_keys(hub, connection, list(keys[connection.id]))
        hub.metrics.count("webhooks_total", adapter=door.adapter.name, connection=connection.id)
    return done()


async def _as_sent(request: web.BaseRequest) -> Request:
    """The request as adapters read it; signatures may cover any part of it."""
    return Request(
        method=request.method,
        url=request.raw_path.partition("?")[0],
        query=dict(request.query),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await read_body(request),
        operation="webhook",
    )
