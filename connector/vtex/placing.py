"""An order as the hub wants VTEX to have it, whatever the API it goes through (protocol 6)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from connector.domain.marketorder import Address, Buyer, TrackingHint
from connector.vtex.sanitise import plain
from connector.vtex.simulation import DeliveryId

DELIVERY = "delivery"
PICKUP = "pickup-in-point"
DEFAULT_TTL = "10d"
DEFAULT_ESTIMATE = "5bd"

_ENDPOINT = re.compile(r"https?://[^\s?#]+[^\s?#/]")
_REF = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DURATION = re.compile(r"\d{1,5}(?:bd|d|h|m)")


@dataclass(frozen=True, slots=True)
class PlaceLine:
    """One line: ``price_minor`` per sold unit, all discounts taken off; shipping for the line."""

    sku: str
    quantity: int
    price_minor: int
    shipping_minor: int = 0
    sla: str = ""
    """The seller's delivery option; VTEX chooses one where it is empty."""
    channel: str = DELIVERY
    lock_ttl: str = ""
    estimate: str = ""
    delivery_ids: tuple[DeliveryId, ...] = ()
    unit_multiplier: float = 1.0
    measurement_unit: str = "un"


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """A whole order; ``total_minor`` includes shipping, interest and taxes.

    ``fob``: the marketplace delivers; ``marketplace_fulfillment``: from its own stock as well;
    ``pickup``: at the seller's pickup point named in the address (protocol 6.5).
    """

    ref: str
    lines: tuple[PlaceLine, ...]
    buyer: Buyer = field(repr=False)
    address: Address = field(repr=False)
    total_minor: int
    endpoint: str = field(repr=False)
    connector_name: str = "connector"
    interest_minor: int = 0
    taxes: tuple[tuple[str, int], ...] = ()
    """(SKU, minor units)."""
    fob: bool = False
    marketplace_fulfillment: bool = False
    pickup: bool = False
    tracking_hints: tuple[TrackingHint, ...] = field(default=(), repr=False)
    payment_methods: tuple[str, ...] = ()
    paid: bool = False

    @property
    def parts_minor(self) -> int:
        """What lines, shipping, interest and taxes come to."""
        goods = sum(line.price_minor * line.quantity for line in self.lines)
        shipping = sum(line.shipping_minor for line in self.lines)
        return goods + shipping + self.interest_minor + sum(tax for _, tax in self.taxes)


def merge_lines(lines: Sequence[PlaceLine]) -> tuple[PlaceLine, ...]:
    """Equal lines as one: VTEX gets discounts and freight of repeated SKUs wrong (KI 732529)."""
    merged: dict[PlaceLine, PlaceLine] = {}
    for line in lines:
        key = replace(line, quantity=1, shipping_minor=0)
        known = merged.get(key)
        merged[key] = line if known is None else replace(
            known,
            quantity=known.quantity + line.quantity,
            shipping_minor=known.shipping_minor + line.shipping_minor,
        )  # fmt: skip
    return tuple(merged.values())


def fill_gaps(order: PlaceOrder, *, document: str = "") -> tuple[PlaceOrder, tuple[str, ...]]:
    """The order with defaults where VTEX needs data the marketplace did not give (H-ARC-05).

    ``document`` is what the merchant wants to stand for a buyer's document where marketplaces do
    not ask buyers for one; VTEX takes no order without (protocol 6.2).

    The second value names what was filled, as "field=value", for log H; no personal data.
    """
    buyer, address, told = order.buyer, order.address, []
    first, last = plain(buyer.first_name), plain(buyer.last_name)
    if not first and not last:
        first = plain(address.receiver) or plain(buyer.company_name)
    if first and not last:
        first, _, last = first.partition(" ")
    if first and not last:
        last = "-"
        told.append("lastName=-")
    if not first and last:
        first, last = last, "-"
        told.append("lastName=-")
    receiver = plain(address.receiver) or f"{first} {last}".strip(" -")
    street = {"number": address.number, "neighborhood": address.neighborhood}
    for name, default in (("number", "S/N"), ("neighborhood", "-")):
        if plain(address.street) and not plain(street[name]):
            street[name] = default
            told.append(f"{name}={default}")
    profile = {"first_name": first, "last_name": last}
    if document and not plain(buyer.document):
        profile["document"] = document
        told.append(f"document={document}")
    filled = replace(
        order,
        buyer=buyer.model_copy(update=profile),
        address=address.model_copy(update={"receiver": receiver, **street}),
    )
    return filled, tuple(told)


def check_order(order: PlaceOrder, *, classic: bool = False) -> tuple[str, ...]:
    """Everything VTEX would refuse, all at once: its own messages mislead (KI 709180)."""
    return (
        *_head_problems(order, classic=classic),
        *_line_problems(order),
        *_delivery_problems(order),
        *_buyer_problems(order.buyer),
    )


def _head_problems(order: PlaceOrder, *, classic: bool) -> list[str]:
    found = []
    if not _REF.fullmatch(order.ref):
        found.append("the order's reference may only have letters, digits, - and _")
    if not _ENDPOINT.fullmatch(order.endpoint):
        found.append("the connector's address must be an http(s) URL without query or final slash")
    if not order.lines:
        found.append("the order has no lines")
    elif order.parts_minor != order.total_minor:
        found.append(
            f"lines, shipping, interest and taxes come to {order.parts_minor},"
            f" the total is {order.total_minor}"
        )
    if classic and order.taxes:
        found.append("the classic order API takes no taxes")
    return found


def _line_problems(order: PlaceOrder) -> list[str]:
    found = []
    for line in order.lines:
        if not line.sku or line.quantity <= 0:
            found.append(f"SKU {line.sku or '?'}: quantity must be positive")
        if line.price_minor < 0 or line.shipping_minor < 0:
            found.append(f"SKU {line.sku}: price and shipping must not be negative")
        for name, value in (("lock time", line.lock_ttl), ("estimate", line.estimate)):
            if value and not _DURATION.fullmatch(value):
                found.append(f"SKU {line.sku}: {name} {value[:20]!r} is not like 5bd or 10d")
    return found


def _delivery_problems(order: PlaceOrder) -> list[str]:
    found = []
    address = order.address
    coordinates = address.longitude is not None and address.latitude is not None
    if order.pickup and order.fob:
        found.append("an order is either picked up or delivered by the marketplace")
    if order.marketplace_fulfillment and not order.fob:
        found.append("only an order the marketplace delivers can come from its stock")
    if order.pickup and not address.pickup_point_id.strip():
        found.append("the pickup point's id is missing")
    if order.pickup and not coordinates:
        found.append("the pickup point's coordinates are missing")
    if not coordinates and not plain(address.postal_code):
        found.append("the address needs a postal code or coordinates")
    if not plain(address.country):
        found.append("the address needs a country")
    if any(not hint.tracking_id or not hint.courier for hint in order.tracking_hints):
        found.append("a shipping label needs its tracking id and the carrier's name")
    return found


def _buyer_problems(buyer: Buyer) -> list[str]:
    found = [
        f"the buyer's {name} is missing"
        for name, value in (
            ("first name", buyer.first_name),
            ("last name", buyer.last_name),
            ("document", buyer.document),
        )
        if not plain(value)
    ]
    if "@" not in buyer.email:
        found.append("the buyer's e-mail is missing or invalid")
    return found
