"""What the seller does about an order: cancel, dispatch, deliver."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from adapters.mercadolivre.api import Api, path, reasons
from adapters.mercadolivre.orders import WireOrder, dropped, living
from adapters.mercadolivre.settings import MercadoLivreSettings
from adapters.mercadolivre.shipping import WireShipment
from connector.sdk import (
    AlreadyDone,
    Delivery,
    MarketStatus,
    Rejected,
    RetryLater,
    Tracking,
    Unsupported,
)

_MOST_WORDS = 159
"""A feedback's message has fewer than 160 characters (page "Feedback sobre una venta")."""
_NO_SUBSTATUS = "null"
"""The official examples send this very text (page "Estados de órdenes ME1")."""


def cancel_reason(reason: str, settings: MercadoLivreSettings) -> str:
    """Mercado Livre's reason for the seller's words."""
    words = reason.casefold()
    fitting = (code for part, code in settings.cancel_reasons.items() if part.casefold() in words)
    return next(fitting, settings.cancel_reason)


class Teller:
    """Tells Mercado Livre what the seller did."""

    def __init__(self, api: Api, settings: MercadoLivreSettings, now: datetime) -> None:
        self._api = api
        self._settings = settings
        self._now = now

    async def cancel(self, orders: Sequence[WireOrder], reason: str) -> None:
        """Say of every living order that it will not be fulfilled; it can be said once."""
        alive = living(orders)
        if not alive:
            raise AlreadyDone("the order is cancelled already")
        body = {
            "fulfilled": False,
            "rating": "neutral",
            "message": (reason or "Operation not completed")[:_MOST_WORDS],
            "reason": cancel_reason(reason, self._settings),
            "restock_item": False,
        }
        done = [await self._feedback(order, body, "orders.cancel") for order in alive]
        if not any(done):
            raise AlreadyDone("it was said before that the order is not fulfilled")

    async def tracking(
        self, orders: Sequence[WireOrder], shipments: Sequence[WireShipment], tracking: Tracking
    ) -> None:
        """Say that the seller's own carrier has it (ME1 alone)."""
        if not any(order.ships for order in orders):
            raise Unsupported("the order has no shipment on Mercado Livre")
        shipment = next(iter(_standing(orders, shipments)), None)
        if shipment is None:
            raise RetryLater("Mercado Livre has not made the shipment yet")
        if shipment.logistic.mode != "me1":
            raise Unsupported("Mercado Livre takes tracking of ME1 shipments only")
        words = f"{tracking.courier} {tracking.number}".strip()
        payload: dict[str, Any] = {"comment": words, "date": self._stamp(self._now)}
        if self._settings.here.me1_service:
            payload["service_id"] = self._settings.here.me1_service
        body = {
            "tracking_number": tracking.number,
            "tracking_url": tracking.url,
            "status": "shipped",
            "substatus": _NO_SUBSTATUS,
            "payload": payload,
        }
        await self._notify(shipment, body, "orders.tracking")

    async def delivered(
        self, orders: Sequence[WireOrder], shipments: Sequence[WireShipment], at: datetime
    ) -> None:
        """Say that it has arrived: through the shipment (ME1), or through feedback.

        Cancelled orders of a pack did not arrive: nothing is said of them.
        """
        shipments = _standing(orders, shipments)
        moved = [s for s in shipments if s.delivery is not Delivery.SELLER]
        if moved:
            raise Unsupported("Mercado Livre's own carrier says when it delivers")
        if shipments and (shipment := shipments[0]).logistic.mode == "me1":
            if shipment.progress is MarketStatus.DELIVERED:
                raise AlreadyDone("the shipment is delivered already")
            payload = {"comment": "delivered", "date": self._stamp(at)}
            body = {"status": "delivered", "substatus": _NO_SUBSTATUS, "payload": payload}
            await self._notify(shipment, body, "orders.delivered")
            return
        said = {"fulfilled": True, "rating": "positive", "message": "Pedido entregue"}
        done = [await self._feedback(order, said, "orders.delivered") for order in living(orders)]
        if not any(done):
            raise AlreadyDone("it was said before that the order is fulfilled")

    async def _notify(self, shipment: WireShipment, body: dict[str, Any], operation: str) -> None:
        where = path("shipments", shipment.id, "seller_notifications")
        await self._api.send("POST", where, body, operation)

    async def _feedback(self, order: WireOrder, body: dict[str, Any], operation: str) -> bool:
        """Say it of one order; False where it was said before."""
        if order.feedback.seller:
            return False
        where = path("orders", order.id, "feedback")
        answer = await self._api.send("POST", where, body, operation, ok=(400,))
        if answer.ok:
            return True
        told = reasons(answer)
        text = "; ".join(told).lower()
        if "already" in text or "exist" in text:
            return False
        raise Rejected(told)

    def _stamp(self, moment: datetime) -> str:
        return moment.isoformat(timespec="milliseconds")


def _standing(orders: Sequence[WireOrder], shipments: Sequence[WireShipment]) -> list[WireShipment]:
    """The shipments of orders that are not cancelled.

    Raises:
        Rejected: all of them are.
    """
    if not living(orders):
        raise Rejected(["the order is cancelled on Mercado Livre: its parcel cannot be reported"])
    gone = dropped(orders)
    return [shipment for shipment in shipments if shipment.id not in gone]
