"""What is offered on a marketplace: content, price and stock of one SKU."""

from __future__ import annotations

import hashlib

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen value that ignores fields it does not know (older or newer versions wrote them)."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Dimensions(Value):
    """Packaged size: centimetres and grams (protocol 4.3)."""

    height_cm: float = 0
    width_cm: float = 0
    length_cm: float = 0
    weight_g: float = 0


class Attribute(Value):
    """One specification; ``variation`` marks those that tell SKUs of a product apart."""

    name: str
    values: tuple[str, ...]
    variation: bool = False


class MarketAttribute(Value):
    """A specification in the marketplace's own words, filled by the connection's mapping."""

    id: str
    values: tuple[str, ...]
    value_ids: tuple[str, ...] = ()
    """Ids of ``values`` where the marketplace has a list of them."""
    unit: str = ""


class Content(Value):
    """Everything a marketplace shows of a SKU, but price and stock."""

    sku: str
    product_id: str
    title: str
    description: str = ""
    brand: str = ""
    eans: tuple[str, ...] = ()
    reference: str = ""
    images: tuple[str, ...] = ()
    category_path: tuple[str, ...] = ()
    category_id: str = ""
    """Leaf category in VTEX."""
    market_category: str = ""
    """Category on the marketplace, filled by the connection's mapping."""
    attributes: tuple[Attribute, ...] = ()
    market_attributes: tuple[MarketAttribute, ...] = ()
    package: Dimensions = Dimensions()
    measurement_unit: str = "un"
    unit_multiplier: float = 1.0

    @property
    def ean(self) -> str:
        """The first EAN, or an empty string."""
        return self.eans[0] if self.eans else ""

    def digest(self) -> str:
        """A short digest that changes when anything a marketplace would show changes."""
        return hashlib.blake2b(self.model_dump_json().encode(), digest_size=12).hexdigest()


class PriceStock(Value):
    """Price and stock of one SKU; prices per sold unit, in minor units of ``currency``."""

    sku: str
    price_minor: int
    list_price_minor: int
    currency: str
    stock: int
    market_id: str = ""
    """The marketplace's id of the listing, where it has given one."""


class Offer(Value):
    """A whole offer: what a new listing starts with."""

    content: Content
    terms: PriceStock

    @property
    def sku(self) -> str:
        """The SKU this offer is of."""
        return self.content.sku
