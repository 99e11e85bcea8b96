"""What is not mapped, and how many SKUs each gap keeps from being listed."""

from __future__ import annotations

from dataclasses import dataclass, field

from connector.domain.connection import Connection
from connector.domain.listing import Listing
from connector.domain.mapping import Missing
from connector.flows.connections import find
from connector.flows.hub import Hub
from connector.flows.mapping_book import Filling, mapper_link
from connector.flows.mapping_job import contents, listing_pages
from connector.flows.mapping_market import peers_of
from connector.flows.mapping_store import load_health, load_map, load_mapper
from connector.flows.trees import site_of, tree_head
from connector.ports import Json

_SAMPLES = 3


@dataclass
class Gap:
    """One thing that is missing: how many SKUs miss it, and some of them."""

    missing: Missing
    blocks: int = 0
    lacks: int = 0
    """SKUs that are listed without it."""
    samples: list[str] = field(default_factory=list)

    def shown(self) -> Json:
        """The gap as a row."""
        missing = self.missing
        return {
            "lack": missing.lack.value,
            "subject": missing.subject,
            "name": missing.name,
            "market_category": missing.market_category,
            "value": missing.value,
            "blocked_skus": self.blocks,
            "incomplete_skus": self.lacks,
            "samples": self.samples,
            "text": missing.text,
        }


async def mapping_status(hub: Hub, connection_id: str) -> Json:
    """How complete a connection's mapping is: gaps, those that block most SKUs first.

    Raises:
        Refusal: there is no such connection, or its adapter is missing.
    """
    connection = (await find(hub, connection_id)).value
    gaps, skus, blocked = await _gaps(hub, connection)
    saved = await load_map(hub.store, connection.id)
    health, _ = await load_health(hub.store, connection.id)
    mapper, _ = await load_mapper(hub.store, connection.id)
    head, _ = await tree_head(hub.store, site_of(peers_of(hub, connection)))
    return {
        "connection": connection.id,
        "skus": skus,
        "blocked_skus": blocked,
        "mapping_version": saved.head.number,
        "mapped_categories": len(saved.mapping.categories),
        "tree_version": head.number if head else 0,
        "tree_categories": head.bundle.rows if head else 0,
        "tree_fetched_at": head.fetched_at.isoformat() if head else "",
        "broken_categories": health.broken,
        "mapper": mapper_link(connection, mapper),
        "gaps": [gap.shown() for gap in gaps],
    }


async def _gaps(hub: Hub, connection: Connection) -> tuple[list[Gap], int, int]:
    """Every gap, how many SKUs could be sold, and how many of those are kept back."""
    peers = peers_of(hub, connection)
    gaps: dict[tuple[str, ...], Gap] = {}
    skus = blocked = 0
    async for page in listing_pages(hub, connection):
        sellable = [listing for listing in page if _sellable(listing)]
        filling = await hub.mappings.filling(connection, peers, contents(sellable))
        skus += len(sellable)
        blocked += sum(_count(filling, listing, gaps) for listing in sellable)
    found = sorted(
        gaps.values(), key=lambda gap: (-gap.blocks, -gap.lacks, gap.missing.lack, gap.missing.text)
    )
    return found, skus, blocked


def _count(filling: Filling, listing: Listing, gaps: dict[tuple[str, ...], Gap]) -> bool:
    """Note what a SKU misses; returns whether that keeps it from being listed."""
    record = listing.record
    if record is None or record.content is None:
        return False
    missing = filling(record.content).missing
    for each in missing:
        key = (each.lack, each.subject, each.market_category, each.value)
        gap = gaps.setdefault(key, Gap(each))
        gap.blocks += each.blocks
        gap.lacks += not each.blocks
        if len(gap.samples) < _SAMPLES:
            gap.samples.append(listing.sku)
    return any(each.blocks for each in missing)


def _sellable(listing: Listing) -> bool:
    """Whether VTEX would have it sold, so that mapping it is worth the while."""
    record = listing.record
    return record is not None and record.active and record.product_active and record.in_policy
