"""What a simulated VTEX account knows about its products: values only, no HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")

UNLIMITED = 1_000_000


class Lagged(Generic[T]):
    """A value whose readers see a change only later (protocol 3.5, early arrival)."""

    __slots__ = ("_pending", "_seen", "current")

    def __init__(self, value: T) -> None:
        self.current = value
        self._seen = value
        self._pending: list[tuple[datetime, T]] = []

    def set(self, value: T, visible_at: datetime) -> None:
        """Change the value now; readers see it from ``visible_at`` on."""
        self.current = value
        self._pending = [each for each in self._pending if each[0] < visible_at]
        self._pending.append((visible_at, value))

    def seen(self, now: datetime) -> T:
        """The value readers get at this moment."""
        while self._pending and self._pending[0][0] <= now:
            self._seen = self._pending.pop(0)[1]
        return self._seen


@dataclass(frozen=True, slots=True)
class Price:
    """A price in cents per measurement unit, and the list price beside it."""

    price: int
    list_price: int


@dataclass(frozen=True, slots=True)
class Image:
    """One picture of a SKU."""

    file_id: int
    name: str
    label: str | None


@dataclass(frozen=True, slots=True)
class KitPart:
    """One component of a kit."""

    sku_id: int
    amount: int


@dataclass(frozen=True, slots=True)
class Field:
    """A specification field of a category (protocol 4.8)."""

    id: int
    name: str
    on_sku: bool
    values: tuple[str, ...]
    group_id: int = 5
    group_name: str = "Geral"

    def value_id(self, value: str) -> int | None:
        """The id of one allowed value; None for free text."""
        return self.id * 100 + self.values.index(value) if value in self.values else None


@dataclass(frozen=True, slots=True)
class Spec:
    """A specification value of a product or SKU."""

    field_id: int
    value: str


@dataclass(frozen=True, slots=True)
class Category:
    """One node of the category tree."""

    id: int
    name: str
    parent: int | None = None
    children: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Brand:
    """One brand."""

    id: int
    name: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class TradePolicy:
    """One sales channel of the store."""

    id: int
    name: str
    active: bool = True


@dataclass(slots=True)
class Product:
    """A product: what its SKUs share."""

    id: int
    name: str
    category_id: int
    brand_id: int
    description: str
    ref_id: str = ""
    active: bool = True
    visible: bool = True
    specs: list[Spec] = field(default_factory=list)
    sku_ids: list[int] = field(default_factory=list)
    clusters: dict[str, str] = field(default_factory=dict)
    tax_code: str = ""


@dataclass(slots=True)
class Sku:
    """A stock keeping unit with its price and stock."""

    id: int
    product_id: int
    name: str
    price: Lagged[Price | None]
    stock: Lagged[int]
    ref_id: str = ""
    eans: list[str] = field(default_factory=list)
    active: bool = True
    policies: set[int] = field(default_factory=set)
    channel_prices: dict[int, Lagged[Price | None]] = field(default_factory=dict)
    total: int = 0
    reserved: int = 0
    unlimited: bool = False
    size_cm: tuple[float, float, float] = (10.0, 10.0, 10.0)
    weight_g: float = 500.0
    unit: str = "un"
    multiplier: float = 1.0
    images: list[Image] = field(default_factory=list)
    kit: list[KitPart] = field(default_factory=list)
    specs: list[Spec] = field(default_factory=list)
    manufacturer_code: str = ""
    context: bytes | None = None

    @property
    def free(self) -> int:
        """What can still be promised: total less reservations."""
        return UNLIMITED if self.unlimited else max(0, self.total - self.reserved)

    def prices(self, sales_channel: int) -> Lagged[Price | None]:
        """The price that holds in one sales channel."""
        return self.channel_prices.get(sales_channel, self.price)


@dataclass(frozen=True, slots=True)
class Promotion:
    """A discount that begins and ends on time, without telling anyone."""

    id: str
    name: str
    sku_ids: frozenset[int]
    percent: float
    begins: datetime
    ends: datetime
    sales_channel: int | None = None

    def holds(self, sales_channel: int, now: datetime) -> bool:
        """Whether the discount applies in this channel at this moment."""
        return self.begins <= now < self.ends and self.sales_channel in {None, sales_channel}


@dataclass(slots=True)
class Affiliate:
    """The seller's record of one marketplace (protocol 2.2)."""

    id: str
    name: str
    sales_channel: int
    search_uri: str | None = None
    follow_up_email: str = ""
    version: str = "1.x.x"
    versions: tuple[str, ...] = ("1.x.x",)
    minimum: int | None = None
    seller_payment: bool = False


@dataclass(frozen=True, slots=True)
class SkuTruth:
    """What is really so about a SKU in one sales channel, however late readers see it.

    ``price`` and ``list_price`` are cents for one unit as sold (unit multiplier and promotions
    applied); ``unit_price`` is cents per measurement unit before promotions.
    """

    sku_id: str
    price: int
    list_price: int
    unit_price: int
    stock: int
    sellable: bool
    assigned: bool

    @property
    def offer_stock(self) -> int:
        """The stock a marketplace should show: none unless the SKU can be sold."""
        return self.stock if self.sellable else 0


@dataclass(slots=True)
class Catalog:
    """All products of the account."""

    skus: dict[int, Sku] = field(default_factory=dict)
    products: dict[int, Product] = field(default_factory=dict)
    categories: dict[int, Category] = field(default_factory=dict)
    brands: dict[int, Brand] = field(default_factory=dict)
    policies: dict[int, TradePolicy] = field(default_factory=dict)
    fields: dict[int, Field] = field(default_factory=dict)
    kits_of: dict[int, list[int]] = field(default_factory=dict)

    def sku(self, sku_id: str | int) -> Sku | None:
        """A SKU by its id as any side writes it; None where there is none."""
        text = str(sku_id)
        return self.skus.get(int(text)) if text.isascii() and text.isdigit() else None

    def add(self, product: Product, *skus: Sku) -> None:
        """Add SKUs to a product, and the product itself if it is new."""
        self.products[product.id] = product
        for sku in skus:
            self.skus[sku.id] = sku
            product.sku_ids.append(sku.id)
            for part in sku.kit:
                self.kits_of.setdefault(part.sku_id, []).append(sku.id)

    def path(self, category_id: int) -> list[Category]:
        """The categories from the root down to one of them."""
        path: list[Category] = []
        at: int | None = category_id
        while at is not None:
            path.insert(0, self.categories[at])
            at = self.categories[at].parent
        return path

    def is_active(self, sku: Sku) -> bool:
        """Whether the SKU, its product and its brand are all active."""
        product = self.products[sku.product_id]
        brand = self.brands.get(product.brand_id)
        return sku.active and product.active and (brand is None or brand.active)
