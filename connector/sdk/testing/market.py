"""What a simulated marketplace offers the demo and load tests, whatever its API looks like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from connector.domain.http import Request, Response
from connector.domain.marketorder import Delivery, MarketStatus
from connector.sdk.testing.simulator import Faults, LedgerRow


class NotPossible(Exception):
    """The order is not in a state that allows this."""


@dataclass(frozen=True, slots=True)
class Sale:
    """What a buyer buys and how; amounts in minor units.

    ``pay_after_s``: 0 pays at once, None never. ``orders`` above one makes a cart of that many,
    which arrive ``arrive_every_s`` apart. ``buyer`` and ``address`` replace fields of the
    simulator's own.
    """

    lines: tuple[tuple[str, int], ...]
    pay_after_s: float | None = 0.0
    accept_first: bool = False
    orders: int = 1
    arrive_every_s: float = 0.0
    discount_minor: int = 0
    shipping_minor: int = 0
    interest_minor: int = 0
    line_discount_minor: int = 0
    line_tax_minor: int = 0
    delivery: Delivery = Delivery.SELLER
    pickup_point_id: str = ""
    labels: int = 0
    buyer: Mapping[str, str] = field(default_factory=dict)
    address: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShelfChange:
    """How a listing stood after something changed it; ``by_seller``: the hub did."""

    at: datetime
    stock: int
    by_seller: bool


@dataclass(frozen=True, slots=True)
class ShelfItem:
    """A listing as buyers see it. ``text`` is all of its content, to look for words in."""

    sku: str
    price_minor: int
    stock: int
    blocked: bool
    text: str = ""
    history: tuple[ShelfChange, ...] = ()

    @property
    def buyable(self) -> bool:
        """Whether a buyer could buy it now."""
        return not self.blocked and self.stock > 0


@dataclass(frozen=True, slots=True)
class Paper:
    """An invoice that the seller handed in, and what was told about its parcel.

    ``arrivals`` counts calls, also those that changed nothing.
    """

    number: str
    value_minor: int
    arrivals: int = 1
    tracking_number: str = ""
    tracking_arrivals: int = 0
    delivered: bool = False
    delivery_arrivals: int = 0


@dataclass(frozen=True, slots=True)
class Bought:
    """An order (or a cart) as the marketplace keeps it. ``told_at``: when the seller first heard.

    ``paid``: money was there at some time, whatever became of the order since.
    """

    key: str
    status: MarketStatus
    paid: bool
    total_minor: int
    lines: tuple[tuple[str, int], ...]
    sold_at: datetime
    told_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancelled_by: str = ""
    carrier: bool = False
    """The marketplace's own carrier brings it (FOB)."""
    parcel: str = ""
    """Tracking number of that carrier, once it has collected the goods."""
    arrived: bool = False
    """That carrier has handed the goods over."""
    papers: tuple[Paper, ...] = ()

    @property
    def cancelled(self) -> bool:
        """Whether nothing of it is alive."""
        return self.status is MarketStatus.CANCELLED


class MarketSimulator(Protocol):
    """A simulated marketplace. An adapter's package exports its class as ``SIMULATOR``; it is
    built with ``clock``, ``outbound``, ``seed`` and ``faults``, like every simulator.
    """

    faults: Faults
    ledger: list[LedgerRow]

    async def handle(self, request: Request) -> Response:
        """Answer one request, or raise Dropped."""
        ...

    async def close(self) -> None:
        """Stop all background work."""
        ...

    # --- setting up -----------------------------------------------------------------------------

    def seller_settings(self, base_url: str) -> dict[str, Any]:
        """The adapter settings with which a connection reaches this simulator at ``base_url``."""
        ...

    def some_category(self) -> str:
        """A category that takes listings."""
        ...

    def call_back(self, webhook_url: str) -> None:
        """Send webhooks there."""
        ...

    def misbehave(self, share: float) -> None:
        """Make this share of everything beside plain calls go wrong: webhooks, items, lots."""
        ...

    # --- what buyers and carriers do --------------------------------------------------------------

    def buy(self, sale: Sale) -> str | None:
        """Buy; the order's key as the adapter knows it, None where it is not for sale."""
        ...

    def cancel_order(self, key: str, reason: str) -> None:
        """The buyer, or the marketplace, cancels.

        Raises:
            NotPossible: it has left already.
        """
        ...

    def collect(self, key: str) -> None:
        """The marketplace's carrier collects the goods (FOB).

        Raises:
            NotPossible: they are not ready, or the seller ships.
        """
        ...

    def hand_over(self, key: str) -> None:
        """The marketplace's carrier hands the goods to the buyer (FOB).

        Raises:
            NotPossible: they are not on their way.
        """
        ...

    # --- its books --------------------------------------------------------------------------------

    def shelf(self) -> Mapping[str, ShelfItem]:
        """All listings by the seller's SKU."""
        ...

    def buys(self) -> Mapping[str, Bought]:
        """All orders by key."""
        ...
