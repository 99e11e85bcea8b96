"""The user-readable log as VTEX asks for it (protocol 10.5)."""

from __future__ import annotations

from datetime import date

from aiohttp import web

from connector.domain.connection import Purpose
from connector.flows.hub import Hub
from connector.flows.logs import parse_statuses, vtex_log
from connector.web.errors import Answer, Refused, reply
from connector.web.incoming import enter, only


async def read_log(
    hub: Hub, request: web.BaseRequest, connection_id: str, secret: str, account: str
) -> web.Response:
    """Answer with a day's entries; the guide shows this URL with and without the account."""
    connection = await enter(hub, connection_id, Purpose.LOGS, secret)
    if account and account.lower() != connection.account:
        raise Refused
    only(request, "GET", "HEAD")
    query = {name.lower(): value for name, value in request.query.items()}
    day = query.get("dateat") or query.get("date") or ""
    statuses = parse_statuses(query.get("status", ""))
    return reply(await vtex_log(hub, connection, _day(day), statuses))


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise Answer(400, "DateAt is no date: write yyyy-mm-dd") from None
