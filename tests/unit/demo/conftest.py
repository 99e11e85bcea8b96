from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.domain.marketorder import MarketStatus
from connector.sandbox.demo.books import Books, Parked, SkuBook, VtexBook, VtexInvoice
from connector.sdk.testing.market import Bought, Paper, ShelfChange, ShelfItem

NOON = datetime(2026, 8, 20, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


class Desk:
    """Books in perfect order, and ways to doctor them."""

    def __init__(self) -> None:
        self.books = _good()

    def sku(self, sku: str, **fields: Any) -> None:
        skus = {**self.books.skus, sku: replace(self.books.skus[sku], **fields)}
        self.books = replace(self.books, skus=skus)

    def item(self, sku: str, **fields: Any) -> None:
        shelf = {**self.books.shelf, sku: replace(self.books.shelf[sku], **fields)}
        self.books = replace(self.books, shelf=shelf)

    def unlist(self, sku: str) -> None:
        shelf = {name: item for name, item in self.books.shelf.items() if name != sku}
        self.books = replace(self.books, shelf=shelf)

    def bought(self, key: str, **fields: Any) -> None:
        buys = {**self.books.buys, key: replace(self.books.buys[key], **fields)}
        self.books = replace(self.books, buys=buys)

    def order(self, ref: str, **fields: Any) -> None:
        orders = [
            replace(order, **fields) if order.ref == ref else order for order in self.books.orders
        ]
        self.books = replace(self.books, orders=orders)

    def add_order(self, order: VtexBook) -> None:
        self.books = replace(self.books, orders=[*self.books.orders, order])

    def lose_order(self, ref: str) -> None:
        orders = [order for order in self.books.orders if order.ref != ref]
        self.books = replace(self.books, orders=orders)

    def of(self, ref: str) -> VtexBook:
        return next(order for order in self.books.orders if order.ref == ref)

    def change(self, **fields: Any) -> None:
        self.books = replace(self.books, **fields)


def _good() -> Books:
    """A seller's order C-1, a FOB order C-2, and C-3 that the buyer cancelled in time."""
    return Books(
        skus={
            "1": SkuBook("1", 1000, 7, sellable=True),
            "2": SkuBook("2", 2000, 4, sellable=True),
            "3": SkuBook("3", 3000, 9, sellable=False),
            "4": SkuBook("4", 4000, 5, sellable=True, presentable=False),
        },
        shelf={
            "1": ShelfItem("1", 1000, 7, blocked=False, text='{"title": "Tênis Edição 1"}'),
            "2": ShelfItem("2", 2000, 4, blocked=False),
            "3": ShelfItem("3", 3000, 9, blocked=True),
        },
        buys={
            "C-1": Bought(
                "C-1",
                MarketStatus.DELIVERED,
                paid=True,
                total_minor=1000,
                lines=(("1", 1),),
                sold_at=at(0),
                told_at=at(1),
                papers=(Paper("NF 1", 1000, tracking_number="BR1", delivered=True),),
            ),
            "C-2": Bought(
                "C-2",
                MarketStatus.DELIVERED,
                paid=True,
                total_minor=2000,
                lines=(("2", 1),),
                sold_at=at(10),
                told_at=at(11),
                carrier=True,
                parcel="DX2",
                arrived=True,
                papers=(Paper("NF 2", 2000),),
            ),
            "C-3": Bought(
                "C-3",
                MarketStatus.CANCELLED,
                paid=True,
                total_minor=1000,
                lines=(("1", 1),),
                sold_at=at(20),
                told_at=at(21),
                cancelled_at=at(60),
                cancelled_by="buyer",
            ),
        },
        orders=[
            VtexBook(
                "DMK-C-1",
                "C-1",
                1000,
                "invoiced",
                approved=True,
                created_at=at(30),
                invoices=(VtexInvoice("NF 1", 1000, tracking_number="BR1", delivered=True),),
                callbacks=3,
            ),
            VtexBook(
                "DMK-C-2",
                "C-2",
                2000,
                "invoiced",
                approved=True,
                created_at=at(40),
                invoices=(
                    VtexInvoice(
                        "NF 2",
                        2000,
                        tracking_number="DX2",
                        delivered=True,
                        told_tracking="DX2",
                        told_delivered=True,
                    ),
                ),
                callbacks=1,
            ),
            VtexBook(
                "DMK-C-3",
                "C-3",
                1000,
                "canceled",
                approved=True,
                created_at=at(45),
                cancelled_by=("marketplace",),
                callbacks=1,
            ),
        ],
        free_since={"1": [(at(-100), 7)], "2": [(at(-100), 4)], "3": [(at(-100), 9)]},
        edits={"1": "Edição 1"},
        parked=[Parked("listings", "4", ("at least one image is needed",))],
        wanted_orders=3,
    )


def pushed(*rows: tuple[float, int]) -> tuple[ShelfChange, ...]:
    """A listing's history in which the hub wrote these stocks."""
    return tuple(ShelfChange(at(seconds), stock, by_seller=True) for seconds, stock in rows)


def sold(seconds: float, stock: int) -> ShelfChange:
    """A sale left this stock."""
    return ShelfChange(at(seconds), stock, by_seller=False)


@pytest.fixture
def desk() -> Desk:
    return Desk()
