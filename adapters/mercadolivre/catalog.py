"""Categories, their attributes, and Mercado Livre's own guess (page "Categoriza productos")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.mercadolivre.api import Api, list_of, object_of, path
from adapters.mercadolivre.items import FROM_CONTENT
from adapters.mercadolivre.settings import MercadoLivreSettings
from connector.sdk import Category, CategoryAttribute, CategoryGuess, Rejected, together

_GUESSES = "8"
_REQUIRED = ("required", "new_required")
_RECOMMENDED = ("catalog_required", "conditional_required")
_NOT_OURS = ("read_only", "fixed")


class Catalog:
    """One site's categories."""

    def __init__(self, api: Api, settings: MercadoLivreSettings) -> None:
        self._api = api
        self._settings = settings

    async def tree(self) -> Sequence[Category]:
        """The tree, level by level: only a category itself tells its children."""
        answer = await self._api.get(
            path("sites", self._settings.site, "categories"), "categories.read"
        )
        wanted = set(self._settings.category_roots)
        roots = [Category(str(row["id"]), str(row["name"])) for row in _rows(list_of(answer))]
        level = [root for root in roots if not wanted or root.id in wanted]
        if missing := wanted - {root.id for root in level}:
            raise Rejected([f"category_roots: {', '.join(sorted(missing))} is no root category"])
        found: list[Category] = []
        while level:
            below = await together(level, self._children)
            found += [
                Category(node.id, node.name, node.parent_id, leaf=not children)
                for node, children in zip(level, below, strict=True)
            ]
            known = {node.id for node in found}
            level = [child for children in below for child in children if child.id not in known]
        return found

    async def _children(self, node: Category) -> list[Category]:
        answer = await self._api.get(path("categories", node.id), "categories.read", ok=(404,))
        if answer.status == 404:
            return []
        rows = _rows(object_of(answer).get("children_categories"))
        return [Category(str(row["id"]), str(row["name"]), node.id) for row in rows]

    async def attributes(self, category_id: str) -> Sequence[CategoryAttribute]:
        """What a category wants to know, but for what the hub fills in anyway."""
        answer = await self._api.get(
            path("categories", category_id, "attributes"), "categories.attributes"
        )
        return [
            _attribute(row)
            for row in _rows(list_of(answer))
            if str(row["id"]) not in FROM_CONTENT and not _tagged(row, *_NOT_OURS)
        ]

    async def predict(self, title: str) -> Sequence[CategoryGuess]:
        """The domain search, best first; it tells no score, so the order is the score."""
        where = path("sites", self._settings.site, "domain_discovery", "search")
        query = {"q": title[:250], "limit": _GUESSES}
        answer = await self._api.get(where, "categories.predict", query=query)
        rows = [row for row in list_of(answer) if isinstance(row, dict) and row.get("category_id")]
        return [
            CategoryGuess(
                str(row["category_id"]),
                str(row.get("category_name") or ""),
                score=(len(rows) - place) / len(rows),
            )
            for place, row in enumerate(rows)
        ]


def _rows(payload: object) -> list[Mapping[str, Any]]:
    """The named objects of a list; whatever else is in it is left out."""
    rows = payload if isinstance(payload, list) else []
    return [row for row in rows if isinstance(row, dict) and row.get("id") and row.get("name")]


def _tagged(row: Mapping[str, Any], *names: str) -> bool:
    """Tags come as an object of booleans; an older form is a list of names."""
    tags = row.get("tags")
    if isinstance(tags, dict):
        return any(tags.get(name) for name in names)
    return isinstance(tags, list) and any(name in tags for name in names)


def _attribute(row: Mapping[str, Any]) -> CategoryAttribute:
    length = row.get("value_max_length")
    return CategoryAttribute(
        id=str(row["id"]),
        name=str(row["name"]),
        required=_tagged(row, *_REQUIRED),
        recommended=_tagged(row, *_RECOMMENDED),
        variation=_tagged(row, "allow_variations", "variation_attribute"),
        kind=str(row.get("value_type") or ""),
        max_length=length if isinstance(length, int) else 0,
        units=tuple(str(unit["id"]) for unit in _rows(row.get("allowed_units"))),
        values=tuple((str(v["id"]), str(v["name"])) for v in _rows(row.get("values"))),
    )
