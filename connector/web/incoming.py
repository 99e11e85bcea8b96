"""Reading what strangers send: who may come in, and how much is read for how long."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote

from aiohttp import ClientError, StreamReader, web

from connector.domain.connection import Connection, Purpose
from connector.domain.pending import Context
from connector.flows.hub import Hub
from connector.flows.secrets import opens
from connector.web.errors import RETRY, Answer, Refused

SMALL_BODY = 256 * 1024
INVOICE_BODY = 8 * 1024 * 1024
"""Invoices carry their XML (protocol 7.2)."""
BODY_S = 3.0
_LONGEST_ID = 100
_LOOKS = ("GET", "HEAD", "POST", "OPTIONS")
_LOOK_HEADERS = {"Allow": ", ".join(_LOOKS), "Server": "connector"}
_DONE_HEADERS = {"Content-Type": "application/json", "Server": "connector"}


async def enter(hub: Hub, connection_id: str, purpose: Purpose, secret: str) -> Connection:
    """The connection behind a URL, if its secret opens this door.

    Raises:
        Refused: for whatever reason; all of them look the same.
    """
    known = None
    if len(connection_id) <= _LONGEST_ID and connection_id.isascii():
        known = await hub.book.get(connection_id)
    good = opens(known, purpose, secret, hub.now())  # compared even where there is nobody
    if known is None or not good:
        raise Refused
    return known


def usable(hub: Hub, connection: Connection) -> None:
    """Make sure that both sides of a connection can be spoken to.

    Raises:
        Answer: its adapter is missing, or its settings cannot be read (503).
    """
    try:
        hub.peers.of(connection, Context.ORDERS)
    except (LookupError, ValueError):
        text = "the connection cannot be used now: try again"
        raise Answer(503, text, headers=RETRY) from None


async def read_body(request: web.BaseRequest, most: int = SMALL_BODY) -> bytes:
    """The whole body, at most ``most`` bytes of it and for at most ``BODY_S``.

    Raises:
        Answer: it is too large (413), too slow (408) or broken off (400).
    """
    length = request.content_length
    if length is not None and length > most:
        raise _too_large(most)
    content = request.content
    try:
        if content.is_eof():  # it came along with the head, as small ones do
            body = content.read_nowait()
        else:
            async with asyncio.timeout(BODY_S):
                body = await _read(content, most)
    except TimeoutError:
        text = f"the body did not arrive within {BODY_S:g} s"
        raise Answer(408, text, close=True) from None
    except (ClientError, web.RequestPayloadError, ConnectionError, ValueError):
        raise Answer(400, "the body is incomplete or not encoded as it says") from None
    if len(body) > most:
        raise _too_large(most)
    return body


async def _read(content: StreamReader, most: int) -> bytes:
    """Read until the end, or until it is clear that it is too much."""
    body = bytearray()
    while len(body) <= most and (chunk := await content.readany()):
        body += chunk
    return bytes(body)


def _too_large(most: int) -> Answer:
    return Answer(413, f"the body is larger than {most // 1024} KiB", close=True)


def split(request: web.BaseRequest) -> tuple[str, ...]:
    """The parts of the path as they were sent, percent-encoded; empty ones are dropped.

    Dropping them forgives doubled and final slashes (protocol 7.1); parts are decoded by whom they
    belong to, since an encoded slash is no separator.
    """
    path = request.raw_path.partition("?")[0]
    if not path.startswith("/"):
        path = request.rel_url.raw_path  # the absolute form that proxies use
    return tuple(filter(None, path.split("/")))


def decoded(part: str) -> str:
    """A part of a path as text; what is no UTF-8 is taken as Latin-1, as older systems write.

    Raises:
        Answer: it has control characters.
    """
    try:
        text = unquote(part, errors="strict")
    except UnicodeDecodeError:
        text = unquote(part, encoding="latin-1")
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise Answer(400, "the path has control characters")
    return text


def only(request: web.BaseRequest, *methods: str) -> None:
    """Let these methods pass.

    Raises:
        Answer: it is another one (405).
    """
    if request.method not in methods:
        allow = {"Allow": ", ".join(methods)}
        raise Answer(405, "this method is not for this path", headers=allow)


def look(request: web.BaseRequest) -> web.Response | None:
    """The answer to a caller that only looks whether somebody is there (protocol 2.3).

    Raises:
        Answer: it neither looks nor posts (405).
    """
    if request.method == "POST":
        return None
    if request.method == "OPTIONS":
        return web.Response(status=204, headers=_LOOK_HEADERS)
    only(request, *_LOOKS)
    return done()


def done() -> web.Response:
    """The smallest good answer."""
    return web.Response(body=b"{}", headers=_DONE_HEADERS)
