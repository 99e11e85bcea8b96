"""Rules about writes whose answer was lost: the marketplace has committed, the hub cannot know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime

from connector.domain.http import HttpFailure, Request
from connector.domain.marketorder import MarketOrder
from connector.sdk.errors import AlreadyDone
from connector.sdk.kit import sample
from connector.sdk.kit.bench import Bench, in_words
from connector.sdk.kit.rule import Trouble, Try
from connector.sdk.kit.shelf import list_one, said, sell_one, settled
from connector.sdk.testing.market import Bought, Sale
from connector.sdk.testing.tricks import offers
from connector.sdk.values import Capability, Done

_MOST_WRITES = 6
ARRIVED = datetime(2026, 1, 5, tzinfo=UTC)


class _LoseNth:
    """Loses the answer of the n-th write, once."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self, request: Request) -> bool:
        if request.method == "GET":
            return False
        self.left -= 1
        return self.left == 0


async def listings(bench: Bench) -> Iterable[str]:
    """Lose the answer of each write of a creation in turn, and do what the hub does then."""
    problems: list[str] = []
    for nth in range(1, _MOST_WRITES + 1):
        lose = _LoseNth(nth)
        problems += await _created_twice(bench, f"kit-{nth}", lose)
        if lose.left > 0:
            break
    return problems


async def _created_twice(bench: Bench, sku: str, lose: _LoseNth) -> list[str]:
    offer = bench.offer(sku)
    bench.door.lose_answer = lose
    with suppress(HttpFailure):
        first = (await bench.adapter.create([offer])).get(sku)
        if lose.left <= 0 and isinstance(first, Done) and sku not in bench.simulator.shelf():
            return [f"create() says {said(first)} though no answer came"]
    bench.door.open()
    await _as_the_hub_does(bench, sku)
    item = bench.simulator.shelf().get(sku)
    if item is None:
        return [f"after a lost answer and a second create() {sku} is not listed"]
    copies = bench.play("copies").get(sku, 1) if offers(bench.simulator, "copies") else 1
    if copies > 1:
        return [
            f"after a lost answer {sku} is listed {copies} times: look (find) before sending again"
        ]
    return []


async def _as_the_hub_does(bench: Bench, sku: str) -> None:
    """Ask what the marketplace has, and create only what is not there."""
    offer, adapter = bench.offer(sku), bench.adapter
    found = await adapter.find([sku]) if bench.has(Capability.FIND) else {}
    if sku not in found:
        ends = await settled(bench, adapter.create, [offer])
        if not isinstance(ends[sku], Done):
            raise Trouble(f"the second create() of {sku} ends as {said(ends[sku])}")


async def orders(bench: Bench) -> Iterable[str]:
    """Lose the answer of every step of an order, and do what the hub does then."""
    order = await sell_one(bench)
    key, number = order.key, "1001"
    problems: list[str] = []
    for capability, step in _steps(bench, order, number).items():
        if bench.has(capability):
            problems += await _stepped_twice(bench, order.key, capability, step)
    papers = bench.simulator.buys()[key].papers
    if bench.has(Capability.INVOICE) and len(papers) != 1:
        problems.append(f"the marketplace has {len(papers)} invoices, it should have one")
    if bench.has(Capability.CANCEL):
        problems += await _cancelled_twice(bench)
    return problems


Step = Callable[[], Awaitable[None]]


def _steps(bench: Bench, order: MarketOrder, number: str) -> dict[Capability, Step]:
    adapter, key = bench.adapter, order.key
    invoice = bench.invoice(number, order)
    return {
        Capability.INVOICE: lambda: adapter.send_invoice(key, invoice),
        Capability.TRACKING: lambda: adapter.send_tracking(key, sample.tracking(number)),
        Capability.DELIVERED: lambda: adapter.send_delivered(key, number, ARRIVED),
    }


async def _stepped_twice(bench: Bench, key: str, capability: Capability, step: Step) -> list[str]:
    """The first answer is lost; the step is repeated unless the order tells that it is known."""
    bench.door.lose_answer = _LoseNth(1)
    with suppress(HttpFailure, AlreadyDone):
        await step()
    bench.door.open()
    if _known(await bench.order(key), capability):
        return []
    with in_words(f"{capability}, repeated after its answer was lost,"), suppress(AlreadyDone):
        await step()
    return []


def _known(order: MarketOrder, capability: Capability) -> bool:
    known = {
        Capability.INVOICE: order.known_invoices,
        Capability.TRACKING: order.known_trackings,
        Capability.DELIVERED: order.known_deliveries,
    }
    return bool(known.get(capability))


async def _cancelled_twice(bench: Bench) -> list[str]:
    await list_one(bench, "kit-cancel")
    key = bench.buy(Sale(lines=(("kit-cancel", 1),)))
    await bench.released(key)
    bench.door.lose_answer = _LoseNth(1)
    with suppress(HttpFailure):
        await bench.adapter.cancel(key, "out of stock")
    bench.door.open()
    with in_words("cancel(), repeated after its answer was lost,"), suppress(AlreadyDone):
        await bench.adapter.cancel(key, "out of stock")
    bought: Bought = bench.simulator.buys()[key]
    return [] if bought.cancelled else ["after cancel() twice the order is still alive"]


RULES = (
    Try("answer-lost-listings", listings, needs=(Capability.CREATE,)),
    Try(
        "answer-lost-orders",
        orders,
        needs=(Capability.CREATE,),
        any_of=(Capability.INVOICE, Capability.TRACKING, Capability.CANCEL),
    ),
)
