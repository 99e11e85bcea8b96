"""Asynchronous lots: asked about once for all who wait in them, patiently, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from connector.domain.listing import Lot
from connector.flows.hub import Hub, Peers
from connector.flows.look import Look
from connector.flows.lotbook import CHECK_S, Known
from connector.flows.outcomes import MOST_STAGES, apply
from connector.flows.setbacks import PEER_ERRORS, setback
from connector.sdk import InLot


async def check_lots(hub: Hub, peers: Peers, looks: Sequence[Look]) -> None:
    """Ask once per lot how far it is, and take in what it says of each listing."""
    lots: dict[str, list[tuple[Look, Lot]]] = {}
    for look in looks:
        if look.listing.lot is not None:
            lots.setdefault(look.listing.lot.id, []).append((look, look.listing.lot))
    await asyncio.gather(*(_check_lot(hub, peers, group) for group in lots.values()))


async def _check_lot(hub: Hub, peers: Peers, looks: Sequence[tuple[Look, Lot]]) -> None:
    patience = timedelta(seconds=peers.adapter.lot_patience_s)
    most_checked = max((lot for _, lot in looks), key=lambda lot: lot.checks)
    try:
        known = await peers.lots.status(most_checked, peers.adapter.lot, hub.now)
    except PEER_ERRORS as error:
        for look, lot in looks:
            if _late(hub, lot, patience):
                # One that cannot even be asked about is not waited for for ever.
                look.update(lot=None)
            look.setback = setback(error)
        return
    for look, lot in looks:
        _take_in(hub, look, lot, known, late=_late(hub, lot, patience))


def _late(hub: Hub, lot: Lot, patience: timedelta) -> bool:
    return hub.now() - lot.since > patience


def _take_in(hub: Hub, look: Look, lot: Lot, known: Known, *, late: bool) -> None:
    """What a lot's status says of one of its listings."""
    status = known.status
    outcome = status.outcomes.get(look.sku)
    if outcome is None and status.finished:
        outcome = status.rest
    if isinstance(outcome, InLot) and outcome.lot_id != lot.id:
        _move(hub, look, lot, outcome.lot_id)
    elif outcome is not None and not isinstance(outcome, InLot):
        look.update(lot=None)
        apply(hub, lot.action, look, outcome)
    elif status.finished or late:
        # Settled without a word about this SKU, or never: ask what the marketplace has.
        look.update(lot=None)
    else:
        look.update(lot=lot.model_copy(update={"checks": lot.checks + 1}))
        _wait(look, known.until)


def _move(hub: Hub, look: Look, lot: Lot, lot_id: str) -> None:
    """It goes on in another lot; a circle of lots ends with asking what the marketplace has."""
    stages = look.listing.stages + 1
    if stages > MOST_STAGES:
        look.update(lot=None)
        return
    moved = lot.model_copy(update={"id": lot_id, "since": hub.now(), "checks": 0})
    look.update(lot=moved, stages=stages)
    _wait(look, hub.now() + timedelta(seconds=CHECK_S[0]))


def _wait(look: Look, until: datetime) -> None:
    look.waiting, look.wait_until = True, until
