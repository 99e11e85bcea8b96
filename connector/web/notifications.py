"""Catalog notifications from VTEX: saved, answered, looked at later (protocol 3)."""

from __future__ import annotations

from aiohttp import web

from connector.domain.connection import Purpose
from connector.flows.hub import Hub
from connector.flows.intake import take_notifications
from connector.web.incoming import done, enter, look, read_body


async def notify(
    hub: Hub, request: web.BaseRequest, connection_id: str, secret: str
) -> web.Response:
    """Take one notification, or a list of them."""
    connection = await enter(hub, connection_id, Purpose.NOTIFY, secret)
    seen = look(request)
    if seen is not None:
        return seen
    await take_notifications(hub, connection, await read_body(request))
    return done()
