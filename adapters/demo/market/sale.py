"""What can be sold and how: the options of a sale, and the orders it makes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from adapters.demo.market.state import SimLine, SimOrder
from connector.sdk import Delivery

BUYER = {
    "first_name": "Zoë",
    "last_name": "d'Ávila-Łuczak 李",
    "email": "zoe@example.com",
    "phone": "+5511999990000",
    "document": "52998224725",
    "document_type": "cpf",
}
ADDRESS = {
    "receiver": "Zoë d'Ávila-Łuczak 李",
    "street": "Rua São João",
    "number": "10",
    "complement": "apto 4 🏡",
    "neighborhood": "Centro",
    "city": "São Paulo",
    "state": "SP",
    "country": "BRA",
    "postal_code": "01035-000",
    "longitude": -46.638,
    "latitude": -23.543,
}


class SaleOptions(BaseModel):
    """How a sale goes; all amounts in minor units.

    ``orders`` above one makes a cart of that many, which arrive ``arrive_every_s`` apart. Amounts
    of the whole sale are split over its orders to the cent; those "of each line" are not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    payment: Literal["now", "later", "never"] = "now"
    pay_after_s: float = Field(default=60.0, ge=0)
    status: str = ""
    """A raw status instead of the one that the payment gives, an undocumented one, say."""
    accept_first: bool = False
    """The orders stay ``waiting_acceptance`` until the seller accepts."""
    orders: int = Field(default=1, ge=1)
    arrive_every_s: float = Field(default=0.0, ge=0)
    discount_minor: int = Field(default=0, ge=0)
    shipping_minor: int = Field(default=0, ge=0)
    interest_minor: int = Field(default=0, ge=0)
    line_discount_minor: int = Field(default=0, ge=0)
    line_shipping_minor: int = Field(default=0, ge=0)
    line_tax_minor: int = Field(default=0, ge=0)
    delivery: Delivery = Delivery.SELLER
    option: str = ""
    warehouse_id: str = ""
    pickup_point_id: str = ""
    labels: int = Field(default=0, ge=0)
    buyer: dict[str, Any] = Field(default_factory=lambda: dict(BUYER))
    address: dict[str, Any] = Field(default_factory=lambda: dict(ADDRESS))
    payment_methods: tuple[str, ...] = ("credit_card",)

    @property
    def released_status(self) -> str:
        """The raw status the orders have once nothing but payment is waited for."""
        return self.status or ("paid" if self.payment == "now" else "waiting_payment")

    @property
    def first_status(self) -> str:
        """The raw status the orders arrive with."""
        return "waiting_acceptance" if self.accept_first else self.released_status

    def delivery_to_wire(self, cart_id: str) -> dict[str, Any]:
        """The cart's delivery."""
        labels = [
            {
                "tracking_id": f"{cart_id}-L{number}",
                "courier": "Demo Express",
                "url": f"https://demo-market.example/track/{cart_id}-L{number}",
                "label": f"https://demo-market.example/label/{cart_id}-L{number}.pdf",
            }
            for number in range(1, self.labels + 1)
        ]
        return {
            "kind": str(self.delivery),
            "option": self.option,
            "warehouse_id": self.warehouse_id,
            "labels": labels,
        }


def split(total: int, parts: int) -> list[int]:
    """Split an amount into parts that differ by at most one unit and sum exactly."""
    each, rest = divmod(total, parts)
    return [each + (i < rest) for i in range(parts)]


def portions(wanted: Sequence[tuple[str, int]], orders: int) -> list[list[tuple[str, int]]]:
    """Deal SKUs and quantities out to the orders of a cart, none of which stays empty."""
    rows = list(wanted)
    if len(rows) < orders:
        rows = [(sku, 1) for sku, quantity in wanted for _ in range(quantity)]
    orders = min(orders, len(rows))
    return [rows[i::orders] for i in range(orders)]


def make_orders(
    cart_id: str,
    wanted: Sequence[tuple[str, int]],
    prices: dict[str, int],
    options: SaleOptions,
    now: datetime,
) -> list[SimOrder]:
    """The orders of a sale, not yet arrived."""
    dealt = portions(wanted, options.orders)
    discounts, shippings, interests = (
        split(amount, len(dealt))
        for amount in (options.discount_minor, options.shipping_minor, options.interest_minor)
    )
    return [
        SimOrder(
            order_id=f"{cart_id}-{i + 1}",
            cart_id=cart_id,
            status=options.first_status,
            created_at=now,
            updated_at=now,
            lines=[
                SimLine(
                    line_id=f"{i + 1}.{n}",
                    sku=sku,
                    quantity=quantity,
                    unit_price_minor=prices[sku],
                    discount_minor=options.line_discount_minor,
                    shipping_minor=options.line_shipping_minor,
                    tax_minor=options.line_tax_minor,
                )
                for n, (sku, quantity) in enumerate(rows, 1)
            ],
            discount_minor=discounts[i],
            shipping_minor=shippings[i],
            interest_minor=interests[i],
            arrived=False,
        )
        for i, rows in enumerate(dealt)
    ]


def too_cheap(orders: Sequence[SimOrder]) -> bool:
    """Whether discounts take more than the goods of some order or line cost."""
    for order in orders:
        goods = [
            line.unit_price_minor * line.quantity - line.discount_minor for line in order.lines
        ]
        if min(goods) < 0 or sum(goods) < order.discount_minor:
            return True
    return False
