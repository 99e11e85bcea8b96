from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.marketorder import Address, Buyer, TrackingHint
from connector.vtex.orders import (
    PlaceLine,
    PlaceOrder,
    check_order,
    classic_body,
    integration_body,
)
from connector.vtex.placing import merge_lines
from connector.vtex.simulation import DeliveryId

ENDPOINT = "https://hub.example/vtex/v1/t1/s3cr3t"
BUYER = Buyer(
    first_name="Ana",
    last_name="Souza",
    email="buyer@example.com",
    phone="11 99999-9999",
    document="52998224725",
    document_type="CPF",
)
ADDRESS = Address(
    receiver="Ana Souza",
    street="Rua A",
    number="10",
    neighborhood="Centro",
    city="São Paulo",
    state="SP",
    country="BRA",
    postal_code="12345-000",
)
LINE = PlaceLine(
    sku="1001",
    quantity=1,
    price_minor=19990,
    shipping_minor=1500,
    sla="Normal",
    lock_ttl="10d",
    estimate="3bd",
)
ORDER = PlaceOrder(
    ref="MP-778899",
    lines=(LINE,),
    buyer=BUYER,
    address=ADDRESS,
    total_minor=21490,
    endpoint=ENDPOINT,
    connector_name="hub",
    payment_methods=("creditCardPaymentGroup",),
    paid=True,
)


def test_the_whole_integration_order():
    """Scenarios 2 and 5: paid, delivered by the seller."""
    assert check_order(ORDER) == ()
    assert integration_body(ORDER) == {
        "marketplaceOrderId": "MP-778899",
        "connectorName": "hub",
        "connectorEndpoint": ENDPOINT,
        "marketplaceOrderStatus": "approved",
        "marketplacePaymentValue": 21490,
        "marketplaceInterestValue": 0,
        "allowFranchises": False,
        "pickupAccountName": None,
        "items": [{"id": "1001", "price": 19990, "quantity": 1}],
        "clientProfileData": {
            "email": "buyer@example.com",
            "firstName": "Ana",
            "lastName": "Souza",
            "phone": "11999999999",
            "document": "52998224725",
            "corporateDocument": None,
            "corporatePhone": None,
            "corporateName": None,
            "tradeName": None,
            "stateInscription": None,
        },
        "shippingData": {
            "logisticsInfo": [
                {
                    "price": 1500,
                    "selectedDeliveryChannel": "delivery",
                    "selectedSla": "Normal",
                    "lockTTL": "10d",
                    "shippingEstimate": "3bd",
                    "deliveryIds": [],
                }
            ],
            "selectedAddresses": [
                {
                    "addressType": "residential",
                    "addressId": "1",
                    "receiverName": "Ana Souza",
                    "postalCode": "12345-000",
                    "city": "São Paulo",
                    "state": "SP",
                    "country": "BRA",
                    "street": "Rua A",
                    "number": "10",
                    "neighborhood": "Centro",
                    "complement": None,
                    "geoCoordinates": None,
                }
            ],
            "isFob": False,
            "isMarketplaceFulfillment": False,
            "trackingHints": [],
        },
        "invoiceData": {"userPaymentInfo": {"paymentMethods": ["creditCardPaymentGroup"]}},
        "customData": {"customApps": []},
        "taxData": [],
        "openTextField": None,
    }


def test_the_whole_classic_order():
    (body,) = classic_body(ORDER)
    assert body["marketplaceOrderGroup"] == body["marketplaceOrderId"] == "MP-778899"
    assert body["marketplaceServicesEndpoint"] == ENDPOINT
    assert body["marketplacePaymentValue"] == body["marketplacePaymentReferenceValue"] == 21490
    assert body["isCreatedAsync"] is True
    assert body["paymentData"] is None
    assert body["openTextField"] == {"value": None}
    assert body["items"] == [
        {
            "id": "1001", "quantity": 1, "seller": "1", "commission": 0, "freightCommission": 0,
            "price": 19990, "bundleItems": [], "itemAttachment": {"name": None, "content": {}},
            "attachments": [], "priceTags": [], "measurementUnit": "un", "unitMultiplier": 1,
            "isGift": False,
        }
    ]  # fmt: skip
    assert body["shippingData"]["logisticsInfo"] == [
        {
            "itemIndex": 0, "selectedSla": "Normal", "selectedDeliveryChannel": "delivery",
            "addressId": "1", "lockTTL": "10d", "shippingEstimate": "3bd", "price": 1500,
            "deliveryWindow": None, "deliveryIds": [],
        }
    ]  # fmt: skip
    assert body["shippingData"]["selectedAddresses"] == [body["shippingData"]["address"]]
    profile = body["clientProfileData"]
    assert (profile["documentType"], profile["isCorporate"]) == ("cpf", False)
    assert profile["userProfileId"] is None


def test_scenario_1_payment_pending():
    assert integration_body(replace(ORDER, paid=False))["marketplaceOrderStatus"] == "new"


def test_scenario_3_interest():
    order = replace(ORDER, interest_minor=100, total_minor=21590)
    assert check_order(order) == ()
    body = integration_body(order)
    assert (body["marketplaceInterestValue"], body["marketplacePaymentValue"]) == (100, 21590)
    (classic,) = classic_body(order)
    assert classic["marketplacePaymentValue"] == 21590
    assert classic["marketplacePaymentReferenceValue"] == 21490


def test_scenario_5_without_an_sla_vtex_chooses():
    order = replace(ORDER, lines=(replace(LINE, sla=""),))
    assert integration_body(order)["shippingData"]["logisticsInfo"][0]["selectedSla"] is None


@pytest.mark.parametrize("build", [integration_body, lambda order: classic_body(order)[0]])
def test_scenario_7_the_marketplace_delivers(build):
    shipping = build(replace(ORDER, fob=True))["shippingData"]
    assert shipping["isFob"] is True
    assert shipping["logisticsInfo"][0]["selectedSla"] is None
    assert shipping["logisticsInfo"][0]["selectedDeliveryChannel"] == "delivery"


def test_scenario_8_from_the_marketplace_stock():
    line = replace(LINE, delivery_ids=(DeliveryId("mkt-1", "d1"), DeliveryId("other")))
    order = replace(ORDER, fob=True, marketplace_fulfillment=True, lines=(line,))
    shipping = integration_body(order)["shippingData"]
    assert shipping["isFob"] is shipping["isMarketplaceFulfillment"] is True
    assert shipping["logisticsInfo"][0]["deliveryIds"] == [{"warehouseId": "mkt-1"}]
    (classic,) = classic_body(order)
    assert classic["shippingData"]["logisticsInfo"][0]["deliveryIds"] == [
        {"warehouseId": "mkt-1", "dockId": "d1"}
    ]


def test_scenario_9_pickup():
    place = ADDRESS.model_copy(
        update={"pickup_point_id": "1_P01", "longitude": -46.63, "latitude": -23.55}
    )
    order = replace(ORDER, pickup=True, address=place)
    assert check_order(order) == ()
    shipping = integration_body(order)["shippingData"]
    (address,) = shipping["selectedAddresses"]
    assert (address["addressType"], address["addressId"]) == ("pickup", "1_P01")
    assert address["geoCoordinates"] == {"latitude": -23.55, "longitude": -46.63}
    assert shipping["logisticsInfo"][0]["selectedDeliveryChannel"] == "pickup-in-point"
    assert shipping["logisticsInfo"][0]["selectedSla"] is None
    assert shipping["isFob"] is False
    (classic,) = classic_body(order)
    assert classic["shippingData"]["address"]["geoCoordinates"] == [-46.63, -23.55]
    assert classic["shippingData"]["logisticsInfo"][0]["addressId"] == "1_P01"


def test_scenario_11_taxes():
    order = replace(ORDER, taxes=(("1001", 250),), total_minor=21740)
    assert check_order(order) == ()
    assert integration_body(order)["taxData"] == [{"skuId": "1001", "value": 250}]
    assert "takes no taxes" in check_order(order, classic=True)[0]


def test_scenario_12_labels():
    hint = TrackingHint(tracking_id="BR1", courier="Rapid + Co", label="https://l/1.pdf")
    expected = [
        {"trackingId": "BR1", "courierName": "Rapid Co", "trackingUrl": None,
         "trackingLabel": "https://l/1.pdf"}
    ]  # fmt: skip
    order = replace(ORDER, tracking_hints=(hint,))
    assert integration_body(order)["shippingData"]["trackingHints"] == expected
    assert classic_body(order)[0]["shippingData"]["trackingHints"] == expected


def test_equal_lines_become_one():
    order = replace(
        ORDER,
        lines=(LINE, replace(LINE, sku="2", price_minor=100), replace(LINE, shipping_minor=1),
               replace(LINE, price_minor=5)),
        total_minor=19990 * 2 + 100 + 5 + 1500 * 3 + 1,
    )  # fmt: skip
    assert check_order(order) == ()
    body = integration_body(order)
    assert [(i["id"], i["quantity"], i["price"]) for i in body["items"]] == [
        ("1001", 2, 19990), ("2", 1, 100), ("1001", 1, 5),
    ]  # fmt: skip
    assert [row["price"] for row in body["shippingData"]["logisticsInfo"]] == [1501, 1500, 1500]


LINES = st.lists(
    st.builds(
        PlaceLine,
        sku=st.sampled_from("abc"),
        quantity=st.integers(1, 9),
        price_minor=st.integers(0, 10**7),
        shipping_minor=st.integers(0, 10**5),
        sla=st.sampled_from(["", "Normal"]),
        unit_multiplier=st.sampled_from([1.0, 1.5, 2.36, 0.305, 300.0]),
    ),
    min_size=1,
    max_size=6,
)


@given(LINES, st.integers(0, 1000), st.lists(st.integers(0, 500), max_size=2))
def test_both_bodies_come_to_the_total(lines, interest, taxes):
    order = replace(
        ORDER, lines=tuple(lines), interest_minor=interest, taxes=tuple(("a", tax) for tax in taxes)
    )
    order = replace(order, total_minor=order.parts_minor)
    assert check_order(order) == ()
    body = integration_body(order)
    items, ways = body["items"], body["shippingData"]["logisticsInfo"]
    assert len(items) == len(ways)
    assert body["marketplacePaymentValue"] == (
        sum(item["price"] * item["quantity"] for item in items)
        + sum(way["price"] for way in ways)
        + interest
        + sum(taxes)
    )
    (classic,) = classic_body(order)
    goods = 0
    for item in classic["items"]:
        exact = item["price"] * item["quantity"] * item["unitMultiplier"]
        goods += round(exact + 1e-9)
    ways = sum(way["price"] for way in classic["shippingData"]["logisticsInfo"])
    assert goods + ways + interest + sum(taxes) == pytest.approx(order.total_minor, abs=len(lines))
    assert len(merge_lines(merge_lines(lines))) == len(merge_lines(lines))


def test_unit_multiplier_is_told_where_no_cent_is_lost():
    def item(price, multiplier, quantity=1):
        line = replace(LINE, price_minor=price, unit_multiplier=multiplier, quantity=quantity)
        (row,) = classic_body(replace(ORDER, lines=(line,)))[0]["items"]
        return row["price"], row["unitMultiplier"]

    assert item(2_999_700, 300.0) == (9999, 300.0)
    assert item(1500, 1.5) == (1000, 1.5)
    assert item(100, 300.0) == (100, 1)
    assert item(1000, 1.0) == (1000, 1)
    assert item(1000, 0) == (1000, 1)
