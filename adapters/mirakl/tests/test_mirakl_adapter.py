"""The adapter's own decisions, against the simulated platform."""

from datetime import timedelta

import pytest

from adapters.mirakl import ADAPTER, SIMULATOR, MiraklAdapter, MiraklSimulator
from connector.sdk import (
    Held,
    InLot,
    Invoice,
    Misconfigured,
    NoAnswer,
    NotSent,
    PriceStock,
    RateLimited,
    Refused,
    Rejected,
    Response,
    RetryLater,
    Tracking,
    TryAgain,
    Unsupported,
)
from connector.sdk.testing.market import Sale

PDF = b"%PDF-1.7 the merchant's own"


class Between:
    """Stands between adapter and platform; ``answers`` replaces some operations' answers."""

    def __init__(self, world, **answers):
        self.world, self.answers, self.sent = world, answers, []
        world.adapter.http = self

    async def send(self, request):
        self.sent.append(request)
        answer = self.answers.get(request.operation.partition(".")[0])
        if isinstance(answer, Exception):
            raise answer
        return answer if answer is not None else await self.world.send(request)

    def operations(self):
        return [request.operation for request in self.sent]


def held(world, seconds):
    return Held("held back", world.clock.now() + timedelta(seconds=seconds))


def invoice(number="NF-1", **fields):
    return Invoice(number=number, value_minor=9999, currency="BRL", **fields)


def test_package_offers_adapter_and_simulator():
    assert (MiraklAdapter, MiraklSimulator) == (ADAPTER, SIMULATOR)


# --- listings -------------------------------------------------------------------------------------


async def test_products_are_created_only_where_that_is_wanted(new_world, make):
    world = new_world({"create_products": False})
    outcomes = await world.adapter.create([make.offer("1"), make.offer("2", 995)])
    assert isinstance(outcomes["1"], InLot)
    assert outcomes["2"].reasons[0].startswith("the operator does not know the product EAN")
    assert world.calls("P41.products") == []


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (lambda world: held(world, 300), TryAgain("Mirakl takes so many imports and no more", 300)),
        (lambda _: NotSent("down"), TryAgain("Mirakl could not be reached")),
        (lambda _: NoAnswer("lost"), None),
        (
            lambda _: Response(429, {"retry-after": "77"}),
            TryAgain("the marketplace asks us to slow down", 77),
        ),
    ],
    ids=["held", "not-sent", "no-answer", "too-many"],
)
async def test_one_import_that_cannot_be_made_does_not_hold_up_the_other(
    world, make, failure, expected
):
    Between(world, P41=failure(world))
    outcomes = await world.adapter.create([make.offer("1"), make.offer("2", 995)])
    assert isinstance(outcomes["1"], InLot)
    assert outcomes.get("2") == expected


async def test_an_import_alone_that_cannot_be_made_is_the_hubs_to_repeat(world, make):
    Between(world, OF24=held(world, 60))
    with pytest.raises(Held):
        await world.adapter.create([make.offer("1")])


async def test_stock_goes_first_and_prices_wait_for_it(world, make):
    between = Between(world, STO01=held(world, 60))
    with pytest.raises(Held):
        await world.adapter.update_price_stock([make.terms("1")])
    assert between.operations() == ["STO01.stock"]


async def test_a_sku_refused_by_both_imports_hears_both_reasons(world, make):
    odd = PriceStock(
        sku="1", price_minor=0, list_price_minor=0, currency="BRL", stock=9_999_999_999
    )
    await world.list(make.offer("1"))
    done = await world.finish(await world.adapter.update_price_stock([odd]))
    assert done == {"1": Refused(("The quantity is not valid", "The price is not valid"))}


async def test_a_few_skus_are_looked_up_by_themselves(world, make):
    for start in range(0, 250, 50):
        await world.list(*(make.offer(str(n), n) for n in range(start, start + 50)
                           if n % 100 < 50))  # fmt: skip
    total = len(world.market.offers)
    world.exchanges.clear()
    found = await world.adapter.find([str(n) for n in range(120, 122)])
    assert set(found) == {"120", "121"}
    assert len(world.calls("OF21.offers")) <= 2
    world.exchanges.clear()
    everything = await world.adapter.find(list(world.market.offers))
    assert len(everything) == total
    assert len(world.calls("OF21.offers")) == -(-total // 100)


async def test_a_hundred_thousand_answers_nobody_has_are_not_asked_one_by_one(world):
    assert await world.adapter.find([str(n) for n in range(3000)]) == {}
    assert len(world.calls("OF21.offers")) == 1


# --- check ----------------------------------------------------------------------------------------


async def test_a_second_check_on_the_same_day_still_proves_the_key(new_world):
    world = new_world(ceilings=True)
    assert await world.adapter.check() == world.market.settings.shop_name
    assert await world.adapter.check() == "shop"
    Between(world, A01=held(world, 9), OF61=held(world, 9), DO01=held(world, 9))
    assert await world.adapter.check() == "shop"


async def test_choices_that_the_platform_does_not_allow_are_told_together(new_world):
    own = {"shipping_flow": "shipments", "show_list_price": True, "carriers": {"A": "NOPE"}}
    world = new_world(own, operator="south")
    with pytest.raises(Misconfigured) as told:
        await world.adapter.check()
    for words in ("carrier NOPE", "one parcel per order", "discounts to have dates"):
        assert words in told.value.public


# --- invoices -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "answer", "content"),
    [
        ("https://nfe.example/1", Response(200, {}, PDF), PDF),
        ("https://nfe.example/1", Response(200, {}, b"<html>log in</html>"), b"%PDF-1.4"),
        ("https://nfe.example/1", Response(404), b"%PDF-1.4"),
        ("https://nfe.example/1", NoAnswer("slow"), b"%PDF-1.4"),
        ("http://nfe.example/1", Response(200, {}, PDF), b"%PDF-1.4"),
        ("", Response(200, {}, PDF), b"%PDF-1.4"),
    ],
    ids=["pdf", "a-page", "gone", "slow", "not-https", "no-link"],
)
async def test_the_own_pdf_is_sent_where_there_is_one(new_world, url, answer, content):
    world = new_world({"fetch_invoice": True})
    key = await world.sold()
    between = Between(world, invoice=answer)
    await world.adapter.send_invoice(key, invoice(url=url))
    (document,) = world.market.orders[key].documents
    assert document.content.startswith(content)
    fetched = [request for request in between.sent if request.operation == "invoice.file"]
    assert all("authorization" not in request.headers for request in fetched)


async def test_where_there_is_no_way_to_tell_the_hub_goes_on(new_world):
    world = new_world({"document_type": "", "shipping_flow": "order"})
    key = await world.sold()
    with pytest.raises(Unsupported):
        await world.adapter.send_invoice(key, invoice())
    assert world.market.orders[key].documents == []


async def test_custom_fields_take_number_and_key(new_world):
    own = {"invoice_number_field": "nf-number", "invoice_key_field": "nfe-key"}
    world = new_world(own)
    key = await world.sold()
    await world.adapter.send_invoice(key, invoice(key="3526"))
    assert world.market.orders[key].fields == {
        "nf-customer-document": "52998224725",
        "nf-number": "NF-1",
        "nfe-key": "3526",
    }
    wrong = new_world({"invoice_number_field": "invented"})
    key = await wrong.sold()
    with pytest.raises(Rejected, match="invented The custom field does not exist"):
        await wrong.adapter.send_invoice(key, invoice())


# --- parcels --------------------------------------------------------------------------------------


async def test_each_invoice_has_a_parcel_with_its_own_units(world, make):
    await world.list(make.offer("1"), make.offer("2", 11))
    key = world.market.buy(Sale(lines=(("1", 3), ("2", 1))))
    await world.adapter.send_invoice(key, invoice("A", items=(("1", 2),)))
    await world.adapter.send_invoice(key, invoice("B"))
    order = world.market.orders[key]
    assert [
        [(line["order_line_id"][-1], line["quantity"]) for line in one.lines]
        for one in order.shipments
    ] == [[("1", 2)], [("1", 1), ("2", 1)]]
    await world.adapter.send_tracking(key, Tracking(invoice_number="B", courier="x", number="2"))
    assert order.state == "SHIPPING"
    await world.adapter.send_tracking(key, Tracking(invoice_number="A", courier="x", number="1"))
    assert order.state == "SHIPPED"
    with pytest.raises(Rejected, match="parcels of other invoices"):
        await world.adapter.send_tracking(key, Tracking(invoice_number="C", number="3"))


@pytest.mark.parametrize("flow", ["order", "shipments"])
async def test_an_order_may_be_shipped_without_any_tracking(new_world, flow):
    world = new_world({"ship_when_invoiced": True, "shipping_flow": flow})
    key = await world.sold()
    await world.adapter.send_invoice(key, invoice())
    assert world.market.orders[key].state == "SHIPPED"


async def test_what_arrived_needs_no_tracking(world):
    key = await world.sold()
    world.market.move(world.market.orders[key], "RECEIVED")
    from_hub = Tracking(invoice_number="1", courier="x", number="1")
    with pytest.raises(Exception, match="arrived"):
        await world.adapter.send_tracking(key, from_hub)


# --- giving up ------------------------------------------------------------------------------------


async def test_nothing_is_refunded_without_a_reason(world):
    key = await world.sold()
    world.market.move(world.market.orders[key], "SHIPPED")
    world.adapter.settings = world.adapter.settings.model_copy(update={"refund_reason": ""})
    with pytest.raises(Rejected, match="no reason for refunds"):
        await world.adapter.cancel(key, "broken")


async def test_an_order_that_nobody_may_cancel_is_left_to_a_person(world):
    key = await world.sold()
    world.market.move(world.market.orders[key], "STAGING")
    with pytest.raises(RetryLater):
        await world.adapter.accept(key)
    world.market.odd_status(key)
    with pytest.raises(Rejected, match="does not let the seller cancel"):
        await world.adapter.cancel(key, "broken")


async def test_a_partly_cancelled_order_is_cancelled_without_amounts(world):
    key = await world.sold()
    world.market.cancel_units(key)
    await world.adapter.cancel(key, "broken")
    assert len(world.calls("OR29.cancel")) == 1
    assert world.market.orders[key].state == "CANCELED"


async def test_what_left_before_there_was_a_connection_is_not_polled(world):
    shipped = await world.sold()
    world.market.move(world.market.orders[shipped], "SHIPPED")
    waiting = world.market.buy(Sale(lines=(("1", 1),), accept_first=True))
    page = await world.adapter.orders_since("")
    assert page.keys == (waiting,)
    page = await world.adapter.orders_since(page.cursor)
    assert set(page.keys) == {shipped, waiting}


async def test_polling_above_the_ceiling_is_told_so(new_world):
    world = new_world(ceilings=True)
    await world.adapter.orders_since("")
    with pytest.raises(RateLimited):
        await world.adapter.orders_since("")
    for _ in range(5):  # one order's page is no list that somebody polls
        assert await world.adapter.order("unknown") is None


async def test_lists_of_values_are_asked_for_once_an_hour_for_all_categories(new_world):
    world = new_world(ceilings=True)
    leaves = [each.id for each in await world.adapter.categories() if each.leaf][:5]
    told = [await world.adapter.attributes(leaf) for leaf in leaves]
    assert sum(any(each.values for each in attributes) for attributes in told) > 1
    assert len(world.calls("VL11.values")) == 1
    await world.clock.advance(3_600)
    again = await world.adapter.attributes(leaves[0])
    assert (again, len(world.calls("VL11.values"))) == (told[0], 2)
