"""Fulfillment simulation: the only truth about price, stock and delivery (protocol 5)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.domain.http import NoAnswer, json_request
from connector.domain.listing import Commercial
from connector.domain.marketorder import Buyer
from connector.vtex.cart import Line, read_lines, read_messages
from connector.vtex.errors import Refused, Unwell, VtexError, nonsense
from connector.vtex.sanitise import country_code, plain, profile
from connector.vtex.session import Session
from connector.vtex.wire import as_int, as_text, maps

_PVT = "/api/fulfillment/pvt/orderForms/simulation"
_PUB = "/api/checkout/pub/orderForms/simulation"
_TOO_MANY = frozenset({"CHK0062", "FMT0104"})
_ESTIMATE = re.compile(r"\s*(\d{1,5})\s*(bd|d|h|m)\s*", re.IGNORECASE)
_HOURS = {"bd": 24 * 7 / 5, "d": 24.0, "h": 1.0, "m": 1 / 60}


class SimulationTooLarge(Exception):
    """VTEX could not simulate so many SKUs at once: ask again with half of them."""


@dataclass(frozen=True, slots=True)
class SimItem:
    """One SKU of a cart to simulate."""

    sku: str
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class DeliveryId:
    """Which warehouse, dock and carrier a delivery option uses."""

    warehouse_id: str
    dock_id: str = ""
    courier_id: str = ""
    courier_name: str = ""
    quantity: int = 0


@dataclass(frozen=True, slots=True)
class Sla:
    """A delivery option of one line; its price is for the whole line (protocol 5.3)."""

    id: str
    name: str
    channel: str
    price_minor: int
    estimate: str
    lock_ttl: str
    delivery_ids: tuple[DeliveryId, ...] = ()
    warehouse_id: str = ""
    pickup_point_id: str = ""
    tax_minor: int = 0

    @property
    def is_pickup(self) -> bool:
        """Whether the buyer collects it."""
        return self.channel == "pickup-in-point"


@dataclass(frozen=True, slots=True)
class SimulatedItem:
    """What the simulation says of one SKU of an order; prices per sold unit."""

    sku: str
    requested: int
    quantity: int = 0
    """How many of the requested ones can be delivered."""
    price_minor: int = 0
    list_price_minor: int = 0
    unit_multiplier: float = 1.0
    measurement_unit: str = "un"
    stock: int = 0
    slas: tuple[Sla, ...] = ()
    missing: bool = False
    why: str = ""
    """Empty when the whole quantity can be sold."""

    @property
    def enough(self) -> bool:
        """Whether the whole quantity can be sold."""
        return not self.why


@dataclass(frozen=True, slots=True)
class OrderSimulation:
    """A simulated order, by SKU (equal SKUs are asked once, with their sum: KI 732529)."""

    items: Mapping[str, SimulatedItem]
    totals: Mapping[str, int] = field(default_factory=dict)
    """By VTEX's ids (Items, Discounts, Shipping, Tax); empty on the pvt layer."""
    messages: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the order cannot be placed as it is; empty when it can."""
        return tuple(item.why for item in self.items.values() if item.why)


async def simulate_sync(
    session: Session,
    skus: Sequence[str],
    now: datetime,
    *,
    public: bool = False,
    currency: str = "",
) -> dict[str, Commercial]:
    """Price and stock of every SKU asked for, without an address.

    Raises:
        SimulationTooLarge: ask again with half of them.
        VtexError: VTEX answered with an error; stock is unknown then, not zero.
    """
    wanted = tuple(dict.fromkeys(skus))
    if not wanted:
        return {}
    cart = cart_body([SimItem(sku) for sku in wanted])
    body = await _simulate(session, cart, public=public, operation="vtex.simulation")
    return interpret(wanted, body, now, public=public, currency=currency)


async def simulate_order(
    session: Session,
    items: Sequence[SimItem],
    *,
    country: str = "",
    postal_code: str = "",
    geo: tuple[float, float] | None = None,
    buyer: Buyer | None = None,
    public: bool = False,
) -> OrderSimulation:
    """What an order's items cost and how they can be delivered; ``geo`` is (longitude, latitude).

    Raises:
        SimulationTooLarge: the order has more items than VTEX simulates.
        VtexError: VTEX answered with an error; nothing is known then.
    """
    wanted: dict[str, int] = {}
    for item in items:
        wanted[item.sku] = wanted.get(item.sku, 0) + item.quantity
    merged = [SimItem(sku, quantity) for sku, quantity in wanted.items()]
    cart = cart_body(merged, country=country, postal_code=postal_code, geo=geo, buyer=buyer)
    body = await _simulate(session, cart, public=public, operation="vtex.order-simulation")
    return interpret_order(wanted, body, addressed=bool(cart["postalCode"] or geo))


def cart_body(
    items: Sequence[SimItem],
    *,
    country: str = "",
    postal_code: str = "",
    geo: tuple[float, float] | None = None,
    buyer: Buyer | None = None,
) -> dict[str, Any]:
    """A simulation's request body, all parameters told (protocol 5.2, H-CAT-17)."""
    code = plain(postal_code)
    return {
        "items": [{"id": each.sku, "quantity": each.quantity, "seller": "1"} for each in items],
        "marketingData": None,
        "postalCode": code or None,
        "country": (country_code(country) or None) if code or geo else None,
        "selectedSla": None,
        "clientProfileData": None if buyer is None else profile(buyer),
        "geoCoordinates": list(geo) if geo else [],
        "isCheckedIn": False,
        "storeId": None,
    }


def interpret(
    skus: Sequence[str],
    body: Mapping[str, Any],
    now: datetime,
    *,
    public: bool = False,
    currency: str = "",
) -> dict[str, Commercial]:
    """Price and stock of every requested SKU by the rules of protocol 5.5; ``skus`` are distinct.

    ``public`` tells which layer answered: the checkout layer need not tell the stock.
    """
    lines = read_lines(skus, body)
    messages = read_messages(body)
    return {
        sku: _commercial(lines.get(sku), messages.get(sku, ""), now, currency, public=public)
        for sku in skus
    }


def interpret_order(
    wanted: Mapping[str, int], body: Mapping[str, Any], *, addressed: bool
) -> OrderSimulation:
    """An order simulation's answer by SKU; with an address a line needs a delivery option."""
    lines = read_lines(tuple(wanted), body)
    messages = read_messages(body)
    items = {
        sku: _order_item(sku, quantity, lines.get(sku), messages.get(sku, ""), addressed=addressed)
        for sku, quantity in wanted.items()
    }
    totals = {
        as_text(row.get("id")): amount
        for row in maps(body.get("totals"))
        if (amount := as_int(row.get("value"))) is not None
    }
    return OrderSimulation(items, totals, tuple(text for text in messages.values() if text))


def estimate_hours(estimate: str) -> float:
    """A delivery estimate like ``3bd`` in hours, for comparing; unknown ones are infinitely long.

    A business day counts as 7/5 of a day.
    """
    match = _ESTIMATE.fullmatch(estimate)
    return int(match[1]) * _HOURS[match[2].lower()] if match else math.inf


async def _simulate(
    session: Session, cart: dict[str, Any], *, public: bool, operation: str
) -> Mapping[str, Any]:
    request = json_request(
        "POST",
        _PUB if public else _PVT,
        cart,
        query=session.trade_policy(),
        operation=operation,
    )
    several = len(cart["items"]) > 1
    try:
        response = await session.call(request, public=public)
    except NoAnswer as error:
        if several:
            raise SimulationTooLarge(str(error)) from error
        raise
    except VtexError as error:
        if several and _too_large(error):
            raise SimulationTooLarge(str(error)) from error
        raise
    body = response.json()
    if not isinstance(body, dict) or not isinstance(body.get("items"), list):
        raise nonsense(operation, response)
    return body


def _too_large(error: VtexError) -> bool:
    """Protocol 5.6, and time-outs that come as answers (KI 330775)."""
    if isinstance(error, Refused):
        return error.status == 413 or bool(_TOO_MANY.intersection(error.codes))
    if not isinstance(error, Unwell):
        return False
    told = bool(error.details) and error.status not in {502, 503}
    vague = all(detail.code in {"", "1"} for detail in error.details)
    return error.status in {408, 504} or (told and vague and error.status != 200)


def _commercial(
    lines: Sequence[Line] | None, message: str, now: datetime, currency: str, *, public: bool
) -> Commercial:
    if not lines:
        why = message or "VTEX leaves it out of the simulation"
        return Commercial(missing=True, why=why, currency=currency, read_at=now)
    line = next((each for each in lines if each.sellable), lines[0])
    if public:
        stock = sum(each.units for each in lines if each.sellable and each.stock is None)
        stock = stock or line.units
    else:
        stock = max(each.units for each in lines)
    why = "" if line.sellable else _why(line, message)
    return Commercial(
        price_minor=line.price_minor,
        list_price_minor=line.list_price_minor,
        currency=currency,
        stock=stock if line.sellable else 0,
        why=why,
        valid_until=line.valid_until,
        read_at=now,
    )


def _why(line: Line, message: str) -> str:
    if line.price_minor <= 0:
        reason = "VTEX has no price for it"
    elif line.quantity <= 0 or (line.stock is not None and line.stock <= 0):
        reason = "VTEX has no stock of it"
    elif not line.has_logistics:
        reason = "VTEX names no warehouse or carrier for it"
    else:
        reason = f"VTEX does not sell it now ({line.availability})"
    return f"{reason}: {message}" if message else reason


def _order_item(
    sku: str, requested: int, lines: Sequence[Line] | None, message: str, *, addressed: bool
) -> SimulatedItem:
    if not lines:
        why = f"SKU {sku} is not in the simulation" + (f": {message}" if message else "")
        return SimulatedItem(sku=sku, requested=requested, missing=True, why=why)
    sellable = [each for each in lines if each.sellable]
    line = sellable[0] if sellable else lines[0]
    quantity = min(requested, sum(min(each.quantity, each.units) for each in sellable))
    slas = tuple(_sla(row) for row in line.slas)
    why = ""
    if not sellable:
        why = f"SKU {sku}: {_why(line, message)}"
    elif quantity < requested:
        why = f"SKU {sku}: only {quantity} of {requested} can be sold"
    elif addressed and not slas:
        why = f"SKU {sku}: no delivery option for the address"
    return SimulatedItem(
        sku=sku,
        requested=requested,
        quantity=quantity,
        price_minor=line.price_minor,
        list_price_minor=line.list_price_minor,
        unit_multiplier=line.unit_multiplier,
        measurement_unit=line.measurement_unit,
        stock=line.units if sellable else 0,
        slas=slas,
        why=why,
    )


def _sla(row: Mapping[str, Any]) -> Sla:
    deliveries = tuple(
        DeliveryId(
            warehouse_id=as_text(each.get("warehouseId")),
            dock_id=as_text(each.get("dockId")),
            courier_id=as_text(each.get("courierId")),
            courier_name=as_text(each.get("courierName")),
            quantity=as_int(each.get("quantity")) or 0,
        )
        for each in maps(row.get("deliveryIds"))
    )
    return Sla(
        id=as_text(row.get("id")),
        name=as_text(row.get("name")) or as_text(row.get("id")),
        channel=as_text(row.get("deliveryChannel")) or "delivery",
        price_minor=as_int(row.get("price")) or 0,
        # Nothing is told where it is zero (KI 514835).
        estimate=as_text(row.get("shippingEstimate")) or "0bd",
        lock_ttl=as_text(row.get("lockTTL")),
        delivery_ids=deliveries,
        warehouse_id=deliveries[0].warehouse_id if deliveries else "",
        pickup_point_id=as_text(row.get("pickupPointId")),
        tax_minor=as_int(row.get("tax")) or 0,
    )
