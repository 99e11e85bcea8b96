"""The adapter of Acme Market: replace what is said and read here by what your marketplace does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from connector.sdk import (
    Adapter,
    Capability,
    Found,
    Limit,
    MarketOrder,
    Offer,
    OrderPage,
    Outcomes,
    PriceStock,
    Request,
    Response,
    RetryLater,
    Scope,
    expect,
    json_request,
)
from connector.sdk.kit.template.acme import wire
from connector.sdk.kit.template.acme.described import ERRORS, FIELDS
from connector.sdk.kit.template.acme.settings import AcmeSettings


class AcmeAdapter(Adapter[AcmeSettings]):
    """Acme Market: one call takes a batch of offers, orders are polled."""

    name = "acme"
    title = "Acme Market"
    settings_model = AcmeSettings
    capabilities = frozenset(
        {Capability.CREATE, Capability.PRICE_STOCK, Capability.FIND, Capability.POLLING}
    )
    limits = (Limit(Scope.CONNECTION, rate=10, burst=10),)
    batch_size = 50
    fields = FIELDS
    errors = ERRORS

    @classmethod
    def base_url(cls, settings: AcmeSettings) -> str:
        """The address that Acme Market told the seller."""
        return str(settings.base_url).rstrip("/")

    async def check(self) -> str:
        """Ask whose key this is."""
        return str(wire.object_of(await self._get("/account", "account.read")).get("name") or "")

    def validate(self, offer: Offer) -> list[str]:
        """Acme Market's own rules, all of them at once."""
        rules = (
            (bool(offer.content.title.strip()), "the title is missing"),
            (offer.terms.price_minor > 0, "the price must be above zero"),
        )
        return [words for kept, words in rules if not kept]

    # --- listings -------------------------------------------------------------------------------

    async def create(self, offers: Sequence[Offer]) -> Outcomes:
        """Create listings; those that exist are brought up to date, so repeats do no harm."""
        return await self._offer([wire.offer_to_wire(offer) for offer in offers], "offers.create")

    async def update_price_stock(self, terms: Sequence[PriceStock]) -> Outcomes:
        """Set price and stock."""
        return await self._offer([wire.terms_to_wire(one) for one in terms], "offers.terms")

    async def find(self, skus: Sequence[str]) -> Mapping[str, Found]:
        """Look listings up by the seller's SKU."""
        response = await self._send("/offers/search", {"skus": list(skus)}, "offers.find")
        return wire.found(wire.rows_of(response, "offers"), self.settings.currency)

    async def _offer(self, items: Sequence[Any], operation: str) -> Outcomes:
        response = await self._send("/offers", {"offers": list(items)}, operation)
        rows = wire.rows_of(response, "results")
        return {str(row.get("sku")): wire.outcome(row) for row in rows}

    # --- orders -----------------------------------------------------------------------------------

    async def orders_since(self, cursor: str) -> OrderPage:
        """Poll by time of change; the cursor is the marketplace's own."""
        query = {"after": cursor} if cursor else {}
        page = wire.object_of(await self._get("/orders", "orders.poll", query=query))
        keys, following = page.get("orders"), page.get("next")
        if not isinstance(keys, list) or not isinstance(following, str):
            raise RetryLater("Acme Market's list of orders cannot be read")
        return OrderPage(tuple(map(str, keys)), following, more=page.get("more") is True)

    async def order(self, key: str) -> MarketOrder | None:
        """Read one order."""
        response = await self._get(f"/orders/{quote(key, safe='')}", "orders.read", ok=(404,))
        if response.status == 404:
            return None
        return wire.order(wire.object_of(response), self.settings.currency)

    # --- calls ------------------------------------------------------------------------------------

    async def _get(
        self,
        path: str,
        operation: str,
        *,
        query: Mapping[str, str] | None = None,
        ok: Sequence[int] = (),
    ) -> Response:
        request = Request("GET", path, query or {}, self._headers(), operation=operation)
        return expect(await self.http.send(request), ok=ok)

    async def _send(self, path: str, body: Any, operation: str) -> Response:
        request = json_request("POST", path, body, headers=self._headers(), operation=operation)
        return expect(await self.http.send(request))

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.settings.api_key.get_secret_value()}"}
