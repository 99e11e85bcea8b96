"""VTEX's order management: reading, cancelling, return invoices, tracking (protocol 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from connector.domain.http import Request, json_request
from connector.domain.order import Parcel, VtexView
from connector.vtex.bodies import BadBody
from connector.vtex.errors import Missing, nonsense
from connector.vtex.invoices import ParsedInvoice, read_invoice
from connector.vtex.orders import vtex_order_id
from connector.vtex.session import Session
from connector.vtex.wire import (
    as_bool,
    as_int,
    as_map,
    as_text,
    iso,
    lowered,
    maps,
    parse_date,
)

__all__ = [
    "InvoiceItem",
    "ListedOrder",
    "OrderPage",
    "VtexOrder",
    "cancel",
    "list_orders",
    "parse_order",
    "read_order",
    "send_delivered",
    "send_return_invoice",
    "send_tracking",
    "vtex_order_id",
]

_BASE = "/api/oms/pvt/orders"
_CANCELLED = frozenset({"canceled", "cancelled"})
_CANCELLING = _CANCELLED | {"cancel"}
_CLOSED = _CANCELLING | {"invoice", "invoiced", ""}
"""Statuses in which a cancellation cannot begin; an incomplete order has none (protocol 8.2)."""
MOST_PAGES = 30
"""VTEX lists no further (protocol 8.6)."""


@dataclass(frozen=True, slots=True)
class InvoiceItem:
    """One line of an invoice; its price is per unit."""

    sku: str
    quantity: int
    price_minor: int


@dataclass(frozen=True, slots=True)
class VtexOrder:
    """An order as VTEX has it now."""

    view: VtexView
    ref: str = ""
    """The marketplaceOrderId."""
    affiliate: str = ""
    currency: str = ""
    created_at: datetime | None = None
    authorized_at: datetime | None = None
    parcels: tuple[Parcel, ...] = ()
    xmls: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Embedded invoices by invoice number."""
    cancel_reason: str = ""
    cancelling: bool = False
    """Cancelled, or on the way to it."""
    needs_manual_authorization: bool = False
    waits_for_payment: bool = False
    """It waits for the marketplace's approval of the payment."""
    items: tuple[InvoiceItem, ...] = ()
    selected_slas: tuple[str, ...] = ()
    problem: bool = False
    """VTEX's own workflow is in error."""


@dataclass(frozen=True, slots=True)
class ListedOrder:
    """A row of VTEX's order list, some minutes old (protocol 8.6)."""

    order_id: str
    ref: str
    status: str
    total_minor: int
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OrderPage:
    """One page of the order list."""

    orders: tuple[ListedOrder, ...]
    page: int
    pages: int

    @property
    def is_last(self) -> bool:
        """Whether nothing more can be listed."""
        return self.page >= min(self.pages, MOST_PAGES)


async def read_order(
    session: Session, order_id: str, now: datetime, *, currency: str = ""
) -> VtexOrder | None:
    """The order, or None where VTEX has none by this id."""
    request = Request("GET", _path(order_id), operation="vtex.order-read")
    try:
        response = await session.call(request)
    except Missing:
        return None
    body = response.json()
    if not isinstance(body, dict) or not body.get("orderId"):
        raise nonsense(request.operation, response)
    return parse_order(body, now, currency=currency)


def parse_order(body: dict[str, Any], now: datetime, *, currency: str = "") -> VtexOrder:
    """Read an order (protocol 8.1); an unknown status is kept as it is."""
    status = as_text(body.get("status")).lower()
    preferences = as_map(body.get("storePreferencesData"))
    currency = as_text(preferences.get("currencyCode")).upper() or currency
    items = tuple(_item(row) for row in maps(body.get("items")))
    packages = _packages(body, items, currency)
    shipping = as_map(body.get("shippingData"))
    return VtexOrder(
        view=_view(body, status, packages, now),
        ref=as_text(body.get("marketplaceOrderId")),
        affiliate=as_text(body.get("affiliateId")),
        currency=currency,
        created_at=parse_date(body.get("creationDate")),
        authorized_at=parse_date(body.get("authorizedDate")),
        parcels=tuple(_parcel(row, parsed) for row, parsed in packages),
        xmls={p.invoice.number: p.invoice.xml for _, p in packages if p.invoice.xml},
        cancel_reason=_cancel_reason(body),
        cancelling=status in _CANCELLING,
        needs_manual_authorization=status == "waiting-for-manual-authorization",
        waits_for_payment=status == "waiting-ffmt-authorization",
        items=items,
        selected_slas=tuple(
            sla for row in maps(shipping.get("logisticsInfo"))
            if (sla := as_text(row.get("selectedSla")))
        ),
        problem=as_bool(body.get("workflowIsInError")) is True,
    )  # fmt: skip


async def cancel(session: Session, order_id: str, reason: str) -> None:
    """Ask VTEX to cancel an order; it confirms by its own cancel callback (protocol 8.3).

    Raises:
        Refused: its status does not allow it; read it again, it may be invoiced (KI 1400005).
    """
    await session.call(
        json_request(
            "POST", f"{_path(order_id)}/cancel", {"reason": reason}, operation="vtex.order-cancel"
        )
    )


async def send_return_invoice(
    session: Session,
    order_id: str,
    number: str,
    items: Sequence[InvoiceItem],
    *,
    value_minor: int,
    issued_at: datetime,
) -> None:
    """Tell VTEX that goods of an invoiced order come back (protocol 8.4)."""
    await session.call(
        json_request(
            "POST",
            f"{_path(order_id)}/invoice",
            return_invoice_body(number, items, value_minor, issued_at),
            operation="vtex.return-invoice",
        )
    )


def return_invoice_body(
    number: str, items: Sequence[InvoiceItem], value_minor: int, issued_at: datetime
) -> dict[str, Any]:
    """A return invoice, all parameters told."""
    return {
        "type": "Input",
        "issuanceDate": iso(issued_at),
        "invoiceNumber": number,
        # A string in this one place (protocol 0.3).
        "invoiceValue": str(value_minor),
        "invoiceKey": None,
        "invoiceUrl": None,
        "embeddedInvoice": None,
        "courier": "",
        "trackingNumber": None,
        "trackingUrl": None,
        "dispatchedDate": None,
        "items": [
            {
                "id": each.sku,
                "price": each.price_minor,
                "quantity": each.quantity,
                "description": "",
            }
            for each in items
        ],
    }


async def send_tracking(
    session: Session,
    order_id: str,
    invoice_number: str,
    *,
    courier: str,
    number: str,
    url: str = "",
    dispatched_at: datetime | None = None,
) -> None:
    """Tell VTEX how a parcel travels that the marketplace delivers (protocol 8.5)."""
    payload = {
        "courier": courier or None,
        "trackingNumber": number,
        "trackingUrl": url or None,
        "dispatchedDate": iso(dispatched_at) if dispatched_at else None,
    }
    path = f"{_path(order_id)}/invoice/{quote(invoice_number, safe='')}"
    await session.call(json_request("PATCH", path, payload, operation="vtex.tracking-write"))


async def send_delivered(
    session: Session,
    order_id: str,
    invoice_number: str,
    *,
    delivered_at: datetime,
    description: str = "Delivered",
    city: str = "",
    state: str = "",
) -> None:
    """Tell VTEX that a parcel which the marketplace delivers has arrived (protocol 8.5)."""
    moment = delivered_at.astimezone(UTC)
    payload = {
        "isDelivered": True,
        "deliveredDate": f"{moment:%Y-%m-%d %H:%M}",
        "events": [
            {
                "city": city,
                "state": state,
                "description": description,
                "date": f"{moment:%Y-%m-%d}",
            }
        ],
    }
    path = f"{_path(order_id)}/invoice/{quote(invoice_number, safe='')}/tracking"
    await session.call(json_request("PUT", path, payload, operation="vtex.delivery-write"))


async def list_orders(
    session: Session,
    since: datetime,
    until: datetime,
    *,
    page: int = 1,
    per_page: int = 100,
    status: str = "",
) -> OrderPage:
    """Orders of the affiliate by creation, newest first: for reconciliation only (protocol 8.6)."""
    query = {
        "f_affiliateId": session.affiliate_id,
        "f_creationDate": f"creationDate:[{_stamp(since)} TO {_stamp(until)}]",
        "orderBy": "creationDate,desc",
        "page": str(page),
        "per_page": str(per_page),
    }
    if status:
        query["f_status"] = status
    request = Request("GET", _BASE, query=query, operation="vtex.order-list")
    response = await session.call(request)
    body = response.json()
    if not isinstance(body, dict) or not isinstance(body.get("list"), list):
        raise nonsense(request.operation, response)
    paging = as_map(body.get("paging"))
    rows = tuple(
        ListedOrder(
            order_id=as_text(row.get("orderId")),
            ref=as_text(row.get("marketPlaceOrderId")),
            status=as_text(row.get("status")).lower(),
            total_minor=as_int(row.get("totalValue")) or 0,
            created_at=parse_date(row.get("creationDate")),
        )
        for row in maps(body.get("list"))
        if as_text(row.get("orderId"))
    )
    return OrderPage(rows, page, as_int(paging.get("pages")) or page)


def _path(order_id: str) -> str:
    return f"{_BASE}/{quote(order_id, safe='')}"


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"


_Package = tuple[Mapping[str, Any], ParsedInvoice]


def _view(
    body: Mapping[str, Any], status: str, packages: Sequence[_Package], now: datetime
) -> VtexView:
    value = as_int(body.get("value")) or 0
    sales = sum(p.invoice.value_minor for _, p in packages if not p.returned)
    returns = [p.invoice for _, p in packages if p.returned]
    sold = any(not p.returned for _, p in packages)
    allowed = as_bool(body.get("allowCancellation")) is not False
    return VtexView(
        order_id=as_text(body.get("orderId")),
        status=status,
        value_minor=value,
        can_cancel=allowed and not sold and status not in _CLOSED,
        cancelled=status in _CANCELLED,
        # Not by status alone: it may lag behind for ever (KI 1465086, 1372902).
        invoiced=status == "invoiced" or 0 < value <= sales,
        invoiced_minor=sales,
        returned_minor=sum(each.value_minor for each in returns),
        return_numbers=tuple(each.number for each in returns),
        last_change=parse_date(body.get("lastChange")),
        read_at=now,
    )


def _packages(
    body: Mapping[str, Any], items: Sequence[InvoiceItem], currency: str
) -> tuple[_Package, ...]:
    found: dict[tuple[str, bool], _Package] = {}
    for raw in maps(as_map(body.get("packageAttachment")).get("packages")):
        row = lowered(raw)
        row["items"] = [_named(lowered(each), items) for each in maps(row.get("items"))]
        try:
            parsed = read_invoice(row, currency, "")
        except BadBody:
            continue
        # The same number again replaces the earlier one (protocol 8.4).
        found[parsed.invoice.number, parsed.returned] = (row, parsed)
    return tuple(found.values())


def _named(row: dict[str, Any], items: Sequence[InvoiceItem]) -> dict[str, Any]:
    """A package's line with the SKU its itemIndex stands for."""
    index = as_int(row.get("itemindex"))
    if not as_text(row.get("id")) and index is not None and 0 <= index < len(items):
        return {**row, "id": items[index].sku}
    return row


def _item(row: Mapping[str, Any]) -> InvoiceItem:
    price = as_int(row.get("sellingPrice"))
    return InvoiceItem(
        sku=as_text(row.get("id")),
        quantity=as_int(row.get("quantity")) or 0,
        price_minor=(as_int(row.get("price")) or 0) if price is None else price,
    )


def _parcel(row: Mapping[str, Any], parsed: ParsedInvoice) -> Parcel:
    courier = lowered(row.get("courierstatus"))
    delivered = None
    if as_bool(courier.get("finished")) is True:
        rows = map(lowered, maps(courier.get("data")))
        steps = [parse_date(each.get("lastchange")) for each in rows]
        known = [each for each in steps if each is not None]
        delivered = parse_date(courier.get("delivereddate")) or max(known, default=None)
    return Parcel(
        invoice=parsed.invoice.model_copy(update={"xml": ""}),
        returned=parsed.returned,
        tracking=parsed.tracking,
        delivered_at=delivered,
        has_xml=bool(parsed.invoice.xml),
    )


def _cancel_reason(body: Mapping[str, Any]) -> str:
    told = as_text(body.get("cancelReason"))
    return told or as_text(lowered(body.get("cancellationData")).get("reason"))
