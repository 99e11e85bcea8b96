"""Listings: products made known, offers created, prices and stock brought up to date."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from adapters.mirakl.client import Mirakl
from adapters.mirakl.imports import Kind, Lot
from adapters.mirakl.looking import PAGE, products
from adapters.mirakl.offers import (
    deletion_to_wire,
    offer_to_wire,
    price_file,
    reference_of,
    stock_file,
)
from adapters.mirakl.products import product_file
from adapters.mirakl.wire import import_id_of, multipart
from connector.sdk import (
    Held,
    InLot,
    NoAnswer,
    NotSent,
    Offer,
    Outcome,
    PriceStock,
    Refused,
    RetryLater,
    TryAgain,
)

_CSV = "text/csv"


async def create(mirakl: Mirakl, offers: Sequence[Offer]) -> dict[str, Outcome]:
    """Offer what the operator knows; make known what it does not, where that is allowed."""
    known = await _known_products(mirakl, offers)
    there = [one for one in offers if reference_of(one.content, mirakl.settings) in known]
    missing = [one for one in offers if reference_of(one.content, mirakl.settings) not in known]
    if not missing:
        return await write_offers(mirakl, there)
    unlisted = _mapped(mirakl, missing)
    wanted = [one for one in missing if one.sku not in unlisted]
    if not wanted:
        return unlisted | await write_offers(mirakl, there)
    if not there:
        return unlisted | await _write_products(mirakl, wanted, Kind.PRODUCTS)
    # Two imports: where only one can be made now, the other's items are not held up by that.
    made = await _unless_held(mirakl, wanted, lambda: _products(mirakl, wanted))
    return unlisted | made | await _unless_held(mirakl, there, lambda: write_offers(mirakl, there))


async def _products(mirakl: Mirakl, offers: Sequence[Offer]) -> dict[str, Outcome]:
    return await _write_products(mirakl, offers, Kind.PRODUCTS)


async def update_content(mirakl: Mirakl, offers: Sequence[Offer]) -> dict[str, Outcome]:
    """Send whole offers again, and their products where the merchant wants that."""
    if not mirakl.settings.update_products:
        return await write_offers(mirakl, offers)
    # The scarce one first: where it cannot be made now, nothing is.
    products = await _send_products(mirakl, offers)
    number = await _send_offers(mirakl, [offer_to_wire(one, mirakl.settings) for one in offers])
    lot = _lot(mirakl, (Kind.CHANGED, products), (Kind.OFFERS, number))
    return _in_lot(lot, (one.sku for one in offers))


async def write_offers(mirakl: Mirakl, offers: Sequence[Offer]) -> dict[str, Outcome]:
    """Hand in whole offers (OF24)."""
    if not offers:
        return {}
    number = await _send_offers(mirakl, [offer_to_wire(one, mirakl.settings) for one in offers])
    return _in_lot(_lot(mirakl, (Kind.OFFERS, number)), (one.sku for one in offers))


async def delete(mirakl: Mirakl, terms: Sequence[PriceStock]) -> dict[str, Outcome]:
    """Take offers away (OF24 with ``delete``)."""
    number = await _send_offers(mirakl, [deletion_to_wire(one, mirakl.settings) for one in terms])
    return _in_lot(_lot(mirakl, (Kind.DELETIONS, number)), (one.sku for one in terms))


async def price_and_stock(mirakl: Mirakl, terms: Sequence[PriceStock]) -> dict[str, Outcome]:
    """Bring both up to date (STO01, PRI01), without touching anything else of the offers.

    Which of them changed is not told, and a whole offer (OF24) needs content that is not at hand:
    two small imports are always right. Stock goes first, for a wrong one is sold.
    """
    stock = await _send_stock(mirakl, [(one.sku, one.stock) for one in terms])
    prices = await _send_file(
        mirakl, "/api/offers/pricing/imports", "PRI01.prices", price_file(terms, mirakl.settings)
    )
    lot = _lot(mirakl, (Kind.STOCK, stock), (Kind.PRICES, prices))
    return _in_lot(lot, (one.sku for one in terms))


async def out_of_stock(mirakl: Mirakl, terms: Sequence[PriceStock]) -> dict[str, Outcome]:
    """Set stock to zero (STO01): the offer stays, and nobody can buy it."""
    stock = await _send_stock(mirakl, [(one.sku, 0) for one in terms])
    return _in_lot(_lot(mirakl, (Kind.STOCK, stock)), (one.sku for one in terms))


# --- products -------------------------------------------------------------------------------------


async def _known_products(mirakl: Mirakl, offers: Sequence[Offer]) -> set[tuple[str, str]]:
    """The references among those of these offers that the operator knows (P31)."""
    told = (reference_of(one.content, mirakl.settings) for one in offers)
    references = list(dict.fromkeys(reference for reference in told if reference))
    known: set[tuple[str, str]] = set()
    for start in range(0, len(references), PAGE):
        rows = await products(mirakl, references[start : start + PAGE])
        known |= {(row.product_id_type, row.product_id) for row in rows}
    return known


# --- sending --------------------------------------------------------------------------------------


def _mapped(mirakl: Mirakl, offers: Sequence[Offer]) -> dict[str, Outcome]:
    """Offers whose product cannot be made known, and why."""
    found: dict[str, Outcome] = {}
    for one in offers:
        kind, value = reference_of(one.content, mirakl.settings) or ("EAN", "")
        if not mirakl.settings.create_products:
            why = f"the operator does not know the product {kind} {value}: ask for it, or let the "
            found[one.sku] = Refused((why + "connection create products",))
        elif not one.content.market_category:
            found[one.sku] = Refused(("the category is not mapped to one of the operator's",))
    return found


async def _write_products(
    mirakl: Mirakl, offers: Sequence[Offer], kind: Kind
) -> dict[str, Outcome]:
    number = await _send_products(mirakl, offers)
    return _in_lot(_lot(mirakl, (kind, number)), (one.sku for one in offers))


async def _send_products(mirakl: Mirakl, offers: Sequence[Offer]) -> str:
    content = product_file((one.content for one in offers), mirakl.settings)
    fields = {"operator_format": "true" if mirakl.settings.operator_format else "false"}
    form = multipart([("file", "products.csv", _CSV, content)], fields)
    return import_id_of(await mirakl.upload("/api/products/imports", "P41.products", form))


async def _send_offers(mirakl: Mirakl, offers: Sequence[dict[str, Any]]) -> str:
    body = {"offers": list(offers)}
    return import_id_of(await mirakl.send("POST", "/api/offers", body, "OF24.offers"))


async def _send_stock(mirakl: Mirakl, stocks: Iterable[tuple[str, int]]) -> str:
    content = stock_file(stocks, mirakl.settings)
    return await _send_file(mirakl, "/api/offers/stock/imports", "STO01.stock", content)


async def _send_file(mirakl: Mirakl, path: str, operation: str, content: bytes) -> str:
    form = multipart([("file", "import.csv", _CSV, content)], {})
    return import_id_of(await mirakl.upload(path, operation, form))


async def _unless_held(
    mirakl: Mirakl, offers: Sequence[Offer], call: Callable[[], Awaitable[dict[str, Outcome]]]
) -> dict[str, Outcome]:
    """The call's outcomes; where it was certainly not taken, its items' are to try again."""
    try:
        return await call()
    except Held as held:
        after = max(1.0, (held.until - mirakl.clock.now()).total_seconds())
        again = TryAgain("Mirakl takes so many imports and no more", after)
    except NotSent:
        again = TryAgain("Mirakl could not be reached")
    except NoAnswer:
        return {}  # it may have been taken: the hub looks before it sends these again
    except RetryLater as unwell:
        again = TryAgain(unwell.public, unwell.after_s)
    return {one.sku: again for one in offers}


def _lot(mirakl: Mirakl, *parts: tuple[Kind, str]) -> str:
    return str(Lot(parts, int(mirakl.clock.now().timestamp())))


def _in_lot(lot_id: str, skus: Iterable[str]) -> dict[str, Outcome]:
    return {sku: InLot(lot_id) for sku in skus}
