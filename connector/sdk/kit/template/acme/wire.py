"""Acme Market's JSON, and how it becomes the hub's values. The first thing to replace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connector.sdk import (
    Address,
    Buyer,
    Done,
    Found,
    Line,
    MarketOrder,
    MarketStatus,
    Money,
    Offer,
    Outcome,
    PriceStock,
    Refused,
    Rejected,
    Response,
    RetryLater,
    from_major,
)

# A status that is not listed here is PENDING: nothing is done about an order we do not understand.
STATUSES = {
    "waiting": MarketStatus.PENDING,
    "paid": MarketStatus.PAID,
    "shipped": MarketStatus.SHIPPED,
    "delivered": MarketStatus.DELIVERED,
    "cancelled": MarketStatus.CANCELLED,
}


def rows_of(response: Response, name: str) -> list[dict[str, Any]]:
    """The objects of a list in a good answer; anything else (a proxy's page) is worth a retry."""
    rows = object_of(response).get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RetryLater("Acme Market's answer cannot be read")
    return rows


def object_of(response: Response) -> dict[str, Any]:
    """The object of a good answer."""
    payload = response.json()
    if not isinstance(payload, dict):
        raise RetryLater("Acme Market's answer cannot be read")
    return payload


def offer_to_wire(offer: Offer) -> dict[str, Any]:
    """A whole listing."""
    content = offer.content
    told = {"title": content.title[:200], "description": content.description[:2000]}
    return terms_to_wire(offer.terms) | told


def terms_to_wire(terms: PriceStock) -> dict[str, Any]:
    """Price and stock of a listing."""
    price = str(Money(terms.price_minor, terms.currency).major())
    return {"sku": terms.sku, "price": price, "stock": terms.stock}


def outcome(row: Mapping[str, Any]) -> Outcome:
    """What Acme Market says of one item."""
    if row.get("ok") is True:
        return Done(str(row.get("id") or ""))
    return Refused((str(row.get("error") or "Acme Market gave no reason"),))


def found(rows: Sequence[Mapping[str, Any]], currency: str) -> dict[str, Found]:
    """Listings as they stand there, by SKU."""
    try:
        return {
            str(row["sku"]): Found(
                market_id=str(row["id"]),
                price_minor=from_major(str(row["price"]), currency).minor,
                stock=int(row["stock"]),
            )
            for row in rows
        }
    except (KeyError, TypeError, ValueError, ArithmeticError):
        raise RetryLater("Acme Market's listings cannot be read") from None


def order(row: Mapping[str, Any], currency: str) -> MarketOrder:
    """An order, or a refusal of what cannot be read."""

    def minor(amount: object) -> int:
        return from_major(str(amount), currency).minor

    try:
        lines = tuple(
            Line(
                sku=str(line["sku"]),
                quantity=int(line["quantity"]),
                unit_price_minor=minor(line["price"]),
                discount_minor=minor(line.get("discount", 0)),
                tax_minor=minor(line.get("tax", 0)),
            )
            for line in row["lines"]
        )
        return MarketOrder(
            key=str(row["id"]),
            status=STATUSES.get(str(row["status"]), MarketStatus.PENDING),
            raw_status=str(row["status"]),
            created_at=datetime.fromisoformat(str(row["created_at"])),
            currency=currency,
            lines=lines,
            discount_minor=minor(row.get("discount", 0)),
            shipping_minor=minor(row.get("shipping", 0)),
            interest_minor=minor(row.get("interest", 0)),
            total_minor=minor(row["total"]),
            buyer=Buyer.model_validate(row.get("buyer") or {}),
            address=Address.model_validate(row.get("address") or {}),
        )
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        # Without the values: some of them are a buyer's.
        raise Rejected([f"the order cannot be read: {type(error).__name__}"]) from None
