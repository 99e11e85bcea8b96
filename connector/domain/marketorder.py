"""A marketplace's order, as an adapter reads it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from connector.domain.offer import Value


class MarketStatus(StrEnum):
    """Where the marketplace says the order is. An unknown remote status is PENDING."""

    PENDING = "pending"  # exists, not paid or not released yet
    PAID = "paid"  # paid and released: the seller may ship
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class Delivery(StrEnum):
    """Who brings the goods to the buyer."""

    SELLER = "seller"
    MARKETPLACE = "marketplace"  # FOB: the marketplace's carrier collects at the seller
    MARKETPLACE_STOCK = "marketplace-stock"  # the marketplace ships from its own warehouse
    PICKUP = "pickup"  # the buyer collects at one of the seller's pickup points


class Line(Value):
    """One line: what the buyer pays per unit and for its shipping, in minor units."""

    sku: str
    quantity: int = Field(gt=0)
    unit_price_minor: int = Field(ge=0)
    discount_minor: int = 0
    """Taken off the whole line."""
    shipping_minor: int = 0
    tax_minor: int = 0
    market_line_id: str = ""


class Buyer(Value):
    """Who bought. Personal data: never logged, erased after the order ends."""

    first_name: str = ""
    last_name: str = ""
    email: str = ""
    phone: str = ""
    document: str = ""
    document_type: str = ""
    company_name: str = ""
    company_document: str = ""
    state_registration: str = ""


class Address(Value):
    """Where it goes. Personal data: never logged, erased after the order ends."""

    receiver: str = ""
    street: str = ""
    number: str = ""
    complement: str = ""
    neighborhood: str = ""
    city: str = ""
    state: str = ""
    country: str = ""
    """ISO 3166 alpha-3."""
    postal_code: str = ""
    longitude: float | None = None
    latitude: float | None = None
    pickup_point_id: str = ""


class TrackingHint(Value):
    """A label that the marketplace has already made (protocol 6.5, scenario 12)."""

    tracking_id: str
    courier: str
    url: str = ""
    label: str = ""


class Shipment(Value):
    """What the marketplace reports when it delivers itself (FOB)."""

    courier: str = ""
    tracking_number: str = ""
    tracking_url: str = ""
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None


class MarketOrder(Value):
    """One order, or one cart of several, under the adapter's order key.

    All amounts are minor units of ``currency``. ``total_minor`` is what the marketplace says the
    buyer pays; the hub checks that lines, shipping, discounts, taxes and interest add up to it.
    """

    key: str
    status: MarketStatus
    raw_status: str = ""
    complete: bool = True
    """False while a cart still misses some of its orders: not placed until it is complete."""
    needs_acceptance: bool = False
    """The marketplace releases the order only after the seller accepted it."""
    created_at: datetime
    currency: str
    lines: tuple[Line, ...]
    discount_minor: int = 0
    """Order-level discount that the seller bears, besides the lines' own."""
    shipping_minor: int = 0
    """Shipping not already told per line."""
    interest_minor: int = 0
    total_minor: int
    buyer: Buyer = Buyer()
    address: Address = Address()
    delivery: Delivery = Delivery.SELLER
    sla: str = ""
    """The seller's shipping option the buyer chose, where the marketplace shows them."""
    warehouse_id: str = ""
    """The seller's warehouse that stands for the marketplace's stock (MARKETPLACE_STOCK)."""
    tracking_hints: tuple[TrackingHint, ...] = ()
    payment_methods: tuple[str, ...] = ()
    shipment: Shipment | None = None
    accepted: bool = False
    """The marketplace already knows that the seller took it."""
    known_invoices: tuple[str, ...] = ()
    """Numbers of the invoices the marketplace has, where it tells: none is sent twice."""
    known_trackings: tuple[str, ...] = ()
    """Tracking numbers the marketplace has, where it tells."""
    known_deliveries: tuple[str, ...] = ()
    """Numbers of the invoices whose arrival the marketplace knows, where it tells."""
    cancel_reason: str = ""
    partly_cancelled: bool = False
    """Some units were cancelled: VTEX cannot be told, a person must act."""
    members: tuple[str, ...] = ()
    """Keys of the orders that a cart consists of, where they can be told of by themselves (a
    webhook names one of them): the hub makes sure that none is placed besides the cart."""
    attention: tuple[str, ...] = ()
    """What a person must see to on the marketplace (a claim, a partial refund, a dispute), in
    words without personal data; each is told once."""


class Invoice(Value):
    """An invoice the seller issued (protocol 7.2); ``xml`` is the embedded fiscal document."""

    number: str
    value_minor: int
    currency: str
    issued_at: datetime | None = None
    key: str = ""
    url: str = ""
    xml: str = ""
    items: tuple[tuple[str, int], ...] = ()
    """(SKU, quantity) of each invoiced line."""


class Tracking(Value):
    """How one invoice's parcel travels."""

    invoice_number: str
    courier: str = ""
    number: str = ""
    url: str = ""
    dispatched_at: str = ""
