"""Carry planned steps to the marketplace: intent, call, outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from connector.domain.departures import watching
from connector.domain.listing import Action, Confirmed, Intent, ListingState
from connector.domain.retry import Setback
from connector.flows.documents import put_listing
from connector.flows.hub import Hub, Peers
from connector.flows.look import Look, unhurried
from connector.flows.outcomes import apply
from connector.flows.setbacks import PEER_ERRORS, setback
from connector.ports import Conflict
from connector.sdk import AlreadyDone, Done, Found, Offer, Outcomes, PriceStock

# Blocks and stock go first: they stop a loss that grows by the minute.
ORDER = (
    Action.FIND,
    Action.BLOCK,
    Action.DELETE,
    Action.PRICE_STOCK,
    Action.CREATE,
    Action.CONTENT,
)
_OFFERING = frozenset({Action.PRICE_STOCK, Action.CREATE, Action.CONTENT})
PORTION = 500
"""Most listings written in one commit: others write, too."""


async def push(hub: Hub, peers: Peers, looks: Sequence[Look]) -> None:
    """Do every planned step, action by action, in batches the marketplace takes."""
    for action in ORDER:
        wanted = [
            look
            for look in looks
            if look.open and look.plan is not None and action in look.plan.steps
        ]
        size = peers.adapter.batch_size
        for start in range(0, len(wanted), size):
            batch = wanted[start : start + size]
            if action is Action.FIND:
                await find(hub, peers, batch)
            else:
                await _step(hub, peers, action, batch)


async def _step(hub: Hub, peers: Peers, action: Action, looks: Sequence[Look]) -> None:
    looks = await _save_intents(hub, action, looks)
    if action in _OFFERING:
        looks = await _without_sold(hub, peers, action, looks)
    if not looks:
        return
    hub.metrics.count("pushes_total", action=action)
    hub.metrics.count("pushed_skus_total", len(looks), action=action)
    with watching() as departures:
        try:
            outcomes = await _call(peers, action, looks)
        except AlreadyDone:
            outcomes = {look.sku: Done(market_id=look.listing.market_id) for look in looks}
        except PEER_ERRORS as error:
            for look in looks:
                look.setback = setback(error)
                if departures.nothing_done:
                    look.update(intent=look.doubt)
            # Otherwise the intent stays: whether the marketplace acted is asked before the next.
            return
    async for look in unhurried(looks):
        apply(hub, action, look, outcomes.get(look.sku))


async def _save_intents(hub: Hub, action: Action, looks: Sequence[Look]) -> list[Look]:
    """All intents of one call are saved before it is made; returns those that were saved."""
    planned = []
    async for look in unhurried(looks):
        if look.plan is None or look.plan.target is None:
            continue
        look.doubt = look.listing.intent
        look.update(intent=Intent(action=action, at=hub.now(), target=look.plan.target))
        planned.append(look)
    for start in range(0, len(planned), PORTION):
        await _save(hub, planned[start : start + PORTION])
    return [look for look in planned if look.open]


async def _without_sold(
    hub: Hub, peers: Peers, action: Action, looks: Sequence[Look]
) -> list[Look]:
    """Offer no units that the hub has heard to be sold since it decided.

    Since then other calls were made, and saving the intents may have waited for an election. A
    number that got smaller is sent without deciding anew: it must not wait, and what else the call
    carries is still right. Should we die now, the saved intent has the marketplace asked.
    """
    held = await hub.store.held(peers.vtex.account, [look.sku for look in looks])
    for look in looks:
        more = held.get(look.sku, 0) - look.held
        if more > 0:
            _lower(look, action, more)
    return [look for look in looks if look.open]


def _lower(look: Look, action: Action, units: int) -> None:
    plan = look.plan
    if plan is None or plan.target is None or not plan.target.stock:
        return
    stock = max(0, plan.target.stock - units)
    if action is Action.CREATE and not stock:  # nothing is left to begin with
        look.again_s = 0.0
        look.update(intent=look.doubt)
        return
    lower = {"stock": stock}
    target = plan.target.model_copy(update=lower)
    terms = plan.terms.model_copy(update=lower) if plan.terms else None
    offer = plan.offer
    if offer is not None:
        offer = offer.model_copy(update={"terms": offer.terms.model_copy(update=lower)})
    look.plan = replace(plan, target=target, terms=terms, offer=offer)
    look.held += units
    if look.listing.intent is not None:
        look.update(intent=look.listing.intent.model_copy(update={"target": target}))


async def _save(hub: Hub, looks: Sequence[Look]) -> None:
    """Save these looks' listings; one that somebody else wrote meanwhile stops no other."""
    puts = [put_listing(look.saved, look.listing) for look in looks]
    try:
        await hub.store.commit(puts)
    except Conflict:
        if len(looks) == 1:
            looks[0].setback = Setback(("written by another",), counts=False)
            return
        for look in looks:
            await _save(hub, [look])
        return
    for look, put in zip(looks, puts, strict=True):
        look.saved_as(put.document)


async def _call(peers: Peers, action: Action, looks: Sequence[Look]) -> Outcomes:
    adapter = peers.adapter
    offers = [look.plan.offer for look in looks if look.plan and look.plan.offer]
    terms = [look.plan.terms for look in looks if look.plan and look.plan.terms]
    with_offers: Mapping[Action, Callable[[Sequence[Offer]], Awaitable[Outcomes]]] = {
        Action.CREATE: adapter.create,
        Action.CONTENT: adapter.update_content,
    }
    with_terms: Mapping[Action, Callable[[Sequence[PriceStock]], Awaitable[Outcomes]]] = {
        Action.PRICE_STOCK: adapter.update_price_stock,
        Action.BLOCK: adapter.block,
        Action.DELETE: adapter.delete,
    }
    if action in with_offers:
        return await with_offers[action](offers)
    return await with_terms[action](terms)


async def compare(hub: Hub, peers: Peers, looks: Sequence[Look]) -> None:
    """See whether the marketplace still has what it confirmed; take over what differs.

    Sales, people and mistakes change listings there without telling anybody. When it cannot be
    asked now, the confirmed state is believed until the next time.
    """
    listed = [look for look in looks if look.listing.confirmed is not None]
    if not listed or not peers.market.find:
        return
    size = peers.adapter.batch_size
    for start in range(0, len(listed), size):
        await _compare(hub, peers, listed[start : start + size])


async def _compare(hub: Hub, peers: Peers, listed: Sequence[Look]) -> None:
    try:
        found = await peers.adapter.find([look.sku for look in listed])
    except PEER_ERRORS:
        return
    for look in listed:
        there, confirmed = found.get(look.sku), look.listing.confirmed
        if there is None and confirmed is not None:
            # Asked once more, by itself, before it is believed to be gone.
            doubt = Intent(action=Action.PRICE_STOCK, at=hub.now(), target=confirmed)
            look.update(intent=doubt)
        elif there is not None and confirmed is not None:
            price, stock = there.price_minor, there.stock
            seen = confirmed.model_copy(
                update={
                    "price_minor": confirmed.price_minor if price is None else price,
                    "stock": confirmed.stock if stock is None else stock,
                    # Where stock zero is all the block there is, it stays one.
                    "blocked": there.blocked or (confirmed.blocked and stock == 0),
                }
            )
            look.update(confirmed=seen)


async def find(hub: Hub, peers: Peers, looks: Sequence[Look]) -> None:
    """After an unknown outcome, take over what the marketplace says it has."""
    try:
        found = await peers.adapter.find([look.sku for look in looks])
    except PEER_ERRORS as error:
        for look in looks:
            look.setback = setback(error)
        return
    for look in looks:
        take_over(hub, look, found.get(look.sku))


def take_over(hub: Hub, look: Look, found: Found | None) -> None:
    """Make the listing what the marketplace says; what it does not tell is sent again."""
    listing = look.listing
    if found is None:
        # Its id is kept: only a deletion of ours forgets it (H-CAT-10), a new listing replaces it.
        look.update(intent=None, lot=None, confirmed=None)
        return
    intent, before = listing.intent, listing.confirmed
    doubtful_content = intent is None or intent.action in {Action.CREATE, Action.CONTENT}
    confirmed = Confirmed(
        price_minor=-1 if found.price_minor is None else found.price_minor,
        list_price_minor=-1,
        stock=-1 if found.stock is None else found.stock,
        content_digest="" if doubtful_content or before is None else before.content_digest,
        blocked=found.blocked,
        at=hub.now(),
    )
    look.update(
        intent=None,
        lot=None,
        confirmed=confirmed,
        market_id=found.market_id,
        url=found.url or listing.url,
        state=ListingState.BLOCKED if found.blocked else ListingState.LISTED,
    )
