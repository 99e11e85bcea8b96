"""The seller's half of the simulated Mercado Livre's orders: what the seller hands in."""

from __future__ import annotations

import re
from typing import Any

from adapters.mercadolivre.market.base import problem
from adapters.mercadolivre.market.orders import OrderSide
from adapters.mercadolivre.market.state import Document, SimOrder, SimSale, SimShipment
from connector.sdk import Request, Response, from_major, json_response
from connector.sdk.testing.simulator import route

_MOST_BYTES = 1_000_000
_BILLER = {"fulfillment", "cross_docking", "xd_drop_off"}
# (status, substatus) pairs that the page "Estados de órdenes ME1" allows; "null" is a text there.
_ME1 = {
    *(("shipped", each) for each in ("null", "out_for_delivery", "receiver_absent")),
    *(("shipped", each) for each in ("dangerous_area", "bad_address", "unauthorized_receiver")),
    ("not_delivered", "returning_to_sender"),
    ("delivered", "null"),
}


class HandSide(OrderSide):
    """Invoices, tracking, feedback."""

    # --- invoices ---------------------------------------------------------------------------------

    @route("POST", "/shipments/{shipment_id}/invoice_data")
    async def import_invoice(self, request: Request, shipment_id: str) -> Response:
        """An NF-e unlocks the label of a shipment that waits for it."""
        found = self.shipped(shipment_id)
        if found is None or self.stranger(request):
            return problem(404, "not_found", "shipment not found")
        made, shipment = found
        known = next((d for d in made.documents if d.kind == "nfe"), None)
        if known is not None:
            known.arrivals += 1
            return problem(409, "conflict", "the shipment has an invoice already")
        if shipment.substatus != "invoice_pending":
            return problem(400, "bad_request", "the shipment does not wait for an invoice")
        document = self._document(request.body, "import", "nfe")
        if document is None:
            return problem(400, "bad_request", "no authorised NF-e")
        made.documents.append(document)
        shipment.substatus = "ready_to_print"
        self.record("invoice.imported", key=made.key, number=document.number)
        self._shipment_changed(made)
        return json_response({"id": shipment_id, "fiscal_key": ""}, 201)

    @route("POST", "/packs/{pack_id}/fiscal_documents")
    async def attach_document(self, request: Request, pack_id: str) -> Response:
        """A document for the buyer; one of each kind."""
        made = self.sales.get(pack_id)
        if made is None or self.stranger(request):
            return problem(404, "not_found", "pack not found")
        biller = made.shipment is not None and made.shipment.type in _BILLER
        if self.settings.site == "MLB" and biller:
            return problem(403, "forbidden", "you must use the biller of MercadoLibre")
        name, content = _file(request)
        if not name or not content:
            return problem(400, "bad_request", "File cannot be empty")
        kind = name.rpartition(".")[2].lower()
        if kind not in ("xml", "pdf"):
            return problem(400, "bad_request", f"File type: {kind} is not allowed")
        if len(content) > _MOST_BYTES:
            return problem(400, "bad_request", "File Not allowed, exceeds maximum size")
        known = next((d for d in made.documents if d.kind == kind), None)
        if known is not None:
            known.arrivals += 1
            text = f"File Not allowed, a file already exists for the pack: {pack_id}"
            return problem(409, "conflict", f"{text} of the type: {kind}")
        document = self._document(content, name, kind)
        if document is None:
            return problem(400, "bad_request", "File cannot be read")
        made.documents.append(document)
        self.record("invoice.attached", key=made.key, number=document.number)
        return json_response({"ids": [f"{self.settings.user_id}_{len(made.documents)}"]}, 201)

    @route("GET", "/packs/{pack_id}/fiscal_documents")
    async def list_documents(self, request: Request, pack_id: str) -> Response:
        """The documents that hang on an order."""
        made = self.sales.get(pack_id)
        if made is None or self.stranger(request):
            return problem(404, "not_found", "pack not found")
        attached = [document for document in made.documents if document.kind != "nfe"]
        if not attached:
            return problem(404, "not_found", "The pack_fiscal_document does not exist")
        rows = [
            {
                "id": f"{self.settings.user_id}_{place}",
                "date": document.at.isoformat(),
                "file_type": document.kind,
                "filename": document.name,
            }
            for place, document in enumerate(attached)
        ]
        return json_response({"pack_id": int(pack_id), "fiscal_documents": rows})

    def _document(self, content: bytes, name: str, kind: str) -> Document | None:
        """An NF-e, read as far as it matters here."""
        text = content.decode("utf-8", "replace")
        if "<nfeProc" not in text:
            return None
        number = re.search(r"<nNF>(.*?)</nNF>", text, re.DOTALL)
        value = re.search(r"<vNF>\s*([0-9.]+)\s*</vNF>", text)
        if number is None or value is None:
            return None
        minor = from_major(value[1], self.settings.currency).minor
        return Document(number[1].strip(), minor, name, kind, self.now())

    # --- parcels ----------------------------------------------------------------------------------

    @route("POST", "/shipments/{shipment_id}/seller_notifications")
    async def seller_notifies(self, request: Request, shipment_id: str) -> Response:
        """The seller's own carrier has done something (ME1)."""
        found = self.shipped(shipment_id)
        if found is None or self.stranger(request):
            return problem(404, "not_found", "shipment not found")
        made, shipment = found
        body = request.json() or {}
        pair = (body.get("status"), body.get("substatus"))
        if shipment.mode != "me1" or pair not in _ME1:
            return problem(400, "bad_request", f"{pair} is not allowed for this shipment")
        if not made.living:
            return problem(400, "bad_request", "the order is cancelled")
        self._noted(made, shipment, body)
        return json_response({"status": 200})

    def _noted(self, made: SimSale, shipment: SimShipment, body: dict[str, Any]) -> None:
        status = str(body["status"])
        self.record("shipment.notified", key=made.key, status=status)
        if status == "delivered":
            shipment.arrivals += 1
        else:
            shipment.notices += 1
            shipment.tracking_number = str(body.get("tracking_number") or "")
        if shipment.status != "delivered":
            shipment.status = status
        self._shipment_changed(made)
        self.finish(made)

    # --- feedback ---------------------------------------------------------------------------------

    @route("POST", "/orders/{order_id}/feedback")
    async def give_feedback(self, request: Request, order_id: str) -> Response:
        """The seller says how the sale went, once."""
        order, body = self.orders.get(order_id), request.json() or {}
        if order is None or self.stranger(request):
            return problem(404, "not_found", "order not found")
        made = self.sales[order.key]
        if order.feedback is not None:
            return problem(400, "bad_request", "the feedback already exists")
        fulfilled = body.get("fulfilled")
        if not isinstance(fulfilled, bool) or len(str(body.get("message") or "")) >= 160:
            return problem(400, "bad_request", "unreadable feedback")
        left = made.shipment is not None and made.shipment.status in ("shipped", "delivered")
        if not fulfilled and (order.status == "cancelled" or left):
            text = "not_fulfilled_feedback_in_order_expired"
            return problem(400, text, "the order cannot be cancelled any more")
        order.feedback = {"id": int(self.next_id("feedback", 5_040_068_160)), **body}
        if fulfilled:
            self._arrived(made, order)
        else:
            self._given_up(made, order, str(body.get("reason") or ""))
        return json_response(order.feedback, 201)

    def _arrived(self, made: SimSale, order: SimOrder) -> None:
        if made.shipment is not None:
            made.shipment.arrivals += 1
            made.shipment.status = "delivered"
        order.tags = (order.tags - {"not_delivered"}) | {"delivered"}
        self._changed(made, order)

    def _given_up(self, made: SimSale, order: SimOrder, reason: str) -> None:
        order.tags.add("unfulfilled")
        self._cancel_order(made, order, reason)
        if not made.living:
            made.cancelled_by, made.cancelled_at = "seller", self.now()
        self.record("order.given-up", key=made.key, order_id=order.id, reason=reason)


def _file(request: Request) -> tuple[str, bytes]:
    """Name and content of the one file of a form."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    found = re.search(r"boundary=([^;]+)", headers.get("content-type", ""))
    if found is None:
        return "", b""
    for part in request.body.split(b"--" + found[1].encode()):
        head, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="fiscal_document"; filename="([^"]*)"', head)
        if name is not None:
            return name[1].decode("utf-8", "replace"), content.removesuffix(b"\r\n")
    return "", b""
