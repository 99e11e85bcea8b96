from __future__ import annotations

import pytest

from tests.unit.vtexsim.support import cart, freight

PVT = "/api/fulfillment/pvt/orderForms/simulation"
PUB = "/api/checkout/pub/orderForms/simulation"


async def simulate(api, path, *lines, postal_code=None):
    answer = await api("POST", path, cart(*lines, postal_code=postal_code), sc=2, affiliateId="XPT")
    assert answer.status == 200
    return answer.json()


async def test_pvt_tells_price_and_stock_and_keeps_quiet_about_availability(api):
    body = await simulate(api, PVT, ("1001", 1))
    (item,), (row,) = body["items"], body["logisticsInfo"]
    assert (item["price"], item["listPrice"], item["requestIndex"]) == (10_000, 12_000, 0)
    assert "availability" not in item
    assert (row["stockBalance"], row["slas"]) == (10, [])


async def test_unknown_inactive_and_unassigned_skus_are_missing(api, sim):
    sim.set_active(1003, active=False)
    sim.remove_sku_from_policy(1002)
    body = await simulate(api, PVT, ("999", 1), ("1003", 1), ("1002", 1), ("1001", 1))
    (item,) = body["items"]
    assert (item["id"], item["requestIndex"]) == ("1001", 3)
    assert body["logisticsInfo"][0]["itemIndex"] == 0


async def test_out_of_stock_shapes(api):
    (item,) = (await simulate(api, PVT, ("1002", 1)))["items"]
    assert item["quantity"] == 0
    body = await simulate(api, PVT, ("1002", 1), postal_code="12345-000")
    assert (body["logisticsInfo"][0]["stockBalance"], body["logisticsInfo"][0]["slas"]) == (0, [])
    assert (await simulate(api, PUB, ("1002", 1)))["items"][0]["availability"] == "nullPrice"
    lie = await simulate(api, PUB, ("1002", 1), postal_code="12345-000")
    assert lie["items"][0]["availability"] == "available"
    assert lie["logisticsInfo"][0]["slas"] == []


async def test_slas_come_only_with_an_address(api):
    body = await simulate(api, PVT, ("1001", 2), postal_code="12345-000")
    slas = {sla["id"]: sla for sla in body["logisticsInfo"][0]["slas"]}
    assert slas["Normal"]["price"] == freight(2)
    assert slas["Retirada"]["deliveryChannel"] == "pickup-in-point"
    assert body["pickupPoints"][0]["id"] == "1_P01"
    nowhere = await simulate(api, PUB, ("1001", 1), postal_code="99999-000")
    assert nowhere["items"][0]["availability"] == "cannotBeDelivered"


async def test_a_heavy_line_has_fewer_ways_of_delivery(api, sim):
    sim.catalog.skus[1001].weight_g = 40_000.0
    body = await simulate(api, PVT, ("1001", 1), postal_code="12345-000")
    assert {sla["id"] for sla in body["logisticsInfo"][0]["slas"]} == {"Normal", "Retirada"}


async def test_unit_multiplier_scales_the_selling_price_only(api):
    (item,) = (await simulate(api, PUB, ("1003", 1)))["items"]
    assert (item["price"], item["sellingPrice"], item["unitMultiplier"]) == (10_000, 15_000, 1.5)
    assert item["priceDefinition"]["total"] == 15_000


async def test_rounded_units_add_up_to_the_total(api, sim, clock):
    sim.set_price(1003, 333)
    await clock.advance(301)
    (item,) = (await simulate(api, PUB, ("1003", 3)))["items"]
    parts = item["priceDefinition"]["sellingPrices"]
    assert sum(p["value"] * p["quantity"] for p in parts) == item["priceDefinition"]["total"]
    assert item["priceDefinition"]["total"] == 1499  # 333 x 1.5 x 3 = 1498.5


async def test_a_kit_has_what_its_parts_give(api, sim, clock):
    assert (await simulate(api, PVT, ("1004", 1)))["logisticsInfo"][0]["stockBalance"] == 5
    sim.set_stock(1001, 3)
    await clock.advance(61)
    assert (await simulate(api, PVT, ("1004", 1)))["logisticsInfo"][0]["stockBalance"] == 1


async def test_too_little_stock_gives_less_and_a_warning(api):
    body = await simulate(api, PVT, ("1001", 12))
    assert body["items"][0]["quantity"] == 10
    assert [message["code"] for message in body["messages"]] == ["itemQuantityNotAvailable"]


async def test_lines_of_the_same_sku_merge(api):
    body = await simulate(api, PVT, ("1001", 1), ("1003", 1), ("1001", 2))
    assert [(item["id"], item["quantity"]) for item in body["items"]] == [("1001", 3), ("1003", 1)]


async def test_logistics_rows_are_joined_by_index_not_by_place(api, sim):
    sim.settings.unsorted_logistics = True
    seen = set()
    for _ in range(20):
        body = await simulate(api, PVT, ("1001", 1), ("1002", 1), ("1003", 1))
        seen.add(tuple(row["itemIndex"] for row in body["logisticsInfo"]))
        stock = {row["itemIndex"]: row["stockBalance"] for row in body["logisticsInfo"]}
        assert stock == {0: 10, 1: 0, 2: 10}
    assert len(seen) > 1


async def test_old_price_and_stock_are_answered_for_a_while(api, sim, clock):
    sim.set_price(1001, 7_000)
    sim.set_stock(1001, 4)
    assert (sim.truth(2)["1001"].price, sim.truth(2)["1001"].stock) == (7_000, 4)
    body = await simulate(api, PVT, ("1001", 1))
    assert body["items"][0]["price"] == 10_000
    await clock.advance(61)
    body = await simulate(api, PVT, ("1001", 1))
    assert body["logisticsInfo"][0]["stockBalance"] == 4
    assert body["items"][0]["price"] == 10_000
    await clock.advance(240)
    assert (await simulate(api, PVT, ("1001", 1)))["items"][0]["price"] == 7_000


async def test_promotion_begins_and_ends_unannounced(api, sim, clock, hub):
    sim.schedule_promotion(["1001"], 10, begins_in_s=100, lasts_s=50)
    assert (await simulate(api, PUB, ("1001", 1)))["items"][0]["sellingPrice"] == 10_000
    await clock.advance(101)
    (item,) = (await simulate(api, PUB, ("1001", 2)))["items"]
    assert (item["price"], item["sellingPrice"]) == (10_000, 9_000)
    assert item["priceTags"][0]["value"] == -2_000
    (pvt,) = (await simulate(api, PVT, ("1001", 2)))["items"]
    assert pvt["price"] + sum(tag["value"] for tag in pvt["priceTags"]) // 2 == 9_000
    assert sim.truth(2)["1001"].price == 9_000
    await clock.advance(50)
    assert sim.truth(2)["1001"].price == 10_000
    assert hub.calls == []


@pytest.mark.parametrize(("path", "code"), [(PVT, "FMT0104"), (PUB, "CHK0062")])
async def test_too_many_items(api, path, code):
    answer = await api("POST", path, cart(*[("1001", 1)] * 301), sc=2)
    assert (answer.status, answer.json()["error"]["code"]) == (400, code)


async def test_requests_the_platform_refuses(api):
    async def error(body, **query):
        answer = await api("POST", PVT, body, **({"sc": 2} | query))
        return answer.status, answer.json()["error"]["code"]

    assert await error(cart(("1001", 1), postal_code="1234%")) == (400, "CHK0040")
    assert await error(cart(("1001", 50_001))) == (500, "1")
    assert await error(cart(("1004", 3_001))) == (500, "1")
    assert await error(cart(("1001", 0))) == (400, "CHK0023")
    assert await error(cart(("", 1))) == (400, "CHK0022")
    assert await error(cart()) == (400, "ORD005")
    assert await error(cart(("1001", 1)), sc=77) == (400, "CHK0161")


async def test_errors_speak_the_language_of_the_store(api, sim):
    texts = set()
    for locale in ("pt", "en", "es"):
        sim.settings.locale = locale
        answer = await api("POST", PVT, cart(("1001", 0)), sc=2)
        texts.add(answer.json()["error"]["message"])
    assert len(texts) == 3


async def test_a_change_seen_at_once_overtakes_one_that_is_still_hidden(api, sim):
    sim.set_price(1001, 7_000)
    sim.settings.stale_price_s = 0.0
    sim.set_price(1001, 6_000)
    assert (await simulate(api, PVT, ("1001", 1)))["items"][0]["price"] == 6_000


async def test_absolute_urls_with_a_query_are_understood(api):
    url = f"https://simstore.example{PVT}?sc=77"
    answer = await api("POST", url, cart(("1001", 1)))
    assert answer.json()["error"]["code"] == "CHK0161"
