"""Demo Market's carts: how their JSON becomes the one order that the hub places."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from adapters.demo.wire import Amount, MaybeMoment, Moment, RequiredAmount, Text, Wire, major
from connector.sdk import (
    Address,
    Buyer,
    Delivery,
    Invoice,
    Line,
    MarketOrder,
    MarketStatus,
    Rejected,
    Shipment,
    TrackingHint,
    from_major,
)

# A status that is not listed here is PENDING: nothing is done about an order we do not understand.
STATUSES = {
    "waiting_acceptance": MarketStatus.PENDING,
    "waiting_payment": MarketStatus.PENDING,
    "paid": MarketStatus.PAID,
    "shipped": MarketStatus.SHIPPED,
    "delivered": MarketStatus.DELIVERED,
    "cancelled": MarketStatus.CANCELLED,
    "canceled": MarketStatus.CANCELLED,
}
_PROGRESS = (
    MarketStatus.PENDING,
    MarketStatus.PAID,
    MarketStatus.SHIPPED,
    MarketStatus.DELIVERED,
)


def _blank(value: object) -> object:
    return {} if value is None else value


def _no_rows(value: object) -> object:
    return [] if value is None else value


class WireLine(Wire):
    """One line of an order."""

    line_id: Text = ""
    seller_sku: Text
    quantity: int
    cancelled_quantity: int = 0
    unit_price: Amount
    discount: Amount = Decimal(0)
    shipping: Amount = Decimal(0)
    tax: Amount = Decimal(0)

    def line(self, currency: str) -> Line:
        """The same in the hub's words."""
        return Line(
            sku=self.seller_sku,
            quantity=self.quantity,
            unit_price_minor=from_major(self.unit_price, currency).minor,
            discount_minor=from_major(self.discount, currency).minor,
            shipping_minor=from_major(self.shipping, currency).minor,
            tax_minor=from_major(self.tax, currency).minor,
            market_line_id=self.line_id,
        )


class WireOrder(Wire):
    """One order of a cart."""

    order_id: Text
    status: Text = ""
    created_at: Moment
    currency: Text
    lines: tuple[WireLine, ...]
    discount: Amount = Decimal(0)
    shipping: Amount = Decimal(0)
    interest: Amount = Decimal(0)
    # Without a default: an order that does not say what the buyer pays cannot be placed.
    total: Annotated[RequiredAmount, Field(ge=0)]
    cancel_reason: Text = ""

    @property
    def word(self) -> str:
        """The status as the documentation writes it."""
        return self.status.lower().replace("-", "_").replace(" ", "_")

    @property
    def market_status(self) -> MarketStatus:
        """The hub's word for the status, PENDING for one it has never heard of."""
        return STATUSES.get(self.word, MarketStatus.PENDING)


class WireDelivery(Wire):
    """Who brings the goods, and how."""

    kind: Delivery = Delivery.SELLER
    option: Text = ""
    warehouse_id: Text = ""
    labels: Annotated[tuple[TrackingHint, ...], BeforeValidator(_no_rows)] = ()


class WireShipment(Wire):
    """What the marketplace's carrier did."""

    courier: Text = ""
    tracking_number: Text = ""
    tracking_url: Text = ""
    shipped_at: MaybeMoment = None
    delivered_at: MaybeMoment = None


class WireInvoice(Wire):
    """What Demo Market already knows of an invoice."""

    number: Text
    tracking_number: Text = ""
    delivered: bool = False


class WireBuyer(Wire):
    """Who bought."""

    first_name: Text = ""
    last_name: Text = ""
    email: Text = ""
    phone: Text = ""
    document: Text = ""
    document_type: Text = ""
    company_name: Text = ""
    company_document: Text = ""
    state_registration: Text = ""


class WireAddress(Wire):
    """Where it goes."""

    receiver: Text = ""
    street: Text = ""
    number: Text = ""
    complement: Text = ""
    neighborhood: Text = ""
    city: Text = ""
    state: Text = ""
    country: Text = ""
    postal_code: Text = ""
    longitude: float | None = None
    latitude: float | None = None
    pickup_point_id: Text = ""


class WireCart(Wire):
    """A cart with those of its orders that have arrived."""

    cart_id: Text
    orders_expected: int = 1
    orders: tuple[WireOrder, ...]
    accepted: bool = False
    invoices: Annotated[tuple[WireInvoice, ...], BeforeValidator(_no_rows)] = ()
    buyer: Annotated[WireBuyer, BeforeValidator(_blank)] = WireBuyer()
    address: Annotated[WireAddress, BeforeValidator(_blank)] = WireAddress()
    delivery: Annotated[WireDelivery, BeforeValidator(_blank)] = WireDelivery()
    payment_methods: Annotated[tuple[Text, ...], BeforeValidator(_no_rows)] = ()
    shipment: WireShipment | None = None

    def order(self) -> MarketOrder:
        """The cart as the one order the hub places for it."""
        currencies = {order.currency for order in self.orders}
        if len(currencies) != 1:
            raise Rejected([f"the cart has no orders, or mixes currencies: {sorted(currencies)}"])
        currency = currencies.pop()

        def total(field: str) -> int:
            return sum(from_major(getattr(order, field), currency).minor for order in self.orders)

        status = cart_status([order.market_status for order in self.orders])
        return MarketOrder(
            key=self.cart_id,
            status=status,
            raw_status=",".join(order.status for order in self.orders),
            complete=len(self.orders) >= self.orders_expected,
            needs_acceptance=any(order.word == "waiting_acceptance" for order in self.orders),
            accepted=self.accepted,
            known_invoices=tuple(invoice.number for invoice in self.invoices),
            known_trackings=tuple(i.tracking_number for i in self.invoices if i.tracking_number),
            known_deliveries=tuple(i.number for i in self.invoices if i.delivered),
            created_at=min(order.created_at for order in self.orders),
            currency=currency,
            lines=merged([line.line(currency) for o in self.orders for line in o.lines]),
            discount_minor=total("discount"),
            shipping_minor=total("shipping"),
            interest_minor=total("interest"),
            total_minor=total("total"),
            buyer=Buyer(**self.buyer.model_dump()),
            address=Address(**self.address.model_dump()),
            delivery=self.delivery.kind,
            sla=self.delivery.option,
            warehouse_id=self.delivery.warehouse_id,
            tracking_hints=self.delivery.labels,
            payment_methods=self.payment_methods,
            shipment=Shipment(**self.shipment.model_dump()) if self.shipment else None,
            cancel_reason="; ".join(o.cancel_reason for o in self.orders if o.cancel_reason),
            partly_cancelled=status is not MarketStatus.CANCELLED and self._units_cancelled(),
        )

    def _units_cancelled(self) -> bool:
        return any(
            order.market_status is MarketStatus.CANCELLED
            or any(line.cancelled_quantity for line in order.lines)
            for order in self.orders
        )


def cart_status(statuses: Sequence[MarketStatus]) -> MarketStatus:
    """A cart is as far as the slowest of its living orders, and cancelled when none lives."""
    living = [status for status in statuses if status is not MarketStatus.CANCELLED]
    return min(living, key=_PROGRESS.index, default=MarketStatus.CANCELLED)


def merged(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Lines of the same SKU at the same price as one, with their amounts summed."""
    by_sku: dict[tuple[str, int], Line] = {}
    for line in lines:
        key = (line.sku, line.unit_price_minor)
        other = by_sku.get(key)
        by_sku[key] = (
            line
            if other is None
            else other.model_copy(
                update={
                    "quantity": other.quantity + line.quantity,
                    "discount_minor": other.discount_minor + line.discount_minor,
                    "shipping_minor": other.shipping_minor + line.shipping_minor,
                    "tax_minor": other.tax_minor + line.tax_minor,
                    "market_line_id": f"{other.market_line_id},{line.market_line_id}",
                }
            )
        )
    return tuple(by_sku.values())


def read_cart(payload: Any) -> MarketOrder:
    """Read a cart, or refuse it naming every field that cannot be read."""
    try:
        return WireCart.model_validate(payload).order()
    except ValidationError as error:
        # Field names only: the values are a buyer's.
        fields = sorted({".".join(map(str, problem["loc"])) for problem in error.errors()})
        raise Rejected([f"the order's {field} cannot be read" for field in fields]) from None


def invoice_to_wire(invoice: Invoice) -> dict[str, Any]:
    """An invoice."""
    return {
        "number": invoice.number,
        "value": major(invoice.value_minor, invoice.currency),
        "currency": invoice.currency,
        "issued_at": invoice.issued_at.isoformat() if invoice.issued_at else None,
        "access_key": invoice.key,
        "url": invoice.url,
        "xml": invoice.xml,
        "items": [{"seller_sku": sku, "quantity": quantity} for sku, quantity in invoice.items],
    }
