"""What the operator's catalog asks for: categories, attributes, lists of values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import ValidationError

from adapters.mirakl.client import Mirakl
from adapters.mirakl.products import filled_by_us
from adapters.mirakl.wire import Rows, Text, Wire, objects_in, rows_of
from connector.sdk import Category, CategoryAttribute, RetryLater

_LISTS = frozenset({"LIST", "LIST_MULTIPLE_VALUES"})
_LIST_CODE = frozenset({"LIST_CODE", "VALUES_LIST_CODE"})
_MAX_LENGTH = "MAX_LENGTH"
_AGAIN = timedelta(hours=1)
"""VL11's published ceiling."""


class WireParameter(Wire):
    """A setting of an attribute's type."""

    name: Text = ""
    value: Text = ""


class WireAttribute(Wire):
    """An attribute of a category, or of all where ``hierarchy_code`` is empty."""

    code: Text
    label: Text = ""
    type: Text = ""
    type_parameter: Text = ""
    type_parameters: Annotated[tuple[WireParameter, ...], Rows] = ()
    values_list: Text = ""
    requirement_level: Text = ""
    required: bool | None = None
    variant: bool = False
    validations: Text = ""

    @property
    def list_code(self) -> str:
        """Which list of values it takes, where it takes one."""
        if self.type not in _LISTS:
            return ""
        told = [each.value for each in self.type_parameters if each.name in _LIST_CODE]
        return (told[0] if told else "") or self.values_list or self.type_parameter

    def attribute(self, values: tuple[tuple[str, str], ...]) -> CategoryAttribute:
        """The same in the hub's words."""
        level = self.requirement_level
        return CategoryAttribute(
            id=self.code,
            name=self.label or self.code,
            required=level == "REQUIRED" or (not level and bool(self.required)),
            recommended=level == "RECOMMENDED",
            variation=self.variant,
            kind=self.type,
            max_length=_longest(self.validations),
            values=values,
        )


def _longest(validations: str) -> int:
    """``MIN_LENGTH|10,MAX_LENGTH|80`` -> 80; 0 where no length is told."""
    for rule in validations.split(","):
        name, _, value = rule.strip().partition("|")
        if name == _MAX_LENGTH and value.isdecimal():
            return int(value)
    return 0


class ValueLists:
    """All lists of values (VL11), remembered until they may be asked for again.

    They come in one answer and may be asked for once an hour: many categories share it.
    """

    def __init__(self) -> None:
        self._known: Mapping[str, tuple[tuple[str, str], ...]] = {}
        self._until: datetime | None = None

    async def read(self, mirakl: Mirakl) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """Codes and labels of each list's values, by the list's code."""
        now = mirakl.clock.now()
        if self._until is None or now >= self._until:
            answer = await mirakl.get("/api/values_lists", "VL11.values")
            self._known = {
                str(row.get("code")): tuple(
                    (str(value.get("code")), str(value.get("label") or value.get("code")))
                    for value in objects_in(row.get("values"))
                )
                for row in rows_of(answer, "values_lists")
            }
            self._until = now + _AGAIN
        return self._known


async def categories(mirakl: Mirakl) -> list[Category]:
    """The whole tree (H11), which comes in one answer."""
    rows = rows_of(await mirakl.get("/api/hierarchies", "H11.categories"), "hierarchies")
    parents = {str(row.get("parent_code") or "") for row in rows}
    return [
        Category(
            id=str(row.get("code")),
            name=str(row.get("label") or row.get("code")),
            parent_id=str(row.get("parent_code") or ""),
            leaf=str(row.get("code")) not in parents,
        )
        for row in rows
        if row.get("code")
    ]


async def attributes(
    mirakl: Mirakl, category_id: str, lists: ValueLists
) -> list[CategoryAttribute]:
    """What a category asks for (PM11), without what comes from the product itself, with the
    values of its lists (VL11).
    """
    query = {"hierarchy": category_id, "max_level": "0"}
    response = await mirakl.get("/api/products/attributes", "PM11.attributes", query=query)
    try:
        told = [WireAttribute.model_validate(row) for row in rows_of(response, "attributes")]
    except ValidationError:
        raise RetryLater("Mirakl's attributes cannot be read") from None
    ours = filled_by_us(mirakl.settings)
    wanted = [one for one in told if one.requirement_level != "DISABLED" and one.code not in ours]
    needed = {one.list_code for one in wanted} - {""}
    values = await lists.read(mirakl) if needed else {}
    return [one.attribute(values.get(one.list_code, ())) for one in wanted]
