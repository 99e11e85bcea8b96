"""The buyer's half of the simulated Demo Market: sales, payments, changes of heart, carriers."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from adapters.demo.market.listings import ListingSide
from adapters.demo.market.sale import SaleOptions, make_orders, too_cheap
from adapters.demo.market.state import NotSold, SimCart, SimOrder, stamp
from adapters.demo.market.webhooks import WebhookSide
from connector.sdk.testing.market import NotPossible


class NotPossibleError(NotPossible):
    """The cart is not in a state that allows this."""


class BuyingSide(ListingSide, WebhookSide):
    """What buyers and the marketplace's carrier do, called from tests and the control API."""

    def __init__(self, **everything: Any) -> None:
        super().__init__(**everything)
        self.carts: dict[str, SimCart] = {}
        self.refused_sales = 0
        # Every change of every order, oldest first: what polling reads.
        self._changed_at: list[datetime] = []
        self._changed: list[SimOrder] = []

    @property
    def orders(self) -> dict[str, SimOrder]:
        """All single orders, of all carts, by order id."""
        return {order.order_id: order for cart in self.carts.values() for order in cart.orders}

    def sell(self, lines: Sequence[tuple[str, int]], **options: Any) -> SimCart | NotSold:
        """Sell SKUs and quantities as a buyer would; see ``SaleOptions`` for the options."""
        how = SaleOptions(**options)
        reasons = self._why_not(lines)
        if reasons:
            return self._refuse(lines, reasons)
        cart_id, now = f"C-{self._numbers.get('C', 0) + 1:06}", self.now()
        prices = {sku: self._listings[sku].price_minor for sku, _ in lines}
        orders = make_orders(cart_id, lines, prices, how, now)
        if too_cheap(orders):
            return self._refuse(lines, ["the discounts are larger than the goods cost"])
        address = {**how.address, "pickup_point_id": how.pickup_point_id}
        cart = SimCart(
            cart_id=self.next_id("C"),
            orders=orders,
            buyer=how.buyer,
            address=address,
            delivery=how.delivery_to_wire(cart_id),
            payment_methods=list(how.payment_methods),
            after_acceptance=how.released_status if how.accept_first else "",
        )
        self.carts[cart_id] = cart
        for sku, quantity in lines:
            self._listings[sku].stock -= quantity
            self._listings[sku].remember(now, "sale")
        sold = [list(line) for line in lines]
        self.record("sale", cart_id=cart_id, lines=sold, total_minor=cart.total_minor)
        self._arrive(orders[0])
        if len(orders) > 1:
            self._arrive_apart(orders[1:], how.arrive_every_s)
        if how.payment == "later":
            self.spawn(self._pay_later(cart_id, how.pay_after_s))
        return cart

    def _why_not(self, lines: Sequence[tuple[str, int]]) -> list[str]:
        demand: Counter[str] = Counter()
        for sku, quantity in lines:
            demand[sku] += quantity
        reasons = [] if demand else ["nothing was asked for"]
        listings = self.listings
        for sku, quantity in demand.items():
            listing = listings.get(sku)
            if min((n for other, n in lines if other == sku), default=0) < 1:
                reasons.append(f"SKU {sku}: a quantity must be above zero")
            elif listing is None:
                reasons.append(f"SKU {sku} is not listed")
            elif listing.blocked:
                reasons.append(f"SKU {sku} is blocked")
            elif listing.stock < quantity:
                reasons.append(f"SKU {sku} has a stock of {listing.stock}, wanted {quantity}")
        return reasons

    def _refuse(self, lines: Sequence[tuple[str, int]], reasons: list[str]) -> NotSold:
        self.refused_sales += 1
        self.record("sale.refused", lines=[list(line) for line in lines], reasons=reasons)
        return NotSold(tuple(reasons))

    def _arrive_apart(self, orders: Sequence[SimOrder], every_s: float) -> None:
        if every_s:
            self.spawn(self._arrive_later(orders, every_s))
            return
        for order in orders:
            self._arrive(order)

    async def _arrive_later(self, orders: Sequence[SimOrder], every_s: float) -> None:
        for order in orders:
            await self.clock.sleep(every_s)
            self._arrive(order)

    async def _pay_later(self, cart_id: str, after_s: float) -> None:
        await self.clock.sleep(after_s)
        if self.carts[cart_id].status in ("waiting_payment", "waiting_acceptance"):
            self.pay(cart_id)

    def _arrive(self, order: SimOrder) -> None:
        order.arrived = True
        self._touch(order, "order.created")

    def _touch(self, order: SimOrder, kind: str) -> None:
        """Date an order's change, let polling see it, and announce it."""
        if not order.arrived:
            return
        order.updated_at = self.now()
        order.change = len(self._changed)
        self._changed_at.append(order.updated_at)
        self._changed.append(order)
        if order.status == "paid":
            self.carts[order.cart_id].paid = True
        self.record(kind, order_id=order.order_id, status=order.status)
        self.announce(kind, order)

    def _move(self, cart: SimCart, status: str) -> None:
        for order in cart.living:
            if order.status != status:
                order.status = status
                self._touch(order, f"order.{status}")

    def changes(self, since: datetime | None, page: str, size: int) -> tuple[list[SimOrder], str]:
        """A page of orders changed since then, each at its newest change, and the next page.

        A page begins at a place in the list of changes, which only grows: what changes while
        somebody reads moves behind the reader, and nobody is skipped.
        """
        place = bisect_left(self._changed_at, since) if since else 0
        place = int(page) if page.isdecimal() else place
        rows: list[SimOrder] = []
        while place < len(self._changed) and len(rows) < size:
            if self._changed[place].change == place:
                rows.append(self._changed[place])
            place += 1
        return rows, str(place) if place < len(self._changed) else ""

    # --- what buyers and carriers do --------------------------------------------------------------

    def pay(self, cart_id: str) -> SimCart:
        """The buyer pays."""
        cart = self._in_state(cart_id, ("waiting_payment", "waiting_acceptance"))
        if cart.status == "waiting_acceptance":
            cart.after_acceptance = "paid"
            return cart
        self._move(cart, "paid")
        return cart

    def set_status(self, cart_id: str, status: str) -> SimCart:
        """Put a raw status on a cart's living orders, documented or not."""
        cart = self.carts[cart_id]
        self._move(cart, status)
        return cart

    def cancel_by_buyer(
        self, cart_id: str, *, order_id: str = "", reason: str = "The buyer changed their mind"
    ) -> SimCart:
        """The buyer cancels the whole cart, or one order of it."""
        cart = self._in_state(cart_id, None)
        for order in cart.living:
            if order_id in ("", order.order_id):
                order.status, order.cancel_reason = "cancelled", reason
                self._touch(order, "order.cancelled")
        if not cart.living:
            cart.cancelled_by = "buyer"
        return cart

    def partially_cancel(self, cart_id: str, sku: str, quantity: int = 1) -> SimCart:
        """The buyer cancels some units; quantities and amounts stay as they were ordered."""
        cart = self._in_state(cart_id, None)
        for order in cart.living:
            for line in order.lines:
                units = min(quantity, line.quantity - line.cancelled_quantity)
                if line.sku == sku and units > 0:
                    line.cancelled_quantity += units
                    self._touch(order, "order.partly_cancelled")
                    return cart
        raise NotPossibleError(f"cart {cart_id} has no units of SKU {sku} left to cancel")

    def ship_fob(self, cart_id: str) -> SimCart:
        """The marketplace's carrier collects the goods."""
        cart = self._in_state(cart_id, ("paid",))
        if not cart.delivery["kind"].startswith("marketplace"):
            raise NotPossibleError(f"cart {cart_id} is not delivered by the marketplace")
        cart.shipment = {
            "courier": "Demo Express",
            "tracking_number": f"DX{cart_id}",
            "tracking_url": f"https://demo-market.example/track/DX{cart_id}",
            "shipped_at": stamp(self.now()),
            "delivered_at": None,
        }
        self._move(cart, "shipped")
        return cart

    def deliver_fob(self, cart_id: str) -> SimCart:
        """The marketplace's carrier hands the goods to the buyer."""
        cart = self._in_state(cart_id, ("shipped",))
        if cart.shipment is None:
            raise NotPossibleError(f"cart {cart_id} was not shipped by the marketplace")
        cart.shipment = {**cart.shipment, "delivered_at": stamp(self.now())}
        self._move(cart, "delivered")
        return cart

    def _in_state(self, cart_id: str, states: tuple[str, ...] | None) -> SimCart:
        """The cart, if it is in one of the states (None: in any before shipping)."""
        cart = self.carts[cart_id]
        late = cart.status in ("shipped", "delivered", "cancelled")
        if late if states is None else cart.status not in states:
            raise NotPossibleError(f"cart {cart_id} is {cart.status}")
        return cart
