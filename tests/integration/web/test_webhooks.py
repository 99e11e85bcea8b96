"""Webhooks of marketplaces: of one connection, and of an application for all its sellers."""

from __future__ import annotations

import json

import pytest

from adapters.demo import wire
from connector.domain.connection import Purpose
from connector.domain.pending import Context
from connector.flows.connections import add
from connector.sdk.registry import AdapterRegistry
from connector.settings import SettingsError
from connector.web.webhooks import app_doors
from tests.integration.web.support import APP_SETTINGS, HOOK_SECRET, call, spec

SIGNING, APP_SIGNING = "demo-signing-key", "app-signing-key"
APP = f"/marketplace/v1/app/demo/{HOOK_SECRET}"


async def send(it, public, path, events, key=SIGNING):
    body = json.dumps({"events": events}).encode()
    timestamp = str(int(it.hub.now().timestamp()))
    headers = {
        "X-Demo-Timestamp": timestamp,
        "X-Demo-Signature": wire.sign(key, timestamp, body),
    }
    status, *_ = await call(public, "POST", path, body, headers=headers)
    return status


async def orders(it, connection):
    rows = await it.hub.store.pending(connection.id, Context.ORDERS, parked=False)
    return {row.key for row in rows}


def own(it):
    return f"/marketplace/v1/{it.one.id}/{it.secret(Purpose.WEBHOOK)}"


async def test_a_webhook_marks_its_orders(it, public):
    events = [{"seller_id": "seller-simstore", "cart_id": cart} for cart in ("C-1", "C-2", "C-1")]
    assert await send(it, public, own(it), events) == 200
    assert await send(it, public, f"{own(it)}//?x=1", events) == 200
    assert await orders(it, it.one) == {"C-1", "C-2"}
    assert await orders(it, it.two) == set()


async def test_a_wrong_signature_is_401_and_marks_nothing(it, public):
    events = [{"seller_id": "seller-simstore", "cart_id": "C-1"}]
    assert await send(it, public, own(it), events, key="another") == 401
    assert await send(it, public, own(it), [{**events[0], "seller_id": "other"}]) == 401
    assert await orders(it, it.one) == set()


@pytest.mark.parametrize(("method", "expected"), [("GET", 200), ("OPTIONS", 204), ("PUT", 405)])
async def test_looking_at_a_webhook_changes_nothing(it, public, method, expected):
    for path in (own(it), APP):
        status, *_ = await call(public, method, path)
        assert status == expected


async def test_a_webhook_that_cannot_be_saved_is_sent_again(it, public):
    it.store.full = True
    events = [{"seller_id": "seller-simstore", "cart_id": "C-1"}]
    assert await send(it, public, own(it), events) == 503
    assert await send(it, public, APP, events, APP_SIGNING) == 503
    it.store.full = False
    assert await send(it, public, own(it), events) == 200


async def test_an_application_webhook_reaches_the_connections_of_each_tenant(it, public):
    events = [
        {"seller_id": "seller-simstore", "cart_id": "C-1"},
        {"seller_id": "seller-otherstore", "cart_id": "C-2"},
        {"seller_id": "seller-nobody", "cart_id": "C-3"},
    ]
    assert await send(it, public, APP, events, APP_SIGNING) == 200
    assert await orders(it, it.one) == {"C-1"}
    assert await orders(it, it.two) == {"C-2"}
    assert await send(it, public, APP, events, SIGNING) == 401


async def test_an_application_webhook_finds_a_connection_added_just_now(it, public):
    events = [{"seller_id": "seller-newstore", "cart_id": "C-9"}]
    assert await send(it, public, APP, events, APP_SIGNING) == 200
    added, _ = await add(it.hub, spec("newstore", "NWS"))
    await it.hub.clock.sleep(0.3)
    assert await send(it, public, APP, events, APP_SIGNING) == 200
    assert await orders(it, added) == {"C-9"}


def test_application_settings_are_checked_at_the_start(it):
    registry = it.hub.registry
    assert set(app_doors(registry, APP_SETTINGS)) == {"demo"}
    for wrong in (
        {"nothing": {"webhook_path_secret": "x" * 20}},
        {"demo": {"webhook_path_secret": "x" * 20}},
        {"demo": {"webhook_secret": "s", "typo": "value-that-is-secret"}},
    ):
        with pytest.raises(SettingsError) as caught:
            app_doors(registry, wrong)
        assert "value-that-is-secret" not in str(caught.value)
    broken = AdapterRegistry({}, {"demo": "SyntaxError"})
    assert app_doors(broken, APP_SETTINGS) == {}
