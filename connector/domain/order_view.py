"""What an order's next step is decided from, and what the answer can be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from connector.domain.marketorder import Delivery
from connector.domain.order import Order, Task

NOT_YET = {"integration": timedelta(minutes=15), "classic": timedelta(minutes=1)}
"""How long after sending an order a 404 from VTEX means "not yet" rather than "never" (6.4)."""
SOON = timedelta(seconds=10)
"""How long something that was just asked for may take to show."""
ASK_AGAIN = timedelta(minutes=10)
"""How long an authorization or cancellation may take before it is asked for again (KI 1200833)."""
FORGET_AFTER = timedelta(days=60)
"""An order that nothing more happens to is considered ended; VTEX itself cancels after 30 days."""

NEEDS_AUTHORIZATION = frozenset(
    {
        "order-created",
        "order-accepted",
        "order-completed",
        "on-order-completed",
        "on-order-completed-ffm",
        "payment-pending",
        "waiting-ffmt-authorization",
        "waiting-for-authorization",
        "waiting-for-fulfillment",
        "waiting-for-mkt-authorization",
        "waiting-for-order-authorization",
    }
)
"""Statuses in which VTEX still waits for our word that the order is paid (protocol 8.2)."""
MANUAL_AUTHORIZATION = "waiting-for-manual-authorization"
CANCELLING = frozenset({"cancel", "canceled", "cancelled"})
"""Statuses in which VTEX's own order says that it is being, or was, cancelled (protocol 8.2)."""
CANCEL_ASKED = frozenset(
    {"request-cancel", "cancellation-requested", "waiting-for-seller-decision"}
)
"""Somebody asked for a cancellation; the seller may still decline (protocol 8.3)."""
CARRIED_BY_MARKET = frozenset({Delivery.MARKETPLACE, Delivery.MARKETPLACE_STOCK})


class Act(StrEnum):
    """One write to the outside."""

    PLACE = "place"
    ACCEPT = "accept"
    AUTHORIZE = "authorize"
    INVOICE = "invoice"
    TRACKING = "tracking"
    DELIVERED = "delivered"
    CANCEL_MARKET = "cancel-market"
    CANCEL_VTEX = "cancel-vtex"
    RETURN_INVOICE = "return-invoice"
    SHARE_TRACKING = "share-tracking"
    SHARE_DELIVERED = "share-delivered"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Do:
    """The next thing to do; ``number`` is an invoice's, ``task`` what a person is asked."""

    act: Act
    number: str = ""
    task: Task | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do now; look again at ``until``, or never when the order has ended."""

    until: datetime
    ended: bool = False


@dataclass(frozen=True, slots=True)
class MarketAbility:
    """What the marketplace can be told."""

    accept: bool = True
    cancel: bool = True
    invoice: bool = True
    tracking: bool = True
    delivered: bool = True
    refund: bool = False
    """A shipped order can be given up as well: all the money goes back."""


@dataclass(frozen=True, slots=True)
class OrderView:
    """Everything the decision depends on; ``order`` holds what was just read from both sides."""

    order: Order
    can: MarketAbility
    now: datetime
    order_api: Literal["integration", "classic"] = "integration"
    watch: timedelta = timedelta(hours=2)


Decision = Do | Rest
