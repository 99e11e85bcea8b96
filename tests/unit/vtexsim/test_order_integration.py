from __future__ import annotations

import pytest

from connector.domain.http import Response
from connector.sandbox.vtexsim import DivergenceRule
from tests.unit.vtexsim.support import HUB, freight, new_order

ORDERS = "/api/order-integration/orders"
RESULT = "/order-integration/notification/processing-result"


@pytest.fixture
def place(api, clock, hub):
    """Place an order and return the codes that were told of it."""

    async def send(body, **query):
        seen = len(hub.bodies(RESULT))
        answer = await api("POST", ORDERS, body, **({"affiliateId": "XPT"} | query))
        if answer.status == 200:
            assert answer.json()["code"] == "SOI003"
        else:
            return [answer.json()["code"]]
        await clock.advance(3)
        return [told["code"] for told in hub.bodies(RESULT)[seen:]]

    return send


@pytest.fixture
def approve(api, clock, hub):
    async def send(own_id="MP-1"):
        body = {
            "marketplaceOrderId": own_id,
            "marketplaceOrderStatus": "approved",
            "connectorName": "hub",
            "connectorEndpoint": HUB,
        }
        answer = await api("PUT", f"{ORDERS}/status", body)
        assert answer.json()["marketplaceOrderId"] == own_id
        await clock.advance(2.1)
        return hub.bodies(RESULT)[-1]["code"]

    return send


async def test_an_order_is_integrated_and_its_stock_reserved(place, sim, hub):
    assert await place(new_order()) == ["SOI001"]
    order = sim.orders["XPT-MP-1"]
    assert (order.status, order.value, order.approved) == (
        "waiting-ffmt-authorization",
        11_290,
        False,
    )
    assert sim.truth(2)["1001"].stock == 9
    assert sim.created == {"XPT-MP-1": 1}
    call = next(call for call in hub.calls if RESULT in call.url)
    assert (call.url, call.query) == (HUB + RESULT, {"an": "simstore"})
    assert call.json()["fields"]["mainOrderId"] == "XPT-MP-1"


async def test_a_paid_order_is_told_twice_with_one_operation(place, hub, sim):
    assert await place(new_order(status="APPROVED")) == ["SOI001", "SOI002"]
    first, second = hub.bodies(RESULT)
    assert first["operationId"] == second["operationId"]
    assert (first["flow"], second["flow"]) == ("PlaceOrder", "ApproveOrder")
    assert sim.orders["XPT-MP-1"].approved


async def test_approval_follows_the_status_of_the_order(place, approve, sim):
    assert await approve() == "EOI008"
    await place(new_order())
    assert await approve() == "SOI002"
    assert await approve() == "EOI009"
    sim.settings.approve_repeat_ok = True
    assert await approve() == "SOI002"
    sim.cancel_order("XPT-MP-1")
    assert await approve() == "EOI009"


async def test_a_second_order_of_the_same_id_is_a_duplicate(place, sim):
    await place(new_order())
    assert await place(new_order()) == ["EOI007"]
    assert sim.created["XPT-MP-1"] == 1
    assert sim.truth(2)["1001"].stock == 9
    assert sim.doubled_orders() == {}


async def test_one_marketplace_order_under_two_affiliates_is_seen(place, sim):
    sim.add_affiliate("ABC")
    await place(new_order())
    await place(new_order(), affiliateId="ABC")
    assert sim.doubled_orders() == {"MP-1": ["XPT-MP-1", "ABC-MP-1"]}


async def test_unknown_sku_stock_and_delivery_are_judged(place, sim):
    def lines(sku, quantity=1):
        return [{"id": sku, "price": 10_000, "quantity": quantity}]

    assert await place(new_order(items=lines("999"))) == ["EOI004"]
    assert await place(new_order(items=lines("1002"))) == ["EOI002"]
    assert await place(new_order(items=lines("1001", 11))) == ["EOI002"]
    sim.set_active(1001, active=False)
    assert await place(new_order()) == ["EOI002"]
    sim.set_active(1001, active=True)
    gone = new_order()
    gone["shippingData"]["logisticsInfo"][0]["selectedSla"] = "Drone"
    assert await place(gone) == ["EOI002"]
    assert sim.orders == {}


async def test_an_empty_sla_lets_the_store_choose_the_cheapest(place, sim):
    body = new_order()
    body["shippingData"]["logisticsInfo"][0]["selectedSla"] = ""
    assert await place(body) == ["SOI001"]
    assert sim.orders["XPT-MP-1"].slas == ["Normal"]


async def test_pickup_needs_the_point_as_address(place, sim):
    body = new_order(marketplacePaymentValue=10_000)
    route = body["shippingData"]["logisticsInfo"][0]
    route.update(selectedDeliveryChannel="pickup-in-point", selectedSla=None, price=0)
    assert await place(body) == ["EOI002"]
    address = body["shippingData"]["selectedAddresses"][0]
    address.update(addressType="pickup", addressId="1_P01", geoCoordinates={"latitude": 1})
    assert await place(body) == ["SOI001"]
    assert sim.orders["XPT-MP-1"].slas == ["Retirada"]


async def test_marketplace_delivery_ignores_the_freight(place, sim):
    body = new_order(marketplacePaymentValue=10_500)
    route = body["shippingData"]["logisticsInfo"][0]
    route.update(price=500, selectedSla=None)
    body["shippingData"]["isFob"] = True
    assert await place(body) == ["SOI001"]
    assert sim.orders["XPT-MP-1"].slas == ["vtex:fob_d1"]
    route["selectedSla"] = "Normal"
    assert await place(body | {"marketplaceOrderId": "MP-2"}) == ["EOI005"]


async def test_interest_and_taxes_are_no_divergence(place):
    body = new_order(
        marketplacePaymentValue=10_000 + freight() + 300 + 50,
        marketplaceInterestValue=300,
        taxData=[{"skuId": "1001", "value": 50}],
    )
    assert await place(body) == ["SOI001"]


def cheaper(percent: int, own_id: str = "MP-1"):
    """An order whose total is so much lower than the store's."""
    total = 10_000 + freight()
    value = total - total * percent // 100
    items = [{"id": "1001", "price": value - freight(), "quantity": 1}]
    return new_order(own_id, marketplacePaymentValue=value, items=items)


async def test_rules_decide_on_differing_prices(place, sim):
    assert await place(cheaper(10)) == ["EOI003"]
    sim.settings.divergence_rules = (
        DivergenceRule(0, 5, "authorize"),
        DivergenceRule(5, 20, "manual"),
        DivergenceRule(20, 50, "deny"),
    )
    assert await place(cheaper(3, "A")) == ["SOI001"]
    assert await place(cheaper(10, "B")) == ["SOI001"]
    assert sim.orders["XPT-B"].status == "waiting-for-manual-authorization"
    assert await place(cheaper(30, "C")) == ["EOI001"]
    assert await place(cheaper(60, "D")) == ["EOI003"]
    assert set(sim.orders) == {"XPT-A", "XPT-B"}


async def test_an_allowed_rate_lets_a_difference_pass(place):
    assert await place(cheaper(10) | {"priceDivergenceAllowanceRate": 0.11}) == ["SOI001"]


async def test_manual_authorization_blocks_the_approval(place, approve, sim):
    sim.settings.divergence_rules = (DivergenceRule(0, 100, "manual"),)
    await place(cheaper(10))
    assert await approve() == "EOI011"
    sim.decide_authorization("XPT-MP-1", accept=True)
    assert await approve() == "SOI002"
    await place(cheaper(10, "MP-2"))
    sim.decide_authorization("XPT-MP-2", accept=False)
    assert sim.orders["XPT-MP-2"].status == "cancel"


async def test_a_total_that_is_not_the_sum_is_refused(place):
    assert await place(new_order(marketplacePaymentValue=9_999)) == ["EOI001"]


@pytest.mark.parametrize(
    "changes",
    [
        {"items": []},
        {"marketplaceOrderStatus": "paid"},
        {"connectorName": ""},
        {"connectorEndpoint": f"{HUB}?x=1"},
        {"clientProfileData": {"email": "a@b"}},
        {"items": ["1001"]},
        {"shippingData": None},
        {"marketplacePaymentValue": 112.9},
        {"items": [{"id": "1001", "price": 99.9, "quantity": 1}]},
    ],
)
async def test_malformed_orders_are_validation_errors(place, sim, changes):
    assert await place(new_order(**changes)) == ["EOI005"]
    assert sim.orders == {}


async def test_an_unknown_affiliate_is_refused_at_once(place):
    assert await place(new_order(), affiliateId="ZZZ") == ["EOI005"]


async def test_instability_and_timeouts(place, sim):
    sim.settings.processing_instability = 1.0
    assert await place(new_order()) == ["EOI006"]
    sim.settings.processing_instability, sim.settings.processing_timeout = 0.0, 1.0
    codes = [await place(new_order(f"T-{n}", status="new")) for n in range(8)]
    assert codes == [["EOI010"]] * 8
    assert 0 < len(sim.orders) < 8


async def test_results_are_lost_doubled_and_retried(place, sim, hub, clock):
    sim.settings.processing_loss = 1.0
    assert await place(new_order("A")) == []
    assert "XPT-A" in sim.orders
    sim.settings.processing_loss, sim.settings.processing_duplicate = 0.0, 1.0
    assert await place(new_order("B")) == ["SOI001", "SOI001"]
    sim.settings.processing_duplicate = 0.0
    hub.answer = lambda request: None
    assert await place(new_order("C")) == ["SOI001"]
    hub.answer = lambda request: Response(200)
    await clock.advance(6)
    assert hub.bodies(RESULT)[-1]["marketplaceOrderId"] == "C"
    delivered = [row for row in sim.ledger if row.kind == "processing.delivered"]
    assert delivered[-1].data["attempt"] == 1


async def test_an_order_may_exist_although_the_answer_was_an_error(api, sim, clock):
    sim.settings.error_after_create = 1.0
    answer = await api("POST", ORDERS, new_order(), affiliateId="XPT")
    assert answer.status >= 500
    await clock.advance(3)
    assert "XPT-MP-1" in sim.orders


async def test_an_order_may_be_canceled_before_it_is_told(place, sim, hub):
    sim.settings.cancel_on_create, sim.settings.processing_tell_delay_s = 1.0, 0.5
    assert await place(new_order(status="approved")) == ["SOI001", "EOI009"]
    about_orders = [call.url for call in hub.calls if "api/notification" not in call.url]
    assert about_orders[0].endswith("/orders/MP-1/cancel")
    assert all(url.endswith("/processing-result") for url in about_orders[1:])
    assert sim.orders["XPT-MP-1"].status == "canceled"


async def test_a_kit_reserves_its_parts(place, sim):
    items = [{"id": "1004", "price": 10_000, "quantity": 2}]
    body = new_order(items=items, marketplacePaymentValue=20_000 + freight(2))
    body["shippingData"]["logisticsInfo"][0]["price"] = freight(2)
    assert await place(body) == ["SOI001"]
    assert sim.orders["XPT-MP-1"].reserved == {1001: 4}
    truth = sim.truth(2)
    assert (truth["1001"].stock, truth["1004"].stock) == (6, 3)


@pytest.mark.parametrize("price", [10_000, 15_000])
async def test_prices_per_measure_and_per_unit_are_both_understood(place, price):
    """1003 is sold by 1.5 m², so a unit costs half as much again."""
    body = new_order(
        items=[{"id": "1003", "price": price, "quantity": 1}],
        marketplacePaymentValue=15_000 + freight(),
    )
    assert await place(body) == ["SOI001"]


async def test_readers_see_a_reservation_late_but_are_told_of_it(place, sim, hub, clock):
    await place(new_order())
    told = [body["IdSku"] for body in hub.bodies("api/notification")]
    assert told == ["1001", "1004"]
    sku = sim.catalog.skus[1001]
    assert (sim.stock_of(sku), sim.stock_of(sku, now=clock.now())) == (9, 10)
    await clock.advance(61)
    assert sim.stock_of(sku, now=clock.now()) == 9


async def test_rounding_of_units_sold_by_measure_is_no_divergence(place, sim):
    sim.set_price(1003, 333)  # 499.5 cents a unit
    items = [{"id": "1003", "price": 500, "quantity": 3}]
    body = new_order(items=items, marketplacePaymentValue=1500 + freight(3))
    body["shippingData"]["logisticsInfo"][0]["price"] = freight(3)
    assert await place(body) == ["SOI001"]
