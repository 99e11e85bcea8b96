"""Copies both simulators' state into books."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from connector.sandbox.demo.books import Allowance, Books, Parked, SkuBook, vtex_book
from connector.sandbox.demo.installation import Installation
from connector.sandbox.demo.merchant import Merchant
from connector.sandbox.demo.scenario import Day
from connector.sandbox.demo.stage import Stage
from connector.sandbox.demo.supervised import HubError
from connector.sandbox.vtexsim import Sku
from connector.sdk import Capability
from connector.sdk.registry import discover

_ACT_S, _ACT_KILLED_S = 4.0, 16.0
"""Real seconds the hub may take to act on what it was told; and where it is killed all the time, so
that leases have to run out, and servers to elect a primary, meanwhile.
"""
_READ_S = 1.0
"""Real seconds between reading a number from VTEX and publishing it."""
_UNDER_WAY_S = 0.35
"""Real seconds in which a number the hub was just sending arrives at the marketplace."""


def read_books(stage: Stage, day: Day, hub: Installation) -> Books:
    """Both sides' books as they stand now, without the hub's parked list."""
    store, merchant = stage.store, day.merchant
    return Books(
        skus={str(sku.id): _sku_book(stage, merchant, sku) for sku in store.catalog.skus.values()},
        shelf=dict(stage.market.shelf()),
        buys=dict(stage.market.buys()),
        orders=[
            vtex_book(order, store.created.get(order.order_id, 0))
            for order in store.orders.values()
        ],
        free_since={str(sku): rows for sku, rows in store.free_since.items()},
        edits=dict(merchant.edits),
        crashes=tuple(hub.crashes),
        wanted_orders=stage.options.orders,
        unfinished=day.unfinished,
        allowance=_allowance(stage, killed=hub.kills > 0),
        tells_arrivals=_tells_arrivals(stage.options.adapter),
    )


@cache
def _tells_arrivals(adapter: str) -> bool:
    return Capability.DELIVERED in discover().get(adapter).capabilities


async def with_parked(books: Books, hub: Installation) -> Books:
    """The books with the hub's parked list, as ``connector parked list`` prints it."""
    try:
        rows = await hub.run_json("parked", "list", "--json")
    except HubError as error:
        # A list that nobody can read explains nothing.
        return replace(books, parked=[Parked("the list cannot be read:", str(error), ())])
    parked = [
        Parked(str(row["context"]), str(row["key"]), tuple(map(str, row["reasons"])))
        for row in rows
    ]
    return replace(books, parked=parked)


def _sku_book(stage: Stage, merchant: Merchant, sku: Sku) -> SkuBook:
    truth = stage.store.truth_of(sku, stage.store.settings.sales_channel)
    return SkuBook(
        sku=str(sku.id),
        price_minor=truth.price,
        stock=truth.stock,
        sellable=truth.sellable,
        presentable=merchant.presentable(sku),
        parts=tuple((str(part.sku_id), part.amount) for part in sku.kit),
    )


def _allowance(stage: Stage, *, killed: bool) -> Allowance:
    options = stage.options
    act = (_ACT_KILLED_S if killed else _ACT_S) * options.time_scale
    return Allowance(
        stale_s=stage.store.settings.stale_stock_s,
        read_s=_READ_S * options.time_scale,
        act_s=act,
        under_way_s=_UNDER_WAY_S * options.time_scale,
        unannounced_s=1.5 * options.recheck_s,
    )
