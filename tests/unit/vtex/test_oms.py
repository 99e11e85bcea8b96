from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.http import Response, json_response
from connector.domain.marketorder import Invoice, Tracking
from connector.vtex.errors import Denied, Refused, Unwell
from connector.vtex.oms import (
    InvoiceItem,
    cancel,
    list_orders,
    parse_order,
    read_order,
    send_delivered,
    send_return_invoice,
    send_tracking,
    vtex_order_id,
)

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
PATH = "/api/oms/pvt/orders/XPT-MP-778899"
RECEIPT = {"date": "2026-08-20T13:00:00Z", "orderId": "XPT-MP-778899", "receipt": "r"}


def package(**changes):
    return {
        "items": [{"itemIndex": 0, "quantity": 1, "price": 19990, "unitMultiplier": 1.0}],
        "courier": None,
        "invoiceNumber": "NFe 1/2",
        "invoiceValue": 21490,
        "invoiceUrl": None,
        "issuanceDate": "2026-08-21T00:00:00.0000000+00:00",
        "trackingNumber": None,
        "invoiceKey": "K" * 44,
        "trackingUrl": None,
        "embeddedInvoice": None,
        "type": "Output",
        "courierStatus": None,
        **changes,
    }


def parsed(body, *packages, **changes):
    body = {**body, **changes, "packageAttachment": {"packages": list(packages)}}
    return parse_order(body, NOW, currency="BRL")


async def test_an_order_is_read(vtex, session, order_body, now):
    vtex.on("GET", PATH, order_body)
    order = await read_order(session, "XPT-MP-778899", now)
    view = order.view
    assert (view.order_id, view.status, view.value_minor) == (
        "XPT-MP-778899", "ready-for-handling", 21490,
    )  # fmt: skip
    assert view.can_cancel
    assert not view.cancelled
    assert not view.invoiced
    assert view.last_change == datetime(2026, 8, 20, 12, 31, tzinfo=UTC)
    assert view.read_at == now
    assert (order.ref, order.affiliate) == ("MP-778899", "XPT")
    assert order.parcels == ()
    assert order.items == (InvoiceItem("1001", 1, 19990),)


async def test_no_order_is_none_and_trouble_is_not(vtex, session, now):
    vtex.on("GET", PATH, json_response({"error": {"code": "1", "message": "x"}}, 404))
    assert await read_order(session, "XPT-MP-778899", now) is None
    troubles = (
        (Response(500), Unwell),
        (Response(403), Denied),
        (Response(200), Unwell),
        (json_response({"x": 1}), Unwell),
    )
    for response, error in troubles:
        vtex.on("GET", PATH, response)
        with pytest.raises(error):
            await read_order(session, "XPT-MP-778899", now)


def test_order_ids():
    assert vtex_order_id("XPT", "MP-1") == "XPT-MP-1"


@pytest.mark.parametrize(
    ("status", "can_cancel", "cancelled", "cancelling"),
    [
        ("waiting-ffmt-authorization", True, False, False),
        ("window-to-cancel", True, False, False),
        ("handling", True, False, False),
        ("cancel", False, False, True),
        ("canceled", False, True, True),
        ("invoice", False, False, False),
        ("invoiced", False, False, False),
        ("cancellation-requested", True, False, False),
        ("something-new", True, False, False),
        (None, False, False, False),
    ],
)
def test_what_a_status_allows(order_body, status, can_cancel, cancelled, cancelling):
    order = parsed(order_body, status=status)
    assert (order.view.can_cancel, order.view.cancelled, order.cancelling) == (
        can_cancel, cancelled, cancelling,
    )  # fmt: skip


def test_vtex_may_forbid_to_cancel(order_body):
    assert not parsed(order_body, allowCancellation=False).view.can_cancel
    assert parsed(order_body, allowCancellation=None).view.can_cancel


def test_waiting_orders(order_body):
    assert parsed(order_body, status="waiting-for-manual-authorization").needs_manual_authorization
    assert parsed(order_body, status="waiting-ffmt-authorization").waits_for_payment


def test_a_parcel_with_invoice_tracking_and_delivery(order_body):
    order = parsed(
        order_body,
        package(
            courier="Rapid", trackingNumber="BR1", trackingUrl="https://t/BR1",
            embeddedInvoice="<nfe/>", invoiceUrl="https://i/1",
            courierStatus={"status": "x", "finished": True, "deliveredDate": "2026-08-25T10:00:00Z",
                           "data": []},
        ),
    )  # fmt: skip
    (parcel,) = order.parcels
    assert parcel.invoice == Invoice(
        number="NFe 1/2", value_minor=21490, currency="BRL", key="K" * 44, url="https://i/1",
        issued_at=datetime(2026, 8, 21, tzinfo=UTC), items=(("1001", 1),),
    )  # fmt: skip
    assert parcel.tracking == Tracking(
        invoice_number="NFe 1/2", courier="Rapid", number="BR1", url="https://t/BR1"
    )
    assert parcel.delivered_at == datetime(2026, 8, 25, 10, tzinfo=UTC)
    assert parcel.has_xml
    assert order.xmls == {"NFe 1/2": "<nfe/>"}
    assert "<nfe/>" not in repr(order)


def test_delivery_may_only_be_told_by_its_last_event(order_body):
    events = [{"lastChange": "2026-08-24T10:00:00Z"}, {"lastChange": "2026-08-25T11:00:00Z"}, None]
    done = package(courierStatus={"finished": True, "deliveredDate": None, "data": events})
    assert parsed(order_body, done).parcels[0].delivered_at == datetime(2026, 8, 25, 11, tzinfo=UTC)
    under_way = package(courierStatus={"finished": False, "data": events})
    assert parsed(order_body, under_way).parcels[0].delivered_at is None


def test_partial_invoices_and_returns_are_counted_apart(order_body):
    order = parsed(
        order_body,
        package(invoiceNumber="1", invoiceValue=10000),
        package(invoiceNumber="1-R1", invoiceValue="4000", type="Input"),
    )
    view = order.view
    assert (view.invoiced_minor, view.returned_minor, view.return_numbers) == (
        10000,
        4000,
        ("1-R1",),
    )
    assert not view.invoiced
    assert not view.can_cancel
    assert [parcel.returned for parcel in order.parcels] == [False, True]


def test_wholly_invoiced_by_value_or_by_status(order_body):
    both = (
        package(invoiceNumber="1", invoiceValue=10000),
        package(invoiceNumber="2", invoiceValue=11490),
    )
    assert parsed(order_body, *both, status="invoice").view.invoiced
    assert parsed(order_body, status="invoiced").view.invoiced
    assert not parsed(order_body, value=0).view.invoiced
    # A return does not count as a sale (KI 930491).
    assert not parsed(order_body, package(type="input")).view.invoiced


def test_the_same_invoice_again_replaces_the_first(order_body):
    order = parsed(order_body, package(), package(trackingNumber="BR1", courier="R"))
    assert len(order.parcels) == 1
    assert order.parcels[0].tracking.number == "BR1"
    assert order.view.invoiced_minor == 21490


def test_package_items_are_found_by_index(order_body):
    items = [{"id": "7", "quantity": 2, "price": 10}, {"id": "8", "quantity": 1, "price": 20}]
    order = parsed(
        order_body,
        package(items=[{"itemIndex": 1, "quantity": 1, "price": 20},
                       {"itemIndex": 0, "quantity": 2, "price": 10},
                       {"itemIndex": 9, "quantity": 2, "price": 10}]),
        items=items,
    )  # fmt: skip
    assert order.parcels[0].invoice.items == (("8", 1), ("7", 2))


def test_a_package_without_number_is_left_out(order_body):
    assert parsed(order_body, package(invoiceNumber=None), package(invoiceValue="x")).parcels == ()


def test_why_it_was_cancelled(order_body):
    assert parsed(order_body, cancelReason="no stock").cancel_reason == "no stock"
    told = {"RequestedBySellerNotification": True, "Reason": "late", "CancellationDate": "x"}
    assert parsed(order_body, cancellationData=told).cancel_reason == "late"
    assert not parsed(order_body).cancel_reason


def test_the_store_tells_its_currency(order_body):
    assert parsed(order_body, storePreferencesData={"currencyCode": "CLP"}).currency == "CLP"
    assert parsed(order_body).currency == "BRL"


WEIRD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["status", "value", "items", "packageAttachment", "shippingData",
                         "allowCancellation", "lastChange", "cancellationData", "creationDate"]),
        WEIRD,
    ),
    st.dictionaries(
        st.sampled_from(["items", "invoiceNumber", "invoiceValue", "courierStatus", "type",
                         "trackingNumber", "issuanceDate", "embeddedInvoice"]),
        WEIRD,
    ),
)  # fmt: skip
def test_no_value_of_any_field_breaks_the_reader(body, odd_package):
    body.setdefault("packageAttachment", {"packages": [odd_package, package(**odd_package)]})
    order = parse_order({"orderId": "X-1", **body}, NOW)
    assert order.view.order_id == "X-1"
    assert order.view.invoiced_minor >= 0


# --- writing ------------------------------------------------------------------------------------


async def test_cancelling(vtex, session):
    vtex.on("POST", PATH + "/cancel", RECEIPT)
    assert await cancel(session, "XPT-MP-778899", "buyer regrets") is None
    assert vtex.sent == {"reason": "buyer regrets"}
    told = {"error": {"code": "CHK0202", "message": "x", "exception": None}}
    vtex.on("POST", PATH + "/cancel", told, 400)
    with pytest.raises(Refused) as caught:
        await cancel(session, "XPT-MP-778899", "again")
    assert caught.value.codes == ("CHK0202",)


async def test_a_return_invoice(vtex, session):
    vtex.on("POST", PATH + "/invoice", RECEIPT)
    await send_return_invoice(
        session, "XPT-MP-778899", "1-R1", [InvoiceItem("1001", 1, 19990)],
        value_minor=21490, issued_at=NOW,
    )  # fmt: skip
    assert vtex.sent == {
        "type": "Input",
        "issuanceDate": "2026-09-01T12:00:00.0000000Z",
        "invoiceNumber": "1-R1",
        "invoiceValue": "21490",
        "invoiceKey": None,
        "invoiceUrl": None,
        "embeddedInvoice": None,
        "courier": "",
        "trackingNumber": None,
        "trackingUrl": None,
        "dispatchedDate": None,
        "items": [{"id": "1001", "price": 19990, "quantity": 1, "description": ""}],
    }


async def test_tracking_of_the_marketplace(vtex, session):
    vtex.on("PATCH", "/invoice/NFe%201%2F2", RECEIPT)
    await send_tracking(session, "XPT-MP-778899", "NFe 1/2", courier="Rapid", number="BR1")
    assert vtex.sent == {
        "courier": "Rapid", "trackingNumber": "BR1", "trackingUrl": None, "dispatchedDate": None
    }  # fmt: skip
    vtex.on("PUT", "/invoice/NFe%201%2F2/tracking", RECEIPT)
    await send_delivered(session, "XPT-MP-778899", "NFe 1/2", delivered_at=NOW, city="Rio")
    assert vtex.sent == {
        "isDelivered": True,
        "deliveredDate": "2026-09-01 12:00",
        "events": [{"city": "Rio", "state": "", "description": "Delivered", "date": "2026-09-01"}],
    }


async def test_listing_for_reconciliation(vtex, session):
    vtex.on("GET", "/api/oms/pvt/orders", {
        "list": [
            {"orderId": "XPT-1", "marketPlaceOrderId": "1", "status": "Handling",
             "totalValue": 100, "creationDate": "2026-08-20T12:00:00.0000000+00:00"},
            {"orderId": None},
        ],
        "paging": {"total": 120, "pages": 2, "currentPage": 1, "perPage": 100},
    })  # fmt: skip
    found = await list_orders(session, NOW - timedelta(days=1), NOW)
    assert [(each.order_id, each.ref, each.status, each.total_minor) for each in found.orders] == [
        ("XPT-1", "1", "handling", 100)
    ]
    assert not found.is_last
    assert vtex.last.query == {
        "f_affiliateId": "XPT",
        "f_creationDate": "creationDate:[2026-08-31T12:00:00.000Z TO 2026-09-01T12:00:00.000Z]",
        "orderBy": "creationDate,desc",
        "page": "1",
        "per_page": "100",
    }
    last = await list_orders(session, NOW, NOW, page=2, status="handling")
    assert last.is_last
    assert vtex.last.query["f_status"] == "handling"
    vtex.on("GET", "/api/oms/pvt/orders", [])
    with pytest.raises(Unwell):
        await list_orders(session, NOW, NOW)
