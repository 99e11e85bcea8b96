"""Offers in the simulated platform: OF24, STO01, PRI01 and what is told about them."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from adapters.mirakl.market.base import problem
from adapters.mirakl.market.catalog import CatalogSide
from adapters.mirakl.market.forms import rows_of_csv, uploaded
from adapters.mirakl.market.imports import Apply, Row, created
from adapters.mirakl.market.shelfwire import offer_to_wire
from adapters.mirakl.market.state import Change, SimImport, SimOffer
from connector.sdk import Request, Response, from_major, json_response
from connector.sdk.testing.simulator import route

MOST_STOCK = 2_147_483_647


class ShelfSide(CatalogSide):
    """Everything below ``/api/offers``."""

    def __init__(self, **everything: Any) -> None:
        super().__init__(**everything)
        self._offers: dict[str, SimOffer] = {}

    @property
    def offers(self) -> dict[str, SimOffer]:
        """Offers by the seller's SKU, as they stand now."""
        self.settle()
        return self._offers

    # --- taking in --------------------------------------------------------------------------------

    @route("POST", "/api/offers")
    async def of24(self, request: Request) -> Response:
        """Create, update or delete offers."""
        payload = request.json()
        rows = payload.get("offers") if isinstance(payload, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            return problem(400, "offers: must be a list")
        return created(self.take_in("OF24", rows, request.body))

    @route("POST", "/api/offers/stock/imports")
    async def sto01(self, request: Request) -> Response:
        """Set stock."""
        return self._file("STO01", request, {"offer-sku", "quantity"})

    @route("POST", "/api/offers/pricing/imports")
    async def pri01(self, request: Request) -> Response:
        """Set prices: all of an offer's are replaced."""
        return self._file("PRI01", request, {"offer-sku", "price"})

    def _file(self, kind: str, request: Request, needed: set[str]) -> Response:
        content = uploaded(request)
        rows: list[Row] = [] if content is None else [*rows_of_csv(content)]
        if content is None or (rows and not needed <= set(rows[0])):
            return problem(400, f"file: a CSV file with the columns {sorted(needed)} is expected")
        return created(self.take_in(kind, rows, content))

    def lines_of(self, kind: str) -> Apply:
        """What a line of such a file does."""
        acts = {"OF24": self._offer_line, "STO01": self._stock_line, "PRI01": self._price_line}
        return acts.get(kind) or super().lines_of(kind)

    def _offer_line(self, one: SimImport, line: int, row: Row) -> None:
        sku = str(row.get("shop_sku") or "")
        if row.get("update_delete") == "delete":
            if self._offers.pop(sku, None) is None:
                one.errors.append((line, row, "The offer does not exist"))
            else:
                one.deleted += 1
            return
        why, product_sku = self._why_not(row)
        if why:
            one.errors.append((line, row, "; ".join(why)))
            return
        known = self._offers.get(sku)
        discount = row.get("discount") or {}
        # Whatever was not sent is back at its default: nothing of the old offer is kept.
        offer = SimOffer(
            sku=sku,
            offer_id=known.offer_id if known else self.next_number("offer"),
            product_sku=product_sku,
            price_minor=self._minor(row["price"]) or 0,
            discount_minor=self._minor(discount.get("price")) if discount else None,
            quantity=int(row.get("quantity") or 0),
            fields={name: value for name, value in row.items() if name not in _MOVING},
            history=known.history if known else [],
        )
        self._offers[sku] = offer
        one.updated, one.inserted = one.updated + bool(known), one.inserted + (not known)
        self.remember(offer, "offer", by_seller=True, one=one)

    def _why_not(self, row: Row) -> tuple[list[str], str]:
        """All that is wrong with a line, and the product it is about."""
        product = self.product_by(str(row.get("product_id_type")), str(row.get("product_id")))
        price, states = self._minor(row.get("price")), dict(self.operator.states)
        quantity, discount = row.get("quantity", 0), row.get("discount") or {}
        reduced = self._minor(discount.get("price")) if discount else None
        rules = (
            (bool(row.get("shop_sku")), "The offer SKU is missing"),
            (product is not None, "The product does not exist"),
            (str(row.get("state_code")) in states, "The offer condition does not exist"),
            (price is not None and price > 0, "The price must be above zero"),
            (
                isinstance(quantity, int) and 0 <= quantity <= MOST_STOCK,
                "The quantity must be a number from 0",
            ),
            (
                reduced is None or (price is not None and 0 < reduced < price),
                "The discount price must be below the price",
            ),
        )
        return [words for kept, words in rules if not kept], product.sku if product else ""

    def _stock_line(self, one: SimImport, line: int, row: Row) -> None:
        offer = self._offers.get(str(row["offer-sku"]))
        quantity = str(row["quantity"])
        if offer is None:
            one.errors.append((line, row, "The offer does not exist"))
        elif not quantity.isdecimal() or int(quantity) > MOST_STOCK:
            one.errors.append((line, row, "The quantity is not valid"))
        else:
            offer.quantity = int(quantity)
            one.updated += 1
            self.remember(offer, "stock", by_seller=True, one=one)

    def _price_line(self, one: SimImport, line: int, row: Row) -> None:
        offer, price = self._offers.get(str(row["offer-sku"])), self._minor(row["price"])
        discount = self._minor(row.get("discount-price")) if row.get("discount-price") else None
        if offer is None:
            one.errors.append((line, row, "The offer does not exist"))
        elif price is None or price <= 0 or (discount is not None and not 0 < discount < price):
            one.errors.append((line, row, "The price is not valid"))
        elif row.get("channels"):
            one.updated += 1  # channels have prices of their own, which nobody here buys at
        else:
            offer.price_minor, offer.discount_minor = price, discount
            one.updated += 1
            self.remember(offer, "price", by_seller=True, one=one)

    def remember(
        self, offer: SimOffer, kind: str, *, by_seller: bool, one: SimImport | None = None
    ) -> None:
        """Write how the offer stands into its history."""
        sent_at = one.created_at if one else None
        offer.history.append(Change(self.now(), kind, offer.quantity, by_seller, sent_at))

    def _minor(self, amount: object) -> int | None:
        if amount is None or isinstance(amount, bool):
            return None
        try:
            return from_major(Decimal(str(amount)), self.operator.currency).minor
        except (InvalidOperation, ValueError):
            return None

    # --- telling ----------------------------------------------------------------------------------

    @route("GET", "/api/offers/imports")
    async def of04(self, request: Request) -> Response:
        """All imports of offers, newest first."""
        del request
        rows = [one for one in self.imports.values() if one.kind == "OF24"]
        more = {"origin": "API", "shop_id": self.settings.shop_id}
        data = [{**self._offer_import(one), **more} for one in reversed(rows)]
        return json_response({"data": data[: self.settings.page_size], "next_page_token": None})

    @route("GET", "/api/offers/imports/{number}")
    async def of02(self, request: Request, number: str) -> Response:
        """How far an import of offers is."""
        del request
        found = self.known_import("OF24", number)
        if isinstance(found, Response):
            return found
        return json_response({**self._offer_import(found), "type": "MIRAKL"})

    def _offer_import(self, one: SimImport) -> Row:
        return {
            **self.status_to_wire(one),
            "import_id": int(one.number),
            "mode": "NORMAL",
            "lines_read": len(one.rows) if one.finished else 0,
            "lines_in_pending": 0,
            "offer_inserted": one.inserted,
            "offer_updated": one.updated,
            "offer_deleted": one.deleted,
        }

    @route("GET", "/api/offers/imports/{number}/error_report")
    async def of03(self, request: Request, number: str) -> Response:
        """The lines of an import of offers that failed."""
        del request
        found = self.known_import("OF24", number)
        if isinstance(found, Response):
            return found
        errors = [(line, _columns(row), why) for line, row, why in found.errors]
        return self.report(errors, first=False, kind="application/octet-stream")

    @route("GET", "/api/offers/stock/imports/{number}/status")
    async def sto02(self, request: Request, number: str) -> Response:
        """How far an import of stock is."""
        del request
        found = self.known_import("STO01", number)
        if isinstance(found, Response):
            return found
        told = self.status_to_wire(found)
        del told["reason_status"]  # which imports of stock do not tell
        more = {"import_id": found.number, "shop_id": self.settings.shop_id}
        return json_response({**told, **more})

    @route("GET", "/api/offers/pricing/imports")
    async def pri02(self, request: Request) -> Response:
        """How far imports of prices are."""
        wanted = request.query.get("import_id", "")
        rows = [one for one in self.imports.values() if one.kind == "PRI01"]
        rows = [one for one in reversed(rows) if wanted in ("", one.number)]
        data = [
            {
                **self.status_to_wire(one),
                "import_id": one.number,
                "origin": "API",
                "shop_id": self.settings.shop_id,
                "offers_in_error": len(one.errors),
                "offers_updated": one.updated,
            }
            for one in rows[: self.settings.page_size]
        ]
        return json_response({"data": data})

    @route("GET", "/api/offers/stock/imports/{number}/error_report")
    async def sto03(self, request: Request, number: str) -> Response:
        """The lines of an import of stock that failed."""
        return self._errors("STO01", request, number)

    @route("GET", "/api/offers/pricing/imports/{number}/error_report")
    async def pri03(self, request: Request, number: str) -> Response:
        """The lines of an import of prices that failed."""
        return self._errors("PRI01", request, number)

    def _errors(self, kind: str, request: Request, number: str) -> Response:
        del request
        found = self.known_import(kind, number)
        return found if isinstance(found, Response) else self.report(found.errors, first=True)

    @route("GET", "/api/offers")
    async def of21(self, request: Request) -> Response:
        """The shop's offers, by page or by SKU."""
        sku = request.query.get("sku")
        rows = [one for one in self._offers.values() if sku in (None, one.sku)]
        rows.sort(key=lambda one: (self.title_of(one), one.sku))
        page, total = self.offset_page(rows, request)
        told = [
            offer_to_wire(one, self.products.get(one.product_sku), self.operator.currency)
            for one in page
        ]
        return json_response({"offers": told, "total_count": total})

    def offset_page(self, rows: list[Any], request: Request) -> tuple[list[Any], int]:
        """One page of an offset-paged list, and how many rows there are."""
        size = min(int(request.query.get("max", "10")), self.settings.page_size)
        offset = int(request.query.get("offset", "0"))
        return rows[offset : offset + size], len(rows)

    def title_of(self, offer: SimOffer) -> str:
        """The title of an offer's product."""
        product = self.products.get(offer.product_sku)
        return product.title if product else ""


_MOVING = frozenset({"price", "discount", "quantity", "update_delete"})


def _columns(row: Row) -> Row:
    """A line of OF24 as the columns of a file have it."""
    names = {"shop_sku": "sku", "product_id": "product-id", "product_id_type": "product-id-type",
             "state_code": "state", "update_delete": "update-delete"}  # fmt: skip
    return {names.get(name, name.replace("_", "-")): value for name, value in row.items()}
