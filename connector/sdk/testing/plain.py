"""A plain marketplace's books: a new simulator subclasses it and writes its routes alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar

from connector.domain.http import Request
from connector.domain.marketorder import Delivery, MarketStatus
from connector.sdk.testing.market import (
    Bought,
    NotPossible,
    Paper,
    Sale,
    ShelfChange,
    ShelfItem,
)
from connector.sdk.testing.simulator import Simulator


@dataclass
class PlainListing:
    """A listing as the marketplace keeps it."""

    sku: str
    market_id: str
    price_minor: int
    stock: int
    blocked: bool = False
    text: str = ""
    """All of its content, to look for words in."""
    content: Mapping[str, Any] = field(default_factory=dict)
    history: list[ShelfChange] = field(default_factory=list)


@dataclass
class PlainOrder:
    """An order as the marketplace keeps it; ``lines`` are SKU, quantity and price per unit."""

    key: str
    word: str
    sale: Sale
    lines: tuple[tuple[str, int, int], ...]
    sold_at: datetime
    changed_at: datetime
    paid: bool = False
    told_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancelled_by: str = ""
    papers: dict[str, Paper] = field(default_factory=dict)

    @property
    def total_minor(self) -> int:
        """What the buyer pays."""
        sale, goods = self.sale, sum(quantity * price for _, quantity, price in self.lines)
        per_line = sale.line_tax_minor - sale.line_discount_minor
        extras = sale.shipping_minor + sale.interest_minor - sale.discount_minor
        return goods + per_line * len(self.lines) + extras


class PlainMarket(Simulator):
    """Listings, sales and the words of every simulator; the routes are a subclass's own.

    It sells what the seller ships, one order per sale: ``Sale.orders`` is one, and sales with
    other deliveries or acceptance are not for sale. Subclasses set ``words``, implement
    ``seller_settings``, and ``letter`` where the marketplace has webhooks.
    """

    words: ClassVar[Mapping[MarketStatus, str]] = {
        MarketStatus.PENDING: "waiting",
        MarketStatus.PAID: "paid",
        MarketStatus.SHIPPED: "shipped",
        MarketStatus.DELIVERED: "delivered",
        MarketStatus.CANCELLED: "cancelled",
    }
    """The marketplace's word for each status."""

    def __init__(self, **everything: Any) -> None:
        super().__init__(**everything)
        self.listings: dict[str, PlainListing] = {}
        self.orders: dict[str, PlainOrder] = {}
        self.changes: list[tuple[int, str]] = []
        """Every change of every order, numbered from one: what polling reads."""
        self.refused: dict[str, str] = {}
        self.page_size = 100
        self.webhook_url = ""
        self.trouble = 0.0

    # --- for routes -----------------------------------------------------------------------------

    def put(
        self,
        sku: str,
        *,
        price_minor: int,
        stock: int,
        text: str = "",
        content: Mapping[str, Any] | None = None,
    ) -> PlainListing:
        """Create a listing, or bring it up to date; a stock above zero unblocks it."""
        listing = self.listings.get(sku)
        if listing is None:
            number = f"L-{len(self.listings) + 1:06}"
            listing = self.listings[sku] = PlainListing(sku, number, price_minor, stock)
        listing.price_minor, listing.stock = price_minor, stock
        listing.text, listing.content = text or listing.text, content or listing.content
        listing.blocked = listing.blocked and stock == 0
        self.noted(listing, by_seller=True)
        return listing

    def noted(self, listing: PlainListing, *, by_seller: bool) -> None:
        """Write how a listing stands into its history."""
        stock = 0 if listing.blocked else listing.stock
        listing.history.append(ShelfChange(self.clock.now(), stock, by_seller=by_seller))

    def moved(self, order: PlainOrder, word: str) -> None:
        """Give an order another status, and announce it."""
        order.word, order.changed_at = word, self.clock.now()
        order.paid = order.paid or word == self.words[MarketStatus.PAID]
        self.changes.append((len(self.changes) + 1, order.key))
        self.record("order", key=order.key, status=word)
        request = self.letter(order) if self.webhook_url else None
        if request is not None:
            self.spawn(self._post(order, request))

    def letter(self, order: PlainOrder) -> Request | None:
        """The webhook about an order, to ``webhook_url``; None where there are none."""
        del order
        return None

    async def _post(self, order: PlainOrder, request: Request) -> None:
        response = await self.call_out(request)
        if response is not None and response.ok and order.told_at is None:
            order.told_at = self.clock.now()

    # --- what buyers do ---------------------------------------------------------------------------

    def buy(self, sale: Sale) -> str | None:
        """Buy; the order's key, None where it is not for sale."""
        wanted: dict[str, int] = {}
        for sku, quantity in sale.lines:
            wanted[sku] = wanted.get(sku, 0) + quantity
        shelf = self.shelf()
        plain = sale.delivery is Delivery.SELLER and not sale.accept_first and sale.orders == 1
        there = all(sku in shelf and shelf[sku].buyable for sku in wanted)
        if not plain or not there or any(shelf[s].stock < n for s, n in wanted.items()):
            return None
        now = self.clock.now()
        lines = tuple((sku, n, shelf[sku].price_minor) for sku, n in sale.lines)
        key = f"O-{len(self.orders) + 1:06}"
        order = self.orders[key] = PlainOrder(key, "", sale, lines, now, now)
        for sku, quantity in wanted.items():
            self.listings[sku].stock -= quantity
            self.noted(self.listings[sku], by_seller=False)
        at_once = sale.pay_after_s == 0
        self.moved(order, self.words[MarketStatus.PAID if at_once else MarketStatus.PENDING])
        if sale.pay_after_s:
            self.spawn(self._pay_later(order, sale.pay_after_s))
        return key

    async def _pay_later(self, order: PlainOrder, seconds: float) -> None:
        await self.clock.sleep(seconds)
        if order.word == self.words[MarketStatus.PENDING]:
            self.moved(order, self.words[MarketStatus.PAID])

    def cancel_order(self, key: str, reason: str) -> None:
        """The buyer cancels."""
        self.cancelled(self.orders[key], "buyer", reason)

    def cancelled(self, order: PlainOrder, by: str, reason: str) -> None:
        """Cancel an order that has not left yet.

        Raises:
            NotPossible: it has left already.
        """
        gone = {self.words[MarketStatus.SHIPPED], self.words[MarketStatus.DELIVERED]}
        if order.word in gone:
            raise NotPossible(f"the order is {order.word} already ({reason})")
        if order.cancelled_at is None:
            order.cancelled_at, order.cancelled_by = self.clock.now(), by
            self.moved(order, self.words[MarketStatus.CANCELLED])

    def collect(self, key: str) -> None:
        """There is no carrier of the marketplace's own."""
        raise NotPossible(f"the seller ships {key}")

    def hand_over(self, key: str) -> None:
        """There is no carrier of the marketplace's own."""
        raise NotPossible(f"the seller ships {key}")

    # --- setting up, tricks -----------------------------------------------------------------------

    def some_category(self) -> str:
        """A category that takes listings."""
        return "general"

    def call_back(self, webhook_url: str) -> None:
        """Send webhooks there."""
        self.webhook_url = webhook_url

    def misbehave(self, share: float) -> None:
        """Let routes that ask ``chance(self.trouble)`` fail this often."""
        self.trouble = share

    def refuse(self, sku: str, reason: str) -> None:
        """Routes look into ``refused`` before they list anything."""
        self.refused[sku] = reason

    def odd_status(self, key: str) -> None:
        """A word that no documentation knows."""
        self.moved(self.orders[key], "under-review-by-the-moon")

    def small_pages(self, size: int) -> None:
        """Routes cut their lists at ``page_size``."""
        self.page_size = size

    def copies(self) -> Mapping[str, int]:
        """The books know a SKU once."""
        return dict.fromkeys(self.listings, 1)

    # --- its books --------------------------------------------------------------------------------

    def shelf(self) -> Mapping[str, ShelfItem]:
        """All listings by the seller's SKU."""
        return {
            sku: ShelfItem(
                sku=sku,
                price_minor=one.price_minor,
                stock=one.stock,
                blocked=one.blocked,
                text=one.text,
                history=tuple(one.history),
            )
            for sku, one in self.listings.items()
        }

    def buys(self) -> Mapping[str, Bought]:
        """All orders by key."""
        statuses = {word: status for status, word in self.words.items()}
        return {
            key: Bought(
                key=key,
                status=statuses.get(one.word, MarketStatus.PENDING),
                paid=one.paid,
                total_minor=one.total_minor,
                lines=tuple((sku, quantity) for sku, quantity, _ in one.lines),
                sold_at=one.sold_at,
                told_at=one.told_at,
                cancelled_at=one.cancelled_at,
                cancelled_by=one.cancelled_by,
                papers=tuple(one.papers.values()),
            )
            for key, one in self.orders.items()
        }

    def invoiced(self, order: PlainOrder, number: str, value_minor: int) -> None:
        """Keep an invoice; the same number again is counted, not kept twice."""
        known = order.papers.get(number)
        order.papers[number] = (
            Paper(number, value_minor)
            if known is None
            else replace(known, arrivals=known.arrivals + 1)
        )
