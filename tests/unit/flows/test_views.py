"""Rows for people and programs: complete, JSON-able, without buyers."""

from __future__ import annotations

import json

import pytest

from connector.domain.listing import ListingState
from connector.domain.order import OrderState
from connector.domain.pending import Context
from connector.domain.personal import without_personal
from connector.flows.connections import Refusal
from connector.flows.views import (
    connection_details,
    connection_rows,
    counts,
    explain_divergence,
    listing_rows,
    masked_buyer,
    order_rows,
)
from connector.ports import Document, Put
from connector.sdk import Buyer
from connector.sdk.registry import AdapterRegistry
from tests.unit.flows.operator_hub import World, a_listing, an_order, save


@pytest.fixture
async def world():
    world = World()
    yield world
    await world.close()


@pytest.fixture
async def connection(world):
    return await world.connect()


async def test_connections_with_counts_and_pending(world, connection):
    await save(
        world,
        a_listing(connection, "1"),
        a_listing(connection, "2", state=ListingState.LISTED),
        an_order(connection, "MP-1"),
    )
    await world.park(connection, Context.LISTINGS, "1", "x")
    await world.clock.advance(30)

    (row,) = await connection_rows(world.hub)

    assert row["id"] == connection.id
    assert row["listings"] == {"parked": 1, "listed": 1}
    assert row["orders"] == {"parked": 1}
    assert row["pending"]["listings"]["parked"] == 1
    assert row["pending"]["upkeep"]["oldest_due_s"] == 30.0
    assert row["adapter_problem"] == ""
    json.dumps(row)


async def test_installs_that_wait_are_listed_without_their_tokens(world):
    body = json.dumps({"account": "acme", "affiliate_id": "MKT", "token": "s3cret"})
    await world.store.commit(
        [
            Put(Document("app-install", "", "acme-MKT", body, "waiting")),
            Put(Document("app-install", "", "old-MKT", "not json", "approved")),
        ]
    )
    assert await connection_rows(world.hub) == [
        {"id": "acme-MKT", "state": "waiting", "account": "acme", "affiliate_id": "MKT"}
    ]


async def test_a_broken_or_missing_adapter_is_told(world, connection):
    world.hub.registry = AdapterRegistry({}, {"demo": "SyntaxError: x"})
    assert (await connection_rows(world.hub))[0]["adapter_problem"] == "SyntaxError: x"
    world.hub.registry = AdapterRegistry()
    assert "not installed" in (await connection_rows(world.hub))[0]["adapter_problem"]


async def test_details_tell_no_secret(world, connection):
    progress = '{"state": "running", "seen": 3}'
    await world.store.commit([Put(Document("progress", connection.id, "backfill", progress))])
    details = await connection_details(world.hub, connection.id)
    text = json.dumps(details)
    assert world.sim.settings.app_token not in text
    assert "sealed" not in text
    assert "digest" not in text
    assert details["backfill"] == {"state": "running", "seen": 3}
    assert {secret["purpose"] for secret in details["secrets"]} == {
        "notify",
        "services",
        "webhook",
        "logs",
        "mapper",
    }


async def test_rows_are_paged_and_filtered(world, connection):
    await save(world, *(a_listing(connection, f"{n:04}") for n in range(7)))
    await save(world, a_listing(connection, "9", state=ListingState.LISTED))
    found = await listing_rows(world.hub, connection.id, state="parked", after="0002", limit=3)
    assert [row["sku"] for row in found] == ["0003", "0004", "0005"]
    assert len(await listing_rows(world.hub, connection.id, limit=1000)) == 8
    with pytest.raises(Refusal):
        await listing_rows(world.hub, "nope")


async def test_a_listing_that_was_never_read_is_a_row_too(world, connection):
    await save(world, a_listing(connection, "1", record=None, commercial=None, confirmed=None))
    (row,) = await listing_rows(world.hub, connection.id)
    assert (row["title"], row["vtex_price_minor"], row["price_minor"]) == ("", None, None)


async def test_orders_are_masked(world, connection):
    await save(
        world,
        an_order(connection, "MP-1"),
        an_order(connection, "MP-2", market=None, vtex=None, state=OrderState.SEEN, reasons=()),
    )
    rows = await order_rows(world.hub, connection.id)
    text = json.dumps(rows, ensure_ascii=False)
    assert "52998224725" not in text
    assert "zoe@example.com" not in text
    assert rows[0]["buyer"] == "Z*** Á***"
    assert rows[0]["reasons"] == ["the document *** of *** is not valid"]
    assert rows[1]["total_minor"] is None


async def test_counts(world, connection):
    await save(world, an_order(connection, "MP-1"))
    found = await counts(world.hub, connection.id)
    assert found["orders"] == {"parked": 1}
    assert found["listings"] == {}


def test_masking_keeps_texts_readable():
    assert masked_buyer(Buyer(company_name="Acme Ltda")) == "A*** L***"
    assert masked_buyer(Buyer()) == ""
    assert without_personal("write to a.b+c@example.com.br now", None) == "write to *** now"


async def test_divergence_is_explained_either_way(world, connection):
    even = an_order(connection, "1", divergence="", vtex=None)
    assert explain_divergence(even) is None
    less = an_order(connection, "1", divergence="", vtex=None, placed_total_minor=12_000)
    told = explain_divergence(less)
    assert told["difference_minor"] == -2_000
    assert "2000 less on the marketplace" in told["text"]
    only_text = an_order(connection, "1", divergence="rule missing", vtex=None)
    assert explain_divergence(only_text)["text"] == "rule missing"
