"""The listing half of the simulated Demo Market: batches, lots, and what is for sale."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from adapters.demo.market.base import LEAVES, problem
from adapters.demo.market.catalogue import CatalogueSide, missing_attributes
from adapters.demo.market.state import (
    SimListing,
    SimLot,
    Terms,
    listing_to_wire,
    listing_url,
    minor,
)
from adapters.demo.wire import MAX_STOCK, MAX_TITLE, ean_is_valid
from connector.sdk import Clock, Http, Request, Response, json_response
from connector.sdk.testing.simulator import route

Item = dict[str, Any]
Row = dict[str, Any]

_TERMS = frozenset({"seller_sku", "price", "list_price", "currency", "stock"})


class ListingSide(CatalogueSide):
    """Everything below ``/v1/listings`` and ``/v1/lots``."""

    def __init__(self, *, clock: Clock, outbound: Http, **others: Any) -> None:
        super().__init__(clock=clock, outbound=outbound, **others)
        self._listings: dict[str, SimListing] = {}
        self.lots: dict[str, SimLot] = {}
        self._due: list[tuple[datetime, int, str, tuple[str, ...]]] = []
        self._waiting: Counter[str] = Counter()

    @property
    def listings(self) -> dict[str, SimListing]:
        """Listings by seller SKU, as they stand now."""
        self.settle_lots()
        return self._listings

    async def handle(self, request: Request) -> Response:
        """Answer one request, after whatever has become due."""
        self.settle_lots()
        return await super().handle(request)

    # --- routes ---------------------------------------------------------------------------------

    @route("POST", "/v1/listings")
    async def create_listings(self, request: Request) -> Response:
        """Create listings, at once or in a lot."""
        items = self.batch(request, "items")
        if isinstance(items, Response):
            return items
        lot = None
        if self.chance(self.settings.lot_share):
            lot = SimLot(self.next_id("LOT"), self.now(), {})
        rows = [self._create(item, lot) for item in items]
        if lot is None or not lot.waiting:
            return self._answer("listings.create", rows)
        self._schedule(lot)
        return self._answer("listings.create", rows, lot.lot_id)

    @route("PUT", "/v1/listings")
    async def replace_listings(self, request: Request) -> Response:
        """Replace content, price and stock of listings."""
        return self._each(request, "listings.content", self._replace)

    @route("PUT", "/v1/listings/terms")
    async def set_terms(self, request: Request) -> Response:
        """Set price and stock of listings."""
        return self._each(request, "listings.terms", self._set_terms)

    @route("POST", "/v1/listings/block")
    async def block_listings(self, request: Request) -> Response:
        """Take listings off sale."""
        return self._each(request, "listings.block", self._block, "seller_skus")

    @route("POST", "/v1/listings/delete")
    async def delete_listings(self, request: Request) -> Response:
        """Remove listings."""
        return self._each(request, "listings.delete", self._delete, "seller_skus")

    @route("POST", "/v1/listings/search")
    async def search_listings(self, request: Request) -> Response:
        """Listings by seller SKU; unknown ones are left out."""
        skus = self.batch(request, "seller_skus")
        if isinstance(skus, Response):
            return skus
        found = [self._listings[str(sku)] for sku in skus if str(sku) in self._listings]
        rows = [listing_to_wire(listing, self.settings.currency) for listing in found]
        return json_response({"items": rows})

    @route("GET", "/v1/lots/{lot_id}")
    async def read_lot(self, request: Request, lot_id: str) -> Response:
        """How far a lot is."""
        del request
        lot = self.lots.get(lot_id)
        kept = timedelta(seconds=self.settings.lot_kept_s)
        if lot is not None and self.now() - lot.created_at > kept:
            self._forget(lot)
            lot = None
        if lot is None:
            return problem(404, "not_found", "No such lot, or it is too old")
        state = "open" if lot.waiting else "finished"
        return json_response({"lot_id": lot_id, "state": state, "items": lot.settled})

    # --- one item -------------------------------------------------------------------------------

    def _create(self, item: Any, lot: SimLot | None) -> Row:
        refusal = self._refusal(item)
        if refusal is not None:
            return refusal
        sku = str(item["seller_sku"])
        if lot is not None and sku not in self._listings:
            if sku not in lot.waiting:
                self._waiting[sku] += 1
            lot.waiting[sku] = item
            return {"seller_sku": sku, "status": "in_lot"}
        return self._unlucky(sku) or self._add(item)

    def _add(self, item: Item) -> Row:
        """Create a listing; one that exists with the same content is created again to no effect."""
        sku, terms, content = str(item["seller_sku"]), self._terms(item), _content(item)
        listing = self._listings.get(sku)
        if listing is None:
            listing = SimListing(
                sku=sku,
                market_id=self.next_id("DM"),
                content=content,
                price_minor=terms.price_minor,
                list_price_minor=terms.list_price_minor,
                stock=terms.stock,
            )
            self._listings[sku] = listing
            listing.remember(self.now(), "created")
            return _done(listing)
        if listing.content != content:
            message = f"SKU {sku} exists already as {listing.market_id}, with other content"
            row = fate(sku, "conflict", "already_exists", message)
            return row | {"listing_id": listing.market_id}
        return self._apply(listing, terms, "created-again")

    def _replace(self, item: Any) -> Row:
        refusal = self._refusal(item)
        if refusal is not None:
            return refusal
        listing = self._existing(str(item["seller_sku"]))
        if isinstance(listing, dict):
            return listing
        listing.content = _content(item)
        return self._apply(listing, self._terms(item), "content")

    def _set_terms(self, item: Any) -> Row:
        if not isinstance(item, dict):
            return fate("", "refused", "unreadable", "An item must be an object")
        sku = str(item.get("seller_sku") or "")
        try:
            terms = self._terms(item)
        except ValueError as error:
            return fate(sku, "refused", "bad_terms", str(error))
        listing = self._existing(sku)
        return listing if isinstance(listing, dict) else self._apply(listing, terms, "terms")

    def _block(self, sku: Any) -> Row:
        listing = self._existing(str(sku))
        if isinstance(listing, dict):
            return listing
        listing.blocked = True
        listing.remember(self.now(), "blocked")
        return _done(listing)

    def _delete(self, sku: Any) -> Row:
        # A listing still in the making is taken out of its lots, or it would come back later.
        name = str(sku)
        waiting = self._waiting[name]
        for lot in [lot for lot in self.lots.values() if waiting and name in lot.waiting]:
            del lot.waiting[name]
            self._waiting[name] -= 1
            lot.settled.append(fate(name, "refused", "deleted", "Deleted before it was created"))
        listing = self._listings.pop(name, None)
        if listing is not None:
            return _done(listing)
        if waiting:
            return {"seller_sku": name, "status": "done"}
        return fate(name, "unknown", "unknown_sku", f"There is no listing of SKU {name}")

    def _apply(self, listing: SimListing, terms: Terms, kind: str) -> Row:
        listing.price_minor = terms.price_minor
        listing.list_price_minor = terms.list_price_minor
        listing.stock = terms.stock
        if terms.stock > 0:
            listing.blocked = False
        listing.remember(self.now(), kind)
        return _done(listing)

    # --- why not --------------------------------------------------------------------------------

    def _existing(self, sku: str) -> SimListing | Row:
        listing = self._listings.get(sku)
        if listing is None and self._waiting[sku]:
            return fate(sku, "retry", "in_creation", "The listing is still being created")
        if listing is None:
            return fate(sku, "unknown", "unknown_sku", f"There is no listing of SKU {sku}")
        return self._unlucky(sku) or listing

    def _unlucky(self, sku: str) -> Row | None:
        if self.chance(self.settings.item_failure):
            row = fate(sku, "retry", "busy", "The item could not be handled now")
            return row | {"retry_after_s": self.rng.choice((0, 1, 5))}
        if self.chance(self.settings.item_refusal):
            return fate(sku, "refused", "moderation", "The item did not pass moderation")
        return None

    def _refusal(self, item: Any) -> Row | None:
        """All the rules an offer breaks, as one row."""
        if not isinstance(item, dict) or not item.get("seller_sku"):
            return fate("", "refused", "unreadable", "An item must have a seller_sku")
        title, ean = str(item.get("title") or "").strip(), str(item.get("ean") or "")
        category = str(item.get("category_id") or "")
        rules = [
            (0 < len(title) <= MAX_TITLE, "title", f"A title has 1 to {MAX_TITLE} characters"),
            (bool(item.get("images")), "images", "At least one image is needed"),
            (not ean or ean_is_valid(ean), "ean", f"EAN {ean} is not valid"),
            (category in LEAVES, "category_id", f"{category!r} is no leaf of the category tree"),
        ]
        errors = [{"code": code, "message": words} for kept, code, words in rules if not kept]
        errors += missing_attributes(category, item)
        try:
            self._terms(item)
        except ValueError as error:
            errors.append({"code": "bad_terms", "message": str(error)})
        if not errors:
            return None
        return {"seller_sku": str(item["seller_sku"]), "status": "refused", "errors": errors}

    def _terms(self, item: Item) -> Terms:
        currency, stock = self.settings.currency, item.get("stock")
        if item.get("currency") != currency:
            raise ValueError(f"The currency must be {currency}")
        price = minor(item.get("price"), currency)
        list_price = minor(item.get("list_price", item.get("price")), currency)
        if price <= 0:
            raise ValueError("The price must be above zero")
        if list_price < price:
            raise ValueError("The list price must not be below the price")
        if not isinstance(stock, int) or not 0 <= stock <= MAX_STOCK:
            raise ValueError(f"The stock must be 0 to {MAX_STOCK}")
        return Terms(price, list_price, stock)

    # --- batches and lots -----------------------------------------------------------------------

    def _each(
        self, request: Request, kind: str, act: Callable[[Any], Row], field: str = "items"
    ) -> Response:
        items = self.batch(request, field)
        if isinstance(items, Response):
            return items
        return self._answer(kind, [act(item) for item in items])

    def _answer(self, kind: str, rows: list[Row], lot_id: str | None = None) -> Response:
        self.record(kind, lot_id=lot_id, items=[[row["seller_sku"], row["status"]] for row in rows])
        told = [row for row in rows if not self.chance(self.settings.item_silence)]
        return json_response({"lot_id": lot_id, "items": told}, 202 if lot_id else 200)

    def _schedule(self, lot: SimLot) -> None:
        self.lots[lot.lot_id] = lot
        modes = self.settings.lot_modes
        mode = self.rng.choices(list(modes), list(modes.values()))[0]
        skus, half = tuple(lot.waiting), (len(lot.waiting) + 1) // 2
        plan = {
            "settle": [(1, skus)],
            "partly": [(1, skus[:half]), (3, skus[half:])],
            "late": [(5, skus)],
            "never": [],
        }[mode]
        for times, some in plan:
            at = lot.created_at + timedelta(seconds=self.settings.lot_s * times)
            heapq.heappush(self._due, (at, len(self.lots), lot.lot_id, some))
        self.record("lot.opened", lot_id=lot.lot_id, mode=mode, skus=list(skus))

    def settle_lots(self) -> None:
        """Create what is due in lots."""
        while self._due and self._due[0][0] <= self.now():
            _, _, lot_id, skus = heapq.heappop(self._due)
            lot = self.lots.get(lot_id)
            if lot is not None:
                self._settle(lot, skus)

    def _settle(self, lot: SimLot, skus: Iterable[str]) -> None:
        rows = []
        for sku in skus:
            item = lot.waiting.pop(sku, None)
            if item is not None:
                self._waiting[sku] -= 1
                rows.append(self._unlucky(sku) or self._add(item))
        lot.settled += rows
        settled = [[row["seller_sku"], row["status"]] for row in rows]
        self.record("lot.settled", lot_id=lot.lot_id, items=settled)

    def _forget(self, lot: SimLot) -> None:
        for sku in lot.waiting:
            self._waiting[sku] -= 1
        del self.lots[lot.lot_id]


def _content(item: Item) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in _TERMS}


def fate(sku: str, status: str, code: str, message: str) -> Row:
    """One item of an answer that is no success."""
    errors = [{"code": code, "message": message}]
    return {"seller_sku": sku, "status": status, "errors": errors}


def _done(listing: SimListing) -> Row:
    return {
        "seller_sku": listing.sku,
        "status": "done",
        "listing_id": listing.market_id,
        "url": listing_url(listing.market_id),
    }
