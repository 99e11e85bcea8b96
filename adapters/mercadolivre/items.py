"""Listings ("items"): from the hub's words to Mercado Livre's, and back. Pure.

Pages "Publica productos", "Precio por variación" (user products), "Atributos".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator

from adapters.mercadolivre.api import Amount, Text, Texts, Wire, blank, no_rows, plain_text
from adapters.mercadolivre.settings import MercadoLivreSettings
from connector.sdk import Content, Found, MarketAttribute, Money, Offer, from_major

MAX_STOCK = 99_999
MAX_TITLE = 60
"""Where the category does not say."""
MAX_PICTURES = 10
MAX_DESCRIPTION = 50_000
FROM_CONTENT = frozenset(
    {
        *("SELLER_SKU", "BRAND", "GTIN", "ITEM_CONDITION"),
        *("SELLER_PACKAGE_HEIGHT", "SELLER_PACKAGE_WIDTH", "SELLER_PACKAGE_LENGTH"),
        "SELLER_PACKAGE_WEIGHT",
    }
)
"""Attributes that are filled without a mapping."""
USER_PRODUCTS = "user_product_seller"
MULTI_ORIGIN = "warehouse_management"
_GONE = {"closed"}


class WireAttribute(Wire):
    """One attribute of an item."""

    id: Text = ""
    value_name: Text = ""


class WireItem(Wire):
    """A listing."""

    id: Text = ""
    status: Text = ""
    sub_status: Texts = ()
    title: Text = ""
    family_name: Text = ""
    user_product_id: Text = ""
    listing_type_id: Text = ""
    category_id: Text = ""
    currency_id: Text = ""
    price: Amount | None = None
    available_quantity: int | None = None
    permalink: Text = ""
    deleted: Text = ""
    attributes: Annotated[tuple[WireAttribute, ...], BeforeValidator(no_rows)] = ()

    @property
    def gone(self) -> bool:
        """Whether it is closed or deleted: closed is final."""
        return self.status in _GONE or "deleted" in self.sub_status or bool(self.deleted)

    @property
    def sku(self) -> str:
        """The SKU that counts."""
        return next((a.value_name for a in self.attributes if a.id == "SELLER_SKU"), "")

    def found(self) -> Found:
        """The same in the hub's words; a listing paused for want of stock is not blocked."""
        empty = self.status == "paused" and "out_of_stock" in self.sub_status
        price = self.price
        return Found(
            market_id=self.id,
            url=self.permalink,
            price_minor=None if price is None else from_major(price, self.currency_id).minor,
            stock=self.available_quantity,
            blocked=self.status not in ("active", "") and not empty,
        )


class WireCategory(Wire):
    """What a category allows."""

    class Settings(Wire):
        """Its limits."""

        listing_allowed: bool | None = None
        max_title_length: int | None = None
        max_pictures_per_item: int | None = None
        minimum_price: Amount = Decimal(0)

    id: Text = ""
    name: Text = ""
    settings: Annotated[Settings, BeforeValidator(blank)] = Settings()

    @property
    def title_length(self) -> int:
        """The longest title it takes."""
        return self.settings.max_title_length or MAX_TITLE

    @property
    def pictures(self) -> int:
        """The most pictures it takes."""
        return self.settings.max_pictures_per_item or MAX_PICTURES


def best(items: Sequence[WireItem], listing_type: str) -> WireItem | None:
    """The listing that stands for a SKU where there are several: always the same one."""
    living = [item for item in items if not item.gone]

    def rank(item: WireItem) -> tuple[bool, bool, int, str]:
        return item.listing_type_id != listing_type, item.status != "active", len(item.id), item.id

    return min(living, key=rank, default=None)


# --- rules --------------------------------------------------------------------------------------


def broken_rules(offer: Offer, settings: MercadoLivreSettings) -> list[str]:
    """Rules that hold in every category, all of them at once."""
    content, currency = offer.content, settings.here.currency
    rules = (
        (bool(content.title.strip()), "the title is missing"),
        (bool(content.images), "at least one image is needed"),
        (offer.terms.price_minor > 0, "the price must be above zero"),
        (
            offer.terms.currency in ("", currency),
            f"the price is in {offer.terms.currency}, the site sells in {currency}",
        ),
        (
            not content.ean or gtin_is_valid(content.ean),
            f"EAN {content.ean} is not valid: its length or check digit is wrong",
        ),
        (bool(content.market_category), "the category is not mapped to one of Mercado Livre's"),
    )
    return [words for kept, words in rules if not kept]


def gtin_is_valid(code: str) -> bool:
    """Whether a GTIN of 8, 12, 13 or 14 digits carries the right check digit (GS1)."""
    if not (code.isascii() and code.isdigit() and len(code) in (8, 12, 13, 14)):
        return False
    weighted = sum(int(digit) * (3, 1)[i % 2] for i, digit in enumerate(reversed(code[:-1])))
    return (10 - weighted % 10) % 10 == int(code[-1])


# --- bodies -------------------------------------------------------------------------------------


def number(minor: int, currency: str) -> int | float:
    """An amount as JSON has it: 19990 becomes 199.9."""
    major = Money(minor, currency).major()
    return int(major) if major == int(major) else float(major)


def new_item(
    offer: Offer, settings: MercadoLivreSettings, category: WireCategory, *, family: bool
) -> dict[str, Any]:
    """A new listing. ``family``: the account is on user products, which name themselves."""
    content, terms, currency = offer.content, offer.terms, settings.here.currency
    body: dict[str, Any] = {
        ("family_name" if family else "title"): cut(content.title, category.title_length),
        "category_id": content.market_category,
        "price": number(terms.price_minor, currency),
        "currency_id": currency,
        **stock_of(terms.stock, settings),
        "buying_mode": "buy_it_now",
        "condition": settings.condition,
        "listing_type_id": settings.listing_type,
        "sale_terms": sale_terms(settings),
        "pictures": pictures(content, category),
        "attributes": attributes(content),
        "shipping": {
            "mode": settings.shipping_mode,
            "local_pick_up": settings.local_pick_up,
            "free_shipping": settings.free_shipping,
        },
    }
    if settings.official_store_id is not None:
        body["official_store_id"] = settings.official_store_id
    return body


def changed_item(
    offer: Offer, settings: MercadoLivreSettings, category: WireCategory, there: WireItem
) -> dict[str, Any]:
    """What is sent to bring a listing's content up to date; a title only where it differs."""
    title = cut(offer.content.title, category.title_length)
    name = "family_name" if there.family_name else "title"
    shown = there.family_name or there.title
    return {
        **({name: title} if title != shown else {}),
        "pictures": pictures(offer.content, category),
        "attributes": attributes(offer.content),
        "sale_terms": sale_terms(settings),
    }


def stock_of(stock: int, settings: MercadoLivreSettings) -> dict[str, Any]:
    """A new listing's stock: its own, or at the seller's origin."""
    units = min(stock, MAX_STOCK)
    if settings.stock_at != "seller_warehouse":
        return {"available_quantity": units}
    return {"stock_locations": [origin(units, settings)]}


def origin(units: int, settings: MercadoLivreSettings) -> dict[str, Any]:
    """Units at the origin that the connection sells from."""
    return {
        "store_id": settings.store_id,
        "network_node_id": settings.network_node_id,
        "quantity": units,
    }


def cut(title: str, most: int) -> str:
    """A title that fits, cut between words where one is near."""
    whole = " ".join(title.split())
    if len(whole) <= most:
        return whole
    words = whole[:most].rsplit(" ", 1)
    return (words[0] if len(words[0]) > most // 2 else whole[:most]).strip()


def pictures(content: Content, category: WireCategory) -> list[dict[str, str]]:
    """As many pictures as the category takes."""
    return [{"source": url} for url in content.images[: category.pictures]]


def sale_terms(settings: MercadoLivreSettings) -> list[dict[str, str]]:
    """Warranty and manufacturing time, where they are set."""
    days = "dias" if settings.site == "MLB" else "días"
    made = f"{settings.manufacturing_days} {days}" if settings.manufacturing_days else ""
    terms = (
        ("WARRANTY_TYPE", settings.warranty_type),
        ("WARRANTY_TIME", settings.warranty_time),
        ("MANUFACTURING_TIME", made),
    )
    return [{"id": name, "value_name": value} for name, value in terms if value]


def attributes(content: Content) -> list[dict[str, Any]]:
    """What we know anyway, and what the connection's mapping adds or says better."""
    box = content.package
    # Whole centimetres and grams are all it takes (cause 5402).
    sizes = (
        ("SELLER_PACKAGE_HEIGHT", box.height_cm, "cm"),
        ("SELLER_PACKAGE_WIDTH", box.width_cm, "cm"),
        ("SELLER_PACKAGE_LENGTH", box.length_cm, "cm"),
        ("SELLER_PACKAGE_WEIGHT", box.weight_g, "g"),
    )
    known = {
        "SELLER_SKU": content.sku,
        "BRAND": content.brand,
        "GTIN": content.ean,
        **{name: f"{math.ceil(size)} {unit}" for name, size, unit in sizes if size > 0},
    }
    told: dict[str, dict[str, Any]] = {
        name: {"id": name, "value_name": value} for name, value in known.items() if value
    }
    told |= {each.id: _mapped(each) for each in content.market_attributes if each.values}
    told["SELLER_SKU"] = {"id": "SELLER_SKU", "value_name": content.sku}
    return list(told.values())


def _mapped(attribute: MarketAttribute) -> dict[str, Any]:
    unit = f" {attribute.unit}" if attribute.unit else ""
    names = [f"{value}{unit}" for value in attribute.values]
    if len(names) > 1:
        ids: Sequence[str] = attribute.value_ids or [""] * len(names)
        values = [
            {"id": ident, "name": name} if ident else {"name": name}
            for ident, name in zip(ids, names, strict=False)
        ]
        return {"id": attribute.id, "values": values}
    ident = attribute.value_ids[0] if attribute.value_ids else ""
    if ident:
        return {"id": attribute.id, "value_id": ident, "value_name": names[0]}
    return {"id": attribute.id, "value_name": names[0]}


def description(content: Content) -> str:
    """The description, in the plain text that is all it takes."""
    return plain_text(content.description, MAX_DESCRIPTION)
