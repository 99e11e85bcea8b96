from __future__ import annotations

import random

from connector.domain.http import json_request
from connector.sandbox.vtexsim import VtexHost, VtexSimSettings, VtexSimulator, seed_catalog
from connector.sandbox.vtexsim.seed import ean13

SKU = "/api/catalog_system/pvt/sku"


async def test_lists_skus_of_a_trade_policy_by_pages(api, sim):
    everything = (await api("GET", f"{SKU}/stockkeepingunitidsbysaleschannel", sc=2)).json()
    assert everything == [1001, 1002, 1003, 1004]
    page = await api("GET", f"{SKU}/stockkeepingunitidsbysaleschannel", sc=2, page=2, pageSize=3)
    assert page.json() == [1004]
    past = await api("GET", f"{SKU}/stockkeepingunitidsbysaleschannel", sc=2, page=3, pageSize=3)
    assert past.json() == []
    assert (await api("GET", f"{SKU}/stockkeepingunitidsbysaleschannel", sc=1)).json() == []
    assert (await api("GET", f"{SKU}/stockkeepingunitids", page=1, pagesize=2)).json() == [
        1001,
        1002,
    ]


async def test_context_is_cached_until_it_changes(api, sim):
    path = f"{SKU}/stockkeepingunitbyid/1001"
    first = await api("GET", path, sc=2)
    assert (await api("GET", path)).body is first.body
    assert first.json()["SalesChannels"] == [2]
    assert isinstance(first.json()["BrandId"], str)
    sim.edit_content(1001, name="Outro")
    assert (await api("GET", path)).json()["SkuName"] == "Outro"


async def test_inactive_product_leaves_its_skus_active(api, sim):
    product_id = sim.catalog.skus[1001].product_id
    sim.set_product_active(product_id, active=False)
    context = (await api("GET", f"{SKU}/stockkeepingunitbyid/1001")).json()
    assert (context["IsActive"], context["IsProductActive"]) == (True, False)
    assert not sim.truth(2)["1001"].sellable


async def test_unknown_sku_is_a_bare_string_404(api):
    answer = await api("GET", f"{SKU}/stockkeepingunitbyid/99")
    assert answer.status == 404
    assert isinstance(answer.json(), str)


async def test_every_catalog_read_answers(api, sim):
    product = sim.catalog.skus[1004].product_id
    category = sim.catalog.products[product].category_id
    pvt, system = "/api/catalog/pvt", "/api/catalog_system"
    for path in (
        f"{pvt}/stockkeepingunit/1001",
        f"{pvt}/stockkeepingunit/1001/ean",
        f"{pvt}/stockkeepingunit/1001/file",
        f"{pvt}/stockkeepingunit/1001/specification",
        f"{pvt}/product/{product}",
        f"{pvt}/product/{product}/salespolicy",
        f"{pvt}/product/{product}/specification",
        f"{system}/pvt/products/productget/{product}",
        f"{system}/pvt/products/{product}/specification",
        f"{system}/pvt/products/GetProductAndSkuIds",
        f"{system}/pub/category/tree/3",
        f"{pvt}/category/{category}",
        f"{system}/pvt/brand/list",
        f"{pvt}/brand/70",
        f"{system}/pub/specification/field/listByCategoryId/{category}",
        f"{system}/pub/specification/fieldvalue/31",
        f"{system}/pub/specification/fieldGet/31",
        f"{system}/pvt/saleschannel/list",
        f"{system}/pub/saleschannel/2",
        "/api/logistics/pvt/inventory/skus/1001",
        "/simstore/pricing/prices/1001/computed/2",
    ):
        answer = await api("GET", path)
        assert answer.status == 200, path
        assert answer.json(), path


async def test_kit_parts_come_as_object_or_array(api):
    answer = await api("GET", "/api/catalog/pvt/stockkeepingunitkit", parentSkuId=1004)
    assert answer.json()["StockKeepingUnitId"] == 1001


async def test_keys_are_asked_for_on_private_paths(api, sim):
    refused = await api("GET", f"{SKU}/stockkeepingunitids", keys=False)
    assert refused.status == 401
    simulation = await api("POST", "/api/fulfillment/pvt/orderForms/simulation", {}, keys=False)
    assert simulation.json()["error"]["code"] == "CHK003"
    sim.settings.forbidden = {"SKUs"}
    assert (await api("GET", f"{SKU}/stockkeepingunitbyid/1001")).status == 403
    listed = await api("GET", f"{SKU}/stockkeepingunitidsbysaleschannel", sc=2)
    assert listed.status == 200


async def test_key_pair_check(api, sim):
    good = {"user": sim.settings.app_key, "pass": sim.settings.app_token}
    path = "/api/vtexid/pub/authenticate/default"
    assert (await api("GET", path, keys=False, **good)).json()["authStatus"] == "Success"
    bad = await api("GET", path, keys=False, user="x")
    assert bad.json()["authStatus"] != "Success"


def test_seed_is_deterministic_and_odd_enough():
    first, second = (seed_catalog(2000, random.Random(3)) for _ in range(2))
    assert list(first.skus) == list(second.skus)
    skus = list(first.skus.values())
    assert [sku.name for sku in skus] == [sku.name for sku in second.skus.values()]
    assert any(sku.kit for sku in skus)
    assert any(len(sku.eans) > 1 for sku in skus)
    assert any(not sku.eans for sku in skus)
    assert any(not sku.images for sku in skus)
    assert any(not sku.active for sku in skus)
    assert any(sku.active and not first.products[sku.product_id].active for sku in skus)
    assert any(2 not in sku.policies for sku in skus)
    assert any(sku.multiplier != 1.0 for sku in skus)
    assert any(len(product.sku_ids) > 1 for product in first.products.values())
    assert max(len(first.path(each)) for each in first.categories) == 3


def test_ean_has_a_valid_check_digit():
    digits = [int(digit) for digit in ean13(123456789)]
    assert sum(d * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10 == 0


async def test_host_finds_the_account_by_key_or_an(clock, hub):
    def account(name: str) -> VtexSimulator:
        settings = VtexSimSettings(account=name, app_key=f"vtexappkey-{name}-ABCDEF")
        return VtexSimulator(clock=clock, outbound=hub, settings=settings, n_skus=3)

    host = VtexHost(account("one"), account("two"))
    path = f"{SKU}/stockkeepingunitids"
    keys = {"x-vtex-api-appkey": "vtexappkey-two-ABCDEF", "x-vtex-api-apptoken": "simulated-token"}
    answer = await host.handle(json_request("GET", path, None, headers=keys))
    assert answer.status == 200
    missing = await host.handle(json_request("GET", path, None, query={"an": "three"}))
    assert missing.status == 404
    await host.close()
