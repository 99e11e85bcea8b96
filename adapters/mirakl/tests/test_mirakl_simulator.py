"""What the simulated platform does as Mirakl does, seen through the adapter and without it."""

import json
from datetime import timedelta

import pytest

from connector.sdk import (
    Done,
    InLot,
    Proceed,
    RateLimited,
    Refused,
    Rejected,
    Request,
    RetryLater,
    Tracking,
    TryAgain,
    json_request,
)
from connector.sdk.testing.market import NotPossible, Sale


def call(world, method, url, body=None, **query):
    headers = {"authorization": world.market.settings.api_key}
    if body is None:
        return world.market.handle(Request(method, url, query, headers))
    return world.market.handle(json_request(method, url, body, query=query, headers=headers))


# --- imports --------------------------------------------------------------------------------------


async def test_an_import_waits_runs_and_ends_with_some_lines_refused(world, make):
    world.market.refuse("2", "The brand is protected")
    outcomes = await world.adapter.create([make.offer("1", 10), make.offer("2", 11)])
    lot_id = outcomes["1"].lot_id
    states = []
    for _ in range(4):
        told = (await call(world, "GET", "/api/offers/imports/2001")).json()
        states.append((told["status"], told["lines_in_error"]))
        await world.clock.advance(12)
    assert states == [("WAITING", 0), ("RUNNING", 0), ("RUNNING", 0), ("COMPLETE", 1)]
    status = await world.adapter.lot(lot_id)
    assert status.outcomes == {"2": Refused(("The brand is protected",))}
    assert (status.finished, status.rest) == (True, Done())
    assert list(world.market.offers) == ["1"]


async def test_what_is_not_sent_with_an_offer_is_reset(world, make):
    await world.list(make.offer("1", stock=7))
    assert world.market.offers["1"].fields["description"] == "Tênis 1\nLeve"
    bare = {"shop_sku": "1", "product_id": make.ean(10), "product_id_type": "EAN",
            "state_code": "11", "price": 5, "update_delete": "update"}  # fmt: skip
    await call(world, "POST", "/api/offers", {"offers": [bare]})
    await world.clock.advance(60)
    offer = world.market.offers["1"]
    assert (offer.quantity, offer.price_minor) == (0, 500)
    assert "description" not in offer.fields


async def test_prices_and_stock_leave_everything_else_alone(world, make):
    await world.list(make.offer("1", stock=7))
    before = dict(world.market.offers["1"].fields)
    done = await world.finish(
        await world.adapter.update_price_stock([make.terms("1", price=100, stock=3)])
    )
    offer = world.market.offers["1"]
    assert done == {"1": Done()}
    assert (offer.price_minor, offer.quantity, offer.fields) == (100, 3, before)


async def test_the_same_import_sent_twice_while_it_runs_has_one_id(world, make):
    first = await world.adapter.create([make.offer("1")])
    again = await world.adapter.create([make.offer("1")])
    assert first == again
    await world.clock.advance(60)
    later = await world.adapter.create([make.offer("1")])
    assert later["1"] != first["1"]


async def test_too_many_calls_are_told_how_long_to_wait(new_world, make):
    world = new_world(ceilings=True)
    await world.adapter.create([make.offer("1")])
    with pytest.raises(RateLimited) as stopped:
        await world.adapter.create([make.offer("2", 11)])
    assert 0 < stopped.value.after_s <= 60
    await world.clock.advance(stopped.value.after_s)
    assert isinstance((await world.adapter.create([make.offer("2", 11)]))["2"], InLot)


async def test_an_import_that_fails_is_tried_again_later(new_world, make):
    world = new_world(mode="fail")
    done = await world.list(make.offer("1"))
    assert done == {"1": TryAgain("The file could not be processed", 300.0)}


async def test_an_import_that_never_ends_is_given_up_after_hours(new_world, make):
    world = new_world(mode="never")
    outcomes = await world.adapter.create([make.offer("1")])
    await world.clock.advance(21_000)
    assert not (await world.adapter.lot(outcomes["1"].lot_id)).finished
    await world.clock.advance(1_000)
    status = await world.adapter.lot(outcomes["1"].lot_id)
    assert (status.finished, status.rest) == (True, None)


async def test_an_unknown_product_is_made_known_and_then_offered(world, make):
    offer = make.offer("1", 995)
    outcomes = await world.adapter.create([offer])
    assert outcomes["1"].lot_id.startswith("P41:")
    states = []
    for _ in range(6):
        told = (await call(world, "GET", "/api/products/imports/2001")).json()
        states.append(told["import_status"])
        await world.clock.advance(50)
    assert list(dict.fromkeys(states)) == [
        "TRANSFORMATION_WAITING", "TRANSFORMATION_RUNNING", "SENT", "COMPLETE",
    ]  # fmt: skip
    assert (await world.adapter.lot(outcomes["1"].lot_id)).rest == Proceed(
        "the product is known now"
    )
    again = await world.adapter.create([offer])
    assert again["1"].lot_id.startswith("OF24:")


async def test_products_with_the_operator_for_days_hold_up_nothing(new_world, make):
    world = new_world({"update_products": True}, product_done_after_s=400_000)
    await world.list(make.offer("1"))
    done = await world.finish(await world.adapter.update_content([make.offer("1", stock=2)]))
    assert done == {"1": Done()}
    assert world.market.state_of(world.market.imports["P41:2002"]) == "SENT"


# --- orders ---------------------------------------------------------------------------------------


async def test_the_address_is_hidden_until_the_order_may_be_shipped(world):
    key = await world.sold(accept_first=True)
    order = await world.adapter.order(key)
    assert order.needs_acceptance
    assert order.complete  # it is accepted first
    assert order.address.postal_code == ""
    await world.adapter.accept(key)
    order = await world.adapter.order(key)
    assert (order.complete, order.needs_acceptance, order.accepted) == (False, False, True)
    await world.clock.advance(60)
    order = await world.adapter.order(key)
    assert (order.complete, order.status, order.address.number) == (True, "paid", "10")


async def test_an_operator_without_partial_acceptance_wants_one_decision(world):
    key = await world.sold(accept_first=True, lines=(("1", 1), ("1", 2)))
    lines = [{"id": f"{key}-1", "accepted": True}, {"id": f"{key}-2", "accepted": False}]
    answer = await call(world, "PUT", f"/api/orders/{key}/accept", {"order_lines": lines})
    assert (answer.status, answer.json()["message"]) == (400, "ORDER_PARTIAL_ACCEPTANCE_DISABLED")
    answer = await call(world, "PUT", f"/api/orders/{key}/accept", {"order_lines": lines[:1]})
    assert answer.json()["message"] == "ORDER_LINE_ACCEPTANCE_DECISION_MISSING"
    world.market.settings.partial_acceptance = True
    answer = await call(world, "PUT", f"/api/orders/{key}/accept", {"order_lines": lines})
    assert answer.status == 204
    assert (await world.adapter.order(key)).partly_cancelled


async def test_an_order_is_shipped_only_when_it_may_be(world):
    key = await world.sold(pay_after_s=None)
    answer = await call(world, "PUT", f"/api/orders/{key}/ship")
    assert (answer.status, "ORDER_INVALID_STATE" in answer.text) == (400, True)
    with pytest.raises(RetryLater):
        await world.adapter.send_tracking(key, Tracking(invoice_number="1", number="X"))


async def test_shipments_succeed_and_fail_one_by_one(world):
    key = await world.sold()
    good = {"order_id": key, "shipment_lines": [{"order_line_id": f"{key}-1", "quantity": 1}]}
    greedy = {"order_id": key, "shipment_lines": [{"order_line_id": f"{key}-1", "quantity": 9}]}
    body = {"shipments": [good, greedy, {"order_id": "nobody's"}]}
    answer = await call(world, "POST", "/api/shipments", body)
    told = answer.json()
    assert answer.status == 201
    assert len(told["shipment_success"]) == 1
    assert [row["message"] for row in told["shipment_errors"]] == [
        f"Line {key}-1 has 2 units left to ship",
        "The order does not exist",
    ]


async def test_polling_reaches_back_a_little_further_than_asked(world):
    key = await world.sold()
    later = world.market.orders[key].updated_at + timedelta(seconds=90)
    since = later.isoformat()
    told = (await call(world, "GET", "/api/orders", start_update_date=since)).json()
    assert told["total_count"] == 0
    world.market.settings.update_delta_s = 3_600
    told = (await call(world, "GET", "/api/orders", start_update_date=since)).json()
    assert [row["order_id"] for row in told["orders"]] == [key]


async def test_two_operators_have_nothing_in_common_but_the_platform(new_world):
    north, south = new_world().market.operator, new_world(operator="south").market.operator
    for what in ("carriers", "reasons", "documents", "categories", "states"):
        codes = [{row[0] for row in getattr(each, what)} for each in (north, south)]
        assert codes[0].isdisjoint(codes[1]), what
    assert north.multi_shipment is not south.multi_shipment


async def test_a_sale_takes_stock_and_refuses_what_is_not_there(world):
    await world.sold()
    assert world.market.offers["1"].quantity == 97
    assert world.market.buy(Sale(lines=(("1", 98),))) is None
    assert world.market.buy(Sale(lines=(("unknown", 1),))) is None
    with pytest.raises(NotPossible):
        world.market.collect("any")


async def test_what_left_cannot_be_cancelled_by_the_buyer(world):
    key = await world.sold()
    world.market.move(world.market.orders[key], "SHIPPED")
    with pytest.raises(NotPossible):
        world.market.cancel_order(key, "too late")


async def test_an_operator_may_say_that_everything_arrived(new_world):
    world = new_world(received_after_s=500)
    key = await world.sold()
    tracking = Tracking(invoice_number="1", courier="DPD", number="X1")
    await world.adapter.send_tracking(key, tracking)
    assert world.market.orders[key].state == "SHIPPED"
    await world.clock.advance(501)
    assert (await world.adapter.order(key)).status == "delivered"


# --- control API ----------------------------------------------------------------------------------


async def test_the_control_api_sells_acts_and_tells(world, make):
    await world.list(make.offer("1", stock=5))
    sim = world.market.handle
    sold = await sim(json_request("POST", "/_sim/sell", {"lines": [["1", 2]]}))
    assert sold.status == 201
    key = sold.json()["order_id"]
    assert (await sim(json_request("POST", "/_sim/sell", {"lines": [["1", 9]]}))).status == 409
    assert (await sim(json_request("POST", "/_sim/sell", {"odd": 1}))).status == 400
    path = f"/_sim/orders/{key}"
    assert (await sim(json_request("POST", f"{path}/incident", {}))).status == 200
    assert (await sim(json_request("POST", f"{path}/dance", {}))).status == 404
    assert (await sim(json_request("POST", f"{path}/cancel", {"reason": "no"}))).status == 200
    assert (await sim(json_request("POST", f"{path}/cancel", {"reason": "no"}))).status == 409
    truth = (await sim(Request("GET", "/_sim/truth"))).json()
    assert truth["orders"][key]["state"] == "CANCELED"
    assert truth["offers"]["1"]["quantity"] == 3
    assert json.dumps(truth)


async def test_switches_are_set_by_name(world):
    sim = world.market.handle
    told = await sim(json_request("POST", "/_sim/settings", {"operator": "south"}))
    assert (told.status, world.market.operator.currency) == (200, "EUR")
    for odd in ({"unknown": 1}, {"operator": "east"}):
        assert (await sim(json_request("POST", "/_sim/settings", odd))).status == 400


async def test_unknown_codes_are_refused(world):
    key = await world.sold()
    world.adapter.settings = world.adapter.settings.model_copy(
        update={"carriers": {"dpd": "NOPE"}, "cancel_reason": "NOPE", "document_type": "NOPE"}
    )
    tracking = Tracking(invoice_number="1", courier="DPD", number="X1")
    with pytest.raises(Rejected, match="not a registered carrier"):
        await world.adapter.send_tracking(key, tracking)
    with pytest.raises(Rejected, match="unknown line or reason"):
        await world.adapter.cancel(key, "why not")
