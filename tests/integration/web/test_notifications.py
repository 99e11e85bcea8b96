"""Catalog notifications over HTTP: tolerant, durable, coalesced."""

from __future__ import annotations

import asyncio
import json

import pytest

from connector.domain.connection import Purpose
from connector.domain.pending import Context
from tests.integration.web.support import call, served

CANONICAL = {
    "IdSku": "15",
    "An": "simstore",
    "IdAffiliate": "XPT",
    "DateModified": "2018-08-20T15:11:28.1978783Z",
    "IsActive": True,
    "StockModified": False,
    "PriceModified": False,
    "HasStockKeepingUnitModified": True,
    "HasStockKeepingUnitRemovedFromAffiliate": False,
}


async def marked(it, connection=None):
    rows = await it.hub.store.pending((connection or it.one).id, Context.LISTINGS, parked=False)
    return {row.key for row in rows}


@pytest.mark.parametrize(
    "rest",
    [
        "api/notification",
        "api/notification/",
        "api/notification/?an=simstore&lt=gold_special",
        "/api//notification//",
        "catalog/notification",
        "catalog/notification/?workspace=x",
    ],
)
async def test_every_form_of_the_url_takes_a_notification(it, public, rest):
    status, body, _ = await call(public, "POST", it.vtex(Purpose.NOTIFY, rest), CANONICAL)
    assert (status, body) == (200, {})
    assert await marked(it) == {"15"}


@pytest.mark.parametrize(
    ("body", "skus"),
    [
        ({"HasStockKeepingUnitModified": True, "IdSku": 123}, {"123"}),
        ({"idSKU": "9", "an": "simstore.myvtex", "idAffiliate": "xpt"}, {"9"}),
        ([CANONICAL, {**CANONICAL, "IdSku": "16"}], {"15", "16"}),
        ({**CANONICAL, "IsActive": "true", "ProductId": None, "SellerChain": "a/b"}, {"15"}),
    ],
)
async def test_bodies_are_read_tolerantly(it, public, body, skus):
    status, *_ = await call(public, "POST", it.vtex(Purpose.NOTIFY, "api/notification"), body)
    assert status == 200
    assert await marked(it) == skus


async def test_bom_and_wrong_content_type_do_not_matter(it, public):
    raw = b"\xef\xbb\xbf" + json.dumps(CANONICAL).encode()
    path = it.vtex(Purpose.NOTIFY, "api/notification")
    headers = {"Content-Type": "text/plain; charset=iso-8859-1"}
    status, *_ = await call(public, "POST", path, raw, headers=headers)
    assert status == 200
    assert await marked(it) == {"15"}


@pytest.mark.parametrize(
    ("method", "expected"), [("GET", 200), ("HEAD", 200), ("OPTIONS", 204), ("DELETE", 405)]
)
async def test_looking_changes_nothing(it, public, method, expected):
    status, *_ = await call(public, method, it.vtex(Purpose.NOTIFY, "api/notification/"))
    assert status == expected
    assert await marked(it) == set()


async def test_somebody_elses_notification_is_refused_like_a_wrong_secret(it, public):
    path = it.vtex(Purpose.NOTIFY, "api/notification")
    for change in ({"An": "otherstore"}, {"IdAffiliate": "BRL"}):
        status, body, _ = await call(public, "POST", path, CANONICAL | change)
        assert (status, body["error"]["message"]) == (404, "not found")
    assert await marked(it) == set()


async def test_it_is_saved_before_it_is_answered_and_not_answered_when_it_is_not(it, public):
    it.store.full = True
    path = it.vtex(Purpose.NOTIFY, "api/notification")
    status, body, headers = await call(public, "POST", path, CANONICAL)
    assert status == 503
    assert int(headers["Retry-After"]) > 0
    assert "disk" not in json.dumps(body)
    it.store.full = False
    assert await marked(it) == set()
    status, *_ = await call(public, "POST", path, CANONICAL)
    assert status == 200
    assert it.refused("notification", 503) == 1


async def test_a_handler_finishes_when_its_caller_has_hung_up(it):
    saving, go_on = asyncio.Event(), asyncio.Event()
    commit = it.store.commit

    async def slow(writes):
        saving.set()
        await go_on.wait()
        await commit(writes)

    it.store.commit = slow
    raw = json.dumps(CANONICAL).encode()
    path = it.vtex(Purpose.NOTIFY, "api/notification")
    async with served(it.hub) as client:
        _, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
        head = f"POST {path} HTTP/1.1\r\nHost: hub\r\nContent-Length: {len(raw)}\r\n\r\n"
        writer.write(head.encode() + raw)
        await saving.wait()
        writer.close()
        await asyncio.sleep(0.05)
        go_on.set()
        await asyncio.sleep(0.1)
        assert await marked(it) == {"15"}


async def test_a_flood_for_one_sku_is_one_pending_key(it, public):
    path = it.vtex(Purpose.NOTIFY, "api/notification")
    answers = await asyncio.gather(*(call(public, "POST", path, CANONICAL) for _ in range(200)))
    assert {status for status, *_ in answers} == {200}
    stats = await it.hub.store.pending_stats(it.hub.now())
    mine = [s for s in stats if s.connection == it.one.id and s.context is Context.LISTINGS]
    assert mine[0].due + mine[0].waiting == 1


@pytest.mark.parametrize("target", ["/{}", "http://hub.example{}"])
async def test_odd_request_lines_find_their_way(it, public, target):
    raw = json.dumps(CANONICAL).encode()
    path = target.format(it.vtex(Purpose.NOTIFY, "api/notification"))
    reader, writer = await asyncio.open_connection("127.0.0.1", public.server.port)
    head = f"POST {path} HTTP/1.1\r\nHost: hub\r\nContent-Length: {len(raw)}\r\n\r\n"
    writer.write(head.encode() + raw)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    assert await marked(it) == {"15"}
