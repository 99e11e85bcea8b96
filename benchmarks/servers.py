"""What the hub's acknowledgements are compared with: ``python -m benchmarks.servers bare|null``."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from aiohttp import web

_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
    b"Server: null\r\n\r\n{}"
)


async def _bare(request: web.BaseRequest) -> web.Response:
    """The least an aiohttp handler does: parse the body, answer."""
    json.loads(await request.read())
    return web.Response(body=b"{}", content_type="application/json")


class _Null(asyncio.Protocol):
    """Answers whatever comes without looking at it: shows what the load generator can do."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        del data
        self._transport.write(_ANSWER)


async def _open(kind: str) -> asyncio.Server:
    """``bare`` is aiohttp's plain server, ``app`` its application with one route."""
    loop = asyncio.get_running_loop()
    if kind == "null":
        return await loop.create_server(_Null, "127.0.0.1", 0)
    if kind == "bare":
        return await loop.create_server(web.Server(_bare, access_log=None), "127.0.0.1", 0)
    app = web.Application()
    app.router.add_post("/{rest:.*}", _bare)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    assert runner.server is not None
    return await loop.create_server(runner.server, "127.0.0.1", 0)


async def _main(kind: str) -> None:
    server = await _open(kind)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
