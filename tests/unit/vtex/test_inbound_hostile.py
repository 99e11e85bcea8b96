import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.vtex.inbound import (
    BadBody,
    parse_cancel,
    parse_change,
    parse_delivery,
    parse_invoice,
    parse_notifications,
    parse_store_config,
    parse_tracking,
)


def bytes_of(value):
    return json.dumps(value).encode()


WEIRD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
OBJECT = st.dictionaries(
    st.sampled_from([
        "IdSku", "idSKU", "An", "IdAffiliate", "DateModified", "IsActive", "StockModified",
        "ProductId", "invoiceNumber", "invoiceValue", "items", "type", "trackingNumber", "events",
        "isDelivered", "deliveredDate", "reason", "itemsAdded", "accountName", "salesChannel",
        "issuanceDate", "embeddedInvoice",
    ]),
    st.sampled_from(["1", 1, True, "2021-03-16"]) | WEIRD,
)  # fmt: skip
BODIES = (
    st.binary(max_size=200)
    | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | (OBJECT | st.lists(OBJECT, max_size=3) | WEIRD).map(bytes_of)
    | OBJECT.map(lambda value: json.dumps(value).encode("utf-16"))
)
PARSERS = [
    parse_notifications,
    parse_store_config,
    lambda body: parse_invoice(body, "BRL"),
    lambda body: parse_invoice(body, "BRL", "1"),
    lambda body: parse_tracking(body, "1"),
    parse_delivery,
    parse_cancel,
    parse_change,
]


@pytest.mark.parametrize("parser", PARSERS)
@given(body=BODIES)
def test_nothing_but_bad_body_ever_comes_out(parser, body):
    try:
        found = parser(body)
    except BadBody as error:
        found = str(error)
    # Whatever was understood can be written down.
    assert repr(found).encode()


@given(st.integers(0, 10**12), st.sampled_from([int, str, float]))
def test_invoice_values_are_exact(cents, kind):
    body = bytes_of({"invoiceNumber": "1", "invoiceValue": kind(cents)})
    assert parse_invoice(body, "BRL").invoice.value_minor == cents


@given(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True),
    st.sampled_from(["IdSku", "idSKU", "idSku", "IdSKU", "IDSKU"]),
    *[st.sampled_from([None, True, False])] * 3,
)
def test_notifications_round_trip(sku, key, active, stock, price):
    body = {key: sku, "IsActive": active, "StockModified": stock, "PriceModified": price}
    (found,) = parse_notifications(bytes_of(body))
    assert (found.sku, found.active, found.stock, found.price) == (sku, active, stock, price)
