"""Offers: what is sent of a SKU, always whole, and what Mirakl says it has. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from adapters.mirakl.settings import MiraklSettings, OfferText
from adapters.mirakl.wire import (
    Text,
    ToldAmount,
    Wire,
    csv_file,
    major,
    minor,
    number,
    plain_text,
)
from connector.sdk import Content, Found, Offer, PriceStock

MOST_TEXT = 2_000
"""Mirakl publishes no length for an offer's description; this is ours."""


def ean_is_valid(ean: str) -> bool:
    """Whether a GTIN-8, -12, -13 or -14 carries the right check digit."""
    if not re.fullmatch(r"[0-9]{8}|[0-9]{12,14}", ean):
        return False
    weighted = sum(int(digit) * (3, 1)[i % 2] for i, digit in enumerate(reversed(ean[:-1])))
    return (10 - weighted % 10) % 10 == int(ean[-1])


def reference_of(content: Content, settings: MiraklSettings) -> tuple[str, str] | None:
    """The type and value by which the operator knows the product; None where there is none."""
    ean = next((ean for ean in content.eans if ean_is_valid(ean)), "")
    if ean:
        return settings.reference_type, ean
    own = settings.own_reference_type
    return (own, content.sku) if own else None


def broken_rules(offer: Offer, settings: MiraklSettings) -> list[str]:
    """The rules that hold at every operator and that the offer breaks."""
    content, terms = offer.content, offer.terms
    told = ", ".join(content.eans)
    rules = (
        (bool(content.title.strip()), "the title is missing"),
        (terms.price_minor > 0, "the price must be above zero"),
        (bool(terms.currency), "the currency is not known"),
        (
            reference_of(content, settings) is not None,
            f"EAN {told} is not valid: its length or check digit is wrong"
            if told
            else "the EAN is missing: operators know products by it",
        ),
        (
            not re.search(r'[;"\n\r]', content.sku),
            "the SKU contains a semicolon, quote or line end",
        ),
    )
    return [words for kept, words in rules if not kept]


# --- OF24 -----------------------------------------------------------------------------------------


def offer_to_wire(offer: Offer, settings: MiraklSettings) -> dict[str, Any]:
    """A whole offer: Mirakl resets every field that is not sent, so all that we own are."""
    terms, reference = offer.terms, reference_of(offer.content, settings)
    kind, value = reference or ("", "")
    told: dict[str, Any] = {
        "shop_sku": terms.sku,
        "product_id": value,
        "product_id_type": kind,
        "state_code": settings.state_code,
        **_prices(terms, settings),
        "quantity": terms.stock,
        "update_delete": "update",
        "description": _description(offer.content, settings.offer_text),
        "leadtime_to_ship": settings.leadtime_to_ship,
        "logistic_class": settings.logistic_class,
        "min_quantity_alert": settings.min_quantity_alert,
        "product_tax_code": settings.product_tax_code,
        "offer_additional_fields": [
            {"code": code, "value": text} for code, text in settings.offer_fields.items()
        ],
    }
    return {name: value for name, value in told.items() if value not in (None, "", [])}


def deletion_to_wire(terms: PriceStock, settings: MiraklSettings) -> dict[str, Any]:
    """An offer that is to go."""
    return {
        "shop_sku": terms.sku,
        "product_id": terms.sku,
        "product_id_type": "SHOP_SKU",
        "state_code": settings.state_code,
        "price": number(max(terms.price_minor, 1), terms.currency),
        "update_delete": "delete",
    }


def _prices(terms: PriceStock, settings: MiraklSettings) -> dict[str, Any]:
    origin, discount = _origin_and_discount(terms, settings)
    price = number(origin, terms.currency)
    reduced = None if discount is None else number(discount, terms.currency)
    told: dict[str, Any] = {"price": price}
    if reduced is not None:
        told["discount"] = {"price": reduced}
    if settings.channels:
        told["all_prices"] = [
            {"channel_code": channel, "unit_origin_price": price}
            | ({} if reduced is None else {"unit_discount_price": reduced})
            for channel in (None, *settings.channels)
        ]
    return told


def _origin_and_discount(terms: PriceStock, settings: MiraklSettings) -> tuple[int, int | None]:
    if settings.show_list_price and terms.list_price_minor > terms.price_minor:
        return terms.list_price_minor, terms.price_minor
    return terms.price_minor, None


def _description(content: Content, what: OfferText) -> str:
    if what is OfferText.NONE:
        return ""
    text = plain_text(content.description, MOST_TEXT)
    if what is OfferText.DESCRIPTION:
        return text
    return f"{content.title.strip()}\n{text}".strip()[:MOST_TEXT]


# --- PRI01, STO01 ---------------------------------------------------------------------------------


def price_file(terms: Iterable[PriceStock], settings: MiraklSettings) -> bytes:
    """All prices of these offers: the import deletes whatever is not in it."""
    header = ["offer-sku", "price", "discount-price", "discount-start-date", "discount-end-date"]
    channels = ["", "|".join(settings.channels)] if settings.channels else []
    rows = []
    for one in terms:
        origin, discount = _origin_and_discount(one, settings)
        told = [
            one.sku,
            major(origin, one.currency),
            "" if discount is None else major(discount, one.currency),
            "",
            "",
        ]
        rows.extend([[*told, channel] for channel in channels] or [told])
    return csv_file([*header, "channels"] if channels else header, rows)


def stock_file(stocks: Iterable[tuple[str, int]], settings: MiraklSettings) -> bytes:
    """The stock of these offers; nothing else of them changes."""
    header = ["offer-sku", "quantity", "warehouse-code", "update-delete"]
    rows = ([sku, str(stock), settings.warehouse_code, ""] for sku, stock in stocks)
    return csv_file(header, rows)


# --- OF21 -----------------------------------------------------------------------------------------


class WireOffer(Wire):
    """An offer as the shop's list answers it."""

    shop_sku: Text
    offer_id: Text = ""
    price: ToldAmount
    currency_iso_code: Text
    quantity: int = 0

    def found(self) -> Found:
        """The same in the hub's words; Mirakl has no block, only a stock of zero."""
        return Found(
            market_id=self.offer_id,
            price_minor=minor(self.price, self.currency_iso_code),
            stock=self.quantity,
        )


class WireProduct(Wire):
    """A product as it answers to one of its references."""

    product_id: Text = ""
    product_id_type: Text = ""
    category_code: Text = ""


def references_query(references: Sequence[tuple[str, str]]) -> str:
    """References as P31 takes them."""
    return ",".join(f"{kind}|{value}" for kind, value in references)
