"""Invoices: NF-e that unlock a label, and documents attached for the buyer.

Pages "Importar nota fiscal" and "Adjuntar factura".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from adapters.mercadolivre.api import Api, path, reasons
from adapters.mercadolivre.settings import MercadoLivreSettings
from adapters.mercadolivre.shipping import WireShipment
from connector.sdk import (
    AlreadyDone,
    Delivery,
    Invoice,
    RateLimited,
    Rejected,
    Request,
    Response,
    RetryLater,
    Unsupported,
)

MAX_BYTES = 1_000_000
_PREFIX = "invoice-"


def file_name(number: str) -> str:
    """The name a document goes by: it tells the invoice's number again."""
    return f"{_PREFIX}{quote(number, safe='')}.xml"


def invoice_numbers(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """Numbers of the invoices that hang on an order, by their documents' names."""
    rows = payload.get("fiscal_documents")
    names = [str(row.get("filename") or "") for row in rows or () if isinstance(row, dict)]
    ours = [name for name in names if name.startswith(_PREFIX)]
    return tuple(unquote(name[len(_PREFIX) :].rpartition(".")[0]) for name in ours)


def multipart(name: str, content: bytes, kind: str) -> tuple[str, bytes]:
    """A form with one file, and its content type; the same file makes the same bytes."""
    boundary = f"connector-{hashlib.sha256(content).hexdigest()[:24]}"
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="fiscal_document"; filename="{name}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


class Papers:
    """Hands invoices over."""

    def __init__(self, api: Api, settings: MercadoLivreSettings) -> None:
        self._api = api
        self._settings = settings

    async def send(
        self,
        key: str,
        invoice: Invoice,
        shipments: tuple[WireShipment, ...],
        known: tuple[str, ...],
    ) -> None:
        """Import or attach an invoice, whichever the order's logistics ask for."""
        if self._settings.invoices == "off":
            raise Unsupported("the connection sends no invoices (setting invoices)")
        if any(s.delivery is Delivery.MARKETPLACE_STOCK for s in shipments):
            raise Unsupported("Mercado Livre issues the invoices of what it ships from its stock")
        imports = self._settings.invoices == "auto" and self._settings.site == "MLB"
        waiting = [s for s in shipments if s.needs_nfe] if imports else []
        if not waiting:
            await self._attach(key, invoice, known)
            return
        await self._import_all(waiting, invoice)

    async def _import_all(self, shipments: Sequence[WireShipment], invoice: Invoice) -> None:
        """Import into each shipment: one that has it, or refuses it, keeps it from no other.

        Raises:
            AlreadyDone: all of them have it.
            RetryLater: one does not take it yet; those that refused it are asked again as well.
            Rejected: some refused it, with all their reasons.
        """
        done: list[AlreadyDone] = []
        refused: list[Rejected] = []
        later: list[RetryLater] = []
        for shipment in shipments:
            try:
                await self._import(shipment, invoice)
            except AlreadyDone as known:
                done.append(known)
            except Rejected as refusal:
                refused.append(refusal)
            except RateLimited:
                raise
            except RetryLater as delay:
                later.append(delay)
        if later:
            raise later[0]
        if refused:
            raise Rejected([text for each in refused for text in each.reasons])
        if len(done) == len(shipments):
            raise done[0]

    async def _import(self, shipment: WireShipment, invoice: Invoice) -> None:
        if not shipment.waits_for_invoice:
            if shipment.status in ("pending", "handling", ""):
                raise RetryLater("Mercado Livre does not take the NF-e of this shipment yet")
            raise AlreadyDone("the label of the shipment is unlocked already")
        request = Request(
            "POST",
            path("shipments", shipment.id, "invoice_data") + "/",
            query={"siteId": self._settings.site},
            headers={"accept": "application/json", "content-type": "application/xml"},
            body=_document(invoice),
            operation="orders.invoice",
        )
        await self._api.raw(request)

    async def _attach(self, key: str, invoice: Invoice, known: tuple[str, ...]) -> None:
        if invoice.number in known:
            raise AlreadyDone("the invoice is attached already")
        content = _document(invoice)
        kind, body = multipart(file_name(invoice.number), content, "application/xml")
        request = Request(
            "POST",
            path("packs", key, "fiscal_documents"),
            headers={"accept": "application/json", "content-type": kind},
            body=body,
            operation="orders.invoice",
        )
        self._settle(await self._api.raw(request, ok=(403, 409)), invoice, known)

    def _settle(self, answer: Response, invoice: Invoice, known: tuple[str, ...]) -> None:
        if answer.ok:
            return
        text = "; ".join(reasons(answer))
        if answer.status == 409:
            if not known:
                raise AlreadyDone(text)  # a document whose name says nothing: the first one of ours
            raise Rejected(
                [f"Mercado Livre keeps one XML per order: invoice {invoice.number} is not attached"]
            )
        raise Rejected([f"Mercado Livre's own biller must be used for this order: {text}"])


def _document(invoice: Invoice) -> bytes:
    """The invoice's XML; there is no other document that could be sent.

    Raises:
        Rejected: there is none, or it is too large.
    """
    content = invoice.xml.strip().encode()
    if not content:
        what = f"invoice {invoice.number} came without its XML (embeddedInvoice)"
        raise Rejected([f"{what}: import it on Mercado Livre by hand, and let the ERP send it"])
    if len(content) > MAX_BYTES:
        raise Rejected([f"the XML of invoice {invoice.number} is larger than 1 MB"])
    return content
