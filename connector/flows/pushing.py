"""Carry planned steps to the marketplace: intent, call, outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

from connector.domain.listing import Action, Confirmed, Intent, ListingState, Lot
from connector.domain.retry import Setback
from connector.flows.documents import put_listing
from connector.flows.hub import Hub, Peers
from connector.flows.look import Look, unhurried
from connector.flows.setbacks import PEER_ERRORS, setback
from connector.flows.telling import tell_done, tell_refused
from connector.sdk import (
    AlreadyDone,
    Done,
    Found,
    InLot,
    Offer,
    Outcome,
    Outcomes,
    PriceStock,
    Refused,
    TryAgain,
)

# Blocks and stock go first: they stop a loss that grows by the minute.
ORDER = (
    Action.FIND,
    Action.BLOCK,
    Action.DELETE,
    Action.PRICE_STOCK,
    Action.CREATE,
    Action.CONTENT,
)
LOT_GIVEN_UP = timedelta(hours=24)
"""A lot that is still unsettled after this long is no longer believed: the marketplace is asked."""


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
    await _save_intents(hub, action, looks)
    hub.metrics.count("pushes_total", action=action)
    hub.metrics.count("pushed_skus_total", len(looks), action=action)
    try:
        outcomes = await _call(peers, action, looks)
    except AlreadyDone:
        outcomes = {look.sku: Done(market_id=look.listing.market_id) for look in looks}
    except PEER_ERRORS as error:
        # The intent stays: whether the marketplace acted is asked before the next attempt.
        for look in looks:
            look.setback = setback(error)
        return
    async for look in unhurried(looks):
        _apply(hub, action, look, outcomes.get(look.sku))


async def _save_intents(hub: Hub, action: Action, looks: Sequence[Look]) -> None:
    """All intents of one call are saved before it is made."""
    puts = []
    async for look in unhurried(looks):
        if look.plan is None or look.plan.target is None:
            continue
        intent = Intent(action=action, at=hub.now(), target=look.plan.target)
        look.update(intent=intent)
        puts.append((look, put_listing(look.saved, look.listing)))
    await hub.store.commit([put for _, put in puts])
    for look, put in puts:
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


def _apply(hub: Hub, action: Action, look: Look, outcome: Outcome | None) -> None:
    """What the marketplace said of one SKU, taken into the listing."""
    match outcome:
        case Done():
            confirm(hub, action, look, outcome)
        case InLot(lot_id=lot_id):
            wait_in_lot(hub, action, look, lot_id)
        case Refused(reasons=reasons):
            look.update(intent=None)
            look.setback = Setback(reasons, final=True)
            look.entries.append(tell_refused(hub, look, action, reasons))
        case TryAgain(reason=reason, after_s=after_s):
            look.update(intent=None)
            look.setback = Setback((reason or "the marketplace asks to try again",), after_s)
        case None:
            look.setback = Setback(("the marketplace's answer says nothing of this SKU",))


def confirm(hub: Hub, action: Action, look: Look, done: Done) -> None:
    """The marketplace has it: what was intended is now what is."""
    intent = look.listing.intent
    if intent is None:
        return
    look.entries.extend(tell_done(hub, look, action, intent.target))
    if action is Action.DELETE:
        # Only a confirmed deletion forgets the marketplace's id (H-CAT-10, H-CAT-12).
        look.update(
            intent=None, confirmed=None, market_id="", url="", lot=None, state=ListingState.GONE
        )
        return
    look.update(
        intent=None,
        lot=None,
        confirmed=merged(action, look.listing.confirmed, intent.target, hub),
        market_id=done.market_id or look.listing.market_id,
        url=done.url or look.listing.url,
        state=ListingState.BLOCKED if action is Action.BLOCK else ListingState.LISTED,
    )


def merged(action: Action, before: Confirmed | None, target: Confirmed, hub: Hub) -> Confirmed:
    """What is confirmed after a step: each step confirms only what it carried."""
    target = target.model_copy(update={"at": hub.now()})
    if before is None or action is Action.CREATE:
        return target
    if action is Action.PRICE_STOCK or action is Action.BLOCK:
        return target.model_copy(update={"content_digest": before.content_digest})
    if action is Action.CONTENT:
        return before.model_copy(update={"content_digest": target.content_digest, "at": target.at})
    return target


def wait_in_lot(hub: Hub, action: Action, look: Look, lot_id: str) -> None:
    """The marketplace took it into a lot; until that settles nothing else is sent (H-ARC-06)."""
    intent = look.listing.intent
    if intent is None:
        return
    lot = Lot(id=lot_id, action=action, since=hub.now(), target=intent.target)
    state = ListingState.CREATING if look.listing.confirmed is None else look.listing.state
    look.update(lot=lot, state=state)
    look.waiting = True


async def check_lots(hub: Hub, peers: Peers, looks: Sequence[Look]) -> None:
    """Ask once per lot how far it is, and take in what it says of each listing."""
    lots: dict[str, list[Look]] = {}
    for look in looks:
        if look.listing.lot is not None:
            lots.setdefault(look.listing.lot.id, []).append(look)
    await asyncio.gather(*(_check_lot(hub, peers, lot, group) for lot, group in lots.items()))


async def _check_lot(hub: Hub, peers: Peers, lot_id: str, looks: Sequence[Look]) -> None:
    try:
        status = await peers.adapter.lot(lot_id)
    except PEER_ERRORS as error:
        for look in looks:
            _give_up_late_lot(hub, look)
            look.setback = setback(error)
        return
    for look in looks:
        lot = look.listing.lot
        if lot is None:
            continue
        outcome = status.outcomes.get(look.sku)
        if outcome is not None and not isinstance(outcome, InLot):
            look.update(lot=None)
            _apply(hub, lot.action, look, outcome)
        elif status.finished or hub.now() - lot.since > LOT_GIVEN_UP:
            # Settled without a word about this SKU, or never: ask what the marketplace has.
            look.update(lot=None)
        else:
            look.update(lot=lot.model_copy(update={"checks": lot.checks + 1}))
            look.waiting = True


async def compare(hub: Hub, peers: Peers, looks: Sequence[Look]) -> None:
    """See whether the marketplace still has what it confirmed; take over what differs.

    Sales, people and mistakes change listings there without telling anybody. When it cannot be
    asked now, the confirmed state is believed until the next time.
    """
    listed = [look for look in looks if look.listing.confirmed is not None]
    if not listed or not peers.market.find:
        return
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
                    "blocked": there.blocked,
                }
            )
            look.update(confirmed=seen)


def _give_up_late_lot(hub: Hub, look: Look) -> None:
    """A lot that cannot even be asked about is not waited for for ever: the intent stays."""
    lot = look.listing.lot
    if lot is not None and hub.now() - lot.since > LOT_GIVEN_UP:
        look.update(lot=None)


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
