import asyncio
import gzip
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connector.domain.http import Held, NoAnswer, NotSent, Request, json_request
from connector.drivers.guard import Refused
from connector.drivers.http import KEEP_ALIVE_S


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


async def read_head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset instead of a goodbye."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    writer.transport.abort()


# --- what goes out and comes back -----------------------------------------------------------------


async def test_a_request_goes_out_as_it_is(make_pool, serve, told):
    http = make_pool().peer("vtex", base_url=await serve(echo) + "/base/", headers={"X-Key": "k"})
    response = await http.send(
        json_request(
            "PUT",
            "/api/a%2Fb/%C3%A7/%41",
            {"é": 1},
            query={"q": "a b/ç&d", "sc": "1"},
            headers={"X-Own": "o"},
            operation="put",
        )
    )
    seen = response.json()
    assert seen["method"] == "PUT"
    assert seen["raw"] == "/base/api/a%2Fb/%C3%A7/%41?q=a%20b%2F%C3%A7%26d&sc=1"
    assert seen["body"] == '{"é":1}'
    assert seen["headers"]["content-type"] == "application/json"
    assert (seen["headers"]["x-key"], seen["headers"]["x-own"]) == ("k", "o")
    assert response.headers["x-two"] == "a, b"
    assert response.headers["x-upper"] == "C"
    assert told.outcomes == {"2xx": 1}


async def test_a_query_is_added_to_a_query(make_pool, serve):
    http = make_pool().peer("vtex", base_url=await serve(echo))
    response = await http.send(Request("GET", "x?a=1", {"b": "2"}))
    assert response.json()["raw"] == "/x?a=1&b=2"
    assert "content-type" not in response.json()["headers"]


async def test_credentials_stay_with_their_host(make_pool, serve):
    own, other = await serve(echo), await serve(echo)
    http = make_pool().peer("vtex", base_url=own + "/api", headers={"X-Key": "k"})
    assert (await http.send(Request("GET", own + "/y"))).json()["headers"]["x-key"] == "k"
    assert "x-key" not in (await http.send(Request("GET", other + "/y"))).json()["headers"]


@pytest.mark.parametrize("status", [200, 204, 301, 302, 307, 404, 418, 429, 500, 503])
async def test_any_status_is_an_answer_and_no_redirect_is_followed(make_pool, serve, status):
    calls = 0

    async def handler(_: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.Response(status=status, headers={"Location": "http://127.0.0.1:1/"})

    response = await make_pool().peer("p", base_url=await serve(handler)).send(Request("GET", "/"))
    assert (response.status, calls) == (status, 1)


async def test_no_cookies_are_kept(make_pool, serve):
    async def handler(request: web.Request) -> web.Response:
        response = web.Response(text=request.headers.get("Cookie", "none"))
        response.set_cookie("session", "tenant-a")
        return response

    http = make_pool().peer("p", base_url=await serve(handler))
    await http.send(Request("GET", "/"))
    assert (await http.send(Request("GET", "/"))).text == "none"


async def test_connections_are_kept(make_pool, serve):
    ports = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response()

    http = make_pool().peer("p", base_url=await serve(handler))
    for _ in range(5):
        await http.send(Request("POST", "/", body=b"x"))
    assert len(ports) == 1
    assert KEEP_ALIVE_S < 15


# --- how big an answer may be ---------------------------------------------------------------------


@pytest.mark.parametrize("how", ["announced", "chunked", "compressed"])
async def test_answers_are_capped(make_pool, serve, told, how):
    async def handler(request: web.Request) -> web.StreamResponse:
        size = int(request.query["size"])
        if how == "announced":
            return web.Response(body=b"x" * size)
        if how == "compressed":
            body = gzip.compress(b"x" * size)
            return web.Response(body=body, headers={"Content-Encoding": "gzip"})
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(size // 10_000):
                await response.write(b"x" * 10_000)
        except ConnectionError:
            pass
        return response

    http = make_pool(max_body=1_000_000).peer("p", base_url=await serve(handler))
    assert len((await http.send(Request("GET", "/?size=1000000"))).body) == 1_000_000
    with pytest.raises(NoAnswer, match="larger"):
        await http.send(Request("GET", "/?size=50000000"))
    assert (await http.send(Request("GET", "/?size=10000"))).ok
    assert told.outcomes == {"2xx": 2, "no_answer": 1}


# --- how calls fail -------------------------------------------------------------------------------


async def test_nobody_listens(make_pool, told):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    http = make_pool().peer("p", base_url=f"http://127.0.0.1:{port}")
    with pytest.raises(NotSent) as failure:
        await http.send(Request("POST", "/", body=b"x"))
    assert not isinstance(failure.value, Held | Refused)
    assert told.outcomes == {"not_sent": 1}


async def test_a_name_that_does_not_exist(make_pool, fake_names):
    fake_names({})
    http = make_pool().peer("p", base_url="https://nowhere.example")
    with pytest.raises(NotSent) as failure:
        await http.send(Request("POST", "/"))
    assert not isinstance(failure.value, Refused)


async def test_a_connection_that_is_never_accepted(make_pool):
    with socket.socket() as lazy:
        lazy.bind(("127.0.0.1", 0))
        lazy.listen(0)
        others = [socket.socket() for _ in range(4)]
        try:
            for other in others:  # fill its backlog
                other.setblocking(False)
                other.connect_ex(lazy.getsockname())
            url = f"http://127.0.0.1:{lazy.getsockname()[1]}"
            http = make_pool(connect_s=0.1).peer("p", base_url=url)
            with pytest.raises(NotSent, match="Timeout"):
                await http.send(Request("POST", "/", timeout_s=5))
        finally:
            for other in others:
                other.close()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_an_answer_that_never_comes(make_pool, serve_raw, method):
    calls = 0

    async def talk(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await reader.read()

    http = make_pool().peer("p", base_url=await serve_raw(talk))
    with pytest.raises(NoAnswer):
        await http.send(Request(method, "/", timeout_s=0.1))
    assert calls == 1


async def test_a_body_that_never_ends(make_pool, serve_raw):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of")
        await reader.read()

    http = make_pool().peer("p", base_url=await serve_raw(talk))
    with pytest.raises(NoAnswer):
        await http.send(Request("GET", "/", timeout_s=0.1))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
    ],
    ids=["nothing", "half a head", "half a body", "half a chunk", "another protocol", "no gzip"],
)
@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_broken_answers(make_pool, serve_raw, answer, ending):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(answer)
        await writer.drain()
        if ending == "reset":
            reset(writer)

    http = make_pool().peer("p", base_url=await serve_raw(talk))
    with pytest.raises(NoAnswer):
        await http.send(Request("POST", "/", body=b"x"))


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE", "GET"])
@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_only_reads_are_repeated_silently(make_pool, serve_raw, method, ending):
    """A kept connection breaks after the request was read: was it done?"""
    seen: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        seen.append((await read_head(reader)).split(b" ")[0].decode())
        if ending == "reset":
            reset(writer)

    http = make_pool().peer("p", base_url=await serve_raw(talk))
    assert (await http.send(Request("GET", "/"))).text == "ok"
    if method == "GET":
        assert (await http.send(Request("GET", "/"))).text == "ok"
    else:
        with pytest.raises(NoAnswer):
            await http.send(Request(method, "/"))
    assert seen == [method]  # a GET's second try met a new connection


async def test_a_peer_without_a_good_certificate(make_pool, serve_raw, tmp_path):
    context = self_signed(tmp_path)
    spoken = b""

    async def talk(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        nonlocal spoken
        spoken += await reader.read()

    http = make_pool().peer("p", base_url=await serve_raw(talk, ssl=context))
    with pytest.raises(NotSent):
        await http.send(Request("POST", "/", body=b"secret"))
    assert spoken == b""


async def test_a_peer_whose_certificate_is_trusted(make_pool, serve_raw, tmp_path):
    context = self_signed(tmp_path)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    http = make_pool(tls=trusting).peer("p", base_url=await serve_raw(talk, ssl=context))
    assert (await http.send(Request("GET", "/"))).text == "ok"


def self_signed(folder) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    address = x509.IPAddress(ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def test_headers_cannot_be_smuggled(make_pool, serve):
    http = make_pool().peer("p", base_url=await serve(echo))
    for headers in ({"X": "a\r\nY: b"}, {"X\r\nY": "b"}, {"X": "a\x00"}):
        with pytest.raises(NotSent):
            await http.send(Request("GET", "/", headers=headers))


async def test_a_cancelled_call_ends(make_pool, serve_raw):
    entered, left = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        entered.set()
        await reader.read()
        left.set()

    http = make_pool().peer("p", base_url=await serve_raw(talk))
    task = asyncio.create_task(http.send(Request("GET", "/")))
    async with asyncio.timeout(5):
        await entered.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await left.wait()
    assert task.cancelled()
