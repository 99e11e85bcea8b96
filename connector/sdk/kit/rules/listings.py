"""Rules about listings: their life, money, sizes, and batches that fail in part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from connector.domain.offer import PriceStock
from connector.sdk.kit.bench import Bench, in_words
from connector.sdk.kit.rule import Try
from connector.sdk.kit.shelf import Act, Item, list_offers, list_one, said, settled
from connector.sdk.testing.market import ShelfItem
from connector.sdk.values import Capability, Done, Refused

_ODD_PRICES = (1_01, 33_33, 19_99, 1_234_567_89)
_FULL_BATCH = 250
"""Items at most in a batch that is tried; larger batches show nothing more."""
_HUGE = 50_000
T = TypeVar("T", bound=Item)
_REASON = "forbidden word in the kit's refusal"


def _shown(bench: Bench, sku: str) -> ShelfItem | None:
    return bench.simulator.shelf().get(sku)


async def life(bench: Bench) -> Iterable[str]:
    """From creation to removal."""
    terms = await list_one(bench)
    problems = _as_asked(bench, terms, "create()")
    if bench.has(Capability.FIND):
        problems += await _found(bench, terms)
    if bench.has(Capability.PRICE_STOCK):
        terms = terms.model_copy(
            update={"price_minor": 17_777, "list_price_minor": 17_777, "stock": 4}
        )
        await settled(bench, bench.adapter.update_price_stock, [terms])
        problems += _as_asked(bench, terms, "update_price_stock()")
    if bench.has(Capability.CONTENT):
        offer = bench.offer("kit-1", title="Trail Shoe Acme Renewed 42")
        again = offer.model_copy(update={"terms": terms})
        await settled(bench, bench.adapter.update_content, [again])
        item = _shown(bench, "kit-1")
        if item is None or "Renewed" not in item.text:
            problems.append("update_content() did not bring the new title to the listing")
    if bench.has(Capability.BLOCK):
        problems += await _blocked(bench, terms)
    if bench.has(Capability.DELETE):
        problems += await _deleted(bench, terms)
    return problems


def _as_asked(bench: Bench, terms: PriceStock, call: str) -> list[str]:
    item = _shown(bench, terms.sku)
    if item is None:
        return [f"after {call} the marketplace does not show the listing"]
    wanted, there = (terms.price_minor, terms.stock), (item.price_minor, item.stock)
    if wanted == there:
        return []
    return [f"after {call} price and stock should be {wanted}, the marketplace shows {there}"]


async def _found(bench: Bench, terms: PriceStock) -> list[str]:
    found = (await bench.adapter.find([terms.sku, "kit-unknown"])).get(terms.sku)
    if found is None:
        return ["find() does not find a listing that is there"]
    problems = []
    if found.price_minor not in {None, terms.price_minor}:
        problems.append(f"find() tells a price of {found.price_minor}, it is {terms.price_minor}")
    if found.stock not in {None, terms.stock}:
        problems.append(f"find() tells a stock of {found.stock}, it is {terms.stock}")
    if found.blocked:
        problems.append("find() says that a listing is blocked which is on sale")
    if not found.market_id:
        problems.append("find() tells no market_id: the hub could not name the listing later")
    return problems


async def _blocked(bench: Bench, terms: PriceStock) -> list[str]:
    problems = []
    await settled(bench, bench.adapter.block, [terms])
    item = _shown(bench, terms.sku)
    if item is not None and item.buyable:
        problems.append("after block() buyers can still buy the listing")
    if not bench.has(Capability.PRICE_STOCK):
        return problems
    await settled(bench, bench.adapter.update_price_stock, [terms])
    item = _shown(bench, terms.sku)
    if item is None or not item.buyable:
        problems.append("a blocked listing must be sellable again after update_price_stock()")
    return problems


async def _deleted(bench: Bench, terms: PriceStock) -> list[str]:
    problems = []
    ends = await settled(bench, bench.adapter.delete, [terms])
    item = _shown(bench, terms.sku)
    if item is not None and item.buyable:
        problems.append("after delete() buyers can still buy the listing")
    again = await settled(bench, bench.adapter.delete, [terms])
    if not isinstance(ends[terms.sku], Done):
        problems.append(f"delete() ends as {said(ends[terms.sku])}")
    if isinstance(again[terms.sku], Refused):
        problems.append("deleting what is gone already must be Done: it is as gone as was asked")
    return problems


async def money(bench: Bench) -> Iterable[str]:
    """Prices that binary fractions cannot express."""
    offers = [bench.offer(f"kit-{price}", price_minor=price) for price in _ODD_PRICES]
    terms = await list_offers(bench, offers)
    problems = [words for each in terms.values() for words in _as_asked(bench, each, "create()")]
    if not bench.has(Capability.PRICE_STOCK):
        return problems
    for each in terms.values():
        price = each.price_minor + 1
        new = each.model_copy(update={"price_minor": price, "list_price_minor": price})
        await settled(bench, bench.adapter.update_price_stock, [new])
        problems += _as_asked(bench, new, "update_price_stock()")
    return problems


async def empty_and_huge(bench: Bench) -> Iterable[str]:
    """Nothing, very much, and what does not exist."""
    problems = await _empty(bench)
    if await bench.adapter.order("kit-no-such-order") is not None:
        problems.append("order() of a key that does not exist must be None")
    if bench.has(Capability.FIND) and await bench.adapter.find(["kit-unknown"]):
        problems.append("find() must leave out what the marketplace does not know")
    if not bench.has(Capability.CREATE):
        return problems
    size = min(bench.adapter.batch_size, _FULL_BATCH)
    await list_offers(bench, [bench.offer(f"kit-{at}") for at in range(size)])
    if bench.has(Capability.FIND):
        found = await bench.adapter.find([f"kit-{at}" for at in range(size)])
        if len(found) != size:
            problems.append(f"find() of {size} listings at once finds {len(found)}")
    return problems + await _huge(bench)


async def _empty(bench: Bench) -> list[str]:
    adapter = bench.adapter
    calls = {
        Capability.CREATE: adapter.create,
        Capability.CONTENT: adapter.update_content,
        Capability.PRICE_STOCK: adapter.update_price_stock,
        Capability.BLOCK: adapter.block,
        Capability.DELETE: adapter.delete,
        Capability.FIND: adapter.find,
    }
    problems = []
    for capability, call in calls.items():
        if bench.has(capability):
            with in_words(f"{call.__name__}([])"):
                told = await call([])  # type: ignore[operator]
            if told:
                problems.append(f"{call.__name__}([]) returned {told!r}: of nothing comes nothing")
    return problems


async def _huge(bench: Bench) -> list[str]:
    problems = []
    for field, text in (("title", "Long " * (_HUGE // 5)), ("description", "x" * _HUGE)):
        offer = bench.dressed("kit-huge", **{field: text})
        if bench.adapter.validate(offer):
            continue  # told before it is sent: just as well
        ends = await settled(bench, bench.adapter.create, [offer])
        if not isinstance(ends["kit-huge"], Done):
            problems.append(
                f"validate() takes a {field} of {_HUGE} characters, but create() ends as"
                f" {said(ends['kit-huge'])}: cut it, or let validate() say so"
            )
    return problems


async def partial_failure(bench: Bench) -> Iterable[str]:
    """One of several is refused: when they are created, and when they are changed."""
    skus = [f"kit-{at}" for at in range(4)]
    problems: list[str] = []
    if bench.has(Capability.PRICE_STOCK):
        terms = await list_offers(bench, [bench.offer(sku) for sku in skus])
        bench.play("refuse", "kit-2", _REASON)
        changed = [one.model_copy(update={"stock": 3}) for one in terms.values()]
        problems += await _one_refused(bench, bench.adapter.update_price_stock, changed, "kit-2")
    bench.play("refuse", "new-2", _REASON)
    offers = [bench.offer(f"new-{at}") for at in range(4)]
    return problems + await _one_refused(bench, bench.adapter.create, offers, "new-2")


async def _one_refused(bench: Bench, act: Act[T], items: Sequence[T], bad: str) -> list[str]:
    call = f"{getattr(act, '__name__', 'a listing call')}()"
    ends = await settled(bench, act, items)
    refused = ends[bad]
    problems = [
        f"{call}: {sku} is good and ends as {said(end)}, because another one was refused"
        for sku, end in ends.items()
        if sku != bad and not isinstance(end, Done)
    ]
    if not isinstance(refused, Refused):
        problems.append(f"{call}: the refused item must be Refused, not {said(refused)}")
    elif not any("forbidden word" in reason for reason in refused.reasons):
        problems.append(f"{call}: the marketplace's reason is lost: {refused.reasons}")
    return problems


async def text(bench: Bench) -> Iterable[str]:
    """Words of other languages and characters beyond the basic plane."""
    offer = bench.dressed(
        "kit-ç",
        title="Café São Luís \u201cñandú\u201d 東京 😀",
        description="<p>Größe 42 &mdash; 😀 &amp; ☕</p>",
        product_id="P-1",
    )
    if broken := bench.adapter.validate(offer):
        return [f"validate() refuses accents or emoji: {'; '.join(broken)}"]
    ends = await settled(bench, bench.adapter.create, [offer])
    if not isinstance(ends["kit-ç"], Done):
        return [f"a title with accents and emoji ends as {said(ends['kit-ç'])}"]
    item = _shown(bench, "kit-ç")
    if item is None:
        return ["the SKU kit-ç is not on the shelf under its own name: encode it, do not change it"]
    return [
        f"the listing's text lost {word!r}"
        for word in ("Café", "São Luís")
        if word not in item.text
    ]


RULES = (
    Try("listing-life", life, needs=(Capability.CREATE,)),
    Try("listing-money", money, needs=(Capability.CREATE,)),
    Try("empty-and-huge", empty_and_huge),
    Try("partial-failure", partial_failure, needs=(Capability.CREATE,), tricks=("refuse",)),
    Try("text", text, needs=(Capability.CREATE,)),
)
