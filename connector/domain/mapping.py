"""How a store's categories, specifications and values become a marketplace's. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from connector.domain.connection import Rules
from connector.domain.listing_planner import with_category
from connector.domain.offer import Content, MarketAttribute
from connector.domain.tree import Wanted
from connector.domain.words import folded

EVERYWHERE = ""
"""Stands for all categories of the marketplace where a rule names one."""
FIELD = "vtex:"
"""Begins a source that is a field of the SKU instead of a specification."""

FIELDS: Mapping[str, Callable[[Content], tuple[str, ...]]] = {
    "title": lambda content: (content.title,),
    "description": lambda content: (content.description,),
    "brand": lambda content: (content.brand,),
    "ean": lambda content: content.eans[:1],
    "reference": lambda content: (content.reference,),
    "sku": lambda content: (content.sku,),
    "product": lambda content: (content.product_id,),
    "category": lambda content: content.category_path[-1:],
    "height_cm": lambda content: (f"{content.package.height_cm:g}",),
    "width_cm": lambda content: (f"{content.package.width_cm:g}",),
    "length_cm": lambda content: (f"{content.package.length_cm:g}",),
    "weight_g": lambda content: (f"{content.package.weight_g:g}",),
    "unit": lambda content: (content.measurement_unit,),
}
"""Fields of a SKU that may be a source, as ``vtex:brand``; sizes in centimetres and grams."""


ByName = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Fill:
    """How one attribute is filled: from a specification, else with a fixed value.

    ``source`` is a specification's name, several with ``|`` between them (the first that has a
    value counts), or a field (``vtex:brand``). ``fixed`` is an id or a name of the marketplace's.
    """

    source: str = ""
    fixed: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class MarketMap:
    """A connection's mapping.

    ``fills`` by (marketplace category or EVERYWHERE, attribute); ``values`` by (marketplace
    category or EVERYWHERE, attribute, value in VTEX), to an id or a name of the marketplace's.
    """

    categories: Mapping[str, str] = field(default_factory=dict)
    fills: Mapping[tuple[str, str], Fill] = field(default_factory=dict)
    values: Mapping[tuple[str, str, str], str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.categories or self.fills or self.values)


class Lack(StrEnum):
    """What kind of thing is missing."""

    CATEGORY = "category"
    ATTRIBUTE = "attribute"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that is not mapped. ``blocks``: the SKU cannot be listed without it.

    ``subject`` is the VTEX category's id, or the marketplace's attribute.
    """

    lack: Lack
    subject: str
    name: str
    market_category: str = ""
    value: str = ""
    why: str = ""
    blocks: bool = True

    @property
    def text(self) -> str:
        """What is missing, in words a merchant can act on."""
        if self.lack is Lack.CATEGORY:
            if self.market_category:
                return f"category {self.name} is mapped to {self.market_category}, which {self.why}"
            return f"category {self.name} is not mapped"
        place = f"{self.name} ({self.subject}) of marketplace category {self.market_category}"
        if self.lack is Lack.VALUE:
            return f"{place}: {self.value!r} is none of the values the marketplace takes: map it"
        return f"{place} is required: {self.why}"


@dataclass(frozen=True, slots=True)
class Filled:
    """Content in the marketplace's own words, and what is missing from it."""

    content: Content
    missing: tuple[Missing, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it cannot be listed: exactly what is missing (log E4)."""
        return tuple(each.text for each in self.missing if each.blocks)


class Filler:
    """Applies a mapping to contents. ``broken`` are marketplace categories that take no products
    any more, and why. The connection's own rules are the lowest layer.
    """

    def __init__(
        self, mapping: MarketMap, rules: Rules, broken: Mapping[str, str] | None = None
    ) -> None:
        self._map = mapping
        self._rules = rules
        self._broken = broken or {}
        self._folded = {
            (category, attribute, folded(value)): market
            for (category, attribute, value), market in reversed(list(mapping.values.items()))
        }
        self._fills: dict[str, dict[str, Fill]] = {}

    def category(self, content: Content) -> str:
        """The marketplace category the content is mapped to, usable or not; empty where none."""
        mapped = self._map.categories.get(content.category_id)
        return mapped or with_category(content, self._rules).market_category

    def fill(self, content: Content, wanted: Sequence[Wanted] | None) -> Filled:
        """The content with category and attributes of the marketplace.

        ``wanted`` are the attributes of its category; None where they are not known, and then
        nothing is found missing among them.
        """
        market = self.category(content)
        if not market or market in self._broken:
            return self._without_category(content, market)
        attributes: list[MarketAttribute] = []
        missing: list[Missing] = []
        known = {each.id: each for each in wanted or ()}
        fills = self._fills_of(market)
        by_name = specifications(content) if fills else {}
        for name in known or sorted(fills):
            fill = fills.get(name)
            texts = sources(content, fill.source, by_name) if fill is not None else ()
            found = self._attribute(texts, market, name, fill, known.get(name))
            missing.extend(found[1])
            if found[0] is not None:
                attributes.append(found[0])
        filled = _with(content, market, tuple(attributes))
        return Filled(filled, tuple(missing))

    def _without_category(self, content: Content, market: str) -> Filled:
        path = "/".join(content.category_path) or content.category_id or "none"
        lacking = Missing(
            Lack.CATEGORY, content.category_id, path, market, why=self._broken.get(market, "")
        )
        return Filled(_with(content, "", ()), (lacking,))

    def _fills_of(self, market: str) -> dict[str, Fill]:
        """Every fill of one category: its own ones before those of all categories."""
        if market not in self._fills:
            own = {name: fill for (of, name), fill in self._map.fills.items() if of == market}
            shared = {name: fill for (of, name), fill in self._map.fills.items() if not of}
            self._fills[market] = shared | own
        return self._fills[market]

    def _attribute(
        self,
        texts: Sequence[str],
        market: str,
        name: str,
        fill: Fill | None,
        wanted: Wanted | None,
    ) -> tuple[MarketAttribute | None, list[Missing]]:
        required = wanted is not None and wanted.required
        if not texts and not (fill and fill.fixed):
            if wanted is None or not required:
                return None, []
            why = f"{fill.source} has no value in VTEX" if fill else "nothing is mapped to it"
            return None, [Missing(Lack.ATTRIBUTE, name, wanted.name, market, why=why)]
        pairs: list[tuple[str, str]] = []
        unknown: list[str] = []
        for text in texts or (fill.fixed if fill else "",):
            pair = self._value(market, name, text, wanted, fixed=not texts)
            if pair is None:
                unknown.append(text)
            else:
                pairs.append(pair)
        label = wanted.name if wanted else name
        missing = [
            Missing(Lack.VALUE, name, label, market, text, blocks=required and not pairs)
            for text in unknown
        ]
        if not pairs:
            return None, missing
        units = wanted.units if wanted else ()
        unit = (fill.unit if fill else "") or (units[0] if len(units) == 1 else "")
        ids = tuple(own for own, _ in pairs) if any(own for own, _ in pairs) else ()
        made = MarketAttribute(
            id=name, values=tuple(text for _, text in pairs), value_ids=ids, unit=unit
        )
        return made, missing

    def _value(
        self, market: str, attribute: str, text: str, wanted: Wanted | None, *, fixed: bool
    ) -> tuple[str, str] | None:
        """A value (id, name) of the marketplace's; the id is empty where it takes any text."""
        told = None if fixed else self._told(market, attribute, text)
        if wanted is None or not wanted.values:
            return "", told or text
        return wanted.find(told or text, ids=fixed or told is not None)

    def _told(self, market: str, attribute: str, text: str) -> str | None:
        """What the mapping says of a value: exactly this one before the same with other letters."""
        for place in (market, EVERYWHERE):
            exact = self._map.values.get((place, attribute, text))
            found = exact or self._folded.get((place, attribute, folded(text)))
            if found is not None:
                return found
        return None


def _with(content: Content, market: str, attributes: tuple[MarketAttribute, ...]) -> Content:
    """The content with these; the same one where nothing differs."""
    if content.market_category == market and content.market_attributes == attributes:
        return content
    return content.model_copy(update={"market_category": market, "market_attributes": attributes})


def sources(content: Content, source: str, by_name: ByName | None = None) -> tuple[str, ...]:
    """The texts a source has for a content; empty where it has none.

    ``by_name`` are the content's specifications, where the caller has them at hand.
    """
    if not source:
        return ()
    if by_name is None:
        by_name = specifications(content)
    for name in (source, *source.split("|")) if "|" in source else (source,):
        if name.startswith(FIELD):
            read = FIELDS.get(name.removeprefix(FIELD))
            texts = tuple(text for text in read(content) if text and text != "0") if read else ()
        else:
            texts = by_name.get(folded(name), ())
        if texts:
            return texts
    return ()


def specifications(content: Content) -> ByName:
    """Values by folded name; a SKU's own specification counts before its product's."""
    return {folded(each.name): each.values for each in reversed(content.attributes)}
