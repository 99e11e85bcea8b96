"""What a seller decides about an order: taking it, giving it up, giving the money back."""

from __future__ import annotations

from typing import Any

from adapters.mirakl.client import Mirakl, part
from adapters.mirakl.orders import OVER, WAITING, WireLine, WireOrder, WireTax, read_order
from adapters.mirakl.wire import rows_of
from connector.sdk import AlreadyDone, MarketStatus, Rejected, RetryLater

_SENT = frozenset({MarketStatus.SHIPPED, MarketStatus.DELIVERED})


async def read(mirakl: Mirakl, key: str) -> WireOrder | None:
    """Read one order (OR11 with its id, which OR12 was replaced by)."""
    query = {"order_ids": key, "max": "10", "offset": "0"}
    response = await mirakl.get("/api/orders", "OR11.order", query=query)
    rows = rows_of(response, "orders")
    found = [row for row in rows if str(row.get("order_id")) == key]
    return read_order(found[0]) if found else None


async def known(mirakl: Mirakl, key: str) -> WireOrder:
    """Read an order that must be there."""
    order = await read(mirakl, key)
    if order is None:
        raise RetryLater("Mirakl does not show the order now")
    return order


async def accept(mirakl: Mirakl, key: str) -> None:
    """Take every line of an order (OR21 wants a decision about all of them)."""
    order = await known(mirakl, key)
    if order.order_state in OVER:
        raise Rejected([f"the order is {order.order_state} on Mirakl"])
    if order.order_state == "STAGING":
        raise RetryLater("Mirakl has not opened the order for acceptance yet")
    if order.order_state != WAITING:
        raise AlreadyDone("the order was accepted before")
    await _decide(mirakl, order, accepted=True)


async def cancel(mirakl: Mirakl, key: str) -> None:
    """Give an order up: refuse it, cancel it, or give the money back, by how far it is."""
    order = await known(mirakl, key)
    if order.status is MarketStatus.CANCELLED:
        raise AlreadyDone("the order is cancelled on Mirakl")
    if order.order_state == WAITING:
        await _decide(mirakl, order, accepted=False)
    elif order.status in _SENT:
        await _refund(mirakl, order)
    elif not order.can_cancel:
        raise Rejected([f"Mirakl does not let the seller cancel an order in {order.order_state}"])
    elif mirakl.settings.cancel_reason and not order.touched:
        body = {"cancelations": [_whole(order, line, mirakl.settings.cancel_reason)
                                 for line in order.order_lines]}  # fmt: skip
        body |= _tax_mode(order)
        await mirakl.send("PUT", "/api/orders/cancel", body, "OR30.cancel-lines")
    else:
        await mirakl.send("PUT", f"/api/orders/{part(key)}/cancel", None, "OR29.cancel")


async def _decide(mirakl: Mirakl, order: WireOrder, *, accepted: bool) -> None:
    lines = [{"id": line.order_line_id, "accepted": accepted} for line in order.order_lines]
    path = f"/api/orders/{part(order.order_id)}/accept"
    await mirakl.send("PUT", path, {"order_lines": lines}, "OR21.accept")


async def _refund(mirakl: Mirakl, order: WireOrder) -> None:
    """All the money back (OR28); what was given back in part already is left to a person."""
    reason = mirakl.settings.refund_reason
    if not reason:
        raise Rejected(["the order was shipped, and no reason for refunds is set: refund it there"])
    if order.touched or any(line.refunds for line in order.order_lines):
        raise Rejected(["part of the order was refunded already: refund the rest on Mirakl"])
    refunds = [
        {**_whole(order, line, reason), "excluded_from_shipment": False}
        for line in order.order_lines
    ]
    body = {"refunds": refunds} | _tax_mode(order)
    await mirakl.send("PUT", "/api/orders/refund", body, "OR28.refund")


def _whole(order: WireOrder, line: WireLine, reason: str) -> dict[str, Any]:
    """All of a line, as cancellations and refunds name it."""
    told: dict[str, Any] = {
        "order_line_id": line.order_line_id,
        "amount": float(line.price),
        "shipping_amount": float(line.shipping_price),
        "quantity": line.quantity,
        "reason_code": reason,
        "currency_iso_code": order.currency_iso_code,
    }
    # Mirakl wants the taxes named wherever the order has some.
    if line.taxes:
        told["taxes"] = _taxes(line.taxes)
    if line.shipping_taxes:
        told["shipping_taxes"] = _taxes(line.shipping_taxes)
    return told


def _taxes(taxes: tuple[WireTax, ...]) -> list[dict[str, Any]]:
    return [{"code": tax.code, "amount": float(tax.amount)} for tax in taxes]


def _tax_mode(order: WireOrder) -> dict[str, Any]:
    return {"order_tax_mode": order.order_tax_mode} if order.order_tax_mode else {}
