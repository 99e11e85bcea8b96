"""Bodies and connections that mean no good."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from connector.domain.connection import Purpose
from connector.web import incoming
from tests.integration.web.support import call

NESTED = b"[" * 100_000 + b"]" * 100_000
HOSTILE = {
    "empty": b"",
    "blank": b"   ",
    "not json": b"hello",
    "not utf-8": b'{"IdSku":"\xff\xfe"}',
    "deep array": NESTED,
    "deep object": b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
    "nan": b'{"IdSku": NaN}',
    "number": b"42",
    "null": b"null",
    "string": b'"IdSku"',
    "list of numbers": b"[1,2,3]",
    "no sku": b'{"An":"simstore"}',
    "sku is an object": b'{"IdSku":{"$ne":null}}',
    "sku is a list": b'{"IdSku":["1"]}',
    "sku is true": b'{"IdSku":true}',
    "sku is a path": b'{"IdSku":"../../etc/passwd"}',
    "nul": b'{"IdSku":"1\\u0000"}',
    "half a character": b'{"IdSku":"\\ud800"}',
    "huge number": b'{"IdSku":' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_notifications_get_400_and_leave_nothing(it, public, name):
    path = it.vtex(Purpose.NOTIFY, "api/notification")
    status, body, _ = await call(public, "POST", path, HOSTILE[name])
    assert status == 400
    assert body["error"]["message"]
    status, *_ = await call(public, "POST", path, {"IdSku": "1"})
    assert status == 200


@pytest.mark.parametrize("name", [n for n in HOSTILE if "sku" not in n])
@pytest.mark.parametrize("rest", ["invoice", "invoice/1", "invoice/1/tracking", "changes"])
async def test_hostile_callbacks_get_400(it, public, name, rest):
    path = it.vtex(Purpose.SERVICES, f"pvt/orders/1/{rest}")
    status, body, _ = await call(public, "POST", path, HOSTILE[name])
    assert status == 400 or (name in {"nul", "half a character"} and status in {200, 400}), body


@pytest.mark.parametrize("door", ["config", "result", "hook"])
@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_bodies_elsewhere_get_4xx(it, public, name, door):
    path = {
        "config": "/vtex/v1/app/the-secret-of-the-vtex-app/store-config/notification",
        "result": it.vtex(Purpose.SERVICES, "order-integration/notification/processing-result"),
        "hook": f"/marketplace/v1/{it.one.id}/{it.secret(Purpose.WEBHOOK)}",
    }[door]
    status, *_ = await call(public, "POST", path, HOSTILE[name])
    assert status in {400, 401}


async def test_too_large_is_413_and_invoices_may_be_larger(it, public):
    small = it.vtex(Purpose.NOTIFY, "api/notification")
    large = it.vtex(Purpose.SERVICES, "pub/orders/1/invoice")
    status, *_ = await call(public, "POST", small, b" " * (incoming.SMALL_BODY + 1))
    assert status == 413
    invoice = {"invoiceNumber": "1", "invoiceValue": 5, "embeddedInvoice": "x" * 6_000_000}
    status, *_ = await call(public, "POST", large, invoice)
    assert status == 200
    status, *_ = await call(public, "POST", large, b" " * (incoming.INVOICE_BODY + 1))
    assert status == 413


async def test_a_body_that_tells_no_length_is_capped_as_well(it, public):
    async def endless():
        for _ in range(100):
            yield b" " * 65_536

    path = it.vtex(Purpose.NOTIFY, "api/notification")
    async with public.post(path, data=endless()) as response:
        assert response.status == 413


async def test_a_body_that_unpacks_to_too_much_is_413(it, public):
    path = it.vtex(Purpose.NOTIFY, "api/notification")
    bomb = gzip.compress(b" " * 50_000_000)
    status, *_ = await call(public, "POST", path, bomb, headers={"Content-Encoding": "gzip"})
    assert status in {400, 413}
    good = gzip.compress(json.dumps({"IdSku": "1"}).encode())
    status, *_ = await call(public, "POST", path, good, headers={"Content-Encoding": "gzip"})
    assert status == 200
    status, *_ = await call(public, "POST", path, b"no gzip", headers={"Content-Encoding": "gzip"})
    assert status == 400


async def test_a_slow_body_is_408(it, public, monkeypatch):
    monkeypatch.setattr(incoming, "BODY_S", 0.1)
    path = it.vtex(Purpose.NOTIFY, "api/notification")
    reader, writer = await asyncio.open_connection("127.0.0.1", public.server.port)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{{".encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.startswith(b"HTTP/1.1 408")
    writer.close()


async def test_a_broken_off_body_harms_nobody(it, public):
    path = it.vtex(Purpose.NOTIFY, "api/notification")
    _, writer = await asyncio.open_connection("127.0.0.1", public.server.port)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{{".encode())
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await asyncio.sleep(0.05)
    status, *_ = await call(public, "POST", path, {"IdSku": "1"})
    assert status == 200


async def test_a_mistake_of_ours_shows_no_insides(it, public, monkeypatch):
    async def broken(writes):
        raise KeyError("secret insides")

    it.store.commit = broken
    path = it.vtex(Purpose.NOTIFY, "api/notification")
    status, body, headers = await call(public, "POST", path, {"IdSku": "1"})
    assert status == 500
    assert "Retry-After" in headers
    assert "insides" not in str(body)


@pytest.mark.parametrize(
    "head",
    [
        "POST {}\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
        "POST {} HTTP/1.1\r\nBad Header\r\n\r\n",
        "POST {} HTTP/9.9 x\r\n\r\n",
        "\x16\x03\x01{}\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_neither_quoted_nor_logged(it, public, head, caplog, capsys):
    secret = it.secret(Purpose.NOTIFY)
    path = it.vtex(Purpose.NOTIFY, "api/notification")
    reader, writer = await asyncio.open_connection("127.0.0.1", public.server.port)
    writer.write(head.format(path, path).encode("latin-1"))
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert b" 400 " in answer.splitlines()[0]
    assert secret.encode() not in answer
    assert b"aiohttp" not in answer
    assert secret not in caplog.text + capsys.readouterr().out
