"""The life of one order after it was bought: what buyer, seller and carrier do about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from connector.sandbox.demo.plan import Fate, Kind, OrderPlan
from connector.sandbox.demo.stage import Stage
from connector.sandbox.vtexsim import SimOrder, WrongStatusError
from connector.sdk.testing.market import Bought, NotPossible

_LOOK_S = 0.1
"""Real seconds between two looks at whether an order has come so far."""
_READY = frozenset({"ready-for-handling", "handling"})
_HOPELESS_S = 1_500.0
"""So long a marketplace waits for an order that its seller has no goods for."""


class Ended(Exception):
    """The order is over: cancelled by somebody."""


class Life:
    """One order's life. It only ever looks at both sides' own books."""

    def __init__(self, stage: Stage, plan: OrderPlan, key: str) -> None:
        self._stage = stage
        self._store = stage.store
        self._plan = plan
        self.key = key

    async def live(self) -> None:
        """Live it through to the end that was planned."""
        with suppress(Ended):
            await self._until_in_vtex()
            await self._go_on()

    async def _until_in_vtex(self) -> None:
        fate = self._plan.fate
        if fate is Fate.CANCELLED_EARLY:
            await self._stage.clock.sleep(self._plan.pauses[0] / 10)
            self._buyer_cancels()
        while self._order is None:
            self._give_up_if_hopeless()
            await asyncio.sleep(_LOOK_S)
            self._check()
        if fate is Fate.WAITING:
            raise Ended
        if fate is Fate.ABANDONED:
            await self._stage.clock.sleep(self._plan.pauses[1] + 300)
            self._buyer_cancels()
        if fate in {Fate.CANCELLED_LATE, Fate.CANCELLED_BY_SELLER, Fate.CANCELLED_BY_BOTH}:
            await self._stage.clock.sleep(self._plan.pauses[0])
            if fate is not Fate.CANCELLED_LATE:
                self._seller_cancels()
            if fate is not Fate.CANCELLED_BY_SELLER:
                self._buyer_cancels()
            raise Ended

    async def _go_on(self) -> None:
        await self._until(lambda order: order.status in _READY)
        await self._stage.clock.sleep(self._plan.pauses[1])
        if self._plan.fate is Fate.CROSSED:
            self._invoice(tracking="none")
            await self._stage.clock.sleep(self._plan.pauses[0] / 30)
            self._buyer_cancels()
        if self._plan.fate is Fate.CANCELLED_INVOICED:
            number = self._invoice(tracking="none")
            await self._until_paper(number)
            await self._stage.clock.sleep(self._plan.pauses[0])
            self._buyer_cancels()
        parted = self._plan.fate is Fate.PARTED and self._units > 1
        numbers = [self._invoice_part()] if parted else []
        if numbers:
            await self._stage.clock.sleep(self._plan.pauses[0])
            await self._until(lambda order: order.status in _READY)
        numbers.append(self._invoice(tracking=self._plan.tracking))
        if self._carried:
            await self._carry(numbers[0])
        elif self._plan.fate is not Fate.SHIPPED:
            for number in numbers:
                await self._deliver(number)

    # --- the buyer and the carrier --------------------------------------------------------------

    def _buyer_cancels(self) -> None:
        with suppress(NotPossible):
            self._stage.market.cancel_order(self.key, "Mudei de ideia, não quero mais")
            self._count("cancelled by buyers")
        raise Ended

    def _give_up_if_hopeless(self) -> None:
        """The store has not got the goods (any more): the marketplace cancels in the end."""
        bought = self._bought
        now = self._stage.clock.now()
        if bought.cancelled or (now - bought.sold_at).total_seconds() < _HOPELESS_S:
            return
        if all(self._in_stock(sku) >= quantity for sku, quantity in bought.lines):
            return
        with suppress(NotPossible):
            self._stage.market.cancel_order(self.key, "O vendedor não tem estoque")
            self._count("cancelled for want of stock")

    def _in_stock(self, sku: str) -> int:
        store = self._store
        return store.truth_of(store.sku(sku), store.settings.sales_channel).offer_stock

    async def _carry(self, number: str) -> None:
        await self._until_paper(number)
        await self._stage.clock.sleep(self._plan.pauses[0])
        with suppress(NotPossible):
            self._stage.market.collect(self.key)
            self._count("collected by the marketplace")
            if self._plan.fate is Fate.SHIPPED:
                return
            await self._stage.clock.sleep(self._plan.pauses[2])
            self._stage.market.hand_over(self.key)
            self._count("handed over by the marketplace")

    # --- the seller -----------------------------------------------------------------------------

    def _seller_cancels(self) -> None:
        with suppress(WrongStatusError):
            self._store.cancel_order(self._known.order_id, "Produto avariado no estoque")
            self._count("cancelled by the seller")

    def _invoice_part(self) -> str:
        """One unit of the first product goes first."""
        sku = self._known.items[0].sku_id
        return self._invoice(quantities={sku: 1}, tracking=self._plan.tracking)

    def _invoice(self, *, tracking: str, quantities: dict[str, int] | None = None) -> str:
        try:
            invoice = self._store.invoice_order(
                self._known.order_id, quantities=quantities, tracking=tracking
            )
        except WrongStatusError:
            raise Ended from None
        self._count("invoices")
        return invoice.number

    async def _deliver(self, number: str) -> None:
        if self._plan.tracking != "none":
            await self._until(lambda order: bool(order.invoices[number].tracking_number))
        await self._stage.clock.sleep(self._plan.pauses[2] / 2)
        order_id = self._known.order_id
        self._store.send_tracking_event(order_id, number, "Saiu para entrega", delivered=False)
        await self._stage.clock.sleep(self._plan.pauses[2] / 2)
        self._store.send_tracking_event(order_id, number)
        self._count("delivered")

    # --- waiting ----------------------------------------------------------------------------------

    async def _until(self, come: Callable[[SimOrder], bool]) -> None:
        while not come(self._known):
            await asyncio.sleep(_LOOK_S)
            self._check()

    async def _until_paper(self, number: str) -> None:
        wanted = number.split()
        while not any(paper.number.split() == wanted for paper in self._bought.papers):
            await asyncio.sleep(_LOOK_S)
            self._check()

    def _check(self) -> None:
        """End where somebody cancelled."""
        order = self._order
        if self._bought.cancelled or (order is not None and order.status.startswith("cancel")):
            raise Ended

    @property
    def _bought(self) -> Bought:
        return self._stage.buys()[self.key]

    @property
    def _order(self) -> SimOrder | None:
        return self._store.order_of(self.key)

    @property
    def _known(self) -> SimOrder:
        order = self._order
        if order is None:
            raise Ended
        return order

    @property
    def _units(self) -> int:
        return sum(quantity for _, quantity in self._bought.lines)

    @property
    def _carried(self) -> bool:
        return self._plan.kind in {Kind.FOB, Kind.HINTS}

    def _count(self, what: str) -> None:
        self._stage.events[what] += 1
