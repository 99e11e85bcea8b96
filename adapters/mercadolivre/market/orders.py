"""The seller's half of the simulated Mercado Livre's orders: reading."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from adapters.mercadolivre.market.base import problem
from adapters.mercadolivre.market.buying import BuyingSide
from adapters.mercadolivre.market.events import whole
from adapters.mercadolivre.market.state import SimOrder, SimSale, SimShipment, number, stamp
from connector.sdk import Request, Response, json_response
from connector.sdk.testing.simulator import route

_MOST = 50


class OrderSide(BuyingSide):
    """Orders, packs, shipments, billing data and claims."""

    @route("GET", "/orders/search")
    async def search_orders(self, request: Request) -> Response:
        """Orders by date, newest first."""
        query, settings = request.query, self.settings
        if query.get("seller") != settings.user_id or self.stranger(request):
            return problem(403, "forbidden", "Caller is not the seller")
        created = query.get("order.date_created.from")
        updated = query.get("order.date_last_updated.from")
        rows = [
            order
            for order in self.orders.values()
            if order.arrived
            and (not created or order.created_at >= _when(created))
            and (not updated or order.updated_at >= _when(updated))
        ]
        rows.sort(key=lambda order: (order.created_at, order.id), reverse=True)
        start = whole(query.get("offset"), 0)
        limit = min(whole(query.get("limit"), _MOST), settings.page_size, _MOST)
        page = [self._order(order) for order in rows[start : start + limit]]
        paging = {"total": len(rows), "offset": start, "limit": limit}
        return json_response({"query": "", "results": page, "sort": {}, "paging": paging})

    @route("GET", "/orders/{order_id}")
    async def read_order(self, request: Request, order_id: str) -> Response:
        """An order, for its seller."""
        order = self.orders.get(order_id)
        if order is None or not order.arrived:
            return problem(404, "order_not_found", "Order does not exist")
        if self.stranger(request):
            return problem(403, "forbidden", "Caller is not the seller or buyer of the order")
        self.told.setdefault(order.key, self.now())
        return json_response(self._order(order))

    @route("GET", "/packs/{pack_id}")
    async def read_pack(self, request: Request, pack_id: str) -> Response:
        """A pack: all its orders, also those that cannot be read yet."""
        made = self.sales.get(pack_id)
        if made is None or not made.pack_id:
            return problem(404, "pack_not_found", "Pack does not exist")
        if self.stranger(request):
            return problem(403, "forbidden", "not yours")
        shipment = {"id": int(made.shipment.id)} if made.shipment else None
        return json_response(
            {
                "id": int(made.pack_id),
                "status": "released" if made.living else "cancelled",
                "status_detail": None,
                "orders": [{"id": int(order.id)} for order in made.orders],
                "shipment": shipment,
                "buyer": {"id": 6427433},
                "date_created": stamp(made.sold_at),
                "last_updated": stamp(max(order.updated_at for order in made.orders)),
            }
        )

    def _order(self, order: SimOrder) -> dict[str, Any]:
        made, money = self.sales[order.key], self._money
        shipment = made.shipment
        return {
            "id": int(order.id),
            "status": order.status,
            "status_detail": None,
            "date_created": stamp(order.created_at),
            "last_updated": stamp(order.updated_at),
            "date_closed": stamp(order.paid_at) if order.paid_at else None,
            "pack_id": int(made.pack_id) if made.pack_id else None,
            "fulfilled": order.feedback["fulfilled"] if order.feedback else None,
            "total_amount": money(order.goods_minor),
            "paid_amount": money(order.total_minor if order.paid_at else 0),
            "currency_id": self.settings.currency,
            "order_items": [
                {
                    "item": {
                        "id": order.item_id,
                        "title": order.title,
                        "seller_sku": order.sku,
                        "variation_id": None,
                    },
                    "quantity": order.quantity,
                    "unit_price": money(order.unit_minor),
                    "full_unit_price": money(order.unit_minor),
                    "currency_id": self.settings.currency,
                }
            ],
            "payments": [self._payment(order)] if order.paid_at else [],
            "shipping": {"id": int(shipment.id) if shipment else None},
            "buyer": {"id": 6427433, "billing_info": {"id": f"B{order.key}"}},
            "seller": {"id": int(self.settings.user_id)},
            "mediations": [{"id": int(ident)} for ident in order.mediations],
            "tags": sorted(order.tags),
            "feedback": {"seller": order.feedback, "buyer": None},
            "cancel_detail": {"description": order.cancel_words} if order.cancel_words else None,
            "context": {"channel": "marketplace", "site": self.settings.site, "flows": []},
        }

    def _payment(self, order: SimOrder) -> dict[str, Any]:
        money = self._money
        return {
            "id": int(order.id) % 10**11,
            "order_id": int(order.id),
            "status": "refunded" if order.refunded else "approved",
            "payment_type": "credit_card",
            "payment_method_id": "master",
            "installments": 3 if order.fee_minor else 1,
            "transaction_amount": money(order.goods_minor),
            "transaction_amount_refunded": money(order.goods_minor if order.refunded else 0),
            "total_paid_amount": money(order.total_minor),
            "shipping_cost": money(order.shipping_minor),
            "coupon_amount": money(order.coupon_minor),
            "taxes_amount": money(order.tax_minor),
            "date_approved": stamp(order.paid_at) if order.paid_at else None,
        }

    def _money(self, minor: int) -> float:
        return number(minor, self.settings.currency)

    # --- shipments --------------------------------------------------------------------------------

    def shipped(self, shipment_id: str) -> tuple[SimSale, SimShipment] | None:
        """The sale behind a shipment."""
        for made in self.sales.values():
            if made.shipment is not None and made.shipment.id == shipment_id:
                return made, made.shipment
        return None

    @route("GET", "/shipments/{shipment_id}")
    async def read_shipment(self, request: Request, shipment_id: str) -> Response:
        """A shipment in the new format; the address is hidden until the order is paid."""
        found = self.shipped(shipment_id)
        if found is None or self.stranger(request):
            return problem(404, "not_found", "shipment not found")
        made, shipment = found
        return json_response(
            {
                "id": int(shipment.id),
                "status": shipment.status,
                "substatus": shipment.substatus,
                "logistic": {"mode": shipment.mode, "type": shipment.type, "direction": "forward"},
                "destination": _destination(made) if made.ever_paid else None,
                "lead_time": {"shipping_method": {"id": 73328, "name": "Normal"}},
                "tracking_number": shipment.tracking_number or None,
                "tracking_method": "Mercado Envios" if shipment.mode == "me2" else None,
                "last_updated": stamp(shipment.updated_at),
            }
        )

    @route("GET", "/shipments/{shipment_id}/items")
    async def shipment_items(self, request: Request, shipment_id: str) -> Response:
        """What is in a shipment, and of which order it is."""
        found = self.shipped(shipment_id)
        if found is None or self.stranger(request):
            return problem(404, "not_found", "shipment not found")
        return json_response(
            [
                {"item_id": o.item_id, "quantity": o.quantity, "order_id": int(o.id)}
                for o in found[0].orders
            ]
        )

    # --- buyers and claims ------------------------------------------------------------------------

    @route("GET", "/orders/billing-info/{site}/{billing_id}")
    async def billing(self, request: Request, site: str, billing_id: str) -> Response:
        """The buyer's fiscal data."""
        made = self.sales.get(billing_id.removeprefix("B"))
        if made is None or self.stranger(request):
            return problem(404, "not_found", "billing info not found")
        return json_response(
            {"site_id": site, "buyer": {"cust_id": 6427433, "billing_info": _billing(made.buyer)}}
        )

    @route("GET", "/post-purchase/v1/claims/{claim_id}")
    async def read_claim(self, request: Request, claim_id: str) -> Response:
        """A claim on one of the seller's orders."""
        order = next((o for o in self.orders.values() if claim_id in o.mediations), None)
        if order is None or self.stranger(request):
            return problem(404, "not_found", "claim not found")
        return json_response(
            {
                "id": int(claim_id),
                "resource": "order",
                "resource_id": int(order.id),
                "status": "opened",
                "type": "mediations",
                "stage": "claim",
                "reason_id": "PDD9939",
                "players": [
                    {
                        "role": "respondent",
                        "type": "seller",
                        "user_id": int(self.settings.user_id),
                        "available_actions": [
                            {"action": "refund", "mandatory": False, "due_date": None},
                            {
                                "action": "send_message_to_complainant",
                                "mandatory": True,
                                "due_date": stamp(self.now()),
                            },
                        ],
                    }
                ],
                "related_entities": ["return"],
            }
        )


def _when(text: str) -> datetime:
    return datetime.fromisoformat(text.replace(" ", "+"))


def _destination(made: SimSale) -> dict[str, Any]:
    there = made.address
    return {
        "receiver_id": 6427433,
        "receiver_name": there["receiver"],
        "receiver_phone": made.buyer.get("phone") if made.mode[0] == "me1" else None,
        "shipping_address": {
            "street_name": there["street"],
            "street_number": there["number"],
            "comment": there["complement"],
            "zip_code": there["postal_code"],
            "neighborhood": {"id": None, "name": there["neighborhood"]},
            "city": {"id": "BR-SP-44", "name": there["city"]},
            "state": {"id": f"BR-{there['state']}", "name": there["state"]},
            "country": {"id": there["country"][:2], "name": "Brasil"},
        },
    }


def _billing(buyer: dict[str, Any]) -> dict[str, Any]:
    if buyer.get("company_document"):
        taxes = {"inscriptions": {"state_registration": buyer.get("state_registration")}}
        return {
            "name": buyer.get("company_name"),
            "identification": {"type": "CNPJ", "number": buyer["company_document"]},
            "taxes": taxes,
        }
    return {
        "name": buyer.get("first_name"),
        "last_name": buyer.get("last_name"),
        "identification": {"type": "CPF", "number": buyer.get("document")},
    }
