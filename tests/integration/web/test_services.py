"""Callbacks of VTEX's order management over HTTP: every path, idempotent, tolerant."""

from __future__ import annotations

import json

import pytest

from connector.domain.connection import Purpose
from connector.domain.order_facts import FactKind
from connector.domain.pending import Context
from tests.integration.web.support import call

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
TRACKING = {"courier": "correios", "trackingNumber": "123", "trackingUrl": "https://t.example/1"}
DELIVERED = {"isDelivered": True, "deliveredDate": "2022-10-01 21:15", "events": []}
CHANGE = {"reason": "one less", "discountValue": 100, "itemsRemoved": [{"id": "1", "quantity": 1}]}


async def facts(it, ref="MP-1"):
    return await it.hub.store.facts(it.one.id, ref)


def path(it, rest, visibility="pvt"):
    return it.vtex(Purpose.SERVICES, f"{visibility}/orders/{rest}")


@pytest.mark.parametrize("visibility", ["pub", "pvt"])
@pytest.mark.parametrize(
    "case",
    [
        ("POST", "MP-1/invoice", INVOICE, FactKind.INVOICE),
        ("POST", "MP-1/invoice/", INVOICE, FactKind.INVOICE),
        ("POST", "MP-1/invoice", {**INVOICE, **TRACKING}, FactKind.INVOICE),
        ("POST", "MP-1/invoice", {**INVOICE, "type": "input"}, FactKind.INVOICE),
        ("POST", "MP-1/invoice/NFe-00001", TRACKING, FactKind.TRACKING),
        ("PUT", "MP-1/invoice/NFe-00001", TRACKING, FactKind.TRACKING),
        ("PATCH", "MP-1/invoice/NFe-00001", TRACKING, FactKind.TRACKING),
        ("POST", "MP-1/invoice/NFe-00001", INVOICE, FactKind.INVOICE),
        ("POST", "MP-1/invoice/NFe-00001/tracking", DELIVERED, FactKind.DELIVERED),
        ("PUT", "MP-1/invoice/NFe-00001/tracking/", DELIVERED, FactKind.DELIVERED),
        ("POST", "MP-1/changes", CHANGE, FactKind.CHANGE),
        ("PATCH", "MP-1/changes", CHANGE, FactKind.CHANGE),
        ("POST", "/XPT-MP-1//invoice", INVOICE, FactKind.INVOICE),
    ],
)
async def test_every_callback_is_a_fact_and_gets_a_receipt(it, public, visibility, case):
    method, rest, body, kind = case
    where = path(it, rest, visibility)
    status, told, _ = await call(public, method, where, body)
    assert status == 200
    assert told["orderId"] == "XPT-MP-1"
    assert told["receipt"]
    assert told["date"].endswith("Z")
    again, told_again, _ = await call(public, method, where, body)
    assert (again, told_again["receipt"]) == (200, told["receipt"])
    found = await facts(it)
    assert [fact.kind for fact in found] == [kind]
    marks = await it.hub.store.pending(it.one.id, Context.ORDERS, parked=False)
    assert [row.key for row in marks] == ["MP-1"]


@pytest.mark.parametrize(
    ("encoded", "number"),
    [
        ("NF%2F123", "NF/123"),
        ("NF%20123%2F4", "NF 123/4"),
        ("NF/123", "NF/123"),
        ("N%C2%BA%201", "Nº 1"),
        ("N%BA%201", "Nº 1"),
        ("100%25", "100%"),
        ("a+b", "a+b"),
        ("%3Fx%23y", "?x#y"),
    ],
)
async def test_invoice_numbers_may_have_any_characters(it, public, encoded, number):
    status, *_ = await call(public, "POST", path(it, f"MP-1/invoice/{encoded}"), TRACKING)
    assert status == 200
    tracking = json.loads((await facts(it))[0].body)["tracking"]
    assert tracking["invoice_number"] == number
    status, *_ = await call(public, "PUT", path(it, f"MP-1/invoice/{encoded}/tracking"), DELIVERED)
    assert status == 200
    assert json.loads((await facts(it))[1].body)["invoice_number"] == number


@pytest.mark.parametrize("rest", ["MP-1/invoice/%00", "MP-1/invoice/a%0Ab", "MP-1/invoice/%20"])
async def test_unusable_invoice_numbers_get_400(it, public, rest):
    status, *_ = await call(public, "POST", path(it, rest), TRACKING)
    assert status == 400
    assert await facts(it) == []


@pytest.mark.parametrize("ref", ["%00", "a%20b", "%2E%2E%2Fx", "x" * 200, "MP%2F1"])
async def test_an_id_we_never_gave_out_gets_400(it, public, ref):
    status, body, _ = await call(public, "POST", path(it, f"{ref}/invoice"), INVOICE)
    assert status == 400
    assert ref not in json.dumps(body)


@pytest.mark.parametrize(
    "rest",
    [
        "MP-1/invoice",
        "MP-1/invoice/1",
        "MP-1/invoice/1/tracking",
        "MP-1/cancel",
        "MP-1/changes",
        "MP-1/changes/7/send-agreement",
    ],
)
async def test_looking_at_a_callback_changes_nothing(it, public, rest):
    for method in ("GET", "HEAD", "DELETE"):
        status, _, headers = await call(public, method, path(it, rest))
        assert status == 405
        assert "POST" in headers["Allow"]
    assert await facts(it) == []


@pytest.mark.parametrize("body", [{"reason": "no stock"}, b"", b"null"])
async def test_a_cancellation_that_vtex_confirms_gets_a_receipt_again_and_again(it, public, body):
    it.answer("vtex", {"orderId": "XPT-MP-1", "status": "cancel", "marketplaceOrderId": "MP-1"})
    first = await call(public, "POST", path(it, "MP-1/cancel"), body)
    second = await call(public, "POST", path(it, "MP-1/cancel"), body)
    assert first[0] == second[0] == 200
    assert first[1]["receipt"] == second[1]["receipt"]
    assert [fact.kind for fact in await facts(it)] == [FactKind.CANCEL]


async def test_a_forged_cancellation_is_refused_in_vtexs_own_shape(it, public):
    order = {"orderId": "XPT-MP-1", "status": "handling", "marketplaceOrderId": "MP-1"}
    it.answer("vtex", order)
    status, body, _ = await call(public, "POST", path(it, "MP-1/cancel"), {"reason": "x"})
    assert status == 409
    assert body["error"].keys() == {"code", "message", "exception"}
    assert await facts(it) == []


async def test_a_cancellation_that_cannot_be_checked_is_asked_for_again(it, public):
    it.answer("vtex", {}, 503)
    status, _, headers = await call(public, "POST", path(it, "MP-1/cancel"), {})
    assert status == 503
    assert int(headers["Retry-After"]) > 0


async def test_a_connection_that_cannot_be_used_says_come_again(it, public, monkeypatch):
    def broken(*_):
        raise LookupError("adapter demo is broken")

    monkeypatch.setattr(it.hub.peers, "of", broken)
    for where in (
        path(it, "MP-1/cancel"),
        f"/marketplace/v1/{it.one.id}/{it.secret(Purpose.WEBHOOK)}",
    ):
        status, body, headers = await call(public, "POST", where, {})
        assert (status, "Retry-After" in headers) == (503, True)
        assert "demo" not in json.dumps(body)


async def test_an_agreement_is_acknowledged_and_put_before_a_person(it, public):
    where = path(it, "MP-1/changes/req%2D7/send-agreement?accountName=simstore")
    status, told, _ = await call(public, "POST", where, {"agreementType": "Acknowledgment"})
    assert status == 200
    assert told["changeRequestId"] == "req-7"
    assert told["agreementType"] == "Acknowledgment"
    assert [fact.kind for fact in await facts(it)] == [FactKind.CHANGE]


RESULT = {
    "accountName": "simstore",
    "success": True,
    "flow": "PlaceOrder",
    "operationId": "op-1",
    "marketplaceOrderId": "MP-1",
    "code": "SOI001",
    "message": "ok",
    "errors": None,
    "fields": {"mainOrderId": "XPT-MP-1", "franchiseOrderId": None},
}
RESULTS = "order-integration/notification/processing-result?an=simstore"


async def test_a_processing_result_is_a_fact_once(it, public):
    where = it.vtex(Purpose.SERVICES, RESULTS)
    for _ in range(2):
        status, *_ = await call(public, "POST", where, RESULT)
        assert status == 200
    assert [fact.kind for fact in await facts(it)] == [FactKind.RESULT]
    status, *_ = await call(public, "GET", where)
    assert status == 405


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"accountName": "otherstore"}, 404),
        ({"accountName": None}, 200),
        ({"marketplaceOrderId": None}, 400),
        ({"code": None}, 400),
    ],
)
async def test_results_that_are_not_ours_are_refused(it, public, change, expected):
    status, *_ = await call(public, "POST", it.vtex(Purpose.SERVICES, RESULTS), RESULT | change)
    assert status == expected


async def test_nothing_is_acknowledged_that_cannot_be_saved(it, public):
    it.store.full = True
    it.answer("vtex", {"orderId": "XPT-MP-1", "status": "cancel"})
    calls = {
        "MP-1/invoice": INVOICE,
        "MP-1/invoice/1": TRACKING,
        "MP-1/invoice/1/tracking": DELIVERED,
        "MP-1/cancel": {},
        "MP-1/changes": CHANGE,
    }
    for rest, body in calls.items():
        status, told, headers = await call(public, "POST", path(it, rest), body)
        assert (status, "Retry-After" in headers) == (503, True)
        assert "receipt" not in told
    status, *_ = await call(public, "POST", it.vtex(Purpose.SERVICES, RESULTS), RESULT)
    assert status == 503
