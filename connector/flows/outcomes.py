"""What the marketplace said of one SKU, taken into its listing."""

from __future__ import annotations

from datetime import timedelta

from connector.domain.listing import Action, Confirmed, ListingState, Lot, Vanished
from connector.domain.retry import LADDER_S, Setback
from connector.flows.hub import Hub
from connector.flows.look import Look
from connector.flows.lotbook import CHECK_S
from connector.flows.telling import tell_done, tell_gone, tell_refused
from connector.sdk import Done, Gone, InLot, Outcome, Proceed, Refused, TryAgain

MOST_STAGES = 10
"""More stages than this without anything confirmed is no progress but a circle."""
_VANISHED_FOR = timedelta(days=1)
"""Listings that vanish again within this time are made anew later and later."""


def apply(hub: Hub, action: Action, look: Look, outcome: Outcome | None) -> None:
    """Take in one SKU's outcome; None: the answer says nothing of it."""
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
        case Proceed(reason=reason):
            _proceed(look, reason)
        case Gone() if action is Action.DELETE:
            confirm(hub, action, look, Done())
        case Gone(reason=reason):
            _gone(hub, look, reason)
        case None:
            look.setback = Setback(("the marketplace's answer says nothing of this SKU",))


def confirm(hub: Hub, action: Action, look: Look, done: Done) -> None:
    """The marketplace has it: what was intended is now what is."""
    intent = look.listing.intent
    if intent is None:
        return
    look.entries.extend(tell_done(hub, look, action, intent.target))
    look.update(intent=None, lot=None, stages=0)
    if action is Action.DELETE:
        # Only a confirmed deletion forgets the marketplace's id (H-CAT-10, H-CAT-12).
        look.update(confirmed=None, market_id="", url="", state=ListingState.GONE)
        return
    look.update(
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
    look.waiting, look.wait_until = True, hub.now() + timedelta(seconds=CHECK_S[0])


def _proceed(look: Look, reason: str) -> None:
    """One stage is done: the same step is planned again, at once, then slower and slower."""
    stages = look.listing.stages + 1
    look.update(intent=None, lot=None, stages=min(stages, MOST_STAGES + 1))
    if stages <= MOST_STAGES:
        look.again_s = 0.0 if stages == 1 else float(2**stages)
    else:
        text = f"the marketplace asks for one stage after another: {reason or 'no reason given'}"
        look.setback = Setback((text,))


def _gone(hub: Hub, look: Look, reason: str) -> None:
    """The marketplace no longer has it. Its id is kept: only our own deletion forgets it
    (H-CAT-10), a new listing replaces it.

    The first time it is looked at again at once; one that vanishes over and over, later and later.
    """
    before, now = look.listing.vanished, hub.now()
    lately = before is not None and now - before.at < _VANISHED_FOR
    times = 1 + (before.times if before is not None and lately else 0)
    vanished = Vanished(times=times, at=now)
    look.update(intent=None, lot=None, confirmed=None, vanished=vanished, state=ListingState.NEW)
    look.entries.append(tell_gone(hub, look, reason))
    if times == 1:
        look.again_s = 0.0
        return
    text = f"the listing vanished {times} times within a day: {reason or 'no reason given'}"
    look.setback = Setback((text,), LADDER_S[min(times, len(LADDER_S) - 1)])
