"""Invoices: as documents (OR74), in custom fields (OR31), as the reference of a parcel (ST01)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from adapters.mirakl.client import Mirakl, part
from adapters.mirakl.sheet import invoice_sheet
from adapters.mirakl.shipping import (
    prepare_shipment,
    released,
    several_parcels,
    ship_order,
    ship_prepared,
)
from adapters.mirakl.wire import multipart, object_in, object_of, objects_in, rows_of
from connector.sdk import (
    AlreadyDone,
    HttpFailure,
    Invoice,
    Rejected,
    Request,
    Unsupported,
)

_PDF = "application/pdf"
_MOST_BYTES = 10 * 1024 * 1024


async def send_invoice(mirakl: Mirakl, key: str, invoice: Invoice) -> None:
    """Hand over an invoice by every way the operator has for it.

    Raises:
        AlreadyDone: Mirakl has all of it.
        Unsupported: the operator has no way at all.
    """
    settings = mirakl.settings
    order = await released(mirakl, key)
    parcels = await several_parcels(mirakl)
    done = [await prepare_shipment(mirakl, order, invoice)] if parcels else []
    if settings.invoice_number_field or settings.invoice_key_field:
        done.append(await _fill_fields(mirakl, key, invoice))
    if settings.document_type and (settings.fetch_invoice or settings.invoice_sheet):
        done.append(await _attach(mirakl, key, invoice))
    if settings.ship_when_invoiced and parcels:
        await ship_prepared(mirakl, order, invoice.number)
    elif settings.ship_when_invoiced and order.order_state == "SHIPPING":
        await ship_order(mirakl, order)
    if not done:
        raise Unsupported("the operator takes no invoices, or no document type is set")
    if not any(done):
        raise AlreadyDone("Mirakl has the invoice")


async def _fill_fields(mirakl: Mirakl, key: str, invoice: Invoice) -> bool:
    """Number and access key, where the operator has custom fields for them."""
    settings = mirakl.settings
    told = (
        (settings.invoice_number_field, invoice.number),
        (settings.invoice_key_field, invoice.key),
    )
    fields = [{"code": code, "value": value} for code, value in told if code and value]
    if not fields:
        return False
    path = f"/api/orders/{part(key)}/additional_fields"
    body = {"order_additional_fields": fields}
    answer = object_of(await mirakl.send("PUT", path, body, "OR31.order-fields"))
    errors = objects_in(object_in(answer.get("order_update_errors")).get("errors"))
    if errors:
        raise Rejected([_words(row) for row in errors])
    return True


async def _attach(mirakl: Mirakl, key: str, invoice: Invoice) -> bool:
    """The invoice's own PDF, or a page that states its data; False where nothing was sent."""
    name = file_name(invoice.number)
    query = {"order_ids": key}
    response = await mirakl.get("/api/orders/documents", "OR72.documents", query=query)
    there = {str(row.get("file_name")) for row in rows_of(response, "order_documents")}
    if name in there:
        return False
    content = await _own_pdf(mirakl, invoice) if mirakl.settings.fetch_invoice else b""
    if not content and mirakl.settings.invoice_sheet:
        content = invoice_sheet(invoice)
    if not content:
        return False
    document = {"file_name": name, "type_code": mirakl.settings.document_type}
    fields = {"order_documents": json.dumps({"order_documents": [document]})}
    form = multipart([("files", name, _PDF, content)], fields)
    path = f"/api/orders/{part(key)}/documents"
    answer = object_of(await mirakl.upload(path, "OR74.documents", form))
    failed = objects_in(answer.get("order_documents"))
    if answer.get("errors_count") or failed:
        reasons = [_words(error) for row in failed for error in objects_in(row.get("errors"))]
        raise Rejected(reasons or ["Mirakl refused the document"])
    return True


async def _own_pdf(mirakl: Mirakl, invoice: Invoice) -> bytes:
    """The PDF behind the invoice's link; nothing where there is none now.

    A link that does not answer must not keep the order from being shipped: the page that is sent
    in its place names the link.
    """
    if not invoice.url.startswith("https://"):
        return b""
    request = Request("GET", invoice.url, headers={"accept": _PDF}, operation="invoice.file")
    try:
        response = await mirakl.http.send(request)
    except HttpFailure:
        return b""
    body = response.body
    return body if response.ok and body[:5] == b"%PDF-" and len(body) <= _MOST_BYTES else b""


def file_name(number: str) -> str:
    """The document's name: US-ASCII, and always the same for the same invoice."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", " ".join(number.split()))
    return f"invoice-{plain.strip('-') or 'x'}.pdf"


def _words(error: Mapping[str, Any]) -> str:
    return f"{error.get('field') or ''} {error.get('message') or error.get('code') or ''}".strip()
