"""Discounts folded into prices: VTEX's total is the marketplace's, to the cent."""

from __future__ import annotations

from typing import Any

import pytest

from connector.domain.marketorder import Delivery, Line
from connector.domain.pricing import (
    DoesNotAddUp,
    PricedLine,
    allocate,
    fold,
    freight_total,
    goods_total,
    tax_total,
)
from tests.unit.domain.build import market_order


def line(quantity: int, price: int, sku: str = "1001", **extra: int) -> Line:
    return Line(sku=sku, quantity=quantity, unit_price_minor=price, **extra)


def sold(*lines: Line, **extra: Any) -> Any:
    """An order whose total is what its parts come to."""
    bare = market_order(lines=lines, total_minor=0, **extra)
    parts = (goods_total(bare), freight_total(bare), tax_total(bare), bare.interest_minor)
    return bare.model_copy(update={"total_minor": sum(parts)})


def priced(of: Any) -> list[tuple[str, int, int, int]]:
    return [(one.sku, one.quantity, one.price_minor, one.shipping_minor) for one in fold(of)]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (sold(line(2, 5_000)), [("1001", 2, 5_000, 0)]),
        (sold(line(2, 5_000), shipping_minor=990), [("1001", 2, 5_000, 990)]),
        (sold(line(2, 5_000, discount_minor=100)), [("1001", 2, 4_950, 0)]),
        (sold(line(1, 5_000, shipping_minor=7), shipping_minor=3), [("1001", 1, 5_000, 10)]),
        (sold(line(1, 0)), [("1001", 1, 0, 0)]),
    ],
    ids=["plain", "freight", "line discount", "both freights", "free"],
)
def test_amounts_that_divide(of: Any, expected: list[Any]):
    assert priced(of) == expected


def test_an_order_discount_is_apportioned_by_what_lines_cost():
    of = sold(line(1, 1_000), line(1, 4_000, "1002"), discount_minor=1_000)
    assert priced(of) == [("1001", 1, 800, 0), ("1002", 1, 3_200, 0)]


def test_what_a_unit_price_cannot_express_goes_to_the_freight():
    of = sold(line(3, 1_000, discount_minor=100), shipping_minor=500)
    assert priced(of) == [("1001", 3, 966, 502)]


@pytest.mark.parametrize("delivery", [Delivery.MARKETPLACE, Delivery.MARKETPLACE_STOCK])
def test_where_freight_is_not_the_sellers_the_line_is_split(delivery: Delivery):
    """VTEX ignores the freight of such orders: two lines of neighbouring prices instead."""
    of = sold(line(3, 1_000, discount_minor=100), delivery=delivery)
    assert priced(of) == [("1001", 1, 966, 0), ("1001", 2, 967, 0)]


def test_a_pickup_order_carries_its_residue_as_freight():
    of = sold(line(3, 1_000, discount_minor=100), delivery=Delivery.PICKUP)
    assert priced(of) == [("1001", 3, 966, 2)]


def test_a_line_of_one_takes_what_others_cannot_express():
    """No freight is invented while a single unit can carry the cents."""
    of = sold(line(3, 1_000), line(1, 1_000, "1002"), discount_minor=101)
    folded = fold(of)
    assert all(one.shipping_minor == 0 for one in folded)
    assert sum(one.total_minor for one in folded) == 3_899


def test_lines_of_one_sku_at_one_price_become_one():
    of = sold(line(1, 1_000, discount_minor=10), line(2, 1_000, discount_minor=20, tax_minor=5))
    assert priced(of) == [("1001", 3, 990, 0)]
    assert fold(of)[0].tax_minor == 5


def test_lines_of_one_sku_at_two_prices_stay_apart():
    assert priced(sold(line(1, 1_000), line(1, 900))) == [
        ("1001", 1, 1_000, 0),
        ("1001", 1, 900, 0),
    ]


def test_freight_is_shared_out_by_value():
    of = sold(line(1, 3_000), line(1, 1_000, "1002"), shipping_minor=1_001)
    assert [one.shipping_minor for one in fold(of)] == [751, 250]


def test_free_goods_still_carry_their_freight():
    of = sold(line(1, 0), line(1, 0, "1002"), shipping_minor=990)
    assert sum(one.shipping_minor for one in fold(of)) == 990


def test_taxes_stay_with_their_line_and_interest_outside():
    of = sold(line(2, 1_000, tax_minor=36), interest_minor=77)
    assert fold(of) == (PricedLine("1001", 2, 1_000, 0, 36),)
    assert of.total_minor == 2_000 + 36 + 77


@pytest.mark.parametrize("off_by", [-1, 1, 10_000])
def test_amounts_that_contradict_each_other_are_named(off_by: int):
    of = sold(line(2, 5_000), shipping_minor=990, interest_minor=3)
    wrong = of.model_copy(update={"total_minor": of.total_minor + off_by})
    with pytest.raises(DoesNotAddUp) as error:
        fold(wrong)
    for amount in (10_000, 990, 3, of.total_minor, wrong.total_minor):
        assert str(amount) in str(error.value)


@pytest.mark.parametrize(
    "of",
    [
        sold(line(1, 100, discount_minor=101), line(1, 500, "1002")),
        sold(line(1, 100), discount_minor=200, shipping_minor=500),
    ],
    ids=["line", "order"],
)
def test_a_discount_larger_than_what_it_is_taken_off_is_refused(of: Any):
    with pytest.raises(DoesNotAddUp, match="larger"):
        fold(of)


def test_everything_for_free_is_possible():
    assert priced(sold(line(2, 500), discount_minor=1_000)) == [("1001", 2, 0, 0)]


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (100, [1, 2, 1], [25, 50, 25]),
        (1, [5, 5], [1, 0]),
        (0, [1, 2], [0, 0]),
        (7, [0, 0], [7, 0]),
        (7, [0, 3], [0, 7]),
        (5, [], []),
    ],
)
def test_allocate(amount: int, weights: list[int], parts: list[int]):
    assert allocate(amount, weights) == parts
