"""An order as the OMS shows it (protocol 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.sandbox.vtexsim.order_state import CANCELED, ENDED

if TYPE_CHECKING:
    from datetime import datetime

    from connector.sandbox.vtexsim.order_state import Invoice, SimItem, SimOrder
    from connector.sandbox.vtexsim.state import Catalog


def order_json(order: SimOrder, catalog: Catalog, account: str) -> dict[str, Any]:
    """The full order."""
    return {
        **_head(order, account),
        "totals": _totals(order),
        "items": [_item(order, at, item, catalog) for at, item in enumerate(order.items)],
        "clientProfileData": _client(order),
        "shippingData": _shipping(order),
        "packageAttachment": {"packages": [_package(order, i) for i in order.invoices.values()]},
        "changesAttachment": None,
        "cancellationData": _cancellation(order),
        "paymentData": {
            "giftCards": [],
            "transactions": [
                {
                    "isActive": True,
                    "transactionId": "PAYMENT-FROM-AFFILIATE",
                    "merchantName": account.upper(),
                    "payments": [],
                }
            ],
        },
        "customData": order.body.get("customData"),
        "invoiceData": order.body.get("invoiceData"),
        "openTextField": _open_text(order),
        "sellers": [{"id": "1", "name": account, "logo": "", "fulfillmentEndpoint": None}],
    }


def list_row(order: SimOrder) -> dict[str, Any]:
    """The order as one row of the list; ``marketPlaceOrderId`` is spelled so (protocol 8.6)."""
    client = order.body.get("clientProfileData") or {}
    return {
        "orderId": order.order_id,
        "creationDate": iso(order.created_at),
        "clientName": f"{client.get('firstName')} {client.get('lastName')}",
        "totalValue": order.value,
        "paymentNames": "",
        "status": order.status,
        "statusDescription": order.status,
        "marketPlaceOrderId": order.marketplace_order_id,
        "sequence": str(order.sequence),
        "salesChannel": str(order.sales_channel),
        "affiliateId": order.affiliate_id,
        "origin": "Fulfillment",
        "workflowInErrorState": order.in_error,
        "workflowInRetry": False,
        "orderIsComplete": True,
        "authorizedDate": iso(order.authorized_at),
        "totalItems": sum(item.quantity for item in order.items),
        "currencyCode": "BRL",
    }


def iso(at: datetime | None) -> str | None:
    """A moment as the OMS writes it."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}0+00:00" if at else None


def _head(order: SimOrder, account: str) -> dict[str, Any]:
    last = order.cancels[-1] if order.cancels else None
    return {
        "orderId": order.order_id,
        "sequence": str(order.sequence),
        "marketplaceOrderId": order.marketplace_order_id,
        "marketplaceServicesEndpoint": order.endpoint,
        "sellerOrderId": order.order_id,
        "origin": "Fulfillment",
        "affiliateId": order.affiliate_id,
        "salesChannel": str(order.sales_channel),
        "merchantName": None,
        "status": order.status,
        "workflowIsInError": order.in_error,
        "statusDescription": order.status,
        "value": order.value,
        "creationDate": iso(order.created_at),
        "lastChange": iso(order.last_change),
        "orderGroup": None,
        "hostname": account,
        "isCompleted": True,
        "roundingError": 0,
        "allowCancellation": order.cancelable,
        "allowEdition": False,
        "authorizedDate": iso(order.authorized_at),
        "invoicedDate": iso(order.invoiced_at),
        "cancelReason": last.reason if last and order.status == CANCELED else None,
        "cancelledBy": last.by if last and order.status == CANCELED else None,
    }


def _totals(order: SimOrder) -> list[dict[str, Any]]:
    shipping = sum(item.shipping for item in order.items)
    items = order.value - shipping - order.taxes - order.interest
    return [
        {"id": "Items", "name": "Total dos Itens", "value": items},
        {"id": "Discounts", "name": "Total dos Descontos", "value": 0},
        {"id": "Shipping", "name": "Total do Frete", "value": shipping},
        {"id": "Tax", "name": "Total da Taxa", "value": order.taxes},
        *([{"id": "Interest", "name": "Juros", "value": order.interest}] if order.interest else []),
    ]


def _item(order: SimOrder, at: int, item: SimItem, catalog: Catalog) -> dict[str, Any]:
    sku = catalog.sku(item.sku_id)
    product = catalog.products[sku.product_id] if sku else None
    return {
        "uniqueId": f"{order.sequence}{at:02d}",
        "id": item.sku_id,
        "productId": str(product.id) if product else None,
        "ean": sku.eans[0] if sku and sku.eans else None,
        "quantity": item.quantity,
        "seller": "1",
        "name": f"{product.name} {sku.name}" if product and sku else item.sku_id,
        "refId": sku.ref_id if sku else None,
        "price": item.price,
        "listPrice": item.list_price,
        "sellingPrice": item.price,
        "sellerSku": item.sku_id,
        "unitMultiplier": item.multiplier,
        "measurementUnit": item.unit,
        "shippingPrice": item.shipping,
        "priceTags": [],
        "bundleItems": [],
        "components": [],
        "isGift": False,
    }


def _client(order: SimOrder) -> dict[str, Any]:
    client = order.body.get("clientProfileData") or {}
    return {
        "id": "clientProfileData",
        **client,
        # The address of the buyer is hidden behind one of VTEX's own.
        "email": f"{order.sequence:032x}@ct.vtex.com.br",
        "isCorporate": bool(client.get("corporateDocument")),
        "userProfileId": None,
    }


def _shipping(order: SimOrder) -> dict[str, Any]:
    shipping = order.body["shippingData"]
    addresses = shipping.get("selectedAddresses") or [shipping.get("address")]
    return {
        "id": "shippingData",
        "address": addresses[0],
        "selectedAddresses": addresses,
        "trackingHints": shipping.get("trackingHints") or [],
        "logisticsInfo": [
            {
                "itemIndex": at,
                "selectedSla": sla,
                "selectedDeliveryChannel": row.get("selectedDeliveryChannel") or "delivery",
                "lockTTL": row.get("lockTTL"),
                "price": row.get("price"),
                "listPrice": row.get("price"),
                "sellingPrice": row.get("price"),
                "deliveryCompany": sla if order.is_fob else "Transportadora",
                "shippingEstimate": "0bd" if order.is_fob else row.get("shippingEstimate"),
                "deliveryIds": [{"courierId": "c1", "warehouseId": "w1", "dockId": "d1"}],
            }
            for at, (row, sla) in enumerate(zip(shipping["logisticsInfo"], order.slas, strict=True))
        ],
    }


def _package(order: SimOrder, invoice: Invoice) -> dict[str, Any]:
    index = {item.sku_id: at for at, item in reversed(list(enumerate(order.items)))}
    return {
        "items": [
            {
                "itemIndex": index.get(str(row.get("id")), 0),
                "quantity": row.get("quantity"),
                "price": row.get("price"),
                "description": row.get("description"),
                "unitMultiplier": 1.0,
            }
            for row in invoice.items
        ],
        "courier": invoice.courier or None,
        "invoiceNumber": invoice.number,
        "invoiceValue": invoice.value,
        "invoiceUrl": invoice.url,
        "issuanceDate": invoice.issuance_date,
        "trackingNumber": invoice.tracking_number or None,
        "invoiceKey": invoice.key,
        "trackingUrl": invoice.tracking_url or None,
        "embeddedInvoice": invoice.embedded,
        "type": invoice.type,
        "courierStatus": {
            "status": None,
            "finished": invoice.delivered,
            "deliveredDate": invoice.delivered_date,
            "data": invoice.events,
        } if invoice.events or invoice.delivered else None,
        "cfop": None,
        "volumes": None,
    }  # fmt: skip


def _cancellation(order: SimOrder) -> dict[str, Any] | None:
    if not order.cancels or order.status not in ENDED or order.status != CANCELED:
        return None
    last = order.cancels[-1]
    return {
        "RequestedByUser": False,
        "RequestedBySystem": last.by == "system",
        "RequestedBySellerNotification": last.by == "seller",
        "RequestedByPaymentNotification": last.by == "marketplace",
        "Reason": last.reason,
        "CancellationDate": last.at,
    }


def _open_text(order: SimOrder) -> dict[str, Any] | None:
    text = order.body.get("openTextField")
    return text if isinstance(text, dict) else ({"value": text} if text else None)
