"""The Orders API: reading, cancelling, invoicing, tracking (protocol 8)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from connector.domain.http import Response, json_response
from connector.sandbox.vtexsim.core import query
from connector.sandbox.vtexsim.order_state import Invoice, SimOrder, WrongStatusError
from connector.sandbox.vtexsim.order_view import list_row, order_json
from connector.sandbox.vtexsim.workflow import WorkflowRoom
from connector.sdk.testing.simulator import route

if TYPE_CHECKING:
    from connector.domain.http import Request

_BASE = "/api/oms/pvt/orders"
_RANGE = re.compile(r"creationDate:\[(\S+) TO (\S+)\]", re.IGNORECASE)


class OmsRoom(WorkflowRoom):
    """Answers about orders and takes what the marketplace reports on them."""

    @route("GET", _BASE)
    async def list_orders(self, request: Request) -> Response:
        """Orders of an affiliate, newest first; the index lags behind."""
        wanted = query(request, "f_affiliateId")
        status = query(request, "f_status")
        span = _RANGE.search(query(request, "f_creationDate"))
        first, last = _span(span.groups() if span else None)
        edge = self.clock.now() - timedelta(seconds=self.settings.list_lag_s)
        found = [
            order
            for order in self.orders.values()
            if (not wanted or order.affiliate_id == wanted.upper())
            and (not status or order.status in status.split(","))
            and order.created_at <= edge
            and (first is None or last is None or first <= order.created_at <= last)
        ]
        found.reverse()
        size = min(int(query(request, "per_page", "15") or 15), 100)
        page = max(1, int(query(request, "page", "1") or 1))
        if page > 30:
            return self.refuse("1")
        rows = [list_row(order) for order in found[(page - 1) * size : page * size]]
        paging = {
            "total": len(found),
            "pages": -(-len(found) // size),
            "currentPage": page,
            "perPage": size,
        }
        return json_response({"list": rows, "facets": [], "paging": paging})

    @route("GET", _BASE + "/{order_id}")
    async def get_order(self, request: Request, order_id: str) -> Response:
        """One order by its id or by ``seq`` and its sequence; 404 where it was not created."""
        del request
        order = self._order(order_id)
        if order is None:
            return self.refuse("order", status=404)
        return json_response(order_json(order, self.catalog, self.settings.account))

    @route("POST", _BASE + "/{order_id}/cancel")
    async def cancel_order_by_hub(self, request: Request, order_id: str) -> Response:
        """The marketplace cancels; refused once anything is invoiced."""
        order = self._order(order_id)
        if order is None:
            return self.refuse("order", status=404)
        body = request.json()
        reason = str(body.get("reason") or "") if isinstance(body, dict) else ""
        try:
            self.cancel(order, reason, "marketplace")
        except WrongStatusError:
            return self.refuse("CHK0202", order_id, order.status)
        return self._receipt(order)

    @route("POST", _BASE + "/{order_id}/invoice")
    async def invoice_by_api(self, request: Request, order_id: str) -> Response:
        """A sale or return invoice; a known number only gets a new receipt."""
        order = self._order(order_id)
        if order is None:
            return self.refuse("order", status=404)
        invoice = _read_invoice(request.json())
        if invoice is None:
            return self.refuse("1")
        try:
            new = self.add_invoice(order, invoice)
        except WrongStatusError:
            return self.refuse("ORD039", order.status)
        if new and invoice.type == "Output":
            with_tracking = bool(invoice.tracking_number)
            done = self.invoice_accepted(order)
            self.call_back_invoice(order, invoice, with_tracking=with_tracking, then=done)
        return self._receipt(order)

    @route("PATCH", _BASE + "/{order_id}/invoice/{number}")
    async def tracking_by_hub(self, request: Request, order_id: str, number: str) -> Response:
        """The marketplace ships: number, courier and link of the parcel."""
        body = request.json()
        found = self._invoice(order_id, number)
        if isinstance(found, Response):
            return found
        order, invoice = found
        wanted = ("trackingNumber", "courier")
        if not isinstance(body, dict) or not all(body.get(name) for name in wanted):
            return self.refuse("1")
        invoice.tracking_number = str(body["trackingNumber"])
        invoice.tracking_url = str(body.get("trackingUrl") or "")
        invoice.courier = str(body["courier"])
        invoice.dispatched = body.get("dispatchedDate")
        order.hub_tracking.append({"invoice": invoice.number, **body})
        self.record("order.tracking", order=order.order_id, number=invoice.number, by="marketplace")
        return self._receipt(order)

    @route("PUT", _BASE + "/{order_id}/invoice/{number}/tracking")
    async def tracking_events_by_hub(
        self, request: Request, order_id: str, number: str
    ) -> Response:
        """The marketplace ships: what happened to the parcel, up to its delivery."""
        body = request.json()
        found = self._invoice(order_id, number)
        if isinstance(found, Response):
            return found
        order, invoice = found
        if not isinstance(body, dict) or not isinstance(body.get("isDelivered"), bool):
            return self.refuse("1")
        invoice.delivered = invoice.delivered or body["isDelivered"]
        invoice.delivered_date = body.get("deliveredDate") or invoice.delivered_date
        invoice.events += body.get("events") or []
        order.hub_tracking.append({"invoice": invoice.number, **body})
        self.record(
            "order.delivery", order=order.order_id, number=invoice.number,
            delivered=invoice.delivered, by="marketplace",
        )  # fmt: skip
        return self._receipt(order)

    @route("POST", _BASE + "/{order_id}/start-handling")
    async def start_handling(self, request: Request, order_id: str) -> Response:
        """The seller's system begins to pick; only from ready-for-handling."""
        del request
        order = self._order(order_id)
        if order is None:
            return self.refuse("order", status=404)
        try:
            self.handle_order(order)
        except WrongStatusError:
            return self.refuse("OMS003", "ready-for-handling", status=409)
        return Response(204)

    @route("POST", _BASE + "/{order_id}/interactions")
    async def add_note(self, request: Request, order_id: str) -> Response:
        """A note on the order's timeline."""
        order = self._order(order_id)
        if order is None:
            return self.refuse("order", status=404)
        body = request.json()
        order.notes.append(body if isinstance(body, dict) else {})
        return Response(204)

    def _order(self, order_id: str) -> SimOrder | None:
        if order_id.lower().startswith("seq") and order_id[3:].isdigit():
            wanted = int(order_id[3:])
            return next((each for each in self.orders.values() if each.sequence == wanted), None)
        return self.orders.get(order_id)

    def _invoice(self, order_id: str, number: str) -> tuple[SimOrder, Invoice] | Response:
        order = self._order(order_id)
        if order is None:
            return self.refuse("order", status=404)
        invoice = order.invoice(number)
        return self.refuse("ORD038", status=404) if invoice is None else (order, invoice)

    def _receipt(self, order: SimOrder) -> Response:
        return json_response(
            {"date": self.stamp(), "orderId": order.order_id, "receipt": self.token()}
        )


def _span(given: tuple[str, ...] | None) -> tuple[datetime | None, datetime | None]:
    if given is None:
        return None, None
    try:
        first, last = (datetime.fromisoformat(each) for each in given)
    except ValueError:
        return None, None
    # A moment without a zone is taken as UTC.
    return first.replace(tzinfo=first.tzinfo or UTC), last.replace(tzinfo=last.tzinfo or UTC)


def _read_invoice(body: Any) -> Invoice | None:
    if not isinstance(body, dict):
        return None
    kinds = {"output": "Output", "input": "Input"}
    kind = kinds.get(str(body.get("type")).lower())
    value = str(body.get("invoiceValue") or "")
    good = kind and body.get("invoiceNumber") and body.get("issuanceDate") and body.get("items")
    if not kind or not good or not value.isdigit() or int(value) <= 0:
        return None
    return Invoice(
        number=str(body["invoiceNumber"]),
        type=kind,
        value=int(value),
        items=list(body["items"]),
        issuance_date=str(body["issuanceDate"]),
        by="api",
        key=body.get("invoiceKey"),
        url=body.get("invoiceUrl"),
        embedded=body.get("embeddedInvoice"),
        courier=str(body.get("courier") or ""),
        tracking_number=str(body.get("trackingNumber") or ""),
        tracking_url=str(body.get("trackingUrl") or ""),
    )
