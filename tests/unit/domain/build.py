"""Small builders: a listing, an order and their views, with one thing changed at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from connector.domain.connection import Rules
from connector.domain.listing import Commercial, Confirmed, Listing, SkuRecord
from connector.domain.listing_planner import Market, View
from connector.domain.marketorder import Invoice, Line, MarketOrder, MarketStatus, Tracking
from connector.domain.offer import Content
from connector.domain.order import Order, Parcel, Placement, Step, VtexView
from connector.domain.order_facts import FactKind, InvoiceTold, Told, TrackingTold
from connector.domain.order_view import MarketAbility, OrderView, Rest
from connector.domain.pending import Claim, Context, Hint, Priority

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


# --- listings -----------------------------------------------------------------------------------


def content(**changes: Any) -> Content:
    fields: dict[str, Any] = {
        "sku": "1001",
        "product_id": "501",
        "title": "Tênis Trilha Azul 38",
        "images": ("https://img.example/1.jpg",),
        "category_id": "7",
        "category_path": ("3", "5", "7"),
        "market_category": "110",
    }
    return Content(**(fields | changes))


def record(**changes: Any) -> SkuRecord:
    fields: dict[str, Any] = {
        "sku": "1001",
        "content": content(),
        "active": True,
        "product_active": True,
        "in_policy": True,
        "read_at": NOW,
    }
    return SkuRecord(**(fields | changes))


def commercial(**changes: Any) -> Commercial:
    fields: dict[str, Any] = {
        "price_minor": 10_000,
        "list_price_minor": 12_000,
        "currency": "BRL",
        "stock": 10,
        "read_at": NOW,
    }
    return Commercial(**(fields | changes))


def confirmed(**changes: Any) -> Confirmed:
    """What the marketplace has when everything is up to date."""
    fields: dict[str, Any] = {
        "price_minor": 10_000,
        "list_price_minor": 12_000,
        "stock": 10,
        "content_digest": content().digest(),
        "at": NOW - HOUR,
    }
    return Confirmed(**(fields | changes))


def listing(**changes: Any) -> Listing:
    fields: dict[str, Any] = {
        "connection": "c",
        "sku": "1001",
        "record": record(),
        "commercial": commercial(),
    }
    return Listing(**(fields | changes))


def listed(**changes: Any) -> Listing:
    return listing(**({"confirmed": confirmed(), "market_id": "DM-1"} | changes))


def view(of: Listing, **changes: Any) -> View:
    fields: dict[str, Any] = {"listing": of, "rules": Rules(), "market": Market(), "now": NOW}
    return View(**(fields | changes))


# --- orders -------------------------------------------------------------------------------------


def market_order(**changes: Any) -> MarketOrder:
    fields: dict[str, Any] = {
        "key": "C-1",
        "status": MarketStatus.PAID,
        "created_at": NOW,
        "currency": "BRL",
        "lines": (Line(sku="1001", quantity=2, unit_price_minor=5_000),),
        "total_minor": 10_000,
    }
    return MarketOrder(**(fields | changes))


def vtex_view(**changes: Any) -> VtexView:
    fields: dict[str, Any] = {
        "order_id": "DMM-C-1",
        "status": "ready-for-handling",
        "value_minor": 10_000,
        "read_at": NOW,
    }
    return VtexView(**(fields | changes))


def order(**changes: Any) -> Order:
    """An order the marketplace has sold and VTEX does not have yet."""
    fields: dict[str, Any] = {
        "connection": "c",
        "ref": "C-1",
        "key": "C-1",
        "market": market_order(),
        "first_seen_at": NOW - HOUR,
    }
    return Order(**(fields | changes))


def placed(**changes: Any) -> Order:
    """An order that both sides have, accepted and authorized: nothing is left to do."""
    fields: dict[str, Any] = {
        "placement": Placement.PLACED,
        "placed_at": NOW - HOUR,
        "vtex_order_id": "DMM-C-1",
        "vtex": vtex_view(),
        "authorize": Step.DONE,
        "accept": Step.DONE,
    }
    return order(**(fields | changes))


def invoice(of: str = "NF-1", **changes: Any) -> Invoice:
    fields: dict[str, Any] = {"number": of, "value_minor": 10_000, "currency": "BRL"}
    return Invoice(**(fields | changes))


def parcel(number: str = "NF-1", **changes: Any) -> Parcel:
    return Parcel(**({"invoice": invoice(number)} | changes))


def tracking(of: str = "NF-1", **changes: Any) -> Tracking:
    fields: dict[str, Any] = {"invoice_number": of, "courier": "Correios", "number": "BR1"}
    return Tracking(**(fields | changes))


def order_view(of: Order, **changes: Any) -> OrderView:
    return OrderView(**({"order": of, "can": MarketAbility(), "now": NOW} | changes))


def at_rest(decision: object) -> Rest:
    assert isinstance(decision, Rest), decision
    return decision


# --- facts and claims ---------------------------------------------------------------------------


def told(seq: int, kind: FactKind, body: Any) -> Told:
    return Told(seq, kind, body.model_dump_json(), NOW)


def invoice_told(seq: int, number: str = "NF-1", **changes: Any) -> Told:
    extra = {name: changes.pop(name) for name in ("returned", "tracking") if name in changes}
    return told(seq, FactKind.INVOICE, InvoiceTold(invoice=invoice(number, **changes), **extra))


def tracking_told(seq: int, of: str = "NF-1", **changes: Any) -> Told:
    return told(seq, FactKind.TRACKING, TrackingTold(tracking=tracking(of, **changes)))


def claim(**changes: Any) -> Claim:
    fields: dict[str, Any] = {
        "connection": "c",
        "context": Context.ORDERS,
        "key": "C-1",
        "fence": 1,
        "marks": 1,
        "priority": Priority.CHANGE,
        "hint": Hint(),
        "attempts": 0,
        "marked_at": NOW,
    }
    return Claim(**(fields | changes))
