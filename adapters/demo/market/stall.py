"""Demo Market as ``connector demo`` uses it: see ``connector.sdk.testing.market``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from adapters.demo.cart import cart_status
from adapters.demo.market.base import LEAVES
from adapters.demo.market.orders import OrderSide
from adapters.demo.market.sale import ADDRESS, BUYER
from adapters.demo.market.state import NotSold, SimCart, SimListing, minor
from connector.sdk import MarketStatus
from connector.sdk.testing.market import Bought, Paper, Sale, ShelfChange, ShelfItem

_STATUSES = {
    "paid": MarketStatus.PAID,
    "shipped": MarketStatus.SHIPPED,
    "delivered": MarketStatus.DELIVERED,
    "cancelled": MarketStatus.CANCELLED,
}


class Stall(OrderSide):
    """Buying, carrying and looking into the books, in the words every simulator shares."""

    def seller_settings(self, base_url: str) -> dict[str, Any]:
        """The adapter settings with which a connection reaches this simulator."""
        return {
            "base_url": base_url,
            "seller_id": self.settings.seller_id,
            "api_key": self.settings.api_key,
            "webhook_secret": self.settings.webhook_secret,
        }

    def some_category(self) -> str:
        """A category that takes listings."""
        return min(LEAVES)

    def call_back(self, webhook_url: str) -> None:
        """Send webhooks there."""
        self.settings.webhook_url = webhook_url

    def misbehave(self, share: float) -> None:
        """Let this share of webhooks and items go wrong, and some creations go into lots."""
        settings = self.settings
        settings.webhook_loss = settings.webhook_duplicate = settings.webhook_late = share
        settings.item_failure, settings.item_silence = share, share / 2
        settings.lot_share = 0.3
        settings.lot_modes = {"settle": 1.0, "partly": share * 4, "late": share * 2}

    # --- what buyers and carriers do --------------------------------------------------------------

    def buy(self, sale: Sale) -> str | None:
        """Buy; the cart's id, None where it is not for sale."""
        payment = "later" if sale.pay_after_s else "now"
        sold = self.sell(
            sale.lines,
            payment="never" if sale.pay_after_s is None else payment,
            pay_after_s=sale.pay_after_s or 0.0,
            accept_first=sale.accept_first,
            orders=sale.orders,
            arrive_every_s=sale.arrive_every_s,
            discount_minor=sale.discount_minor,
            shipping_minor=sale.shipping_minor,
            interest_minor=sale.interest_minor,
            line_discount_minor=sale.line_discount_minor,
            line_tax_minor=sale.line_tax_minor,
            delivery=sale.delivery,
            pickup_point_id=sale.pickup_point_id,
            labels=sale.labels,
            buyer={**BUYER, **sale.buyer},
            address={**ADDRESS, **sale.address},
        )
        return None if isinstance(sold, NotSold) else sold.cart_id

    def cancel_order(self, key: str, reason: str) -> None:
        """The buyer cancels the whole cart."""
        self.cancel_by_buyer(key, reason=reason)

    def collect(self, key: str) -> None:
        """The marketplace's carrier collects the goods."""
        self.ship_fob(key)

    def hand_over(self, key: str) -> None:
        """The marketplace's carrier hands the goods to the buyer."""
        self.deliver_fob(key)

    # --- its books --------------------------------------------------------------------------------

    def shelf(self) -> Mapping[str, ShelfItem]:
        """All listings by the seller's SKU."""
        return {sku: _shown(listing) for sku, listing in self.listings.items()}

    def buys(self) -> Mapping[str, Bought]:
        """All carts by id."""
        return {key: self._bought(cart) for key, cart in self.carts.items()}

    def _bought(self, cart: SimCart) -> Bought:
        units: Counter[str] = Counter()
        for order in cart.orders:
            for line in order.lines:
                units[line.sku] += line.quantity
        statuses = [_STATUSES.get(order.status, MarketStatus.PENDING) for order in cart.orders]
        status = cart_status(statuses)
        cancelled = status is MarketStatus.CANCELLED
        shipment = cart.shipment or {}
        return Bought(
            key=cart.cart_id,
            status=status,
            paid=cart.paid,
            total_minor=cart.total_minor,
            lines=tuple(sorted(units.items())),
            sold_at=min(order.created_at for order in cart.orders),
            told_at=self.told.get(cart.cart_id),
            cancelled_at=max(order.updated_at for order in cart.orders) if cancelled else None,
            cancelled_by=cart.cancelled_by,
            carrier=str(cart.delivery["kind"]).startswith("marketplace"),
            parcel=str(shipment.get("tracking_number") or ""),
            arrived=bool(shipment.get("delivered_at")),
            papers=tuple(self._paper(cart, number) for number in cart.invoices),
        )

    def _paper(self, cart: SimCart, number: str) -> Paper:
        invoice = cart.invoices[number]
        tracking, delivery = cart.trackings.get(number), cart.deliveries.get(number)
        return Paper(
            number=number,
            value_minor=minor(invoice.body.get("value"), self.settings.currency),
            arrivals=invoice.arrivals,
            tracking_number=str(tracking.body.get("number") or "") if tracking else "",
            tracking_arrivals=tracking.arrivals if tracking else 0,
            delivered=delivery is not None,
            delivery_arrivals=delivery.arrivals if delivery else 0,
        )


def _shown(listing: SimListing) -> ShelfItem:
    """The listing as buyers see it, made once for each change: large shops are looked at often."""
    shown = listing.shown
    if shown is None or shown[0] is not listing.content or shown[1] != len(listing.history):
        shown = listing.shown = listing.content, len(listing.history), _shelf_item(listing)
    return shown[2]


def _shelf_item(listing: SimListing) -> ShelfItem:
    return ShelfItem(
        sku=listing.sku,
        price_minor=listing.price_minor,
        stock=listing.stock,
        blocked=listing.blocked,
        text=json.dumps(listing.content, ensure_ascii=False),
        history=tuple(
            ShelfChange(
                at=change.at,
                stock=0 if change.blocked else change.stock,
                by_seller=change.kind != "sale",
            )
            for change in listing.history
        ),
    )
