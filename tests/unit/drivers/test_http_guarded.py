import asyncio
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import structlog
from aiohttp import web

from connector.domain.http import Held, NotSent, Request
from connector.drivers.guard import Guard, Refused
from connector.drivers.http import _Resolver, _seconds
from connector.sdk.values import Limit, Scope


async def echo(request: web.Request) -> web.Response:
    return web.json_response(
        {
            "method": request.method,
            "raw": request.raw_path,
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": (await request.read()).decode(),
        },
        headers=[("X-Two", "a"), ("X-Two", "b"), ("X-Upper", "C")],
    )


# --- the guard ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ips",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["::1"],
        ["169.254.169.254"],
        ["64:ff9b::7f00:1"],
        ["8.8.8.8", "127.0.0.1"],
    ],
)
async def test_names_of_private_addresses_are_refused(make_pool, fake_names, told, ips):
    fake_names({"evil.example": ips})
    pool = make_pool(allow_hosts=[])
    http = pool.peer("p", base_url="https://evil.example")
    for _ in range(7):
        with pytest.raises(Refused):
            await http.send(Request("GET", "/"))
    assert told.outcomes == {"refused": 7}
    assert pool.breakers.state("p at evil.example").unreached == 0  # says nothing about the peer


async def test_a_private_listener_hears_nothing(make_pool, serve_raw, fake_names):
    heard = 0

    async def talk(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        heard += 1

    url = await serve_raw(talk)
    port = url.rpartition(":")[2]
    fake_names({"evil.example": ["127.0.0.1"]})
    pool = make_pool(allow_hosts=[f"other.example:{port}"])
    http = pool.peer("p")
    for target in (url, f"http://evil.example:{port}", f"https://evil.example:{port}"):
        with pytest.raises(Refused):
            await http.send(Request("GET", target))
    # Past the URL check and the resolver, the socket itself is refused.
    evil = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", int(port)))
    with pytest.raises(OSError, match="not public"):
        pool._socket(evil)
    assert heard == 0


async def test_a_name_that_changes_its_address(fake_names):
    names = {"evil.example": ["8.8.8.8"]}
    fake_names(names)
    resolver = _Resolver(Guard(), set())
    await resolver.resolve("evil.example", 443)
    names["evil.example"] = ["127.0.0.1"]
    with pytest.raises(Refused):
        await resolver.resolve("evil.example", 443)
    await resolver.close()


async def test_named_hosts_may_be_private(make_pool, serve, fake_names):
    port = (await serve(echo)).rpartition(":")[2]
    fake_names({"inside.example": ["127.0.0.1"]})
    pool = make_pool(allow_hosts=[f"inside.example:{port}"])
    assert (
        await pool.peer("p", base_url=f"http://inside.example:{port}").send(Request("GET", "/"))
    ).ok


async def test_refused_before_anything_happens(make_pool, told):
    http = make_pool(allow_hosts=[]).peer("p", base_url="https://example.com")
    for url in ("http://example.com/", "https://user:secret@example.com/", "https://[::1]/"):
        with pytest.raises(Refused):
            await http.send(Request("GET", url))
    with pytest.raises(Refused):
        await http.send(Request("GET", "/a b"))
    assert told.outcomes == {"refused": 4}


# --- limits, breakers, logs -----------------------------------------------------------------------


async def test_limits_hold_calls_back(make_pool, serve, clock, told):
    calls: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        calls.append(request.path)
        return web.Response()

    limits = [
        ("acc", Limit(Scope.CONNECTION, rate=1, burst=2)),
        ("acc:slow", Limit(Scope.OPERATION, rate=0.01, operation="slow")),
    ]
    http = make_pool().peer("p", base_url=await serve(handler), limits=limits)
    for _ in range(4):
        await http.send(Request("GET", "/quick", operation="quick"))
    assert sum(clock.slept) == pytest.approx(2, abs=0.01)
    await http.send(Request("GET", "/slow", operation="slow"))
    with pytest.raises(Held) as held:
        await http.send(Request("GET", "/slow", operation="slow"))
    assert 90 < (held.value.until - clock.now()).total_seconds() <= 100
    assert calls.count("/slow") == 1
    assert told.outcomes == {"2xx": 5, "held": 1}


async def test_a_429_pauses_the_scope_for_everybody(make_pool, serve, clock):
    calls = 0

    async def handler(_: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.Response(status=429, headers={"Retry-After": "60"})

    pool, url = make_pool(), await serve(handler)
    first = pool.peer("p", base_url=url, scope="shop")
    second = pool.peer("p", base_url=url, scope="shop")
    other = pool.peer("p", base_url=url, scope="another shop")
    assert (await first.send(Request("GET", "/"))).status == 429
    with pytest.raises(Held) as held:
        await second.send(Request("GET", "/"))
    assert held.value.until == clock.now() + timedelta(seconds=60)
    assert calls == 1
    await other.send(Request("GET", "/"))
    clock.move(60)
    await second.send(Request("GET", "/"))
    assert calls == 3


async def test_a_429_of_an_operation_pauses_it_alone(make_pool, serve, clock):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=429 if request.path == "/slow" else 200)

    limits = [("slow", Limit(Scope.OPERATION, rate=100, burst=100, operation="slow"))]
    http = make_pool().peer("p", base_url=await serve(handler), limits=limits)
    await http.send(Request("GET", "/slow", operation="slow"))
    await http.send(Request("GET", "/quick", operation="quick"))
    assert clock.slept == []
    await http.send(Request("GET", "/slow", operation="slow"))
    assert clock.slept == [1]


def test_retry_after_is_read_in_all_its_forms():
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert _seconds("30", now) == 30
    assert _seconds("2.5", now) == 2.5
    assert _seconds(later, now) == 90
    assert _seconds(later.replace("GMT", "-0000"), now) == 90
    for text in ("", "soon", "-5", "0", "nan", "Sun, 99 Foo 2026"):
        assert _seconds(text, now) == 1


async def test_a_peer_that_is_down_is_left_alone(make_pool, serve, clock, told):
    calls, status = 0, 500

    async def handler(_: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.Response(status=status)

    http = make_pool().peer("p", base_url=await serve(handler))
    with structlog.testing.capture_logs() as logs:
        for _ in range(20):
            await http.send(Request("GET", "/"))
        for _ in range(50):
            with pytest.raises(Held):
                await http.send(Request("GET", "/"))
        assert calls == 20
        clock.move(30)
        await http.send(Request("GET", "/"))
        with pytest.raises(Held):
            await http.send(Request("GET", "/"))
        status = 200
        clock.move(60)
        for _ in range(3):
            await http.send(Request("GET", "/"))
    assert calls == 24
    events = [log["event"] for log in logs if log["event"].startswith("breaker")]
    assert events == ["breaker_opened", "breaker_closed"]
    assert told.outcomes == {"5xx": 21, "held": 51, "2xx": 3}


async def test_logs_tell_no_secrets(make_pool, serve):
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="answer-secret", headers={"X": "header-secret"})

    url = await serve(handler)
    http = make_pool().peer("p", base_url=url, headers={"Authorization": "key-secret"})
    with structlog.testing.capture_logs() as logs:
        await http.send(
            Request(
                "POST",
                "/path-secret",
                {"token": "query-secret"},
                {"X": "own-secret"},
                b"body-secret",
                operation="op",
            )
        )
        with pytest.raises(NotSent):
            await http.send(Request("GET", "http://user:userinfo-secret@127.0.0.1/"))
        with pytest.raises(NotSent):
            await http.send(Request("GET", "https://127.0.0.1:1/path-secret?q=query-secret"))
    assert [log["event"] for log in logs] == ["http_answered", "http_failed", "http_failed"]
    assert "secret" not in str(logs)
