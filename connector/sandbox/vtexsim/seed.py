"""A deterministic, realistic data set: the odd products every real store has."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from connector.sandbox.vtexsim.state import (
    Brand,
    Catalog,
    Category,
    Field,
    Image,
    KitPart,
    Lagged,
    Price,
    Product,
    Sku,
    Spec,
    TradePolicy,
)

if TYPE_CHECKING:
    import random

_FIRST_SKU = 1001
_FIRST_PRODUCT = 501
_COLOURS = ("Azul", "Preto", "Branco", "Vermelho", "Verde", "Cinza")
_SIZES = ("P", "M", "G", "GG", "38", "40", "42")
_MATERIALS = ("Algodão", "Couro", "Aço", "Madeira", "Poliéster")
_TREE: dict[str, dict[str, tuple[str, ...]]] = {
    "Calçados": {"Corrida": (), "Casual": ("Tênis", "Sapatos")},
    "Casa": {"Cozinha": ("Panelas", "Facas"), "Banho": ()},
    "Construção": {"Pisos": (), "Tintas": ()},
    "Brinquedos": {"Jogos": (), "Bonecas": ()},
}
_NOUNS = ("Tênis Trilha", "Panela", "Piso Laminado", "Boneca", "Camiseta", "Faca do Chef", "Toalha")
_BRANDS = ("Acme", "Boreal", "Casa Nova", "D'Água", "Émile", "Fênix")
COLOUR, SIZE, MATERIAL = 31, 32, 40


def seed_catalog(
    n_skus: int, rng: random.Random, *, sales_channel: int = 2, others: tuple[int, ...] = (1, 3)
) -> Catalog:
    """Make a catalog of ``n_skus`` SKUs; the same generator state gives the same catalog."""
    catalog = Catalog()
    _add_structure(catalog, sales_channel, others)
    seeder = _Seeder(catalog, rng, sales_channel, others)
    while len(catalog.skus) < n_skus:
        seeder.add_product(min(rng.choice((1, 1, 2, 3, 4, 6)), n_skus - len(catalog.skus)))
    return catalog


def ean13(number: int) -> str:
    """A GTIN-13 with its check digit."""
    digits = f"789{number % 10**9:09d}"
    total = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


def _add_structure(catalog: Catalog, sales_channel: int, others: tuple[int, ...]) -> None:
    ids = iter(range(1, 1000))

    def grow(name: str, parent: int | None, below: dict[str, tuple[str, ...]]) -> int:
        own = next(ids)
        catalog.categories[own] = Category(own, name, parent)
        children = tuple(
            grow(child, own, dict.fromkeys(leaves, ())) for child, leaves in below.items()
        )
        catalog.categories[own] = replace(catalog.categories[own], children=children)
        return own

    for name, below in _TREE.items():
        grow(name, None, below)
    for index, name in enumerate(_BRANDS):
        catalog.brands[70 + index] = Brand(70 + index, name, active=index != len(_BRANDS) - 1)
    for channel in (sales_channel, *others):
        catalog.policies[channel] = TradePolicy(channel, f"Canal {channel}")
    for spec_field in (
        Field(COLOUR, "Cor", on_sku=True, values=_COLOURS),
        Field(SIZE, "Tamanho", on_sku=True, values=_SIZES),
        Field(MATERIAL, "Material", on_sku=False, values=(), group_id=6, group_name="Ficha"),
    ):
        catalog.fields[spec_field.id] = spec_field


@dataclass
class _Seeder:
    catalog: Catalog
    rng: random.Random
    sales_channel: int
    others: tuple[int, ...]
    singles: deque[int] = field(default_factory=lambda: deque(maxlen=50))

    def add_product(self, n_skus: int) -> None:
        rng, catalog = self.rng, self.catalog
        number = len(catalog.products)
        leaves = [each.id for each in catalog.categories.values() if not each.children]
        name = f"{rng.choice(_NOUNS)} {number + 1}"
        clusters = {"137": "Destaques"} if rng.random() < 0.3 else {}
        product = Product(
            id=_FIRST_PRODUCT + number,
            name=name,
            category_id=rng.choice(leaves),
            brand_id=rng.choice(list(catalog.brands)),
            description=f"<p>{name} de <b>ótima qualidade</b>.</p><ul><li>Item {number}</li></ul>",
            ref_id=f"P-{number + 1}" if rng.random() < 0.9 else "",
            active=rng.random() >= 0.03,
            specs=[Spec(MATERIAL, rng.choice(_MATERIALS))],
            clusters=clusters,
            tax_code="64041100" if rng.random() < 0.7 else "",
        )
        policies = self._policies()
        catalog.add(product, *(self._sku(product, at, policies) for at in range(n_skus)))
        # Kits are made of SKUs that are none themselves.
        self.singles.extend(each for each in product.sku_ids if not catalog.skus[each].kit)

    def _policies(self) -> set[int]:
        # One product in twenty is not sold in the trade policy of the marketplace.
        chosen = {each for each in self.others if self.rng.random() < 0.7}
        return chosen if self.rng.random() < 0.05 else chosen | {self.sales_channel}

    def _sku(self, product: Product, at: int, policies: set[int]) -> Sku:
        rng = self.rng
        number = len(self.catalog.skus) + at
        colour, size = _COLOURS[at % len(_COLOURS)], rng.choice(_SIZES)
        price = rng.randrange(990, 120_000, 10)
        list_price = price if rng.random() < 0.6 else int(price * rng.uniform(1.05, 1.6))
        stock = 0 if rng.random() < 0.08 else rng.randint(1, 400)
        fractional = rng.random() < 0.03
        return Sku(
            id=_FIRST_SKU + number,
            product_id=product.id,
            name=f"{colour} {size}",
            price=Lagged(None if rng.random() < 0.01 else Price(price, list_price)),
            stock=Lagged(stock),
            total=stock,
            ref_id=f"R-{number + 1}" if rng.random() < 0.92 else "",
            eans=self._eans(number),
            active=rng.random() >= 0.05,
            policies=set(policies),
            size_cm=tuple(float(rng.randint(3, 90)) for _ in range(3)),  # type: ignore[arg-type]
            weight_g=float(rng.randint(80, 45_000 if rng.random() < 0.1 else 4_000)),
            unit=rng.choice(("m²", "kg")) if fractional else "un",
            multiplier=rng.choice((1.5, 2.36, 0.305)) if fractional else 1.0,
            images=self._images(number),
            kit=[] if fractional else self._kit(),
            specs=[Spec(COLOUR, colour), Spec(SIZE, size)],
            manufacturer_code=f"MC{number}" if rng.random() < 0.3 else "",
        )

    def _eans(self, number: int) -> list[str]:
        dice = self.rng.random()
        if dice < 0.06:
            return []
        # A second EAN that is none, before the good one: readers must choose.
        return [f"ABC{number}", ean13(number)] if dice < 0.1 else [ean13(number)]

    def _images(self, number: int) -> list[Image]:
        if self.rng.random() < 0.03:
            return []
        base = 150_000 + number * 5
        labels = ("frente", None, "verso", "detalhe")
        return [
            Image(base + at, f"foto-{number}-{at}", labels[at])
            for at in range(self.rng.randint(1, 4))
        ]

    def _kit(self) -> list[KitPart]:
        single = list(self.singles)
        if self.rng.random() >= 0.02 or len(single) < 2:
            return []
        return [KitPart(part, self.rng.randint(1, 2)) for part in self.rng.sample(single, 2)]
