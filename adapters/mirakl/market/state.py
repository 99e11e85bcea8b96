"""What the simulated platform keeps, and the switches it is set up with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass

LotMode = Literal["settle", "late", "never", "fail", "partly"]


@checked_dataclass(config=ConfigDict(validate_assignment=True))
class MiraklSimSettings:
    """Switches of one simulated platform; shares are 0..1, seconds are the clock's.

    ``ceiling_slack``: how much sooner than published a call may come, for both ends measure time
    differently. ``known_share``: how many EANs the operator knows from the start.
    """

    operator: Literal["north", "south"] = "north"
    shop_id: int = 2000
    shop_name: str = "Zapatería Ñandú 🥾"
    api_key: str = "mirakl-key"
    ceilings: bool = True
    ceiling_slack: float = 0.1
    known_share: float = 0.5
    import_wait_s: float = 10.0
    import_run_s: float = 20.0
    product_sent_after_s: float = 90.0
    product_done_after_s: float = 240.0
    import_late: float = 0.0
    import_failure: float = 0.0
    mode: LotMode = "settle"
    hide_address: bool = True
    partial_acceptance: bool = False
    debit_s: float = 60.0
    received_after_s: float = 0.0
    update_delta_s: float = 60.0
    page_size: int = 100


@dataclass(slots=True)
class Change:
    """One entry of an offer's history; ``sent_at``: when the seller handed it in."""

    at: datetime
    kind: str
    stock: int
    by_seller: bool
    sent_at: datetime | None = None


@dataclass(slots=True)
class SimOffer:
    """An offer. ``fields`` are those of its last whole import: what was not sent is not there."""

    sku: str
    offer_id: int
    product_sku: str
    price_minor: int
    discount_minor: int | None
    quantity: int
    fields: dict[str, Any]
    history: list[Change] = field(default_factory=list)

    @property
    def current_minor(self) -> int:
        """What a buyer pays."""
        return self.price_minor if self.discount_minor is None else self.discount_minor


@dataclass(slots=True)
class SimProduct:
    """A product of the operator's catalog; ``data`` is what the seller sent of it."""

    sku: str
    title: str
    category: str
    references: dict[str, str]
    data: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class SimImport:
    """A file that was handed in."""

    kind: str
    number: str
    created_at: datetime
    rows: list[dict[str, Any]]
    digest: str
    running_at: datetime | None
    done_at: datetime | None
    sent_at: datetime | None = None
    """When a file of products leaves for the operator."""
    failed: bool = False
    split_at: datetime | None = None
    """When the first half of a file that settles in parts is done."""
    settled: int = 0
    finished: bool = False
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    errors: list[tuple[int, dict[str, Any], str]] = field(default_factory=list)
    """Line, row and reason."""
    bad_lines: list[tuple[int, dict[str, Any], str]] = field(default_factory=list)
    """The same of lines that could not even be transformed (products)."""


@dataclass(slots=True)
class SimLine:
    """One line of an order, in minor units. ``price_minor`` is what promotions left of it."""

    line_id: str
    sku: str
    product_sku: str
    title: str
    quantity: int
    unit_minor: int
    price_minor: int
    shipping_minor: int = 0
    tax_minor: int = 0
    state: str = ""
    cancelations: list[dict[str, Any]] = field(default_factory=list)
    refunds: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class SimShipment:
    """A parcel."""

    id: str
    order_id: str
    created_at: datetime
    updated_at: datetime
    invoice_reference: str
    lines: list[dict[str, Any]]
    status: str
    tracking: dict[str, Any]
    tracking_arrivals: int = 0


@dataclass(slots=True)
class SimDocument:
    """A document of an order."""

    id: int
    file_name: str
    type_code: str
    content: bytes
    uploaded_at: datetime


@dataclass(slots=True)
class SimOrder:
    """An order, and what everybody did about it."""

    order_id: str
    state: str
    created_at: datetime
    updated_at: datetime
    lines: list[SimLine]
    buyer: dict[str, str]
    address: dict[str, str]
    taxed: bool = False
    deduced_minor: int = 0
    hides_address: bool = False
    pay_after_s: float | None = 0.0
    accepted_at: datetime | None = None
    paid: bool = False
    cancelled_by: str = ""
    cancelled_at: datetime | None = None
    reason: str = ""
    tracking: dict[str, Any] = field(default_factory=dict)
    shipments: list[SimShipment] = field(default_factory=list)
    documents: list[SimDocument] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    accepts: int = 0
    ships: int = 0
    incident: bool = False

    @property
    def total_minor(self) -> int:
        """What the buyer pays."""
        return sum(line.price_minor + line.shipping_minor + line.tax_minor for line in self.lines)

    @property
    def fully_refunded(self) -> bool:
        """Whether all of it was given back after it was shipped."""
        return all(line.refunds and line.state == "REFUNDED" for line in self.lines)


def stamp(moment: datetime) -> str:
    """A moment as the wire has it: ISO 8601, UTC, seconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def exact(moment: datetime) -> str:
    """A moment as the wire has it where milliseconds matter."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
