"""What Mirakl has: the shop's offers (OF21), the operator's products (P31)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil

from pydantic import ValidationError

from adapters.mirakl.client import Mirakl
from adapters.mirakl.offers import WireOffer, WireProduct, references_query
from adapters.mirakl.wire import rows_of, total_of
from connector.sdk import Found, Response, RetryLater

PAGE = 100
"""Most offers on a page, and most products in one answer of P31 (its specification)."""


async def products(mirakl: Mirakl, references: Sequence[tuple[str, str]]) -> list[WireProduct]:
    """What the operator knows of these references (P31), at most ``PAGE`` of them."""
    query = {"product_references": references_query(references)}
    response = await mirakl.get("/api/products", "P31.products", query=query)
    return [WireProduct.model_validate(row) for row in rows_of(response, "products")]


async def category_by_ean(mirakl: Mirakl, ean: str) -> str:
    """The category in which the operator keeps the product of an EAN; empty where it has none."""
    found = await products(mirakl, [(mirakl.settings.reference_type, ean)])
    return next((product.category_code for product in found), "")


async def find(mirakl: Mirakl, skus: Sequence[str]) -> Mapping[str, Found]:
    """What Mirakl has of these SKUs: one by one, or page by page where that takes fewer calls.

    The first page tells how many there are. What changes while pages are read may hide an offer;
    it is then created again, which Mirakl takes as an update.
    """
    if len(skus) <= 1:
        return await _find_one_by_one(mirakl, skus)
    first = await _offers(mirakl, {"max": str(PAGE), "offset": "0"})
    total = total_of(first)
    found = _found(first)
    pages = ceil(total / PAGE)
    missing = [sku for sku in skus if sku not in found]
    if len(missing) < pages:
        return _only(found, skus) | await _find_one_by_one(mirakl, missing)
    for page in range(1, pages):
        if all(sku in found for sku in skus):
            break
        query = {"max": str(PAGE), "offset": str(page * PAGE)}
        found |= _found(await _offers(mirakl, query))
    return _only(found, skus)


async def _find_one_by_one(mirakl: Mirakl, skus: Iterable[str]) -> dict[str, Found]:
    found: dict[str, Found] = {}
    for sku in skus:
        query = {"sku": sku, "max": str(PAGE), "offset": "0"}
        found |= _only(_found(await _offers(mirakl, query)), [sku])
    return found


async def _offers(mirakl: Mirakl, query: Mapping[str, str]) -> Response:
    sort = {"sort": "productTitle", "order": "asc"}
    return await mirakl.get("/api/offers", "OF21.offers", query={**query, **sort})


def _found(response: Response) -> dict[str, Found]:
    try:
        rows = [WireOffer.model_validate(row) for row in rows_of(response, "offers")]
    except ValidationError:
        raise RetryLater("Mirakl's list of offers cannot be read") from None
    return {row.shop_sku: row.found() for row in rows}


def _only(found: Mapping[str, Found], skus: Iterable[str]) -> dict[str, Found]:
    return {sku: found[sku] for sku in skus if sku in found}
