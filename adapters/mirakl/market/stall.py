"""The simulated platform as ``connector demo`` uses it: see ``connector.sdk.testing.market``."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from adapters.mirakl.market.parcels import ParcelSide
from adapters.mirakl.market.state import SimDocument, SimOffer, SimOrder
from connector.sdk import MarketStatus, from_major
from connector.sdk.testing.market import Bought, NotPossible, Paper, Sale, ShelfChange, ShelfItem

_STATUSES = {
    "SHIPPING": MarketStatus.PAID,
    "SHIPPED": MarketStatus.SHIPPED,
    "RECEIVED": MarketStatus.DELIVERED,
    "REFUSED": MarketStatus.CANCELLED,
    "CANCELED": MarketStatus.CANCELLED,
}


class Stall(ParcelSide):
    """Buying and looking into the books, in the words every simulator shares."""

    def seller_settings(self, base_url: str) -> dict[str, Any]:
        """The adapter settings with which a connection reaches this simulator."""
        operator = self.operator
        reasons = {kind: code for code, kind, _ in reversed(operator.reasons)}
        return {
            "base_url": base_url,
            "api_key": self.settings.api_key,
            "shop_id": self.settings.shop_id,
            "state_code": operator.states[0][0],
            "offer_text": "full",
            "own_reference_type": "SELLER_REF",
            "create_products": True,
            "product_columns": {"reference": "seller_ref"},
            "cancel_reason": reasons["CANCELATION"],
            "refund_reason": reasons["REFUND"],
            "document_type": operator.documents[0][0],
            "fetch_invoice": False,
            "document_field": "nf-customer-document",
        }

    def some_category(self) -> str:
        """A category that takes products."""
        return min(self.operator.leaves)

    def call_back(self, webhook_url: str) -> None:
        """Mirakl calls nobody: sellers ask."""
        del webhook_url

    def misbehave(self, share: float) -> None:
        """Let this share of imports come late, and some of it fail as a whole."""
        self.settings.import_late, self.settings.import_failure = share, share / 2

    # --- tricks -----------------------------------------------------------------------------------

    def refuse(self, sku: str, reason: str) -> None:
        """Refuse every line about this SKU from now on."""
        self.refusals[sku] = reason

    def end_lots(self, mode: str) -> None:
        """Let imports end ``late``, ``partly`` or ``never`` from now on."""
        self.settings.mode = mode  # type: ignore[assignment]  # the kit says it as a plain word

    def copies(self) -> Mapping[str, int]:
        """A shop has one offer per SKU at most."""
        return dict.fromkeys(self.offers, 1)

    def odd_status(self, key: str) -> None:
        """Put a state on the order that no specification knows."""
        self.move(self.orders[key], "WAITING_FOR_THE_MOON")

    def small_pages(self, size: int) -> None:
        """Answer lists in pages of this size."""
        self.settings.page_size = size

    # --- what buyers do ---------------------------------------------------------------------------

    def buy(self, sale: Sale) -> str | None:
        """Buy; the order's id, None where it is not for sale."""
        order = self.sell(sale)
        return order.order_id if order else None

    def cancel_order(self, key: str, reason: str) -> None:
        """The buyer cancels."""
        self.cancel_by_buyer(key, reason)

    def collect(self, key: str) -> None:
        """No operator's carrier collects at the seller's."""
        raise NotPossible(f"the seller ships order {key}")

    def hand_over(self, key: str) -> None:
        """No operator's carrier brings it."""
        raise NotPossible(f"the seller ships order {key}")

    # --- its books --------------------------------------------------------------------------------

    def shelf(self) -> Mapping[str, ShelfItem]:
        """All offers by the seller's SKU."""
        return {sku: self._item(offer) for sku, offer in self.offers.items()}

    def _item(self, offer: SimOffer) -> ShelfItem:
        product = self.products.get(offer.product_sku)
        text = {"offer": offer.fields, "product": product.data if product else {}}
        return ShelfItem(
            sku=offer.sku,
            price_minor=offer.current_minor,
            stock=offer.quantity,
            blocked=False,
            text=json.dumps(text, ensure_ascii=False),
            history=tuple(
                ShelfChange(at=each.sent_at or each.at, stock=each.stock, by_seller=each.by_seller)
                for each in offer.history
            ),
        )

    def buys(self) -> Mapping[str, Bought]:
        """All orders by id."""
        return {key: self._bought(order) for key, order in self.orders.items()}

    def _bought(self, order: SimOrder) -> Bought:
        units: Counter[str] = Counter()
        for line in order.lines:
            units[line.sku] += line.quantity
        status = _STATUSES.get(order.state, MarketStatus.PENDING)
        return Bought(
            key=order.order_id,
            status=MarketStatus.CANCELLED if order.fully_refunded else status,
            paid=order.paid,
            total_minor=order.total_minor,
            lines=tuple(sorted(units.items())),
            sold_at=order.created_at,
            told_at=self.told.get(order.order_id),
            cancelled_at=order.cancelled_at,
            cancelled_by=order.cancelled_by,
            papers=tuple(self._papers(order).values()),
        )

    def _papers(self, order: SimOrder) -> dict[str, Paper]:
        """Invoices by number, with what the parcels of the same reference say."""
        documents: dict[str, list[SimDocument]] = {}
        for each in order.documents:
            documents.setdefault(_stated(each, "Invoice number"), []).append(each)
        parcels = {one.invoice_reference: one for one in order.shipments}
        papers = {}
        for number, sheets in documents.items():
            parcel = parcels.get(number)
            how = parcel.tracking if parcel else order.tracking
            papers[number] = Paper(
                number=number,
                value_minor=self._value(sheets[0]),
                arrivals=len(sheets),
                tracking_number=str(how.get("tracking_number") or ""),
                tracking_arrivals=parcel.tracking_arrivals if parcel else bool(how),
            )
        return papers

    def _value(self, document: SimDocument) -> int:
        amount = _stated(document, "Value").partition(" ")[0]
        return from_major(Decimal(amount or "0"), self.operator.currency).minor


def _stated(document: SimDocument, what: str) -> str:
    """What an invoice's sheet states under a name."""
    text = document.content.decode("latin-1")
    found = re.search(rf"\({what}: (.*?)(?<!\\)\) Tj", text)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else document.file_name
