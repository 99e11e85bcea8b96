"""Mappings ready to be applied, remembered until they change: every look at a SKU needs one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connector.domain.connection import Connection, Rules
from connector.domain.mapping import Filled, Filler, MarketMap
from connector.domain.offer import Content
from connector.domain.tree import Wanted
from connector.flows.attributes import ValueLists, read_attributes
from connector.flows.mapping_store import HEALTH, MAP, MAPPER, MAPPING, Health, Registered, open_map
from connector.flows.trees import site_of
from connector.ports import Conflict, Document, Store

if TYPE_CHECKING:
    from connector.flows.hub import Peers

_MOST_MAPPINGS = 500
_TRIES = 3


@dataclass
class Filling:
    """One connection's mapping and the attributes of the categories it was asked about."""

    filler: Filler
    link: str = ""
    """Where the merchant maps in VTEX's own admin, if the connection is registered there."""
    wanted: dict[str, tuple[Wanted, ...] | None] = field(default_factory=dict)

    def __call__(self, content: Content) -> Filled:
        """The content with the marketplace's category and attributes."""
        category = self.filler.category(content)
        return self.filler.fill(content, self.wanted[category] if category else None)

    def reasons(self, filled: Filled) -> tuple[str, ...]:
        """Why the content cannot be listed, each with where to map it (log E4)."""
        return tuple(f"{text}{self.link}" for text in filled.reasons)


@dataclass(frozen=True, slots=True)
class _Kept:
    versions: tuple[int, ...]
    rules: Rules
    filling: Filling


class MappingBook:
    """Reads mappings from the ledger; built anew only when something about them has changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lists = ValueLists()

    async def filling(
        self, connection: Connection, peers: Peers, contents: Iterable[Content]
    ) -> Filling:
        """What applies the connection's mapping to these contents."""
        filling = await self._filling(connection)
        await self.prepare(filling, peers, contents)
        return filling

    async def prepare(self, filling: Filling, peers: Peers, contents: Iterable[Content]) -> None:
        """Read the attributes that the contents' categories have and ``filling`` lacks."""
        wanted = {filling.filler.category(content) for content in contents}
        lacking = sorted(wanted - filling.wanted.keys() - {""})
        if lacking:
            site = site_of(peers)
            known = await read_attributes(self._store, site, lacking, self._lists)
            filling.wanted.update({category: known.get(category) for category in lacking})

    async def _filling(self, connection: Connection) -> Filling:
        keys = (MAP, HEALTH, MAPPER)
        for _ in range(_TRIES):
            found = await self._store.get(MAPPING, connection.id, keys)
            versions = tuple(found[key].version if key in found else 0 for key in keys)
            kept = self._kept.get(connection.id)
            if kept is not None and (kept.versions, kept.rules) == (versions, connection.rules):
                self._kept.move_to_end(connection.id)
                return kept.filling
            try:
                filling = await self._build(connection, found)
            except Conflict:
                continue  # it was replaced at this moment
            self._kept[connection.id] = _Kept(versions, connection.rules, filling)
            self._kept.move_to_end(connection.id)
            while len(self._kept) > _MOST_MAPPINGS:
                self._kept.popitem(last=False)
            return filling
        raise Conflict("the mapping is being replaced over and over")

    async def _build(self, connection: Connection, found: dict[str, Document]) -> Filling:
        mapping, broken, mapper = MarketMap(), {}, Registered()
        if MAP in found:
            mapping = (await open_map(self._store, found[MAP])).mapping
        if HEALTH in found:
            broken = Health.model_validate_json(found[HEALTH].body).broken
        if MAPPER in found:
            mapper = Registered.model_validate_json(found[MAPPER].body)
        return filling_of(connection, mapping, broken, mapper)


def filling_of(
    connection: Connection, mapping: MarketMap, broken: Mapping[str, str], mapper: Registered
) -> Filling:
    """A mapping ready to be applied to a connection's contents, no attributes read yet."""
    link = mapper_link(connection, mapper)
    return Filling(Filler(mapping, connection.rules, broken), f" ({link})" if link else "")


def mapper_link(connection: Connection, mapper: Registered) -> str:
    """The page of VTEX's admin where the merchant maps; empty where there is none."""
    if not mapper.id:
        return ""
    return f"https://{connection.account}.myvtex.com/admin/mkp-category-mapper/{mapper.id}"
