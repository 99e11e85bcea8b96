"""What buyers and carriers do on the simulated Mercado Livre."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from adapters.mercadolivre.market.events import EventSide
from adapters.mercadolivre.market.origins import OriginSide
from adapters.mercadolivre.market.state import SimOrder, SimSale, SimShipment
from connector.sdk import Delivery
from connector.sdk.testing.market import NotPossible, Sale

BUYER = {
    "first_name": "Zoë",
    "last_name": "d'Ávila-Łuczak 李",
    "phone": "+5511999990000",
    "document": "52998224725",
    "document_type": "cpf",
}
ADDRESS = {
    "receiver": "Zoë d'Ávila-Łuczak 李",
    "street": "Rua São João",
    "number": "10",
    "complement": "apto 4 🏡",
    "neighborhood": "Centro",
    "city": "São Paulo",
    "state": "SP",
    "country": "BR",
    "postal_code": "01035000",
}
_OWN_LABEL = "self_service"
"""Mercado Livre's logistics whose labels wait for nothing."""


def mode_of(sale: Sale) -> tuple[str, str]:
    """Whose logistics a sale travels by: the modes and types of the official pages."""
    match sale.delivery:
        case Delivery.MARKETPLACE_STOCK:
            return "me2", "fulfillment"
        case Delivery.MARKETPLACE:
            return "me2", _OWN_LABEL if sale.labels else "cross_docking"
        case Delivery.PICKUP:
            return "custom", "custom"
        case _:
            return "me1", "default"


def shares(total: int, parts: int) -> list[int]:
    """Split an amount into parts that differ by at most one unit and sum exactly."""
    each, rest = divmod(total, parts)
    return [each + (place < rest) for place in range(parts)]


class BuyingSide(OriginSide, EventSide):
    """Sales, payments, changes of heart, carriers."""

    def __init__(self, **everything: Any) -> None:
        super().__init__(**everything)
        self.sales: dict[str, SimSale] = {}
        self.orders: dict[str, SimOrder] = {}
        self.refused_sales = 0

    def sell(self, sale: Sale) -> SimSale | None:
        """Sell as a buyer would; one order per line, a pack where there are several."""
        if not self._for_sale(sale.lines):
            self.refused_sales += 1
            return None
        orders = self._orders_of(sale)
        if any(order.total_minor < 0 or order.coupon_minor > order.goods_minor for order in orders):
            return None
        pack = self.next_id("pack", 2_000_006_556_183_000) if len(orders) > 1 else ""
        key = pack or orders[0].id
        made = SimSale(
            key=key,
            pack_id=pack,
            orders=orders,
            buyer={**BUYER, **sale.buyer},
            address={**ADDRESS, **sale.address},
            sold_at=self.now(),
            mode=mode_of(sale),
        )
        self.sales[key] = made
        for order in orders:
            order.key = key
            self.orders[order.id] = order
            self._take(order)
        lines = [list(line) for line in sale.lines]
        self.record("sale", key=key, lines=lines, total_minor=sum(o.total_minor for o in orders))
        self._arrive(made, sale)
        return made

    def _for_sale(self, lines: Sequence[tuple[str, int]]) -> bool:
        demand: Counter[str] = Counter()
        for sku, quantity in lines:
            demand[sku] += quantity
        offered = {sku: self.offered(sku) for sku in demand}
        return bool(demand) and all(
            item is not None and 0 < demand[sku] <= item.shown for sku, item in offered.items()
        )

    def _orders_of(self, sale: Sale) -> list[SimOrder]:
        count = len(sale.lines)
        shipping, coupons, fees = (
            shares(amount, count)
            for amount in (sale.shipping_minor, sale.discount_minor, sale.interest_minor)
        )
        made = []
        for place, (sku, quantity) in enumerate(sale.lines):
            item = self.offered(sku)
            if item is None:  # just seen to be for sale
                continue
            made.append(
                SimOrder(
                    id=self.next_id("order", 2_000_009_713_473_000),
                    key="",
                    item_id=item.id,
                    sku=sku,
                    title=str(item.body.get("title") or item.body.get("family_name")),
                    quantity=quantity,
                    unit_minor=item.price_minor,
                    created_at=self.now(),
                    updated_at=self.now(),
                    shipping_minor=shipping[place],
                    coupon_minor=coupons[place] + sale.line_discount_minor,
                    fee_minor=fees[place],
                    tax_minor=sale.line_tax_minor,
                    tags={"not_paid", "not_delivered", *(("pack_order",) if count > 1 else ())},
                )
            )
        return made

    def _take(self, order: SimOrder) -> None:
        item = self.items[order.item_id]
        item.set_stock(item.quantity - order.quantity)
        item.sold += order.quantity
        item.version += 1
        item.remember(self.now(), by_seller=False)

    # --- how it comes to be known -----------------------------------------------------------------

    def _arrive(self, made: SimSale, sale: Sale) -> None:
        made.orders[0].arrived = True
        if sale.pay_after_s == 0:
            self.pay(made.key)
        else:
            self._changed(made, made.orders[0])
            wait = sale.pay_after_s
            self.spawn(self._give_up(made.key) if wait is None else self._pay_later(made.key, wait))
        rest = made.orders[1:]
        if rest and sale.arrive_every_s:
            self.spawn(self._arrive_later(made, rest, sale.arrive_every_s))
            return
        for order in rest:
            order.arrived = True
            self._changed(made, order)

    async def _arrive_later(self, made: SimSale, rest: list[SimOrder], every_s: float) -> None:
        for order in rest:
            await self.clock.sleep(every_s)
            order.arrived = True
            self._changed(made, order)

    async def _pay_later(self, key: str, after_s: float) -> None:
        await self.clock.sleep(after_s)
        if self.sales[key].living and not self.sales[key].ever_paid:
            self.pay(key)

    async def _give_up(self, key: str) -> None:
        """Nobody paid: Mercado Livre cancels by itself."""
        await self.clock.sleep(self.settings.give_up_s)
        if self.sales[key].living and not self.sales[key].ever_paid:
            self._cancel(self.sales[key], "marketplace", "the payment was not approved")

    def _changed(self, made: SimSale, order: SimOrder) -> None:
        """Date an order's change and announce it, once the order can be seen."""
        order.updated_at = self.now()
        if order.arrived:
            self.record("order.changed", key=made.key, order_id=order.id, status=order.status)
            self.announce("orders_v2", f"/orders/{order.id}", made.key)

    def _shipment_changed(self, made: SimSale) -> None:
        if made.shipment is not None:
            made.shipment.updated_at = self.now()
            self.announce("shipments", f"/shipments/{made.shipment.id}", made.key)

    # --- buyers -----------------------------------------------------------------------------------

    def pay(self, key: str) -> SimSale:
        """The buyer pays; the shipment follows, at once or a little later."""
        made = self.sales[key]
        made.ever_paid = True
        for order in made.living:
            order.status, order.paid_at = "paid", self.now()
            order.tags = (order.tags - {"not_paid"}) | {"paid"}
            self._changed(made, order)
        if self.settings.shipping_late_s:
            self.spawn(self._ship_later(made))
        else:
            self._make_shipment(made)
        return made

    async def _ship_later(self, made: SimSale) -> None:
        await self.clock.sleep(self.settings.shipping_late_s)
        if made.living:
            self._make_shipment(made)

    def _make_shipment(self, made: SimSale) -> None:
        mode, kind = made.mode
        waits = self.settings.invoice_first and kind == "cross_docking"
        ident = self.next_id("shipment", 44_028_792_000)
        made.shipment = SimShipment(
            id=ident,
            mode=mode,
            type=kind,
            status="to_be_agreed" if mode == "custom" else "ready_to_ship",
            substatus=("invoice_pending" if waits else "ready_to_print") if mode == "me2" else None,
            updated_at=self.now(),
            tracking_number=f"MELI{ident}" if mode == "me2" else "",
        )
        self._shipment_changed(made)

    def cancel_by_buyer(self, key: str, reason: str) -> SimSale:
        """The buyer cancels before it has left."""
        made = self.sales[key]
        gone = made.shipment is not None and made.shipment.status in ("shipped", "delivered")
        if gone or not made.living:
            raise NotPossible(f"{key} cannot be cancelled any more")
        self._cancel(made, "buyer", reason)
        return made

    def _cancel(self, made: SimSale, by: str, reason: str) -> None:
        made.cancelled_by, made.cancelled_at = by, self.now()
        for order in made.living:
            self._cancel_order(made, order, reason)
        if made.shipment is not None and made.shipment.status == "ready_to_ship":
            made.shipment.status, made.shipment.substatus = "cancelled", None

    def _cancel_order(self, made: SimSale, order: SimOrder, reason: str) -> None:
        order.status, order.cancel_words = "cancelled", reason
        order.refunded = order.paid_at is not None
        self._changed(made, order)

    def open_claim(self, key: str) -> str:
        """The buyer opens a claim; returns its id."""
        made = self.sales[key]
        order, ident = made.orders[0], self.next_id("claim", 5_204_934_000)
        order.mediations.append(ident)
        order.tags.add("claim_opened")
        self.announce("post_purchase", f"/post-purchase/v1/claims/{ident}", key)
        return ident

    # --- carriers --------------------------------------------------------------------------------

    def collect_parcel(self, key: str) -> SimSale:
        """Mercado Livre's carrier collects; without its label nothing leaves."""
        return self._move(key, "shipped", lambda s: s.status == "ready_to_ship")

    def deliver_parcel(self, key: str) -> SimSale:
        """Mercado Livre's carrier hands over."""
        return self._move(key, "delivered", lambda s: s.status == "shipped")

    def _move(self, key: str, status: str, may: Callable[[SimShipment], bool]) -> SimSale:
        made = self.sales[key]
        shipment = made.shipment
        ready = shipment is not None and shipment.mode == "me2" and may(shipment)
        if shipment is None or not ready or shipment.substatus == "invoice_pending":
            raise NotPossible(f"{key} is not ready for that")
        shipment.status, shipment.substatus = status, None
        self._shipment_changed(made)
        self.finish(made)
        return made

    def finish(self, made: SimSale) -> None:
        """Mark the orders of a delivered shipment."""
        if made.shipment is not None and made.shipment.status == "delivered":
            for order in made.living:
                order.tags = (order.tags - {"not_delivered"}) | {"delivered"}
                self._changed(made, order)
