"""The seller's half of the simulated Demo Market's orders: ``/v1/orders`` and ``/v1/carts``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from adapters.demo.market.base import problem
from adapters.demo.market.buying import BuyingSide
from adapters.demo.market.state import Received, SimCart, cart_to_wire, minor, stamp
from connector.sdk import Request, Response, json_response
from connector.sdk.testing.simulator import route

_OK = json_response({"ok": True})


class OrderSide(BuyingSide):
    """What the seller does about carts."""

    @route("GET", "/v1/orders")
    async def poll_orders(self, request: Request) -> Response:
        """Orders by time of change."""
        text = request.query.get("updated_since", "")
        try:
            since = datetime.fromisoformat(text.replace(" ", "+")) if text else None
        except ValueError:
            return problem(400, "unreadable", "updated_since must be ISO 8601")
        if since is not None and since.tzinfo is None:
            since = since.replace(tzinfo=UTC)
        page = request.query.get("page", "")
        rows, following = self.changes(since, page, self.settings.page_size)
        items = [
            {
                "order_id": order.order_id,
                "cart_id": order.cart_id,
                "status": order.status,
                "updated_at": stamp(order.updated_at),
            }
            for order in rows
        ]
        return json_response({"items": items, "next": following})

    @route("GET", "/v1/carts/{cart_id}")
    async def read_cart(self, request: Request, cart_id: str) -> Response:
        """A cart with those of its orders that have arrived."""
        del request
        if cart_id in self.carts:
            self.told.setdefault(cart_id, self.now())
        return self._with(cart_id, lambda cart: json_response(cart_to_wire(cart, self.settings)))

    @route("POST", "/v1/carts/{cart_id}/accept")
    async def accept_cart(self, request: Request, cart_id: str) -> Response:
        """The seller takes the cart."""
        del request
        return self._with(cart_id, self._accept)

    def _accept(self, cart: SimCart) -> Response:
        cart.accepts += 1
        self.record("cart.accept", cart_id=cart.cart_id, status=cart.status)
        if cart.status == "cancelled":
            return problem(409, "cancelled", "The cart was cancelled")
        if cart.accepted:
            return problem(409, "already_accepted", "The cart is accepted already")
        if not all(order.arrived for order in cart.orders):
            return problem(409, "cart_incomplete", "Not all orders of the cart have arrived")
        cart.accepted = True
        if cart.status == "waiting_acceptance":
            self._move(cart, cart.after_acceptance)
        return _OK

    @route("POST", "/v1/carts/{cart_id}/cancel")
    async def cancel_cart(self, request: Request, cart_id: str) -> Response:
        """The seller cancels the cart."""
        reason = str(_object(request).get("reason") or "")
        return self._with(cart_id, lambda cart: self._cancel(cart, reason))

    def _cancel(self, cart: SimCart, reason: str) -> Response:
        cart.cancels += 1
        self.record("cart.cancel", cart_id=cart.cart_id, status=cart.status)
        if cart.status == "cancelled":
            return problem(409, "already_cancelled", "The cart is cancelled already")
        if cart.status in ("shipped", "delivered"):
            return problem(409, "already_shipped", "The cart was shipped and cannot be cancelled")
        for order in cart.living:
            order.cancel_reason = reason
        cart.cancelled_by = "seller"
        self._move(cart, "cancelled")
        return _OK

    @route("POST", "/v1/carts/{cart_id}/invoices")
    async def receive_invoice(self, request: Request, cart_id: str) -> Response:
        """The seller hands in an invoice."""
        return self._with(cart_id, lambda cart: self._invoice(cart, _object(request)))

    def _invoice(self, cart: SimCart, body: dict[str, Any]) -> Response:
        number = str(body.get("number") or "")
        try:
            value = minor(body.get("value"), self.settings.currency)
        except ValueError:
            value = -1
        if not number or value < 0:
            return problem(422, "bad_invoice", "An invoice needs a number and a value")
        self.record("cart.invoice", cart_id=cart.cart_id, number=number, value_minor=value)
        known = cart.invoices.get(number)
        if known is not None:
            known.arrivals += 1
            if known.body == body:
                return _OK
            message = f"Invoice {number} is known with other content"
            return problem(409, "invoice_differs", message)
        refusal = self._not_active(cart)
        if refusal is not None:
            return refusal
        cart.invoices[number] = Received(body, self.now())
        return json_response({"ok": True}, 201)

    @route("PUT", "/v1/carts/{cart_id}/invoices/{number}/tracking")
    async def receive_tracking(self, request: Request, cart_id: str, number: str) -> Response:
        """The seller says, or corrects, how an invoice's parcel travels."""
        return self._with(cart_id, lambda cart: self._tracking(cart, number, _object(request)))

    def _tracking(self, cart: SimCart, number: str, body: dict[str, Any]) -> Response:
        self.record("cart.tracking", cart_id=cart.cart_id, number=number, status=cart.status)
        refusal = self._no_invoice(cart, number)
        if refusal is not None:
            return refusal
        if cart.delivery["kind"].startswith("marketplace"):
            return problem(409, "marketplace_ships", "The marketplace ships this cart itself")
        _receive(cart.trackings, number, body, self.now())
        if cart.status == "paid":
            self._move(cart, "shipped")
        return _OK

    @route("POST", "/v1/carts/{cart_id}/invoices/{number}/delivered")
    async def receive_delivered(self, request: Request, cart_id: str, number: str) -> Response:
        """The seller says that an invoice's parcel has arrived."""
        return self._with(cart_id, lambda cart: self._delivered(cart, number, _object(request)))

    def _delivered(self, cart: SimCart, number: str, body: dict[str, Any]) -> Response:
        self.record("cart.delivered", cart_id=cart.cart_id, number=number, status=cart.status)
        refusal = self._no_invoice(cart, number)
        if refusal is not None:
            return refusal
        if not _receive(cart.deliveries, number, body, self.now()):
            return problem(409, "already_delivered", f"Invoice {number} was delivered already")
        if cart.deliveries.keys() >= cart.invoices.keys():
            self._move(cart, "delivered")
        return _OK

    # --- why not ----------------------------------------------------------------------------------

    def _with(self, cart_id: str, act: Callable[[SimCart], Response]) -> Response:
        cart = self.carts.get(cart_id)
        return act(cart) if cart else problem(404, "not_found", f"There is no cart {cart_id}")

    def _not_active(self, cart: SimCart) -> Response | None:
        if cart.status == "cancelled":
            return problem(409, "cancelled", "The cart was cancelled")
        if cart.status not in ("paid", "shipped", "delivered"):
            return problem(409, "not_paid", "The cart is not paid yet")
        return None

    def _no_invoice(self, cart: SimCart, number: str) -> Response | None:
        if cart.status == "cancelled":
            return problem(409, "cancelled", "The cart was cancelled")
        if number not in cart.invoices:
            return problem(404, "invoice_unknown", f"The cart has no invoice {number}")
        return None


def _receive(shelf: dict[str, Received], number: str, body: dict[str, Any], now: datetime) -> bool:
    """Keep the newest body and count the arrival; tells whether it was the first."""
    known = shelf.get(number)
    if known is None:
        shelf[number] = Received(body, now)
        return True
    known.body = body
    known.arrivals += 1
    return False


def _object(request: Request) -> dict[str, Any]:
    payload = request.json()
    return payload if isinstance(payload, dict) else {}
