"""Products the operator does not know: the file that makes them known, and reports. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from adapters.mirakl.offers import reference_of
from adapters.mirakl.settings import MiraklSettings
from adapters.mirakl.wire import csv_file, csv_rows, plain_text
from connector.sdk import Content

# What of a product goes into which column where the merchant says nothing else. Operators choose
# their own attribute codes: these are only the usual ones.
COLUMNS: Mapping[str, str] = {
    "category": "category",
    "sku": "shop_sku",
    "group": "variant_group_code",
    "title": "title",
    "description": "description",
    "brand": "brand",
    "ean": "ean",
    "reference": "",
    "image": "image",
}
MOST_IMAGES = 10
_MOST_TEXT = 10_000
_SKU_COLUMNS = ("shop_sku", "shop-sku", "sku", "offer-sku", "provider-sku", "product-sku")
_LINE_COLUMNS = frozenset({"error-line", "error line", "line", "line-number", "line number"})


def columns(settings: MiraklSettings) -> dict[str, str]:
    """The column of each part of a product; those without one are left out."""
    chosen = {**COLUMNS, **settings.product_columns}
    return {part: column for part, column in chosen.items() if column}


def filled_by_us(settings: MiraklSettings) -> frozenset[str]:
    """Attribute codes that are filled from the product itself, whatever is mapped."""
    chosen = columns(settings)
    image = chosen.pop("image", "")
    images = {image} | {f"{image}_{number}" for number in range(1, MOST_IMAGES + 1)}
    return frozenset({*chosen.values(), *(images if image else ())})


def product_file(contents: Iterable[Content], settings: MiraklSettings) -> bytes:
    """Products, one line each; the header has every column that any of them fills."""
    lines = [_line(content, settings) for content in contents]
    header = list(dict.fromkeys(column for line in lines for column in line))
    return csv_file(header, ([line.get(column, "") for column in header] for line in lines))


def _line(content: Content, settings: MiraklSettings) -> dict[str, str]:
    reference = reference_of(content, settings)
    kind, value = reference or ("", "")
    told = {
        "category": content.market_category,
        "sku": content.sku,
        "group": content.product_id,
        "title": content.title.strip(),
        "description": plain_text(content.description, _MOST_TEXT),
        "brand": content.brand,
        "ean": value if kind == settings.reference_type else "",
        "reference": content.sku if kind == settings.own_reference_type else content.reference,
    }
    chosen = columns(settings)
    line = {chosen[part]: text for part, text in told.items() if part in chosen}
    for number, url in enumerate(content.images[:MOST_IMAGES], 1):
        if "image" in chosen:
            line[chosen["image"] if number == 1 else f"{chosen['image']}_{number}"] = url
    # What the merchant mapped by hand wins over what we think.
    for attribute in content.market_attributes:
        line[attribute.id] = "|".join(attribute.value_ids or attribute.values)
    return line


# --- reports --------------------------------------------------------------------------------------


def report(body: bytes, settings: MiraklSettings) -> dict[str, tuple[str, ...]] | None:
    """Reasons by SKU of an error report (OF03, STO03, PRI03, P44, P47); None where it has none.

    Reports repeat the file's own columns and add the line and the reason; operators may choose
    other formats for products, which a merchant has to read.
    """
    rows = csv_rows(body)
    found: dict[str, list[str]] = {}
    for row in rows:
        sku = _sku(row, settings)
        if sku:
            found.setdefault(sku, []).extend(_reasons(row, sku))
    if rows and not found:
        return None
    none = ("Mirakl refused the line and gave no reason",)
    return {sku: tuple(dict.fromkeys(reasons)) or none for sku, reasons in found.items()}


def _sku(row: Mapping[str, str], settings: MiraklSettings) -> str:
    own = columns(settings).get("sku", "").lower()
    return next((row[name] for name in (own, *_SKU_COLUMNS) if row.get(name)), "")


def _reasons(row: Mapping[str, str], sku: str) -> Sequence[str]:
    """What the columns that speak of errors or reasons say.

    Reports of stock and prices have no such names: their first column is the line, their second
    the reason (STO03, PRI03).
    """
    named = [
        text
        for name, text in row.items()
        if text and name not in _LINE_COLUMNS and re.search(r"error|reason|message", name)
    ]
    values = list(row.values())
    if not named and len(values) > 1 and values[0].isdecimal() and sku in values[2:]:
        named = [values[1]] if values[1] else []
    return named
