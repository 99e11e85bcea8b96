import copy
import math
from datetime import UTC, datetime

import pytest

from connector.domain.marketorder import Buyer
from connector.vtex.simulation import (
    SimItem,
    cart_body,
    estimate_hours,
    interpret,
    interpret_order,
    simulate_order,
)

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
PVT_PATH = "/api/fulfillment/pvt/orderForms/simulation"
PUB_PATH = "/api/checkout/pub/orderForms/simulation"


def answer(*items, stocks=None, **top):
    """A pvt answer: items given as overrides, their stock by position."""
    rows = [
        {"id": "1", "requestIndex": 0, "quantity": 1, "seller": "1", "price": 1000,
         "listPrice": 1200, "priceTags": [], "measurementUnit": "un", "unitMultiplier": 1.0,
         **item}
        for item in items
    ]  # fmt: skip
    stocks = [5] * len(rows) if stocks is None else stocks
    logistics = [
        {"itemIndex": at, "stockBalance": stock, "quantity": 1, "slas": []}
        for at, stock in enumerate(stocks)
        if stock is not None
    ]
    return {"items": rows, "logisticsInfo": logistics, "messages": [], **top}


async def test_an_order_is_simulated_with_its_address(vtex, session, pvt_body):
    vtex.on("POST", PVT_PATH, pvt_body)
    found = await simulate_order(
        session,
        [SimItem("9999"), SimItem("1001")],
        country="br",
        postal_code='12345-000;"',
        geo=(-46.6, -23.5),
        buyer=Buyer(first_name="Ana", email="a@b.c", phone="+55 (11) 9"),
    )
    sent = vtex.sent
    assert (sent["postalCode"], sent["country"]) == ("12345-000", "BRA")
    assert sent["geoCoordinates"] == [-46.6, -23.5]
    assert sent["clientProfileData"]["phone"] == "55119"
    item = found.items["1001"]
    assert item.enough
    assert (item.quantity, item.price_minor, item.stock) == (1, 19990, 37)
    (sla,) = item.slas
    assert (sla.id, sla.name, sla.channel, sla.price_minor) == (
        "Normal",
        "Normal",
        "delivery",
        1500,
    )
    assert (sla.estimate, sla.lock_ttl, sla.warehouse_id) == ("3bd", "10d", "w1")
    assert sla.delivery_ids[0].dock_id == "d1"
    assert not sla.is_pickup
    assert found.items["9999"].missing
    assert "ORD027" in found.problems[0]
    assert len(found.problems) == 1


async def test_equal_skus_are_asked_once(vtex, session):
    vtex.on("POST", PVT_PATH, answer({"quantity": 5}))
    found = await simulate_order(session, [SimItem("1", 2), SimItem("1", 3)])
    assert vtex.sent["items"] == [{"id": "1", "quantity": 5, "seller": "1"}]
    assert found.items["1"].enough


def test_too_few_units_are_told():
    found = interpret_order({"1": 5}, answer({"quantity": 3}, stocks=[3]), addressed=False)
    assert found.items["1"].quantity == 3
    assert not found.items["1"].enough
    assert "3 of 5" in found.problems[0]


def test_an_addressed_order_needs_a_delivery_option():
    body = answer({})
    assert interpret_order({"1": 1}, body, addressed=False).problems == ()
    assert "delivery option" in interpret_order({"1": 1}, body, addressed=True).problems[0]


def test_split_lines_of_an_order_add_up():
    body = answer({"quantity": 2}, {"quantity": 3})
    assert interpret_order({"1": 5}, body, addressed=False).items["1"].enough


def test_slas_without_estimate_take_no_time(pvt_body):
    sla = pvt_body["logisticsInfo"][0]["slas"][0]
    sla.update(shippingEstimate=None, lockTTL=None, deliveryIds=None, pickupPointId="1_P01",
               deliveryChannel="pickup-in-point")  # fmt: skip
    found = interpret_order({"1001": 1}, pvt_body, addressed=True).items["1001"].slas[0]
    assert (found.estimate, found.lock_ttl, found.warehouse_id) == ("0bd", "", "")
    assert found.is_pickup
    assert found.pickup_point_id == "1_P01"


def test_totals_of_the_public_layer(pub_body):
    found = interpret_order({"1001": 1}, pub_body, addressed=False)
    assert found.totals == {"Items": 19990}


def test_country_goes_only_with_a_place():
    assert cart_body([SimItem("1")], country="BRA")["country"] is None
    assert cart_body([SimItem("1")], country="BRA", geo=(1.0, 2.0))["country"] == "BRA"


@pytest.mark.parametrize(
    ("text", "hours"),
    [("3bd", 100.8), ("2d", 48), ("5h", 5), ("30m", 0.5), ("0bd", 0), ("3BD", 100.8)],
)
def test_estimates_in_hours(text, hours):
    assert estimate_hours(text) == pytest.approx(hours)


@pytest.mark.parametrize("text", ["", "soon", "1.00:00:00", "-3d", "3 weeks"])
def test_unknown_estimates_are_endless(text):
    assert estimate_hours(text) == math.inf


def test_interpreting_changes_nothing(pvt_body):
    before = copy.deepcopy(pvt_body)
    interpret(["9999", "1001"], pvt_body, NOW)
    assert pvt_body == before
