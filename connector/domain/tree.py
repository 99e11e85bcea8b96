"""A marketplace's category tree, and what it wants to know of products in a category."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from connector.domain.words import folded

_DEEPEST = 50
"""A tree deeper than this has a loop in it."""


class Node(NamedTuple):
    """One category; ``parent`` is empty at the top."""

    id: str
    name: str
    parent: str = ""
    leaf: bool = True


class Tree:
    """All categories of a marketplace, by id."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = {node.id: node for node in nodes if node.id}
        self._parents = {node.parent for node in self.nodes.values() if node.parent}

    def __len__(self) -> int:
        return len(self.nodes)

    def leaves(self) -> list[Node]:
        """The categories that take products."""
        return [node for node in self.nodes.values() if self.is_leaf(node)]

    def is_leaf(self, node: Node) -> bool:
        """Whether a category takes products: it says so, and has no children."""
        return node.leaf and node.id not in self._parents

    def path(self, category: str) -> tuple[str, ...]:
        """Names from the top to a category; empty where it is not known."""
        names: list[str] = []
        at = self.nodes.get(category)
        while at is not None and len(names) < _DEEPEST:
            names.append(at.name)
            at = self.nodes.get(at.parent)
        return tuple(reversed(names))

    def shown(self, category: str) -> str:
        """A category for people: its id and where it is."""
        path = " > ".join(self.path(category))
        return f"{category} ({path})" if path else category

    def problem(self, category: str) -> str:
        """Why a category takes no products; empty where it does."""
        node = self.nodes.get(category)
        if node is None:
            return "is not in the marketplace's tree"
        return "" if self.is_leaf(node) else "is no leaf of the marketplace's tree"


@dataclass(frozen=True)
class Values:
    """The values an attribute takes, as (id, name): attributes with the same ones may share it."""

    pairs: tuple[tuple[str, str], ...] = ()

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    @cached_property
    def by_id(self) -> dict[str, str]:
        """Names by id."""
        return dict(self.pairs)

    @cached_property
    def by_name(self) -> dict[str, str]:
        """Ids by folded name; the first of several counts."""
        return {folded(name): own for own, name in reversed(self.pairs)}


@dataclass(frozen=True)
class Wanted:
    """One attribute a marketplace wants to know of products in a category.

    ``values`` are those it takes; empty where it takes any text.
    """

    id: str
    name: str
    required: bool = False
    recommended: bool = False
    variation: bool = False
    kind: str = ""
    max_length: int = 0
    units: tuple[str, ...] = ()
    values: Values = field(default_factory=Values)

    def find(self, text: str, *, ids: bool = True) -> tuple[str, str] | None:
        """The value (id, name) that a text means; ``ids``: it may be an id as well as a name."""
        by_id = self.values.by_id
        if ids and text in by_id:
            return text, by_id[text]
        own = self.values.by_name.get(folded(text))
        return None if own is None else (own, by_id[own])
