"""Offers as the simulated platform answers them. Pure."""

from __future__ import annotations

from typing import Any

from adapters.mirakl.market.state import SimOffer, SimProduct
from connector.sdk import Money

Row = dict[str, Any]
# What nobody here sets: the same for every offer.
_PLAIN: Row = {
    "channels": [],
    "fulfillment": {"center": {"code": "DEFAULT"}},
    "max_order_quantity": None,
    "min_order_quantity": None,
    "package_quantity": None,
    "min_shipping_price": 0,
    "min_shipping_price_additional": 0,
    "min_shipping_type": "STD",
    "min_shipping_zone": "LOCAL",
    "shipping_deadline": None,
}


def offer_to_wire(offer: SimOffer, product: SimProduct | None, currency: str) -> Row:
    """An offer as OF21 answers it."""
    prices = _prices(offer, currency)
    logistics = str(offer.fields.get("logistic_class") or "DEFAULT")
    references = product.references if product else {}
    return {
        **_PLAIN,
        "offer_id": offer.offer_id,
        "shop_sku": offer.sku,
        "product_sku": offer.product_sku,
        "product_title": product.title if product else "",
        "product_references": [
            {"reference_type": kind, "reference": value} for kind, value in references.items()
        ],
        "category_code": product.category if product else "",
        "category_label": product.category if product else "",
        "active": offer.quantity > 0,
        "inactivity_reasons": [] if offer.quantity else ["ZERO_QUANTITY"],
        "price": prices["price"],
        "total_price": prices["price"],
        "all_prices": [prices],
        "applicable_pricing": prices,
        "currency_iso_code": currency,
        "quantity": offer.quantity,
        "state_code": str(offer.fields.get("state_code")),
        "description": offer.fields.get("description"),
        "leadtime_to_ship": offer.fields.get("leadtime_to_ship", 1),
        "logistic_class": {"code": logistics, "label": logistics},
        "min_quantity_alert": offer.fields.get("min_quantity_alert"),
    }


def _prices(offer: SimOffer, currency: str) -> Row:
    price = float(Money(offer.current_minor, currency).major())
    told = {
        "price": price,
        "unit_origin_price": float(Money(offer.price_minor, currency).major()),
        "unit_discount_price": None if offer.discount_minor is None else price,
    }
    return {"channel_code": None, **told, "volume_prices": [{"quantity_threshold": 1, **told}]}
