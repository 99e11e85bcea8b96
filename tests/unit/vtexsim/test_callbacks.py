from __future__ import annotations

import pytest

from connector.domain.http import Response, json_response
from connector.sandbox.vtexsim import WrongStatusError
from tests.unit.vtexsim.support import accept, freight, new_order

TWO = {
    "items": [{"id": "1001", "price": 10_000, "quantity": 2}],
    "marketplacePaymentValue": 20_000 + freight(2),
    "shippingData": {
        "logisticsInfo": [{"price": freight(2), "selectedSla": "Normal", "lockTTL": "10d"}],
        "selectedAddresses": [{"postalCode": "12345-000", "country": "BRA"}],
    },
}


async def test_an_invoice_is_called_back_and_ends_the_order(sim, ready, hub, clock):
    order_id = await ready()
    sim.invoice_order(order_id)
    assert sim.orders[order_id].status == "invoice"
    await clock.settle()
    (body,) = hub.bodies("/invoice")
    assert hub.paths("/invoice") == ["/pvt/orders/MP-1/invoice"]
    assert (body["type"], body["invoiceValue"], body["trackingNumber"]) == ("Output", 11_290, "")
    assert body["items"] == [{"id": "1001", "quantity": 1, "price": 10_000}]
    assert sim.orders[order_id].status == "invoiced"
    assert sim.truth(2)["1001"].stock == 9
    assert sim.catalog.skus[1001].total == 9


async def test_tracking_in_the_same_call_or_a_second_or_by_number(sim, ready, hub, clock):
    sim.invoice_order(await ready("A"), tracking="same")
    await clock.settle()
    assert hub.bodies("/orders/A/")[-1]["trackingNumber"]
    sim.invoice_order(await ready("B"), tracking="second")
    await clock.settle()
    first, second = hub.bodies("/orders/B/invoice")
    assert first["invoiceNumber"] == second["invoiceNumber"]
    assert not first["trackingNumber"]
    assert second["trackingNumber"]
    sim.invoice_order(await ready("C"), tracking="by-number", number="NF 1/2 ")
    await clock.settle()
    assert hub.paths("/orders/C/")[-1] == "/pvt/orders/C/invoice/NF%201%2F2%20"
    assert hub.bodies("/orders/C/")[-1]["courier"]


async def test_delivery_is_told_by_tracking_events(sim, ready, hub, clock):
    order_id = await ready()
    invoice = sim.invoice_order(order_id, tracking="same")
    await clock.settle()
    sim.send_tracking_event(order_id, invoice.number, "Saiu", delivered=False)
    sim.send_tracking_event(order_id, invoice.number)
    await clock.settle()
    bodies = hub.bodies("/tracking")
    assert [body["isDelivered"] for body in bodies] == [False, True]
    assert len(bodies[-1]["events"]) == 2
    assert sim.orders[order_id].deliveries == [invoice]


async def test_partial_invoices_add_up_and_forbid_cancelling(sim, ready, hub, clock):
    order_id = await ready(**TWO)
    first = sim.invoice_order(order_id, quantities={"1001": 1})
    await clock.settle()
    order = sim.orders[order_id]
    assert (first.value, order.status) == (10_000, "handling")
    with pytest.raises(WrongStatusError):
        sim.cancel_order(order_id)
    second = sim.invoice_order(order_id)
    await clock.settle()
    assert (second.value, order.status) == (10_000 + freight(2), "invoiced")
    assert sum(body["invoiceValue"] for body in hub.bodies("/invoice")) == order.value
    with pytest.raises(WrongStatusError):
        sim.invoice_order(order_id)


async def test_callbacks_go_on_until_a_receipt_comes(sim, ready, hub, clock):
    order_id = await ready()
    answers = [
        None,
        Response(502, body=b"<html>"),
        json_response({"receipt": "r"}, 202),
        Response(200),
        json_response({"orderId": "x", "receipt": None}),
        json_response({"orderId": "x", "receipt": "r-9"}),
    ]
    hub.answer = lambda request: answers.pop(0) if "/cancel" in request.url else accept(request)
    sim.cancel_order(order_id)
    await clock.advance(5 + 10 + 20 + 40)
    assert sim.orders[order_id].status == "cancel"
    assert len(sim.open_callbacks) == 1
    await clock.advance(80)
    order = sim.orders[order_id]
    assert (order.status, order.callbacks[-1].attempts) == ("canceled", 6)
    assert order.callbacks[-1].receipt == "r-9"
    assert sim.truth(2)["1001"].stock == 10
    kinds = [row.kind for row in sim.ledger if row.kind.startswith("callback.")]
    assert kinds == ["callback.refused"] * 5 + ["callback.accepted"]


async def test_the_wait_between_tries_is_capped_and_ends(sim, ready, hub, clock):
    order_id = await ready()
    hub.answer = lambda request: None
    sim.settings.callback_retries, sim.settings.callback_retry_cap_s = 10, 20.0
    sim.cancel_order(order_id)
    await clock.advance(5 + 10 + 20 * 3 + 1)
    assert sim.orders[order_id].callbacks[-1].attempts == 6
    await clock.advance(1000)
    order = sim.orders[order_id]
    assert (order.callbacks[-1].attempts, order.in_error, order.status) == (11, True, "cancel")


async def test_duplicates_and_flips(sim, ready, hub, clock):
    sim.settings.callback_duplicate = 1.0
    order_id = await ready()
    sim.cancel_order(order_id)
    await clock.settle()
    assert len(hub.paths("/cancel")) == 2
    sim.flip_status(order_id)
    assert sim.orders[order_id].status == "cancel"
    await clock.settle()
    assert (len(hub.paths("/cancel")), sim.orders[order_id].status) == (4, "canceled")
    assert sim.truth(2)["1001"].stock == 10


async def test_cancel_may_come_without_a_body(sim, ready, hub, clock):
    sim.settings.cancel_empty_body = 1.0
    sim.cancel_order(await ready())
    await clock.settle()
    assert next(call for call in hub.calls if "/cancel" in call.url).body == b""


async def test_paths_and_numbers_vary_when_left_to_the_dice(sim, ready, hub, clock):
    sim.settings.callback_visibility = "mixed"
    sim.settings.odd_invoice_numbers = sim.settings.embedded_invoices = 1.0
    for number in range(6):
        sim.invoice_order(await ready(f"M-{number}"))
    await clock.settle()
    assert {path.split("/")[1] for path in hub.paths("/invoice")} == {"pub", "pvt"}
    bodies = hub.bodies("/invoice")
    assert any("/" in body["invoiceNumber"] or " " in body["invoiceNumber"] for body in bodies)
    assert all(body["embeddedInvoice"].startswith("<?xml") for body in bodies)


async def test_a_stuck_order_does_not_move(sim, ready, clock):
    order_id = await ready()
    sim.stick(order_id)
    sim.cancel_order(order_id)
    await clock.settle()
    assert sim.orders[order_id].status == "cancel"
    sim.stick(order_id, stuck=False)
    assert sim.orders[order_id].status == "canceled"


async def test_an_order_let_go_does_what_it_missed(sim, api, hub, clock):
    body = new_order(status="approved")
    await api("POST", "/api/order-integration/orders", body, affiliateId="XPT")
    await clock.advance(3.5)
    order = sim.orders["XPT-MP-1"]
    sim.stick("XPT-MP-1")
    await clock.advance(5000)
    assert order.status == "window-to-cancel"
    sim.stick("XPT-MP-1", stuck=False)
    assert order.status == "ready-for-handling"
    sim.stick("XPT-MP-1")
    sim.invoice_order("XPT-MP-1")
    await clock.settle()
    assert order.status == "invoice"
    sim.stick("XPT-MP-1", stuck=False)
    assert order.status == "invoiced"


async def test_a_cancellation_flips_by_itself_once(sim, ready, hub, clock):
    sim.settings.cancel_flip = 1.0
    order_id = await ready()
    sim.cancel_order(order_id)
    await clock.settle()
    statuses = [status for _, status in sim.orders[order_id].history]
    assert statuses[-4:] == ["cancel", "canceled", "cancel", "canceled"]
    assert sim.truth(2)["1001"].stock == 10


async def test_a_return_invoice_comes_after_the_sale(sim, ready, hub, clock):
    order_id = await ready()
    with pytest.raises(WrongStatusError):
        sim.return_order(order_id)
    sim.invoice_order(order_id)
    await clock.settle()
    sim.return_order(order_id)
    await clock.settle()
    assert [body["type"] for body in hub.bodies("/invoice")] == ["Output", "Input"]
    assert sim.orders[order_id].invoiced_value("Input") == 11_290


async def test_a_change_of_the_order_is_told(sim, ready, hub, clock):
    order_id = await ready()
    sim.change_order(order_id, discount=500, removed={"1001": 1})
    await clock.settle()
    (body,) = hub.bodies("/orders/MP-1/changes")
    assert (body["discountValue"], body["itemsRemoved"][0]["id"]) == (500, "1001")
    assert sim.orders[order_id].callbacks[-1].accepted_at
