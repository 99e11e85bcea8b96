"""Many, doubled and shuffled messages: each thing is kept once, nobody is turned away."""

from __future__ import annotations

import asyncio
import json
import random

from connector.domain.connection import Purpose
from connector.domain.pending import Context
from tests.integration.web.support import call

_SKUS, _COPIES = 100, 30


async def test_a_storm_of_duplicates_is_one_mark_per_sku(it, public):
    path = it.vtex(Purpose.NOTIFY, "api/notification")
    bodies = [{"IdSku": str(n), "StockModified": True} for n in range(_SKUS)] * _COPIES
    random.Random(1).shuffle(bodies)
    gate = asyncio.Semaphore(64)

    async def post(body):
        async with gate:
            status, *_ = await call(public, "POST", path, body)
            return status

    statuses = await asyncio.gather(*(post(body) for body in bodies))
    assert set(statuses) == {200}
    rows = await it.hub.store.pending(it.one.id, Context.LISTINGS, parked=False)
    assert sorted(int(row.key) for row in rows) == list(range(_SKUS))


async def test_flags_add_up_and_the_newest_arrival_says_whether_it_is_active(it, public):
    path = it.vtex(Purpose.NOTIFY, "api/notification")
    for body in (
        {"IdSku": "7", "IsActive": True, "PriceModified": True},
        {"IdSku": "7", "IsActive": False, "StockModified": True},
        {"IdSku": "7", "IsActive": True},
    ):
        await call(public, "POST", path, body)
    now = it.hub.now() + it.hub.clock.wall(60)
    (claim,) = await it.hub.store.claim(
        it.one.id, Context.LISTINGS, limit=5, now=now, lease_until=now + it.hub.clock.wall(60)
    )
    hint = claim.hint
    assert (hint.price, hint.stock, hint.active) == (True, True, True)


async def test_a_storm_of_the_same_callback_is_one_fact_and_one_receipt(it, public):
    path = it.vtex(Purpose.SERVICES, "pvt/orders/C-9/invoice")
    body = {
        "type": "Output",
        "invoiceNumber": "NFe-9",
        "invoiceValue": "2499",
        "issuanceDate": "2026-01-01T00:00:00",
        "items": [],
    }
    raw = json.dumps(body).encode()
    answers = await asyncio.gather(*(call(public, "POST", path, raw) for _ in range(50)))
    assert {status for status, *_ in answers} == {200}
    assert len({told["receipt"] for _, told, _ in answers}) == 1
    assert len(await it.hub.store.facts(it.one.id, "C-9")) == 1
