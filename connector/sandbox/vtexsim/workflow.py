"""The life of an order in the OMS: statuses, timers, cancellation, invoices (protocol 8.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.sandbox.vtexsim.callbacks import CallbackRoom
from connector.sandbox.vtexsim.order_state import (
    AUTHORIZED,
    CANCELED,
    CANCELING,
    GRACE,
    HANDLING,
    INVOICED,
    INVOICING,
    MANUAL,
    READY,
    SELLER_DECIDES,
    WAITING,
    CancelRecord,
    Invoice,
    SimOrder,
    WrongStatusError,
)
from connector.sandbox.vtexsim.stock import StockRoom

if TYPE_CHECKING:
    from collections.abc import Callable

_AFTER_GRACE = frozenset({READY, "start-handling", HANDLING})
_CAN_INVOICE = frozenset({READY, "start-handling", HANDLING, INVOICING, "payment-approved"})


class WorkflowRoom(StockRoom, CallbackRoom):
    """Moves orders from status to status."""

    def set_status(self, order: SimOrder, status: str) -> None:
        """Put an order into a status, whatever it was in."""
        order.status = status
        order.last_change = self.clock.now()
        order.history.append((order.last_change.isoformat(), status))
        self.record("order.status", order=order.order_id, status=status)

    def authorize(self, order: SimOrder) -> None:
        """The marketplace has been paid: begin the grace period."""
        order.authorized_at = self.clock.now()
        self.record("order.approved", order=order.order_id)
        self.set_status(order, AUTHORIZED)
        self.spawn(self._grace(order))

    def handle_order(self, order: SimOrder) -> None:
        """The seller starts to pick the goods.

        Raises:
            WrongStatusError: unless the order is ready for it.
        """
        if order.status != READY:
            raise WrongStatusError(order.status)
        self.set_status(order, "start-handling")
        self.set_status(order, HANDLING)

    def cancel(self, order: SimOrder, reason: str, by: str) -> None:
        """Begin to cancel; the order stays ``cancel`` until the hub has confirmed (protocol 7.4).

        Raises:
            WrongStatusError: the order is invoiced, if only in part.
        """
        if order.status in {CANCELING, CANCELED}:
            return
        if not order.cancelable:
            raise WrongStatusError(order.status)
        order.cancels.append(CancelRecord(self.clock.now().isoformat(), by, reason))
        self.record("order.cancel_requested", order=order.order_id, by=by, reason=reason)
        asks = self.settings.cancel_needs_seller and order.status in _AFTER_GRACE
        if by == "marketplace" and asks:
            order.status_before_request = order.status
            self.set_status(order, SELLER_DECIDES)
            return
        self._do_cancel(order, reason)

    def decide_cancel(self, order: SimOrder, *, accept: bool) -> None:
        """The seller answers a request to cancel.

        Raises:
            WrongStatusError: nobody asked.
        """
        if order.status != SELLER_DECIDES:
            raise WrongStatusError(order.status)
        if accept:
            self._do_cancel(order, order.cancels[-1].reason)
            return
        order.declined += 1
        self.record("order.cancel_declined", order=order.order_id)
        self.set_status(order, order.status_before_request)

    def add_invoice(self, order: SimOrder, invoice: Invoice) -> bool:
        """Take an invoice in; False where its number is known already (protocol 8.4).

        Raises:
            WrongStatusError: the order cannot be invoiced, or cannot be returned yet.
        """
        if order.invoice(invoice.number) is not None:
            return False
        if invoice.type == "Output":
            if order.status not in _CAN_INVOICE or order.fully_invoiced:
                raise WrongStatusError(order.status)
        elif not order.fully_invoiced:
            raise WrongStatusError(order.status)
        order.invoices[invoice.number] = invoice
        self.record(
            "order.invoice",
            order=order.order_id,
            number=invoice.number,
            type=invoice.type,
            value=invoice.value,
            by=invoice.by,
        )
        if invoice.type == "Output":
            order.invoiced_at = self.clock.now()
            self.set_status(order, INVOICING if order.fully_invoiced else HANDLING)
            if order.fully_invoiced:
                self.ship(order)
        return True

    def invoice_accepted(self, order: SimOrder) -> Callable[[], None]:
        """What happens once the hub has taken the last invoice."""

        def finish() -> None:
            if order.fully_invoiced:
                self._move(order, INVOICING, INVOICED)

        return finish

    async def expire_unauthorized(self, order: SimOrder) -> None:
        """Cancel an order that nobody paid within 30 days."""
        await self.clock.sleep(self.settings.authorization_ttl_s)
        if order.status in {WAITING, MANUAL}:
            self.cancel(order, "not authorized in time", "system")

    def _do_cancel(self, order: SimOrder, reason: str) -> None:
        self.set_status(order, CANCELING)
        body = None if self.chance(self.settings.cancel_empty_body) else {"reason": reason}
        self.call_back(order, "cancel", "/cancel", body, then=lambda: self._canceled(order, reason))

    def _canceled(self, order: SimOrder, reason: str) -> None:
        if not self._move(order, CANCELING, CANCELED):
            return
        if order.reserved:
            self.release(order)
        flipped = sum(each.kind == "cancel" for each in order.callbacks) > 1
        if not flipped and self.chance(self.settings.cancel_flip):
            self._do_cancel(order, reason)

    def resume(self, order: SimOrder) -> None:
        """Let an order that was stuck do what it could not do meanwhile."""
        done = {each.kind for each in order.callbacks if each.accepted_at is not None}
        if order.status == AUTHORIZED:
            self.spawn(self._grace(order))
        elif order.status == GRACE:
            self._move(order, GRACE, READY)
        elif order.status == INVOICING and "invoice" in done:
            self._move(order, INVOICING, INVOICED)
        elif order.status == CANCELING and "cancel" in done:
            self._canceled(order, order.cancels[-1].reason)

    async def _grace(self, order: SimOrder) -> None:
        await self.clock.sleep(self.settings.workflow_step_s)
        if self._move(order, AUTHORIZED, GRACE):
            await self.clock.sleep(self.settings.grace_period_s)
            self._move(order, GRACE, READY)

    def _move(self, order: SimOrder, expected: str, status: str) -> bool:
        stuck = order.stuck or order.status == self.settings.stuck_status
        if order.status != expected or stuck:
            return False
        self.set_status(order, status)
        return True
