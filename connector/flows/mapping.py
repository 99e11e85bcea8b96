"""Change a connection's mapping: checked whole, compared, saved whole, and felt at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from connector.domain.connection import Connection
from connector.domain.mapping import MarketMap
from connector.domain.mapping_file import Lined, read
from connector.domain.mapping_rows import (
    Change,
    Problem,
    Row,
    changes,
    mapping_of,
    rows_of,
    unknown,
)
from connector.domain.pending import Context, Mark, Priority
from connector.domain.tree import Tree
from connector.flows.connections import Refusal, find
from connector.flows.hub import Hub
from connector.flows.mapping_book import filling_of
from connector.flows.mapping_job import (
    broken_in,
    concerns,
    contents,
    listing_pages,
    remap_mark,
    sku_mark,
    targets,
)
from connector.flows.mapping_market import Market, peers_of, read_market
from connector.flows.mapping_store import (
    SavedMap,
    load_health,
    load_map,
    load_mapper,
    map_writes,
    put_health,
)
from connector.flows.trees import load_tree, site_of
from connector.flows.upkeep_jobs import Job
from connector.ports import Conflict, Json, Write
from connector.sdk import Capability

_TRIES = 5
MOST_MARKS = 2_000
"""SKUs that are looked at again in the very commit of a mapping; the job takes the others."""


class WrongRows(Refusal):
    """Rows that cannot be imported; the message tells all of it, by line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        told = "\n".join(map(str, problems))
        super().__init__(f"nothing was changed:\n{told}")
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Changed:
    """What a change does, and to how many SKUs."""

    changes: Sequence[Change] = ()
    skus: int = 0
    applied: bool = False
    checked: bool = True
    """Whether the marketplace's tree was there to check it against."""
    tree: Tree | None = None

    def shown(self) -> Json:
        """What operators are told."""
        return {
            "changes": [each.shown(self.tree) for each in self.changes],
            "skus": self.skus,
            "applied": self.applied,
            "checked": self.checked,
        }


async def export_rows(hub: Hub, connection_id: str) -> list[Row]:
    """A connection's mapping as rows, with notes for people.

    Raises:
        Refusal: there is no such connection.
    """
    connection = (await find(hub, connection_id)).value
    mapping = (await load_map(hub.store, connection.id)).mapping
    loaded = await load_tree(hub.store, site_of(peers_of(hub, connection)))
    tree = loaded[1] if loaded else None
    return [noted(row, tree) for row in rows_of(mapping)]


def noted(row: Row, tree: Tree | None) -> Row:
    """The row with its marketplace category's path, where nothing else is noted."""
    if row.note or tree is None or not row.market_category:
        return row
    return dataclasses.replace(row, note=" > ".join(tree.path(row.market_category)))


async def import_file(
    hub: Hub, connection_id: str, body: bytes, *, replace: bool = False, dry_run: bool = False
) -> Changed:
    """Change a mapping by a CSV or JSON file (see ``change_mapping``).

    Raises:
        WrongRows: the file cannot be read, or a row is wrong; nothing was done.
    """
    lined, problems = read(body)
    if problems:
        raise WrongRows(problems)
    return await change_mapping(hub, connection_id, lined, replace=replace, dry_run=dry_run)


async def change_mapping(
    hub: Hub,
    connection_id: str,
    lined: Lined,
    *,
    replace: bool = False,
    dry_run: bool = False,
    more: Sequence[Write] = (),
) -> Changed:
    """Put rows into a connection's mapping, or say what is wrong with them.

    ``lined`` are rows with their lines, sound by themselves. ``replace`` makes them the whole
    mapping; else each row takes the place of the one about the same thing. SKUs it concerns are
    marked in the commit that saves it, and ``more`` is saved along.

    Raises:
        WrongRows: the marketplace does not have what a row names; nothing was done.
        Refusal: there is no such connection, or the marketplace's tree cannot be read.
        Conflict: somebody else changed the mapping at the same moment.
    """
    connection = (await find(hub, connection_id)).value
    market = await read_market(hub, connection, [row for _, row in lined], fetch=not dry_run)
    problems = unknown(lined, market.tree, market.attributes.get)
    if problems:
        raise WrongRows(problems)
    saved = await load_map(hub.store, connection.id)
    after = mapping_of((row for _, row in lined), None if replace else saved.mapping)
    diff = changes(saved.mapping, after)
    skus, broken = await _effects(hub, connection, market, after)
    told = Changed(
        diff, len(skus), bool(diff) and not dry_run, market.tree is not None, market.tree
    )
    if dry_run or not diff:
        return told
    await _save(hub, connection, saved, after, broken, [*_marks(hub, connection, skus), *more])
    return told


async def _effects(
    hub: Hub, connection: Connection, market: Market, after: MarketMap
) -> tuple[list[str], dict[str, str]]:
    """The SKUs a mapping concerns, and what it maps to that takes no products."""
    health, _ = await load_health(hub.store, connection.id)
    broken = health.broken
    if market.tree is not None:
        broken = broken_in(market.tree, targets(after, connection.rules))
    mapper, _ = await load_mapper(hub.store, connection.id)
    filling = filling_of(connection, after, broken, mapper)
    skus: list[str] = []
    async for page in listing_pages(hub, connection):
        await hub.mappings.prepare(filling, market.peers, contents(page))
        skus.extend(each.sku for each in page if concerns(filling, each))
    return skus, broken


def _marks(hub: Hub, connection: Connection, skus: Sequence[str]) -> list[Write]:
    """What is looked at again; the jobs take the SKUs that are too many for one commit, or came
    meanwhile, and fetch attributes of categories that are mapped for the first time.
    """
    categories = Mark(connection.id, Context.UPKEEP, Job.CATEGORIES, hub.now(), Priority.CHANGE)
    has_tree = Capability.CATEGORIES in hub.registry.get(connection.adapter).capabilities
    return [
        *(sku_mark(hub, connection, sku) for sku in skus[:MOST_MARKS]),
        remap_mark(hub, connection, at_once=len(skus) > MOST_MARKS),
        *([categories] if has_tree else []),
    ]


async def _save(  # noqa: PLR0917 - all of it is one commit
    hub: Hub,
    connection: Connection,
    saved: SavedMap,
    after: MarketMap,
    broken: dict[str, str],
    more: Sequence[Write],
) -> None:
    """Save it in one commit; the daily job may write the mapping's health at the same moment."""
    writes = await map_writes(hub.store, connection.id, saved, after, hub.now())
    for _ in range(_TRIES):
        health, version = await load_health(hub.store, connection.id)
        put = put_health(connection.id, health.model_copy(update={"broken": broken}), version)
        try:
            await hub.store.commit([*writes, put, *more])
        except Conflict:
            if (await load_map(hub.store, connection.id)).version != saved.version:
                raise
            continue
        hub.ring(connection, Context.LISTINGS)
        hub.ring(connection, Context.UPKEEP)
        return
    raise Conflict("the mapping is written by others over and over")
