"""The simulated market tells the hub: polling, webhooks, and its control API."""

import json

import pytest

from adapters.demo.adapter import DemoAdapter, DemoAppSettings
from connector.sdk import BadWebhook, Request, json_request

APP = DemoAppSettings.model_validate({"webhook_secret": "demo-app-secret"})


async def control(world, method, path, body=None, **query):
    request = json_request(method, path, body, query=query)
    response = await world.send(request)
    return response.status, response.json()


# --- polling ------------------------------------------------------------------------------------


async def poll(world, cursor=""):
    keys = []
    for _ in range(50):
        page = await world.adapter.orders_since(cursor)
        keys += page.keys
        cursor = page.cursor
        if not page.more:
            return keys, cursor
    raise AssertionError("polling never ends")


async def test_polling_finds_everything_once_and_overlaps(new_world):
    world = new_world(page_size=3)
    await world.list("1", stock=99)
    for _ in range(10):
        world.market.sell([("1", 1)])
        await world.clock.advance(60)
    keys, cursor = await poll(world)
    assert keys == [f"C-{n:06}" for n in range(1, 11)]
    again, cursor = await poll(world, cursor)
    assert again == [f"C-{n:06}" for n in range(5, 11)]  # the last five minutes once more
    world.market.cancel_by_buyer("C-000001")
    keys, _ = await poll(world, cursor)
    assert keys[-1] == "C-000001"


async def test_what_changes_while_pages_are_read_is_not_skipped(new_world):
    world = new_world(page_size=2)
    await world.list("1", stock=99)
    for _ in range(6):
        world.market.sell([("1", 1)])
    first = await world.adapter.orders_since("")
    world.market.cancel_by_buyer("C-000001")
    keys, _ = await poll(world, first.cursor)
    assert set(first.keys) | set(keys) == {f"C-{n:06}" for n in range(1, 7)}
    assert keys[-1] == "C-000001"


async def test_nothing_new_keeps_the_cursor(world):
    await world.list("1")
    world.market.sell([("1", 1)])
    _, cursor = await poll(world)
    await world.clock.advance(3600)
    assert await poll(world, cursor) == (["C-000001"], cursor)


async def test_an_unreadable_time_is_refused(world):
    headers = {"authorization": "Bearer demo-key"}
    request = Request("GET", "/v1/orders", {"updated_since": "yesterday"}, headers)
    assert (await world.send(request)).status == 400


# --- webhooks -----------------------------------------------------------------------------------


async def test_webhooks_are_signed_for_connection_and_application(new_world, make):
    world = new_world(webhook_url="https://hub/c", app_webhook_url="https://hub/app")
    await world.list("1")
    world.market.sell([("1", 1)])
    await make.settle()
    ours, apps = world.hub.received
    assert (ours.url, apps.url) == ("https://hub/c", "https://hub/app")
    assert world.adapter.webhook(ours, world.clock.now()) == ["C-000001"]
    [call] = DemoAdapter.app_webhook(APP, apps, world.clock.now())
    assert (call.tenant, call.key) == ("seller-1", "C-000001")
    with pytest.raises(BadWebhook, match="signature"):
        world.adapter.webhook(apps, world.clock.now())


async def test_webhooks_are_repeated_until_taken_with_a_fresh_signature(new_world):
    world = new_world(webhook_url="https://hub/c", webhook_retry_s=200)
    world.hub.statuses = [500, 0, 404]
    await world.list("1")
    world.market.sell([("1", 1)])
    await world.clock.advance(200 + 400 + 600)
    assert len(world.hub.received) == 4
    assert world.adapter.webhook(world.hub.received[-1], world.clock.now()) == ["C-000001"]
    assert (world.market.webhooks.attempts, world.market.webhooks.delivered) == (4, 1)
    await world.clock.advance(10_000)
    assert len(world.hub.received) == 4


async def test_webhooks_are_given_up_in_the_end(new_world):
    world = new_world(webhook_url="https://hub/c", webhook_tries=3)
    world.hub.statuses = [503] * 9
    await world.list("1")
    world.market.sell([("1", 1)])
    await world.clock.advance(10_000)
    assert len(world.hub.received) == 3
    assert world.market.webhooks.given_up == 1


async def test_webhooks_get_lost_doubled_and_late(new_world, make):
    world = new_world(webhook_url="https://hub/c", webhook_late_s=120, seed=5)
    await world.list("1")
    switches = world.market.settings
    switches.webhook_loss = 1.0
    world.market.sell([("1", 1)])
    switches.webhook_loss, switches.webhook_late = 0.0, 1.0
    world.market.sell([("1", 1)])
    switches.webhook_late, switches.webhook_duplicate = 0.0, 1.0
    world.market.sell([("1", 1)])
    await world.clock.advance(120)
    keys = [json.loads(r.body)["events"][0]["cart_id"] for r in world.hub.received]
    assert keys == ["C-000003", "C-000003", "C-000002"]
    counts = world.market.webhooks
    assert (counts.events, counts.lost, counts.late, counts.duplicated) == (3, 1, 1, 1)


# --- control API --------------------------------------------------------------------------------


async def test_control_api_tells_the_truth(world):
    await world.list("1", stock=5)
    status, cart = await control(
        world, "POST", "/_sim/sell", {"lines": [["1", 2]], "payment": "never", "orders": 2}
    )
    assert (status, cart["status"], len(cart["orders"])) == (201, "waiting_payment", 2)
    assert (await control(world, "POST", "/_sim/carts/C-000001/pay"))[1]["status"] == "paid"
    status, answer = await control(world, "POST", "/_sim/sell", {"lines": [["1", 9]]})
    assert (status, answer["reasons"]) == (409, ["SKU 1 has a stock of 3, wanted 9"])
    _, truth = await control(world, "GET", "/_sim/truth")
    assert truth["listings"]["1"]["stock"] == 3
    assert [change["kind"] for change in truth["listings"]["1"]["history"]] == ["created", "sale"]
    assert truth["carts"]["C-000001"]["total_minor"] == 2 * 19990
    assert (truth["refused_sales"], truth["webhooks"]["events"]) == (1, 0)
    _, listings = await control(world, "GET", "/_sim/listings")
    assert "history" not in listings["1"]
    _, carts = await control(world, "GET", "/_sim/orders")
    assert carts == truth["carts"]
    assert sum(order["total_minor"] for order in carts["C-000001"]["orders"]) == 2 * 19990


async def test_control_api_acts_for_buyer_and_carrier(world):
    await world.list("1", stock=9)
    for act, body, status in (
        ("cancel", {"reason": "no"}, "cancelled"),
        ("partially-cancel", {"sku": "1", "quantity": 1}, "paid"),
        ("ship", {}, "shipped"),
        ("status", {"status": "odd"}, "odd"),
    ):
        cart = world.market.sell([("1", 2)], delivery="marketplace")
        path = f"/_sim/carts/{cart.cart_id}/{act}"
        code, answer = await control(world, "POST", path, body)
        assert (code, answer["status"]) == (200, status)
    assert (await control(world, "POST", "/_sim/carts/C-000003/deliver"))[0] == 200
    assert (await control(world, "POST", "/_sim/carts/C-000003/deliver"))[0] == 409
    assert (await control(world, "POST", "/_sim/carts/C-000003/dance"))[0] == 404
    assert (await control(world, "POST", "/_sim/carts/C-000099/pay"))[0] == 404
    assert (await control(world, "POST", "/_sim/carts/C-000003/pay", {"x": 1}))[0] == 400
    assert (await control(world, "POST", "/_sim/sell", {"lines": [["1", 1]], "x": 1}))[0] == 400


async def test_control_api_turns_switches(world):
    status, answer = await control(world, "POST", "/_sim/settings", {"webhook_url": "https://hub"})
    assert (status, answer["webhook_url"]) == (200, "https://hub")
    assert (await control(world, "POST", "/_sim/settings", {"nonsense": 1}))[0] == 400
    assert (await control(world, "POST", "/_sim/settings", {"rate": "fast"}))[0] == 400
    assert (await control(world, "POST", "/_sim/settings", {"lot_modes": {"odd": 1}}))[0] == 400
    assert (await control(world, "GET", "/_sim/settings"))[1]["webhook_url"] == "https://hub"
    _, ledger = await control(world, "GET", "/_sim/ledger")
    assert ledger["next"] == len(world.market.ledger)
