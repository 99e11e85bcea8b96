from __future__ import annotations

import pytest

from connector.sandbox.vtexsim import DivergenceRule
from tests.unit.vtexsim.support import HUB, classic_order, freight

ORDERS = "/api/fulfillment/pvt/orders"


@pytest.fixture
def place(api):
    async def send(body):
        answer = await api("POST", ORDERS, body, sc=2, affiliateId="XPT")
        return answer, (answer.json() if answer.ok else answer.json()["error"]["code"])

    return send


async def test_array_and_object_both_answer_an_array(place, sim):
    answer, (first,) = await place(classic_order())
    assert (answer.status, first["orderId"]) == (200, "XPT-MP-1")
    assert first["clientProfileData"]["email"].endswith("@ct.vtex.com.br")
    _, (second,) = await place(classic_order("MP-2")[0])
    assert second["marketplaceOrderId"] == "MP-2"
    assert sim.truth(2)["1001"].stock == 8


async def test_duplicates_and_canceled_orders_are_refused(place, sim):
    await place(classic_order())
    assert (await place(classic_order()))[1] == "FMT009"
    sim.cancel_order("XPT-MP-1")
    assert (await place(classic_order()))[1] == "FMT0060"


async def test_divergence_needs_an_asynchronous_order(place, sim):
    low = {
        "items": [{"id": "1001", "quantity": 1, "seller": "1", "price": 9_000}],
        "marketplacePaymentValue": 9_000 + freight(),
    }
    assert (await place(classic_order(**low)))[1] == "FMT007"
    sim.settings.divergence_rules = (DivergenceRule(0, 100, "authorize"),)
    assert (await place(classic_order(**low, isCreatedAsync=False)))[1] == "FMT007"
    assert (await place(classic_order(**low)))[0].status == 200


async def test_a_divergence_may_be_refused_without_a_word(place, api, sim):
    sim.settings.empty_error_body = 1.0
    body = classic_order(marketplacePaymentValue=1)
    answer = await api("POST", ORDERS, body, affiliateId="XPT")
    assert (answer.status, answer.body) == (400, b"")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"marketplaceServicesEndpoint": None}, "FMT0070"),
        ({"marketplaceServicesEndpoint": "ftp://x"}, "CHK0146"),
        ({"marketplaceOrderId": ""}, "FMT015"),
        ({"items": [{"quantity": 1, "seller": "1", "price": 1}]}, "FMT0039"),
        ({"items": [{"id": "1001", "quantity": 0, "seller": "1", "price": 1}]}, "FMT0038"),
        ({"items": [{"id": "1001", "quantity": 1, "seller": "2", "price": 1}]}, "FMT0040"),
        ({"items": [{"id": "1001", "quantity": 1, "seller": "1", "price": 1.5}]}, "FMT0041"),
        ({"clientProfileData": None}, "FMT0045"),
        ({"marketplacePaymentValue": None}, "FMT0042"),
        ({"items": [{"id": "1002", "quantity": 1, "seller": "1", "price": 10_000}]}, "FMT002"),
    ],
)
async def test_refusals_carry_their_code(place, changes, code):
    answer, got = await place(classic_order(**changes))
    assert (answer.status, got) == (400, code)


async def test_bad_ttl_and_missing_ttl(place):
    body = classic_order()
    route = body[0]["shippingData"]["logisticsInfo"][0]
    route["lockTTL"] = None
    assert (await place(body))[1] == "FMT017"
    route["lockTTL"] = "soon"
    assert (await place(body))[1] == "FMT0077"


async def test_payment_is_told_once_or_twice(place, api, sim, clock):
    await place(classic_order())
    path, body = f"{ORDERS}/XPT-MP-1/fulfill", {"marketplaceOrderId": "MP-1"}
    first = await api("POST", path, body, sc=2, affiliateId="XPT")
    again = await api("POST", path, [body], sc=2, affiliateId="XPT")
    assert first.json()["orderId"] == again.json()["orderId"] == "XPT-MP-1"
    assert first.json()["receipt"] != again.json()["receipt"]
    await clock.advance(2)
    assert sim.orders["XPT-MP-1"].status == "window-to-cancel"
    await clock.advance(1801)
    assert sim.orders["XPT-MP-1"].status == "ready-for-handling"


async def test_payment_of_strange_orders_is_refused(place, api, sim):
    body = {"marketplaceOrderId": "MP-1"}
    assert (await api("POST", f"{ORDERS}/XPT-MP-1/fulfill", body)).status == 404
    await place(classic_order())
    wrong = await api("POST", f"{ORDERS}/XPT-MP-1/fulfill", {"marketplaceOrderId": "MP-2"})
    assert wrong.json()["error"]["code"] == "FMT0071"
    sim.cancel_order("XPT-MP-1")
    canceled = await api("POST", f"{ORDERS}/XPT-MP-1/fulfill", body)
    assert canceled.json()["error"]["code"] == "CHK0184"


async def test_an_order_nobody_pays_for_is_canceled(place, sim, clock, hub):
    await place(classic_order())
    await clock.advance(31 * 86_400)
    order = sim.orders["XPT-MP-1"]
    assert (order.status, order.cancels[0].by) == ("canceled", "system")
    assert sim.truth(2)["1001"].stock == 10
    assert hub.paths("cancel") == ["/pvt/orders/MP-1/cancel"]
    assert order.endpoint == HUB


async def test_created_although_answered_with_an_error(api, sim):
    sim.settings.error_after_create = 1.0
    answer = await api("POST", ORDERS, classic_order(), affiliateId="XPT")
    assert answer.status >= 500
    read = await api("GET", "/api/oms/pvt/orders/XPT-MP-1")
    assert read.json()["marketplaceOrderId"] == "MP-1"
