"""What the simulated VTEX knows about an order: values only, no HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

WAITING = "waiting-ffmt-authorization"
MANUAL = "waiting-for-manual-authorization"
AUTHORIZED = "authorize-fulfillment"
GRACE = "window-to-cancel"
READY = "ready-for-handling"
HANDLING = "handling"
INVOICING = "invoice"
INVOICED = "invoiced"
SELLER_DECIDES = "waiting-for-seller-decision"
CANCELING = "cancel"
CANCELED = "canceled"
ENDED = frozenset({INVOICED, CANCELED})


class WrongStatusError(Exception):
    """The order is in a status in which this cannot be done."""


@dataclass(frozen=True, slots=True)
class SimItem:
    """One line of an order; prices in cents."""

    sku_id: str
    quantity: int
    price: int
    list_price: int
    total: int
    shipping: int
    unit: str = "un"
    multiplier: float = 1.0


@dataclass(slots=True)
class Invoice:
    """An invoice of an order, with the tracking that came with or after it."""

    number: str
    type: str
    value: int
    items: list[dict[str, Any]]
    issuance_date: str
    by: str
    key: str | None = None
    url: str | None = None
    embedded: str | None = None
    courier: str = ""
    tracking_number: str = ""
    tracking_url: str = ""
    dispatched: str | None = None
    delivered: bool = False
    delivered_date: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    receipts: int = 1


@dataclass(frozen=True, slots=True)
class CancelRecord:
    """One request to cancel; ``by`` is ``marketplace``, ``seller`` or ``system``."""

    at: str
    by: str
    reason: str


@dataclass(slots=True)
class CallbackRecord:
    """One call of the OMS to the hub and how it went."""

    kind: str
    url: str
    body: dict[str, Any] | None
    attempts: int = 0
    accepted_at: str | None = None
    receipt: str | None = None


@dataclass(slots=True)
class SimOrder:
    """An order as VTEX holds it."""

    order_id: str
    marketplace_order_id: str
    affiliate_id: str
    sales_channel: int
    generation: str
    endpoint: str
    value: int
    items: list[SimItem]
    body: dict[str, Any]
    created_at: datetime
    sequence: int
    status: str = "order-accepted"
    history: list[tuple[str, str]] = field(default_factory=list)
    last_change: datetime | None = None
    authorized_at: datetime | None = None
    invoiced_at: datetime | None = None
    is_fob: bool = False
    slas: list[str] = field(default_factory=list)
    interest: int = 0
    taxes: int = 0
    reserved: dict[int, int] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    cancels: list[CancelRecord] = field(default_factory=list)
    callbacks: list[CallbackRecord] = field(default_factory=list)
    hub_tracking: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    declined: int = 0
    status_before_request: str = ""
    stuck: bool = False
    in_error: bool = False

    @property
    def approved(self) -> bool:
        """Whether the marketplace has said that the order is paid."""
        return self.authorized_at is not None

    @property
    def deliveries(self) -> list[Invoice]:
        """The invoices whose goods have arrived."""
        return [each for each in self.invoices.values() if each.delivered]

    def invoiced_value(self, kind: str = "Output") -> int:
        """What was invoiced so far, in cents; sales and returns are counted apart."""
        return sum(each.value for each in self.invoices.values() if each.type == kind)

    @property
    def fully_invoiced(self) -> bool:
        """Whether sale invoices cover the order."""
        return self.value > 0 and self.invoiced_value() >= self.value

    @property
    def cancelable(self) -> bool:
        """Whether a cancellation can still begin (protocol 8.2)."""
        return self.status not in {INVOICING, INVOICED, CANCELING, CANCELED} and not any(
            each.type == "Output" for each in self.invoices.values()
        )

    def invoice(self, number: str) -> Invoice | None:
        """An invoice by its number, leniently about blanks around it."""
        wanted = number.strip()
        return next((i for i in self.invoices.values() if i.number.strip() == wanted), None)
