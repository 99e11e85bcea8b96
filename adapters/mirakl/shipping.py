"""Parcels: one per order (OR23, OR24), or one per invoice (ST01 and its kin)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import ValidationError

from adapters.mirakl.client import Mirakl, part
from adapters.mirakl.deciding import known
from adapters.mirakl.orders import OVER, WireLine, WireOrder
from adapters.mirakl.settings import MiraklSettings, ShippingFlow
from adapters.mirakl.wire import Blank, Rows, Text, Wire, object_in, object_of, objects_in, rows_of
from connector.sdk import (
    AlreadyDone,
    Invoice,
    MarketStatus,
    Rejected,
    Response,
    RetryLater,
    Tracking,
)

_OPEN = frozenset({"SHIPPING", "SHIPMENT_PREPARED", "READY_FOR_PICK_UP"})
_GONE = "CANCELED"


class WireShipmentLine(Wire):
    """So many units of an order's line in a parcel."""

    order_line_id: Text = ""
    quantity: int = 0


class WireTracking(Wire):
    """How a parcel travels."""

    carrier_code: Text = ""
    carrier_name: Text = ""
    tracking_number: Text = ""
    tracking_url: Text = ""


class WireShipment(Wire):
    """A parcel as Mirakl has it."""

    id: Text
    status: Text = ""
    invoice_reference: Text = ""
    shipment_lines: Annotated[tuple[WireShipmentLine, ...], Rows] = ()
    tracking: Annotated[WireTracking, Blank] = WireTracking()


async def several_parcels(mirakl: Mirakl) -> bool:
    """Whether the operator's platform takes several parcels per order (PC01)."""
    flow = mirakl.settings.shipping_flow
    if flow is not ShippingFlow.AUTO:
        return flow is ShippingFlow.SHIPMENTS
    response = await mirakl.get("/api/platform/configuration", "PC01.platform")
    return feature(object_of(response), "shipment", "multi_shipment")


def feature(platform: Mapping[str, Any], group: str, name: str) -> bool:
    """Whether a platform feature is on; what is not told is off."""
    return object_in(object_in(platform.get("features")).get(group)).get(name) is True


async def send_tracking(mirakl: Mirakl, key: str, tracking: Tracking) -> None:
    """Say, or correct, how an invoice's parcel travels, and that it is on its way."""
    order = await released(mirakl, key)
    if order.status is MarketStatus.DELIVERED:
        raise AlreadyDone("the order has arrived")
    if await several_parcels(mirakl):
        await _track_shipment(mirakl, order, tracking)
        return
    how = carrier(tracking, mirakl.settings)
    if order.shipping_tracking != tracking.number or not tracking.number:
        path = f"/api/orders/{part(key)}/tracking"
        await mirakl.send("PUT", path, how, "OR23.tracking")
    if order.order_state == "SHIPPING":
        await ship_order(mirakl, order)


async def released(mirakl: Mirakl, key: str) -> WireOrder:
    """An order that may be shipped, or was."""
    order = await known(mirakl, key)
    if order.order_state in OVER:
        raise Rejected([f"the order is {order.order_state} on Mirakl"])
    if order.status is MarketStatus.PENDING:
        raise RetryLater(f"Mirakl does not let the order be shipped yet ({order.order_state})")
    return order


async def ship_order(mirakl: Mirakl, order: WireOrder) -> None:
    """Say that an order is on its way (OR24); refused once it is."""
    await mirakl.send("PUT", f"/api/orders/{part(order.order_id)}/ship", None, "OR24.ship")


def carrier(tracking: Tracking, settings: MiraklSettings) -> dict[str, str]:
    """A parcel's carrier: by the operator's code where it is mapped, by name elsewhere."""
    told, wanted = {"tracking_number": tracking.number}, tracking.courier.strip().casefold()
    codes = {name.strip().casefold(): code for name, code in settings.carriers.items()}
    if wanted in codes:
        told["carrier_code"] = codes[wanted]
    else:
        told["carrier_name"] = tracking.courier.strip() or "-"
        told["carrier_url"] = tracking.url
    return {name: text for name, text in told.items() if text}


# --- shipments ------------------------------------------------------------------------------------


async def prepare_shipment(mirakl: Mirakl, order: WireOrder, invoice: Invoice) -> bool:
    """Make the parcel of an invoice, not on its way yet; False where it is there already.

    The invoice tells what is in it, its tracking comes later and does not: Mirakl remembers.
    """
    shipments = await _shipments(mirakl, order)
    if _of_invoice(shipments, invoice.number) is not None:
        return False
    lines = _contents(order, shipments, invoice.items)
    if lines:
        await _create(mirakl, order, invoice.number, lines, None)
    return bool(lines)


async def ship_prepared(mirakl: Mirakl, order: WireOrder, number: str) -> None:
    """Say that an invoice's parcel is on its way, without any tracking."""
    shipment = _of_invoice(await _shipments(mirakl, order), number)
    if shipment is not None and shipment.status in _OPEN:
        await _ship(mirakl, shipment.id)


async def _track_shipment(mirakl: Mirakl, order: WireOrder, tracking: Tracking) -> None:
    shipments = await _shipments(mirakl, order)
    shipment = _of_invoice(shipments, tracking.invoice_number)
    how = _shipment_carrier(tracking, mirakl.settings)
    if shipment is None:
        lines = _contents(order, shipments, ())
        if not lines:
            raise Rejected(["all of the order is in parcels of other invoices on Mirakl"])
        await _create(mirakl, order, tracking.invoice_number, lines, how)
        return
    if shipment.tracking.tracking_number != tracking.number or not tracking.number:
        body = {"shipments": [{"id": shipment.id, "tracking": how}]}
        response = await mirakl.send(
            "POST", "/api/shipments/tracking", body, "ST23.shipment-tracking"
        )
        _refuse_failed(response)
    if shipment.status in _OPEN:
        await _ship(mirakl, shipment.id)


async def _shipments(mirakl: Mirakl, order: WireOrder) -> list[WireShipment]:
    """All parcels of an order that nobody took back."""
    found: list[WireShipment] = []
    query = {"order_id": order.order_id, "limit": "100"}
    while True:
        response = await mirakl.get("/api/shipments", "ST11.shipments", query=query)
        try:
            found += [WireShipment.model_validate(row) for row in rows_of(response, "data")]
        except ValidationError:
            raise RetryLater("Mirakl's list of shipments cannot be read") from None
        following = object_of(response).get("next_page_token")
        if not following or following == query.get("page_token"):
            return [one for one in found if one.status != _GONE]
        query = {**query, "page_token": str(following)}


async def _create(
    mirakl: Mirakl,
    order: WireOrder,
    number: str,
    lines: Sequence[Mapping[str, Any]],
    how: Mapping[str, str] | None,
) -> None:
    """Make a parcel; with tracking it is on its way at once."""
    shipment: dict[str, Any] = {
        "order_id": order.order_id,
        "invoice_reference": number,
        "shipped": how is not None,
        "shipment_lines": list(lines),
    }
    if how is not None:
        shipment["tracking"] = dict(how)
    body = {"shipments": [shipment]}
    _refuse_failed(await mirakl.send("POST", "/api/shipments", body, "ST01.shipments"))


async def _ship(mirakl: Mirakl, shipment_id: str) -> None:
    body = {"shipments": [{"id": shipment_id}]}
    response = await mirakl.send("PUT", "/api/shipments/ship", body, "ST24.shipment-ship")
    _refuse_failed(response)


def _refuse_failed(response: Response) -> None:
    """A good answer may carry refusals: each shipment succeeds or fails by itself."""
    errors = objects_in(object_in(response.json()).get("shipment_errors"))
    if errors:
        words = [str(row.get("message") or "") for row in errors]
        raise Rejected([word or "Mirakl refused the shipment" for word in words])


def _of_invoice(shipments: Iterable[WireShipment], number: str) -> WireShipment | None:
    wanted = " ".join(number.split())
    return next((one for one in shipments if " ".join(one.invoice_reference.split()) == wanted),
                None)  # fmt: skip


def _shipment_carrier(tracking: Tracking, settings: MiraklSettings) -> dict[str, str]:
    """The same as for orders; only the URL goes by another name."""
    told = carrier(tracking, settings)
    url = told.pop("carrier_url", "")
    return {**told, "tracking_url": url} if url else told


def _contents(
    order: WireOrder, shipments: Iterable[WireShipment], items: Sequence[tuple[str, int]]
) -> list[dict[str, Any]]:
    """The lines of a parcel: the invoice's items, or all that is in no parcel yet."""
    packed: dict[str, int] = {}
    for shipment in shipments:
        for line in shipment.shipment_lines:
            packed[line.order_line_id] = packed.get(line.order_line_id, 0) + line.quantity
    wanted: dict[str, int] = {}
    for sku, quantity in items:
        wanted[sku] = wanted.get(sku, 0) + quantity
    found = []
    for one in order.order_lines:
        units = _units(one, packed, wanted if items else None)
        if units > 0:
            found.append({"order_line_id": one.order_line_id, "quantity": units})
    return found


def _units(line: WireLine, packed: Mapping[str, int], wanted: dict[str, int] | None) -> int:
    """How many units of a line go into a parcel; takes them off what is wanted."""
    left = line.quantity - packed.get(line.order_line_id, 0) if line.living else 0
    if wanted is None:
        return left
    units = min(left, wanted.get(line.offer_sku, 0))
    wanted[line.offer_sku] = wanted.get(line.offer_sku, 0) - units
    return units
