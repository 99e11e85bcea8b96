"""What the simulated Demo Market keeps, and the switches it is set up with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass

from connector.sdk import Money, from_major
from connector.sdk.testing.market import ShelfItem

LotMode = Literal["settle", "partly", "late", "never"]


@checked_dataclass(config=ConfigDict(validate_assignment=True))
class DemoSimSettings:
    """Switches of one simulated Demo Market; shares are 0..1, seconds are the clock's.

    ``item_failure`` answers an item "retry" without effect, ``item_refusal`` refuses it,
    ``item_silence`` does what was asked but leaves the item out of the answer.
    """

    seller_id: str = "seller-1"
    seller_name: str = "Demo Seller"
    api_key: str = "demo-key"
    webhook_secret: str = "demo-webhook-secret"  # noqa: S105 - a simulator's
    app_webhook_secret: str = "demo-app-secret"  # noqa: S105 - a simulator's
    webhook_url: str = ""
    app_webhook_url: str = ""
    currency: str = "BRL"
    lot_share: float = 0.0
    lot_s: float = 30.0
    lot_modes: dict[LotMode, float] = field(default_factory=lambda: {"settle": 1.0})
    lot_kept_s: float = 86_400.0
    item_failure: float = 0.0
    item_refusal: float = 0.0
    item_silence: float = 0.0
    webhook_loss: float = 0.0
    webhook_duplicate: float = 0.0
    webhook_late: float = 0.0
    webhook_late_s: float = 120.0
    webhook_retry_s: float = 5.0
    webhook_tries: int = 20
    limits: bool = True
    rate: float = 20.0
    burst: int = 40
    create_rate: float = 5.0
    create_burst: int = 10
    max_batch: int = 100
    page_size: int = 100
    known_products: dict[str, str] = field(default_factory=dict)
    """Category ids by EAN."""


@dataclass(slots=True)
class Change:
    """One entry of a listing's history: what changed it, and how it stood after that."""

    at: datetime
    kind: str
    price_minor: int
    list_price_minor: int
    stock: int
    blocked: bool


@dataclass(slots=True)
class SimListing:
    """A listing as the marketplace shows it."""

    sku: str
    market_id: str
    content: dict[str, Any]
    price_minor: int
    list_price_minor: int
    stock: int
    blocked: bool = False
    history: list[Change] = field(default_factory=list)
    shown: tuple[dict[str, Any], int, ShelfItem] | None = None
    """How buyers saw it last, and which content and how much history that was made of."""

    def remember(self, at: datetime, kind: str) -> None:
        """Write how the listing stands into its history."""
        self.history.append(
            Change(at, kind, self.price_minor, self.list_price_minor, self.stock, self.blocked)
        )


@dataclass(slots=True)
class Terms:
    """Price and stock as one item of a batch carried them."""

    price_minor: int
    list_price_minor: int
    stock: int


@dataclass(slots=True)
class SimLot:
    """An asynchronous lot: ``waiting`` items by the time they settle, answers of settled ones."""

    lot_id: str
    created_at: datetime
    waiting: dict[str, dict[str, Any]]
    settled: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Received:
    """Something the seller handed in: its newest body, and how often it arrived."""

    body: dict[str, Any]
    first_at: datetime
    arrivals: int = 1


@dataclass(slots=True)
class SimLine:
    """One line of an order, in minor units."""

    line_id: str
    sku: str
    quantity: int
    unit_price_minor: int
    discount_minor: int = 0
    shipping_minor: int = 0
    tax_minor: int = 0
    cancelled_quantity: int = 0

    @property
    def total_minor(self) -> int:
        """What the buyer pays for the line."""
        goods = self.unit_price_minor * self.quantity
        return goods - self.discount_minor + self.shipping_minor + self.tax_minor


@dataclass(slots=True)
class SimOrder:
    """One order of a cart."""

    order_id: str
    cart_id: str
    status: str
    created_at: datetime
    updated_at: datetime
    lines: list[SimLine]
    discount_minor: int = 0
    shipping_minor: int = 0
    interest_minor: int = 0
    cancel_reason: str = ""
    arrived: bool = True
    change: int = -1
    """Where the order's newest change stands in the market's list of changes."""

    @property
    def total_minor(self) -> int:
        """What the buyer pays for the order."""
        goods = sum(line.total_minor for line in self.lines)
        return goods - self.discount_minor + self.shipping_minor + self.interest_minor


@dataclass(slots=True)
class SimCart:
    """What a buyer bought in one go: one order, or several, and what the seller did about it."""

    cart_id: str
    orders: list[SimOrder]
    buyer: dict[str, Any]
    address: dict[str, Any]
    delivery: dict[str, Any]
    payment_methods: list[str]
    shipment: dict[str, Any] | None = None
    invoices: dict[str, Received] = field(default_factory=dict)
    trackings: dict[str, Received] = field(default_factory=dict)
    deliveries: dict[str, Received] = field(default_factory=dict)
    after_acceptance: str = ""
    """The raw status that acceptance leads to, while the orders wait for it."""
    accepted: bool = False
    accepts: int = 0
    cancels: int = 0
    cancelled_by: str = ""
    paid: bool = False
    """Whether it was ever paid, whatever became of it since."""

    @property
    def living(self) -> list[SimOrder]:
        """The orders that nobody cancelled."""
        return [order for order in self.orders if order.status != "cancelled"]

    @property
    def status(self) -> str:
        """The status of the first living order, ``cancelled`` when none lives."""
        living = self.living
        return living[0].status if living else "cancelled"

    @property
    def total_minor(self) -> int:
        """What the buyer pays for the whole cart."""
        return sum(order.total_minor for order in self.orders)


@dataclass(frozen=True, slots=True)
class NotSold:
    """A sale the marketplace refused, and why."""

    reasons: tuple[str, ...]


def stamp(moment: datetime) -> str:
    """A moment as the wire has it: ISO 8601, UTC."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def order_to_wire(order: SimOrder, currency: str) -> dict[str, Any]:
    """An order as the API answers it."""

    def text(minor: int) -> str:
        return str(Money(minor, currency).major())

    return {
        "order_id": order.order_id,
        "status": order.status,
        "created_at": stamp(order.created_at),
        "updated_at": stamp(order.updated_at),
        "currency": currency,
        "lines": [
            {
                "line_id": line.line_id,
                "seller_sku": line.sku,
                "quantity": line.quantity,
                "cancelled_quantity": line.cancelled_quantity,
                "unit_price": text(line.unit_price_minor),
                "discount": text(line.discount_minor),
                "shipping": text(line.shipping_minor),
                "tax": text(line.tax_minor),
            }
            for line in order.lines
        ],
        "discount": text(order.discount_minor),
        "shipping": text(order.shipping_minor),
        "interest": text(order.interest_minor),
        "total": text(order.total_minor),
        "cancel_reason": order.cancel_reason,
    }


def cart_to_wire(cart: SimCart, settings: DemoSimSettings) -> dict[str, Any]:
    """A cart as the API answers it, with those of its orders that have arrived."""
    return {
        "cart_id": cart.cart_id,
        "seller_id": settings.seller_id,
        "orders_expected": len(cart.orders),
        "orders": [order_to_wire(o, settings.currency) for o in cart.orders if o.arrived],
        "buyer": cart.buyer,
        "address": cart.address,
        "delivery": cart.delivery,
        "payment_methods": cart.payment_methods,
        "accepted": cart.accepted,
        "invoices": [
            {
                "number": number,
                "tracking_number": str(tracking.body.get("number") or "") if tracking else "",
                "delivered": number in cart.deliveries,
            }
            for number in cart.invoices
            for tracking in [cart.trackings.get(number)]
        ],
        "shipment": cart.shipment,
    }


def listing_to_wire(listing: SimListing, currency: str) -> dict[str, Any]:
    """A listing as the search answers it."""
    return {
        "seller_sku": listing.sku,
        "listing_id": listing.market_id,
        "url": listing_url(listing.market_id),
        "price": str(Money(listing.price_minor, currency).major()),
        "list_price": str(Money(listing.list_price_minor, currency).major()),
        "currency": currency,
        "stock": listing.stock,
        "blocked": listing.blocked,
    }


def listing_url(market_id: str) -> str:
    """Where a buyer sees the listing."""
    return f"https://demo-market.example/item/{market_id}"


def minor(amount: object, currency: str) -> int:
    """Minor units of an amount on the wire; raises ValueError for anything else."""
    if isinstance(amount, bool) or not isinstance(amount, str | int | float):
        raise ValueError("amount missing")  # noqa: TRY004 - callers ask whether it is readable
    try:
        return from_major(amount, currency).minor
    except ArithmeticError:
        raise ValueError("amount unreadable") from None
