"""Where marketplaces send merchants back to after they gave consent, or did not."""

from __future__ import annotations

from html import escape

from aiohttp import web

from connector.flows.connections import Refusal
from connector.flows.consent import called_back
from connector.flows.hub import Hub
from connector.web.incoming import only

_LONGEST = 4_096
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Server": "connector",
    "Cache-Control": "no-store",
    # The page's own address carries the code: nobody may be told it.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
}
_DONE = "The marketplace gave access. You can close this page."


async def callback(hub: Hub, request: web.BaseRequest, adapter: str) -> web.Response:
    """Complete a consent and tell the person at the browser how that ended."""
    only(request, "GET")
    query = request.query
    state, code, error = (query.get(name, "") for name in ("state", "code", "error"))
    if len(state) > _LONGEST or len(code) > _LONGEST:
        return _page(400, "Access was not given: what the marketplace sent is too long.")
    try:
        await called_back(hub, adapter, state, code, error)
    except Refusal as refusal:
        return _page(400, f"Access was not given: {refusal}.")
    return _page(200, _DONE)


def _page(status: int, text: str) -> web.Response:
    body = f'<!doctype html><meta charset="utf-8"><title>Access</title><p>{escape(text)}</p>\n'
    return web.Response(body=body.encode(), status=status, headers=_HEADERS)
