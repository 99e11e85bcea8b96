"""Our request bodies against VTEX's own schemas, where somebody has them at hand."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.domain.marketorder import Address, Buyer, TrackingHint
from connector.vtex.affiliates import Affiliate, affiliate_body
from connector.vtex.oms import InvoiceItem, return_invoice_body
from connector.vtex.orders import PlaceLine, PlaceOrder, classic_body, integration_body
from connector.vtex.simulation import DeliveryId, SimItem, cart_body

FOLDER = os.environ.get("CONNECTOR_SPEC_DIR", "")
FILES = sorted(Path(FOLDER, "vtex", "openapi").glob("*.json")) if FOLDER else []
pytestmark = pytest.mark.skipif(
    not FILES, reason="set CONNECTOR_SPEC_DIR to a folder with vtex/openapi/*.json"
)

LINE = PlaceLine(
    sku="1001", quantity=1, price_minor=100, shipping_minor=5, sla="Normal", lock_ttl="10d",
    estimate="3bd", delivery_ids=(DeliveryId("w1", "d1"),),
)  # fmt: skip
ORDER = PlaceOrder(
    ref="MP-1",
    lines=(LINE,),
    buyer=Buyer(
        first_name="Ana", last_name="Souza", email="a@b.c", phone="11", document="52998224725"
    ),
    address=Address(
        receiver="Ana", street="Rua A", number="1", neighborhood="C", city="SP", state="SP",
        country="BRA", postal_code="12345-000", longitude=-46.6, latitude=-23.5,
    ),
    total_minor=107,
    endpoint="https://hub.example/vtex/v1/t1/s",
    taxes=(("1001", 2),),
    tracking_hints=(TrackingHint(tracking_id="1", courier="c", url="https://t", label="l"),),
    payment_methods=("creditCardPaymentGroup",),
)  # fmt: skip
CLASSIC_EXTRAS = {
    # Real integrations send these; the schema leaves them out (protocol 6.1).
    "$.marketplaceOrderGroup",
    "$.marketplacePaymentReferenceValue",
    "$.customData",
    "$.invoiceData",
    "$.savePersonalData",
    "$.clientProfileData.userProfileId",
    "$.shippingData.id",
    "$.shippingData.selectedAddresses",
    "$.shippingData.isFob",
    "$.shippingData.trackingHints",
    "$.shippingData.logisticsInfo[].selectedDeliveryChannel",
    "$.shippingData.logisticsInfo[].addressId",
    "$.shippingData.logisticsInfo[].deliveryIds",
}
CASES = [
    ("post", "/api/order-integration/orders", integration_body(ORDER), set()),
    ("post", "/api/fulfillment/pvt/orders", classic_body(ORDER)[0], CLASSIC_EXTRAS),
    (
        "post",
        "/api/checkout/pub/orderForms/simulation",
        cart_body([SimItem("1")], country="BRA", postal_code="12345-000", buyer=ORDER.buyer),
        set(),
    ),
    (
        "post",
        "/api/oms/pvt/orders/{orderId}/invoice",
        return_invoice_body("1-R", [InvoiceItem("1", 1, 5)], 5, datetime(2026, 1, 1, tzinfo=UTC)),
        set(),
    ),
    (
        "put",
        "/fulfillment/pvt/affiliates/{affiliateId}",
        affiliate_body(Affiliate(id="XPT", name="n", sales_channel="1")),
        {"$.id"},
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "extras"), CASES, ids=[c[1] for c in CASES])
def test_bodies_have_the_fields_of_the_schema(method, path, body, extras):
    schemas = list(request_schemas(method, path))
    assert schemas, f"no schema of {method} {path}"
    body = json.loads(json.dumps(body))
    # Two files may tell the same operation differently: one of them has to agree.
    found = [sorted(set(differences(document, schema, body, "$", extras)))
             for document, schema in schemas]  # fmt: skip
    assert min(found, key=len) == []


def request_schemas(method, path):
    for file in FILES:
        document = json.loads(file.read_text())
        operation = document.get("paths", {}).get(path, {}).get(method, {})
        for content in operation.get("requestBody", {}).get("content", {}).values():
            yield document, content["schema"]


def resolved(document, schema):
    while "$ref" in schema:
        node = document
        for key in schema["$ref"].lstrip("#/").split("/"):
            node = node[key]
        schema = node
    return schema


def differences(document, schema, value, where, extras):
    """Names the schema does not know or misses, as "unknown $.x" and "missing $.x"."""
    schema = resolved(document, schema)
    if schema.get("type") == "array" and isinstance(value, list):
        for each in value:
            yield from differences(document, schema["items"], each, f"{where}[]", extras)
        return
    known = schema.get("properties")
    if not isinstance(value, dict) or not known:
        return
    for name in schema.get("required") or ():
        # One schema requires names of another object: only its own are meant.
        if name in known and name not in value:
            yield f"missing {where}.{name}"
    for name, each in value.items():
        path = f"{where}.{name}"
        if name in known:
            yield from differences(document, known[name], each, path, extras)
        elif path not in extras:
            yield f"unknown {path}"
