"""A real nginx with deploy/nginx before a hub's stand-in. ``make servers`` obtains one."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from connector.sandbox.demo.installation import free_ports
from tests.servers import nginx
from tests.unit.deploy.files import DEPLOY

SECRET = "canary-7f3b1c"
HOOK = f"/marketplace/v1/acme-mkt-1/{SECRET}"
ORDER = f"/vtex/v1/acme-mkt-1/{SECRET}/pvt/orders/{SECRET}-01"


@dataclass
class Proxy:
    binary: Path
    home: Path
    port: int
    upstream_port: int
    seen: list[tuple[str, int]] = field(default_factory=list)

    @property
    def command(self) -> list[str]:
        home = str(self.home)
        return [str(self.binary), "-p", home, "-c", f"{home}/nginx.conf", "-e", f"{home}/error.log"]

    def url(self, path: str) -> URL:
        return URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)

    def logs(self) -> str:
        return "".join(path.read_text(errors="replace") for path in self.home.glob("*.log"))

    def configure(self) -> None:
        """The files as they are, with this machine's ports and folders, and shorter waits."""
        for source, name in (
            ("nginx.conf", "nginx.conf"),
            ("locations.conf", "locations.conf"),
            ("place-kubernetes.conf", "place.conf"),
            ("tls-off.conf", "tls.conf"),
        ):
            content = (DEPLOY / "nginx" / source).read_text(encoding="utf-8")
            for old, new in (
                ("/tmp/", f"{self.home}/"),
                ("/etc/nginx/", f"{self.home}/"),
                ("/dev/stderr", f"{self.home}/error.log"),
                ("/dev/stdout", f"{self.home}/access.log"),
                ("listen 8080", f"listen 127.0.0.1:{self.port}"),
                ("127.0.0.1:8082", f"127.0.0.1:{free_ports(1)[0]}"),
                ("web:8080", f"127.0.0.1:{self.upstream_port}"),
                ("timeout 10s", "timeout 1s"),
                ("timeout   10s", "timeout   1s"),
                ("worker_processes auto", "worker_processes 1"),
                ("worker_connections 8192", "worker_connections 512"),
            ):
                content = content.replace(old, new)
            (self.home / name).write_text(content, encoding="utf-8")


@pytest.fixture
async def proxy(tmp_path) -> AsyncIterator[Proxy]:
    port, upstream = free_ports(2)
    one = Proxy(nginx.require(), tmp_path, port, upstream)

    async def answer(request: web.BaseRequest) -> web.Response:
        body = await request.content.read()  # read() would cap it by itself
        one.seen.append((request.raw_path, len(body)))
        return web.json_response({})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", upstream).start()
    one.configure()
    options = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    process = await asyncio.create_subprocess_exec(
        *(*one.command, "-g", options),
        env=nginx.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await listening(one, process)
        yield one
    finally:
        process.terminate()
        await process.wait()
        await runner.cleanup()


def browser() -> aiohttp.ClientSession:  # noqa: TID251 - a stranger, not the hub
    """Each request over a connection of its own."""
    connector = aiohttp.TCPConnector(force_close=True)
    return aiohttp.ClientSession(connector=connector)  # noqa: TID251 - a stranger, not the hub


async def listening(proxy: Proxy, process: asyncio.subprocess.Process) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.close()
            return
        assert process.returncode is None, proxy.logs()
        await asyncio.sleep(0.05)
    raise AssertionError(proxy.logs())


async def logged(proxy: Proxy, *, last: str) -> list[str]:
    """Lines of the access log, once the last one says ``last``."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        lines = (proxy.home / "access.log").read_text(encoding="utf-8").splitlines()
        if lines and last in lines[-1]:
            return lines
        await asyncio.sleep(0.02)
    raise AssertionError(proxy.logs())


async def test_what_is_public_is_passed_on_as_it_was_sent(proxy):
    sent = [
        f"{HOOK}?a=%2F",
        f"{ORDER}/invoice/5%2F1/tracking",
        f"//vtex/v1//acme-mkt-1/{SECRET}/api/notification/",
    ]
    async with browser() as session:
        for path in sent:
            async with session.post(proxy.url(path), data=b"{}") as response:
                assert response.status == 200
        for path in ("/", "/metrics", "/api/v1/connections", "/live", "/vtex/v2/x"):
            async with session.get(proxy.url(path)) as response:
                assert response.status == 404
    assert [path for path, _ in proxy.seen] == sent


async def test_bodies_are_capped_where_the_hub_caps_them(proxy):
    cases = {
        (f"{ORDER}/invoice", 8 * 1024 * 1024): 200,
        (f"{ORDER}/invoice", 8 * 1024 * 1024 + 1): 413,
        (f"{ORDER}/invoice/5%2F1", 1024 * 1024): 200,
        (f"{ORDER}/cancel", 256 * 1024): 200,
        (f"{ORDER}/cancel", 256 * 1024 + 1): 413,
        (HOOK, 256 * 1024 + 1): 413,
    }
    async with browser() as session:
        for (path, length), status in cases.items():
            async with session.post(proxy.url(path), data=io.BytesIO(b"x" * length)) as response:
                assert (path, length, response.status) == (path, length, status)
    assert SECRET not in proxy.logs()


@pytest.mark.parametrize(
    "start",
    [
        b"POST " + HOOK.encode() + b" HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST " + HOOK.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    ],
    ids=["head", "body"],
)
async def test_slow_senders_are_cut_off(start, proxy):
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(start)
    began = time.monotonic()
    with contextlib.suppress(ConnectionResetError):  # which is how nginx cuts off
        async with asyncio.timeout(8):
            await reader.read()
    assert time.monotonic() - began < 6
    writer.close()
    assert proxy.seen == [], "a slow sender holds no connection of the hub"
    assert SECRET not in proxy.logs()


async def test_no_log_has_a_secret_whatever_happens(proxy):
    async with browser() as session:
        async with session.post(proxy.url(f"{HOOK}?token={SECRET}"), data=b"{}") as response:
            assert response.status == 200
        headers = {"Referer": f"https://x/{SECRET}", "User-Agent": SECRET}
        async with session.get(proxy.url(f"/{SECRET}"), headers=headers) as response:
            assert response.status == 404
        async with session.post(proxy.url(HOOK), data=b"x" * 300_000) as response:
            assert response.status == 413
        long = proxy.url(f"{HOOK}?q={'x' * 20_000}")
        async with session.get(long) as response:
            assert response.status == 414
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"POST " + HOOK.encode() + b" HTTP/9.9 what\r\n\r\n")
    await reader.read()
    writer.close()
    lines = await logged(proxy, last='"status":505')
    assert len(lines) == 5
    assert SECRET not in proxy.logs()
    assert '"route":"webhook"' in lines[0]
    assert '"route":"other"' in lines[1]


async def test_a_hub_that_is_away_is_told_in_numbers_alone(proxy):
    proxy.upstream_port = free_ports(1)[0]
    proxy.configure()
    reload = await asyncio.create_subprocess_exec(*proxy.command, "-s", "reload")
    assert await reload.wait() == 0
    deadline = time.monotonic() + 5
    status = 0
    async with browser() as session:
        while status != 502 and time.monotonic() < deadline:
            async with session.post(proxy.url(HOOK), data=b"{}") as response:
                status = response.status
    assert status == 502
    await logged(proxy, last='"status":502')
    assert SECRET not in proxy.logs()
