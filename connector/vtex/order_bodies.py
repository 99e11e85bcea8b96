"""The two request bodies an order can be placed with (protocol 6.1 and 6.3).

Every parameter is told, with null where there is no value (H-CAT-17).
"""

from __future__ import annotations

from typing import Any

from connector.domain.marketorder import Address, TrackingHint
from connector.vtex.placing import (
    DEFAULT_ESTIMATE,
    DEFAULT_TTL,
    DELIVERY,
    PICKUP,
    PlaceLine,
    PlaceOrder,
    merge_lines,
)
from connector.vtex.sanitise import is_corporate, place, plain, profile
from connector.vtex.wire import share_exact, times

_DOCUMENT_DIGITS = {11: "cpf", 14: "cnpj"}


def integration_body(order: PlaceOrder) -> dict[str, Any]:
    """The order for the asynchronous order integration API (protocol 6.3)."""
    lines = merge_lines(order.lines)
    return {
        "marketplaceOrderId": order.ref,
        "connectorName": order.connector_name,
        "connectorEndpoint": order.endpoint,
        "marketplaceOrderStatus": "approved" if order.paid else "new",
        "marketplacePaymentValue": order.total_minor,
        "marketplaceInterestValue": order.interest_minor,
        "allowFranchises": False,
        "pickupAccountName": None,
        "items": [
            {"id": line.sku, "price": line.price_minor, "quantity": line.quantity} for line in lines
        ],
        "clientProfileData": profile(order.buyer),
        "shippingData": {
            "logisticsInfo": [_integration_logistics(order, line) for line in lines],
            "selectedAddresses": [
                {
                    **place(order.address, pickup=order.pickup),
                    "geoCoordinates": _coordinates(order.address),
                }
            ],
            "isFob": order.fob,
            "isMarketplaceFulfillment": order.marketplace_fulfillment,
            "trackingHints": [_hint(hint) for hint in order.tracking_hints],
        },
        "invoiceData": _payment(order),
        "customData": {"customApps": []},
        "taxData": [{"skuId": sku, "value": minor} for sku, minor in order.taxes],
        "openTextField": None,
    }


def classic_body(order: PlaceOrder) -> list[dict[str, Any]]:
    """The order for the synchronous fulfilment API: an array of one (protocol 6.1)."""
    lines = merge_lines(order.lines)
    address = _classic_address(order)
    return [
        {
            "marketplaceOrderId": order.ref,
            "marketplaceOrderGroup": order.ref,
            "marketplaceServicesEndpoint": order.endpoint,
            "marketplacePaymentValue": order.total_minor,
            "marketplacePaymentReferenceValue": order.total_minor - order.interest_minor,
            "isCreatedAsync": True,
            "items": [_classic_item(line) for line in lines],
            "clientProfileData": _classic_profile(order),
            "shippingData": {
                "id": "shippingData",
                "address": address,
                "selectedAddresses": [address],
                "logisticsInfo": [
                    _classic_logistics(order, line, index, address["addressId"])
                    for index, line in enumerate(lines)
                ],
                "isFob": order.fob,
                "trackingHints": [_hint(hint) for hint in order.tracking_hints],
            },
            "paymentData": None,
            "marketingData": None,
            "customData": {"customApps": []},
            "openTextField": {"value": None},
            "invoiceData": _payment(order),
            "savePersonalData": False,
        }
    ]


def _channel(order: PlaceOrder, line: PlaceLine) -> str:
    if order.pickup:
        return PICKUP
    return DELIVERY if order.fob else line.channel or DELIVERY


def _sla(order: PlaceOrder, line: PlaceLine) -> str | None:
    """No delivery option of the seller's where it does not deliver (KI 721951, scenario 9)."""
    return None if order.fob or order.pickup else line.sla or None


def _integration_logistics(order: PlaceOrder, line: PlaceLine) -> dict[str, Any]:
    return {
        "price": line.shipping_minor,
        "selectedDeliveryChannel": _channel(order, line),
        "selectedSla": _sla(order, line),
        "lockTTL": line.lock_ttl or DEFAULT_TTL,
        "shippingEstimate": line.estimate or DEFAULT_ESTIMATE,
        # More than one is not accepted (FMT0076).
        "deliveryIds": [
            {"warehouseId": each.warehouse_id}
            for each in line.delivery_ids[:1]
            if each.warehouse_id
        ],
    }


def _classic_logistics(
    order: PlaceOrder, line: PlaceLine, index: int, address_id: str
) -> dict[str, Any]:
    return {
        "itemIndex": index,
        "selectedSla": _sla(order, line),
        "selectedDeliveryChannel": _channel(order, line),
        "addressId": address_id,
        "lockTTL": line.lock_ttl or DEFAULT_TTL,
        "shippingEstimate": line.estimate or DEFAULT_ESTIMATE,
        "price": line.shipping_minor,
        "deliveryWindow": None,
        "deliveryIds": [
            {"warehouseId": each.warehouse_id, "dockId": each.dock_id or None}
            for each in line.delivery_ids[:1]
            if each.warehouse_id
        ],
    }


def _classic_item(line: PlaceLine) -> dict[str, Any]:
    price, multiplier = _per_measure(line)
    return {
        "id": line.sku,
        "quantity": line.quantity,
        "seller": "1",
        "commission": 0,
        "freightCommission": 0,
        "price": price,
        "bundleItems": [],
        "itemAttachment": {"name": None, "content": {}},
        "attachments": [],
        "priceTags": [],
        "measurementUnit": line.measurement_unit or None,
        "unitMultiplier": multiplier,
        "isGift": False,
    }


def _per_measure(line: PlaceLine) -> tuple[int, float]:
    """Price per measurement unit with its multiplier, where that loses no cent of the line.

    Else the sold unit itself is told as the unit (protocol 6.1: VTEX may multiply).
    """
    multiplier = line.unit_multiplier
    if multiplier in {0, 1}:
        return line.price_minor, 1
    price = share_exact(line.price_minor, multiplier)
    if times(price * line.quantity, multiplier) == line.price_minor * line.quantity:
        return price, multiplier
    return line.price_minor, 1


def _classic_profile(order: PlaceOrder) -> dict[str, Any]:
    buyer = order.buyer
    known = plain(buyer.document_type).lower()
    figures = sum(each.isdigit() for each in buyer.document)
    return {
        **profile(buyer),
        "documentType": known or _DOCUMENT_DIGITS.get(figures),
        "isCorporate": is_corporate(buyer),
        "userProfileId": None,
    }


def _classic_address(order: PlaceOrder) -> dict[str, Any]:
    where = order.address
    known = where.longitude is not None and where.latitude is not None
    return {
        **place(where, pickup=order.pickup),
        "reference": None,
        "geoCoordinates": [where.longitude, where.latitude] if known else [],
    }


def _coordinates(address: Address) -> dict[str, float] | None:
    if address.longitude is None or address.latitude is None:
        return None
    return {"latitude": address.latitude, "longitude": address.longitude}


def _hint(hint: TrackingHint) -> dict[str, Any]:
    return {
        "trackingId": hint.tracking_id,
        "courierName": plain(hint.courier),
        "trackingUrl": hint.url or None,
        "trackingLabel": hint.label or None,
    }


def _payment(order: PlaceOrder) -> dict[str, Any]:
    return {"userPaymentInfo": {"paymentMethods": list(order.payment_methods)}}
