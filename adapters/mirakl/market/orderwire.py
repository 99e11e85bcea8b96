"""Orders and parcels as the simulated platform answers them. Pure."""

from __future__ import annotations

from typing import Any

from adapters.mirakl.market.operators import Operator
from adapters.mirakl.market.state import SimLine, SimOrder, SimShipment, exact, stamp
from connector.sdk import Money

Row = dict[str, Any]
_HIDDEN = frozenset({"STAGING", "WAITING_ACCEPTANCE", "WAITING_DEBIT", "WAITING_DEBIT_PAYMENT"})
_BEFORE = frozenset({*_HIDDEN, "SHIPPING"})


def order_to_wire(order: SimOrder, operator: Operator) -> Row:
    """An order as OR11 answers it."""

    def text(minor: int) -> float:
        return float(Money(minor, operator.currency).major())

    price = sum(line.price_minor for line in order.lines)
    shipping = sum(line.shipping_minor for line in order.lines)
    lines = enumerate(order.lines, 1)
    return {
        **_PLAIN,
        **_tracking(order),
        "order_id": order.order_id,
        "commercial_id": order.order_id.rpartition("-")[0],
        "order_state": order.state,
        "order_state_reason_label": order.reason or None,
        "created_date": stamp(order.created_at),
        "last_updated_date": exact(order.updated_at),
        "acceptance_decision_date": stamp(order.accepted_at) if order.accepted_at else None,
        "can_cancel": order.state in _BEFORE and order.state != "WAITING_ACCEPTANCE",
        "can_shop_ship": order.state == "SHIPPING",
        "currency_iso_code": operator.currency,
        "customer": _customer(order),
        "customer_notification_email": order.buyer.get("email"),
        "fully_refunded": order.fully_refunded,
        "has_incident": order.incident,
        "order_additional_fields": [
            {"code": code, "type": "STRING", "value": value} for code, value in order.fields.items()
        ],
        "order_lines": [_line(place, line, order, operator) for place, line in lines],
        "order_tax_mode": "TAX_EXCLUDED" if order.taxed else "TAX_INCLUDED",
        "price": text(price),
        "promotions": {
            "applied_promotions": [],
            "total_deduced_amount": text(order.deduced_minor),
        },
        "shipping_price": text(shipping),
        "total_price": text(price + shipping),
    }


# What is the same of every order here.
_PLAIN: Row = {
    "order_state_reason_code": None,
    "channel": None,
    "fulfillment": {"center": {"code": "DEFAULT"}},
    "has_customer_message": False,
    "has_invoice": False,
    "leadtime_to_ship": 2,
    "paymentType": "card",
    "payment_type": "card",
    "payment_workflow": "PAY_ON_ACCEPTANCE",
    "references": {"order_reference_for_customer": None, "order_reference_for_seller": None},
    "shipping_type_code": "STD",
    "shipping_type_label": "Standard",
    "shipping_zone_code": "LOCAL",
    "shipping_zone_label": "Local",
    "total_commission": 1.5,
}


def _tracking(order: SimOrder) -> Row:
    return {
        "shipping_carrier_code": order.tracking.get("carrier_code"),
        "shipping_company": order.tracking.get("carrier_name"),
        "shipping_tracking": order.tracking.get("tracking_number"),
        "shipping_tracking_url": order.tracking.get("carrier_url"),
    }


def _line(place: int, line: SimLine, order: SimOrder, operator: Operator) -> Row:
    def text(minor: int) -> float:
        return float(Money(minor, operator.currency).major())

    when = stamp(order.updated_at)
    return {
        **_COMMISSION,
        "order_line_id": line.line_id,
        "order_line_index": place,
        "order_line_state": line.state or order.state,
        "offer_id": place,
        "offer_sku": line.sku,
        "offer_state_code": "11",
        "product_sku": line.product_sku,
        "product_title": line.title,
        "product_medias": [],
        "category_code": "N11",
        "category_label": "N11",
        "created_date": stamp(order.created_at),
        "last_updated_date": when,
        "description": None,
        "quantity": line.quantity,
        "price_unit": text(line.unit_minor),
        "price": text(line.price_minor),
        "shipping_price": text(line.shipping_minor),
        "total_price": _as_text(line.price_minor + line.shipping_minor, operator.currency),
        "taxes": _taxes(text(line.tax_minor)),
        "shipping_taxes": [],
        "can_refund": order.state not in _BEFORE,
        "cancelations": [
            {**_given_back(9_000 + number, each, when, operator),
             "reason_code": each["reason_code"], "shipping_amount": 0}
            for number, each in enumerate(line.cancelations)
        ],
        "refunds": [
            {**_given_back(7_000 + number, each, when, operator), **_REFUNDED,
             "shipping_amount": text(each["shipping_minor"])}
            for number, each in enumerate(line.refunds)
        ],
        "promotions": [],
        "order_line_additional_fields": [],
    }  # fmt: skip


# What is between seller and operator: the buyer does not pay it.
_COMMISSION: Row = {
    "commission_fee": 1.5,
    "commission_rate_vat": 0,
    "commission_vat": 0,
    "total_commission": 1.5,
}
_REFUNDED: Row = {
    "order_refund_id": "group-1",
    "reason_code": "17",
    "refund_state": "REFUNDED",
    "state": "REFUNDED",
    "commission_tax_amount": 0,
}


def _taxes(amount: float) -> list[Row]:
    rule = {"rate": None, "tax_calculation_rule": "PROPORTIONAL_TO_AMOUNT"}
    return [{"code": "VAT", "amount": amount, **rule}] if amount else []


def _given_back(number: int, each: Row, when: str, operator: Operator) -> Row:
    """What cancellations and refunds have in common."""
    return {
        "id": str(number),
        "amount": float(Money(each["amount_minor"], operator.currency).major()),
        "quantity": each["quantity"],
        "created_date": when,
        "commission_amount": 0,
        "commission_taxes": [],
        "commission_total_amount": 0,
        "taxes": [],
        "shipping_taxes": [],
    }


def _as_text(minor: int, currency: str) -> str:
    """Amounts are numbers; here and there the specification's examples have text all the same."""
    return str(Money(minor, currency).major())


def _customer(order: SimOrder) -> Row:
    buyer, hidden = order.buyer, order.hides_address and order.state in _HIDDEN
    first, last = buyer.get("first_name", ""), buyer.get("last_name", "")
    told = order.address
    address = {
        "firstname": first,
        "lastname": last,
        "street_1": f"{told['street']}, {told['number']}" if told.get("number") else told["street"],
        "street_2": told.get("complement") or None,
        "zip_code": told["postal_code"],
        "city": told["city"],
        "state": told["state"],
        "country": told["country"],
        "country_iso_code": told["country"],
        "phone": "+55 11 99999-0000",
    }
    company = buyer.get("company_name")
    organization = {
        "organization_id": "org-1",
        "name": company,
        "tax_identification_number": buyer.get("company_document"),
    }
    return {
        "customer_id": f"C-{order.order_id}",
        "firstname": first,
        "lastname": last,
        "billing_address": None if hidden else address,
        "shipping_address": None if hidden else {**address, "additional_info": None},
        "organization": organization if company and not hidden else None,
    }


def shipment_to_wire(shipment: SimShipment) -> Row:
    """A parcel as ST01 and ST11 answer it."""
    return {
        "id": shipment.id,
        "order_id": shipment.order_id,
        "created_date": stamp(shipment.created_at),
        "last_updated_date": stamp(shipment.updated_at),
        "invoice_reference": shipment.invoice_reference or None,
        "status": shipment.status,
        "status_customer_debit": "NO_DEBIT",
        "shipment_lines": shipment.lines,
        "tracking": shipment.tracking or None,
    }
