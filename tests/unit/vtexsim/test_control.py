from __future__ import annotations

import pytest

from connector.sandbox.vtexsim import VtexSimSettings
from tests.unit.vtexsim.support import HUB


async def test_seller_actions_over_http(api, sim, clock, hub):
    done = await api("POST", "/_sim/do/price", {"sku_id": 1001, "price": 7_000}, keys=False)
    assert done.json() == {"done": True}
    await api("POST", "/_sim/do/stock", {"sku_id": "1001", "quantity": 2})
    truth = (await api("GET", "/_sim/truth")).json()["skus"]["1001"]
    assert (truth["price"], truth["stock"], truth["sellable"]) == (7_000, 2, True)
    await clock.settle()
    assert len(hub.calls) == 3
    for action, body in {
        "active": {"sku_id": 1001, "active": False},
        "product-active": {"product_id": sim.catalog.skus[1001].product_id, "active": True},
        "policy": {"sku_id": 1001, "sales_channel": 2, "member": False},
        "policy-active": {"sales_channel": 1, "active": False},
        "content": {"sku_id": 1001, "name": "Outro", "new_image": True},
        "promotion": {"sku_ids": [1003], "percent": 5},
        "create-sku": {"name": "Mais um"},
        "reindex": {},
        "add-affiliate": {"affiliate_id": "NEW", "search_uri": HUB},
    }.items():
        assert (await api("POST", f"/_sim/do/{action}", body)).status == 200, action
    rows = {row["sku_id"]: row for row in (await api("GET", "/_sim/skus")).json()}
    assert not rows["1001"]["sellable"]
    assert rows["1004"]["kit"]


async def test_mistakes_are_told(api, sim):
    assert (await api("POST", "/_sim/do/nothing", {})).status == 404
    assert (await api("POST", "/_sim/do/price", {"sku_id": 9, "price": 1})).status == 404
    assert (await api("POST", "/_sim/do/price", {"sku": 9})).status == 400
    assert (await api("POST", "/_sim/orders/none/cancel", {})).status == 404
    assert (await api("GET", "/_sim/orders/none")).status == 404


async def test_order_actions_over_http(api, ready, clock):
    order_id = await ready()
    early = await api("POST", f"/_sim/orders/{order_id}/decline-cancel", {})
    assert early.status == 409
    body = {"tracking": "second", "number": "X1"}
    assert (await api("POST", f"/_sim/orders/{order_id}/invoice", body)).status == 200
    await clock.settle()
    event = {"number": "X1"}
    assert (await api("POST", f"/_sim/orders/{order_id}/tracking-event", event)).status == 200
    await clock.settle()
    order = (await api("GET", f"/_sim/orders/{order_id}")).json()
    assert (order["status"], order["created"]) == ("invoiced", 1)
    assert [each["kind"] for each in order["callbacks"]] == [
        "invoice",
        "tracking",
        "tracking-event",
    ]
    assert order["invoices"][0]["delivered"] is True
    (short,) = (await api("GET", "/_sim/orders")).json()
    assert short["marketplace_order_id"] == "MP-1"
    status = (await api("GET", "/_sim/status")).json()
    assert (status["open_callbacks"], status["unsent_notifications"]) == (0, 0)


async def test_settings_are_changed_together_or_not_at_all(api, sim):
    body = {"notify_loss": 0.5, "divergence_rules": [{"low": 0, "high": 100, "action": "manual"}]}
    answer = await api("POST", "/_sim/settings", body)
    assert answer.json()["notify_loss"] == 0.5
    assert sim.settings.divergence_rules[0].action == "manual"
    wrong = await api("POST", "/_sim/settings", {"notify_loss": 0.1, "notify_lost": 1})
    assert (wrong.status, sim.settings.notify_loss) == (400, 0.5)
    assert "app_token" not in (await api("GET", "/_sim/settings")).json()


def test_settings_refuse_values_of_another_kind():
    settings = VtexSimSettings()
    settings.apply({"forbidden": ["SKUs"], "grace_period_s": 5, "slas": []})
    assert (settings.forbidden, settings.grace_period_s, settings.slas) == ({"SKUs"}, 5.0, ())
    for wrong in ({"merge_lines": 1}, {"notify_retries": True}, {"slas": [{"id": 1}]}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            settings.apply(wrong)


async def test_faults_strike_calls_but_not_the_control_api(api, sim):
    from connector.sdk.testing.simulator import Dropped

    sim.faults.throttle = 1.0
    answers = [await api("GET", "/api/fulfillment/pvt/affiliates") for _ in range(20)]
    assert {answer.status for answer in answers} == {429}
    assert {"retry-after" in answer.headers for answer in answers} == {True, False}
    sim.faults.throttle, sim.faults.drop_after = 0.0, 1.0
    with pytest.raises(Dropped):
        await api("DELETE", "/api/fulfillment/pvt/affiliates/XPT")
    assert sim.affiliates == {}
    assert (await api("GET", "/_sim/status")).status == 200


async def test_calls_beyond_the_limit_are_refused_by_family(api, sim, clock):
    sim.settings.rate_limit_per_s, sim.settings.rate_limit_burst = 2.0, 3.0
    path = "/api/catalog_system/pvt/sku/stockkeepingunitbyid/1001"
    answers = [await api("GET", path) for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].headers["retry-after"] == "1"
    assert (await api("GET", "/api/oms/pvt/orders")).status == 200
    await clock.advance(1)
    assert [(await api("GET", path)).status for _ in range(3)] == [200, 200, 429]
