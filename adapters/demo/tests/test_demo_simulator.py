"""The adapter against the simulated market: sales, carts, payment, fulfilment."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.demo.market.buying import NotPossibleError
from adapters.demo.market.sale import portions, split
from adapters.demo.market.state import NotSold
from connector.sdk import (
    AlreadyDone,
    Delivery,
    Invoice,
    MarketStatus,
    Rejected,
    RetryLater,
    Tracking,
)


def total_of(order):
    """What a market order's parts add up to."""
    lines = sum(
        line.unit_price_minor * line.quantity
        - line.discount_minor
        + line.shipping_minor
        + line.tax_minor
        for line in order.lines
    )
    return lines - order.discount_minor + order.shipping_minor + order.interest_minor


def invoice(number="1", value=19990, **more):
    return Invoice(number=number, value_minor=value, currency="BRL", **more)


# --- sales --------------------------------------------------------------------------------------


async def test_a_sale_takes_stock_and_reads_back(world):
    await world.list("1", price=3333, stock=5)
    cart = world.market.sell([("1", 3)])
    assert world.market.listings["1"].stock == 2
    assert world.market.listings["1"].history[-1].kind == "sale"
    order = await world.adapter.order(cart.cart_id)
    assert order.status is MarketStatus.PAID
    assert order.total_minor == cart.total_minor == total_of(order) == 9999
    assert (order.buyer.first_name, order.address.city) == ("Zoë", "São Paulo")
    assert order.address.complement == "apto 4 🏡"
    assert order.created_at == world.clock.now()


@pytest.mark.parametrize(
    ("lines", "options", "reason"),
    [
        ([("1", 6)], {}, "SKU 1 has a stock of 5, wanted 6"),
        ([("1", 3), ("1", 3)], {}, "SKU 1 has a stock of 5, wanted 6"),
        ([("9", 1)], {}, "SKU 9 is not listed"),
        ([("1", 0)], {}, "SKU 1: a quantity must be above zero"),
        ([("1", 3), ("1", -2)], {}, "SKU 1: a quantity must be above zero"),
        ([], {}, "nothing was asked for"),
        ([("1", 1)], {"discount_minor": 20000}, "the discounts are larger than the goods cost"),
        (
            [("1", 1)],
            {"line_discount_minor": 20000},
            "the discounts are larger than the goods cost",
        ),
    ],
)
async def test_a_sale_that_cannot_be_says_why(world, lines, options, reason):
    await world.list("1", stock=5)
    assert world.market.sell(lines, **options) == NotSold((reason,))
    assert world.market.listings["1"].stock == 5
    assert world.market.carts == {}
    assert world.market.refused_sales == 1


async def test_two_sales_of_the_last_unit(world):
    await world.list("1", stock=1)
    assert world.market.sell([("1", 1)]).cart_id == "C-000001"
    assert isinstance(world.market.sell([("1", 1)]), NotSold)
    assert list(world.market.carts) == ["C-000001"]


@pytest.mark.parametrize("orders", [1, 2, 3, 7])
async def test_amounts_add_up_to_the_cent_however_a_sale_is_split(world, orders):
    await world.list("1", "2", price=3333, stock=50)
    cart = world.market.sell(
        [("1", 5), ("2", 2)],
        orders=orders,
        discount_minor=1001,
        shipping_minor=997,
        interest_minor=13,
        line_discount_minor=7,
        line_shipping_minor=11,
        line_tax_minor=3,
    )
    order = await world.adapter.order(cart.cart_id)
    assert len(cart.orders) == orders
    assert order.total_minor == cart.total_minor == total_of(order)
    assert {line.sku: line.quantity for line in order.lines} == {"1": 5, "2": 2}
    assert (order.discount_minor, order.shipping_minor, order.interest_minor) == (1001, 997, 13)


@given(st.integers(0, 10**9), st.integers(1, 50))
def test_splits_are_exact(total, parts):
    assert sum(split(total, parts)) == total
    assert max(split(total, parts)) - min(split(total, parts)) <= 1


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9)), min_size=1, max_size=5),
    st.integers(1, 9),
)
def test_dealing_loses_no_unit(wanted, orders):
    dealt = portions(wanted, orders)
    assert all(dealt)
    units = sorted(sku for part in dealt for sku, n in part for _ in range(n))
    assert units == sorted(sku for sku, n in wanted for _ in range(n))


# --- carts --------------------------------------------------------------------------------------


async def test_a_cart_is_incomplete_until_its_last_order_arrived(world):
    await world.list("1", stock=9)
    cart = world.market.sell([("1", 3)], orders=3, arrive_every_s=60)
    for minutes, arrived in ((0, 1), (1, 2), (1, 3)):
        await world.clock.advance(60 * minutes)
        order = await world.adapter.order(cart.cart_id)
        assert order.complete == (arrived == 3)
        assert sum(line.quantity for line in order.lines) == arrived
        if not order.complete:
            with pytest.raises(RetryLater):
                await world.adapter.accept(cart.cart_id)
    await world.adapter.accept(cart.cart_id)


async def test_one_order_of_a_cart_is_cancelled(world):
    await world.list("1", "2")
    cart = world.market.sell([("1", 1), ("2", 1)], orders=2)
    world.market.cancel_by_buyer(cart.cart_id, order_id=cart.orders[0].order_id, reason="Too dear")
    order = await world.adapter.order(cart.cart_id)
    assert (order.status, order.partly_cancelled) == (MarketStatus.PAID, True)
    assert order.cancel_reason == "Too dear"
    world.market.cancel_by_buyer(cart.cart_id)
    order = await world.adapter.order(cart.cart_id)
    assert (order.status, order.partly_cancelled) == (MarketStatus.CANCELLED, False)
    assert cart.cancelled_by == "buyer"


async def test_some_units_are_cancelled(world):
    await world.list("1")
    cart = world.market.sell([("1", 3)])
    world.market.partially_cancel(cart.cart_id, "1", 2)
    order = await world.adapter.order(cart.cart_id)
    assert order.partly_cancelled
    assert order.lines[0].quantity == 3
    world.market.partially_cancel(cart.cart_id, "1", 5)
    with pytest.raises(NotPossibleError):
        world.market.partially_cancel(cart.cart_id, "1", 1)


async def test_unknown_status_is_pending(world):
    await world.list("1")
    cart = world.market.sell([("1", 1)], status="UNDER REVIEW")
    order = await world.adapter.order(cart.cart_id)
    assert (order.status, order.raw_status) == (MarketStatus.PENDING, "UNDER REVIEW")
    world.market.set_status(cart.cart_id, "paid")
    assert (await world.adapter.order(cart.cart_id)).status is MarketStatus.PAID


async def test_an_unknown_cart_is_none(world):
    assert await world.adapter.order("C-9/ü") is None
    with pytest.raises(Rejected, match="There is no cart"):
        await world.adapter.accept("C-9")


# --- payment and acceptance -----------------------------------------------------------------------


@pytest.mark.parametrize(("payment", "paid"), [("now", True), ("later", True), ("never", False)])
async def test_payment_comes_when_it_comes(world, payment, paid):
    await world.list("1")
    cart = world.market.sell([("1", 1)], payment=payment, pay_after_s=300)
    before = (await world.adapter.order(cart.cart_id)).status
    assert before is (MarketStatus.PAID if payment == "now" else MarketStatus.PENDING)
    await world.clock.advance(300)
    after = (await world.adapter.order(cart.cart_id)).status
    assert after is (MarketStatus.PAID if paid else MarketStatus.PENDING)


async def test_a_cancelled_order_is_not_paid_later(world):
    await world.list("1")
    cart = world.market.sell([("1", 1)], payment="later", pay_after_s=300)
    world.market.cancel_by_buyer(cart.cart_id)
    await world.clock.advance(300)
    assert cart.status == "cancelled"
    with pytest.raises(NotPossibleError):
        world.market.pay(cart.cart_id)


async def test_accept_twice_is_already_done(world):
    await world.list("1")
    cart = world.market.sell([("1", 1)], payment="never")
    await world.adapter.accept(cart.cart_id)
    with pytest.raises(AlreadyDone):
        await world.adapter.accept(cart.cart_id)
    assert cart.accepts == 2
    assert (await world.adapter.order(cart.cart_id)).accepted


@pytest.mark.parametrize("payment", ["now", "later"])
async def test_some_orders_wait_for_acceptance(world, payment):
    await world.list("1")
    cart = world.market.sell([("1", 1)], accept_first=True, payment=payment, pay_after_s=60)
    await world.clock.advance(60)
    order = await world.adapter.order(cart.cart_id)
    assert (order.needs_acceptance, order.status) == (True, MarketStatus.PENDING)
    await world.adapter.accept(cart.cart_id)
    order = await world.adapter.order(cart.cart_id)
    assert (order.needs_acceptance, order.status) == (False, MarketStatus.PAID)


# --- cancellation, fulfilment ---------------------------------------------------------------------


async def test_the_seller_cancels_once_and_not_after_shipping(world):
    await world.list("1")
    cart = world.market.sell([("1", 1)])
    await world.adapter.cancel(cart.cart_id, "Lost in the warehouse")
    assert (cart.status, cart.cancelled_by) == ("cancelled", "seller")
    with pytest.raises(AlreadyDone):
        await world.adapter.cancel(cart.cart_id, "again")
    assert cart.cancels == 2
    assert (await world.adapter.order(cart.cart_id)).cancel_reason == "Lost in the warehouse"
    for act in (
        world.adapter.accept(cart.cart_id),
        world.adapter.send_invoice(cart.cart_id, invoice()),
        world.adapter.send_tracking(cart.cart_id, Tracking(invoice_number="1")),
    ):
        with pytest.raises(Rejected, match="cancelled"):
            await act


async def test_invoice_tracking_delivery(world):
    await world.list("1")
    cart = world.market.sell([("1", 2)])
    key, number = cart.cart_id, "NFe 1/Ä"
    await world.adapter.send_invoice(key, invoice(number, xml="<a/>", items=(("1", 2),)))
    await world.adapter.send_invoice(key, invoice(number, xml="<a/>", items=(("1", 2),)))
    assert cart.invoices[number].arrivals == 2
    assert cart.invoices[number].body["value"] == "199.90"
    with pytest.raises(Rejected, match="other content"):
        await world.adapter.send_invoice(key, invoice(number, value=1))
    await world.adapter.send_tracking(key, Tracking(invoice_number=number, number="BR1"))
    assert cart.status == "shipped"
    await world.adapter.send_tracking(key, Tracking(invoice_number=number, number="BR2"))
    assert cart.trackings[number].body["number"] == "BR2"
    assert cart.trackings[number].arrivals == 2
    with pytest.raises(Rejected, match="shipped"):
        await world.adapter.cancel(key, "too late")
    with pytest.raises(NotPossibleError):
        world.market.cancel_by_buyer(key)
    at = datetime(2026, 1, 5, tzinfo=UTC)
    await world.adapter.send_delivered(key, number, at)
    with pytest.raises(AlreadyDone):
        await world.adapter.send_delivered(key, number, at)
    order = await world.adapter.order(key)
    assert order.status is MarketStatus.DELIVERED
    assert order.known_invoices == order.known_deliveries == (number,)
    assert order.known_trackings == ("BR2",)


async def test_two_invoices_are_delivered_one_by_one(world):
    await world.list("1")
    cart = world.market.sell([("1", 2)])
    for number in ("1", "2"):
        await world.adapter.send_invoice(cart.cart_id, invoice(number))
        await world.adapter.send_tracking(cart.cart_id, Tracking(invoice_number=number))
    await world.adapter.send_delivered(cart.cart_id, "1", world.clock.now())
    assert cart.status == "shipped"
    await world.adapter.send_delivered(cart.cart_id, "2", world.clock.now())
    assert cart.status == "delivered"


async def test_what_comes_too_early_waits_or_is_refused(world):
    await world.list("1")
    cart = world.market.sell([("1", 1)], payment="never")
    with pytest.raises(RetryLater):
        await world.adapter.send_invoice(cart.cart_id, invoice())
    with pytest.raises(Rejected, match="no invoice"):
        await world.adapter.send_delivered(cart.cart_id, "1", world.clock.now())
    with pytest.raises(Rejected, match="needs a number"):
        await world.adapter.send_invoice(cart.cart_id, invoice(""))


@pytest.mark.parametrize("kind", [Delivery.MARKETPLACE, Delivery.MARKETPLACE_STOCK])
async def test_the_marketplace_ships_fob_orders_itself(world, kind):
    await world.list("1")
    cart = world.market.sell([("1", 1)], delivery=kind, warehouse_id="wh-9", labels=2)
    order = await world.adapter.order(cart.cart_id)
    assert (order.delivery, order.warehouse_id, len(order.tracking_hints)) == (kind, "wh-9", 2)
    await world.adapter.send_invoice(cart.cart_id, invoice())
    with pytest.raises(Rejected, match="ships this cart itself"):
        await world.adapter.send_tracking(cart.cart_id, Tracking(invoice_number="1"))
    with pytest.raises(NotPossibleError):
        world.market.deliver_fob(cart.cart_id)
    world.market.ship_fob(cart.cart_id)
    order = await world.adapter.order(cart.cart_id)
    assert (order.status, order.shipment.tracking_number) == (MarketStatus.SHIPPED, "DXC-000001")
    await world.clock.advance(3600)
    world.market.deliver_fob(cart.cart_id)
    order = await world.adapter.order(cart.cart_id)
    assert order.status is MarketStatus.DELIVERED
    assert (order.shipment.delivered_at - order.shipment.shipped_at).total_seconds() == 3600


async def test_only_fob_orders_are_shipped_by_the_marketplace(world):
    await world.list("1")
    cart = world.market.sell([("1", 1)], delivery="pickup", pickup_point_id="store-1")
    order = await world.adapter.order(cart.cart_id)
    assert (order.delivery, order.address.pickup_point_id) == (Delivery.PICKUP, "store-1")
    with pytest.raises(NotPossibleError):
        world.market.ship_fob(cart.cart_id)
