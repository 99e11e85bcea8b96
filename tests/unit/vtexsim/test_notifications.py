from __future__ import annotations

from connector.domain.http import Response
from tests.unit.vtexsim.support import HUB, NOTIFY

AFFILIATES = "/api/fulfillment/pvt/affiliates"


async def test_a_change_is_told_to_affiliates_whose_policy_has_the_sku(sim, hub, clock):
    sim.add_affiliate("ABC", search_uri=f"{HUB}/other", sales_channel=1)
    sim.set_price(1001, 5_000)
    await clock.settle()
    (call,) = hub.calls
    assert call.url == NOTIFY.split("?", maxsplit=1)[0]
    assert call.query == {"an": "simstore"}
    body = call.json()
    assert (body["IdSku"], body["An"], body["IdAffiliate"]) == ("1001", "simstore", "XPT")
    assert (body["PriceModified"], body["StockModified"], body["IsActive"]) == (True, False, True)


async def test_a_product_change_is_told_of_all_its_skus(sim, hub, clock):
    product = sim.catalog.products[sim.catalog.skus[1001].product_id]
    sim.edit_content(1001, description="<p>Nova</p>")
    await clock.settle()
    told = [body["IdSku"] for body in hub.bodies("notification")]
    assert told == [str(sku) for sku in product.sku_ids]


async def test_removal_from_the_policy_is_told_and_flagged(sim, hub, clock):
    sim.remove_sku_from_policy(1001)
    await clock.settle()
    assert hub.bodies("notification")[0]["HasStockKeepingUnitRemovedFromAffiliate"] is True
    sim.set_price(1001, 1)
    await clock.settle()
    assert len(hub.calls) == 1


async def test_silent_changes_are_told_to_nobody(sim, hub, clock):
    sim.set_price(1001, 1, silent=True)
    sim.set_trade_policy(1001, 2, member=False, silent=True)
    await clock.settle()
    assert hub.calls == []
    assert not sim.truth(2)["1001"].assigned


async def test_refused_notifications_are_retried_then_lost(sim, hub, clock):
    hub.answer = lambda request: Response(503)
    sim.set_stock(1002, 5)
    await clock.advance(4)
    assert len(hub.calls) == 1
    await clock.advance(100)
    assert len(hub.calls) == 1 + sim.settings.notify_retries
    assert [row.kind for row in sim.ledger].count("notification.lost") == 1
    assert sim.unsent_notifications == 0


async def test_a_hub_that_comes_back_gets_the_notification(sim, hub, clock):
    hub.answer = lambda request: None
    sim.set_stock(1002, 5)
    await clock.settle()
    hub.answer = lambda request: Response(204)
    await clock.advance(6)
    assert sim.ledger[-1].kind == "notification.delivered"
    assert sim.ledger[-1].data["attempt"] == 1


async def test_loss_duplicates_lateness_and_coalescing(sim, hub, clock):
    settings = sim.settings
    settings.notify_loss = 1.0
    sim.set_price(1002, 1)
    await clock.settle()
    assert hub.calls == []
    settings.notify_loss, settings.notify_duplicate = 0.0, 1.0
    sim.set_price(1002, 2)
    await clock.settle()
    assert len(hub.calls) == 2
    settings.notify_duplicate, settings.notify_late = 0.0, 1.0
    sim.set_price(1002, 3)
    await clock.settle()
    assert len(hub.calls) == 2
    await clock.advance(settings.notify_late_s)
    assert len(hub.calls) == 3
    settings.notify_late, settings.coalesce_s, settings.notify_coalesce = 0.0, 120.0, 1.0
    sim.set_price(1002, 4)
    sim.set_price(1002, 5)
    await clock.settle()
    assert len(hub.calls) == 4


async def test_reindex_tells_of_everything_without_flags(sim, hub, clock):
    sim.settings.notify_concurrency = 2
    assert sim.reindex() == 4
    await clock.settle()
    bodies = hub.bodies("notification")
    assert [body["IdSku"] for body in bodies] == ["1001", "1002", "1003", "1004"]
    assert not any(body["StockModified"] or body["PriceModified"] for body in bodies)
    assert hub.most_active == 2


async def test_bodies_come_in_every_spelling(sim, hub, clock):
    sim.settings.notify_casing = "mixed"
    for price in range(1, 60):
        sim.set_price(1002, price)
    await clock.advance(1)
    bodies = hub.bodies("notification")
    assert len(bodies) == 59
    assert {"idSKU" in body for body in bodies} == {True, False}
    assert any(len(body) == 5 for body in bodies)
    assert {type(body.get("ProductId")).__name__ for body in bodies} == {"int", "str", "NoneType"}


async def test_stock_of_a_part_is_told_of_the_kit_too(sim, hub, clock):
    sim.set_stock(1001, 2)
    await clock.settle()
    assert [body["IdSku"] for body in hub.bodies("notification")] == ["1001", "1004"]


async def test_a_new_sku_is_told(sim, hub, clock):
    sku = sim.create_sku(name="Fresco", price=500, stock=3)
    await clock.settle()
    body = hub.bodies("notification")[0]
    assert (body["IdSku"], body["HasStockKeepingUnitModified"]) == (str(sku.id), True)
    assert sim.truth(2)[str(sku.id)].offer_stock == 3


async def test_affiliates_are_put_read_and_deleted(api, sim):
    body = {
        "Name": "Hub",
        "SalesChannel": "2",
        "SearchURIEndpoint": f"{HUB}/n",
        "followUpEmail": "null",
    }
    assert (await api("GET", f"{AFFILIATES}/QRS")).status == 404
    assert (await api("PUT", f"{AFFILIATES}/qrs", body)).status == 204
    read = (await api("GET", f"{AFFILIATES}/QRS")).json()
    assert (read["salesChannel"], read["searchURIEndpoint"]) == ("2", f"{HUB}/n")
    assert len((await api("GET", AFFILIATES)).json()) == 2
    assert (await api("DELETE", f"{AFFILIATES}/QRS")).status == 204
    assert (await api("GET", f"{AFFILIATES}/QRS")).status == 404


async def test_bad_affiliates_are_refused(api):
    async def code(affiliate_id, **changes):
        body = {"name": "Hub", "salesChannel": "2", **changes}
        answer = await api("PUT", f"{AFFILIATES}/{affiliate_id}", body)
        assert answer.status == 400
        return answer.json()["error"]["code"]

    assert await code("QRST") == "FMT0031"
    assert await code("QRS", followUpEmail="nobody") == "FMT0032"
    assert await code("QRS", name="") == "FMT0034"
    assert await code("QRS", name="Affiliate XPT") == "FMT0035"
    assert await code("QRS", salesChannel="99") == "FMT0036"
    assert await code("QRS", searchURIEndpointVersion="latest") == "FMT0029"
