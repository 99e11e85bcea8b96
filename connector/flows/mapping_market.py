"""The marketplace's side of a mapping: its tree and attributes, as operators need them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from connector.domain.connection import Connection
from connector.domain.mapping_rows import Kind, Row
from connector.domain.matching import Matcher
from connector.domain.pending import Context
from connector.domain.tree import Tree, Wanted
from connector.flows.attributes import ValueLists, read_attributes, refresh_attributes
from connector.flows.connections import Refusal, find
from connector.flows.hub import Hub, Peers
from connector.flows.setbacks import PEER_ERRORS, Again, setback
from connector.flows.trees import load_tree, refresh_tree, site_of
from connector.ports import Json
from connector.sdk import Capability, Rejected

_FETCHED = 100
"""Categories whose attributes are fetched for one change; the daily job fetches the others."""
_SHOWN = 20


@dataclass(frozen=True)
class Market:
    """What is known of the marketplace's side of one connection."""

    peers: Peers
    tree: Tree | None
    attributes: dict[str, tuple[Wanted, ...]] = field(default_factory=dict)


def peers_of(hub: Hub, connection: Connection) -> Peers:
    """Both sides of a connection.

    Raises:
        Refusal: its adapter is missing, or its settings cannot be read.
    """
    try:
        return hub.peers.of(connection, Context.UPKEEP)
    except (LookupError, ValueError) as error:
        raise Refusal(str(error)) from None


async def read_market(
    hub: Hub,
    connection: Connection,
    rows: Sequence[Row] = (),
    *,
    fetch: bool = True,
    refresh: bool = False,
) -> Market:
    """The marketplace's tree, fetched if it never was (``refresh``: in any case), and the
    attributes of the categories that rows name, as far as they are known (``fetch``: or can be
    fetched now).

    Raises:
        Refusal: the tree is not there and cannot be read.
    """
    peers = peers_of(hub, connection)
    tree = await _tree(hub, peers, refresh=refresh)
    named = {row.market_category for row in rows if row.market_category}
    about = {row.market_category for row in rows if row.kind != Kind.CATEGORY} - {""}
    real = [each for each in sorted(named) if tree is None or not tree.problem(each)]
    site, lists = site_of(peers), ValueLists()
    attributes = await read_attributes(hub.store, site, real, lists)
    lacking = [each for each in real if each not in attributes and (fetch or each in about)]
    lacking.sort(key=lambda each: each not in about)
    for category in lacking[:_FETCHED]:
        try:
            await refresh_attributes(hub, peers, category)
        except Rejected:
            continue
        except PEER_ERRORS:
            break  # the job asks again; rows are checked as far as it is known
    attributes |= await read_attributes(hub.store, site, lacking[:_FETCHED], lists)
    return Market(peers, tree, attributes)


async def _tree(hub: Hub, peers: Peers, *, refresh: bool) -> Tree | None:
    if Capability.CATEGORIES not in peers.adapter.capabilities:
        return None
    loaded = None if refresh else await load_tree(hub.store, site_of(peers))
    if loaded is None:
        try:
            await refresh_tree(hub, peers, force=refresh)
        except (*PEER_ERRORS, Again) as error:
            why = "; ".join(setback(error).reasons)
            raise Refusal(f"the marketplace's category tree cannot be read now: {why}") from None
        loaded = await load_tree(hub.store, site_of(peers))
    return loaded[1] if loaded else None


# --- looking things up ----------------------------------------------------------------------------


async def matcher_of(tree: Tree) -> Matcher:
    """What finds categories of a tree by similar names; others get their turns meanwhile."""
    matcher = Matcher(tree)
    for _ in matcher.learn():
        await asyncio.sleep(0)
    return matcher


async def find_categories(
    hub: Hub, connection_id: str, words: str, *, refresh: bool = False
) -> list[Json]:
    """Marketplace categories by id or words, those that fit best first, with their attributes.

    Raises:
        Refusal: there is no such connection, or no tree.
    """
    connection = (await find(hub, connection_id)).value
    tree = (await read_market(hub, connection, refresh=refresh)).tree
    if tree is None:
        raise Refusal(f"the adapter {connection.adapter} cannot read the marketplace's categories")
    similar = (await matcher_of(tree)).best((words,), _SHOWN)
    ids = [words] if words in tree.nodes else [each.id for each in similar]
    named = [Row(Kind.CATEGORY, market_category=each) for each in ids[:1]]
    attributes = (await read_market(hub, connection, named)).attributes
    return [
        {
            "id": each,
            "path": " > ".join(tree.path(each)),
            "leaf": not tree.problem(each),
            "attributes": [_shown(wanted) for wanted in attributes.get(each, ())],
        }
        for each in ids
    ]


def _shown(wanted: Wanted) -> str:
    required = " (required)" if wanted.required else ""
    takes = ", ".join(f"{own}={name}" for own, name in wanted.values.pairs[:_SHOWN])
    more = ", ..." if len(wanted.values) > _SHOWN else ""
    return f"{wanted.id} {wanted.name}{required}{f': {takes}{more}' if takes else ''}"
