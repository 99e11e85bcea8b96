"""What becomes of mappings over time: trees change, attributes change, SKUs are looked at again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta

from connector.domain.connection import Connection, Rules
from connector.domain.entries import Direction, Entry, Operation, Status
from connector.domain.listing import Listing, ListingState
from connector.domain.mapping import MarketMap
from connector.domain.offer import Content
from connector.domain.pending import Context, Mark, Priority
from connector.domain.tree import Tree
from connector.flows.attributes import refresh_attributes, sweep_attributes
from connector.flows.documents import LISTING
from connector.flows.hub import Hub, Peers
from connector.flows.mapping_book import Filling
from connector.flows.mapping_store import Health, load_health, load_map, put_health
from connector.flows.setbacks import PEER_ERRORS
from connector.flows.trees import load_tree, refresh_tree, site_of
from connector.flows.upkeep_jobs import Job
from connector.ports import Write
from connector.sdk import Rejected

_DAILY = timedelta(days=1)
_SOON = timedelta(seconds=30)
_JUST = timedelta(hours=1)
_GATHERED = timedelta(seconds=15)
_AT_ONCE = 50
"""Categories whose attributes are fetched in one turn."""
_PAGE = 200


def targets(mapping: MarketMap, rules: Rules) -> list[str]:
    """Every marketplace category that something is mapped to."""
    found = {*mapping.categories.values(), *rules.categories.values(), rules.default_category}
    return sorted(found - {""})


def broken_in(tree: Tree, categories: Iterable[str]) -> dict[str, str]:
    """The categories that take no products (any more), and why."""
    return {each: why for each in categories if (why := tree.problem(each))}


# --- the daily look at the marketplace's side -----------------------------------------------------


async def refresh_categories(hub: Hub, connection: Connection) -> datetime:
    """Fetch the tree, then the attributes of mapped categories; tell of mappings that broke.

    Connections of one site share what is fetched: only the first of a day asks the marketplace.
    """
    peers = hub.peers.of(connection, Context.UPKEEP)
    await refresh_tree(hub, peers)
    loaded = await load_tree(hub.store, site_of(peers))
    if loaded is None:
        return hub.now() + _SOON
    head, tree = loaded
    if hub.now() - head.fetched_at < _JUST:  # about once a day, by whoever fetched it
        await sweep_attributes(hub, site_of(peers))
    mapping = (await load_map(hub.store, connection.id)).mapping
    wanted = targets(mapping, connection.rules)
    before, version = await load_health(hub.store, connection.id)
    broken = broken_in(tree, wanted)
    digests = dict(before.attributes)
    failure: Exception | None = None
    more = False
    try:
        more = await _attributes(
            hub, peers, [each for each in wanted if each not in broken], digests
        )
    except PEER_ERRORS as error:
        failure = error  # what was learnt before counts all the same
    kept = {category: digests[category] for category in wanted if category in digests}
    news = {"tree": head.number, "broken": broken, "attributes": kept}
    await _save(hub, connection, before, before.model_copy(update=news), version)
    if failure is not None:
        raise failure
    # Never sooner than a day: the first of a site's connections fetches, the others share.
    return hub.now() + (_SOON if more else _DAILY * hub.rng.uniform(1, 1.2))


async def _attributes(
    hub: Hub, peers: Peers, categories: Sequence[str], digests: dict[str, str]
) -> bool:
    """Note the digests of these categories' attributes; whether some are still to be fetched.

    Raises:
        AdapterError, HttpFailure: the marketplace does not tell (more) now.
    """
    fetched = 0
    for category in categories:
        if fetched >= _AT_ONCE:
            return True
        try:
            digest, new = await refresh_attributes(hub, peers, category)
        except Rejected:
            continue  # the marketplace knows nothing of this one: that is no reason to stop
        fetched += new
        if digest:
            digests[category] = digest
    return False


async def _save(
    hub: Hub, connection: Connection, before: Health, after: Health, version: int
) -> None:
    """Save what was found; what changed is told, and SKUs it concerns are looked at again."""
    if version and after == before:
        return
    writes: list[Write] = [
        put_health(connection.id, after.model_copy(update={"checked_at": hub.now()}), version)
    ]
    for category, why in after.broken.items():
        if category not in before.broken:
            writes.append(_broken(hub, connection, category, why))
    if (after.broken, after.attributes) != (before.broken, before.attributes):
        writes.append(remap_mark(hub, connection))
    await hub.store.commit(writes)
    hub.ring(connection, Context.UPKEEP)


def _broken(hub: Hub, connection: Connection, category: str, why: str) -> Entry:
    return Entry(
        connection=connection.id,
        at=hub.now(),
        subject=connection.id,
        operation=Operation.CATALOG_CHANGE,
        direction=Direction.TO_MARKETPLACE,
        status=Status.ERROR,
        code="E4",
        message=f"marketplace category {category}, which products are mapped to, {why}: map them"
        f" anew (connector mapping status {connection.id})",
    )


# --- SKUs that a change concerns ------------------------------------------------------------------


def remap_mark(hub: Hub, connection: Connection, *, at_once: bool = False) -> Mark:
    """Ask for the job that looks for them: after those that were marked are done, or at once."""
    due = hub.now() + (timedelta() if at_once else _GATHERED)
    return Mark(connection.id, Context.UPKEEP, Job.REMAP, due, Priority.CHANGE)


def sku_mark(hub: Hub, connection: Connection, sku: str) -> Mark:
    """Plan a SKU again, with the content that is known: nothing changed in VTEX."""
    return Mark(connection.id, Context.LISTINGS, sku, hub.now(), Priority.CHANGE)


async def remap(hub: Hub, connection: Connection) -> None:
    """Look again at every SKU to which the mapping now says something else than was saved."""
    peers = hub.peers.of(connection, Context.UPKEEP)
    async for page in listing_pages(hub, connection):
        filling = await hub.mappings.filling(connection, peers, contents(page))
        marks = [sku_mark(hub, connection, each.sku) for each in page if concerns(filling, each)]
        if marks:
            await hub.store.commit(marks)
            hub.ring(connection, Context.LISTINGS)


def contents(listings: Iterable[Listing]) -> list[Content]:
    """What VTEX said of those of them that it said anything of."""
    records = (listing.record for listing in listings)
    return [record.content for record in records if record is not None and record.content]


def concerns(filling: Filling, listing: Listing) -> bool:
    """Whether a mapping says something else of a listing than what is saved."""
    record = listing.record
    if record is None or record.content is None:
        return False
    filled = filling(record.content)
    if filled.content is not record.content:
        return True
    if listing.state in {ListingState.BLOCKED, ListingState.GONE}:
        return False  # what is missing is not told of those
    told = {reason.text for reason in listing.reasons if reason.code == "E4"}
    return told != set(filling.reasons(filled))


async def listing_pages(hub: Hub, connection: Connection) -> AsyncIterator[list[Listing]]:
    """All listings of a connection, in pages."""
    after = ""
    while rows := await hub.store.scan(LISTING, connection.id, after=after, limit=_PAGE):
        yield [Listing.model_validate_json(row.body) for row in rows]
        after = rows[-1].key
