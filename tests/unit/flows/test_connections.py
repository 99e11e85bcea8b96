"""Connections: added, changed, paused, switched off and on, removed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from connector.domain.connection import Connection, ConnectionSpec, ConnectionState, Purpose
from connector.domain.listing import ListingState
from connector.domain.pending import Context
from connector.flows import connections
from connector.flows.connections import Refusal
from connector.flows.secrets import opens
from connector.flows.upkeep_jobs import Job
from tests.unit.flows.stage import FIRST, PRICE, STOCK, Stage, staged, virtual


def _spec(stage: Stage, **changes: Any) -> ConnectionSpec:
    fields: dict[str, Any] = {
        "account": "simstore",
        "affiliate_id": "SCN",
        "sales_channel": 2,
        "app_key": "key-of-acme",
        "app_token": "token-of-acme",
        "adapter": "demo",
        "adapter_settings": stage.adapter_settings,
    }
    return ConnectionSpec.model_validate(fields | changes)


async def _state(stage: Stage, state: ConnectionState) -> Connection:
    changed = await connections.set_state(stage.up, stage.joined.id, state)
    await stage.settle(20)
    return changed


# --- adding ---------------------------------------------------------------------------------------


@virtual
async def test_a_new_connection_says_what_to_paste_where():
    async with staged(load=False) as stage:
        connection, urls = await connections.add(stage.up, _spec(stage))
        assert urls.id == connection.id
        assert urls.notification_url.endswith("/api/notification/")
        assert urls.services_endpoint.startswith(f"http://hub.test/vtex/v1/{connection.id}/")
        assert not urls.services_endpoint.endswith("/")
        assert urls.webhook_url.startswith(f"http://hub.test/marketplace/v1/{connection.id}/")
        assert "/simstore/logs/" in urls.logs_url
        parts = {url.split(f"{connection.id}/")[1].split("/")[0] for name, url in urls if
                 name != "id"}  # fmt: skip
        assert len(parts) == 4  # a secret each


@virtual
async def test_nothing_secret_is_saved_in_plain():
    async with staged(load=False) as stage:
        connection, urls = await connections.add(stage.up, _spec(stage))
        text = json.dumps(
            [each.body for each in await stage.store.scan("connection", "")]
        )  # everything that is saved of connections
        secret = urls.services_endpoint.rpartition("/")[2]
        for plain in ("key-of-acme", "token-of-acme", stage.market_settings.api_key, secret):
            assert plain not in text
        assert connections.open_settings(stage.up, connection)["api_key"] == "demo-key"


@virtual
async def test_one_affiliate_stands_for_one_marketplace():
    async with staged(load=False) as stage:
        with pytest.raises(Refusal, match="connected already"):
            await connections.add(stage.up, _spec(stage, affiliate_id="DMM"))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"adapter": "amazonia"}, "amazonia"),
        ({"adapter_settings": {"base_url": "x"}}, "adapter_settings.base_url"),
        ({"adapter_settings": {"hush": "very-secret-value"}}, "adapter_settings.hush"),
    ],
)
@virtual
async def test_what_is_wrong_is_named_and_its_value_never(changes: dict[str, Any], word: str):
    async with staged(load=False) as stage:
        with pytest.raises(Refusal, match=word) as error:
            await connections.add(stage.up, _spec(stage, **changes))
        assert "very-secret-value" not in str(error.value)


@virtual
async def test_a_new_connections_jobs_are_due():
    async with staged(load=False) as stage:
        await stage.kill()
        await stage.start()
        connection, _ = await connections.add(stage.up, _spec(stage))
        rows = await stage.store.pending(connection.id, Context.UPKEEP, parked=False)
        assert {row.key for row in rows} == {
            Job.CHANNEL,
            Job.RELIST,
            Job.HOUSEKEEPING,
            Job.POLL_ORDERS,
            Job.CATEGORIES,
        }


# --- changing -------------------------------------------------------------------------------------


@virtual
async def test_changed_settings_are_sealed_and_a_new_version():
    async with staged(load=False) as stage:
        changed = await connections.change(
            stage.up,
            stage.joined.id,
            {"rules.stock_buffer": 3, "adapter_settings.api_key": "new-key", "app_token": "new"},
        )
        assert changed.rules.stock_buffer == 3
        assert changed.rules.default_category == "110"
        assert changed.vtex_version == stage.joined.vtex_version + 1
        assert connections.open_settings(stage.up, changed)["api_key"] == "new-key"
        place = f"{changed.id}|app_token"
        assert stage.vault.open(changed.sealed_app_token, bound_to=place) == "new"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"colour": "red"}, "colour"),
        ({"rules.colour": "red"}, "colour"),
        ({"rules.stock_buffer": -1}, "stock_buffer"),
        ({"rules.price_ceiling": 5, "rules.price_floor": 6}, "price_ceiling"),
        ({"sales_channel": 0}, "sales_channel"),
        ({"order_api": "soap"}, "order_api"),
        ({"vtex_base_url": "nowhere"}, "vtex_base_url"),
        ({"adapter_settings.colour": "red"}, "colour"),
        ({"account": "other"}, "account"),
    ],
)
@virtual
async def test_a_change_that_cannot_work_changes_nothing(changes: dict[str, Any], word: str):
    async with staged(load=False) as stage:
        before = await stage.fresh()
        with pytest.raises(Refusal, match=word):
            await connections.change(stage.up, stage.joined.id, changes)
        assert (await stage.fresh()).rules == before.rules


@virtual
async def test_changed_rules_reach_what_is_listed_already():
    async with staged() as stage:
        await connections.change(stage.up, stage.joined.id, {"rules.stock_buffer": 4})
        await stage.settle(30)
        assert set(stage.shelf().values()) == {(PRICE, STOCK - 4)}


@virtual
async def test_another_sales_channel_may_have_another_currency():
    async with staged(load=False) as stage:
        await stage.settle(5)
        assert (await stage.fresh()).currency == "BRL"
        changed = await connections.change(stage.up, stage.joined.id, {"sales_channel": 3})
        assert changed.currency == ""


@pytest.mark.parametrize("act", [connections.find, connections.start_sync])
@virtual
async def test_a_connection_that_is_not_there_is_refused(act: Any):
    async with staged(load=False) as stage:
        with pytest.raises(Refusal, match="connection list"):
            await act(stage.up, "nobody")


# --- off and on -----------------------------------------------------------------------------------


@virtual
async def test_disabling_blocks_every_listing_and_enabling_brings_each_back_once():
    async with staged(30) as stage:
        before = {sku: one.market_id for sku, one in stage.market.listings.items()}
        await _state(stage, ConnectionState.DISABLED)
        assert all(one.blocked for one in stage.market.listings.values())
        assert {stock for _, stock in stage.shelf().values()} == {0}
        await _state(stage, ConnectionState.ACTIVE)
        await stage.settle(60)
        assert set(stage.shelf().values()) == {(PRICE, STOCK)}
        assert {sku: one.market_id for sku, one in stage.market.listings.items()} == before
        assert stage.pushes()["listings.create"] == 1
        assert (await stage.listing()).state is ListingState.LISTED


@virtual
async def test_while_it_is_disabled_nothing_comes_back_whatever_changes():
    async with staged() as stage:
        await _state(stage, ConnectionState.DISABLED)
        pushes = stage.pushes()
        stage.vtex.set_stock(FIRST, 99)
        stage.vtex.create_sku()
        await stage.load()
        await stage.settle(7 * 3_600)
        assert stage.pushes() == pushes
        assert {stock for _, stock in stage.shelf().values()} == {0}


@virtual
async def test_what_changed_while_it_was_disabled_is_right_when_it_is_enabled():
    async with staged() as stage:
        await _state(stage, ConnectionState.DISABLED)
        stage.vtex.set_price(FIRST, 9_000)
        stage.vtex.set_active("1002", active=False)
        new = str(stage.vtex.create_sku().id)
        await stage.settle(30)
        await _state(stage, ConnectionState.ACTIVE)
        await stage.settle(60)
        assert stage.shelf()[FIRST] == (9_000, STOCK)
        assert stage.shelf()["1002"][1] == 0
        assert stage.shelf()[new] == (9_990, 10)


@pytest.mark.parametrize("state", [ConnectionState.DISABLED, ConnectionState.PAUSED])
@virtual
async def test_open_orders_are_served_all_the_same(state: ConnectionState):
    async with staged() as stage:
        ref = stage.sell(2)
        await stage.settle(240)
        await _state(stage, state)
        late = stage.market.carts[ref]
        invoice = stage.vtex.invoice_order(f"DMM-{ref}", tracking="same")
        await stage.settle(120)
        assert late.invoices[invoice.number].arrivals == 1
        assert late.trackings[invoice.number].arrivals == 1


@virtual
async def test_killed_while_disabling_the_rest_is_blocked_afterwards():
    async with staged(60) as stage:
        await connections.set_state(stage.up, stage.joined.id, ConnectionState.DISABLED)
        await stage.settle(0.3)
        await stage.restart(90)
        await stage.settle(60)
        assert all(one.blocked for one in stage.market.listings.values())


# --- removing -------------------------------------------------------------------------------------


@virtual
async def test_only_a_disabled_connection_whose_listings_are_blocked_is_removed():
    async with staged() as stage:
        with pytest.raises(Refusal, match="disable"):
            await _state(stage, ConnectionState.REMOVED)
        await connections.set_state(stage.up, stage.joined.id, ConnectionState.DISABLED)
        with pytest.raises(Refusal, match="not blocked yet"):
            await connections.set_state(stage.up, stage.joined.id, ConnectionState.REMOVED)
        await stage.settle(30)
        await _state(stage, ConnectionState.REMOVED)
        assert await stage.up.book.get(stage.joined.id) is None
        assert stage.joined.id not in {each.id for each in await stage.up.book.all()}
        with pytest.raises(Refusal):
            await connections.find(stage.up, stage.joined.id)


@virtual
async def test_a_connection_with_open_orders_is_not_removed():
    async with staged() as stage:
        stage.sell()
        await stage.settle(60)
        await _state(stage, ConnectionState.DISABLED)
        with pytest.raises(Refusal, match="1 orders are still open"):
            await _state(stage, ConnectionState.REMOVED)


@virtual
async def test_an_affiliate_of_a_removed_connection_can_be_connected_again():
    async with staged() as stage:
        await _state(stage, ConnectionState.DISABLED)
        await _state(stage, ConnectionState.REMOVED)
        again, _ = await connections.add(stage.up, _spec(stage, affiliate_id="DMM"))
        assert again.id != stage.joined.id


# --- rotating -------------------------------------------------------------------------------------


@virtual
async def test_rotating_gives_new_urls_and_old_ones_work_on_for_a_while():
    async with staged(load=False) as stage:
        old = connections.urls(stage.up, stage.joined)
        new = await connections.rotate(
            stage.up, stage.joined.id, [Purpose.NOTIFY], overlap=timedelta(days=7)
        )
        assert new.notification_url != old.notification_url
        assert new.services_endpoint == old.services_endpoint
        fresh = await stage.fresh()
        for url in (old.notification_url, new.notification_url):
            secret = url.split(f"{stage.joined.id}/")[1].split("/")[0]
            assert opens(fresh, Purpose.NOTIFY, secret, stage.clock.now())
