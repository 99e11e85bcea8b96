"""What is done to listings. Mercado Livre takes one at a time, so every batch is many calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from adapters.mercadolivre.api import Api, chunks, list_of, object_of, path, read
from adapters.mercadolivre.items import (
    MAX_STOCK,
    MULTI_ORIGIN,
    USER_PRODUCTS,
    WireCategory,
    WireItem,
    best,
    changed_item,
    description,
    new_item,
    number,
    stock_of,
)
from adapters.mercadolivre.settings import MercadoLivreSettings
from adapters.mercadolivre.stock import Stock
from connector.sdk import (
    Done,
    Gone,
    Offer,
    Outcome,
    Outcomes,
    PriceStock,
    Refused,
    Rejected,
    apiece,
    from_major,
    together,
)

MULTIGET = 20
_FIELDS = (
    "id,status,sub_status,title,family_name,user_product_id,listing_type_id,category_id,"
    "currency_id,price,available_quantity,permalink,deleted,attributes"
)
_AUTOMATED = "stock was set, the price was not: switch price automation off on Mercado Livre"


class Listings:
    """One seller's listings."""

    def __init__(self, api: Api, settings: MercadoLivreSettings) -> None:
        self._api = api
        self._settings = settings
        self._stock = Stock(api, settings)

    # --- looking ----------------------------------------------------------------------------------

    async def find(self, skus: Sequence[str]) -> Mapping[str, WireItem]:
        """The listing of each SKU that has one alive."""
        ids = dict(zip(skus, await together(skus, self._search), strict=True))
        wanted = list(dict.fromkeys(ident for found in ids.values() for ident in found))
        items = await self._read_all(wanted)
        chosen = {
            sku: best([items[i] for i in found if i in items], self._settings.listing_type)
            for sku, found in ids.items()
        }
        return {sku: item for sku, item in chosen.items() if item is not None}

    async def _search(self, sku: str) -> list[str]:
        where = path("users", self._settings.user_id, "items", "search")
        answer = await self._api.get(where, "listings.search", query={"seller_sku": sku})
        results = object_of(answer).get("results")
        return [str(ident) for ident in results] if isinstance(results, list) else []

    async def _read_all(self, ids: Sequence[str]) -> dict[str, WireItem]:
        """Listings by id, twenty at a time (page "Ítems y búsquedas", multiget)."""
        pages = await together(list(chunks(ids, MULTIGET)), self._read_some)
        return {item.id: item for page in pages for item in page}

    async def _read_some(self, ids: Sequence[str]) -> list[WireItem]:
        query = {"ids": ",".join(ids), "attributes": _FIELDS}
        answer = await self._api.get("/items", "listings.read", query=query)
        rows = [row for row in list_of(answer) if isinstance(row, dict)]
        return [read_item(row.get("body")) for row in rows if row.get("code") == 200]

    async def _read(self, ident: str) -> WireItem | None:
        answer = await self._api.get(path("items", ident), "listings.read", ok=(404,))
        return None if answer.status == 404 else read_item(object_of(answer))

    async def account_tags(self) -> frozenset[str]:
        """The tags of the account, which say how it lists."""
        answer = object_of(
            await self._api.get(path("users", self._settings.user_id), "account.read")
        )
        return tags_of(answer)

    async def _categories(self, offers: Sequence[Offer]) -> dict[str, WireCategory]:
        ids = list(dict.fromkeys(offer.content.market_category for offer in offers))
        return dict(zip(ids, await together(ids, self._category), strict=True))

    async def _category(self, ident: str) -> WireCategory:
        answer = await self._api.get(path("categories", ident), "categories.read", ok=(404,))
        if answer.status == 404:
            return WireCategory()
        return read(WireCategory, object_of(answer))

    # --- listing ----------------------------------------------------------------------------------

    async def create(self, offers: Sequence[Offer]) -> Outcomes:
        """List what is not there yet; what turns out to be is brought up to date instead.

        Each is looked for by itself: a search that fails is no other item's trouble.
        """
        tags, categories = await self.account_tags(), await self._categories(offers)

        async def one(offer: Offer) -> Outcome:
            category = categories[offer.content.market_category]
            item = (await self.find([offer.sku])).get(offer.sku)
            if item is None:
                return await self._new(offer, category, family=USER_PRODUCTS in tags)
            body = self._terms_body(offer.terms)
            return await self._change(offer, category, item, body)

        return await apiece({offer.sku: offer for offer in offers}, one, creates=True)

    async def _new(self, offer: Offer, category: WireCategory, *, family: bool) -> Outcome:
        several = self._settings.stock_at == "seller_warehouse"
        where = "/items/multiwarehouse" if several else "/items"
        body = new_item(offer, self._settings, category, family=family)
        answer = await self._api.send("POST", where, body, "listings.create")
        item = read_item(object_of(answer))
        try:
            await self._describe(offer, item, fresh=True)
        except Rejected as refusal:
            # It must not be for sale while the hub believes that it is not listed.
            await self._put(item.id, stock_of(0, self._settings), "listings.block")
            return Refused(refusal.reasons)
        return Done(item.id, item.permalink)

    async def update_content(self, offers: Sequence[Offer]) -> Outcomes:
        """Bring content up to date."""
        ids = await self._ids([offer.terms for offer in offers])
        items = await self._read_all(list(ids.values()))
        categories = await self._categories(offers)

        async def one(offer: Offer) -> Outcome:
            item = items.get(ids.get(offer.sku, ""))
            if item is None or item.gone:
                return Gone("Mercado Livre has no such listing any more")
            return await self._change(offer, categories[offer.content.market_category], item, {})

        return await apiece({offer.sku: offer for offer in offers}, one)

    async def _change(
        self, offer: Offer, category: WireCategory, item: WireItem, terms: dict[str, Any]
    ) -> Outcome:
        body = changed_item(offer, self._settings, category, item) | terms
        changed = await self._put(item.id, body, "listings.content")
        if isinstance(changed, Gone):
            return changed
        if terms and self._stock.apart:
            await self._stock.put(item.user_product_id, offer.terms.stock)
        await self._describe(offer, item, fresh=False)
        return Done(item.id, item.permalink)

    async def _describe(self, offer: Offer, item: WireItem, *, fresh: bool) -> None:
        """Send the description, which is a resource of its own."""
        text = description(offer.content)
        if not text:
            return
        where, body = path("items", item.id, "description"), {"plain_text": text}
        if not fresh:
            query = "?api_version=2"
            answer = await self._api.send(
                "PUT", where + query, body, "listings.description", ok=(404,)
            )
            if answer.ok:
                return
        await self._api.send("POST", where, body, "listings.description")

    # --- price and stock --------------------------------------------------------------------------

    async def price_stock(self, terms: Sequence[PriceStock]) -> Outcomes:
        """Set price and stock."""
        return await self._each(terms, self._set_terms)

    async def block(self, terms: Sequence[PriceStock]) -> Outcomes:
        """Take listings off sale by taking their stock; more stock brings them back.

        A pause would look the same as one the merchant asked for, which is theirs to end.
        """
        return await self._each(terms, self._empty)

    async def delete(self, terms: Sequence[PriceStock]) -> Outcomes:
        """Close listings for good, then remove them."""
        return await self._each(terms, self._remove)

    async def _each(
        self, terms: Sequence[PriceStock], act: Callable[[str, PriceStock], Awaitable[Outcome]]
    ) -> Outcomes:
        ids = await self._ids(terms)

        async def one(each: PriceStock) -> Outcome:
            ident = ids.get(each.sku)
            if ident is None:
                return Gone("Mercado Livre has no such listing")
            return await act(ident, each)

        return await apiece({each.sku: each for each in terms}, one)

    async def _ids(self, terms: Sequence[PriceStock]) -> dict[str, str]:
        """The listings' ids; those nobody told are looked up."""
        known = {each.sku: each.market_id for each in terms if each.market_id}
        unknown = [each.sku for each in terms if not each.market_id]
        found = await self.find(unknown) if unknown else {}
        return known | {sku: item.id for sku, item in found.items()}

    def _terms_body(self, terms: PriceStock) -> dict[str, Any]:
        price = {"price": number(terms.price_minor, self._settings.here.currency)}
        if self._stock.apart:
            return price
        return price | {"available_quantity": min(terms.stock, MAX_STOCK)}

    async def _set_terms(self, ident: str, terms: PriceStock) -> Outcome:
        changed = await self._put(ident, self._terms_body(terms), "listings.terms")
        if isinstance(changed, Gone):
            return changed
        if self._stock.apart:
            await self._stock.put(await self._product(changed), terms.stock)
        currency = self._settings.here.currency
        shown = changed.price
        if shown is not None and from_major(shown, currency).minor != terms.price_minor:
            return Refused((f"{_AUTOMATED}: it is {shown} there",))
        return Done(ident, changed.permalink)

    async def _empty(self, ident: str, terms: PriceStock) -> Outcome:
        del terms
        if not self._stock.apart:
            changed = await self._put(ident, {"available_quantity": 0}, "listings.block")
            return Done(ident) if isinstance(changed, Gone) else Done(ident, changed.permalink)
        item = await self._read(ident)
        if item is not None and not item.gone:
            await self._stock.put(item.user_product_id, 0)
        return Done(ident)

    async def _remove(self, ident: str, terms: PriceStock) -> Outcome:
        del terms
        item = await self._read(ident)
        if item is None or item.deleted or "deleted" in item.sub_status:
            return Done(ident)
        if item.status != "closed":
            await self._api.send(
                "PUT", path("items", ident), {"status": "closed"}, "listings.delete"
            )
        await self._api.send("PUT", path("items", ident), {"deleted": "true"}, "listings.delete")
        return Done(ident)

    async def _product(self, item: WireItem) -> str:
        """The user product behind a listing; a write's answer need not tell it."""
        if item.user_product_id:
            return item.user_product_id
        whole = await self._read(item.id)
        return whole.user_product_id if whole is not None else ""

    async def _put(self, ident: str, body: dict[str, Any], operation: str) -> WireItem | Gone:
        """Change a listing; Gone where it was refused because it is closed or deleted."""
        try:
            answer = await self._api.send("PUT", path("items", ident), body, operation, ok=(404,))
        except Rejected:
            there = await self._read(ident)
            if there is None or there.gone:
                return Gone("the listing was closed on Mercado Livre")
            raise
        if answer.status == 404:
            return Gone("Mercado Livre has no such listing any more")
        item = read_item(object_of(answer) | {"id": ident})
        return Gone("the listing was closed on Mercado Livre") if item.gone else item

    def check_stock(self, tags: frozenset[str]) -> None:
        """The account's kind of stock and the connection's setting must agree."""
        self._stock.check(several=MULTI_ORIGIN in tags)


def read_item(payload: Any) -> WireItem:
    """Read a listing."""
    return read(WireItem, payload)


def tags_of(account: Mapping[str, Any]) -> frozenset[str]:
    """An account's tags."""
    tags = account.get("tags")
    return frozenset(map(str, tags)) if isinstance(tags, list) else frozenset()
