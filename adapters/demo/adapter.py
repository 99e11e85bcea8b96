"""The worked example: an adapter that uses everything a marketplace can have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import Field, HttpUrl, SecretStr, ValidationError

from adapters.demo import cart, wire
from adapters.demo.described import ERRORS, FIELDS
from connector.sdk import (
    Adapter,
    AdapterSettings,
    AlreadyDone,
    AppCall,
    BadWebhook,
    Capability,
    Category,
    CategoryAttribute,
    CategoryGuess,
    Done,
    Found,
    Invoice,
    Limit,
    LotStatus,
    MarketOrder,
    Misconfigured,
    Offer,
    OrderPage,
    Outcome,
    Outcomes,
    PriceStock,
    Rejected,
    Request,
    Response,
    RetryLater,
    Scope,
    Tracking,
    expect,
    json_request,
)

_ALREADY = {"already_accepted", "already_cancelled", "already_delivered"}
_NOT_YET = {"cart_incomplete", "not_paid"}


class DemoSettings(AdapterSettings):
    """One seller's account on Demo Market."""

    base_url: HttpUrl = Field(title="API address", description="Told by Demo Market.")
    seller_id: str = Field(title="Seller id", min_length=1, description="Seller centre, Profile.")
    api_key: SecretStr = Field(title="API key", description="Seller centre, Integrations.")
    webhook_secret: SecretStr = Field(title="Webhook secret", description="Signs webhooks to us.")


class DemoAppSettings(AdapterSettings):
    """What all connections share: the application Demo Market knows the hub as."""

    webhook_secret: SecretStr = Field(
        title="Application webhook secret", description="Demo Market, developer page."
    )


class DemoAdapter(Adapter[DemoSettings]):
    """Demo Market: batches with partial failure, lots, carts, webhooks, polling and all writes."""

    name = "demo"
    title = "Demo Market"
    settings_model = DemoSettings
    app_settings_model = DemoAppSettings
    capabilities = frozenset(Capability) - {Capability.TOKENS}
    # A little below what Demo Market allows, for both ends round time differently.
    limits = (
        Limit(Scope.CONNECTION, rate=18, burst=30),
        Limit(Scope.OPERATION, rate=4, burst=8, operation="listings.create"),
    )
    batch_size = 100
    max_stock = wire.MAX_STOCK
    fields = FIELDS
    errors = ERRORS

    @classmethod
    def base_url(cls, settings: DemoSettings) -> str:
        """The address that Demo Market told the seller."""
        return str(settings.base_url).rstrip("/")

    @classmethod
    def tenant(cls, settings: DemoSettings) -> str:
        """Application webhooks name the seller."""
        return settings.seller_id

    async def check(self) -> str:
        """Ask whose key this is."""
        account = wire.object_of(await self._get("/v1/account", "account.read"))
        if account.get("seller_id") != self.settings.seller_id:
            raise Misconfigured("the API key belongs to another seller than the seller id says")
        return str(account.get("name") or self.settings.seller_id)

    def validate(self, offer: Offer) -> list[str]:
        """Demo Market's own rules, all of them at once."""
        return wire.broken_rules(offer)

    # --- listings -------------------------------------------------------------------------------

    async def create(self, offers: Sequence[Offer]) -> Outcomes:
        """Create listings; those that turn out to exist with other content are brought up to date.

        That makes a repeated create converge, whatever became of the first.
        """
        items = [wire.offer_to_wire(offer) for offer in offers]
        outcomes, conflicts = await self._batch("POST", "/v1/listings", items, "listings.create")
        there = [offer for offer in offers if offer.sku in conflicts]
        return outcomes | dict(await self.update_content(there)) if there else outcomes

    async def update_content(self, offers: Sequence[Offer]) -> Outcomes:
        """Replace content, price and stock."""
        items = [wire.offer_to_wire(offer) for offer in offers]
        return (await self._batch("PUT", "/v1/listings", items, "listings.content"))[0]

    async def update_price_stock(self, terms: Sequence[PriceStock]) -> Outcomes:
        """Set price and stock; a stock above zero unblocks."""
        items = [wire.terms_to_wire(one) for one in terms]
        return (await self._batch("PUT", "/v1/listings/terms", items, "listings.terms"))[0]

    async def block(self, terms: Sequence[PriceStock]) -> Outcomes:
        """Take listings off sale."""
        return await self._by_sku("/v1/listings/block", terms, "listings.block")

    async def delete(self, terms: Sequence[PriceStock]) -> Outcomes:
        """Remove listings."""
        return await self._by_sku("/v1/listings/delete", terms, "listings.delete")

    async def find(self, skus: Sequence[str]) -> Mapping[str, Found]:
        """Look listings up by the seller's SKU."""
        body = {"seller_skus": list(skus)}
        response = await self._send("POST", "/v1/listings/search", body, "listings.find")
        try:
            rows = [wire.WireListing.model_validate(row) for row in wire.rows_of(response)]
        except ValidationError:
            raise RetryLater("Demo Market's listings cannot be read") from None
        return {row.seller_sku: row.found() for row in rows}

    async def lot(self, lot_id: str) -> LotStatus:
        """Ask about a lot; a forgotten one is over, and what it left open is asked about again."""
        response = await self._get(f"/v1/lots/{_part(lot_id)}", "lots.read", ok=(404,))
        if response.status == 404:
            return LotStatus(finished=True, outcomes={})
        outcomes, _ = self._outcomes(response)
        return LotStatus(wire.object_of(response).get("state") == "finished", outcomes)

    async def categories(self) -> Sequence[Category]:
        """Read the tree page by page."""
        found: dict[str, Category] = {}
        page = ""
        while True:
            query = {"page": page} if page else {}
            response = await self._get("/v1/categories", "categories.read", query=query)
            for row in wire.rows_of(response):
                node = Category(
                    id=str(row.get("id")),
                    name=str(row.get("name")),
                    parent_id=str(row.get("parent_id") or ""),
                    leaf=bool(row.get("leaf", True)),
                )
                found[node.id] = node
            following = str(wire.object_of(response).get("next") or "")
            if following in ("", page):
                return list(found.values())
            page = following

    async def attributes(self, category_id: str) -> Sequence[CategoryAttribute]:
        """Read what a leaf wants to know; a category that takes no products wants nothing."""
        path = f"/v1/categories/{_part(category_id)}/attributes"
        response = await self._get(path, "attributes.read", ok=(404,))
        return () if response.status == 404 else list(map(wire.attribute, wire.rows_of(response)))

    async def predict_category(self, title: str) -> Sequence[CategoryGuess]:
        """Ask Demo Market's predictor."""
        query = {"title": title}
        response = await self._get("/v1/predictor", "categories.predict", query=query)
        return [
            CategoryGuess(
                category_id=str(row.get("category_id") or ""),
                name=str(row.get("name") or ""),
                score=wire.number(row.get("score")),
            )
            for row in wire.rows_of(response)
        ]

    async def category_by_ean(self, ean: str) -> str:
        """Ask where Demo Market has a product."""
        response = await self._get(f"/v1/products/{_part(ean)}", "products.read", ok=(404,))
        if response.status == 404:
            return ""
        return str(wire.object_of(response).get("category_id") or "")

    # --- orders -----------------------------------------------------------------------------------

    def webhook(self, request: Request, now: datetime) -> Sequence[str]:
        """The carts that a connection's webhook names."""
        secret = self.settings.webhook_secret.get_secret_value()
        events = wire.verified_events(request, secret, now)
        if any(event.get("seller_id") != self.settings.seller_id for event in events):
            raise BadWebhook("the webhook speaks of another seller")
        return list(dict.fromkeys(str(event["cart_id"]) for event in events))

    @classmethod
    def app_webhook(
        cls, settings: AdapterSettings | None, request: Request, now: datetime
    ) -> Sequence[AppCall]:
        """The carts that the application's webhook names, with their sellers."""
        if not isinstance(settings, DemoAppSettings):
            raise BadWebhook("no application webhook secret is set")
        events = wire.verified_events(request, settings.webhook_secret.get_secret_value(), now)
        calls = [AppCall(str(e.get("seller_id") or ""), str(e["cart_id"])) for e in events]
        return list(dict.fromkeys(call for call in calls if call.tenant))

    async def orders_since(self, cursor: str) -> OrderPage:
        """Poll by time of change, five minutes of Demo Market's own time overlapping."""
        place = wire.Cursor.parse(cursor)
        response = await self._get("/v1/orders", "orders.poll", query=place.query())
        rows = wire.rows_of(response)
        after = place.advance(
            [str(row.get("updated_at") or "") for row in rows],
            page=str(wire.object_of(response).get("next") or ""),
        )
        keys = dict.fromkeys(str(row["cart_id"]) for row in rows if row.get("cart_id"))
        return OrderPage(tuple(keys), str(after), more=bool(after.page))

    async def order(self, key: str) -> MarketOrder | None:
        """Read a cart."""
        response = await self._get(f"/v1/carts/{_part(key)}", "orders.read", ok=(404,))
        return None if response.status == 404 else cart.read_cart(wire.object_of(response))

    async def accept(self, key: str) -> None:
        """Take all orders of the cart."""
        await self._act("POST", f"/v1/carts/{_part(key)}/accept", {}, "orders.accept")

    async def cancel(self, key: str, reason: str) -> None:
        """Cancel all orders of the cart."""
        body = {"reason": reason}
        await self._act("POST", f"/v1/carts/{_part(key)}/cancel", body, "orders.cancel")

    async def send_invoice(self, key: str, invoice: Invoice) -> None:
        """Hand over an invoice; Demo Market keeps one per number."""
        body = cart.invoice_to_wire(invoice)
        await self._act("POST", f"/v1/carts/{_part(key)}/invoices", body, "orders.invoice")

    async def send_tracking(self, key: str, tracking: Tracking) -> None:
        """Say, or correct, how an invoice's parcel travels."""
        path = f"/v1/carts/{_part(key)}/invoices/{_part(tracking.invoice_number)}/tracking"
        body = tracking.model_dump(exclude={"invoice_number"})
        await self._act("PUT", path, body, "orders.tracking")

    async def send_delivered(self, key: str, invoice_number: str, delivered_at: datetime) -> None:
        """Say that an invoice's parcel has arrived."""
        path = f"/v1/carts/{_part(key)}/invoices/{_part(invoice_number)}/delivered"
        body = {"delivered_at": delivered_at.isoformat()}
        await self._act("POST", path, body, "orders.delivered")

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

    async def _send(
        self, method: str, path: str, body: Any, operation: str, ok: Sequence[int] = ()
    ) -> Response:
        request = json_request(method, path, body, headers=self._headers(), operation=operation)
        return expect(await self.http.send(request), ok=ok)

    async def _act(self, method: str, path: str, body: Any, operation: str) -> None:
        """Do something to a cart; Demo Market tells in words why it will not."""
        response = await self._send(method, path, body, operation, ok=(404, 409, 422))
        if response.ok:
            return
        problem = wire.object_of(response)
        message = str(problem.get("message") or f"HTTP {response.status}")
        if problem.get("code") in _ALREADY:
            raise AlreadyDone(message)
        if problem.get("code") in _NOT_YET:
            raise RetryLater(message)
        raise Rejected([message])

    async def _by_sku(self, path: str, terms: Sequence[PriceStock], operation: str) -> Outcomes:
        """Block or delete; what Demo Market does not know is as gone as it was asked to be."""
        body = {"seller_skus": [one.sku for one in terms]}
        response = await self._send("POST", path, body, operation)
        unknown = {
            str(row.get("seller_sku")): Done()
            for row in wire.rows_of(response)
            if row.get("status") == "unknown"
        }
        return self._outcomes(response)[0] | unknown

    async def _batch(
        self, method: str, path: str, items: Sequence[Any], operation: str
    ) -> tuple[dict[str, Outcome], set[str]]:
        return self._outcomes(await self._send(method, path, {"items": items}, operation))

    def _outcomes(self, response: Response) -> tuple[dict[str, Outcome], set[str]]:
        """Outcome per SKU, and the SKUs that exist already with other content."""
        lot_id = str(wire.object_of(response).get("lot_id") or "")
        outcomes: dict[str, Outcome] = {}
        conflicts = set()
        for row in wire.rows_of(response):
            sku, read = str(row.get("seller_sku")), wire.outcome(row, lot_id)
            if read is not None:
                outcomes[sku] = read
            if row.get("status") == "conflict":
                conflicts.add(sku)
        return outcomes, conflicts

    def _headers(self) -> dict[str, str]:
        key = self.settings.api_key.get_secret_value()
        return {"authorization": f"Bearer {key}", "accept": "application/json"}


def _part(text: str) -> str:
    """One part of a path, percent-encoded."""
    return quote(text, safe="")
