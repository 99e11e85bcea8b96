"""The simulated Mercado Livre's stock of user products, guarded by versions."""

from __future__ import annotations

from typing import Any

from adapters.mercadolivre.market.base import problem
from adapters.mercadolivre.market.shelf import ShelfSide
from adapters.mercadolivre.market.state import SimItem
from connector.sdk import Request, Response, json_response
from connector.sdk.testing.simulator import route


class OriginSide(ShelfSide):
    """Everything below ``/user-products``."""

    @route("GET", "/user-products/{product}/stock")
    async def read_stock(self, request: Request, product: str) -> Response:
        """Where how much is, and in the header which state that is."""
        item = self._of(product)
        if item is None or self.stranger(request):
            return problem(404, "not_found", "no such user product")
        return json_response(self._stock(item), headers={"x-version": str(item.version)})

    @route("PUT", "/user-products/{product}/stock/type/{kind}")
    async def write_stock(self, request: Request, product: str, kind: str) -> Response:
        """Set the stock of one kind; only who knows the newest state may."""
        item = self._of(product)
        if item is None or self.stranger(request):
            return problem(404, "not_found", "no such user product")
        headers = {name.lower(): value for name, value in request.headers.items()}
        version = headers.get("x-version")
        if not version:
            return problem(400, "bad_request", "Missing X-Version header")
        if self.chance(self.settings.version_share):
            item.version += 1  # somebody else was faster
        if version != str(item.version):
            return problem(409, "conflict", "Version mismatch")
        units = _units(request.json(), kind)
        if units is None:
            return problem(400, "bad_request", "unreadable stock")
        item.set_stock(units)
        item.version += 1
        item.remember(self.now(), by_seller=True)
        self.record("stock.set", item_id=item.id, sku=item.sku, units=units)
        return json_response(self._stock(item), headers={"x-version": str(item.version)})

    def _of(self, product: str) -> SimItem | None:
        return next((i for i in self.items.values() if i.user_product_id == product), None)

    def _stock(self, item: SimItem) -> dict[str, Any]:
        settings = self.settings
        place: dict[str, Any] = {"type": "selling_address", "quantity": item.quantity}
        if settings.multi_origin:
            place = {
                "type": "seller_warehouse",
                "store_id": settings.store_id,
                "network_node_id": settings.network_node_id,
                "quantity": item.quantity,
            }
        return {
            "locations": [place],
            "user_id": int(settings.user_id),
            "id": item.user_product_id,
        }


def _units(body: Any, kind: str) -> int | None:
    if not isinstance(body, dict):
        return None
    if kind == "selling_address":
        units = body.get("quantity")
        return units if isinstance(units, int) and units >= 0 else None
    places = body.get("locations")
    if not isinstance(places, list):
        return None
    return sum(int(place.get("quantity") or 0) for place in places)
