"""The synchronous order API of the fulfilment layer (protocol 6.1, 6.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.domain.http import Response, json_response
from connector.sandbox.vtexsim.core import query
from connector.sandbox.vtexsim.drafts import DraftError, read_classic
from connector.sandbox.vtexsim.order_state import CANCELED, CANCELING, MANUAL, WAITING, SimOrder
from connector.sandbox.vtexsim.placement import Kind, PlacementRoom
from connector.sdk.testing.simulator import route

if TYPE_CHECKING:
    from connector.domain.http import Request
    from connector.sandbox.vtexsim.state import Affiliate

_BASE = "/api/fulfillment/pvt/orders"


class ClassicRoom(PlacementRoom):
    """Places orders at once, each element of the array by itself."""

    @route("POST", _BASE)
    async def place_orders(self, request: Request) -> Response:
        """Place orders; takes an array or one object, always answers an array."""
        body = request.json()
        drafts = body if isinstance(body, list) else [body]
        affiliate = self.affiliates.get(query(request, "affiliateId").upper())
        if affiliate is None:
            return self.refuse("FMT0021", query(request, "affiliateId"))
        if not drafts or not all(isinstance(each, dict) for each in drafts):
            return self.refuse("FMT0026")
        placed: list[dict[str, Any]] = []
        for each in drafts:
            answer = self._place_one(each, affiliate)
            if isinstance(answer, Response):
                return answer
            placed.append(answer)
        if self.chance(self.settings.error_after_create):
            return self.broken()
        return json_response(placed)

    @route("GET", _BASE)
    async def wrong_verb(self, request: Request) -> Response:
        """A verb the route does not have."""
        del request
        return self.refuse("1", status=405)

    @route("POST", _BASE + "/{order_id}/fulfill")
    async def fulfill(self, request: Request, order_id: str) -> Response:
        """The marketplace has been paid; a repeated call is harmless."""
        body = request.json()
        if isinstance(body, list) and body:
            body = body[0]
        order = self.orders.get(order_id)
        if order is None:
            return self.refuse("FMT0022", order_id, status=404)
        if not isinstance(body, dict) or (
            str(body.get("marketplaceOrderId")) != order.marketplace_order_id
        ):
            return self.refuse("FMT0071")
        if order.status in {MANUAL, CANCELING, CANCELED}:
            return self.refuse("CHK0184", order.status)
        if order.status == WAITING:
            self.authorize(order)
        return json_response(
            {
                "date": self.stamp(),
                "marketplaceOrderId": order.marketplace_order_id,
                "orderId": order.order_id,
                "receipt": self.token(),
            }
        )

    def _place_one(self, body: dict[str, Any], affiliate: Affiliate) -> dict[str, Any] | Response:
        try:
            draft = read_classic(body)
        except DraftError as error:
            code, values = error.codes[0]
            return self.refuse(code, *values)
        verdict = self.place(draft, affiliate)
        if verdict.kind not in {Kind.FINE, Kind.MANUAL}:
            if verdict.code == "FMT007" and self.chance(self.settings.empty_error_body):
                return Response(400)
            return self.refuse(verdict.code, *verdict.values)
        return self._placed_json(self.orders[f"{affiliate.id}-{draft.marketplace_order_id}"])

    def _placed_json(self, order: SimOrder) -> dict[str, Any]:
        body = order.body
        shipping = body["shippingData"]
        mail = f"{self.token()}@ct.vtex.com.br"
        return {
            "marketplaceOrderId": order.marketplace_order_id,
            "orderId": order.order_id,
            "followUpEmail": mail,
            "items": [
                {
                    "id": item.sku_id,
                    "quantity": item.quantity,
                    "seller": "1",
                    "priceTable": None,
                    "commission": 0,
                    "freightCommission": 0,
                    "price": item.price,
                    "bundleItems": [],
                    "priceTags": [],
                    "measurementUnit": item.unit,
                    "unitMultiplier": item.multiplier,
                    "isGift": False,
                }
                for item in order.items
            ],
            "clientProfileData": {
                **body["clientProfileData"],
                "id": "clientProfileData",
                "email": mail,
            },
            "shippingData": {
                "isFOB": order.is_fob,
                "address": shipping.get("address"),
                "selectedAddresses": shipping.get("selectedAddresses") or [],
                "logisticsInfo": [
                    {**row, "selectedSla": sla, "deliveryIds": [{"warehouseId": "w1"}]}
                    for row, sla in zip(shipping["logisticsInfo"], order.slas, strict=True)
                ],
                "trackingHints": shipping.get("trackingHints") or [],
            },
            "paymentData": None,
            "customData": body.get("customData"),
        }
