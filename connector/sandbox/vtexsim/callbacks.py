"""Calls of the OMS to the hub: invoice, tracking, cancellation (protocol 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from connector.sandbox.vtexsim.core import VtexCore
from connector.sandbox.vtexsim.order_state import CallbackRecord, Invoice, SimOrder

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.domain.http import Response


class CallbackRoom(VtexCore):
    """Calls until it gets 200 and a body with a receipt, or gives up after very many times."""

    @property
    def open_callbacks(self) -> list[CallbackRecord]:
        """The calls the hub has not accepted yet."""
        return [
            each
            for order in self.orders.values()
            for each in order.callbacks
            if each.accepted_at is None
        ]

    def call_back(
        self,
        order: SimOrder,
        kind: str,
        suffix: str,
        body: dict[str, Any] | None,
        *,
        method: str = "POST",
        then: Callable[[], None] | None = None,
    ) -> CallbackRecord:
        """Begin to call the hub about an order; ``then`` runs once the hub has accepted."""
        prefix = self.settings.callback_visibility
        if prefix == "mixed":
            prefix = self.rng.choice(("pub", "pvt"))
        own_id = quote(order.marketplace_order_id, safe="")
        record = CallbackRecord(kind, f"{order.endpoint}/{prefix}/orders/{own_id}{suffix}", body)
        order.callbacks.append(record)
        self.spawn(self._deliver(order, record, method, then))
        return record

    def call_back_invoice(
        self,
        order: SimOrder,
        invoice: Invoice,
        *,
        with_tracking: bool,
        then: Callable[[], None] | None = None,
    ) -> CallbackRecord:
        """Tell of an invoice, or of its tracking by a second call to the same path."""
        kind = "tracking" if with_tracking and invoice.receipts > 1 else "invoice"
        invoice.receipts += 1
        body = invoice_body(invoice, with_tracking=with_tracking)
        return self.call_back(order, kind, "/invoice", body, then=then)

    async def _deliver(
        self,
        order: SimOrder,
        record: CallbackRecord,
        method: str,
        then: Callable[[], None] | None,
    ) -> None:
        settings = self.settings
        wait = settings.callback_retry_s
        while not await self._try(order, record, method):
            if record.attempts > settings.callback_retries:
                order.in_error = True
                self.record("callback.abandoned", order=order.order_id, callback=record.kind)
                return
            await self.clock.sleep(wait)
            wait = min(wait * settings.callback_retry_factor, settings.callback_retry_cap_s)
        if then is not None:
            then()
        if self.chance(settings.callback_duplicate):
            await self._try(order, record, method)

    async def _try(self, order: SimOrder, record: CallbackRecord, method: str) -> bool:
        record.attempts += 1
        answer = await self.send_out(method, record.url, record.body, f"vtex.{record.kind}")
        receipt = _receipt(answer)
        told = {"order": order.order_id, "callback": record.kind, "attempt": record.attempts}
        if receipt is None:
            self.record("callback.refused", **told, status=answer.status if answer else None)
            return False
        if record.accepted_at is None:
            record.accepted_at, record.receipt = self.clock.now().isoformat(), receipt
        self.record("callback.accepted", **told, receipt=receipt)
        return True


def invoice_body(invoice: Invoice, *, with_tracking: bool) -> dict[str, Any]:
    """The body of an invoice call (protocol 7.2)."""
    return {
        "type": invoice.type,
        "invoiceNumber": invoice.number,
        "courier": invoice.courier if with_tracking else "",
        "trackingNumber": invoice.tracking_number if with_tracking else "",
        "trackingUrl": invoice.tracking_url if with_tracking else "",
        "items": invoice.items,
        "issuanceDate": invoice.issuance_date,
        "invoiceValue": invoice.value,
        "invoiceKey": invoice.key,
        "invoiceUrl": invoice.url,
        "embeddedInvoice": invoice.embedded,
    }


def _receipt(answer: Response | None) -> str | None:
    if answer is None or answer.status != 200:
        return None
    body = answer.json()
    if not isinstance(body, dict):
        return None
    values = {name.lower(): value for name, value in body.items()}
    receipt = values.get("receipt")
    return receipt if isinstance(receipt, str) and receipt else None
