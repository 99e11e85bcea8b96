"""Rules about asynchronous lots: late, in parts, never."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from connector.sdk.kit.bench import Bench
from connector.sdk.kit.rule import Trouble, Try
from connector.sdk.kit.shelf import out_of_lot, said
from connector.sdk.values import Capability, Done, InLot, LotStatus, Outcome

_SKUS = ("kit-1", "kit-2", "kit-3", "kit-4")
_STEP_S = 60.0
_NEEDS = (Capability.LOTS, Capability.CREATE)


async def _opened(bench: Bench, mode: str) -> str:
    """Put offers into a lot that ends this way.

    Raises:
        Trouble: no lot came of it.
    """
    bench.play("end_lots", mode)
    told = await bench.adapter.create([bench.offer(sku) for sku in _SKUS])
    lots = {end.lot_id for end in told.values() if isinstance(end, InLot)}
    if len(lots) != 1 or set(told) != set(_SKUS):
        raise Trouble(
            f"with end_lots({mode!r}) create() must answer InLot for every SKU, all in one lot; it"
            f" answered {dict(told)!r}"
        )
    return lots.pop()


async def late(bench: Bench) -> Iterable[str]:
    """First nothing, in the end everything."""
    lot_id = await _opened(bench, "late")
    first = await bench.adapter.lot(lot_id)
    problems = []
    if first.finished or first.outcomes:
        problems.append(f"right after it was opened, a late lot is {first!r}: nothing is done yet")
    ends = await out_of_lot(bench, lot_id, _SKUS)
    return problems + _all_done(ends)


def _all_done(ends: Mapping[str, Outcome]) -> list[str]:
    return [
        f"{sku} was done in the lot, but ends as {end!r}"
        for sku, end in ends.items()
        if not isinstance(end, Done)
    ]


async def partly(bench: Bench) -> Iterable[str]:
    """Some first, the others later."""
    lot_id = await _opened(bench, "partly")
    problems = []
    half = await _halfway(bench, lot_id)
    there = bench.simulator.shelf()
    if half is not None:
        problems += [
            f"{sku} is told as {said(end)} though the lot has not settled it"
            for sku, end in half.outcomes.items()
            if isinstance(end, Done) and sku not in there
        ]
    ends = await out_of_lot(bench, lot_id, _SKUS)
    return problems + _all_done(ends)


async def _halfway(bench: Bench, lot_id: str) -> LotStatus | None:
    """The lot as it is told once the marketplace has settled some of it."""
    waited = 0.0
    while waited < bench.adapter.lot_patience_s:
        listed = [sku for sku in _SKUS if sku in bench.simulator.shelf()]
        if len(listed) == len(_SKUS):
            return None
        if listed:
            return await bench.adapter.lot(lot_id)
        await bench.adapter.lot(lot_id)
        await bench.clock.advance(_STEP_S)
        waited += _STEP_S
    raise Trouble("the simulator's end_lots('partly') settles nothing within the lot's patience")


async def never(bench: Bench) -> Iterable[str]:
    """Nothing is ever told as done."""
    lot_id = await _opened(bench, "never")
    ends = _settled(_SKUS, await bench.adapter.lot(lot_id))
    waited = 0.0
    while waited <= bench.adapter.lot_patience_s + 3600:
        await bench.clock.advance(3600)
        waited += 3600
        ends += _settled(_SKUS, await bench.adapter.lot(lot_id))
    return [f"a lot that never finished told {sku} as Done" for sku in dict.fromkeys(ends)]


def _settled(skus: Sequence[str], status: LotStatus) -> list[str]:
    named = [sku for sku in skus if isinstance(status.outcomes.get(sku), Done)]
    rest = isinstance(status.rest, Done) and status.finished
    return [*named, *(sku for sku in skus if rest and sku not in status.outcomes)]


RULES = (
    Try("lots-late", late, needs=_NEEDS, tricks=("end_lots",)),
    Try("lots-partly", partly, needs=_NEEDS, tricks=("end_lots",)),
    Try("lots-never", never, needs=_NEEDS, tricks=("end_lots",)),
)
