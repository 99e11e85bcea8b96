"""Rules about asynchronous lots: late, in parts, never."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connector.domain.offer import Offer
from connector.sdk.kit.bench import Bench
from connector.sdk.kit.rule import Trouble, Try
from connector.sdk.kit.shelf import lots_of, said, settled
from connector.sdk.values import Capability, Done, LotStatus, Outcomes

_SKUS = ("kit-1", "kit-2", "kit-3", "kit-4")
_STEP_S = 60.0
_NEEDS = (Capability.LOTS, Capability.CREATE)


async def _opened(bench: Bench, mode: str) -> tuple[list[Offer], Outcomes]:
    """Put offers into lots that end this way.

    Raises:
        Trouble: no lot came of it.
    """
    bench.play("end_lots", mode)
    offers = [bench.offer(sku) for sku in _SKUS]
    told = await bench.adapter.create(offers)
    if not lots_of(told):
        raise Trouble(
            f"with end_lots({mode!r}) create() must answer InLot; it answered {dict(told)!r}"
        )
    return offers, told


def _invented(bench: Bench, skus: Sequence[str], status: LotStatus) -> list[str]:
    """Items that a lot calls done though the marketplace shows no such listing."""
    shelf = bench.simulator.shelf()
    ends = {sku: status.outcomes.get(sku, status.rest if status.finished else None) for sku in skus}
    return [sku for sku, end in ends.items() if isinstance(end, Done) and sku not in shelf]


async def _ended(bench: Bench, offers: Sequence[Offer], told: Outcomes) -> list[str]:
    """Whether everything is listed in the end."""
    ends = await settled(bench, bench.adapter.create, offers, told)
    return [
        f"the marketplace settled the whole lot, but {sku} ends as {said(end)}"
        for sku, end in ends.items()
        if not isinstance(end, Done)
    ]


async def late(bench: Bench) -> Iterable[str]:
    """First nothing, in the end everything."""
    offers, told = await _opened(bench, "late")
    problems = []
    for lot_id, skus in lots_of(told).items():
        first = await bench.adapter.lot(lot_id)
        if first.finished or _invented(bench, skus, first):
            problems.append(f"a late lot, right after it was opened, is {first!r}: nothing is done")
    return problems + await _ended(bench, offers, told)


async def partly(bench: Bench) -> Iterable[str]:
    """Some first, the others later: what is open is left open."""
    offers, told = await _opened(bench, "partly")
    problems: list[str] = []
    for lot_id, skus in lots_of(told).items():
        problems += await _followed(bench, lot_id, skus)
    return list(dict.fromkeys(problems)) + await _ended(bench, offers, told)


async def _followed(bench: Bench, lot_id: str, skus: Sequence[str]) -> list[str]:
    """Ask until the lot is over; what it says must be so at every moment."""
    waited = 0.0
    while waited < bench.adapter.lot_patience_s:
        status = await bench.adapter.lot(lot_id)
        wrong = [
            f"lot() says that {sku} is done, before the marketplace has listed it"
            for sku in _invented(bench, skus, status)
        ]
        if status.finished and status.rest is None:
            shelf = bench.simulator.shelf()
            wrong += [
                f"lot() says finished, but nothing of {sku}, which is still waiting in it"
                for sku in skus
                if sku not in status.outcomes and sku not in shelf
            ]
        if status.finished or wrong:
            return wrong
        step = max(status.after_s, _STEP_S)
        await bench.clock.advance(step)
        waited += step
    return [f"lot({lot_id!r}) is not finished within lot_patience_s, though all of it settles"]


async def never(bench: Bench) -> Iterable[str]:
    """Nothing is ever told as done."""
    _, told = await _opened(bench, "never")
    invented: list[str] = []
    waited = 0.0
    while waited <= bench.adapter.lot_patience_s + 3600:
        for lot_id, skus in lots_of(told).items():
            invented += _invented(bench, skus, await bench.adapter.lot(lot_id))
        await bench.clock.advance(3600)
        waited += 3600
    return [f"a lot that never finished told {sku} as Done" for sku in dict.fromkeys(invented)]


RULES = (
    Try("lots-late", late, needs=_NEEDS, tricks=("end_lots",)),
    Try("lots-partly", partly, needs=_NEEDS, tricks=("end_lots",)),
    Try("lots-never", never, needs=_NEEDS, tricks=("end_lots",)),
)
