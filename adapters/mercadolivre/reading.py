"""Read a whole order: pack, orders, shipments, buyer, claims and papers, as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from adapters.mercadolivre.api import Api, list_of, object_of, path, reasons
from adapters.mercadolivre.orders import (
    PROGRESS,
    WireClaim,
    WireOrder,
    WirePack,
    merged,
    slowest,
)
from adapters.mercadolivre.papers import invoice_numbers
from adapters.mercadolivre.settings import MercadoLivreSettings
from adapters.mercadolivre.shipping import WireShipment, read_billing
from connector.sdk import (
    Address,
    Buyer,
    Delivery,
    MarketOrder,
    MarketStatus,
    Rejected,
    RetryLater,
    Shipment,
)

W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything that was read of one order of the hub's."""

    key: str
    orders: tuple[WireOrder, ...]
    expected: int = 1
    pack: WirePack | None = None
    shipments: tuple[WireShipment, ...] = ()
    buyer: Buyer = field(default_factory=Buyer)
    claims: tuple[WireClaim, ...] = ()
    invoices: tuple[str, ...] = ()


class Reader:
    """Reads one seller's orders."""

    def __init__(self, api: Api, settings: MercadoLivreSettings) -> None:
        self._api = api
        self._settings = settings

    async def read(self, key: str) -> MarketOrder | None:
        """The order behind a key of ours, or behind what an event pointed at."""
        bundle = await self.bundle(key)
        return None if bundle is None else compose(bundle, self._settings)

    async def bundle(self, key: str) -> Bundle | None:
        """Everything there is to read of it; None where there is no such order."""
        found = await self.find(key)
        if found is None:
            return None
        shipments = await self.shipments(found.orders)
        return Bundle(
            key=found.key,
            orders=found.orders,
            expected=found.expected,
            pack=found.pack,
            shipments=shipments,
            buyer=await self._buyer(found.orders, shipments),
            claims=await self._claims(found.orders),
            invoices=await self._invoices(found),
        )

    async def find(self, key: str) -> Bundle | None:
        """The orders that belong together, without anything else."""
        kind, _, ident = key.rpartition(":")
        if kind == "shipment":
            return await self._of_shipment(ident)
        if kind == "claim":
            return await self._of_claim(ident)
        pack = None if kind else await self._pack(ident)
        if pack is not None:
            return await self._of_pack(pack)
        order = await self._order(ident)
        if order is None:
            return None
        if order.pack_id and (pack := await self._pack(order.pack_id)) is not None:
            return await self._of_pack(pack, order)
        return Bundle(order.key, (order,))

    async def _of_pack(self, pack: WirePack, known: WireOrder | None = None) -> Bundle | None:
        orders: list[WireOrder] = []
        for ref in pack.orders:
            same = known is not None and known.id == ref.id
            order = known if same else await self._order(ref.id)
            if order is not None:
                orders.append(order)
        if not orders:
            return None
        return Bundle(orders[0].key, tuple(orders), expected=len(pack.orders), pack=pack)

    async def _of_shipment(self, ident: str) -> Bundle | None:
        """A shipment's orders are told by its items (page "Envíos")."""
        answer = await self._api.get(
            path("shipments", ident, "items"),
            "orders.shipment-items",
            headers={"x-format-new": "true"},
            ok=(403, 404),
        )
        rows = list_of(answer) if answer.ok else []
        ids = {
            str(row["order_id"]) for row in rows if isinstance(row, dict) and row.get("order_id")
        }
        return await self.find(f"order:{min(ids)}") if ids else None

    async def _of_claim(self, ident: str) -> Bundle | None:
        claim = await self._claim(ident)
        if claim is None:
            return None
        if claim.resource in {"order", "shipment"}:
            return await self.find(f"{claim.resource}:{claim.resource_id}")
        if claim.resource == "purchase" and (found := await self.find(claim.resource_id)):
            return found
        raise Rejected([f"{claim.told()}; it names no order: see to it on Mercado Livre"])

    # --- single things --------------------------------------------------------------------------

    async def _pack(self, ident: str) -> WirePack | None:
        """A pack; None where the id is an order's own, however that is said."""
        answer = await self._api.get(path("packs", ident), "orders.pack", ok=(400, 403, 404))
        return _read(WirePack.model_validate, answer, "pack") if answer.ok else None

    async def _order(self, ident: str) -> WireOrder | None:
        answer = await self._api.get(path("orders", ident), "orders.read", ok=(403, 404))
        if answer.status == 403:
            # Nothing signs an event: one that names a stranger's order must not look as if our
            # credentials had ended.
            raise Rejected([f"order {ident} is not this account's"])
        if answer.status == 404:
            return None
        order = _read(WireOrder.model_validate, answer, "order")
        if order.seller.id not in ("", self._settings.user_id):
            raise Rejected([f"order {ident} is another account's"])
        return order

    async def shipments(self, orders: Sequence[WireOrder]) -> tuple[WireShipment, ...]:
        """The orders' shipments; an id may be told before its shipment can be read.

        Raises:
            RetryLater: the shipment of a paid order is refused: without it nothing can be placed.
        """
        found = []
        paid = {o.shipping.id for o in orders if o.status_here is MarketStatus.PAID}
        for ident in dict.fromkeys(order.shipping.id for order in orders if order.shipping.id):
            answer = await self._api.get(
                path("shipments", ident),
                "orders.shipment",
                headers={"x-format-new": "true"},
                ok=(403, 404),
            )
            if answer.ok:
                found.append(_read(WireShipment.model_validate, answer, "shipment"))
            elif answer.status == 403 and ident in paid:
                why = "; ".join(reasons(answer))
                raise RetryLater(f"Mercado Livre does not show shipment {ident}: {why}")
        return tuple(found)

    async def _claim(self, ident: str) -> WireClaim | None:
        where = path("post-purchase", "v1", "claims", ident)
        answer = await self._api.get(where, "orders.claim", ok=(403, 404))
        if answer.status in (403, 404):
            return None
        return _read(WireClaim.model_validate, answer, "claim")

    async def _claims(self, orders: Sequence[WireOrder]) -> tuple[WireClaim, ...]:
        ids = dict.fromkeys(ref.id for order in orders for ref in order.mediations if ref.id)
        claims = [await self._claim(ident) for ident in ids]
        return tuple(claim for claim in claims if claim is not None)

    async def _buyer(self, orders: Sequence[WireOrder], shipments: Sequence[WireShipment]) -> Buyer:
        """Who bought. Mercado Livre tells no mail address; see ``buyer_mail_domain``."""
        known = orders[0].buyer
        contact = {
            "email": f"{known.id}@{self._settings.buyer_mail_domain}" if known.id else "",
            "phone": next((s.destination.receiver_phone for s in shipments), ""),
        }
        order = next((order for order in orders if order.billing_id), None)
        if order is not None:
            where = path("orders", "billing-info", self._settings.site, order.billing_id)
            answer = await self._api.get(where, "orders.billing", ok=(403, 404))
            if answer.ok:
                told = _read(read_billing, answer, "billing data").buyer()
                return told.model_copy(update=contact)
        receiver = next((s.destination.receiver_name for s in shipments), "")
        first, _, last = receiver.partition(" ")
        return Buyer(
            first_name=known.first_name or first, last_name=known.last_name or last, **contact
        )

    async def _invoices(self, found: Bundle) -> tuple[str, ...]:
        """Numbers of the documents that hang on the order already."""
        if slowest(order.status_here for order in found.orders) not in PROGRESS[1:]:
            return ()
        where = path("packs", found.key, "fiscal_documents")
        answer = await self._api.get(where, "orders.documents", ok=(403, 404))
        return invoice_numbers(object_of(answer)) if answer.ok else ()


def _read(model: Callable[[Any], W], answer: Any, what: str) -> W:
    """Read a document, or refuse it naming every field that cannot be read, and no value."""
    payload = object_of(answer)
    try:
        return model(payload)
    except ValidationError as error:
        names = sorted({".".join(map(str, each["loc"])) for each in error.errors()})
        raise Rejected([f"the {what}'s {name} cannot be read" for name in names]) from None


# --- as the one order the hub places --------------------------------------------------------------


def compose(bundle: Bundle, settings: MercadoLivreSettings) -> MarketOrder:
    """The orders of a pack as one; nothing is placed before it is paid and all of it is known."""
    orders, shipments = bundle.orders, bundle.shipments
    currencies = {order.currency_id for order in orders}
    if len(currencies) != 1:
        raise Rejected([f"the pack mixes currencies: {sorted(currencies)}"])
    sold = slowest(order.status_here for order in orders)
    status = _status(sold, shipments)
    created = [order.date_created for order in orders if order.date_created is not None]
    if not created:
        raise RetryLater("the order does not say when it was made")
    known = status is not MarketStatus.PENDING and _complete(bundle)
    delivery = shipments[0].delivery if shipments else Delivery.SELLER
    arrived = bool(shipments) and all(s.progress is MarketStatus.DELIVERED for s in shipments)
    return MarketOrder(
        key=bundle.key,
        status=status,
        raw_status=",".join(order.status for order in orders),
        complete=known or status is MarketStatus.CANCELLED,
        created_at=min(created),
        currency=currencies.pop(),
        lines=merged([line for order in orders for line in order.lines()]),
        **_amounts(orders, settings.order_value),
        buyer=bundle.buyer,
        address=shipments[0].destination.address() if shipments else Address(),
        delivery=delivery,
        sla=shipments[0].lead_time.shipping_method.name if shipments else "",
        warehouse_id=settings.warehouse_id if delivery is Delivery.MARKETPLACE_STOCK else "",
        tracking_hints=tuple(hint for s in shipments if (hint := s.hint())),
        payment_methods=_methods(orders),
        shipment=_carried(shipments),
        known_invoices=bundle.invoices,
        known_trackings=tuple(s.tracking_number for s in shipments if s.tracking_number),
        known_deliveries=bundle.invoices if arrived else (),
        cancel_reason=_cancel_reason(orders),
        partly_cancelled=status is not MarketStatus.CANCELLED and _partly(orders),
        members=tuple(order.id for order in orders) if bundle.pack is not None else (),
        attention=_attention(bundle),
    )


def _status(sold: MarketStatus, shipments: Sequence[WireShipment]) -> MarketStatus:
    """As far as the slowest shipment of a paid order."""
    if sold is not MarketStatus.PAID or not shipments:
        return sold
    return slowest(shipment.progress or MarketStatus.PAID for shipment in shipments)


def _complete(bundle: Bundle) -> bool:
    """Whether all orders are there, and the shipment whose id may come late."""
    living = [o for o in bundle.orders if o.status_here is not MarketStatus.CANCELLED]
    awaited = {order.shipping.id for order in living if order.ships}
    here = {shipment.id for shipment in bundle.shipments}
    return len(bundle.orders) >= bundle.expected and awaited <= here


def _amounts(orders: Sequence[WireOrder], value: str) -> dict[str, int]:
    """Shipping, discount, fee and total, in minor units; see the setting ``order_value``.

    An order without a payment that counts is worth what it says itself.
    """
    shipping = sum(o.sum_of(*(p.shipping_cost for p in o.paid)) for o in orders)
    coupons = sum(o.sum_of(*(p.coupon_amount for p in o.paid)) for o in orders)
    fees = sum(o.sum_of(*(p.fee for p in o.paid)) for o in orders)
    taxes = sum(o.sum_of(*(p.taxes_amount for p in o.paid)) for o in orders)
    goods = sum(o.minor(o.total_amount) for o in orders)
    if value == "sold":
        return {"shipping_minor": shipping, "total_minor": goods + shipping + taxes}
    total = sum(
        o.sum_of(*(p.total_paid_amount for p in o.paid)) if o.paid else o.minor(o.total_amount)
        for o in orders
    )
    return {
        "shipping_minor": shipping,
        "discount_minor": coupons,
        "interest_minor": fees,
        "total_minor": total,
    }


def _methods(orders: Sequence[WireOrder]) -> tuple[str, ...]:
    methods = (payment.payment_method_id for order in orders for payment in order.paid)
    return tuple(dict.fromkeys(method for method in methods if method))


def _carried(shipments: Sequence[WireShipment]) -> Shipment | None:
    return next((moved for s in shipments if (moved := s.carried()) is not None), None)


def _cancel_reason(orders: Sequence[WireOrder]) -> str:
    told = (o.cancel_detail for o in orders)
    return "; ".join(
        dict.fromkeys(d.description or d.code for d in told if d.description or d.code)
    )


def _partly(orders: Sequence[WireOrder]) -> bool:
    gone = [order.status_here is MarketStatus.CANCELLED for order in orders]
    return any(gone) or any(order.status.lower() == "partially_refunded" for order in orders)


def _attention(bundle: Bundle) -> tuple[str, ...]:
    told = [text for order in bundle.orders for text in order.troubles()]
    told += bundle.pack.troubles() if bundle.pack is not None else []
    if any(order.status_here is not MarketStatus.CANCELLED for order in bundle.orders):
        told += [text for shipment in bundle.shipments for text in shipment.troubles()]
    told += [claim.told() for claim in bundle.claims]
    known = {ref.id for order in bundle.orders for ref in order.mediations}
    opened = [order for order in bundle.orders if "claim_opened" in order.tags]
    if opened and not known:
        told += [f"a claim was opened on order {order.id}" for order in opened]
    return tuple(dict.fromkeys(told))
