from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.http import NoAnswer, NotSent, Response, json_response
from connector.vtex.errors import Denied, Throttled, Unwell
from connector.vtex.simulation import (
    SimulationTooLarge,
    interpret,
    interpret_order,
    simulate_sync,
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


def one(body, **options):
    return interpret(["1"], body, NOW, **options)["1"]


async def test_the_canonical_request(vtex, session, now, pvt_body):
    vtex.on("POST", PVT_PATH, pvt_body)
    await simulate_sync(session, ["13"], now)
    assert vtex.last.query == {"sc": "2", "affiliateId": "XPT"}
    assert vtex.sent == {
        "items": [{"id": "13", "quantity": 1, "seller": "1"}],
        "marketingData": None,
        "postalCode": None,
        "country": None,
        "selectedSla": None,
        "clientProfileData": None,
        "geoCoordinates": [],
        "isCheckedIn": False,
        "storeId": None,
    }


async def test_sync_by_the_private_layer(vtex, session, now, pvt_body):
    vtex.on("POST", PVT_PATH, pvt_body)
    found = await simulate_sync(session, ["9999", "1001", "9999"], now, currency="BRL")
    assert [each["id"] for each in vtex.sent["items"]] == ["9999", "1001"]
    assert found["9999"].missing
    assert found["9999"].stock == 0
    assert "ORD027" in found["9999"].why
    assert (found["1001"].price_minor, found["1001"].list_price_minor) == (19990, 24990)
    assert (found["1001"].stock, found["1001"].currency, found["1001"].why) == (37, "BRL", "")


async def test_sync_by_the_public_layer_needs_no_key(vtex, session, now, pub_body):
    vtex.on("POST", PUB_PATH, pub_body)
    found = (await simulate_sync(session, ["1001"], now, public=True))["1001"]
    assert "x-vtex-api-apptoken" not in vtex.last.headers
    assert (found.price_minor, found.stock) == (19990, 1)
    assert found.valid_until == datetime(2027, 1, 1, tzinfo=UTC)


async def test_nothing_to_simulate_costs_nothing(vtex, session, now):
    assert await simulate_sync(session, [], now) == {}
    assert vtex.asked == []


@pytest.mark.parametrize(
    "trouble",
    [
        json_response({"error": {"code": "CHK0062", "message": "Max 300"}}, 400),
        json_response({"error": {"code": "FMT0104", "message": "Too many"}}, 400),
        Response(413),
        Response(504, body=b"<html>"),
        json_response({"error": {"code": "1", "message": "A operação foi cancelada."}}, 500),
        json_response({"error": {"code": "1", "message": "The operation was canceled."}}, 400),
        NoAnswer("timeout"),
    ],
)
async def test_too_large_batches_are_told(vtex, session, now, trouble):
    vtex.on("POST", PVT_PATH, trouble)
    with pytest.raises(SimulationTooLarge):
        await simulate_sync(session, ["1", "2"], now)
    # One SKU cannot be halved: the trouble itself is told.
    with pytest.raises(Exception) as caught:  # noqa: PT011
        await simulate_sync(session, ["1"], now)
    assert not isinstance(caught.value, SimulationTooLarge)


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (Response(429), Throttled),
        (Response(401), Denied),
        (Response(503), Unwell),
        (Response(500), Unwell),
        (json_response({"error": {"code": "CHK00310", "message": "Throttling"}}, 500), Unwell),
        (NotSent("no connection"), NotSent),
        (json_response([]), Unwell),
        (json_response({"items": None}), Unwell),
    ],
)
async def test_other_trouble_is_not_zero_stock(vtex, session, now, trouble, error):
    vtex.on("POST", PVT_PATH, trouble)
    with pytest.raises(error):
        await simulate_sync(session, ["1", "2"], now)


@pytest.mark.parametrize(
    ("item", "stock", "public", "why"),
    [
        ({"quantity": 0}, 0, False, "stock"),
        ({"quantity": 0, "availability": "nullPrice"}, None, True, "stock"),
        ({"quantity": 0, "availability": "available"}, 0, True, "stock"),
        ({"quantity": 0, "availability": "withoutStock"}, 0, True, "stock"),
        ({"price": 0}, 5, False, "price"),
        ({"price": None}, 5, False, "price"),
        ({"price": None, "availability": "withoutPriceFulfillment"}, 5, True, "price"),
        ({"availability": "cannotBeDelivered"}, 5, True, "cannotBeDelivered"),
        ({}, 0, False, "stock"),
        ({}, -3, False, "stock"),
        ({}, None, False, "carrier"),
    ],
)
def test_what_cannot_be_sold_has_no_stock(item, stock, public, why):
    found = one(answer(item, stocks=[stock]), public=public)
    assert found.stock == 0
    assert not found.missing
    assert why in found.why


def test_priced_item_without_stock_keeps_its_price():
    found = one(answer({"quantity": 0}, stocks=[0]))
    assert (found.price_minor, found.list_price_minor) == (1000, 1200)


@pytest.mark.parametrize("body", [{}, {"items": []}, answer(), {"items": None, "messages": "x"}])
def test_a_sku_left_out_is_missing(body):
    found = one(body)
    assert found.missing
    assert found.stock == 0
    assert found.why


def test_join_by_request_index_and_item_index():
    body = answer(
        {"id": "b", "requestIndex": 1, "price": 200},
        {"id": "a", "requestIndex": 0, "price": 100},
        stocks=[2, 1],
    )
    body["logisticsInfo"].reverse()
    found = interpret(["a", "b", "c"], body, NOW)
    assert (found["a"].price_minor, found["a"].stock) == (100, 1)
    assert (found["b"].price_minor, found["b"].stock) == (200, 2)
    assert found["c"].missing


@pytest.mark.parametrize("index", [None, 7, "x", 1])
def test_a_wrong_request_index_yields_to_the_id(index):
    found = interpret(["a", "b"], answer({"id": "a", "requestIndex": index}), NOW)
    assert found["a"].stock == 5
    assert found["b"].missing


def test_foreign_items_are_ignored():
    found = interpret(["a"], answer({"id": "gift", "requestIndex": 0}), NOW)
    assert found["a"].missing


def test_split_lines_take_the_one_that_can_be_sold():
    body = answer({"price": 0}, {"price": 900}, stocks=[0, 4])
    found = one(body)
    assert (found.price_minor, found.stock) == (900, 4)


@pytest.mark.parametrize("stock", [2_147_483_647, 1_000_000, "99999999"])
def test_unlimited_stock_is_capped(stock):
    assert one(answer({}, stocks=[stock])).stock == 1_000_000


@pytest.mark.parametrize(
    ("item", "price", "listed"),
    [
        ({"price": 1000, "unitMultiplier": 1.5}, 1500, 1800),
        ({"price": 9999, "listPrice": 9999, "unitMultiplier": 300.0}, 2_999_700, 2_999_700),
        ({"price": 333, "listPrice": 0, "unitMultiplier": 2.36}, 786, 786),
        ({"price": 1, "listPrice": None, "unitMultiplier": 1.5}, 2, 2),
        ({"unitMultiplier": 0}, 1000, 1200),
        ({"unitMultiplier": None}, 1000, 1200),
        ({"price": "1000", "listPrice": "1200.0"}, 1000, 1200),
        ({"listPrice": 500}, 1000, 1000),
    ],
)
def test_prices_are_per_sold_unit(item, price, listed):
    found = one(answer(item))
    assert (found.price_minor, found.list_price_minor) == (price, listed)


def tag(value, name="DISCOUNT@MARKETPLACE-x#1"):
    return {"name": name, "value": value, "rawValue": value / 100, "isPercentual": False}


@pytest.mark.parametrize(
    ("item", "price"),
    [
        ({"priceTags": [tag(-100)]}, 900),
        ({"priceTags": [tag(-100), tag(-50, "discount@price-y#2")]}, 850),
        ({"priceTags": [tag(-100, "discount@shipping-y#2")]}, 1000),
        ({"priceTags": [tag(80, "tax@price-y#2")]}, 1000),
        ({"priceTags": [tag(-100, "DISCOUNT@MANUALPRICE")]}, 900),
        # The list price less the tags is the price: they were taken off already.
        ({"price": 1100, "listPrice": 1200, "priceTags": [tag(-100)]}, 1100),
        ({"price": 1000, "listPrice": 1000, "priceTags": [tag(-100)]}, 900),
        ({"priceTags": [tag(-100)], "unitMultiplier": 1.5}, 1400),
        ({"priceTags": [tag(-100)], "quantity": 2}, 950),
        ({"priceTags": [tag(-5000)]}, 0),
        ({"priceTags": ["odd", {"name": None, "value": "x"}]}, 1000),
    ],
)
def test_promotions_of_the_private_layer_come_as_tags(item, price):
    assert one(answer(item)).price_minor == price


@pytest.mark.parametrize(
    ("item", "price"),
    [
        ({"priceDefinition": {"calculatedSellingPrice": 900, "total": 900}, "sellingPrice": 901},
         900),
        ({"sellingPrice": 901}, 901),
        ({"priceDefinition": None, "sellingPrice": None}, 1000),
        ({"priceTags": [tag(-100)], "sellingPrice": 900}, 900),
        ({"price": 1000, "unitMultiplier": 300.0, "sellingPrice": 300_000}, 300_000),
    ],
)  # fmt: skip
def test_the_public_layer_tells_its_selling_price(item, price):
    assert one(answer({"availability": "available", **item}), public=True).price_minor == price


@pytest.mark.parametrize(
    "messages",
    [
        ["SKU 1 is gone"],
        [{"code": "withoutStock", "text": "gone", "status": "error", "fields": {"id": "1"}}],
        [{"messageId": "withoutStock", "messageText": "gone", "fields": None}],
        [None, 5, {"code": {"odd": 1}}],
        "odd",
    ],
)
def test_messages_of_every_shape(messages):
    found = one(answer({"quantity": 0}, stocks=[0], messages=messages))
    assert found.stock == 0


def test_stock_may_only_be_told_by_channel():
    body = answer({}, stocks=[None])
    body["logisticsInfo"] = [
        {"itemIndex": 0, "deliveryChannels": [{"id": "delivery", "stockBalance": 9}, {"id": "x"}]}
    ]
    assert one(body, public=True).stock == 9


WEIRD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
ITEM = st.dictionaries(
    st.sampled_from([
        "id", "requestIndex", "quantity", "price", "listPrice", "sellingPrice", "priceTags",
        "unitMultiplier", "availability", "priceDefinition", "priceValidUntil", "measurementUnit",
    ]),
    st.sampled_from(["1", 0, 1, 5]) | WEIRD,
)  # fmt: skip
LOGISTICS = st.dictionaries(
    st.sampled_from(["itemIndex", "stockBalance", "slas", "deliveryChannels", "quantity"]),
    st.sampled_from([0, 1]) | WEIRD,
)
BODY = st.fixed_dictionaries({
    "items": st.lists(ITEM, max_size=4) | WEIRD,
    "logisticsInfo": st.lists(LOGISTICS, max_size=4) | WEIRD,
    "messages": WEIRD,
    "totals": WEIRD,
})  # fmt: skip


@given(BODY, st.booleans())
def test_any_answer_gives_sane_numbers(body, public):
    found = interpret(["1", "2"], body, NOW, public=public)
    assert set(found) == {"1", "2"}
    for each in found.values():
        assert 0 <= each.stock <= 1_000_000
        assert each.price_minor >= 0
        assert each.list_price_minor >= each.price_minor
        assert each.stock == 0 or (each.price_minor > 0 and not each.why)
    order = interpret_order({"1": 2}, body, addressed=True)
    assert order.items["1"].quantity <= 2


@given(
    st.integers(1, 10**8),
    st.sampled_from([1.0, 1.5, 2.36, 0.305, 300.0]),
    st.integers(0, 10**6),
)
def test_both_layers_agree_on_the_price(price, multiplier, stock):
    item = {"price": price, "listPrice": price, "unitMultiplier": multiplier}
    private = one(answer(item, stocks=[stock]))
    told = {"sellingPrice": private.price_minor, "availability": "available"}
    public = one(answer({**item, **told}, stocks=[stock]), public=True)
    assert private.price_minor == public.price_minor
    assert private.stock == stock or private.price_minor == 0
