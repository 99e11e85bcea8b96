"""The books that a new simulator begins with."""

import asyncio

import pytest

from connector.domain.http import Request, Response
from connector.sdk import Delivery, MarketStatus, json_request
from connector.sdk.kit.clock import StepClock
from connector.sdk.testing.market import NotPossible, Sale
from connector.sdk.testing.plain import PlainMarket


class Hub:
    def __init__(self):
        self.told = []

    async def send(self, request):
        self.told.append(request.json())
        return Response(200)


class Market(PlainMarket):
    def letter(self, order):
        return json_request("POST", self.webhook_url, [order.key, order.word])


@pytest.fixture
async def market():
    made = Market(clock=StepClock(), outbound=Hub())
    made.put("1", price_minor=1000, stock=5, text="Trail shoe")
    yield made
    await made.close()


async def test_a_sale_takes_its_units_and_is_paid_at_once(market):
    key = market.buy(Sale(lines=(("1", 2), ("1", 1)), shipping_minor=300, line_discount_minor=10))
    bought = market.buys()[key]
    assert (bought.status, bought.paid) == (MarketStatus.PAID, True)
    assert bought.total_minor == 3 * 1000 - 2 * 10 + 300
    shelf = market.shelf()["1"]
    assert (shelf.stock, shelf.text) == (2, "Trail shoe")
    assert [change.by_seller for change in shelf.history] == [True, False]


@pytest.mark.parametrize(
    "sale",
    [
        Sale(lines=(("1", 6),)),
        Sale(lines=(("1", 3), ("1", 3))),
        Sale(lines=(("2", 1),)),
        Sale(lines=(("1", 1),), delivery=Delivery.MARKETPLACE),
        Sale(lines=(("1", 1),), accept_first=True),
        Sale(lines=(("1", 1),), orders=2),
    ],
)
async def test_what_it_does_not_have_or_know_is_not_for_sale(market, sale):
    assert market.buy(sale) is None
    assert market.shelf()["1"].stock == 5


async def test_a_blocked_listing_is_not_sold_until_it_has_stock_again(market):
    market.listings["1"].blocked = True
    assert market.buy(Sale(lines=(("1", 1),))) is None
    market.put("1", price_minor=1000, stock=5)
    assert market.buy(Sale(lines=(("1", 1),)))


@pytest.mark.parametrize(("pay_after_s", "paid"), [(60, True), (None, False)])
async def test_payment_comes_later_or_never(market, pay_after_s, paid):
    key = market.buy(Sale(lines=(("1", 1),), pay_after_s=pay_after_s))
    assert market.buys()[key].status is MarketStatus.PENDING
    await asyncio.sleep(0)
    await market.clock.advance(60)
    assert market.buys()[key].paid is paid


async def test_cancelling_ends_an_order_once_and_not_after_it_left(market):
    first, second = (market.buy(Sale(lines=(("1", 1),))) for _ in range(2))
    market.cancel_order(first, "no")
    market.cancel_order(first, "no")
    assert (market.buys()[first].cancelled, market.buys()[first].cancelled_by) == (True, "buyer")
    market.moved(market.orders[second], "shipped")
    with pytest.raises(NotPossible, match="shipped already"):
        market.cancel_order(second, "too late")
    for act in (market.collect, market.hand_over):
        with pytest.raises(NotPossible, match="the seller ships"):
            act(second)


async def test_every_change_is_numbered_and_announced(market):
    market.call_back("https://hub.example/hook")
    key = market.buy(Sale(lines=(("1", 1),)))
    market.cancel_order(key, "no")
    assert market.changes == [(1, key), (2, key)]
    await market.clock.advance(1)
    assert market.outbound.told == [[key, "paid"], [key, "cancelled"]]
    assert market.buys()[key].told_at is not None


async def test_an_invoice_is_kept_once_and_its_arrivals_are_counted(market):
    order = market.orders[market.buy(Sale(lines=(("1", 1),)))]
    market.invoiced(order, "1", 1000)
    market.invoiced(order, "1", 1000)
    [paper] = market.buys()[order.key].papers
    assert (paper.number, paper.value_minor, paper.arrivals) == ("1", 1000, 2)


async def test_unknown_words_are_pending_in_the_books(market):
    key = market.buy(Sale(lines=(("1", 1),)))
    market.odd_status(key)
    assert market.buys()[key].status is MarketStatus.PENDING
    assert (await market.handle(Request("GET", "/nothing"))).status == 404
