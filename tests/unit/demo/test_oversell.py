"""Whose fault it is when more was sold than there was."""

from __future__ import annotations

from dataclasses import replace

from connector.domain.marketorder import MarketStatus
from connector.sandbox.demo.books import Allowance, Books, SkuBook, VtexBook
from connector.sandbox.demo.oversell import excused, oversold, unreserved
from connector.sdk.testing.market import Bought, ShelfItem
from tests.unit.demo.conftest import at, pushed, sold

ALLOWANCE = Allowance(stale_s=60, read_s=30, act_s=100, under_way_s=5, unannounced_s=1000)


def buy(key: str, seconds: float, *, told: float | None = 1, quantity: int = 1, sku: str = "1",
        cancelled: float | None = None) -> Bought:  # fmt: skip
    return Bought(
        key,
        MarketStatus.PAID if cancelled is None else MarketStatus.CANCELLED,
        paid=True,
        total_minor=1000,
        lines=((sku, quantity),),
        sold_at=at(seconds),
        told_at=None if told is None else at(seconds + told),
        cancelled_at=None if cancelled is None else at(cancelled),
    )


def vtex(ref: str, seconds: float) -> VtexBook:
    return VtexBook(f"DMK-{ref}", ref, 1000, "handling", approved=True, created_at=at(seconds))


def books(history: tuple, *buys: Bought, free: tuple = ((-9000, 1),), orders: tuple = ()) -> Books:
    return Books(
        skus={"1": SkuBook("1", 1000, 0, sellable=True)},
        shelf={"1": ShelfItem("1", 1000, 0, blocked=False, history=history)},
        buys={each.key: each for each in buys},
        orders=list(orders),
        free_since={"1": [(at(seconds), units) for seconds, units in free]},
        allowance=ALLOWANCE,
    )


def test_the_last_unit_sold_once():
    assert oversold(books((*pushed((0, 1)), sold(10, 0)), buy("A", 10))) == []


def test_the_last_unit_offered_again_long_after_the_hub_was_told_of_its_sale():
    # The hub publishes the one unit that VTEX still shows, though it was told that it is sold.
    history = (*pushed((0, 1)), sold(10, 0), *pushed((500, 1)), sold(600, 0))
    found = oversold(books(history, buy("A", 10), buy("B", 600)))
    assert len(found) == 1
    assert found[0].startswith("B: 1 of 1 with 0 left")


def test_offered_again_from_a_read_before_the_reservation():
    # VTEX has reserved it at 300 and still answers the old stock when the hub reads at 340.
    history = (*pushed((0, 1)), sold(10, 0), *pushed((350, 1)), sold(400, 0))
    day = books(history, buy("A", 10), buy("B", 400), free=((-9000, 1), (300, 0)),
                orders=(vtex("A", 300),))  # fmt: skip
    assert len(oversold(day)) == 1


def test_offered_again_by_a_hub_that_had_itself_placed_the_first_order():
    # Told only a moment ago, but nobody places an order without having read it.
    history = (*pushed((0, 1)), sold(10, 0), *pushed((40, 1)), sold(50, 0))
    day = books(history, buy("A", 10), buy("B", 50), free=((-9000, 1), (30, 0)),
                orders=(vtex("A", 30),))  # fmt: skip
    assert len(oversold(day)) == 1
    early = books((*pushed((0, 1)), sold(10, 0), *pushed((33, 1)), sold(50, 0)), *day.buys.values(),
                  free=((-9000, 1), (30, 0)), orders=(vtex("A", 30),))  # fmt: skip
    assert oversold(early) == []


def test_offered_again_before_the_hub_could_know_of_the_sale():
    history = (*pushed((0, 1)), sold(10, 0), *pushed((50, 1)), sold(60, 0))
    day = books(history, buy("A", 10), buy("B", 60))
    assert oversold(day) == []
    assert excused(day) == 1


def test_nobody_told_the_hub():
    history = (*pushed((0, 1)), sold(10, 0), *pushed((500, 1)), sold(600, 0))
    assert oversold(books(history, buy("A", 10, told=None), buy("B", 600))) == []


def test_stock_sank_in_vtex_a_moment_ago():
    history = (*pushed((0, 5)), sold(600, 4))
    day = books(history, buy("A", 600), free=((-9000, 5), (550, 0)))
    assert oversold(day) == []
    assert excused(day) == 1


def test_stock_sank_in_vtex_long_ago_and_the_hub_never_looked():
    history = (*pushed((0, 5)), sold(3000, 4))
    assert len(oversold(books(history, buy("A", 3000), free=((-9000, 5), (100, 0))))) == 1


def test_the_hub_published_a_number_from_nowhere():
    history = (*pushed((0, 1), (500, 9)), sold(501, 8))
    day = books(history, buy("A", 501, quantity=2))
    assert len(oversold(day)) == 1


def test_a_cancelled_order_gives_its_units_back():
    history = (*pushed((0, 1)), sold(10, 0), *pushed((500, 1)), sold(600, 0))
    assert oversold(books(history, buy("A", 10, cancelled=300), buy("B", 600))) == []


def test_more_stock_came_in():
    history = (*pushed((0, 1)), sold(10, 0), *pushed((500, 1)), sold(600, 0))
    day = books(history, buy("A", 10), buy("B", 600), free=((-9000, 1), (400, 2)))
    assert oversold(day) == []


def test_a_sale_of_a_part_takes_from_its_kit():
    day = books((*pushed((0, 1)), sold(5, 0)), buy("A", 5))
    kit = SkuBook("9", 100, 0, sellable=True, parts=(("1", 1),))
    shelf = {**day.shelf, "9": ShelfItem("9", 1, 0, blocked=False,
                                         history=(*pushed((500, 1)), sold(600, 0)))}  # fmt: skip
    buys = {**day.buys, "B": buy("B", 600, sku="9")}
    day = replace(day, skus={**day.skus, "9": kit}, shelf=shelf, buys=buys)
    assert len(oversold(day)) == 1


def test_units_that_vtex_has_not_got():
    day = books((), buy("A", 0, quantity=2), buy("B", 1, cancelled=5), buy("C", 2),
                orders=(vtex("C", 3),))  # fmt: skip
    assert unreserved(day, "1") == 2
    assert unreserved(day, "2") == 0
