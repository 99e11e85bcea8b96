"""Everything the adapter asks and the simulator answers, against Mirakl's own specification."""

import json
import os
from pathlib import Path

import pytest

from adapters.mirakl import MiraklAdapter
from adapters.mirakl.tests.specification import DOCUMENT, specification
from connector.sdk import Invoice, Request, Tracking
from connector.sdk.testing.market import Sale
from connector.sdk.testing.replay import ReplayHttp, load_cases, replay

FOLDER = os.environ.get("CONNECTOR_SPEC_DIR", "")
pytestmark = pytest.mark.skipif(
    not FOLDER or not (Path(FOLDER) / DOCUMENT).exists(),
    reason=f"CONNECTOR_SPEC_DIR does not lead to {DOCUMENT}",
)
FIXTURES = Path(__file__).parents[1] / "fixtures"
CASES = load_cases(FIXTURES)
SETTINGS = json.loads((FIXTURES / "settings.json").read_text(encoding="utf-8"))["settings"]
INVOICE = Invoice(
    number="NF 77/1",
    value_minor=9999,
    currency="BRL",
    key="3526" * 11,
    items=(("1", 2),),
)


@pytest.fixture
def spec():
    return specification(FOLDER)


def problems(spec, world):
    """What is wrong in all that was said, by operation."""
    found = {}
    for request, response in world.exchanges:
        wrong = spec.problems_of_request(request) + spec.problems_of_answer(request, response)
        if wrong:
            found.setdefault(request.operation, []).append(wrong)
    return found


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_every_recorded_request_is_in_the_specification(case, spec, monkeypatch):
    sent = []

    async def listening(self, request, _send=ReplayHttp.send):
        sent.append(request)
        return await _send(self, request)

    monkeypatch.setattr(ReplayHttp, "send", listening)
    await replay(MiraklAdapter, SETTINGS, case)
    wrong = {each.operation: spec.problems_of_request(each) for each in sent}
    assert {name: found for name, found in wrong.items() if found} == {}
    assert len(sent) == len(case.exchanges)


@pytest.mark.parametrize("operator", ["north", "south"])
async def test_a_listing_life_is_in_the_specification(operator, spec, new_world, make):
    own = {"shipping_flow": "auto", "show_list_price": True, "channels": ["US", "CA"],
           "logistic_class": "M", "leadtime_to_ship": 2, "min_quantity_alert": 1,
           "offer_fields": {"ecotax": "20"}, "product_tax_code": "T1",
           "update_products": True}  # fmt: skip
    world = new_world(own if operator == "north" else None, operator=operator)
    category = world.market.some_category()
    offers = [make.offer("1", 10, list_price=25000, market_category=category),
              make.offer("2", 995, market_category=category),
              make.offer("3", eans=(), market_category=category)]  # fmt: skip
    world.market.refuse("3", "Refused by the operator")
    await world.list(*offers)
    await world.list(offers[1])
    await world.finish(await world.adapter.update_content(offers[:1]))
    changed = [make.terms("1", price=5, list_price=9), make.terms("9")]
    await world.finish(await world.adapter.update_price_stock(changed))
    await world.finish(await world.adapter.block([make.terms("1")]))
    await world.finish(await world.adapter.delete([make.terms("1"), make.terms("8")]))
    await world.adapter.find(["1", "2", "3"])
    await world.adapter.find(["2"])
    await world.adapter.categories()
    await world.adapter.attributes(category)
    await world.send(_get(world, "/api/offers/imports"))
    if operator == "south":
        await world.adapter.check()
    assert problems(spec, world) == {}
    reports = {"OF03.offers-errors", "STO03.stock-errors", "PRI03.prices-errors", "P44.errors"}
    assert {request.operation for request, _ in world.exchanges} >= reports


def _get(world, path):
    headers = {"authorization": world.market.settings.api_key}
    return Request("GET", path, headers=headers, operation=path)


async def test_an_order_life_is_in_the_specification(spec, new_world):
    world = new_world({"invoice_key_field": "nfe-key", "invoice_number_field": "nf-number"})
    key = await world.sold(accept_first=True, shipping_minor=1290, discount_minor=101)
    await world.adapter.orders_since("")
    await world.adapter.order(key)
    await world.adapter.accept(key)
    await world.clock.advance(600)
    page = await world.adapter.orders_since('{"since": "2026-01-01T12:00:00Z"}')
    assert page.keys == (key,)
    await world.adapter.send_invoice(key, INVOICE)
    tracking = Tracking(invoice_number="NF 77/1", courier="DPD", number="X1", url="https://t.ex/1")
    await world.adapter.send_tracking(key, tracking)
    await world.adapter.send_tracking(key, tracking.model_copy(update={"invoice_number": "78"}))
    await world.adapter.order(key)
    await world.adapter.cancel(key, "given back")
    assert (await world.adapter.order(key)).status == "cancelled"
    assert problems(spec, world) == {}


async def test_one_parcel_and_every_cancellation_are_in_the_specification(spec, new_world):
    world = new_world({"carriers": {"Colis": "COL"}}, operator="south")
    first = await world.sold(line_tax_minor=89)
    world.market.cancel_units(first)
    world.market.open_incident(first)
    await world.adapter.order(first)
    tracking = Tracking(invoice_number="1", courier="colis", number="X1")
    await world.adapter.send_tracking(first, tracking)
    await world.adapter.cancel(world.market.buy(Sale(lines=(("1", 1),))), "no reason")
    waiting = world.market.buy(Sale(lines=(("1", 1),), accept_first=True))
    await world.adapter.cancel(waiting, "not wanted")
    world.adapter.settings = world.adapter.settings.model_copy(update={"cancel_reason": ""})
    await world.adapter.cancel(world.market.buy(Sale(lines=(("1", 1),))), "no reason")
    assert [world.market.orders[key].state for key in world.market.orders] == [
        "SHIPPED", "CANCELED", "REFUSED", "CANCELED",
    ]  # fmt: skip
    assert problems(spec, world) == {}


def test_the_validator_sees_what_is_wrong(spec):
    good = Request("GET", "/api/orders", {"order_ids": "A"}, operation="good")
    assert spec.problems_of_request(good) == []
    odd = Request("GET", "/api/orders", {"start_update_date": "yesterday", "invented": "1"})
    assert len(spec.problems_of_request(odd)) == 2
    assert spec.problems_of_request(Request("GET", "/api/invented")) != []
    body = Request("PUT", "/api/orders/A/accept", headers={"content-type": "application/json"},
                   body=b'{"order_lines": [{"id": 1, "why": ""}]}')  # fmt: skip
    assert len(spec.problems_of_request(body)) == 3
