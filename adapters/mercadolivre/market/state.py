"""What the simulated Mercado Livre keeps, and the switches it is set up with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass

from connector.sdk import Money


@checked_dataclass(config=ConfigDict(validate_assignment=True))
class MercadoSimSettings:
    """Switches of one simulated Mercado Livre; shares are 0..1, seconds are the clock's.

    ``rate`` calls a second are allowed per application, ``burst`` at once: the real ceiling is
    published nowhere. ``stock_per_minute`` is published (selling_address).
    """

    site: str = "MLB"
    currency: str = "BRL"
    user_id: str = "468424240"
    nickname: str = "VENDEDOR_DE_TESTE"
    client_id: str = "5503910054141466"
    client_secret: str = "a-simulated-app-secret"  # noqa: S105 - a simulator's
    login: str = ""
    """Who is logged in at the consent page; empty: the seller."""
    token_s: float = 10_800.0
    user_products: bool = False
    multi_origin: bool = False
    store_id: str = "54936888"
    network_node_id: str = "BRP163942"
    webhook_url: str = ""
    webhook_timeout_s: float = 0.5
    """Real seconds in which an event must be taken."""
    webhook_waits: tuple[float, ...] = (60.0, 120.0, 240.0, 480.0, 600.0, 900.0, 1_200.0)
    webhook_loss: float = 0.0
    webhook_duplicate: float = 0.0
    webhook_late: float = 0.0
    webhook_late_s: float = 120.0
    lock_share: float = 0.0
    """Writes to a listing that meet an optimistic lock."""
    version_share: float = 0.0
    """Stock writes that somebody else was faster than."""
    search_lag_s: float = 0.0
    shipping_late_s: float = 0.0
    """Until an order tells the id of its shipment."""
    invoice_first: bool = True
    """Labels of Mercado Livre's own logistics wait for an NF-e."""
    give_up_s: float = 900.0
    """Until an order nobody pays is cancelled."""
    scroll_s: float = 300.0
    limits: bool = True
    rate: float = 75.0
    burst: int = 75
    stock_per_minute: int = 100
    page_size: int = 50


@dataclass(slots=True)
class Change:
    """How a listing stood after something changed it."""

    at: datetime
    stock: int
    by_seller: bool


@dataclass(slots=True)
class SimItem:
    """A listing. ``body``: everything that was sent but price, stock and status."""

    id: str
    sku: str
    body: dict[str, Any]
    price_minor: int
    quantity: int
    created_at: datetime
    user_product_id: str
    status: str = "active"
    sub_status: list[str] = field(default_factory=list)
    description: str | None = None
    sold: int = 0
    version: int = 1
    automated: bool = False
    deleted: bool = False
    history: list[Change] = field(default_factory=list)

    @property
    def gone(self) -> bool:
        """Whether it is closed or deleted."""
        return self.status == "closed" or self.deleted

    @property
    def shown(self) -> int:
        """Units a buyer could buy."""
        return self.quantity if self.status == "active" else 0

    def set_stock(self, units: int) -> None:
        """Change the stock: none pauses, some brings back what was paused for want of it alone."""
        self.quantity = units
        if units <= 0 and self.status == "active":
            self.status = "paused"
            self.sub_status.append("out_of_stock")
        elif units > 0 and "out_of_stock" in self.sub_status:
            self.sub_status.remove("out_of_stock")
            if not self.sub_status:
                self.status = "active"

    def remember(self, at: datetime, *, by_seller: bool) -> None:
        """Write how it stands into its history."""
        self.history.append(Change(at, self.shown, by_seller))

    def to_wire(self, currency: str, site: str) -> dict[str, Any]:
        """As the API answers it."""
        return {
            **{name: value for name, value in self.body.items() if name != "stock_locations"},
            "id": self.id,
            "site_id": site,
            "status": self.status,
            "sub_status": list(self.sub_status),
            "price": number(self.price_minor, currency),
            "currency_id": currency,
            "available_quantity": self.quantity,
            "sold_quantity": self.sold,
            "user_product_id": self.user_product_id,
            "family_name": self.body.get("family_name"),
            "title": self.body.get("title") or self.body.get("family_name"),
            "permalink": f"https://produto.example/{self.id}",
            "deleted": "true" if self.deleted else None,
        }


@dataclass(slots=True)
class SimOrder:
    """One order: one item."""

    id: str
    key: str
    item_id: str
    sku: str
    title: str
    quantity: int
    unit_minor: int
    created_at: datetime
    updated_at: datetime
    status: str = "payment_in_process"
    shipping_minor: int = 0
    coupon_minor: int = 0
    fee_minor: int = 0
    tax_minor: int = 0
    paid_at: datetime | None = None
    refunded: bool = False
    arrived: bool = False
    feedback: dict[str, Any] | None = None
    tags: set[str] = field(default_factory=set)
    mediations: list[str] = field(default_factory=list)
    cancel_words: str = ""

    @property
    def goods_minor(self) -> int:
        """What the goods cost."""
        return self.unit_minor * self.quantity

    @property
    def total_minor(self) -> int:
        """What the buyer pays."""
        extra = self.shipping_minor + self.fee_minor + self.tax_minor
        return self.goods_minor + extra - self.coupon_minor


@dataclass(slots=True)
class SimShipment:
    """How a sale travels."""

    id: str
    mode: str
    type: str
    status: str
    substatus: str | None
    updated_at: datetime
    tracking_number: str = ""
    notices: int = 0
    arrivals: int = 0


@dataclass(slots=True)
class Document:
    """An invoice that came in, however it came."""

    number: str
    value_minor: int
    name: str
    kind: str
    at: datetime
    arrivals: int = 1


@dataclass(slots=True)
class SimSale:
    """What a buyer bought in one go."""

    key: str
    pack_id: str
    orders: list[SimOrder]
    buyer: dict[str, Any]
    address: dict[str, Any]
    sold_at: datetime
    mode: tuple[str, str]
    shipment: SimShipment | None = None
    documents: list[Document] = field(default_factory=list)
    cancelled_by: str = ""
    cancelled_at: datetime | None = None
    ever_paid: bool = False

    @property
    def living(self) -> list[SimOrder]:
        """The orders nobody cancelled."""
        return [order for order in self.orders if order.status != "cancelled"]


def stamp(moment: datetime) -> str:
    """A moment as the wire has it, in Mercado Livre's own offset."""
    return moment.isoformat(timespec="milliseconds")


def number(minor: int, currency: str) -> float:
    """An amount as the wire has it."""
    return float(Money(minor, currency).major())
