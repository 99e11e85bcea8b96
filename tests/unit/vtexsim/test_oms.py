from __future__ import annotations

from tests.unit.vtexsim.support import accept

OMS = "/api/oms/pvt/orders"


async def test_an_order_is_read_by_id_or_sequence(api, ready, sim):
    order_id = await ready()
    order = (await api("GET", f"{OMS}/{order_id}")).json()
    assert (order["status"], order["value"], order["affiliateId"]) == (
        "ready-for-handling",
        11_290,
        "XPT",
    )
    assert {total["id"]: total["value"] for total in order["totals"]} == {
        "Items": 10_000,
        "Discounts": 0,
        "Shipping": 1_290,
        "Tax": 0,
    }
    assert order["clientProfileData"]["email"].endswith("@ct.vtex.com.br")
    by_sequence = await api("GET", f"{OMS}/seq{order['sequence']}")
    assert by_sequence.json()["orderId"] == order_id
    assert (await api("GET", f"{OMS}/XPT-NONE")).status == 404


async def test_orders_are_listed_by_affiliate_newest_first(api, ready):
    for own_id in ("A", "B", "C"):
        await ready(own_id)
    answer = (await api("GET", OMS, f_affiliateId="XPT", per_page=2)).json()
    assert [row["marketPlaceOrderId"] for row in answer["list"]] == ["C", "B"]
    assert answer["paging"] == {"total": 3, "pages": 2, "currentPage": 1, "perPage": 2}
    assert (await api("GET", OMS, f_affiliateId="ABC")).json()["list"] == []


async def test_the_list_lags_and_knows_spans(api, ready, sim, clock):
    await ready()
    span = "creationDate:[2026-08-20T00:00:00.000Z TO 2026-08-21T00:00:00.000Z]"
    assert len((await api("GET", OMS, f_creationDate=span)).json()["list"]) == 1
    naive = "creationDate:[2026-08-20T00:00:00 TO 2026-08-21T00:00:00]"
    assert len((await api("GET", OMS, f_creationDate=naive)).json()["list"]) == 1
    past = span.replace("2026-08", "2026-07")
    assert (await api("GET", OMS, f_creationDate=past)).json()["list"] == []
    sim.settings.list_lag_s = 100_000.0
    assert (await api("GET", OMS)).json()["list"] == []


async def test_our_cancellation_is_confirmed_by_a_callback(api, ready, sim, hub, clock):
    order_id = await ready()
    answer = await api("POST", f"{OMS}/{order_id}/cancel", {"reason": "buyer"})
    assert answer.json()["orderId"] == order_id
    assert sim.orders[order_id].status == "cancel"
    await clock.settle()
    assert hub.bodies("/cancel") == [{"reason": "buyer"}]
    order = (await api("GET", f"{OMS}/{order_id}")).json()
    assert (order["status"], order["cancelReason"]) == ("canceled", "buyer")
    assert order["cancellationData"]["RequestedByPaymentNotification"] is True
    assert (await api("POST", f"{OMS}/{order_id}/cancel", {"reason": "x"})).status == 200
    assert len(sim.orders[order_id].cancels) == 1


async def test_an_invoiced_order_is_not_canceled(api, ready, sim):
    order_id = await ready()
    sim.invoice_order(order_id)
    answer = await api("POST", f"{OMS}/{order_id}/cancel", {"reason": "late"})
    assert (answer.status, answer.json()["error"]["code"]) == (400, "CHK0202")


async def test_the_seller_may_decline_a_cancellation(api, ready, sim, clock):
    sim.settings.cancel_needs_seller = True
    order_id = await ready()
    await api("POST", f"{OMS}/{order_id}/cancel", {"reason": "buyer"})
    order = sim.orders[order_id]
    assert order.status == "waiting-for-seller-decision"
    sim.decline_cancel(order_id)
    assert (order.status, order.declined) == ("ready-for-handling", 1)
    await api("POST", f"{OMS}/{order_id}/cancel", {"reason": "buyer"})
    sim.accept_cancel(order_id)
    await clock.settle()
    assert order.status == "canceled"


async def test_start_handling_only_when_ready(api, ready):
    order_id = await ready()
    assert (await api("POST", f"{OMS}/{order_id}/start-handling", {})).status == 204
    again = await api("POST", f"{OMS}/{order_id}/start-handling", {})
    assert (again.status, again.json()["error"]["code"]) == (409, "OMS003")


def invoice(**changes):
    return {
        "type": "Output",
        "issuanceDate": "2026-08-20T00:00:00",
        "invoiceNumber": "N 1/2",
        "invoiceValue": "11290",
        "items": [{"id": "1001", "price": 10_000, "quantity": 1}],
        **changes,
    }


async def test_invoices_by_api_and_returns_by_us(api, ready, sim, hub, clock):
    order_id = await ready()
    early = await api("POST", f"{OMS}/{order_id}/invoice", invoice(type="Input"))
    assert early.json()["error"]["code"] == "ORD039"
    first = await api("POST", f"{OMS}/{order_id}/invoice", invoice())
    again = await api("POST", f"{OMS}/{order_id}/invoice", invoice())
    assert first.json()["receipt"] != again.json()["receipt"]
    await clock.settle()
    assert len(hub.paths("/invoice")) == 1
    back = invoice(type="input", invoiceNumber="N 1/2-R1", invoiceValue=11_290)
    assert (await api("POST", f"{OMS}/{order_id}/invoice", back)).status == 200
    assert sim.orders[order_id].invoiced_value("Input") == 11_290
    bad = await api("POST", f"{OMS}/{order_id}/invoice", invoice(invoiceValue="0"))
    assert bad.status == 400
    packages = (await api("GET", f"{OMS}/{order_id}")).json()["packageAttachment"]["packages"]
    assert [package["type"] for package in packages] == ["Output", "Input"]


async def test_our_tracking_is_kept(api, ready, sim, clock):
    order_id = await ready()
    sim.invoice_order(order_id, number="N 1/2")
    await clock.settle()
    body = {"trackingNumber": "T1", "trackingUrl": "u", "courier": "c", "dispatchedDate": None}
    base = f"{OMS}/{order_id}/invoice/N%201%2F2"
    assert (await api("PATCH", base, body)).status == 200
    done = {"isDelivered": True, "deliveredDate": "2026-08-21 10:00", "events": []}
    assert (await api("PUT", f"{base}/tracking", done)).status == 200
    order = sim.orders[order_id]
    assert [each.number for each in order.deliveries] == ["N 1/2"]
    assert len(order.hub_tracking) == 2
    assert (await api("PATCH", f"{OMS}/{order_id}/invoice/none", body)).status == 404


async def test_a_status_can_be_made_to_stick(api, sim, clock, hub):
    from tests.unit.vtexsim.support import new_order

    sim.settings.stuck_status = "window-to-cancel"
    await api(
        "POST", "/api/order-integration/orders", new_order(status="approved"), affiliateId="XPT"
    )
    await clock.advance(10_000)
    assert sim.orders["XPT-MP-1"].status == "window-to-cancel"
    assert hub.answer is accept
