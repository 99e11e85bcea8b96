"""User-readable log entries and the catalogue of their codes (protocol 10.5)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from connector.domain.offer import Value


class Status(StrEnum):
    """How a step ended (H-LOG-03)."""

    SUCCESS = "success"
    ERROR = "error"
    WARNING = "warning"
    PENDING = "pending"


class Operation(StrEnum):
    """What was being done (H-LOG-03)."""

    CATALOG_CHANGE = "Catalog change"
    OFFER_CREATION = "Offer creation"
    PRICE_UPDATE = "Price update"
    INVENTORY_UPDATE = "Inventory update"
    ORDER_STATUS_UPDATE = "Order status update"
    INVOICE_SENDING = "Invoice sending"
    TRACKING_SENDING = "Tracking code sending"


class Direction(StrEnum):
    """Which way it went."""

    TO_MARKETPLACE = "VTEX to Marketplace"
    TO_VTEX = "Marketplace to VTEX"


class Entry(Value):
    """One step, told so that a merchant can act on it. Personal data is masked before it gets here.

    ``code`` is VTEX's (S1, A1-A3, E1-E5 for the catalogue, A-Q for orders) or empty where VTEX has
    none. ``source``, ``translated`` and ``destination`` are the payloads at the three stages.
    """

    connection: str
    at: datetime
    subject: str
    """SKU or order reference."""
    operation: Operation
    direction: Direction
    status: Status
    message: str
    code: str = ""
    source: str = ""
    translated: str = ""
    destination: str = ""
    id: int = 0
    """Given by the store; grows with time within a connection."""
