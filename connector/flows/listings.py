"""A turn of listings: look at a batch of SKUs, close the differences, say when to look again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from connector.domain.connection import Connection, ConnectionState, Rules
from connector.domain.listing import Action, Listing, ListingState, SecondLook
from connector.domain.listing_planner import View, plan_listing
from connector.domain.offer import Offer, PriceStock
from connector.domain.pending import (
    NO_HINT,
    Claim,
    Context,
    Failed,
    Finished,
    Parked,
    Priority,
    Settlement,
)
from connector.domain.retry import PARKED_EVERY, jittered, settle_setback
from connector.flows.channel import with_currency
from connector.flows.documents import load_listings, put_listing
from connector.flows.hub import Hub, Peers
from connector.flows.look import Look, unhurried
from connector.flows.lots import check_lots
from connector.flows.mapping_book import Filling
from connector.flows.pushing import PORTION, compare, push
from connector.flows.reading import read
from connector.flows.telling import tell_reasons, tell_setback
from connector.ports import Conflict, Drop, LeaseLost, Settle, StoreUnavailable, Write

_BEST_SELLER = timedelta(days=7)
"""A listing that was sold within this time counts as a best seller."""
_SOON = timedelta(seconds=1)


async def listings_turn(hub: Hub, connection: Connection, claims: Sequence[Claim]) -> None:
    """Look at every claimed SKU. Each is settled by itself: one that fails harms no other."""
    connection = await with_currency(hub, connection)
    peers = hub.peers.of(connection, Context.LISTINGS)
    if peers.grant is not None:
        await peers.grant.current()  # without access, VTEX need not be read
    saved = await load_listings(hub.store, connection.id, [claim.key for claim in claims])
    looks = [Look(claim, saved[claim.key], saved[claim.key].value) for claim in claims]
    await check_lots(hub, peers, looks)
    await compare(hub, peers, [look for look in looks if look.open and _is_sweep(look)])
    if connection.state is ConnectionState.ACTIVE:
        await read(hub, connection, peers, [look for look in looks if look.open])
    await _decide(hub, connection, peers, looks)
    await push(hub, peers, looks)
    found = [look for look in looks if look.plan and Action.FIND in look.plan.steps]
    if found:
        # Now that it is known what the marketplace has, close the difference at once.
        await _decide(hub, connection, peers, found)
        await push(hub, peers, found)
    await _settle_all(hub, connection, looks)


def _is_sweep(look: Look) -> bool:
    """A regular look that nobody asked for: time to see what the marketplace really has."""
    claim = look.claim
    return claim.priority is Priority.SWEEP and claim.hint == NO_HINT and not claim.attempts


async def _decide(hub: Hub, connection: Connection, peers: Peers, looks: Sequence[Look]) -> None:
    deciding = [look for look in looks if look.open]
    held = await hub.store.held(peers.vtex.account, [look.sku for look in deciding])
    market = peers.market
    records = [look.listing.record for look in deciding]
    contents = [record.content for record in records if record and record.content]
    filling = await hub.mappings.filling(connection, peers, contents)
    async for look in unhurried(deciding):
        look.held = held.get(look.sku, 0)
        if look.held:
            look.update(sold_at=hub.now())
        unmapped = _map(filling, look)
        view = View(
            listing=look.listing,
            rules=connection.rules,
            market=market,
            now=hub.now(),
            held=look.held,
            invalid=tuple(_invalid(peers, look.listing)),
            unmapped=unmapped,
            wanted=connection.state is not ConnectionState.DISABLED,
            sold=look.claim.hint.sold,
        )
        look.plan = plan_listing(view)


def _map(filling: Filling, look: Look) -> tuple[str, ...]:
    """Put the content into the marketplace's words; returns what is not mapped."""
    record = look.listing.record
    if record is None or record.content is None:
        return ()
    filled = filling(record.content)
    if filled.content is not record.content:
        look.update(record=record.model_copy(update={"content": filled.content}))
    return filling.reasons(filled)


def _invalid(peers: Peers, listing: Listing) -> list[str]:
    """The marketplace's own rules that the offer breaks."""
    record, commercial = listing.record, listing.commercial
    if record is None or record.content is None or commercial is None or commercial.missing:
        return []
    terms = PriceStock(
        sku=listing.sku,
        price_minor=commercial.price_minor,
        list_price_minor=max(commercial.list_price_minor, commercial.price_minor),
        currency=commercial.currency,
        stock=commercial.stock,
    )
    return peers.adapter.validate(Offer(content=record.content, terms=terms))


async def _settle_all(hub: Hub, connection: Connection, looks: Sequence[Look]) -> None:
    """Settle many at once, which is quick; where that is refused, each by itself."""
    for start in range(0, len(looks), PORTION):
        await _settle_some(hub, connection, looks[start : start + PORTION])


async def _settle_some(hub: Hub, connection: Connection, looks: Sequence[Look]) -> None:
    units = [(look, _ending(hub, connection, look)) async for look in unhurried(looks)]
    try:
        await hub.store.commit([write for _, unit in units for write in unit])
    except StoreUnavailable:
        raise
    except Exception:  # noqa: BLE001 - whatever it is: it is about one look
        await asyncio.gather(*(_settle(hub, look, unit) for look, unit in units))


def _ending(hub: Hub, connection: Connection, look: Look) -> list[Write]:
    """What is saved at the end of a look."""
    settlement = _settlement(hub, connection, look)
    writes: list[Write] = [Settle(look.claim, settlement), *look.entries]
    if _forgettable(look.listing, settlement):
        writes.append(Drop("listing", look.listing.connection, look.sku))
    elif look.listing != look.saved.value or look.saved.version == 0:
        writes.append(put_listing(look.saved, look.listing))
    return writes


async def _settle(hub: Hub, look: Look, writes: Sequence[Write]) -> None:
    try:
        await hub.store.commit(writes)
    except LeaseLost:
        hub.metrics.count("leases_lost_total", context=Context.LISTINGS)
    except Conflict:
        # Somebody else wrote the listing: look again, on top of what they saved.
        soon = hub.now() + timedelta(seconds=hub.rng.uniform(0.2, 1))
        retry = Failed(soon, look.claim.priority, "written by another", counts=False)
        await _try_commit(hub, [Settle(look.claim, retry)])


async def _try_commit(hub: Hub, writes: Sequence[Write]) -> None:
    try:
        await hub.store.commit(writes)
    except LeaseLost:
        hub.metrics.count("leases_lost_total", context=Context.LISTINGS)


def _forgettable(listing: Listing, settlement: Settlement) -> bool:
    """A SKU that VTEX does not know and the marketplace never had leaves no trace."""
    certain = listing.confirmed is None and listing.intent is None
    gone = listing.state is ListingState.GONE and certain
    return gone and isinstance(settlement, Finished) and settlement.next_due is None


def _settlement(hub: Hub, connection: Connection, look: Look) -> Settlement:
    now = hub.now()
    if look.setback is not None:
        return _settle_failure(hub, look, now)
    if look.waiting and look.listing.lot is not None:
        due = max(look.wait_until or now, now + _SOON)
        # What was handed in just now takes the sales into account: once is enough.
        hint = look.claim.hint if look.plan is None else replace(look.claim.hint, sold=False)
        return Finished(due, Priority.ECHO, hint)
    if look.again_s is not None:
        due = now + timedelta(seconds=look.again_s)
        return Finished(due, look.claim.priority, look.claim.hint)
    plan = look.plan
    if plan is None:
        return Finished(now + timedelta(minutes=5), look.claim.priority, look.claim.hint)
    look.entries.extend(tell_reasons(hub, look, plan.reasons))
    state = plan.state if look.listing.lot is None else look.listing.state
    if state is ListingState.CREATING and look.listing.confirmed is not None:
        state = ListingState.LISTED
    if plan.ask:
        state = ListingState.PARKED
    look.update(state=state, reasons=plan.reasons)
    _promise_second_looks(connection.rules, look, now)
    if plan.ask:
        hub.metrics.count("parked_total", context=Context.LISTINGS)
        texts = tuple(f"{reason.code}: {reason.text}" for reason in plan.reasons)
        return Parked(_parked_until(connection.rules, look, now, hub), texts)
    if state is ListingState.GONE and look.listing.confirmed is None:
        return Finished(None)
    return _next_look(hub, connection.rules, look, now)


def _settle_failure(hub: Hub, look: Look, now: datetime) -> Settlement:
    setback = look.setback
    if setback is None:
        return Finished(now)
    urgent = look.plan is not None and look.plan.urgent
    settlement = settle_setback(look.claim, setback, now, hub.rng, urgent=urgent)
    if isinstance(settlement, Parked):
        hub.metrics.count("parked_total", context=Context.LISTINGS)
        look.update(state=ListingState.PARKED)
    elif setback.counts and look.claim.attempts in {0, 4}:
        look.entries.append(tell_setback(hub, look, setback.reasons))
    return settlement


def _promise_second_looks(rules: Rules, look: Look, now: datetime) -> None:
    """VTEX notifies before its caches are fresh: look twice (KI 549645, 914545, 907428)."""
    hint = look.claim.hint
    promised = [second for second in look.listing.second_looks if second.at > now]
    announced = hint.content or hint.active is False or hint.removed is True
    if hint.stock:
        stock_at = now + timedelta(seconds=rules.stock_second_look_s)
        promised.append(SecondLook(at=stock_at))
    if hint.price or announced:
        price_at = now + timedelta(seconds=rules.price_second_look_s)
        promised.append(SecondLook(at=price_at, content=announced))
    latest = sorted(promised, key=lambda second: second.at)[-4:]
    look.update(second_looks=tuple(latest))


def _parked_until(rules: Rules, look: Look, now: datetime, hub: Hub) -> datetime:
    """A parked but listed SKU still has a stock that must stay true."""
    if look.listing.confirmed is None:
        return now + jittered(PARKED_EVERY, hub.rng)
    regular = _regular_look(rules, look.listing, now, hub)
    return min([regular, *(second.at for second in look.listing.second_looks)])


def _next_look(hub: Hub, rules: Rules, look: Look, now: datetime) -> Finished:
    """The earliest of: promised second looks, the price's end, the regular re-check."""
    listing = look.listing
    seconds = [second.at for second in listing.second_looks]
    if seconds:
        return Finished(min([*seconds, _regular_look(rules, listing, now, hub)]), Priority.ECHO)
    return Finished(_regular_look(rules, listing, now, hub), Priority.SWEEP)


def _regular_look(rules: Rules, listing: Listing, now: datetime, hub: Hub) -> datetime:
    sells = listing.sold_at is not None and now - listing.sold_at < _BEST_SELLER
    every = rules.best_seller_recheck_s if sells else rules.recheck_s
    due = now + jittered(timedelta(seconds=every), hub.rng)
    commercial = listing.commercial
    if commercial is not None and commercial.valid_until is not None:
        ends = commercial.valid_until + timedelta(seconds=1)
        if ends > now:
            return min(due, ends)
    return due
