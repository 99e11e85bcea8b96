"""Listing things on the bench as the hub would: lots waited for, stages gone through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from connector.domain.marketorder import MarketOrder
from connector.domain.offer import Offer, PriceStock
from connector.sdk.kit import sample
from connector.sdk.kit.bench import Bench, in_words
from connector.sdk.kit.rule import Trouble
from connector.sdk.testing.market import Sale
from connector.sdk.values import (
    Capability,
    Done,
    InLot,
    Outcome,
    Outcomes,
    Proceed,
    TryAgain,
)

_ROUNDS = 12
_STAGES = 4
_LOT_STEP_S = 60.0
_MISSING = TryAgain("the answer says nothing of this SKU")


class Item(Protocol):
    """Anything with a SKU: an offer, or terms."""

    @property
    def sku(self) -> str:
        """Whose it is."""
        ...


T = TypeVar("T", bound=Item)
Act = Callable[[Sequence[T]], Awaitable[Outcomes]]


async def settled(
    bench: Bench, act: Act[T], items: Sequence[T], told: Outcomes | None = None
) -> dict[str, Outcome]:
    """Do something to items until every one has come to an end; what never does is ``TryAgain``.

    ``told`` is what the first call answered, where it has been made already.
    """
    ends: dict[str, Outcome] = {}
    left = list(items)
    for _ in range(_ROUNDS):
        fresh = await _called(bench, act, left) if told is None else told
        ends |= {item.sku: fresh.get(item.sku, _MISSING) for item in left}
        ends |= await _through_lots(bench, {sku: ends[sku] for sku in fresh if sku in ends})
        left = [item for item in left if isinstance(ends[item.sku], TryAgain | Proceed)]
        told = None
        if not left:
            break
        waits = [each.after_s for each in ends.values() if isinstance(each, TryAgain)]
        await bench.clock.advance(max(waits, default=0))
    return ends


async def _called(bench: Bench, act: Act[T], items: Sequence[T]) -> dict[str, Outcome]:
    """One call for every batch that the adapter takes."""
    told: dict[str, Outcome] = {}
    size = bench.adapter.batch_size
    for start in range(0, len(items), size):
        with in_words(f"{getattr(act, '__name__', 'a listing call')}()"):
            told.update(await act(items[start : start + size]))
    return told


def lots_of(told: Outcomes) -> dict[str, list[str]]:
    """The lots that items are in, with their SKUs."""
    lots: dict[str, list[str]] = {}
    for sku, outcome in told.items():
        if isinstance(outcome, InLot):
            lots.setdefault(outcome.lot_id, []).append(sku)
    return lots


async def _through_lots(bench: Bench, told: dict[str, Outcome]) -> dict[str, Outcome]:
    """Wait for lots, and for those that their items go on in."""
    for _ in range(_STAGES):
        for lot_id, skus in lots_of(told).items():
            told |= await out_of_lot(bench, lot_id, skus)
    return told


async def out_of_lot(bench: Bench, lot_id: str, skus: Sequence[str]) -> dict[str, Outcome]:
    """Ask about a lot until it is over, as long as the adapter says that may take."""
    waited = 0.0
    while True:
        with in_words(f"lot({lot_id!r})"):
            status = await bench.adapter.lot(lot_id)
        if status.finished or waited > bench.adapter.lot_patience_s:
            break
        step = max(status.after_s, _LOT_STEP_S)
        await bench.clock.advance(step)
        waited += step
    known: dict[str, Outcome] = {}
    for sku in skus:
        outcome = status.outcomes.get(sku, status.rest if status.finished else None)
        known[sku] = outcome or await _looked_up(bench, sku)
    return known


async def _looked_up(bench: Bench, sku: str) -> Outcome:
    """What the marketplace has of a SKU that its lot said nothing of."""
    if not bench.has(Capability.FIND):
        return _MISSING
    with in_words("find()"):
        found = await bench.adapter.find([sku])
    return Done(found[sku].market_id, found[sku].url) if sku in found else _MISSING


async def list_offers(bench: Bench, offers: Sequence[Offer]) -> dict[str, PriceStock]:
    """List offers; returns the terms that later calls go by, with the marketplace's ids.

    Raises:
        Trouble: one was not listed.
    """
    ends = await settled(bench, bench.adapter.create, offers)
    terms = {}
    for offer in offers:
        end = ends[offer.sku]
        if not isinstance(end, Done):
            raise Trouble(f"create() of the good offer {offer.sku} ends as {said(end)}")
        terms[offer.sku] = offer.terms.model_copy(update={"market_id": end.market_id})
    missing = [offer.sku for offer in offers if offer.sku not in bench.simulator.shelf()]
    if missing:
        raise Trouble(
            f"create() said Done for {', '.join(missing)}, but the marketplace has no such listing"
        )
    return terms


async def list_one(bench: Bench, sku: str = "kit-1", stock: int = sample.STOCK) -> PriceStock:
    """List one good offer."""
    return (await list_offers(bench, [bench.offer(sku, stock=stock)]))[sku]


async def sell_one(bench: Bench, sku: str = "kit-1", quantity: int = 1) -> MarketOrder:
    """List something, sell it, and read the order once it may be shipped."""
    await list_one(bench, sku)
    return await bench.released(bench.buy(Sale(lines=((sku, quantity),))))


def said(outcome: Outcome | None) -> str:
    """An outcome in words."""
    return "no outcome at all" if outcome is None else repr(outcome)
