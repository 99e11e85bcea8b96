"""A mapping as rows: what operators export, edit and import. Checked, compared, never guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from unicodedata import category

from connector.domain.mapping import FIELD, FIELDS, Fill, MarketMap
from connector.domain.tree import Tree, Wanted

_CONTROLS = frozenset({"Cc", "Cs"})  # also half characters, which no file can carry
LONGEST = 2_000
"""Most characters of one cell."""


class Kind(StrEnum):
    """What a row maps."""

    CATEGORY = "category"
    ATTRIBUTE = "attribute"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Row:
    """One row. Which cells it needs and may have depends on its kind; the others are empty.

    category: ``vtex_category`` -> ``market_category``. attribute: ``attribute`` (of
    ``market_category``, empty: of all) <- ``source``, else the fixed ``market_value``. value:
    ``vtex_value`` -> ``market_value`` of ``attribute``. ``note``, ``score`` and ``reason`` are for
    people: they are read over.
    """

    kind: str
    vtex_category: str = ""
    market_category: str = ""
    attribute: str = ""
    source: str = ""
    vtex_value: str = ""
    market_value: str = ""
    unit: str = ""
    note: str = ""
    score: str = ""
    reason: str = ""


COLUMNS = tuple(field.name for field in fields(Row))
FOR_PEOPLE = frozenset({"note", "score", "reason"})

_NEEDS = {
    Kind.CATEGORY: frozenset({"vtex_category", "market_category"}),
    Kind.ATTRIBUTE: frozenset({"attribute"}),
    Kind.VALUE: frozenset({"attribute", "vtex_value", "market_value"}),
}
_MAY = {
    Kind.CATEGORY: frozenset[str](),
    Kind.ATTRIBUTE: frozenset({"market_category", "source", "market_value", "unit"}),
    Kind.VALUE: frozenset({"market_category"}),
}
_Key = tuple[str, ...]


def key_of(row: Row) -> _Key:
    """What a row is about: of two rows with one key only one can hold."""
    match row.kind:
        case Kind.CATEGORY:
            return Kind.CATEGORY, row.vtex_category
        case Kind.ATTRIBUTE:
            return Kind.ATTRIBUTE, row.market_category, row.attribute
        case _:
            return Kind.VALUE, row.market_category, row.attribute, row.vtex_value


# --- mapping <-> rows -----------------------------------------------------------------------------


def rows_of(mapping: MarketMap) -> list[Row]:
    """A mapping's rows: categories, then attributes, then values, each in order."""
    categories = [
        Row(Kind.CATEGORY, vtex_category=own, market_category=market)
        for own, market in sorted(mapping.categories.items())
    ]
    attributes = [
        Row(
            Kind.ATTRIBUTE,
            market_category=place,
            attribute=name,
            source=fill.source,
            market_value=fill.fixed,
            unit=fill.unit,
        )
        for (place, name), fill in sorted(mapping.fills.items())
    ]
    values = [
        Row(
            Kind.VALUE,
            market_category=place,
            attribute=name,
            vtex_value=own,
            market_value=market,
        )
        for (place, name, own), market in sorted(mapping.values.items())
    ]
    return [*categories, *attributes, *values]


def mapping_of(rows: Iterable[Row], base: MarketMap | None = None) -> MarketMap:
    """The mapping that rows make, on top of ``base``. They are sound, or were checked to be."""
    base = base or MarketMap()
    categories, fills, values = dict(base.categories), dict(base.fills), dict(base.values)
    for row in rows:
        match row.kind:
            case Kind.CATEGORY:
                categories[row.vtex_category] = row.market_category
            case Kind.ATTRIBUTE:
                fill = Fill(row.source, row.market_value, row.unit)
                fills[row.market_category, row.attribute] = fill
            case _:
                values[row.market_category, row.attribute, row.vtex_value] = row.market_value
    return MarketMap(categories, fills, values)


# --- what is wrong with rows ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one line of a file; line 0 is the file itself."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}" if self.line else self.text


Attributes = Callable[[str], Sequence[Wanted] | None]
"""The attributes of a marketplace category; None where they are not known."""


def unsound(lined: Sequence[tuple[int, Row]]) -> list[Problem]:
    """What is wrong with rows whatever the marketplace has: all of it, by line."""
    problems: list[Problem] = []
    seen: dict[_Key, int] = {}
    for line, row in lined:
        told = [*_cells(row), *_source(row)]
        problems.extend(Problem(line, text) for text in told)
        if row.kind not in _NEEDS:
            continue
        first = seen.setdefault(key_of(row), line)
        if first != line:
            problems.append(Problem(line, f"says again what line {first} is about"))
    return problems


def _cells(row: Row) -> Iterable[str]:
    if row.kind not in _NEEDS:
        yield f"kind is {row.kind!r}: write {', '.join(Kind)}"
        return
    kind = Kind(row.kind)
    for name in COLUMNS[1:]:
        text = getattr(row, name)
        if name in FOR_PEOPLE:
            continue
        if not text and name in _NEEDS[kind]:
            yield f"{name} is empty: every {kind} needs it"
        elif text and name not in _NEEDS[kind] | _MAY[kind]:
            yield f"{name} is not for rows of kind {kind}: leave it empty"
        elif len(text) > LONGEST:
            yield f"{name} is longer than {LONGEST} characters"
        elif text != text.strip() or any(category(each) in _CONTROLS for each in text):
            yield f"{name} has control characters or spaces around it"


def _source(row: Row) -> Iterable[str]:
    if row.kind != Kind.ATTRIBUTE:
        return
    if not row.source and not row.market_value:
        yield "neither source nor market_value is given: an attribute needs one of them"
    for source in row.source.split("|"):
        name = source.removeprefix(FIELD)
        if source.startswith(FIELD) and name not in FIELDS:
            yield f"there is no field {source}: the fields are {', '.join(sorted(FIELDS))}"


def unknown(
    lined: Sequence[tuple[int, Row]], tree: Tree | None, attributes: Attributes
) -> list[Problem]:
    """What rows say that the marketplace does not have; ``tree`` None: it is not known."""
    problems = []
    for line, row in lined:
        market = row.market_category
        wrong = tree.problem(market) if tree is not None and market else ""
        if wrong:
            problems.append(Problem(line, f"market_category {market} {wrong}"))
        elif row.kind != Kind.CATEGORY and market:
            problems.extend(Problem(line, text) for text in _strange(row, attributes(market)))
    return problems


def _strange(row: Row, known: Sequence[Wanted] | None) -> Iterable[str]:
    """What a row about an attribute of one category says that the category does not have."""
    if known is None:
        return
    wanted = next((each for each in known if each.id == row.attribute), None)
    if wanted is None:
        yield f"category {row.market_category} has no attribute {row.attribute}"
        return
    if row.market_value and wanted.values and wanted.find(row.market_value) is None:
        yield f"{row.attribute} does not take the value {row.market_value!r}"
    if row.unit and row.unit not in wanted.units:
        units = ", ".join(wanted.units) or "none"
        yield f"{row.attribute} has no unit {row.unit!r}: its units are {units}"


# --- what changes ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two mappings; either side is None where it has no such row."""

    before: Row | None
    after: Row | None

    def shown(self, tree: Tree | None) -> str:
        """The change on one line, with a sign before it: + new, - gone, ~ changed."""
        row = self.after or self.before
        if row is None:
            return ""
        what = _subject(row)
        was, becomes = (_meaning(each, tree) for each in (self.before, self.after))
        if self.before is None:
            return f"+ {what} -> {becomes}"
        return f"- {what} -> {was}" if self.after is None else f"~ {what}: {was} -> {becomes}"


def changes(before: MarketMap, after: MarketMap) -> list[Change]:
    """Every difference, in the order of rows."""
    old = {key_of(row): row for row in rows_of(before)}
    new = {key_of(row): row for row in rows_of(after)}
    rank = {kind: at for at, kind in enumerate(Kind)}
    keys = sorted(old.keys() | new.keys(), key=lambda key: (rank[Kind(key[0])], key))
    return [Change(old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]


def _subject(row: Row) -> str:
    if row.kind == Kind.CATEGORY:
        return f"category {row.vtex_category}"
    place = f" of {row.market_category}" if row.market_category else ""
    if row.kind == Kind.ATTRIBUTE:
        return f"attribute {row.attribute}{place}"
    return f"value {row.vtex_value!r} of attribute {row.attribute}{place}"


def _meaning(row: Row | None, tree: Tree | None) -> str:
    if row is None:
        return ""
    if row.kind == Kind.CATEGORY:
        return tree.shown(row.market_category) if tree else row.market_category
    if row.kind == Kind.VALUE:
        return repr(row.market_value)
    told = [row.source, repr(row.market_value) if row.market_value else "", row.unit]
    return ", ".join(text for text in told if text)
