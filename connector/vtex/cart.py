"""Reading a fulfillment simulation's answer: its items joined to requests and logistics.

Answers may be unsorted, leave requested items out, split or merge them (protocol 5.3 - 5.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.vtex.wire import (
    as_int,
    as_list,
    as_map,
    as_number,
    as_text,
    maps,
    parse_date,
    share,
    times,
)

MAX_STOCK = 1_000_000
"""Unlimited stock comes as a huge number (protocol 5.5)."""

_NO_ROW: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Line:
    """One returned item; prices are minor units per sold unit, promotions taken off."""

    sku: str
    quantity: int
    price_minor: int
    list_price_minor: int
    unit_multiplier: float
    measurement_unit: str
    availability: str
    """Empty where the layer does not tell it (pvt)."""
    stock: int | None
    """``stockBalance``; None where the layer does not tell it (pub)."""
    has_logistics: bool
    valid_until: datetime | None
    slas: Sequence[Mapping[str, Any]]

    @property
    def sellable(self) -> bool:
        """Never by ``availability`` alone (protocol 5.5, KI 773537)."""
        return (
            self.price_minor > 0
            and self.quantity > 0
            and (self.stock is None or self.stock > 0)
            and self.has_logistics
            and self.availability in {"", "available"}
        )

    @property
    def units(self) -> int:
        """How many can be sold, as far as this layer tells."""
        known = self.quantity if self.stock is None else self.stock
        return max(0, min(known, MAX_STOCK))


def read_lines(skus: Sequence[str], body: Mapping[str, Any]) -> dict[str, list[Line]]:
    """The returned items of each requested SKU; a SKU that was left out is missing here."""
    logistics = {as_int(row.get("itemIndex")): row for row in maps(body.get("logisticsInfo"))}
    requested = frozenset(skus)
    lines: dict[str, list[Line]] = {}
    for index, row in enumerate(as_list(body.get("items"))):
        if not isinstance(row, dict):
            continue
        sku = _sku_of(row, skus, requested)
        if sku is not None:
            lines.setdefault(sku, []).append(_line(sku, row, logistics.get(index)))
    return lines


def read_messages(body: Mapping[str, Any]) -> dict[str, str]:
    """What the simulation says about SKUs, by SKU id; under ``""`` what names none.

    Messages come as texts, or as objects with either of two sets of names (protocol 5.3).
    """
    told: dict[str, str] = {}
    for each in as_list(body.get("messages")):
        if isinstance(each, str):
            told.setdefault("", each[:300])
        elif isinstance(each, dict):
            code = as_text(each.get("code") or each.get("messageId"))
            text = as_text(each.get("text") or each.get("messageText"))
            sku = as_text(as_map(each.get("fields")).get("id"))
            told.setdefault(sku, " ".join(part for part in (code, text) if part)[:300])
    return told


def _sku_of(row: Mapping[str, Any], skus: Sequence[str], requested: frozenset[str]) -> str | None:
    """The request line an item answers: by requestIndex where its id agrees, else by its id."""
    own = as_text(row.get("id"))
    index = as_int(row.get("requestIndex"))
    if index is not None and 0 <= index < len(skus) and own in {"", skus[index]}:
        return skus[index]
    return own if own in requested else None


def _line(sku: str, row: Mapping[str, Any], logistics: Mapping[str, Any] | None) -> Line:
    multiplier = as_number(row.get("unitMultiplier")) or 1.0
    multiplier = multiplier if multiplier > 0 else 1.0
    quantity = max(0, as_int(row.get("quantity")) or 0)
    price = max(0, _sold_unit(row, multiplier, quantity))
    places = logistics if logistics is not None else _NO_ROW
    return Line(
        sku=sku,
        quantity=quantity,
        price_minor=price,
        list_price_minor=max(price, times(as_int(row.get("listPrice")) or 0, multiplier)),
        unit_multiplier=multiplier,
        measurement_unit=as_text(row.get("measurementUnit")) or "un",
        availability=as_text(row.get("availability")),
        stock=_stock(places),
        has_logistics=logistics is not None,
        valid_until=parse_date(row.get("priceValidUntil")),
        slas=maps(places.get("slas")),
    )


def _stock(logistics: Mapping[str, Any]) -> int | None:
    told = as_int(logistics.get("stockBalance"))
    if told is not None:
        return told
    channels = [
        amount
        for row in maps(logistics.get("deliveryChannels"))
        if (amount := as_int(row.get("stockBalance"))) is not None
    ]
    return max(channels, default=None)


def _sold_unit(row: Mapping[str, Any], multiplier: float, quantity: int) -> int:
    """Price of one sold unit with promotions.

    The checkout layer tells it; the fulfilment layer tells a price per measurement unit and the
    promotions as tags (protocol 5.3, 5.4).
    """
    if not (as_int(row.get("price")) or as_int(row.get("sellingPrice"))):
        return 0
    told = _told(row)
    if told is not None:
        return told
    price = as_int(row.get("price")) or 0
    tags = sum(_discounts(row))
    if tags and _taken_off(row, price, tags, multiplier, quantity):
        tags = 0
    return times(price, multiplier) + share(tags, max(1, quantity))


def _told(row: Mapping[str, Any]) -> int | None:
    definition = as_map(row.get("priceDefinition"))
    told = as_int(definition.get("calculatedSellingPrice"))
    if told is None:
        told = as_int(row.get("sellingPrice"))
    return told


def _discounts(row: Mapping[str, Any]) -> Iterator[int]:
    """Cents that promotions take off the line; names are ``{type}@{where}-...`` (protocol 5.3)."""
    for tag in maps(row.get("priceTags")):
        kind, _, where = as_text(tag.get("name")).lower().partition("@")
        value = as_int(tag.get("value"))
        if value and kind == "discount" and not where.startswith("shipping"):
            yield value


def _taken_off(
    row: Mapping[str, Any], price: int, tags: int, multiplier: float, quantity: int
) -> bool:
    """Whether ``price`` is the list price less the tags already: undocumented (protocol 5.4)."""
    full = as_int(row.get("listPrice")) or 0
    off = times(full, multiplier) - times(price, multiplier)
    return off > 0 and off == -share(tags, max(1, quantity))
