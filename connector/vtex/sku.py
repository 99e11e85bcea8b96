"""Reading a SKU context (protocol 4.3) without any call: pure and quick."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import Any

from connector.domain.listing import SkuRecord
from connector.domain.offer import Attribute, Content, Dimensions
from connector.vtex.wire import as_bool, as_list, as_map, as_number, as_text, maps, parse_date

_GTIN_LENGTHS = frozenset({8, 12, 13, 14})
_MOST_DESCRIPTION = 100_000
_HIDDEN = ("script", "style")
_BLOCK = re.compile(
    r"</?(?:p|div|h[1-6]|ul|ol|table|tr|section|article|blockquote)\b[^<>]*>", re.IGNORECASE
)
_BREAK = re.compile(r"<br\b[^<>]*>|</li\b[^<>]*>", re.IGNORECASE)
_ITEM = re.compile(r"<li\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z!][^<>]*>")
_SPACE = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\n{3,}")
_SIZED = re.compile(r"(/arquivos/ids/\d+)(?:-\d+-\d+)?(/|$|\?)")


@dataclass(frozen=True, slots=True)
class Gaps:
    """What other endpoints said about what a SKU context left out."""

    eans: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    product_active: bool | None = None
    policies: frozenset[str] | None = None


_NO_GAPS = Gaps()


def parse_sku(
    body: dict[str, Any], sku: str, sales_channel: int, now: datetime, *, gaps: Gaps = _NO_GAPS
) -> SkuRecord:
    """A SKU context as the hub keeps it."""
    defaults: list[str] = []
    return SkuRecord(
        sku=sku,
        content=_content(body, sku, gaps, defaults),
        active=as_bool(body.get("IsActive")) is True,
        product_active=_product_active(body, gaps),
        in_policy=_in_policy(body, sales_channel, gaps),
        needs_attachment=_needs_attachment(body),
        gift_card=as_bool(body.get("IsGiftCardRecharge")) is True,
        own_seller=_own_seller(body),
        release_at=parse_date(body.get("ReleaseDate")),
        defaults=tuple(defaults),
        read_at=now,
    )


def valid_gtins(candidates: Iterable[Any]) -> tuple[str, ...]:
    """The real GTINs among candidates: a SKU may have several, also wrong ones (KI 286097)."""
    texts = (as_text(each).replace(" ", "").replace("-", "") for each in candidates)
    return tuple(dict.fromkeys(text for text in texts if is_gtin(text)))


def is_gtin(text: str) -> bool:
    """Whether a text is a GTIN-8, -12, -13 or -14 with the right check digit."""
    if len(text) not in _GTIN_LENGTHS or not (text.isascii() and text.isdigit()):
        return False
    digits = [int(each) for each in text]
    total = sum(digits[-1::-2]) + 3 * sum(digits[-2::-2])
    return total % 10 == 0 and any(digits)


def secure(url: str) -> str:
    """An image address with https."""
    if url.startswith("//"):
        return f"https:{url}"
    scheme, separator, rest = url.partition("://")
    if not separator:
        return f"https://{url}"
    return f"https://{rest}" if scheme.lower() == "http" else url


def resized(url: str, side: int) -> str:
    """The same VTEX image as a JPEG of at most ``side`` pixels: huge originals come as WebP
    (protocol 4.6, KI 1370670); other addresses stay as they are.
    """
    return _SIZED.sub(rf"\g<1>-{side}-{side}\g<2>", url, count=1)


def plain_text(html: str) -> str:
    """HTML as text: blocks become paragraphs, list items lines, scripts vanish."""
    text = html[:_MOST_DESCRIPTION]
    if "<" in text:
        for name in _HIDDEN:
            text = _without(text, f"<{name}", f"</{name}>")
        text = _without(text, "<!--", "-->")
        text = text.replace("\r", "").replace("\n", " ")
        text = _BREAK.sub("\n", _ITEM.sub("\n- ", _BLOCK.sub("\n\n", text)))
        text = _TAG.sub("", text)
    if "&" in text:
        text = unescape(text)
    lines = (_SPACE.sub(" ", line).strip() for line in text.replace("\x00", "").splitlines())
    return _LINES.sub("\n\n", "\n".join(lines)).strip()


def _without(text: str, start: str, end: str) -> str:
    """Cut everything from ``start`` to ``end``; to the very end where it never closes."""
    lower = text.lower()
    if start not in lower:
        return text
    kept, at = [], 0
    while (begin := lower.find(start, at)) >= 0:
        kept.append(text[at:begin])
        stop = lower.find(end, begin)
        if stop < 0:
            return "".join(kept)
        at = stop + len(end)
    return "".join([*kept, text[at:]])


def _content(body: dict[str, Any], sku: str, gaps: Gaps, defaults: list[str]) -> Content:
    codes = as_map(body.get("AlternateIds"))
    path, leaf = _categories(body)
    title = as_text(body.get("NameComplete")) or _joined(body)
    if not title:
        title = f"SKU {sku}"
        defaults.append(f"title={title}")
    return Content(
        sku=sku,
        product_id=as_text(body.get("ProductId")),
        title=title,
        description=_description(body, title, defaults),
        brand=_or(as_text(body.get("BrandName")), "Generic", "brand", defaults),
        eans=valid_gtins([codes.get("Ean")]) or gaps.eans,
        reference=_or(as_text(codes.get("RefId")), sku, "reference", defaults),
        images=_images(body) or gaps.images,
        category_path=path,
        category_id=leaf,
        attributes=_attributes(body),
        package=_package(body, defaults),
        measurement_unit=_or(as_text(body.get("MeasurementUnit")), "un", "unit", defaults),
        unit_multiplier=_multiplier(body, defaults),
    )


def _or(value: str, default: str, name: str, defaults: list[str]) -> str:
    """A value, or its default, which is then written down (log A3, H-ARC-05)."""
    if value:
        return value
    defaults.append(f"{name}={default}")
    return default


def _joined(body: dict[str, Any]) -> str:
    parts = (as_text(body.get("ProductName")), as_text(body.get("SkuName")))
    return " ".join(part for part in parts if part)


def _description(body: dict[str, Any], title: str, defaults: list[str]) -> str:
    html = body.get("ProductDescription")
    text = plain_text(html) if isinstance(html, str) and html else ""
    return _or(text, title, "description", defaults)


def _categories(body: dict[str, Any]) -> tuple[tuple[str, ...], str]:
    """Names from root to leaf, and the leaf's id: only ProductCategoryIds is in order."""
    ids = [part for part in as_text(body.get("ProductCategoryIds")).split("/") if part]
    names = as_map(body.get("ProductCategories"))
    path = tuple(as_text(names.get(each)) or each for each in ids)
    return path, ids[-1] if ids else ""


def _images(body: dict[str, Any]) -> tuple[str, ...]:
    urls = (as_text(row.get("ImageUrl")) for row in maps(body.get("Images")))
    return tuple(dict.fromkeys(secure(url) for url in urls if url))


def _attributes(body: dict[str, Any]) -> tuple[Attribute, ...]:
    found = []
    for key, variation in (("SkuSpecifications", True), ("ProductSpecifications", False)):
        for row in maps(body.get(key)):
            values = (as_text(each) for each in as_list(row.get("FieldValues")))
            texts = tuple(text for text in values if text)
            name = as_text(row.get("FieldName"))
            if name and texts:
                found.append(Attribute(name=name, values=texts, variation=variation))
    return tuple(found)


def _package(body: dict[str, Any], defaults: list[str]) -> Dimensions:
    packed = as_map(body.get("Dimension"))
    real = as_map(body.get("RealDimension"))

    def size(name: str) -> float:
        value = as_number(packed.get(name)) or 0.0
        if value > 0:
            return value
        value = as_number(real.get(f"real{name.capitalize()}")) or 0.0
        if value > 0:
            defaults.append(f"package.{name}={value:g}")
        return max(value, 0.0)

    return Dimensions(
        height_cm=size("height"),
        width_cm=size("width"),
        length_cm=size("length"),
        weight_g=size("weight"),
    )


def _multiplier(body: dict[str, Any], defaults: list[str]) -> float:
    value = as_number(body.get("UnitMultiplier"))
    if value is not None and value > 0:
        return value
    defaults.append("unit_multiplier=1")
    return 1.0


def _product_active(body: dict[str, Any], gaps: Gaps) -> bool:
    """Product, brand and category: what is not said anywhere does not stand in the way."""
    said = as_bool(body.get("IsProductActive"))
    if said is None:
        said = gaps.product_active
    others = (as_bool(body.get(key)) for key in ("IsBrandActive", "IsDirectCategoryActive"))
    return said is not False and all(other is not False for other in others)


def _in_policy(body: dict[str, Any], sales_channel: int, gaps: Gaps) -> bool:
    said = {as_text(each) for each in as_list(body.get("SalesChannels"))} or gaps.policies or ()
    return str(sales_channel) in said


def _needs_attachment(body: dict[str, Any]) -> bool:
    return any(
        as_bool(row.get("IsRequired")) is True and as_bool(row.get("IsActive")) is not False
        for row in maps(body.get("Attachments"))
    )


def _own_seller(body: dict[str, Any]) -> bool:
    """Whether the main account sells it; a context that names no seller is its own."""
    sellers = {as_text(row.get("SellerId")) for row in maps(body.get("SkuSellers"))}
    return not sellers or "1" in sellers
