"""What the seller does to orders: invoice, ship, deliver, cancel, decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from connector.sandbox.vtexsim.order_state import (
    CANCELED,
    GRACE,
    MANUAL,
    READY,
    WAITING,
    Invoice,
    SimOrder,
    WrongStatusError,
)
from connector.sandbox.vtexsim.workflow import WorkflowRoom

if TYPE_CHECKING:
    from collections.abc import Mapping


class SellerOrderRoom(WorkflowRoom):
    """The seller's side of an order; every step the marketplace must know is called back."""

    def order(self, order_id: str) -> SimOrder:
        """An order by its VTEX id.

        Raises:
            LookupError: there is none.
        """
        order = self.orders.get(order_id)
        if order is None:
            raise LookupError(f"no order {order_id}")
        return order

    def invoice_order(
        self,
        order_id: str,
        *,
        quantities: Mapping[str, int] | None = None,
        tracking: str = "none",
        number: str | None = None,
        embedded: bool | None = None,
    ) -> Invoice:
        """Invoice all that is left, or ``quantities`` of SKUs.

        ``tracking``: ``same`` sends it in the invoice call, ``second`` in a second call to the
        same path once the first is accepted, ``by-number`` to the path of the invoice, ``none``
        leaves it out (protocol 7.2, 7.3).

        Raises:
            WrongStatusError: the order cannot be invoiced now.
        """
        order = self.order(order_id)
        invoice = self._new_invoice(order, quantities, number, embedded)
        if not self.add_invoice(order, invoice):
            return invoice
        finish = self.invoice_accepted(order)
        if tracking == "same":
            self._add_parcel(invoice)
            self.call_back_invoice(order, invoice, with_tracking=True, then=finish)
            return invoice

        def after() -> None:
            finish()
            if tracking != "none":
                self.send_tracking(order_id, invoice.number, by_number=tracking == "by-number")

        self.call_back_invoice(order, invoice, with_tracking=False, then=after)
        return invoice

    def send_tracking(self, order_id: str, number: str, *, by_number: bool = False) -> Invoice:
        """Tell of the parcel: a second invoice call, or a call to ``/invoice/{number}``."""
        order, invoice = self._invoice_of(order_id, number)
        self._add_parcel(invoice)
        if not by_number:
            self.call_back_invoice(order, invoice, with_tracking=True)
            return invoice
        body = {
            "courier": invoice.courier,
            "trackingNumber": invoice.tracking_number,
            "trackingUrl": invoice.tracking_url,
            "dispatchedDate": f"{self.clock.now():%Y-%m-%d}",
        }
        self.call_back(order, "tracking", f"/invoice/{quote(invoice.number, safe='')}", body)
        return invoice

    def send_tracking_event(
        self, order_id: str, number: str, description: str = "Pedido entregue", *,
        delivered: bool = True,
    ) -> Invoice:  # fmt: skip
        """Tell what happened to a parcel; ``delivered`` ends its journey."""
        order, invoice = self._invoice_of(order_id, number)
        now = self.clock.now()
        event = {
            "city": "Rio de Janeiro",
            "state": "RJ",
            "description": description,
            "date": f"{now:%Y-%m-%d}",
        }
        invoice.events.append(event)
        if delivered:
            invoice.delivered, invoice.delivered_date = True, f"{now:%Y-%m-%d %H:%M}"
        body = {
            "isDelivered": delivered,
            "deliveredDate": invoice.delivered_date,
            "events": list(invoice.events),
        }
        suffix = f"/invoice/{quote(invoice.number, safe='')}/tracking"
        method = self.rng.choice(("POST", "POST", "PUT"))
        self.record("order.delivery", order=order_id, number=number, delivered=delivered)
        self.call_back(order, "tracking-event", suffix, body, method=method)
        return invoice

    def return_order(self, order_id: str, value: int | None = None) -> Invoice:
        """Take goods back with a return invoice; only after everything was invoiced."""
        order = self.order(order_id)
        invoice = self._new_invoice(order, None, None, embedded=False)
        invoice.type, invoice.value = "Input", value or order.value
        invoice.items = [
            {"id": item.sku_id, "quantity": item.quantity, "price": item.price}
            for item in order.items
        ]
        self.add_invoice(order, invoice)
        self.call_back_invoice(order, invoice, with_tracking=False)
        return invoice

    def change_order(
        self,
        order_id: str,
        *,
        discount: int = 0,
        increment: int = 0,
        removed: Mapping[str, int] | None = None,
        reason: str = "Acordo com o cliente",
    ) -> None:
        """Tell of a change of items or value; the order itself stays as it is (protocol 7.5)."""
        order = self.order(order_id)
        rows = self._chosen(order, removed or {})
        body = {
            "requestId": self.token(),
            "reason": reason,
            "discountValue": discount,
            "incrementValue": increment,
            "itemsRemoved": rows,
            "itemsAdded": [],
        }
        self.record("order.change", order=order_id, discount=discount, increment=increment)
        self.call_back(order, "change", "/changes", body)

    def cancel_order(self, order_id: str, reason: str = "Produto indisponível") -> None:
        """The seller cancels.

        Raises:
            WrongStatusError: the order is invoiced, if only in part.
        """
        self.cancel(self.order(order_id), reason, "seller")

    def accept_cancel(self, order_id: str) -> None:
        """The seller agrees to a cancellation the marketplace asked for."""
        self.decide_cancel(self.order(order_id), accept=True)

    def decline_cancel(self, order_id: str) -> None:
        """The seller refuses a cancellation the marketplace asked for."""
        self.decide_cancel(self.order(order_id), accept=False)

    def decide_authorization(self, order_id: str, *, accept: bool) -> None:
        """The seller decides on an order whose prices differ (protocol 6.7).

        Raises:
            WrongStatusError: the order waits for no decision.
        """
        order = self.order(order_id)
        if order.status != MANUAL:
            raise WrongStatusError(order.status)
        self.record("order.manual_decision", order=order_id, accept=accept)
        if accept:
            self.set_status(order, WAITING)
        else:
            self.cancel(order, "price divergence denied", "seller")

    def end_grace(self, order_id: str) -> None:
        """End the grace period now instead of waiting for it."""
        order = self.order(order_id)
        if order.status != GRACE:
            raise WrongStatusError(order.status)
        self.set_status(order, READY)

    def flip_status(self, order_id: str) -> None:
        """A canceled order falls back to ``cancel`` and the hub is called again (protocol 7.6).

        Raises:
            WrongStatusError: the order is not canceled.
        """
        order = self.order(order_id)
        if order.status != CANCELED:
            raise WrongStatusError(order.status)
        self._do_cancel(order, order.cancels[-1].reason)

    def stick(self, order_id: str, *, stuck: bool = True) -> None:
        """Stop an order from moving on by itself, or let it go again."""
        order = self.order(order_id)
        order.stuck = stuck
        self.record("order.stuck", order=order_id, stuck=stuck)
        if not stuck:
            self.resume(order)

    # --- making invoices ----------------------------------------------------------------

    def _invoice_of(self, order_id: str, number: str) -> tuple[SimOrder, Invoice]:
        order = self.order(order_id)
        invoice = order.invoice(number)
        if invoice is None:
            raise LookupError(f"no invoice {number}")
        return order, invoice

    def _new_invoice(
        self,
        order: SimOrder,
        quantities: Mapping[str, int] | None,
        number: str | None,
        embedded: bool | None,
    ) -> Invoice:
        items = self._left(order) if quantities is None else self._chosen(order, quantities)
        left = order.value - order.invoiced_value()
        gone = sum(row["price"] * row["quantity"] for row in items)
        last = quantities is None or items == self._left(order)
        own = number or self._invoice_number()
        value = left if last else min(gone, left)
        with_xml = self.chance(self.settings.embedded_invoices) if embedded is None else embedded
        return Invoice(
            number=own,
            type="Output",
            value=value,
            items=items,
            issuance_date=f"{self.clock.now():%Y-%m-%dT%H:%M:%S}",
            by="seller",
            key=f"{self.rng.randrange(10**43, 10**44)}",
            url=f"https://nfe.example/{order.sequence}" if self.chance(0.5) else None,
            embedded=_xml(own, value, self.settings.embedded_invoice_bytes) if with_xml else None,
        )

    def _left(self, order: SimOrder) -> list[dict[str, Any]]:
        gone: dict[str, int] = {}
        for invoice in order.invoices.values():
            for row in invoice.items if invoice.type == "Output" else ():
                gone[str(row["id"])] = gone.get(str(row["id"]), 0) + int(row["quantity"])
        rows = []
        for item in order.items:
            taken = min(item.quantity, gone.get(item.sku_id, 0))
            gone[item.sku_id] = gone.get(item.sku_id, 0) - taken
            if item.quantity > taken:
                count = item.quantity - taken
                rows.append({"id": item.sku_id, "quantity": count, "price": item.price})
        return rows

    def _chosen(self, order: SimOrder, quantities: Mapping[str, int]) -> list[dict[str, Any]]:
        prices = {item.sku_id: item.price for item in order.items}
        if unknown := set(quantities) - set(prices):
            raise LookupError(f"not in the order: {sorted(unknown)}")
        return [
            {"id": sku_id, "quantity": count, "price": prices[sku_id]}
            for sku_id, count in quantities.items()
        ]

    def _invoice_number(self) -> str:
        number = 1 + sum(len(each.invoices) for each in self.orders.values())
        if self.chance(self.settings.odd_invoice_numbers):
            return self.rng.choice((f"NF {number:05d}/1", f"NFe {number} ", f"{number}/2026-Ç"))
        return f"NFe-{number:05d}"

    def _add_parcel(self, invoice: Invoice) -> None:
        if not invoice.tracking_number:
            invoice.tracking_number = f"BR{self.rng.randrange(10**9):09d}"
            invoice.tracking_url = f"https://track.example/{invoice.tracking_number}"
            invoice.courier = "Transportadora"


def _xml(number: str, value: int, size: int) -> str:
    whole, cents = divmod(value, 100)
    told = f"<nNF>{number}</nNF><vNF>{whole}.{cents:02}</vNF>"
    head = f'<?xml version="1.0"?><nfeProc><NFe>{told}<obs>'
    return f"{head}{'x' * max(0, size - len(head))}</obs></NFe></nfeProc>"
