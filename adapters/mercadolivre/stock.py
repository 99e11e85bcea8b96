"""Stock that lives beside the listing: at the seller's address, or at one of several origins.

Pages "Stock distribuido", "Stock multi-origen", "Convivencia Full y Flex".
"""

from __future__ import annotations

from typing import Any

from adapters.mercadolivre.api import Api, object_of, path
from adapters.mercadolivre.items import MAX_STOCK, origin
from adapters.mercadolivre.settings import MercadoLivreSettings
from connector.sdk import Misconfigured, Rejected, RetryLater

_TRIES = 3
_AGAIN_S = 2.0


class Stock:
    """Stock of user products."""

    def __init__(self, api: Api, settings: MercadoLivreSettings) -> None:
        self._api = api
        self._settings = settings

    @property
    def apart(self) -> bool:
        """Whether stock is written apart from the listing."""
        return self._settings.stock_at != "item"

    def check(self, *, several: bool) -> None:
        """The account's kind of stock and the connection's setting must agree.

        Raises:
            Misconfigured: they do not.
        """
        settings = self._settings
        if several and settings.stock_at != "seller_warehouse":
            text = "the account keeps stock at several origins (tag warehouse_management)"
            raise Misconfigured(f"{text}: set stock_at=seller_warehouse, store_id, network_node_id")
        if not several and settings.stock_at == "seller_warehouse":
            raise Misconfigured("the account has no origins of its own: set stock_at=item")
        if several and not (settings.store_id and settings.network_node_id):
            raise Misconfigured("set store_id and network_node_id: the origin that is sold from")

    async def put(self, product: str, units: int) -> None:
        """Set the stock of a user product.

        Raises:
            RetryLater: somebody else keeps changing it.
        """
        if not product:
            raise Rejected(["the listing is no user product: its stock cannot be set apart"])
        kind = self._settings.stock_at
        units = min(units, MAX_STOCK)
        body: dict[str, Any] = {"quantity": units}
        if kind == "seller_warehouse":
            body = {"locations": [origin(units, self._settings)]}
        where = path("user-products", product, "stock", "type", kind)
        operation = "stock.selling-address" if kind == "selling_address" else "stock.origin"
        for _ in range(_TRIES):
            version = await self._version(product)
            answer = await self._api.send(
                "PUT", where, body, operation, headers={"x-version": version}, ok=(409,)
            )
            if answer.ok:
                return
        raise RetryLater("the stock is being changed by somebody else", after_s=_AGAIN_S)

    async def _version(self, product: str) -> str:
        """Which state of the stock a write starts from."""
        answer = await self._api.get(path("user-products", product, "stock"), "stock.read")
        object_of(answer)
        version = answer.headers.get("x-version", "")
        if not version:
            raise RetryLater("Mercado Livre does not tell the stock's version")
        return version
