"""The VTEX IO app: one address for all sellers, installations that wait for the operator."""

from __future__ import annotations

import json

import pytest

from connector.domain.connection import ConnectionState
from connector.domain.http import json_response
from connector.domain.pending import Context
from connector.flows.app_install import (
    APPROVED,
    CONFIRM_INSTALL,
    AppInstall,
    approve_installs,
    confirm_install,
    open_install,
    take_store_config,
    waiting_installs,
)
from connector.flows.connections import add, set_state
from connector.ports import EntryQuery, StoreUnavailable
from connector.vtex.inbound import parse_store_config
from tests.integration.web.support import APP_SECRET, call, spec

CATALOG = f"/vtex/v1/app/{APP_SECRET}/catalog/notification"
CONFIG = f"/vtex/v1/app/{APP_SECRET}/store-config/notification?workspace=master"
INSTALL = {
    "accountName": "newstore",
    "active": True,
    "affiliateId": "NWS",
    "salesChannel": "2",
    "email": "owner@newstore.example",
    "cookie": "eyJ-the-cookie",
    "allowFranchiseAccounts": False,
    "ourOwnField": {"token": "partner-secret"},
}


async def documents(it):
    return {row.key: row for row in await it.hub.store.scan("app-install", "")}


async def listings(it, connection):
    rows = await it.hub.store.pending(connection.id, Context.LISTINGS, parked=False)
    return {row.key for row in rows}


async def jobs(it, connection):
    rows = await it.hub.store.pending(connection.id, Context.UPKEEP, parked=False)
    return {row.key for row in rows}


async def warnings(it):
    return [entry.message for entry in await it.hub.store.entries(EntryQuery(it.one.id))]


async def test_notifications_find_their_connection_by_account_and_affiliate(it, public):
    body = [
        {"IdSku": "1", "An": "simstore", "IdAffiliate": "XPT"},
        {"IdSku": "2", "An": "otherstore.myvtex", "IdAffiliate": "brl"},
        {"IdSku": "3", "An": "simstore", "IdAffiliate": "BRL"},
    ]
    status, told, _ = await call(public, "POST", CATALOG, body)
    assert (status, told) == (200, {})
    assert await listings(it, it.one) == {"1"}
    assert await listings(it, it.two) == {"2"}
    status, *_ = await call(public, "POST", CATALOG, {"IdSku": "1"})
    assert status == 400


async def test_an_unknown_installation_waits_and_its_secrets_are_sealed(it, public):
    for _ in range(2):
        status, *_ = await call(public, "POST", CONFIG, INSTALL)
        assert status == 200
    (row,) = (await documents(it)).values()
    assert row.state == "waiting"
    for secret in ("eyJ-the-cookie", "partner-secret", "owner@"):
        assert secret not in row.body
    opened = open_install(it.hub, AppInstall.model_validate_json(row.body))
    assert opened["cookie"] == "eyJ-the-cookie"
    (told,) = await waiting_installs(it.hub)
    assert (told["account"], told["affiliate_id"], told["sales_channel"]) == ("newstore", "NWS", 2)


async def test_adding_the_connection_approves_what_waited(it, public):
    await call(public, "POST", CONFIG, INSTALL)
    added, _ = await add(it.hub, spec("newstore", "NWS"))
    assert await approve_installs(it.hub, added) == 1
    assert await approve_installs(it.hub, added) == 0
    (row,) = (await documents(it)).values()
    assert row.state == APPROVED
    assert json.loads(row.body)["connection"] == added.id
    assert await waiting_installs(it.hub) == []


@pytest.mark.parametrize(
    "change",
    [{"accountName": ""}, {"accountName": "../x"}, {"affiliateId": "AEI"}, {"affiliateId": None}],
)
async def test_an_installation_of_nobody_is_400(it, public, change):
    status, *_ = await call(public, "POST", CONFIG, INSTALL | change)
    assert status == 400
    assert await documents(it) == {}


async def test_what_cannot_be_saved_is_not_acknowledged(it, public):
    it.store.full = True
    status, *_ = await call(public, "POST", CONFIG, INSTALL)
    assert status == 503


async def test_inventing_accounts_ends_somewhere(it, public, monkeypatch):
    monkeypatch.setattr("connector.flows.app_install.MOST_WAITING", 2)
    for account in ("a", "b"):
        status, *_ = await call(public, "POST", CONFIG, INSTALL | {"accountName": account})
        assert status == 200
    status, *_ = await call(public, "POST", CONFIG, INSTALL | {"accountName": "c"})
    assert status == 503
    config = parse_store_config(json.dumps(INSTALL | {"accountName": "d"}).encode())
    with pytest.raises(StoreUnavailable):
        await take_store_config(it.hub, None, config)


OFF = INSTALL | {"accountName": "simstore", "affiliateId": "XPT", "active": False}


async def test_switching_off_is_confirmed_with_vtex_first(it, public):
    status, *_ = await call(public, "POST", CONFIG, OFF)
    assert status == 200
    assert CONFIRM_INSTALL in await jobs(it, it.one)
    saved = await it.hub.book.get(it.one.id)
    assert saved.state is ConnectionState.ACTIVE


@pytest.mark.parametrize(
    "answer",
    [
        json_response({}, 404),
        json_response({"id": "XPT", "searchURIEndpoint": "https://other.example/n"}),
        json_response({"id": "XPT", "searchURIEndpoint": None}),
        json_response({"id": "XPT", "searchURIEndpoint": "https://hub.example.evil/vtex/v1/app/"}),
    ],
)
async def test_an_affiliate_that_left_us_disables_the_connection(it, answer):
    it.pool.peer("vtex").answer = lambda _: answer
    await confirm_install(it.hub, it.one)
    saved = await it.hub.book.get(it.one.id)
    assert saved.state is ConnectionState.DISABLED
    assert "disabled" in (await warnings(it))[0]
    await confirm_install(it.hub, saved)
    assert len(await warnings(it)) == 1


@pytest.mark.parametrize("rest", ["app/x/catalog/notification", "{id}/x/api/notification/"])
async def test_an_affiliate_that_is_still_ours_leaves_it_to_the_operator(it, rest):
    ours = f"https://hub.example/vtex/v1/{rest.format(id=it.one.id)}"
    it.answer("vtex", {"id": "XPT", "searchURIEndpoint": ours})
    await confirm_install(it.hub, it.one)
    saved = await it.hub.book.get(it.one.id)
    assert saved.state is ConnectionState.ACTIVE
    assert "nothing was blocked" in (await warnings(it))[0]


async def test_switching_on_a_disabled_connection_only_tells(it, public):
    await set_state(it.hub, it.one.id, ConnectionState.DISABLED)
    await call(public, "POST", CONFIG, OFF | {"active": True})
    saved = await it.hub.book.get(it.one.id)
    assert saved.state is ConnectionState.DISABLED
    assert "enable it" in (await warnings(it))[0]


async def test_looking_changes_nothing(it, public):
    for path in (CATALOG, CONFIG):
        status, *_ = await call(public, "GET", path)
        assert status == 200
    assert await documents(it) == {}
