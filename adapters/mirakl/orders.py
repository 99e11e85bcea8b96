"""Mirakl's orders: how their JSON becomes the order that the hub places. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, ValidationError

from adapters.mirakl.people import WireCustomer
from adapters.mirakl.settings import MiraklSettings
from adapters.mirakl.wire import (
    Amount,
    Blank,
    MaybeMoment,
    Moment,
    Rows,
    Text,
    ToldAmount,
    Wire,
    minor,
)
from connector.sdk import (
    Delivery,
    Line,
    MarketOrder,
    MarketStatus,
    Rejected,
    Shipment,
)

# A state that is not listed here is PENDING: nothing is done about an order we do not understand.
STATES = {
    "STAGING": MarketStatus.PENDING,
    "WAITING_ACCEPTANCE": MarketStatus.PENDING,
    "WAITING_DEBIT": MarketStatus.PENDING,
    "WAITING_DEBIT_PAYMENT": MarketStatus.PENDING,
    "SHIPPING": MarketStatus.PAID,
    "SHIPPED": MarketStatus.SHIPPED,
    "TO_COLLECT": MarketStatus.SHIPPED,
    "RECEIVED": MarketStatus.DELIVERED,
    "CLOSED": MarketStatus.DELIVERED,
    "REFUSED": MarketStatus.CANCELLED,
    "CANCELED": MarketStatus.CANCELLED,
}
WAITING = "WAITING_ACCEPTANCE"
UNDECIDED = frozenset({"STAGING", WAITING})
OVER = frozenset({"REFUSED", "CANCELED"})
_TAX_EXCLUDED = "TAX_EXCLUDED"


class WireTax(Wire):
    """A tax on a price."""

    code: Text = ""
    amount: Amount = Decimal(0)


Taxes = Annotated[tuple[WireTax, ...], Rows]


class WireRefund(Wire):
    """A refund, or a cancellation, of part of a line."""

    id: Text = ""
    amount: Amount = Decimal(0)
    shipping_amount: Amount = Decimal(0)
    reason_code: Text = ""


Refunds = Annotated[tuple[WireRefund, ...], Rows]


class WireLine(Wire):
    """One line of an order."""

    order_line_id: Text
    offer_sku: Text
    order_line_state: Text = ""
    quantity: int
    price_unit: Amount = Decimal(0)
    price: ToldAmount
    shipping_price: Amount = Decimal(0)
    total_price: Amount = Decimal(0)
    taxes: Taxes = ()
    shipping_taxes: Taxes = ()
    cancelations: Refunds = ()
    refunds: Refunds = ()
    shipped_date: MaybeMoment = None
    received_date: MaybeMoment = None

    @property
    def living(self) -> bool:
        """Whether nobody refused or cancelled all of it."""
        return self.order_line_state not in OVER

    @property
    def tax(self) -> Decimal:
        """All taxes on top of the line's prices, where they are on top."""
        return sum((tax.amount for tax in (*self.taxes, *self.shipping_taxes)), Decimal(0))

    def line(self, currency: str, *, taxed: bool) -> Line:
        """The same in the hub's words; fees that the buyer pays besides go with the taxes."""
        goods = minor(self.price, currency)
        shipping = minor(self.shipping_price, currency)
        fees = max(0, minor(self.total_price, currency) - goods - shipping)
        unit = minor(self.price_unit, currency)
        if unit * self.quantity < goods:  # a unit price that was rounded down
            unit = -(-goods // max(1, self.quantity))
        return Line(
            sku=self.offer_sku,
            quantity=self.quantity,
            unit_price_minor=unit,
            discount_minor=unit * self.quantity - goods,
            shipping_minor=shipping,
            tax_minor=fees + (minor(self.tax, currency) if taxed else 0),
            market_line_id=self.order_line_id,
        )


class WireField(Wire):
    """A custom field; its value may be text, a number or a list."""

    code: Text = ""
    value: Any = None


class WireCode(Wire):
    """Something that has a code."""

    code: Text = ""


class WireFulfillment(Wire):
    """Who keeps the goods."""

    center: Annotated[WireCode, Blank] = WireCode()


class WirePromotions(Wire):
    """What promotions took off the order."""

    total_deduced_amount: Amount = Decimal(0)


class WireOrderTax(Wire):
    """A tax that is told for the order alone."""

    total_amount: Amount = Decimal(0)


class WireOrder(Wire):
    """One order."""

    order_id: Text
    order_state: Text = ""
    order_state_reason_code: Text = ""
    order_state_reason_label: Text = ""
    created_date: Moment
    currency_iso_code: Text
    order_tax_mode: Text = ""
    order_lines: tuple[WireLine, ...]
    # Without a default: an order that does not say what it costs cannot be placed.
    total_price: Annotated[ToldAmount, Field(ge=0)]
    order_taxes: Annotated[tuple[WireOrderTax, ...], Rows] = ()
    promotions: Annotated[WirePromotions, Blank] = WirePromotions()
    customer: Annotated[WireCustomer, Blank] = WireCustomer()
    customer_notification_email: Text = ""
    order_additional_fields: Annotated[tuple[WireField, ...], Rows] = ()
    fulfillment: Annotated[WireFulfillment, Blank] = WireFulfillment()
    can_cancel: bool = False
    fully_refunded: bool = False
    has_incident: bool = False
    payment_type: Text = ""
    shipping_type_code: Text = ""
    shipping_company: Text = ""
    shipping_tracking: Text = ""
    shipping_tracking_url: Text = ""

    @property
    def status(self) -> MarketStatus:
        """The hub's word for the state. An order whose whole price was given back is cancelled."""
        if self.fully_refunded:
            return MarketStatus.CANCELLED
        return STATES.get(self.order_state, MarketStatus.PENDING)

    @property
    def taxed(self) -> bool:
        """Whether taxes come on top of the prices."""
        return self.order_tax_mode == _TAX_EXCLUDED

    @property
    def touched(self) -> bool:
        """Whether something of it was cancelled, though not all."""
        return any(line.cancelations or not line.living for line in self.order_lines)

    def order(self, settings: MiraklSettings) -> MarketOrder:
        """The order in the hub's words."""
        currency, status = self.currency_iso_code, self.status
        lines, total = self._priced()
        living = status is not MarketStatus.CANCELLED
        warehouse = settings.operator_warehouses.get(self.fulfillment.center.code, "")
        waits = self.order_state == WAITING
        return MarketOrder(
            key=self.order_id,
            status=status,
            raw_status=self.order_state,
            # The hub accepts first and places afterwards: the address shows only then.
            complete=waits or not living or self._address_is_there(settings),
            needs_acceptance=waits,
            accepted=self.order_state not in UNDECIDED,
            created_at=self.created_date,
            currency=currency,
            lines=lines,
            discount_minor=self._discount(),
            total_minor=total,
            buyer=self.customer.buyer(
                self.customer_notification_email, self._field(settings.document_field)
            ),
            address=self.customer.shipping_address.address(settings),
            delivery=Delivery.MARKETPLACE_STOCK if warehouse else Delivery.SELLER,
            warehouse_id=warehouse,
            sla=self.shipping_type_code,
            payment_methods=(self.payment_type,) if self.payment_type else (),
            shipment=self._shipment() if warehouse else None,
            known_trackings=(self.shipping_tracking,) if self.shipping_tracking else (),
            cancel_reason=self.order_state_reason_label or self.order_state_reason_code,
            partly_cancelled=living and self.touched,
            attention=self._attention() if living else (),
        )

    def _priced(self) -> tuple[tuple[Line, ...], int]:
        """The lines, and what the buyer pays; commission is between seller and operator."""
        currency = self.currency_iso_code
        lines = [line.line(currency, taxed=self.taxed) for line in self.order_lines]
        total = minor(self.total_price, currency)
        if self.taxed:
            taxes = sum((line.tax for line in self.order_lines), Decimal(0))
            whole = sum((tax.total_amount for tax in self.order_taxes), Decimal(0))
            if not taxes and whole and lines:  # told for the order alone
                told = lines[0].tax_minor + minor(whole, currency)
                lines[0] = lines[0].model_copy(update={"tax_minor": told})
                total += minor(whole, currency)
            total += sum(minor(line.tax, currency) for line in self.order_lines)
        return tuple(lines), total

    def _discount(self) -> int:
        """What promotions took off the whole, where the lines do not show it already."""
        currency = self.currency_iso_code
        lines = sum(
            max(line.total_price, line.price + line.shipping_price) for line in self.order_lines
        )
        missing = minor(Decimal(lines) - self.total_price, currency)
        deduced = minor(self.promotions.total_deduced_amount, currency)
        return missing if 0 < missing <= deduced else 0

    def _address_is_there(self, settings: MiraklSettings) -> bool:
        if not settings.wait_for_address:
            return True
        # Once it may be shipped, whatever address it has is all there will be.
        return self.customer.shipping_address.told or self.status is not MarketStatus.PENDING

    def _field(self, code: str) -> str:
        told = [field.value for field in self.order_additional_fields if code == field.code]
        return str(told[0]) if code and told and told[0] is not None else ""

    def _shipment(self) -> Shipment:
        """What the operator's own warehouse did."""
        shipped = [line.shipped_date for line in self.order_lines if line.shipped_date]
        arrived = [line.received_date for line in self.order_lines if line.received_date]
        return Shipment(
            shipped_at=max(shipped, default=None),
            delivered_at=max(arrived, default=None),
            courier=self.shipping_company,
            tracking_number=self.shipping_tracking,
            tracking_url=self.shipping_tracking_url,
        )

    def _attention(self) -> tuple[str, ...]:
        """What a person has to see to; ids only, so that each is told once."""
        told = []
        for line in self.order_lines:
            for refund in line.refunds:
                amount = refund.amount + refund.shipping_amount
                told.append(
                    f"refund {refund.id} of {amount} {self.currency_iso_code} on line "
                    f"{line.order_line_id}: VTEX takes no partial refunds, book it by hand"
                )
            if line.order_line_state == "INCIDENT_OPEN":
                told.append(
                    f"the buyer opened an incident on line {line.order_line_id}: answer it in "
                    "Mirakl's back office"
                )
        if self.has_incident and not any("incident" in text for text in told):
            told.append("the buyer opened an incident: answer it in Mirakl's back office")
        return tuple(told)


def read_order(payload: Any) -> WireOrder:
    """Read an order, or refuse it naming every field that cannot be read."""
    try:
        return WireOrder.model_validate(payload)
    except ValidationError as error:
        # Field names only: the values are a buyer's.
        fields = sorted({".".join(map(str, problem["loc"])) for problem in error.errors()})
        raise Rejected([f"the order's {field} cannot be read" for field in fields]) from None


def to_market(order: WireOrder, settings: MiraklSettings) -> MarketOrder:
    """The order in the hub's words.

    Raises:
        Rejected: a line of it has no units, or an amount is below zero.
    """
    try:
        return order.order(settings)
    except ValidationError as error:
        fields = sorted({".".join(map(str, problem["loc"])) for problem in error.errors()})
        raise Rejected([f"the order's {field} cannot be read" for field in fields]) from None
