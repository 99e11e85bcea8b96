"""A connection's mapping in the ledger, and what became of it on the marketplace's side."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from datetime import datetime

from pydantic import Field

from connector.domain.mapping import MarketMap
from connector.domain.mapping_rows import FOR_PEOPLE, Row, mapping_of, rows_of
from connector.domain.offer import Value
from connector.flows.bundles import Bundle, drop_bundle, load_bundle, save_bundle
from connector.ports import Conflict, Document, Put, Store, Write

MAPPING, MAPPING_PART = "mapping", "mapping-part"
MAP, HEALTH, MAPPER = "map", "health", "mapper"
"""Keys of the documents of kind MAPPING."""
_CELLS = len(Row.__slots__) - len(FOR_PEOPLE)
_TRIES = 3


class MapHead(Value):
    """Which mapping a connection has: ``number`` grows with every change."""

    number: int = 0
    bundle: Bundle = Bundle()
    previous: Bundle = Bundle()
    changed_at: datetime | None = None


class Health(Value):
    """What the marketplace's tree says of a mapping.

    ``broken``: marketplace categories that take no products any more, and why. ``attributes``:
    digests of the attributes that are known, by marketplace category.
    """

    tree: int = 0
    broken: dict[str, str] = Field(default_factory=dict)
    attributes: dict[str, str] = Field(default_factory=dict)
    checked_at: datetime | None = None


class Registered(Value):
    """A connection's registration with VTEX Mapper (protocol 9.1)."""

    id: str = ""
    answer: str = ""
    """Everything VTEX said: the shape is not published."""
    registered_at: datetime | None = None
    tree: str = ""
    """Digest of the tree that was sent last."""
    sent_at: datetime | None = None
    processed: str = ""
    """What Mapper last said of a tree."""
    processed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SavedMap:
    """A mapping with its head and the version the head is saved at."""

    mapping: MarketMap = field(default_factory=MarketMap)
    head: MapHead = field(default_factory=MapHead)
    version: int = 0


async def load_map(store: Store, connection: str) -> SavedMap:
    """A connection's mapping; an empty one where it never had any."""
    for attempt in range(_TRIES):
        found = (await store.get(MAPPING, connection, [MAP])).get(MAP)
        if found is None:
            return SavedMap()
        try:
            return await open_map(store, found)
        except Conflict:
            if attempt == _TRIES - 1:
                raise
    return SavedMap()


async def open_map(store: Store, document: Document) -> SavedMap:
    """The mapping that a head document refers to.

    Raises:
        Conflict: it was replaced meanwhile.
    """
    head = MapHead.model_validate_json(document.body)
    rows = await load_bundle(store, MAPPING_PART, document.connection, head.bundle)
    return SavedMap(mapping_of(Row(*cells) for cells in rows), head, document.version)


async def map_writes(
    store: Store, connection: str, saved: SavedMap, mapping: MarketMap, now: datetime
) -> list[Write]:
    """What makes ``mapping`` the connection's; its rows are saved at once, refering to nothing."""
    rows = [list(astuple(row)[:_CELLS]) for row in rows_of(mapping)]
    bundle = await save_bundle(store, MAPPING_PART, connection, rows)
    head = MapHead(
        number=saved.head.number + 1, bundle=bundle, previous=saved.head.bundle, changed_at=now
    )
    body = head.model_dump_json()
    put = Put(Document(MAPPING, connection, MAP, body, version=saved.version))
    keep = (bundle, saved.head.bundle)
    return [put, *drop_bundle(MAPPING_PART, connection, saved.head.previous, keep)]


async def load_health(store: Store, connection: str) -> tuple[Health, int]:
    """What is known of a mapping's health, and the version it is saved at."""
    found = (await store.get(MAPPING, connection, [HEALTH])).get(HEALTH)
    if found is None:
        return Health(), 0
    return Health.model_validate_json(found.body), found.version


def put_health(connection: str, health: Health, version: int) -> Put:
    """Save a mapping's health."""
    body = health.model_dump_json(exclude_defaults=True)
    return Put(Document(MAPPING, connection, HEALTH, body, version=version))


async def load_mapper(store: Store, connection: str) -> tuple[Registered, int]:
    """The registration with VTEX Mapper, and the version it is saved at."""
    found = (await store.get(MAPPING, connection, [MAPPER])).get(MAPPER)
    if found is None:
        return Registered(), 0
    return Registered.model_validate_json(found.body), found.version


def put_mapper(connection: str, mapper: Registered, version: int) -> Put:
    """Save the registration."""
    body = mapper.model_dump_json(exclude_defaults=True)
    return Put(Document(MAPPING, connection, MAPPER, body, version=version))
