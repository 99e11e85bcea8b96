"""The listing half of the simulated Mercado Livre: items, descriptions, searches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from adapters.mercadolivre.market.base import Market, invalid, problem
from adapters.mercadolivre.market.catalogue import LEAVES, MAX_TITLE, REQUIRED
from adapters.mercadolivre.market.events import whole
from adapters.mercadolivre.market.state import SimItem
from connector.sdk import Request, Response, from_major, json_response
from connector.sdk.testing.simulator import route

_MULTIGET = 20
_SCAN_PAGE = 100
_APART = frozenset({"price", "available_quantity", "status", "deleted", "stock_locations"})


@dataclass(slots=True)
class Scroll:
    """A scan under way."""

    ids: list[str]
    until: datetime


class ShelfSide(Market):
    """Everything below ``/items``, and the seller's searches."""

    def __init__(self, **everything: Any) -> None:
        super().__init__(**everything)
        self.items: dict[str, SimItem] = {}
        self.refused: dict[str, str] = {}
        self._by_sku: dict[str, list[SimItem]] = {}
        self._scrolls: dict[str, Scroll] = {}

    # --- making -----------------------------------------------------------------------------------

    @route("POST", "/items")
    async def create_item(self, request: Request) -> Response:
        """List something."""
        if self.settings.multi_origin:
            return problem(400, "bad_request", "use /items/multiwarehouse")
        return self._create(request)

    @route("POST", "/items/multiwarehouse")
    async def create_at_origins(self, request: Request) -> Response:
        """List something whose stock is at the seller's origins."""
        body = request.json() or {}
        if "available_quantity" in body:
            return invalid((0, "item.available_quantity.invalid", "use stock_locations"))
        return self._create(request)

    def _create(self, request: Request) -> Response:
        body = request.json()
        if not isinstance(body, dict):
            return problem(400, "bad_request", "invalid json")
        if causes := self._wrong(body):
            return invalid(*causes)
        sku = _sku(body)
        if sku in self.refused:
            return invalid((0, "item.refused", self.refused[sku]))
        prefix = f"{self.settings.site}U"
        item = SimItem(
            id=f"{self.settings.site}{self.next_id('item', 3_737_188_000)}",
            sku=sku,
            body={name: value for name, value in body.items() if name not in _APART},
            price_minor=self._minor(body["price"]),
            quantity=0,
            created_at=self.now(),
            user_product_id=f"{prefix}{self.next_id('product', 1_458_960_000)}",
        )
        places = body.get("stock_locations") or []
        units = sum(int(place["quantity"]) for place in places)
        item.set_stock(int(body.get("available_quantity", units)))
        item.remember(self.now(), by_seller=True)
        self.items[item.id] = item
        self._by_sku.setdefault(sku, []).append(item)
        self.record("item.created", item_id=item.id, sku=sku)
        return json_response(self._wire(item), 201)

    def _wrong(self, body: Mapping[str, Any]) -> list[tuple[int, str, str]]:
        """Everything that is wrong with a new listing."""
        users = self.settings.user_products
        name = "family_name" if users else "title"
        category = str(body.get("category_id") or "")
        units = body.get("available_quantity", 0)
        title = str(body.get(name) or "")
        rules = [
            (bool(title), 369, f"item.{name}.missing", f"{name} is required"),
            (len(title) <= MAX_TITLE, 3704, f"item.{name}.length", f"{name} is too long"),
            (
                not (users and {"title", "variations"} & body.keys()),
                0,
                "item.title.invalid",
                "The fields [title, variations] are invalid for requested call",
            ),
            (category in LEAVES, 126, "item.category_id.invalid", f"{category} is not a leaf"),
            (bool(body.get("pictures")), 173, "item.pictures.missing", "pictures are required"),
            (
                isinstance(units, int) and units >= 0,
                0,
                "item.available_quantity.invalid",
                "invalid",
            ),
            (
                body.get("currency_id") == self.settings.currency,
                0,
                "item.currency_id.invalid",
                "invalid",
            ),
            (bool(_sku(body)), 0, "item.seller_sku.missing", "the simulator wants a SELLER_SKU"),
        ]
        causes = [(ident, code, words) for kept, ident, code, words in rules if not kept]
        return causes + self._missing(body, category) + self._bad_price(body)

    def _missing(self, body: Mapping[str, Any], category: str) -> list[tuple[int, str, str]]:
        told = {str(row.get("id")) for row in body.get("attributes") or ()}
        return [
            (147, "item.attributes.missing_required", f"The attribute {name} is required")
            for name in REQUIRED.get(category, ())
            if name not in told
        ]

    def _bad_price(self, body: Mapping[str, Any]) -> list[tuple[int, str, str]]:
        try:
            if self._minor(body.get("price")) >= 100:
                return []
        except (ArithmeticError, ValueError):
            pass
        return [(109, "item.price.invalid", "The minimum price of the category is 1")]

    def _minor(self, amount: Any) -> int:
        return from_major(str(amount), self.settings.currency).minor

    # --- changing --------------------------------------------------------------------------------

    @route("PUT", "/items/{item_id}")
    async def change_item(self, request: Request, item_id: str) -> Response:
        """Change some fields of a listing."""
        item, body = self.items.get(item_id), request.json()
        if item is None or item.deleted:
            return problem(404, "not_found", f"Item with id {item_id} not found")
        if not isinstance(body, dict) or self.stranger(request):
            return problem(403, "forbidden", "not the owner")
        if self.chance(self.settings.lock_share):
            return problem(409, "conflict", "item optimistic locking error")
        if item.sku in self.refused:
            return invalid((0, "item.refused", self.refused[item.sku]))
        refusal = self._no_change(item, body)
        if refusal is not None:
            return refusal
        warnings = self._apply(item, body)
        item.remember(self.now(), by_seller=True)
        self.record("item.changed", item_id=item.id, sku=item.sku, fields=sorted(body))
        return json_response(self._wire(item) | {"warnings": warnings})

    def _no_change(self, item: SimItem, body: Mapping[str, Any]) -> Response | None:
        if item.status == "closed" and set(body) != {"deleted"}:
            return invalid((0, "item.status.invalid", "The item is closed and cannot be changed"))
        if item.automated and set(body) == {"price"}:
            return problem(400, "bad_request", "The item has price automation")
        if self.settings.multi_origin and "available_quantity" in body:
            return invalid((0, "item.available_quantity.not_modifiable", "use the stock's origins"))
        if self.settings.user_products and {"title", "variations"} & body.keys():
            return invalid((0, "item.title.not_modifiable", "use family_name"))
        if body.get("status") == "active" and item.quantity <= 0:
            return invalid((0, "item.status.invalid", "There is no stock"))
        if body.get("deleted") and item.status != "closed":
            return invalid((0, "item.deleted.invalid", "Close it first"))
        return self._bad_terms(body)

    def _bad_terms(self, body: Mapping[str, Any]) -> Response | None:
        if "price" in body and (wrong := self._bad_price(body)):
            return invalid(*wrong)
        units = body.get("available_quantity", 0)
        if not isinstance(units, int) or units < 0:
            return invalid((0, "item.available_quantity.invalid", "invalid"))
        return None

    def _apply(self, item: SimItem, body: Mapping[str, Any]) -> list[Any]:
        warnings: list[Any] = []
        item.body |= {name: value for name, value in body.items() if name not in _APART}
        if "price" in body and item.automated:
            warnings.append({"code": "item.price.not_modifiable", "message": "price automation"})
        elif "price" in body:
            item.price_minor = self._minor(body["price"])
        if "available_quantity" in body:
            item.set_stock(int(body["available_quantity"]))
        if body.get("deleted"):
            item.deleted = True
        match body.get("status"):
            case "closed":
                item.status, item.sub_status = "closed", []
            case "paused":
                item.status = "paused"
                item.sub_status.append("paused_by_seller")
            case "active":
                item.status, item.sub_status = "active", []
        return warnings

    @route("PUT", "/items/{item_id}/description")
    async def change_description(self, request: Request, item_id: str) -> Response:
        """Replace a description."""
        item = self.items.get(item_id)
        if item is None or item.description is None:
            return problem(404, "not_found", "The item has no description")
        return self._describe(item, request)

    @route("POST", "/items/{item_id}/description")
    async def add_description(self, request: Request, item_id: str) -> Response:
        """Add a description."""
        item = self.items.get(item_id)
        if item is None:
            return problem(404, "not_found", "no such item")
        return self._describe(item, request)

    def _describe(self, item: SimItem, request: Request) -> Response:
        text = (request.json() or {}).get("plain_text")
        if not isinstance(text, str):
            return problem(400, "bad_request", "plain_text is missing")
        bad = next((at for at, each in enumerate(text) if ord(each) > 0xFFFF), None)
        if bad is not None:
            return invalid(
                (398, "item.description.type.invalid", "The description must be in plain text")
            )
        item.description = text
        return json_response({"text": "", "plain_text": text}, 201)

    # --- reading ----------------------------------------------------------------------------------

    @route("GET", "/items/{item_id}")
    async def read_item(self, request: Request, item_id: str) -> Response:
        """One listing."""
        item = self.items.get(item_id)
        if item is None:
            return problem(404, "not_found", f"Item with id {item_id} not found")
        return json_response(self._seen(item, request))

    @route("GET", "/items")
    async def read_items(self, request: Request) -> Response:
        """Up to twenty listings, each with a code of its own."""
        ids = [ident for ident in request.query.get("ids", "").split(",") if ident]
        if not ids or len(ids) > _MULTIGET:
            return problem(400, "bad_request", f"1 to {_MULTIGET} ids are allowed")
        rows = []
        for ident in ids:
            item = self.items.get(ident)
            if item is None:
                rows.append({"code": 404, "body": {"id": ident, "error": "not_found"}})
            else:
                rows.append({"code": 200, "body": self._seen(item, request)})
        return json_response(rows)

    def _seen(self, item: SimItem, request: Request) -> dict[str, Any]:
        """A listing as its reader may see it: strangers learn no numbers."""
        wire = self._wire(item)
        hidden = ("available_quantity", "sold_quantity") if self.stranger(request) else ()
        return {name: value for name, value in wire.items() if name not in hidden}

    def _wire(self, item: SimItem) -> dict[str, Any]:
        return item.to_wire(self.settings.currency, self.settings.site)

    @route("GET", "/users/{user_id}/items/search")
    async def search_items(self, request: Request, user_id: str) -> Response:
        """Ids of the seller's listings: by SKU, page by page, or by a scan."""
        if user_id != self.settings.user_id or self.stranger(request):
            return problem(403, "forbidden", "not your listings")
        query = request.query
        if query.get("search_type") == "scan":
            return self._scan(query)
        indexed = self.now() - timedelta(seconds=self.settings.search_lag_s)
        sku = query.get("seller_sku")
        rows = self.items.values() if sku is None else self._by_sku.get(sku, [])
        ids = [item.id for item in rows if not item.deleted and item.created_at <= indexed]
        start, limit = whole(query.get("offset"), 0), min(whole(query.get("limit"), 50), 50)
        paging = {"total": len(ids), "offset": start, "limit": limit}
        page = ids[start : start + limit]
        return json_response({"seller_id": user_id, "results": page, "paging": paging})

    def _scan(self, query: Mapping[str, str]) -> Response:
        """A scan keeps its list for five minutes, and takes no offset."""
        if "offset" in query:
            return problem(400, "bad_request", "scan takes no offset")
        ident = query.get("scroll_id", "")
        scroll = self._scrolls.get(ident)
        if ident and (scroll is None or scroll.until <= self.now()):
            return problem(400, "bad_request", "the scroll_id has expired")
        until = self.now() + timedelta(seconds=self.settings.scroll_s)
        if scroll is None:
            ident = self.next_id("scroll", 7000)
            living = [item.id for item in self.items.values() if not item.deleted]
            scroll = self._scrolls[ident] = Scroll(living, until)
        limit = min(whole(query.get("limit"), 50), _SCAN_PAGE)
        page, scroll.ids = scroll.ids[:limit], scroll.ids[limit:]
        return json_response({"results": page, "scroll_id": ident if page else None})

    # --- for buyers -------------------------------------------------------------------------------

    def offered(self, sku: str) -> SimItem | None:
        """The listing a buyer would see of a SKU: the first that lives."""
        living = [item for item in self._by_sku.get(sku, []) if not item.gone]
        return next((item for item in living if item.shown), living[0] if living else None)


def _sku(body: Mapping[str, Any]) -> str:
    rows = body.get("attributes") or []
    return next((str(r.get("value_name") or "") for r in rows if r.get("id") == "SELLER_SKU"), "")
