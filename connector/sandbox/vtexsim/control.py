"""The control API: what Python callers do with methods, over HTTP below ``/_sim``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from connector.domain.http import Response, json_response
from connector.sandbox.vtexsim.affiliates import AffiliateRoom
from connector.sandbox.vtexsim.core import query
from connector.sandbox.vtexsim.order_state import SimOrder, WrongStatusError
from connector.sandbox.vtexsim.seller import SellerRoom
from connector.sandbox.vtexsim.seller_orders import SellerOrderRoom
from connector.sdk.testing.simulator import route

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.domain.http import Request

_SKU_ACTIONS = {
    "price": "set_price",
    "stock": "set_stock",
    "active": "set_active",
    "product-active": "set_product_active",
    "policy": "set_trade_policy",
    "policy-active": "set_policy_active",
    "content": "edit_content",
    "promotion": "schedule_promotion",
    "reindex": "reindex",
    "create-sku": "create_sku",
    "add-affiliate": "add_affiliate",
}
_ORDER_ACTIONS = {
    "invoice": "invoice_order",
    "tracking": "send_tracking",
    "tracking-event": "send_tracking_event",
    "return": "return_order",
    "change": "change_order",
    "cancel": "cancel_order",
    "accept-cancel": "accept_cancel",
    "decline-cancel": "decline_cancel",
    "authorization": "decide_authorization",
    "end-grace": "end_grace",
    "flip": "flip_status",
    "stick": "stick",
}


class ControlRoom(SellerRoom, SellerOrderRoom, AffiliateRoom):
    """Actions take a JSON object whose names are those of the Python method's parameters."""

    @route("POST", "/_sim/do/{action}")
    async def sim_do(self, request: Request, action: str) -> Response:
        """Do something as the seller, to products or affiliates."""
        name = _SKU_ACTIONS.get(action)
        if name is None:
            return json_response({"message": "unknown action", "known": sorted(_SKU_ACTIONS)}, 404)
        return _run(getattr(self, name), _arguments(request))

    @route("POST", "/_sim/orders/{order_id}/{action}")
    async def sim_do_order(self, request: Request, order_id: str, action: str) -> Response:
        """Do something as the seller, to an order."""
        name = _ORDER_ACTIONS.get(action)
        if name is None:
            known = sorted(_ORDER_ACTIONS)
            return json_response({"message": "unknown action", "known": known}, 404)
        return _run(getattr(self, name), {**_arguments(request), "order_id": order_id})

    @route("GET", "/_sim/settings")
    async def sim_settings(self, request: Request) -> Response:
        """The settings as they stand."""
        del request
        return json_response(self.settings.as_json())

    @route("POST", "/_sim/settings")
    async def sim_set_settings(self, request: Request) -> Response:
        """Change settings by name; nothing is changed if one is wrong."""
        try:
            self.settings.apply(_arguments(request))
        except ValueError as error:
            return json_response({"message": str(error)}, 400)
        return json_response(self.settings.as_json())

    @route("GET", "/_sim/skus")
    async def sim_skus(self, request: Request) -> Response:
        """All SKUs in one sales channel, with names and how they are odd."""
        channel = int(query(request, "sc", str(self.settings.sales_channel)))
        rows = []
        for sku in self.catalog.skus.values():
            product = self.catalog.products[sku.product_id]
            rows.append(
                {
                    **asdict(self.truth_of(sku, channel)),
                    "product_id": product.id,
                    "name": f"{product.name} {sku.name}",
                    "active": sku.active,
                    "product_active": product.active,
                    "kit": bool(sku.kit),
                    "eans": sku.eans,
                    "ref_id": sku.ref_id,
                    "multiplier": sku.multiplier,
                    "images": len(sku.images),
                }
            )
        return json_response(rows)

    @route("GET", "/_sim/truth")
    async def sim_truth(self, request: Request) -> Response:
        """What is really so of every SKU in one sales channel."""
        channel = int(query(request, "sc", str(self.settings.sales_channel)))
        truth = {sku: asdict(each) for sku, each in self.truth(channel).items()}
        return json_response({"sales_channel": channel, "skus": truth})

    @route("GET", "/_sim/orders")
    async def sim_orders(self, request: Request) -> Response:
        """All orders in short."""
        del request
        return json_response([self._short(order) for order in self.orders.values()])

    @route("GET", "/_sim/orders/{order_id}")
    async def sim_order(self, request: Request, order_id: str) -> Response:
        """One order with its history, invoices and callbacks."""
        del request
        order = self.orders.get(order_id)
        if order is None:
            return json_response({"message": f"no order {order_id}"}, 404)
        return json_response(
            {
                **self._short(order),
                "items": [asdict(item) for item in order.items],
                "history": order.history,
                "invoices": [asdict(each) for each in order.invoices.values()],
                "callbacks": [asdict(each) for each in order.callbacks],
                "cancels": [asdict(each) for each in order.cancels],
                "hub_tracking": order.hub_tracking,
                "reserved": order.reserved,
                "notes": order.notes,
            }
        )

    @route("GET", "/_sim/status")
    async def sim_status(self, request: Request) -> Response:
        """Whether anything is still on its way to the hub."""
        del request
        return json_response(
            {
                "unsent_notifications": self.unsent_notifications,
                "open_callbacks": len(self.open_callbacks),
                "orders": len(self.orders),
                "skus": len(self.catalog.skus),
                "affiliates": sorted(self.affiliates),
            }
        )

    def _short(self, order: SimOrder) -> dict[str, Any]:
        return {
            "order_id": order.order_id,
            "marketplace_order_id": order.marketplace_order_id,
            "affiliate_id": order.affiliate_id,
            "generation": order.generation,
            "status": order.status,
            "value": order.value,
            "approved": order.approved,
            "created": self.created.get(order.order_id, 0),
            "is_fob": order.is_fob,
            "stuck": order.stuck,
            "in_error": order.in_error,
            "declined": order.declined,
        }


def _arguments(request: Request) -> dict[str, Any]:
    body = request.json()
    return body if isinstance(body, dict) else {}


def _run(action: Callable[..., object], arguments: dict[str, Any]) -> Response:
    try:
        action(**arguments)
    except LookupError as error:
        return json_response({"message": str(error)}, 404)
    except WrongStatusError as error:
        return json_response({"message": f"not in status {error}"}, 409)
    except TypeError as error:
        return json_response({"message": str(error)}, 400)
    return json_response({"done": True})
