import json
import time
from datetime import UTC, datetime

import pytest

from connector.domain.marketorder import Invoice, Tracking
from connector.vtex.inbound import (
    BadBody,
    ChangedItem,
    Notification,
    parse_cancel,
    parse_change,
    parse_delivery,
    parse_invoice,
    parse_notifications,
    parse_store_config,
    parse_tracking,
)

CANONICAL = (
    b'{"IdSku":"15","An":"accountname","IdAffiliate":"SPT",'
    b'"DateModified":"2018-08-20T15:11:28.1978783Z","IsActive":false,"StockModified":false,'
    b'"PriceModified":false,"HasStockKeepingUnitModified":true,'
    b'"HasStockKeepingUnitRemovedFromAffiliate":false}'
)


def bytes_of(value):
    return json.dumps(value).encode()


# --- catalog notifications ----------------------------------------------------------------------


def test_the_common_notification():
    assert parse_notifications(CANONICAL) == [
        Notification(
            sku="15",
            account="accountname",
            affiliate="SPT",
            modified_at=datetime(2018, 8, 20, 15, 11, 28, 197878, UTC),
            active=False,
            stock=False,
            price=False,
            content=True,
            removed=False,
        )
    ]


def test_the_common_notification_is_read_quickly():
    def seconds():
        start = time.perf_counter()
        for _ in range(100):
            parse_notifications(CANONICAL)
        return (time.perf_counter() - start) / 100

    assert min(seconds() for _ in range(10)) < 50e-6  # 15 us on a calm machine


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"IdSku": "1634", "An": "sandbox", "IdAffiliate": "PRT", "StockModified": True,
          "PriceModified": True},
         Notification("1634", "sandbox", "PRT", stock=True, price=True)),
        ({"HasStockKeepingUnitModified": True, "IdSku": 123}, Notification("123", content=True)),
        ({"idSKU": "7", "an": "Acc", "idAffiliate": "spt", "stockModified": "true",
          "priceModified": "False", "isActive": 1},
         Notification("7", "acc", "SPT", active=True, stock=True, price=False)),
        ({"idSku": 7.0, "active": "0", "IdProduct": 9}, Notification("7", product_id="9",
                                                                     active=False)),
        ({"IDSKU": " 7 ", "productId": "9", "Version": 3, "SellerChain": "cea/rihappy"},
         Notification("7", product_id="9")),
        ({"IdSku": "7", "An": "prezunic.myvtex", "ProductId": 9, "Version": "1"},
         Notification("7", "prezunic", product_id="9")),
        ({"IdSku": "7", "ProductId": None, "IsActive": None, "StockModified": "perhaps"},
         Notification("7")),
        ({"IdSku": "7", "isactive": True, "active": False}, Notification("7", active=True)),
        ({"IdSku": "7", "DateModified": "never"}, Notification("7")),
    ],
)  # fmt: skip
def test_every_spelling(body, expected):
    assert parse_notifications(bytes_of(body)) == [expected]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, True),
        ({"stock": False, "price": False, "content": False, "removed": False}, True),
        ({"active": True}, True),
        ({"active": False}, False),
        ({"stock": True}, False),
        ({"price": True}, False),
        ({"content": True}, False),
        ({"removed": True}, False),
    ],
)
def test_a_reindex_says_nothing_in_particular(flags, expected):
    assert Notification("1", **flags).all_false is expected


def test_lists_of_notifications():
    found = parse_notifications(bytes_of([{"IdSku": 1}, {"nothing": 1}, 5, {"idsku": "2"}]))
    assert [each.sku for each in found] == ["1", "2"]


def test_a_byte_order_mark_is_no_obstacle():
    assert parse_notifications(b"\xef\xbb\xbf" + CANONICAL)[0].sku == "15"


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "empty"),
        (b"  ", "empty"),
        (b"{", "not JSON"),
        (b"<xml/>", "not JSON"),
        (b"null", "neither"),
        (b"5", "neither"),
        (b"[]", "neither"),
        (b"[1]", "neither"),
        (b"{}", "IdSku is missing"),
        (b'{"IdSku":null}', "IdSku is missing"),
        (b'{"IdSku":""}', "IdSku is missing"),
        (b'{"IdSku":true}', "IdSku is missing"),
        (b'{"IdSku":{"a":1}}', "IdSku is missing"),
        (b'{"IdSku":"../../etc"}', "no SKU id"),
        (b'{"IdSku":"1 2"}', "no SKU id"),
        (b'{"IdSku":-5}', "no SKU id"),
        (b'{"IdSku":"' + b"9" * 65 + b'"}', "no SKU id"),
        (b'[{"x":1},{"y":2}]', "IdSku is missing"),
        (b'{"IdSku":NaN}', "NaN"),
        (b'{"IdSku":"1","x":Infinity}', "Infinity"),
        (b'{"IdSku":"\\u0000"}', "NUL"),
        (b'{"IdSku":"1","An":"\\ud800"}', "half"),
        (b'{"IdSku":"1","An":"\xff"}', "UTF-8"),
        ('{"IdSku":"1"}'.encode("utf-16"), "UTF-8"),
        (b'{"IdSku":"1","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "deep"),
        (b'{"IdSku":' + b"9" * 5000 + b"}", "JSON"),
        (b"[" + b'{"IdSku":1},' * 10_001 + b'{"IdSku":1}]', "at once"),
        (b'{"IdSku":"1"}\x00', "JSON"),
    ],
)
def test_bad_notifications_are_told_apart(body, word):
    with pytest.raises(BadBody, match=word):
        parse_notifications(body)


def test_whole_characters_beyond_the_plane_are_fine():
    body = b'{"IdSku":"1","An":"\\ud83d\\ude00"}'
    assert parse_notifications(body)[0].account == "😀"


# --- store configuration ------------------------------------------------------------------------


def test_a_store_configuration():
    found = parse_store_config(bytes_of({
        "accountName": "simstore.myvtex", "active": "true", "affiliateId": "xpt",
        "salesChannel": "2", "email": "a@b.c", "cookie": "secret", "allowFranchiseAccounts": False,
        "marketplaceUser": "u",
    }))  # fmt: skip
    assert (found.account, found.active, found.affiliate, found.sales_channel) == (
        "simstore", True, "XPT", 2,
    )  # fmt: skip
    assert (found.email, found.cookie) == ("a@b.c", "secret")
    assert found.extra == {"marketplaceuser": "u"}
    assert "secret" not in repr(found)
    assert "a@b.c" not in repr(found)


# --- invoices -----------------------------------------------------------------------------------

INVOICE = {
    "type": "Output",
    "invoiceNumber": "NFe-00001",
    "courier": "",
    "trackingNumber": "",
    "trackingUrl": "",
    "items": [{"id": "345117", "quantity": 1, "price": 9003}],
    "issuanceDate": "2013-11-21T00:00:00",
    "invoiceValue": 9508,
    "invoiceKey": None,
    "invoiceUrl": None,
    "embeddedInvoice": None,
}


def invoice(path_number=None, **changes):
    return parse_invoice(bytes_of({**INVOICE, **changes}), "BRL", path_number)


def test_a_pure_invoice():
    found = invoice()
    assert found.invoice == Invoice(
        number="NFe-00001",
        value_minor=9508,
        currency="BRL",
        issued_at=datetime(2013, 11, 21, tzinfo=UTC),
        items=(("345117", 1),),
    )
    assert not found.returned
    assert found.tracking is None


def test_invoice_and_tracking_in_one_call():
    found = invoice(
        courier="Rapid", trackingNumber="BR1", trackingUrl="https://t", dispatchedDate="2021-06-09",
        invoiceKey="K", invoiceUrl="https://i", embeddedInvoice="<nfe>é</nfe>",
    )  # fmt: skip
    assert found.tracking == Tracking(
        invoice_number="NFe-00001", courier="Rapid", number="BR1", url="https://t",
        dispatched_at="2021-06-09",
    )  # fmt: skip
    assert (found.invoice.key, found.invoice.url, found.invoice.xml) == (
        "K", "https://i", "<nfe>é</nfe>",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["Input", "input", "INPUT"])
def test_returns(kind):
    assert invoice(type=kind).returned


@pytest.mark.parametrize(
    ("value", "minor"),
    [
        (9508, 9508),
        ("9508", 9508),
        (9508.0, 9508),
        ("9508.0", 9508),
        (None, 9003),
        ("", 9003),
        (0, 0),
    ],
)
def test_values_of_every_kind(value, minor):
    assert invoice(invoiceValue=value).invoice.value_minor == minor


@pytest.mark.parametrize("value", [-1, "95.08", 95.08, "free", True, [], {}, 10**30])
def test_values_that_are_no_cents(value):
    with pytest.raises(BadBody, match="invoiceValue"):
        invoice(invoiceValue=value)


def test_items_are_summed_by_sku():
    rows = [
        {"id": 7, "quantity": "2", "price": 10},
        {"id": "7", "quantity": 1, "price": 10},
        {"id": "8", "quantity": 1, "price": 0},
        {"id": "7", "quantity": 9, "price": 0},
        {"id": "9", "quantity": 0, "price": 5},
        {"quantity": 1},
        "odd",
    ]
    assert invoice(items=rows).invoice.items == (("7", 3), ("8", 1))
    assert invoice(items=None).invoice.items == ()


def test_numbers_keep_what_is_inside():
    assert invoice(invoiceNumber=" 12 / A ").invoice.number == "12 / A"
    assert invoice(invoiceNumber=12345).invoice.number == "12345"
    assert invoice("P-1", invoiceNumber=None).invoice.number == "P-1"
    assert invoice("P-1").invoice.number == "NFe-00001"
    for number in (None, "", "x" * 201):
        with pytest.raises(BadBody, match="invoiceNumber"):
            invoice(invoiceNumber=number)


def test_a_large_invoice_is_taken():
    xml = "<n>" + "á" * 3_000_000 + "</n>"
    body = json.dumps({**INVOICE, "embeddedInvoice": xml}, ensure_ascii=False).encode()
    assert parse_invoice(body, "BRL").invoice.xml == xml


def test_other_casing_and_the_carrier():
    body = {key[0].upper() + key[1:]: value for key, value in INVOICE.items()}
    body |= {"Carrier": "Old", "TrackingNumber": "1"}
    body.pop("Courier")
    assert parse_invoice(bytes_of(body), "BRL").tracking.courier == "Old"


def test_tracking_of_an_invoice():
    body = bytes_of({"courier": "c", "trackingNumber": "1", "trackingUrl": "u",
                     "dispatchedDate": "2021-06-09"})  # fmt: skip
    assert parse_tracking(body, " 12/A ") == Tracking(
        invoice_number="12/A", courier="c", number="1", url="u", dispatched_at="2021-06-09"
    )
    assert parse_tracking(b'{"courier":"c"}', "1") is None
    with pytest.raises(BadBody):
        parse_tracking(body, " ")


@pytest.mark.parametrize(
    ("body", "delivered", "at"),
    [
        ({"isDelivered": True, "deliveredDate": "2022-10-01 21:15"}, True,
         datetime(2022, 10, 1, 21, 15, tzinfo=UTC)),
        ({"isDelivered": "true", "deliveredDate": None}, True, None),
        ({"isDelivered": False}, False, None),
        ({}, False, None),
    ],
)  # fmt: skip
def test_deliveries(body, delivered, at):
    events = [{"city": "Rio", "state": "RJ", "description": "Done.", "date": "2021-03-16"}, 5]
    found = parse_delivery(bytes_of({**body, "events": events}))
    assert (found.is_delivered, found.at) == (delivered, at)
    (event,) = found.events
    assert (event.city, event.state, event.description) == ("Rio", "RJ", "Done.")
    assert event.at == datetime(2021, 3, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"reason":"Product is unavailable."}', "Product is unavailable."),
        (b'{"Reason":" x "}', "x"),
        (b"", ""),
        (b"null", ""),
        (b"{}", ""),
        (b"garbage", ""),
        (b"\xff\x00", ""),
        (b'{"reason":5}', "5"),
        (b'{"reason":"' + b"x" * 1000 + b'"}', "x" * 500),
    ],
)
def test_cancellations_are_never_refused(body, reason):
    assert parse_cancel(body) == reason


def test_changes():
    found = parse_change(bytes_of({
        "reason": "swap", "discountValue": 0, "incrementValue": "5",
        "itemsRemoved": [{"id": 7, "quantity": 1, "price": 10}],
        "itemsAdded": [{"sellerItemId": "8", "quantity": 1, "price": 12, "unitMultiplier": 1.0}],
        "requestId": "r-1",
    }))  # fmt: skip
    assert (found.reason, found.discount_minor, found.increment_minor) == ("swap", 0, 5)
    assert found.removed == (ChangedItem("7", 1, 10),)
    assert found.added == (ChangedItem("8", 1, 12),)
    assert found.request_id == "r-1"
