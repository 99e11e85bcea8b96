"""The endpoints of the VTEX IO app, the same for all sellers who install it (protocol 3.6)."""

from __future__ import annotations

import hmac
from collections import defaultdict

from aiohttp import web

from connector.domain.connection import Connection
from connector.flows.app_install import take_store_config
from connector.flows.hub import Hub
from connector.flows.intake import save_notifications
from connector.flows.secrets import digest
from connector.vtex.inbound import BadBody, Notification, parse_notifications, parse_store_config
from connector.web.directory import Directory
from connector.web.errors import Refused
from connector.web.incoming import done, look, read_body


def enter_app(app_digest: str, secret: str) -> None:
    """Let whoever knows the app's secret in; nobody where none is set.

    Raises:
        Refused: the secret is another one.
    """
    if not hmac.compare_digest(app_digest, digest(secret)):
        raise Refused


async def catalog(hub: Hub, request: web.BaseRequest, directory: Directory) -> web.Response:
    """Take notifications for whichever affiliate they name.

    About an affiliate without connection there is nothing to save: adding one loads everything.
    The answer does not tell who is connected, since every seller's app knows this secret.
    """
    seen = look(request)
    if seen is not None:
        return seen
    addressed: dict[str, list[Notification]] = defaultdict(list)
    connections: dict[str, Connection] = {}
    for notification in parse_notifications(await read_body(request)):
        if not notification.account or not notification.affiliate:
            raise BadBody("An and IdAffiliate are needed here")
        found = await directory.by_affiliate(notification.account, notification.affiliate)
        if found is not None:
            connections[found.id] = found
            addressed[found.id].append(notification)
    for connection in connections.values():
        await save_notifications(hub, connection, addressed[connection.id])
    return done()


async def store_config(hub: Hub, request: web.BaseRequest, directory: Directory) -> web.Response:
    """Take the configuration that a seller saved in the app."""
    seen = look(request)
    if seen is not None:
        return seen
    config = parse_store_config(await read_body(request))
    connection = None
    if config.account and config.affiliate:
        connection = await directory.by_affiliate(config.account, config.affiliate)
    await take_store_config(hub, connection, config)
    return done()
