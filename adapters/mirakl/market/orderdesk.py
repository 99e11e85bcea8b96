"""The seller's half of the simulated platform's orders: OR11 to OR74."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.mirakl.market.base import problem
from adapters.mirakl.market.forms import form_parts
from adapters.mirakl.market.orderwire import Row, order_to_wire
from adapters.mirakl.market.selling import OVER, SellingSide
from adapters.mirakl.market.state import SimDocument, SimLine, SimOrder, stamp
from connector.sdk import Request, Response, from_major, json_response
from connector.sdk.testing.simulator import route

_DONE = Response(204)
_EXTENSIONS = frozenset(
    [
        "csv",
        "doc",
        "xls",
        "xlsx",
        "ppt",
        "pdf",
        "odt",
        "ods",
        "odp",
        "txt",
        "rtf",
        "png",
        "jpg",
        "gif",
        "zpl",
        "mov",
        "mp4",
    ]
)


class OrderDesk(SellingSide):
    """What the seller reads and decides."""

    def __init__(self, **everything: Any) -> None:
        super().__init__(**everything)
        self.told: dict[str, datetime] = {}
        """When the seller first saw each order."""

    # --- reading ----------------------------------------------------------------------------------

    @route("GET", "/api/orders")
    async def or11(self, request: Request) -> Response:
        """Orders by id, by state and by time of change."""
        rows = list(self.orders.values())
        ids, states = request.query.get("order_ids"), request.query.get("order_state_codes")
        if ids:
            rows = [one for one in rows if one.order_id in ids.split(",")[:100]]
        if states:
            rows = [one for one in rows if one.state in states.split(",")]
        since = _moment(request.query.get("start_update_date", ""))
        if since is not None:  # a little earlier than asked, so that nothing is missed
            since -= timedelta(seconds=self.settings.update_delta_s)
            rows = [one for one in rows if one.updated_at >= since]
        rows.sort(key=lambda one: (one.created_at, one.order_id))
        page, total = self.offset_page(rows, request)
        for order in page:
            self.told.setdefault(order.order_id, self.now())
        told = [order_to_wire(order, self.operator) for order in page]
        return json_response({"orders": told, "total_count": total})

    # --- deciding ---------------------------------------------------------------------------------

    @route("PUT", "/api/orders/{order_id}/accept")
    async def or21(self, request: Request, order_id: str) -> Response:
        """Accept or refuse lines; all of them have to be decided on."""
        return self._with(order_id, lambda order: self._accept(order, request))

    def _accept(self, order: SimOrder, request: Request) -> Response:
        order.accepts += 1
        if order.state != "WAITING_ACCEPTANCE":
            return problem(400, "ORDER_INVALID_STATE: the order does not wait for acceptance")
        rows = _object(request).get("order_lines") or []
        decided = {str(row.get("id")): bool(row.get("accepted")) for row in rows}
        lines = {line.line_id for line in order.lines}
        if set(decided) - lines:
            return problem(400, "ORDER_LINE_NOT_FOUND")
        if len(decided) != len(rows):
            return problem(400, "ORDER_LINE_DUPLICATE_ID")
        if lines - set(decided):
            return problem(400, "ORDER_LINE_ACCEPTANCE_DECISION_MISSING")
        if len(set(decided.values())) > 1 and not self.settings.partial_acceptance:
            return problem(400, "ORDER_PARTIAL_ACCEPTANCE_DISABLED")
        order.accepted_at = self.now()
        if not any(decided.values()):
            order.cancelled_by = "seller"
            self.move(order, "REFUSED")
            return _DONE
        for line in order.lines:
            line.state = "" if decided[line.line_id] else "REFUSED"
        self.debit(order)
        return _DONE

    @route("PUT", "/api/orders/{order_id}/cancel")
    async def or29(self, request: Request, order_id: str) -> Response:
        """Cancel all of an order."""
        del request
        return self._with(order_id, self._cancel)

    def _cancel(self, order: SimOrder) -> Response:
        if order.state in OVER:
            return problem(400, "ORDER_INVALID_STATE: the order is over")
        if order.state not in ("WAITING_DEBIT", "WAITING_DEBIT_PAYMENT", "SHIPPING"):
            return problem(400, f"The order cannot be cancelled in {order.state}")
        order.cancelled_by = "seller"
        self.move(order, "CANCELED")
        return _DONE

    @route("PUT", "/api/orders/cancel")
    async def or30(self, request: Request) -> Response:
        """Cancel lines, or parts of them."""
        payload = _object(request)
        rows, reasons = payload.get("cancelations") or [], self._reasons("CANCELATION")
        found = [self._line(str(row.get("order_line_id"))) for row in rows]
        if not rows or not all(found) or any(row.get("reason_code") not in reasons for row in rows):
            return problem(400, "cancelations: unknown line or reason")
        told = []
        for row, pair in zip(rows, found, strict=True):
            if pair is None or pair[0].state not in ("WAITING_DEBIT", "WAITING_DEBIT_PAYMENT",
                                                     "SHIPPING"):  # fmt: skip
                return problem(400, "ORDER_INVALID_STATE: the order cannot be cancelled")
            line = pair[1]
            line.cancelations.append(
                {
                    "quantity": int(row.get("quantity") or 0),
                    "amount_minor": self._money(row.get("amount")),
                    "reason_code": str(row["reason_code"]),
                }
            )
            if line.cancelations[-1]["quantity"] >= line.quantity:
                line.state = "CANCELED"
            told.append({**row, "cancelation_id": str(self.next_number("cancelation"))})
        self._close_cancelled([pair[0] for pair in found if pair is not None])
        return json_response({"cancelations": told, "order_tax_mode": "TAX_INCLUDED"})

    def _close_cancelled(self, orders: list[SimOrder]) -> None:
        for order in {one.order_id: one for one in orders}.values():
            if all(line.state == "CANCELED" for line in order.lines):
                order.cancelled_by = "seller"
                self.move(order, "CANCELED")
            else:
                self.move(order, order.state)

    @route("PUT", "/api/orders/refund")
    async def or28(self, request: Request) -> Response:
        """Give money back after shipping."""
        rows, reasons = _object(request).get("refunds") or [], self._reasons("REFUND")
        found = [self._line(str(row.get("order_line_id"))) for row in rows]
        if not rows or not all(found) or any(row.get("reason_code") not in reasons for row in rows):
            return problem(400, "refunds: unknown line or reason")
        told = []
        for row, pair in zip(rows, found, strict=True):
            if pair is None or pair[0].state not in ("SHIPPED", "TO_COLLECT", "RECEIVED", "CLOSED"):
                return problem(400, "ORDER_INVALID_STATE: the order was not shipped")
            order, line = pair
            amount, shipping = self._money(row.get("amount")), self._money(row["shipping_amount"])
            line.refunds.append(
                {"quantity": line.quantity, "amount_minor": amount, "shipping_minor": shipping}
            )
            if amount >= line.price_minor:
                line.state = "REFUNDED"
            if order.fully_refunded:
                order.cancelled_by, order.cancelled_at = "seller", self.now()
            self.move(order, order.state)
            told.append({**row, "refund_id": str(self.next_number("refund")),
                         "order_refund_id": "group-1"})  # fmt: skip
        return json_response({"refunds": told, "order_tax_mode": "TAX_INCLUDED"})

    # --- tracking and papers ----------------------------------------------------------------------

    @route("PUT", "/api/orders/{order_id}/tracking")
    async def or23(self, request: Request, order_id: str) -> Response:
        """The order's one parcel."""
        return self._with(order_id, lambda order: self._tracking(order, _object(request)))

    def _tracking(self, order: SimOrder, body: Row) -> Response:
        if order.state not in ("SHIPPING", "SHIPPED"):
            return problem(400, "ORDER_INVALID_STATE: the order is not being shipped")
        if (why := self.bad_carrier(body)) is not None:
            return problem(400, why)
        order.tracking = dict(body)
        self.move(order, order.state)
        return _DONE

    def bad_carrier(self, tracking: Row) -> str | None:
        """Why a carrier is refused: unknown code, or neither code nor name."""
        code = tracking.get("carrier_code")
        if code and code not in dict(self.operator.carriers):
            return f"carrier_code: {code} is not a registered carrier"
        if not code and not tracking.get("carrier_name"):
            return "carrier_name: mandatory for a carrier that is not registered"
        if code and not tracking.get("tracking_number"):
            return "tracking_number: mandatory for a registered carrier"
        return None

    @route("PUT", "/api/orders/{order_id}/ship")
    async def or24(self, request: Request, order_id: str) -> Response:
        """The order is on its way."""
        del request
        return self._with(order_id, self._ship)

    def _ship(self, order: SimOrder) -> Response:
        order.ships += 1
        if order.state != "SHIPPING":
            return problem(400, "ORDER_INVALID_STATE: the order is not in SHIPPING")
        self.move(order, "SHIPPED")
        return _DONE

    @route("PUT", "/api/orders/{order_id}/additional_fields")
    async def or31(self, request: Request, order_id: str) -> Response:
        """Custom fields."""
        return self._with(order_id, lambda order: self._fields(order, _object(request)))

    def _fields(self, order: SimOrder, body: Row) -> Response:
        rows = body.get("order_additional_fields") or []
        unknown = [row for row in rows if not str(row.get("code", "")).startswith("nf")]
        if unknown:
            why = {"code": "field.unknown", "message": "The custom field does not exist"}
            errors = [{**why, "field": str(row.get("code"))} for row in unknown]
            return json_response({"order_update_errors": {"errors": errors, "input": body}})
        order.fields |= {str(row["code"]): row.get("value") for row in rows}
        fields = [{**row, "type": "STRING"} for row in rows]
        result = {"order_additional_fields": fields, "order_lines": []}
        return json_response({"order_update_result": result})

    @route("GET", "/api/orders/documents")
    async def or72(self, request: Request) -> Response:
        """The documents of orders."""
        wanted = request.query.get("order_ids", "").split(",")
        orders = [self.orders[key] for key in wanted if key in self.orders]
        rows = [_document(order, each) for order in orders for each in order.documents]
        return json_response({"order_documents": rows, "total_count": len(rows)})

    @route("POST", "/api/orders/{order_id}/documents")
    async def or74(self, request: Request, order_id: str) -> Response:
        """Documents of an order; those that fail are answered, all others are kept."""
        return self._with(order_id, lambda order: self._attach(order, request))

    def _attach(self, order: SimOrder, request: Request) -> Response:
        parts = form_parts(request)
        told = next((part.content for part in parts if part.name == "order_documents"), b"{}")
        rows = json.loads(told).get("order_documents") or []
        files = {part.filename: part.content for part in parts if part.name == "files"}
        failed = []
        for row in rows:
            why = self._bad_document(order, row, files)
            if why:
                field, message = why
                errors = [{"code": f"valid_order_document.{field}", "field": field,
                           "message": message}]  # fmt: skip
                failed.append({"input": row, "errors": errors})
                continue
            number = self.next_number("document")
            name = str(row["file_name"])
            order.documents.append(
                SimDocument(number, name, str(row["type_code"]), files[name], self.now())
            )
        self.record("order.documents", order_id=order.order_id, failed=len(failed))
        return json_response({"errors_count": len(failed), "order_documents": failed})

    def _bad_document(
        self, order: SimOrder, row: Row, files: dict[str, bytes]
    ) -> tuple[str, str] | None:
        name = str(row.get("file_name") or "")
        if row.get("type_code") not in dict(self.operator.documents):
            return "type_code", "There is no document type of this code"
        if name not in files or not name.isascii():
            return "file_name", "The file is missing"
        if name.rpartition(".")[2].lower() not in _EXTENSIONS:
            return "file_name", "The extension is not supported"
        if name in {each.file_name for each in order.documents}:
            return "file_name", "A document of this name exists already"
        return None

    # --- finding ----------------------------------------------------------------------------------

    def _with(self, order_id: str, act: Callable[[SimOrder], Response]) -> Response:
        order = self.orders.get(order_id)
        return act(order) if order else problem(404, "ORDER_NOT_FOUND")

    def _line(self, line_id: str) -> tuple[SimOrder, SimLine] | None:
        for order in self.orders.values():
            for line in order.lines:
                if line.line_id == line_id:
                    return order, line
        return None

    def _reasons(self, kind: str) -> set[str]:
        return {code for code, each, _ in self.operator.reasons if each == kind}

    def _money(self, amount: object) -> int:
        return from_major(str(amount or 0), self.operator.currency).minor


def _document(order: SimOrder, document: SimDocument) -> Row:
    return {
        "id": document.id,
        "order_id": order.order_id,
        "file_name": document.file_name,
        "type": document.type_code,
        "file_size": len(document.content),
        "date_uploaded": stamp(document.uploaded_at),
    }


def _object(request: Request) -> Row:
    payload = request.json()
    return payload if isinstance(payload, dict) else {}


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    at = datetime.fromisoformat(text.replace(" ", "+"))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
