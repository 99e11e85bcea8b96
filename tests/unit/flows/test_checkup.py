"""The checkup: what works, what fails, what cannot be told, and what --fix mends."""

from __future__ import annotations

import pytest

from connector.domain.connection import ConnectionState, Purpose
from connector.domain.http import NoAnswer, Response, json_response
from connector.domain.order import Cancellation, CancelSide, OrderState, Placement, Shared, Step
from connector.flows import connections
from connector.flows.checkup import check_connection, check_public_url
from connector.flows.connections import Refusal, urls
from connector.flows.secrets import OVERLAP
from connector.sdk import RateLimited
from tests.unit.flows.operator_hub import NOW, World, an_order, save


@pytest.fixture
async def world():
    world = World()
    yield world
    await world.close()


@pytest.fixture
async def connection(world):
    return await world.connect()


@pytest.fixture
def check(world, connection):
    async def run(**options):
        found = await check_connection(world.hub, connection.id, **options)
        return {row["name"]: row for row in found}

    return run


def oks(found):
    return {name: row["ok"] for name, row in found.items()}


async def test_all_is_well_once_the_affiliate_is_made(world, connection, check):
    found = await check(fix=True)

    assert oks(found) == {
        "public-url": True,
        "adapter": True,
        "account": True,
        "app-key": True,
        "sales-channel": True,
        "read-sku-list": True,
        "read-sku": True,
        "simulate-private": True,
        "simulate-public": True,
        "read-order": True,
        "prices-agree": True,
        "affiliate": True,
        "affiliate-endpoint": True,
        "affiliate-channel": True,
        "write-order": None,
        "write-authorize": None,
        "write-cancel": None,
        "write-return": None,
        "write-tracking": None,
        "marketplace": True,
    }
    made = world.sim.affiliates["MKT"]
    assert made.search_uri == urls(world.hub, connection).notification_url
    assert made.sales_channel == connection.sales_channel
    assert "BRL" in found["sales-channel"]["detail"]
    assert all(row["fix"] == "" for row in found.values() if row["ok"])
    assert all(row["fix"] for row in found.values() if row["ok"] is False)


async def test_without_fix_a_missing_affiliate_is_only_told(world, check):
    found = await check()
    assert found["affiliate"]["ok"] is False
    assert "--fix" in found["affiliate"]["fix"]
    assert "MKT" not in world.sim.affiliates


async def test_fix_keeps_the_affiliates_other_fields(world, connection, check):
    world.sim.add_affiliate("MKT", search_uri="https://other.example/x?key=1", sales_channel=3)
    world.sim.affiliates["MKT"].minimum = 500

    before = await check()
    assert before["affiliate-endpoint"]["ok"] is False
    assert "other.example" in before["affiliate-endpoint"]["detail"]
    assert before["affiliate-channel"]["ok"] is False

    after = await check(fix=True)
    assert after["affiliate-endpoint"]["ok"] is True
    assert after["affiliate-channel"]["ok"] is False  # a merchant's decision, left as it is
    kept = world.sim.affiliates["MKT"]
    assert (kept.name, kept.minimum, kept.sales_channel) == ("Affiliate MKT", 500, 3)


async def test_an_endpoint_with_a_query_or_without_a_slash_is_ours(world, connection, check):
    ours = urls(world.hub, connection).notification_url
    for spelled in (ours.rstrip("/"), ours + "?an=simstore"):
        world.sim.add_affiliate("MKT", search_uri=spelled)
        assert (await check())["affiliate-endpoint"]["ok"] is True


async def test_an_old_secret_is_told_and_never_shown(world, connection, check):
    old = urls(world.hub, connection).notification_url
    world.sim.add_affiliate("MKT", search_uri=old)
    await connections.rotate(world.hub, connection.id, [Purpose.NOTIFY], overlap=OVERLAP)
    found = (await check())["affiliate-endpoint"]
    assert found["ok"] is False
    assert "retires soon" in found["detail"]
    await world.clock.advance(OVERLAP.total_seconds() + 1)
    found = (await check())["affiliate-endpoint"]
    assert "not valid any more" in found["detail"]
    secret = old.split("/")[-4]
    assert secret not in str(await check())


async def test_an_affiliate_without_an_endpoint(world, check):
    world.sim.add_affiliate("MKT")
    assert "nothing notifies us" in (await check())["affiliate-endpoint"]["detail"]


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        ("View Product", "read-sku-list"),
        ("SKUs", "read-sku"),
        ("Place Orders", "simulate-private"),
        ("View order", "read-order"),
    ],
)
async def test_a_missing_permission_is_named(world, check, resource, name):
    world.sim.settings.forbidden = {resource}
    found = await check()
    assert found[name]["ok"] is False
    assert resource in found[name]["fix"]


async def test_affiliates_that_may_not_be_read(world, check):
    world.sim.settings.forbidden = {"Save Order Configuration"}
    assert (await check())["affiliate"]["ok"] is None
    assert (await check(fix=True))["affiliate"]["ok"] is False


async def test_wrong_keys(world, check):
    world.sim.settings.expired_token = True
    found = await check()
    assert found["app-key"]["ok"] is False
    assert "app_token=-" in found["app-key"]["fix"]
    assert world.sim.settings.app_token not in str(found)


async def test_an_account_that_cannot_be_reached_is_asked_nothing_more(world, check):
    world.vtex_wire.cut()
    found = await check()
    assert found["account"]["ok"] is False
    assert "read-sku" not in found
    assert found["marketplace"]["ok"] is True
    assert len(world.vtex_wire.calls) == 1


async def test_a_vtex_that_is_unwell_is_not_a_failed_check(world, check):
    world.vtex_wire.spoil = lambda _: Response(503)
    found = await check()
    assert found["account"]["ok"] is True
    assert {row["ok"] for name, row in found.items() if name.startswith("read")} == {None}
    assert found["sales-channel"]["ok"] is None
    assert found["affiliate"]["ok"] is None


async def test_an_inactive_or_unknown_trade_policy(world, check):
    world.sim.set_policy_active(world.sim.settings.sales_channel, active=False)
    assert (await check())["sales-channel"]["ok"] is False

    def unknown(request):
        return Response(404) if "/saleschannel/" in request.url else None

    world.vtex_wire.spoil = unknown
    assert (await check())["sales-channel"]["ok"] is False


async def test_a_trade_policy_without_currency(world, check):
    def bare(request):
        return (
            json_response({"Id": 2, "IsActive": True}) if "/saleschannel/" in request.url else None
        )

    world.vtex_wire.spoil = bare
    assert "no currency" in (await check())["sales-channel"]["detail"]


async def test_prices_that_differ_between_the_layers(world, check):
    def cheaper(request):
        if "/checkout/pub/" not in request.url:
            return None
        ids = [item["id"] for item in request.json()["items"]]
        items = [
            {"id": sku, "requestIndex": n, "quantity": 1, "price": 77, "availability": "available"}
            for n, sku in enumerate(ids)
        ]
        return json_response({"items": items, "logisticsInfo": []})

    world.vtex_wire.spoil = cheaper
    found = (await check())["prices-agree"]
    assert found["ok"] is False
    assert "77" in found["detail"]


async def test_prices_that_cannot_be_compared(world, check):
    for sku in list(world.sim.catalog.skus):
        world.sim.set_active(sku, active=False)
    assert (await check())["prices-agree"]["ok"] is None


async def test_write_permissions_are_proven_by_use(world, connection, check):
    cancelled = Cancellation(
        by=CancelSide.MARKETPLACE, asked_at=NOW, in_vtex=Step.DONE, returned=Step.DONE
    )
    await save(
        world,
        an_order(
            connection,
            "A",
            state=OrderState.DELIVERED,
            placement=Placement.PLACED,
            authorize=Step.DONE,
            fob=Shared(tracking_step=Step.DONE),
        ),
        an_order(connection, "B", state=OrderState.CANCELLED, cancellation=cancelled),
    )
    found = await check()
    assert {row["ok"] for name, row in found.items() if name.startswith("write")} == {True}
    assert "order B" in found["write-cancel"]["detail"]


async def test_marketplace_credentials(world, check):
    world.market.settings.api_key = "changed"
    found = (await check())["marketplace"]
    assert found["ok"] is False
    assert "adapter_settings" in found["fix"]


@pytest.mark.parametrize("error", [RateLimited("slow down"), NoAnswer("lost")])
async def test_a_marketplace_that_does_not_answer_now(world, check, error):
    def fail(request):
        raise error

    world.market_wire.spoil = fail
    assert (await check())["marketplace"]["ok"] is None


async def test_a_marketplace_that_is_not_there(world, check):
    world.market_wire.cut()
    assert (await check())["marketplace"]["ok"] is False


async def test_an_adapter_without_a_check(world, check, monkeypatch):
    async def unwritten(self):
        raise NotImplementedError

    monkeypatch.setattr("adapters.demo.DemoAdapter.check", unwritten)
    assert (await check())["marketplace"]["ok"] is None


async def test_a_broken_adapter_ends_the_checkup(world, check):
    world.peers.error = LookupError("adapter demo is broken: SyntaxError")
    found = await check()
    assert set(found) == {"public-url", "adapter"}
    assert found["adapter"]["ok"] is False


async def test_no_such_connection(world):
    with pytest.raises(Refusal):
        await check_connection(world.hub, "nope")


@pytest.mark.parametrize(
    ("url", "ok"),
    [
        ("https://hub.example.com", True),
        ("http://hub.example.com", False),
        ("https://10.0.0.5", False),
        ("https://127.0.0.1:8443", False),
        ("https://localhost", False),
        ("https://hub.internal", False),
        ("https://[::1]:8080", False),
        ("http://allowed.lan:8080", True),
    ],
)
async def test_public_urls(connection, url, ok):
    assert check_public_url(url, connection, ["allowed.lan"])["ok"] is ok


async def test_a_lab_on_one_machine_may_be_private(connection):
    lab = connection.model_copy(update={"vtex_base_url": "http://127.0.0.1:9001"})
    assert check_public_url("http://127.0.0.1:8080", lab, [])["ok"] is True


async def test_a_removed_connection_is_none(world, connection):
    await connections.set_state(world.hub, connection.id, ConnectionState.DISABLED)
    await connections.set_state(world.hub, connection.id, ConnectionState.REMOVED)
    with pytest.raises(Refusal):
        await check_connection(world.hub, connection.id)
