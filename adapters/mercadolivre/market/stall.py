"""The simulated Mercado Livre as ``connector demo`` and the kit use it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from adapters.mercadolivre.market.catalogue import PLAIN, CatalogueSide
from adapters.mercadolivre.market.hands import HandSide
from adapters.mercadolivre.market.state import SimItem, SimSale
from adapters.mercadolivre.orders import PROGRESS
from connector.sdk import Invoice, MarketStatus, Money
from connector.sdk.testing.market import Bought, Paper, Sale, ShelfChange, ShelfItem

_SHIPPED = {"shipped": MarketStatus.SHIPPED, "delivered": MarketStatus.DELIVERED}


class Stall(HandSide, CatalogueSide):
    """Buying, carrying and looking into the books, in the words every simulator shares."""

    def seller_settings(self, base_url: str) -> dict[str, Any]:
        """The adapter settings with which a connection reaches this simulator."""
        settings = self.settings
        apart = "seller_warehouse" if settings.multi_origin else "item"
        origin = {"store_id": settings.store_id, "network_node_id": settings.network_node_id}
        return {
            "site": settings.site,
            "user_id": settings.user_id,
            "api_url": base_url,
            "auth_url": base_url,
            "stock_at": apart,
            "warranty_type": "Garantia do vendedor",
            "warranty_time": "90 dias",
            **(origin if settings.multi_origin else {}),
        }

    def some_category(self) -> str:
        """A category that takes listings and asks for little."""
        return PLAIN

    def call_back(self, webhook_url: str) -> None:
        """Send events there."""
        self.settings.webhook_url = webhook_url

    def misbehave(self, share: float) -> None:
        """Let this share of events, locks and versions go wrong, and ids of shipments be late."""
        settings = self.settings
        settings.webhook_loss = settings.webhook_duplicate = settings.webhook_late = share
        settings.lock_share = settings.version_share = share
        settings.shipping_late_s = 45.0

    # --- what buyers and carriers do --------------------------------------------------------------

    def buy(self, sale: Sale) -> str | None:
        """Buy; the pack's or order's id, None where it is not for sale."""
        sold = self.sell(sale)
        return None if sold is None else sold.key

    def cancel_order(self, key: str, reason: str) -> None:
        """The buyer cancels."""
        self.cancel_by_buyer(key, reason)

    def collect(self, key: str) -> None:
        """Mercado Livre's carrier collects the goods."""
        self.collect_parcel(key)

    def hand_over(self, key: str) -> None:
        """Mercado Livre's carrier hands the goods over."""
        self.deliver_parcel(key)

    # --- its books --------------------------------------------------------------------------------

    def shelf(self) -> Mapping[str, ShelfItem]:
        """What buyers see of each SKU."""
        found = {sku: self.offered(sku) for sku in self._by_sku}
        return {sku: _shelf_item(item) for sku, item in found.items() if item is not None}

    def copies(self) -> Mapping[str, int]:
        """How many living listings there are of each SKU."""
        return Counter(item.sku for item in self.items.values() if not item.gone)

    def buys(self) -> Mapping[str, Bought]:
        """All sales by key."""
        return {key: _bought(self, made) for key, made in self.sales.items()}

    # --- tricks -----------------------------------------------------------------------------------

    def refuse(self, sku: str, reason: str) -> None:
        """Refuse this SKU from now on."""
        self.refused[sku] = reason

    def odd_status(self, key: str) -> None:
        """Put a status on a sale that is on no page."""
        for order in self.sales[key].orders:
            order.status = "awaiting_moon_phase"

    def small_pages(self, size: int) -> None:
        """Answer lists in pages of this size."""
        self.settings.page_size = size

    def takes_parts(self) -> bool:
        """An order has one XML here: the rest of an order invoiced in parts finds no place."""
        return False

    def wants_documents(self) -> bool:
        """An invoice without its XML cannot be handed in."""
        return True

    def dress_invoice(self, invoice: Invoice) -> Invoice:
        """An invoice with an NF-e of its own."""
        value = Money(invoice.value_minor, invoice.currency).major()
        inner = f"<nNF>{invoice.number}</nNF><vNF>{value}</vNF>"
        return invoice.model_copy(update={"xml": f"<nfeProc><NFe>{inner}</NFe></nfeProc>"})


def _shelf_item(item: SimItem) -> ShelfItem:
    shown = {**item.body, "description": item.description}
    return ShelfItem(
        sku=item.sku,
        price_minor=item.price_minor,
        stock=item.quantity,
        blocked=item.status != "active",
        text=json.dumps(shown, ensure_ascii=False),
        history=tuple(ShelfChange(each.at, each.stock, each.by_seller) for each in item.history),
    )


def _bought(market: Stall, made: SimSale) -> Bought:
    units: Counter[str] = Counter()
    for order in made.orders:
        units[order.sku] += order.quantity
    shipment = made.shipment
    carried = made.mode[0] == "me2"
    moved = shipment.status in _SHIPPED if shipment is not None else False
    return Bought(
        key=made.key,
        status=_status(made),
        paid=made.ever_paid,
        total_minor=sum(order.total_minor for order in made.orders),
        lines=tuple(sorted(units.items())),
        sold_at=made.sold_at,
        told_at=market.told.get(made.key),
        cancelled_at=made.cancelled_at if not made.living else None,
        cancelled_by=made.cancelled_by,
        carrier=carried,
        parcel=shipment.tracking_number if shipment is not None and carried and moved else "",
        arrived=carried and shipment is not None and shipment.status == "delivered",
        papers=_papers(made),
    )


def _papers(made: SimSale) -> tuple[Paper, ...]:
    shipment = made.shipment
    own = shipment is not None and made.mode[0] != "me2"
    return tuple(
        Paper(
            number=document.number,
            value_minor=document.value_minor,
            arrivals=document.arrivals,
            tracking_number=shipment.tracking_number if shipment is not None and own else "",
            tracking_arrivals=shipment.notices if shipment is not None else 0,
            delivered=shipment is not None and own and shipment.status == "delivered",
            delivery_arrivals=shipment.arrivals if shipment is not None else 0,
        )
        for document in made.documents
    )


def _status(made: SimSale) -> MarketStatus:
    living = made.living
    if not living:
        return MarketStatus.CANCELLED
    if any(order.status != "paid" for order in living):
        return PROGRESS[0]
    status = made.shipment.status if made.shipment is not None else ""
    return _SHIPPED.get(status, MarketStatus.PAID)
