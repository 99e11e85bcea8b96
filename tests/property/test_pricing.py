"""Whatever discounts an order has: the folded lines come to its total, to the cent."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.marketorder import Delivery, Line, MarketOrder, MarketStatus
from connector.domain.pricing import (
    DoesNotAddUp,
    allocate,
    fold,
    freight_total,
    goods_total,
    tax_total,
)

MANY = settings(max_examples=80, deadline=None)


@st.composite
def lines(draw: Any) -> Line:
    quantity = draw(st.integers(1, 7))
    price = draw(st.integers(0, 30_000))
    return Line(
        sku=str(draw(st.integers(1, 3))),
        quantity=quantity,
        unit_price_minor=price,
        discount_minor=draw(st.integers(0, price * quantity)),
        shipping_minor=draw(st.integers(0, 999)),
        tax_minor=draw(st.integers(0, 99)),
    )


@st.composite
def orders(draw: Any) -> MarketOrder:
    order = MarketOrder(
        key="C-1",
        status=MarketStatus.PAID,
        created_at=datetime(2026, 3, 2, tzinfo=UTC),
        currency="BRL",
        lines=tuple(draw(st.lists(lines(), min_size=1, max_size=5))),
        shipping_minor=draw(st.integers(0, 9_999)),
        interest_minor=draw(st.integers(0, 999)),
        delivery=draw(st.sampled_from(list(Delivery))),
        total_minor=0,
    )
    discount = draw(st.integers(0, goods_total(order)))
    order = order.model_copy(update={"discount_minor": discount})
    total = goods_total(order) + freight_total(order) + tax_total(order) + order.interest_minor
    return order.model_copy(update={"total_minor": total})


@MANY
@given(orders())
def test_the_folded_lines_come_to_the_marketplaces_total(order: MarketOrder):
    folded = fold(order)
    parts = sum(one.total_minor + one.shipping_minor + one.tax_minor for one in folded)
    assert parts + order.interest_minor == order.total_minor


@MANY
@given(orders())
def test_units_taxes_and_signs_survive(order: MarketOrder):
    folded = fold(order)
    sold: Counter[str] = Counter()
    placed: Counter[str] = Counter()
    for line in order.lines:
        sold[line.sku] += line.quantity
    for one in folded:
        placed[one.sku] += one.quantity
    assert placed == sold
    assert sum(one.tax_minor for one in folded) == tax_total(order)
    assert all(one.quantity > 0 for one in folded)
    assert all(min(one.price_minor, one.shipping_minor, one.tax_minor) >= 0 for one in folded)


@MANY
@given(orders())
def test_freight_is_touched_only_where_it_is_the_sellers_and_by_less_than_a_unit(
    order: MarketOrder,
):
    invented = sum(one.shipping_minor for one in fold(order)) - freight_total(order)
    if order.delivery in {Delivery.MARKETPLACE, Delivery.MARKETPLACE_STOCK}:
        assert invented == 0
    else:
        assert 0 <= invented < sum(line.quantity for line in order.lines)


@MANY
@given(orders())
def test_no_buyer_is_charged_more_for_a_unit_than_the_marketplace_asked(order: MarketOrder):
    """Discounts only take away, but for the cent that splits a line."""
    asked = {line.sku: 0 for line in order.lines}
    for line in order.lines:
        asked[line.sku] = max(asked[line.sku], line.unit_price_minor)
    single = any(line.quantity == 1 for line in order.lines)
    for one in fold(order):
        slack = 6 * len(order.lines) if single else 1
        assert one.price_minor <= asked[one.sku] + slack


@MANY
@given(orders(), st.integers(-5_000, 5_000).filter(bool))
def test_an_order_that_does_not_add_up_is_never_placed(order: MarketOrder, off_by: int):
    wrong = order.model_copy(update={"total_minor": order.total_minor + off_by})
    with pytest.raises(DoesNotAddUp, match=str(wrong.total_minor)):
        fold(wrong)


@MANY
@given(st.integers(0, 100_000), st.lists(st.integers(0, 10_000), min_size=1, max_size=8))
def test_allocation_is_exact_and_fair(amount: int, weights: list[int]):
    parts = allocate(amount, weights)
    assert sum(parts) == amount
    total = sum(weights)
    if total:
        for part, weight in zip(parts, weights, strict=True):
            assert abs(part - amount * weight / total) < 1
