"""Parcels in the simulated platform: ST01, ST11, ST23, ST24."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.mirakl.market.base import problem
from adapters.mirakl.market.orderdesk import OrderDesk
from adapters.mirakl.market.orderwire import Row, shipment_to_wire
from adapters.mirakl.market.state import SimOrder, SimShipment
from connector.sdk import Request, Response, json_response
from connector.sdk.testing.simulator import route

_OPEN = ("SHIPPING", "SHIPMENT_PREPARED")


class ParcelSide(OrderDesk):
    """Everything below ``/api/shipments``. Each shipment of a call succeeds or fails by itself."""

    @route("POST", "/api/shipments")
    async def st01(self, request: Request) -> Response:
        """Make parcels."""
        if not self.operator.multi_shipment:
            return problem(403, "Multiple shipments are not enabled on this platform")
        rows = self._shipments(request)
        good, bad = [], []
        for row in rows:
            made = self._create(row)
            if isinstance(made, str):
                bad.append({"order_id": str(row.get("order_id")), "message": made})
            else:
                good.append(shipment_to_wire(made))
        body = {"shipment_success": good, "shipment_errors": bad}
        return json_response(body, 201)

    def _create(self, row: Row) -> SimShipment | str:
        order = self.orders.get(str(row.get("order_id")))
        if order is None:
            return "The order does not exist"
        if order.state != "SHIPPING":
            return f"The order is in {order.state}, not in SHIPPING"
        lines = row.get("shipment_lines") or []
        left = self._left(order)
        for line in lines:
            units, line_id = int(line.get("quantity") or 0), str(line.get("order_line_id"))
            if line_id not in left or not 0 < units <= left[line_id]:
                return f"Line {line_id} has {left.get(line_id, 0)} units left to ship"
            left[line_id] -= units
        tracking = row.get("tracking") or {}
        why = self.bad_carrier(tracking) if tracking else None
        if why or not lines:
            return why or "A shipment needs lines"
        now = self.now()
        made = SimShipment(
            id=f"SHP-{self.next_number('shipment')}",
            order_id=order.order_id,
            created_at=now,
            updated_at=now,
            invoice_reference=str(row.get("invoice_reference") or ""),
            lines=[{"order_line_id": str(line["order_line_id"]), "quantity": int(line["quantity"])}
                   for line in lines],
            status="SHIPPING",
            tracking=dict(tracking),
            tracking_arrivals=1 if tracking else 0,
        )  # fmt: skip
        order.shipments.append(made)
        self.record("shipment.created", order_id=order.order_id, shipment_id=made.id)
        if row.get("shipped"):
            self._ship_one(order, made)
        return made

    def _left(self, order: SimOrder) -> dict[str, int]:
        left = {line.line_id: line.quantity for line in order.lines}
        for shipment in order.shipments:
            for line in shipment.lines:
                left[line["order_line_id"]] -= line["quantity"]
        return left

    def _ship_one(self, order: SimOrder, shipment: SimShipment) -> None:
        shipment.status, shipment.updated_at = "SHIPPED", self.now()
        packed = not any(self._left(order).values())
        whole = packed and all(one.status == "SHIPPED" for one in order.shipments)
        self.move(order, "SHIPPED" if whole else order.state)

    @route("GET", "/api/shipments")
    async def st11(self, request: Request) -> Response:
        """The parcels of an order, by page."""
        wanted, token = request.query.get("order_id"), request.query.get("page_token", "")
        rows = [
            shipment
            for order in self.orders.values()
            if wanted in (None, order.order_id)
            for shipment in order.shipments
        ]
        start, size = int(token or 0), min(int(request.query.get("limit", "10")),
                                           self.settings.page_size)  # fmt: skip
        end = start + size
        told: dict[str, Any] = {"data": [shipment_to_wire(one) for one in rows[start:end]]}
        if end < len(rows):
            told["next_page_token"] = str(end)
        return json_response(told)

    @route("POST", "/api/shipments/tracking")
    async def st23(self, request: Request) -> Response:
        """Say how parcels travel."""

        def track(order: SimOrder, shipment: SimShipment, row: Row) -> str | None:
            tracking = row.get("tracking") or {}
            if (why := self.bad_carrier(tracking)) is not None:
                return why
            shipment.tracking = dict(tracking)
            shipment.tracking_arrivals += 1
            self.move(order, order.state)
            return None

        return self._each(request, track)

    @route("PUT", "/api/shipments/ship")
    async def st24(self, request: Request) -> Response:
        """Say that parcels are on their way."""

        def ship(order: SimOrder, shipment: SimShipment, row: Row) -> str | None:
            del row
            if order.state != "SHIPPING" or shipment.status not in _OPEN:
                return f"The shipment is in {shipment.status}"
            self._ship_one(order, shipment)
            return None

        return self._each(request, ship)

    def _each(
        self, request: Request, act: Callable[[SimOrder, SimShipment, Row], str | None]
    ) -> Response:
        good, bad = [], []
        known = {
            shipment.id: (order, shipment)
            for order in self.orders.values()
            for shipment in order.shipments
        }
        for row in self._shipments(request):
            key = str(row.get("id"))
            pair = known.get(key)
            why = act(*pair, row) if pair else "The shipment does not exist"
            if why:
                bad.append({"id": key, "message": why})
            else:
                good.append({"id": key})
        return json_response({"shipment_success": good, "shipment_errors": bad})

    @staticmethod
    def _shipments(request: Request) -> list[Row]:
        payload = request.json()
        rows = payload.get("shipments") if isinstance(payload, dict) else None
        return [row for row in rows or [] if isinstance(row, dict)]
