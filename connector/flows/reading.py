"""Read a batch of SKUs from VTEX: content from the catalog, price and stock by simulation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from connector.domain.connection import Connection
from connector.domain.listing import Commercial, Listing, SkuRecord
from connector.domain.listing_planner import mapped
from connector.domain.pending import Hint
from connector.flows.hub import Hub, Peers
from connector.flows.look import Look
from connector.flows.setbacks import PEER_ERRORS, setback
from connector.vtex.catalog import read_sku
from connector.vtex.errors import Denied, Missing, Unwell
from connector.vtex.simulation import SimulationTooLarge, simulate_sync

_ISOLATE_AFTER = 2
"""A batch whose SKUs failed so often is halved, to find the one that makes it fail."""
_AT_ONCE, _EVERY_S = 2, 0.008
"""So many catalog reads begin together, then as many after so many seconds: fifty that are sent,
and answered, in one moment are fifty milliseconds in which nobody else's change gets on."""


async def read(hub: Hub, connection: Connection, peers: Peers, looks: Sequence[Look]) -> None:
    """Bring every look's record and commercial terms up to date; failures stay with their look."""
    wanted = [
        look for look in looks if content_wanted(look.listing, look.claim.hint, connection, hub)
    ]
    begin_s = [at // _AT_ONCE * _EVERY_S for at in range(len(wanted))]
    reads = zip(wanted, begin_s, strict=True)
    await asyncio.gather(*(_read_content(hub, connection, peers, *one) for one in reads))
    sellable = [look for look in looks if look.open and may_sell(look.listing.record)]
    size = peers.batch.size
    batches = [sellable[start : start + size] for start in range(0, len(sellable), size)]
    await asyncio.gather(*(_simulate(hub, connection, peers, batch) for batch in batches))


def may_sell(record: SkuRecord | None) -> bool:
    """Whether the catalog alone does not rule the SKU out already (saves the simulation)."""
    return record is not None and record.active and record.product_active and record.in_policy


def content_wanted(listing: Listing, hint: Hint, connection: Connection, hub: Hub) -> bool:
    """Whether the cached catalog record no longer does."""
    record = listing.record
    if record is None or hint.content or hint.recheck:
        return True
    if hint.active is not None and hint.active != record.active:
        return True
    if hint.removed is not None and hint.removed == record.in_policy:
        return True
    now = hub.now()
    if any(second.content and second.at <= now for second in listing.second_looks):
        return True
    return now - record.read_at >= timedelta(seconds=connection.rules.content_max_age_s)


async def _read_content(
    hub: Hub, connection: Connection, peers: Peers, look: Look, begin_s: float
) -> None:
    if begin_s:
        await hub.clock.sleep(hub.clock.wall(begin_s).total_seconds())
    try:
        async with peers.reading:
            record = await read_sku(peers.vtex, look.sku, hub.now())
    except PEER_ERRORS as error:
        look.setback = setback(error)
        return
    hub.metrics.count("catalog_reads_total")
    look.update(record=mapped(record, connection.rules))


async def _simulate(hub: Hub, connection: Connection, peers: Peers, looks: Sequence[Look]) -> None:
    """Simulate one batch; halve it where VTEX finds it too large or one SKU may spoil it."""
    try:
        terms = await _terms(hub, connection, peers, looks)
    except SimulationTooLarge as error:
        if len(looks) > 1:
            peers.batch.halve(len(looks))
            await _halves(hub, connection, peers, looks)
        else:
            looks[0].setback = setback(Unwell("simulation", 413))
            del error
        return
    except PEER_ERRORS as error:
        stubborn = any(look.claim.attempts >= _ISOLATE_AFTER for look in looks)
        if len(looks) > 1 and stubborn and isinstance(error, Unwell):
            await _halves(hub, connection, peers, looks)
            return
        for look in looks:
            look.setback = setback(error)
        return
    peers.batch.worked()
    for look in looks:
        look.update(commercial=terms[look.sku])


async def _halves(hub: Hub, connection: Connection, peers: Peers, looks: Sequence[Look]) -> None:
    middle = len(looks) // 2
    await _simulate(hub, connection, peers, looks[:middle])
    await _simulate(hub, connection, peers, looks[middle:])


async def _terms(
    hub: Hub, connection: Connection, peers: Peers, looks: Sequence[Look]
) -> dict[str, Commercial]:
    """Private simulation; the public one only where the private is not permitted."""
    skus = [look.sku for look in looks]
    hub.metrics.count("simulations_total")
    hub.metrics.count("simulated_skus_total", len(skus))
    try:
        terms = await simulate_sync(peers.vtex, skus, hub.now(), currency=connection.currency)
    except (Denied, Missing):
        public = await simulate_sync(
            peers.vtex, skus, hub.now(), currency=connection.currency, public=True
        )
        known = {look.sku: look.listing.commercial for look in looks}
        terms = {sku: never_raised(read, known[sku]) for sku, read in public.items()}
    return terms


def never_raised(public: Commercial, before: Commercial | None) -> Commercial:
    """The public simulation tells no stock: it may lower what we know, never raise it (C19)."""
    most = before.stock if before is not None else 0
    return public.model_copy(update={"stock": min(public.stock, most)})
