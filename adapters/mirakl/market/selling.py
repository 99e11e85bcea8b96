"""The buyer's half of the simulated platform: sales, payments, changes of heart, arrivals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from adapters.mirakl.market.shelf import ShelfSide
from adapters.mirakl.market.state import SimLine, SimOrder
from connector.sdk.testing.market import NotPossible, Sale

BUYER = {
    "first_name": "Zoë",
    "last_name": "d'Ávila-Łuczak 李",
    "email": "zoe@example.com",
    "document": "52998224725",
}
ADDRESS = {
    "street": "Rua São João",
    "number": "10",
    "complement": "apto 4 🏡",
    "city": "São Paulo",
    "state": "SP",
    "country": "BRA",
    "postal_code": "01035-000",
}
BEFORE_SHIPPING = ("WAITING_ACCEPTANCE", "WAITING_DEBIT", "WAITING_DEBIT_PAYMENT", "SHIPPING")
OVER = ("REFUSED", "CANCELED")


class SellingSide(ShelfSide):
    """What buyers and the operator do."""

    def __init__(self, **everything: Any) -> None:
        super().__init__(**everything)
        self.orders: dict[str, SimOrder] = {}
        self.refused_sales = 0

    def sell(self, sale: Sale) -> SimOrder | None:
        """Sell, as a buyer would; None where something is not for sale.

        Mirakl knows no carts of several orders per shop, no interest and no pickup at the seller's:
        a sale that asks for them becomes an ordinary one.
        """
        wanted: Counter[str] = Counter()
        for sku, quantity in sale.lines:
            wanted[sku] += quantity
        offers = self.offers
        short = [sku for sku, units in wanted.items()
                 if sku not in offers or offers[sku].quantity < units]  # fmt: skip
        lines = [] if short else self._lines(sale)
        if not lines or min(line.price_minor for line in lines) < 0:
            self.refused_sales += 1
            self.record("sale.refused", lines=[list(line) for line in sale.lines])
            return None
        order = self._order(sale, lines)
        self.orders[order.order_id] = order
        for sku, quantity in sale.lines:
            offers[sku].quantity -= quantity
            self.remember(offers[sku], "sale", by_seller=False)
        self.record("sale", order_id=order.order_id, total_minor=order.total_minor)
        if order.state == "WAITING_DEBIT_PAYMENT" and sale.pay_after_s:
            self.spawn(self._pay_later(order, sale.pay_after_s))
        return order

    def _lines(self, sale: Sale) -> list[SimLine]:
        """The lines of a sale; what is taken off the whole is taken off the dearest line."""
        number = f"Order_{self._numbers.get('order', 10_000) + 1:05}-A"
        lines = []
        for place, (sku, quantity) in enumerate(sale.lines, 1):
            offer = self._offers[sku]
            unit = offer.current_minor
            lines.append(
                SimLine(
                    line_id=f"{number}-{place}",
                    sku=sku,
                    product_sku=offer.product_sku,
                    title=self.title_of(offer),
                    quantity=quantity,
                    unit_minor=unit,
                    price_minor=unit * quantity - sale.line_discount_minor,
                    tax_minor=sale.line_tax_minor,
                )
            )
        if lines:
            lines[0].shipping_minor = sale.shipping_minor
            max(lines, key=lambda line: line.price_minor).price_minor -= sale.discount_minor
        return lines

    def _order(self, sale: Sale, lines: Sequence[SimLine]) -> SimOrder:
        now = self.now()
        paid = sale.pay_after_s == 0
        waiting = "SHIPPING" if paid else "WAITING_DEBIT_PAYMENT"
        return SimOrder(
            order_id=f"Order_{self.next_number('order', 10_001):05}-A",
            state="WAITING_ACCEPTANCE" if sale.accept_first else waiting,
            created_at=now,
            updated_at=now,
            lines=list(lines),
            buyer={**BUYER, **sale.buyer},
            address={**ADDRESS, **sale.address},
            taxed=sale.line_tax_minor > 0,
            deduced_minor=sale.discount_minor + sale.line_discount_minor * len(lines),
            # An order that nobody will ever pay would never show its address.
            hides_address=self.settings.hide_address and sale.pay_after_s is not None,
            pay_after_s=sale.pay_after_s,
            fields={"nf-customer-document": sale.buyer.get("document", BUYER["document"])},
            accepted_at=None if sale.accept_first else now,
            paid=paid and not sale.accept_first,
        )

    # --- time goes by -----------------------------------------------------------------------------

    async def _pay_later(self, order: SimOrder, after_s: float) -> None:
        await self.clock.sleep(after_s)
        if order.state == "WAITING_DEBIT_PAYMENT":
            self.pay(order)

    def pay(self, order: SimOrder) -> None:
        """The buyer's money is there: the seller may ship."""
        order.paid = True
        self.move(order, "SHIPPING")

    def move(self, order: SimOrder, state: str) -> None:
        """Put an order into a state, dated now."""
        order.state, order.updated_at = state, self.now()
        self.record("order.moved", order_id=order.order_id, state=state)
        if state in OVER:
            order.cancelled_at = self.now()
        if state == "SHIPPED" and self.settings.received_after_s:
            self.spawn(self._arrive(order, self.settings.received_after_s))

    async def _arrive(self, order: SimOrder, after_s: float) -> None:
        await self.clock.sleep(after_s)
        if order.state == "SHIPPED":
            for shipment in order.shipments:
                shipment.status = "RECEIVED"
            self.move(order, "RECEIVED")

    def debit(self, order: SimOrder) -> None:
        """The operator asks for the buyer's money, once the seller took the order."""
        self.move(order, "WAITING_DEBIT_PAYMENT")
        if order.pay_after_s is not None:
            self.spawn(self._pay_later(order, order.pay_after_s or self.settings.debit_s))

    def cancel_by_buyer(self, key: str, reason: str) -> SimOrder:
        """The buyer, or the operator, cancels the whole order."""
        order = self.orders[key]
        if order.state not in BEFORE_SHIPPING:
            raise NotPossible(f"order {key} is {order.state}")
        order.cancelled_by, order.reason = "buyer", reason
        self.move(order, "CANCELED")
        return order

    def cancel_units(self, key: str, place: int = 0, quantity: int = 1) -> SimOrder:
        """The operator cancels some units of a line."""
        order = self.orders[key]
        line = order.lines[place]
        line.cancelations.append(
            {"quantity": quantity, "amount_minor": line.unit_minor * quantity, "reason_code": "16"}
        )
        self.move(order, order.state)
        return order

    def refund_units(self, key: str, place: int = 0, quantity: int = 1) -> SimOrder:
        """The operator gives some of the money back."""
        order = self.orders[key]
        line = order.lines[place]
        line.refunds.append(
            {"quantity": quantity, "amount_minor": line.unit_minor * quantity, "shipping_minor": 0}
        )
        self.move(order, order.state)
        return order

    def open_incident(self, key: str, place: int = 0) -> SimOrder:
        """The buyer complains about a line."""
        order = self.orders[key]
        order.lines[place].state, order.incident = "INCIDENT_OPEN", True
        self.move(order, order.state)
        return order
