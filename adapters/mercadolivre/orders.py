"""Orders as Mercado Livre tells them, and their place in the hub's words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field

from adapters.mercadolivre.api import Amount, MaybeMoment, Text, Texts, Wire, blank, no_rows
from connector.sdk import Line, MarketStatus, Rejected, from_major

# Official search filters of /orders/search name confirmed, payment_required, payment_in_process,
# paid, cancelled, invalid; older pages also the others. Whatever is not here is PENDING.
STATUSES = {
    "confirmed": MarketStatus.PENDING,
    "payment_required": MarketStatus.PENDING,
    "payment_in_process": MarketStatus.PENDING,
    "partially_paid": MarketStatus.PENDING,
    "pending_cancel": MarketStatus.PENDING,
    "paid": MarketStatus.PAID,
    "partially_refunded": MarketStatus.PAID,
    "cancelled": MarketStatus.CANCELLED,
    "invalid": MarketStatus.CANCELLED,
}
PROGRESS = (
    MarketStatus.PENDING,
    MarketStatus.PAID,
    MarketStatus.SHIPPED,
    MarketStatus.DELIVERED,
)
_GIVEN_BACK = {"refunded", "cancelled", "charged_back"}


class Ref(Wire):
    """An object of which only the id matters."""

    id: Text = ""


def _given(value: object) -> bool:
    return bool(value)


MaybeRef = Annotated[Ref, BeforeValidator(blank)]
Refs = Annotated[tuple[Ref, ...], BeforeValidator(no_rows)]


class WireItem(Wire):
    """What was bought."""

    id: Text = ""
    title: Text = ""
    seller_sku: Text = ""
    seller_custom_field: Text = ""
    variation_id: Text = ""
    user_product_id: Text = ""


class WireOrderItem(Wire):
    """The one line of an order."""

    item: WireItem
    quantity: int = Field(gt=0)
    unit_price: Amount
    full_unit_price: Amount = Decimal(0)
    currency_id: Text = ""

    @property
    def sku(self) -> str:
        """The seller's SKU; an older field is all that some listings have."""
        return self.item.seller_sku or self.item.seller_custom_field


class WirePayment(Wire):
    """One payment of an order."""

    id: Text = ""
    status: Text = ""
    payment_type: Text = ""
    payment_method_id: Text = ""
    installments: int | None = None
    transaction_amount: Amount = Decimal(0)
    transaction_amount_refunded: Amount = Decimal(0)
    total_paid_amount: Amount = Decimal(0)
    shipping_cost: Amount = Decimal(0)
    coupon_amount: Amount = Decimal(0)
    taxes_amount: Amount = Decimal(0)
    date_approved: MaybeMoment = None

    @property
    def counts(self) -> bool:
        """Whether the buyer's money ever came by it: a refund does not change what was bought."""
        return self.date_approved is not None or self.status == "approved"

    @property
    def fee(self) -> Decimal:
        """What the buyer pays for instalments: what no other part of the payment explains."""
        parts = self.transaction_amount + self.shipping_cost + self.taxes_amount
        rest = self.total_paid_amount - (parts - self.coupon_amount)
        return max(rest, Decimal(0)) if (self.installments or 1) > 1 else Decimal(0)


class WireBuyer(Wire):
    """Who bought, as far as the order tells."""

    id: Text = ""
    first_name: Text = ""
    last_name: Text = ""
    billing_info: MaybeRef = Ref()


class WireFeedback(Wire):
    """Whether seller and buyer have said how the sale went."""

    seller: Annotated[bool, BeforeValidator(_given)] = False


class WireCancel(Wire):
    """Why and by whom an order was cancelled."""

    group: Text = ""
    code: Text = ""
    description: Text = ""


class WireOrder(Wire):
    """One order: one item, in any quantity."""

    id: Annotated[Text, Field(min_length=1)]
    status: Text = ""
    date_created: Annotated[MaybeMoment, Field()] = None
    last_updated: MaybeMoment = None
    pack_id: Text = ""
    total_amount: Amount = Decimal(0)
    paid_amount: Amount = Decimal(0)
    shipping_cost: Amount = Decimal(0)
    currency_id: Text = ""
    order_items: Annotated[tuple[WireOrderItem, ...], BeforeValidator(no_rows)] = ()
    payments: Annotated[tuple[WirePayment, ...], BeforeValidator(no_rows)] = ()
    shipping: MaybeRef = Ref()
    buyer: Annotated[WireBuyer, BeforeValidator(blank)] = WireBuyer()
    seller: MaybeRef = Ref()
    billing_info: MaybeRef = Ref()
    mediations: Refs = ()
    tags: Texts = ()
    feedback: Annotated[WireFeedback, BeforeValidator(blank)] = WireFeedback()
    cancel_detail: Annotated[WireCancel, BeforeValidator(blank)] = WireCancel()

    @property
    def key(self) -> str:
        """What the order goes by in the hub: its pack's id, or its own."""
        return self.pack_id or self.id

    @property
    def billing_id(self) -> str:
        """Where the buyer's fiscal data is; the order and its buyer have both been seen to say."""
        return self.billing_info.id or self.buyer.billing_info.id

    @property
    def status_here(self) -> MarketStatus:
        """The hub's word for the order's status.

        A sale that was not fulfilled stays ``paid``: it is over once its money is given back.
        """
        told = STATUSES.get(self.status.lower(), MarketStatus.PENDING)
        if told is MarketStatus.PAID and "unfulfilled" in self.tags and self._given_back:
            return MarketStatus.CANCELLED
        if told is MarketStatus.PAID and "delivered" in self.tags:
            return MarketStatus.DELIVERED
        return told

    @property
    def _given_back(self) -> bool:
        paid = [payment for payment in self.payments if payment.counts]
        return bool(paid) and all(payment.status in _GIVEN_BACK for payment in paid)

    @property
    def paid(self) -> tuple[WirePayment, ...]:
        """The payments that brought money."""
        return tuple(payment for payment in self.payments if payment.counts)

    @property
    def ships(self) -> bool:
        """Whether there is, or will be, a shipment."""
        return "no_shipping" not in self.tags

    def troubles(self) -> list[str]:
        """What a person must see to, besides claims."""
        status, found = self.status.lower(), []
        if status == "partially_refunded":
            found.append(f"order {self.id} was refunded in part")
        if status == "pending_cancel":
            found.append(
                f"order {self.id} is being cancelled, which Mercado Livre could not finish"
            )
        if "unfulfilled" in self.tags and self.status_here is not MarketStatus.CANCELLED:
            found.append(f"order {self.id} was reported as not fulfilled, but is not refunded")
        return found

    def lines(self) -> list[Line]:
        """The order's line; its taxes are those of its payments.

        Raises:
            Rejected: it was listed without a SKU.
        """
        taxes = [self.minor(payment.taxes_amount) for payment in self.paid]
        nameless = [row.item.id for row in self.order_items if not row.sku]
        if nameless:
            text = f"order {self.id}: {', '.join(nameless)} has no SELLER_SKU on Mercado Livre"
            raise Rejected([f"{text}: set it there to a SKU of VTEX's"])
        return [
            Line(
                sku=row.sku,
                quantity=row.quantity,
                unit_price_minor=self.minor(row.unit_price),
                tax_minor=sum(taxes) if place == 0 else 0,
                market_line_id=self.id,
            )
            for place, row in enumerate(self.order_items)
        ]

    def minor(self, amount: Decimal) -> int:
        """Minor units of the order's currency."""
        return from_major(amount, self.currency_id).minor

    def sum_of(self, *amounts: Decimal) -> int:
        """The amounts' sum, each rounded by itself."""
        return sum(self.minor(amount) for amount in amounts)


class WirePack(Wire):
    """Orders that were bought together."""

    id: Annotated[Text, Field(min_length=1)]
    status: Text = ""
    orders: Refs = ()
    shipment: MaybeRef = Ref()

    def troubles(self) -> list[str]:
        """What a person must see to."""
        bad = {"error": "could not be put together", "pending_cancel": "is being cancelled"}
        status = self.status.lower()
        return [f"pack {self.id} {bad[status]}"] if status in bad else []


class WireClaim(Wire):
    """A buyer's claim (page "¿Qué es un reclamo?")."""

    class Player(Wire):
        """Somebody who takes part in it."""

        class Action(Wire):
            """Something that may, or must, be done by a moment."""

            action: Text = ""
            mandatory: bool | None = None
            due_date: Text = ""

        role: Text = ""
        type: Text = ""
        available_actions: Annotated[tuple[Action, ...], BeforeValidator(no_rows)] = ()

    id: Text = ""
    resource: Text = ""
    resource_id: Text = ""
    status: Text = ""
    type: Text = ""
    stage: Text = ""
    reason_id: Text = ""
    players: Annotated[tuple[Player, ...], BeforeValidator(no_rows)] = ()
    related_entities: Texts = ()

    def told(self) -> str:
        """The claim in words, without anybody's data; it changes as the claim moves on."""
        kind = self.type or "claim"
        text = f"claim {self.id} ({kind}, {self.reason_id or 'no reason told'}) is "
        text += f"{self.status or 'open'}, stage {self.stage or 'none'}"
        if "return" in self.related_entities:
            text += ", goods come back"
        actions = [
            f"{action.action} by {action.due_date}" if action.due_date else action.action
            for player in self.players
            if player.role == "respondent"
            for action in player.available_actions
            if action.mandatory
        ]
        return f"{text}; to do there: {', '.join(actions)}" if actions else text


# --- several orders as one --------------------------------------------------------------------


def slowest(statuses: Iterable[MarketStatus]) -> MarketStatus:
    """A pack is as far as the slowest of its living orders, and cancelled when none lives."""
    living = [status for status in statuses if status is not MarketStatus.CANCELLED]
    return min(living, key=PROGRESS.index, default=MarketStatus.CANCELLED)


def living(orders: Iterable[WireOrder]) -> list[WireOrder]:
    """The orders that are not cancelled."""
    return [order for order in orders if order.status_here is not MarketStatus.CANCELLED]


def dropped(orders: Sequence[WireOrder]) -> set[str]:
    """Ids of shipments that none but cancelled orders have."""
    kept = {order.shipping.id for order in living(orders)}
    return {order.shipping.id for order in orders} - kept


def merged(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Lines of one SKU at one price as one, with their amounts summed."""
    found: dict[tuple[str, int], Line] = {}
    for line in lines:
        seen = found.get((line.sku, line.unit_price_minor))
        found[line.sku, line.unit_price_minor] = (
            line
            if seen is None
            else seen.model_copy(
                update={
                    "quantity": seen.quantity + line.quantity,
                    "tax_minor": seen.tax_minor + line.tax_minor,
                    "market_line_id": f"{seen.market_line_id},{line.market_line_id}",
                }
            )
        )
    return tuple(found.values())
