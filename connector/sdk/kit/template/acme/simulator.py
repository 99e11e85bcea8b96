"""A simulated Acme Market: the routes the adapter calls; its books are kept by PlainMarket."""

from __future__ import annotations

from typing import Any

from connector.sdk import Money, Request, Response, from_major, json_response
from connector.sdk.testing.plain import PlainListing, PlainMarket, PlainOrder
from connector.sdk.testing.simulator import route

_KEY = "sim-key"
_CURRENCY = "BRL"


class AcmeSimulator(PlainMarket):
    """The marketplace as far as the adapter goes."""

    def seller_settings(self, base_url: str) -> dict[str, Any]:
        """The adapter settings with which a connection reaches this simulator."""
        return {"base_url": base_url, "api_key": _KEY, "currency": _CURRENCY}

    def refuse_unauthorized(self, request: Request) -> Response | None:
        """Ask for the API key."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("authorization") == f"Bearer {_KEY}":
            return None
        return json_response({"message": "unknown key"}, 401)

    @route("GET", "/account")
    async def account(self, request: Request) -> Response:
        """Whose key this is."""
        del request
        return json_response({"name": "Simulated seller"})

    @route("POST", "/offers")
    async def offers(self, request: Request) -> Response:
        """Create listings, or change them."""
        items = (request.json() or {}).get("offers", [])
        return json_response({"results": [self._offer(item) for item in items]})

    def _offer(self, item: dict[str, Any]) -> dict[str, Any]:
        sku = str(item["sku"])
        if sku in self.refused:
            return {"sku": sku, "ok": False, "error": self.refused[sku]}
        price = from_major(str(item["price"]), _CURRENCY).minor
        text = f"{item['title']} {item.get('description', '')}" if "title" in item else ""
        listing = self.put(sku, price_minor=price, stock=int(item["stock"]), text=text)
        return {"sku": sku, "ok": True, "id": listing.market_id}

    @route("POST", "/offers/search")
    async def search(self, request: Request) -> Response:
        """Listings by SKU; unknown ones are left out."""
        skus = (request.json() or {}).get("skus", [])
        found = [self.listings[sku] for sku in skus if sku in self.listings]
        return json_response({"offers": [_listing(listing) for listing in found]})

    @route("GET", "/orders")
    async def poll(self, request: Request) -> Response:
        """Keys of orders that changed after a place in the list of all changes."""
        done = int(request.query.get("after") or 0)
        rows = [(at, key) for at, key in self.changes if at > done][: self.page_size]
        last = rows[-1][0] if rows else done
        more = any(at > last for at, _ in self.changes)
        keys = [key for _, key in rows]
        return json_response({"orders": keys, "next": str(last), "more": more})

    @route("GET", "/orders/{key}")
    async def read(self, request: Request, key: str) -> Response:
        """One order."""
        del request
        found = self.orders.get(key)
        if found is None:
            return json_response({"message": "no such order"}, 404)
        return json_response(_order(found))


def _text(minor: int) -> str:
    return str(Money(minor, _CURRENCY).major())


def _listing(listing: PlainListing) -> dict[str, Any]:
    price = _text(listing.price_minor)
    return {"sku": listing.sku, "id": listing.market_id, "price": price, "stock": listing.stock}


def _order(order: PlainOrder) -> dict[str, Any]:
    sale = order.sale
    return {
        "id": order.key,
        "status": order.word,
        "created_at": order.sold_at.isoformat(),
        "lines": [
            {
                "sku": sku,
                "quantity": quantity,
                "price": _text(price),
                "discount": _text(sale.line_discount_minor),
                "tax": _text(sale.line_tax_minor),
            }
            for sku, quantity, price in order.lines
        ],
        "discount": _text(sale.discount_minor),
        "shipping": _text(sale.shipping_minor),
        "interest": _text(sale.interest_minor),
        "total": _text(order.total_minor),
        "buyer": dict(sale.buyer),
        "address": dict(sale.address),
    }
