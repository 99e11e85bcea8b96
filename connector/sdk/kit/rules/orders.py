"""Rules about orders: how they are found, read and brought to their end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from connector.domain.marketorder import MarketStatus
from connector.domain.pricing import DoesNotAddUp, fold
from connector.sdk.errors import AlreadyDone
from connector.sdk.kit import sample
from connector.sdk.kit.bench import Bench, in_words
from connector.sdk.kit.rule import Trouble, Try
from connector.sdk.kit.rules.repeats import ARRIVED
from connector.sdk.kit.shelf import list_offers, list_one, sell_one
from connector.sdk.testing.market import Sale
from connector.sdk.values import Capability

_MOST_PAGES = 200
_ORDERS = 7
_LISTED = (Capability.CREATE,)


async def money(bench: Bench) -> Iterable[str]:
    """Discounts, freight and interest that do not divide evenly."""
    offers = [
        bench.offer(sku, price_minor=price, stock=50)
        for sku, price in (("kit-1", 3333), ("kit-2", 1999))
    ]
    await list_offers(bench, offers)
    lines = (("kit-1", 3), ("kit-2", 1))
    sales = (
        Sale(lines=lines),
        Sale(lines=lines, shipping_minor=1001),
        Sale(lines=lines, discount_minor=34, shipping_minor=501),
        Sale(lines=lines, line_discount_minor=5, interest_minor=17),
    )
    problems = []
    for sale in sales:
        key = bench.buy(sale)
        order, bought = await bench.released(key), bench.simulator.buys()[key]
        if order.total_minor != bought.total_minor:
            problems.append(
                f"total_minor is {order.total_minor}, the marketplace says {bought.total_minor}"
            )
        units = {line.sku: line.quantity for line in order.lines}
        if units != dict(bought.lines):
            problems.append(f"the lines are {units}, the marketplace sold {dict(bought.lines)}")
        try:
            fold(order)
        except DoesNotAddUp as error:
            problems.append(f"the order's amounts contradict each other: {error}")
    return problems


async def times(bench: Bench) -> Iterable[str]:
    """When it was sold, to the second, with its zone."""
    await list_one(bench)
    await bench.clock.advance(3 * 3600 + 25 * 60)
    key = bench.buy(Sale(lines=(("kit-1", 1),)))
    order, sold_at = await bench.released(key), bench.simulator.buys()[key].sold_at
    if order.created_at.utcoffset() is None:
        return ["created_at has no time zone: without one nobody knows when that was"]
    away = abs((order.created_at - sold_at).total_seconds())
    if away >= 1:
        return [f"created_at is {order.created_at}, it was sold at {sold_at}: {away:g} s away"]
    return []


async def unknown_status(bench: Bench) -> Iterable[str]:
    """Pending: neither shipped nor cancelled on a guess."""
    order = await sell_one(bench)
    bench.play("odd_status", order.key)
    seen = await bench.order(order.key)
    if seen.status is MarketStatus.PENDING:
        return []
    word = seen.raw_status
    return [f"the undocumented status {word!r} was read as {seen.status}, it must be PENDING"]


# --- its life -------------------------------------------------------------------------------------


async def life(bench: Bench) -> Iterable[str]:
    """Every step arrives, and a second time does no harm."""
    await list_one(bench, stock=50)
    problems = await _shipped(bench)
    if bench.has(Capability.CANCEL):
        problems += await _cancelled(bench, by_seller=True)
    return problems + await _cancelled(bench, by_seller=False)


async def _shipped(bench: Bench) -> list[str]:
    key = bench.buy(Sale(lines=(("kit-1", 2),)))
    order, adapter, number = await bench.released(key), bench.adapter, "NFe 1/A"
    invoice, parcel = bench.invoice(number, order), sample.tracking(number)
    steps: dict[Capability, Callable[[], Awaitable[None]]] = {
        Capability.ACCEPT: lambda: adapter.accept(key),
        Capability.INVOICE: lambda: adapter.send_invoice(key, invoice),
        Capability.TRACKING: lambda: adapter.send_tracking(key, parcel),
        Capability.DELIVERED: lambda: adapter.send_delivered(key, number, ARRIVED),
    }
    for capability, step in steps.items():
        if bench.has(capability):
            await _twice(capability, step)
    papers = bench.simulator.buys()[key].papers
    if not bench.has(Capability.INVOICE):
        return []
    if len(papers) != 1:
        return [f"one invoice was sent twice, the marketplace has {len(papers)}"]
    paper, problems = papers[0], []
    if bench.has(Capability.TRACKING) and paper.tracking_number != parcel.number:
        problems.append(f"the parcel's number is {paper.tracking_number!r} on the marketplace")
    if bench.has(Capability.DELIVERED) and not paper.delivered:
        problems.append("send_delivered() did not tell the marketplace that the parcel arrived")
    return problems


async def _twice(capability: Capability, step: Callable[[], Awaitable[None]]) -> None:
    for _ in range(2):
        with in_words(f"{capability} of a paid order (each is done twice)"), suppress(AlreadyDone):
            await step()


async def _cancelled(bench: Bench, *, by_seller: bool) -> list[str]:
    key = bench.buy(Sale(lines=(("kit-1", 1),)))
    await bench.released(key)
    if by_seller:
        await _twice(Capability.CANCEL, lambda: bench.adapter.cancel(key, "out of stock"))
        if not bench.simulator.buys()[key].cancelled:
            return ["cancel() did not cancel the order on the marketplace"]
    else:
        bench.simulator.cancel_order(key, "changed my mind")
    who = "seller" if by_seller else "buyer"
    status = (await bench.order(key)).status
    return [] if status is MarketStatus.CANCELLED else [f"an order the {who} cancelled is {status}"]


# --- finding them ---------------------------------------------------------------------------------


async def _pages(bench: Bench, cursor: str) -> tuple[set[str], str]:
    """Poll to the end, in the keys that order() answers with."""
    keys: set[str] = set()
    for _ in range(_MOST_PAGES):
        page = await bench.adapter.orders_since(cursor)
        keys |= set(page.keys)
        cursor = page.cursor
        if not page.more:
            return {(await bench.order(key)).key for key in keys}, cursor
    raise Trouble(f"orders_since() says more=True for {_MOST_PAGES} pages: it never ends")


async def _sold(bench: Bench, pages_of: int) -> list[str]:
    bench.play("small_pages", pages_of)
    await list_one(bench, stock=99)
    keys = []
    for _ in range(_ORDERS):
        keys.append(bench.buy(Sale(lines=(("kit-1", 1),))))
        await bench.clock.advance(60)
    return keys


async def polling(bench: Bench) -> Iterable[str]:
    """Everything, then what is new and what has changed."""
    keys = await _sold(bench, 3)
    found, cursor = await _pages(bench, "")
    problems = [f"polling did not find {sorted(set(keys) - found)}"] if set(keys) - found else []
    await bench.clock.advance(3600)
    bench.simulator.cancel_order(keys[0], "changed my mind")
    new = bench.buy(Sale(lines=(("kit-1", 1),)))
    await bench.clock.advance(60)
    found, _ = await _pages(bench, cursor)
    if new not in found:
        problems.append("the second poll did not find a new order")
    if keys[0] not in found:
        problems.append("the second poll did not find an order that was cancelled meanwhile")
    return problems


async def shifting(bench: Bench) -> Iterable[str]:
    """While the pages are read, an order of the first page changes place."""
    keys = await _sold(bench, 2)
    first = await bench.adapter.orders_since("")
    bench.simulator.cancel_order(keys[0], "changed my mind")
    bench.simulator.cancel_order(keys[1], "changed my mind")
    rest, cursor = await _pages(bench, first.cursor) if first.more else (set[str](), first.cursor)
    seen = rest | {(await bench.order(key)).key for key in first.keys}
    await bench.clock.advance(bench.adapter.poll_every_s)
    again, _ = await _pages(bench, cursor)
    missed = sorted(set(keys) - seen - again)
    if missed:
        return [f"orders that moved between pages were skipped: {missed}; read by time of change"]
    return []


RULES = (
    Try("order-money", money, needs=_LISTED),
    Try("order-times", times, needs=_LISTED),
    Try("order-unknown-status", unknown_status, needs=_LISTED, tricks=("odd_status",)),
    Try("order-life", life, needs=_LISTED),
    Try(
        "polling",
        polling,
        needs=(Capability.POLLING, Capability.CREATE),
        tricks=("small_pages",),
    ),
    Try(
        "polling-shift",
        shifting,
        needs=(Capability.POLLING, Capability.CREATE),
        tricks=("small_pages",),
    ),
)
