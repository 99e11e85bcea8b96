"""Placing an order: stock, delivery, price divergence, reservation (protocol 6.4, 6.7)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from connector.sandbox.vtexsim.core import line_total
from connector.sandbox.vtexsim.offers import OfferRoom, Place
from connector.sandbox.vtexsim.order_state import (
    CANCELING,
    MANUAL,
    WAITING,
    SimItem,
    SimOrder,
)
from connector.sandbox.vtexsim.workflow import WorkflowRoom

if TYPE_CHECKING:
    from connector.sandbox.vtexsim.drafts import Draft, DraftLine
    from connector.sandbox.vtexsim.settings import SlaSpec
    from connector.sandbox.vtexsim.state import Affiliate, Sku

_FIRST_SEQUENCE = 500_001


class Kind(Enum):
    """How the store takes an order."""

    FINE = "fine"
    MANUAL = "manual"
    UNKNOWN_SKU = "unknown-sku"
    UNAVAILABLE = "unavailable"
    BAD_SUM = "bad-sum"
    NO_RULE = "no-rule"
    DENIED = "denied"
    DUPLICATE = "duplicate"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The store's answer to a draft, with a VTEX code where it is a refusal."""

    kind: Kind
    code: str = ""
    values: tuple[object, ...] = ()


class PlacementRoom(OfferRoom, WorkflowRoom):
    """Judges drafts and turns the good ones into orders."""

    def place(self, draft: Draft, affiliate: Affiliate) -> Verdict:
        """Create the order and reserve its stock, or say why not."""
        verdict = self._judge(draft, affiliate)
        self.record(
            "order.judged",
            order=f"{affiliate.id}-{draft.marketplace_order_id}",
            verdict=verdict.kind.value,
            code=verdict.code,
        )
        if verdict.kind in {Kind.FINE, Kind.MANUAL}:
            self._create(draft, affiliate, MANUAL if verdict.kind is Kind.MANUAL else WAITING)
        return verdict

    # --- judging ----------------------------------------------------------------

    def _judge(self, draft: Draft, affiliate: Affiliate) -> Verdict:
        existing = self.orders.get(f"{affiliate.id}-{draft.marketplace_order_id}")
        if existing is not None:
            if existing.status.startswith(CANCELING):
                return Verdict(Kind.CANCELED, "FMT0060", (draft.marketplace_order_id,))
            return Verdict(Kind.DUPLICATE, "FMT009", (draft.marketplace_order_id, affiliate.id))
        for line in draft.lines:
            if self.catalog.sku(line.sku_id) is None:
                return Verdict(Kind.UNKNOWN_SKU, "ORD027", (line.sku_id,))
        return (
            self._stock_verdict(draft, affiliate)
            or self._sla_verdict(draft)
            or self._sum_verdict(draft)
            or self._divergence_verdict(draft, affiliate)
        )

    def _stock_verdict(self, draft: Draft, affiliate: Affiliate) -> Verdict | None:
        for line in draft.lines:
            if not self.sellable(self._sku_of(line), affiliate.sales_channel):
                return Verdict(Kind.UNAVAILABLE, "FMT005", (line.sku_id,))
        if not self.fits(self._wanted(draft)):
            return Verdict(Kind.UNAVAILABLE, "FMT002")
        return None

    def _sla_verdict(self, draft: Draft) -> Verdict | None:
        if draft.is_fob:
            return None
        for line in draft.lines:
            if line.channel == "pickup-in-point" and not self._pickup(draft):
                return Verdict(Kind.UNAVAILABLE, "FMT0061", (draft.address.get("addressId"),))
            if self._sla(draft, line) is None:
                return Verdict(Kind.UNAVAILABLE, "FMT010", (line.sla,))
        return None

    def _sum_verdict(self, draft: Draft) -> Verdict | None:
        extra = sum(line.freight for line in draft.lines) + draft.taxes + draft.interest
        # Whether an item's price is per unit or per measurement unit is not told: both will do.
        per_unit = sum(line.price * line.quantity for line in draft.lines)
        per_measure = sum(
            line_total(line.price, self._sku_of(line).multiplier, line.quantity)
            for line in draft.lines
        )
        if not self.settings.check_item_sum or draft.payment_value - extra in {
            per_unit,
            per_measure,
        }:
            return None
        return Verdict(Kind.BAD_SUM, "FMT007", (per_unit + extra, draft.payment_value))

    def _divergence_verdict(self, draft: Draft, affiliate: Affiliate) -> Verdict:
        expected = self.expected_total(draft, affiliate)
        paid = draft.payment_value - draft.interest - draft.taxes
        # A unit of a SKU sold by measure has a rounded price: a cent a unit is forgiven.
        rounding = sum(
            line.quantity for line in draft.lines if self._sku_of(line).multiplier != 1.0
        )
        if abs(paid - expected) <= rounding:
            return Verdict(Kind.FINE)
        percent = abs(paid - expected) * 100 / expected if expected else 100.0
        values = (paid, expected)
        if not draft.divergence_allowed:
            return Verdict(Kind.DENIED, "FMT007", values)
        if draft.allowance:
            rate = draft.allowance * 100 if draft.allowance <= 1 else draft.allowance
            if percent <= rate:
                return Verdict(Kind.FINE)
        for rule in self.settings.divergence_rules:
            if rule.low <= percent < rule.high:
                kinds = {"authorize": Kind.FINE, "manual": Kind.MANUAL}
                return Verdict(kinds.get(rule.action, Kind.DENIED), "FMT007", values)
        return Verdict(Kind.NO_RULE, "FMT007", values)

    def expected_total(self, draft: Draft, affiliate: Affiliate) -> int:
        """What the store itself would take for this order, in cents, without tax and interest."""
        total = 0
        for line in draft.lines:
            sku = self._sku_of(line)
            total += self.true_total(sku, affiliate.sales_channel, line.quantity)
            spec = self._sla(draft, line)
            if draft.is_fob or spec is None:
                total += line.freight
            else:
                total += self.sla_price(spec, sku, line.quantity)
        return total

    def _sla(self, draft: Draft, line: DraftLine) -> SlaSpec | None:
        address = draft.address
        place = Place(address.get("postalCode"), address.get("country"), [])
        if not place.known:
            place = Place("00000-000", place.country, [])
        pickup = line.channel == "pickup-in-point"
        specs = [
            spec
            for spec in self.slas(self._sku_of(line), line.quantity, place)
            if (spec.pickup_point is not None) == pickup and line.sla in {None, spec.id}
        ]
        price = {spec.id: self.sla_price(spec, self._sku_of(line), line.quantity) for spec in specs}
        return min(specs, key=lambda spec: price[spec.id], default=None)

    def _pickup(self, draft: Draft) -> bool:
        points = {spec.pickup_point for spec in self.settings.slas if spec.pickup_point}
        return draft.address.get("addressId") in points

    def _wanted(self, draft: Draft) -> dict[int, int]:
        wanted: dict[int, int] = {}
        for line in draft.lines:
            for sku_id, count in self.stock_parts(self._sku_of(line), line.quantity).items():
                wanted[sku_id] = wanted.get(sku_id, 0) + count
        return wanted

    def _sku_of(self, line: DraftLine) -> Sku:
        sku = self.catalog.sku(line.sku_id)
        if sku is None:
            raise LookupError(line.sku_id)
        return sku

    # --- creating ----------------------------------------------------------------

    def _create(self, draft: Draft, affiliate: Affiliate, status: str) -> SimOrder:
        order_id = f"{affiliate.id}-{draft.marketplace_order_id}"
        order = SimOrder(
            order_id=order_id,
            marketplace_order_id=draft.marketplace_order_id,
            affiliate_id=affiliate.id,
            sales_channel=affiliate.sales_channel,
            generation=draft.generation,
            endpoint=draft.endpoint,
            value=draft.payment_value,
            items=[self._item(line, affiliate.sales_channel) for line in draft.lines],
            body=draft.body,
            created_at=self.clock.now(),
            sequence=_FIRST_SEQUENCE + len(self.orders),
            is_fob=draft.is_fob,
            slas=[self._sla_name(draft, line) for line in draft.lines],
            interest=draft.interest,
            taxes=draft.taxes,
            reserved=self._wanted(draft),
        )
        self.orders[order_id] = order
        self.created[order_id] = self.created.get(order_id, 0) + 1
        self.record("order.created", order=order_id, value=order.value, status=status)
        self.reserve(order)
        for step in ("order-accepted", "on-order-completed-ffm", status):
            self.set_status(order, step)
        if self.settings.authorization_ttl_s:
            self.spawn(self.expire_unauthorized(order))
        if self.chance(self.settings.cancel_on_create):
            # With processing_tell_delay_s the hub hears of this before it hears of the order.
            self.cancel(order, "no longer sold", "seller")
        return order

    def _sla_name(self, draft: Draft, line: DraftLine) -> str:
        spec = self._sla(draft, line)
        return "vtex:fob_d1" if draft.is_fob or spec is None else spec.id

    def _item(self, line: DraftLine, channel: int) -> SimItem:
        sku = self._sku_of(line)
        price = sku.prices(channel).current
        return SimItem(
            sku_id=line.sku_id,
            quantity=line.quantity,
            price=line.price,
            list_price=price.list_price if price else line.price,
            total=line.price * line.quantity,
            shipping=line.freight,
            unit=sku.unit,
            multiplier=sku.multiplier,
        )
