"""Other places to read price, stock and credentials from (protocol 1.2, 5.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.domain.http import Response, json_response
from connector.sandbox.vtexsim.core import VtexCore, query
from connector.sdk.testing.simulator import route

if TYPE_CHECKING:
    from connector.domain.http import Request


class PriceRoom(VtexCore):
    """Computed prices, warehouse balance and the check of a key pair."""

    @route("GET", "/api/vtexid/pub/authenticate/default")
    async def authenticate(self, request: Request) -> Response:
        """Whether a key pair is good."""
        settings = self.settings
        pair = (query(request, "user"), query(request, "pass"))
        good = pair == (settings.app_key, settings.app_token) and not settings.expired_token
        status = "Success" if good else "WrongCredentials"
        return json_response(
            {
                "authStatus": status,
                "promptMFA": False,
                "authCookie": None,
                "accountAuthCookie": None,
                "expiresIn": 0,
                "userId": self.token() if good else None,
            }
        )

    @route("GET", "/{account}/pricing/prices/{sku_id}/computed/{channel}")
    async def computed_price(
        self, request: Request, account: str, sku_id: str, channel: str
    ) -> Response:
        """The price of a SKU in a trade policy, in decimals, before promotions."""
        del request
        sku = self.catalog.sku(sku_id)
        own = account == self.settings.account and channel.isdigit()
        price = sku.prices(int(channel)).current if sku and own else None
        if price is None:
            return json_response({"message": "price not found"}, 404)
        return json_response(
            {
                "tradePolicyId": channel,
                "listPrice": price.list_price / 100,
                "costPrice": price.price / 100,
                "sellingPrice": price.price / 100,
                "priceValidUntil": self.stamp(self._later(86_400)),
            }
        )

    @route("GET", "/api/logistics/pvt/inventory/skus/{sku_id}")
    async def inventory(self, request: Request, sku_id: str) -> Response:
        """Stock by warehouse: total and reserved."""
        del request
        sku = self.catalog.sku(sku_id)
        if sku is None:
            return json_response({"error": "SKU not found"}, 404)
        return json_response(
            {
                "skuId": str(sku.id),
                "balance": [
                    {
                        "warehouseId": "w1",
                        "warehouseName": "Principal",
                        "totalQuantity": sku.total,
                        "reservedQuantity": sku.reserved,
                        "hasUnlimitedQuantity": sku.unlimited,
                        "timeToRefill": None,
                        "dateOfSupplyUtc": None,
                        "leadTime": "0.00:00:00",
                    }
                ],
            }
        )
