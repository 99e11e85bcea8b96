"""One call per item: what becomes of the others when one goes wrong."""

import asyncio

import pytest

from connector.sdk import (
    AlreadyDone,
    AuthExpired,
    Done,
    NoAnswer,
    NotSent,
    RateLimited,
    Refused,
    Rejected,
    RetryLater,
    TryAgain,
    Unsupported,
    apiece,
    together,
)

ITEMS = {"1": "1", "2": "2", "3": "3"}


def failing(**errors):
    """A call that fails for the SKUs that are named, as _1, _2 ..."""

    async def call(item):
        if f"_{item}" in errors:
            raise errors[f"_{item}"]
        return Done(f"M{item}")

    return call


async def test_a_refusal_a_delay_and_what_is_done_already_are_each_items_own():
    call = failing(_1=Rejected(["no"]), _2=RetryLater("later", after_s=5))
    outcomes = await apiece(ITEMS, call)
    assert outcomes == {"1": Refused(("no",)), "2": TryAgain("later", 5), "3": Done("M3")}
    assert await apiece({"1": "1"}, failing(_1=AlreadyDone("is"))) == {"1": Done()}


async def test_an_item_that_is_not_there_holds_up_no_other():
    outcomes = await apiece(ITEMS, failing(_1=Unsupported("no such thing")), at_once=1)
    assert outcomes == {"1": TryAgain("no such thing"), "2": Done("M2"), "3": Done("M3")}


async def test_a_call_without_an_answer_leaves_its_sku_out():
    assert await apiece(ITEMS, failing(_2=NoAnswer("lost"))) == {"1": Done("M1"), "3": Done("M3")}
    with pytest.raises(NoAnswer):
        await apiece({"2": "2"}, failing(_2=NoAnswer("lost")))


async def test_a_creation_that_met_an_unwell_marketplace_may_have_happened():
    unwell = RetryLater("unwell")
    outcomes = await apiece(ITEMS, failing(_2=unwell), creates=True)
    assert outcomes == {"1": Done("M1"), "3": Done("M3")}
    with pytest.raises(RetryLater):
        await apiece({"2": "2"}, failing(_2=unwell), creates=True)


@pytest.mark.parametrize(
    "error", [RateLimited("slow", after_s=9), AuthExpired("over"), NotSent("no connection")]
)
async def test_what_concerns_everybody_ends_the_round(error):
    made = []

    async def call(item):
        made.append(item)
        if item == "2":
            raise error
        return Done()

    outcomes = await apiece(ITEMS, call, at_once=1)
    assert made == ["1", "2"]
    assert outcomes["1"] == Done()
    assert {type(outcomes[sku]) for sku in ("2", "3")} == {TryAgain}
    assert outcomes["3"].after_s == getattr(error, "after_s", 0)
    with pytest.raises(type(error)):
        await apiece({"2": "2"}, call, at_once=1)


async def test_only_so_many_calls_are_under_way():
    under_way, most = 0, 0

    async def call(item):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return Done(item)

    outcomes = await apiece({str(i): str(i) for i in range(40)}, call, at_once=5)
    assert len(outcomes) == 40
    assert most == 5
    assert await apiece({}, call) == {}


async def test_together_keeps_the_order_and_ends_with_the_first_failure():
    async def call(item):
        if item < 0:
            raise RetryLater("no")
        await asyncio.sleep(0)
        return item * 2

    assert await together([3, 1, 2], call) == [6, 2, 4]
    assert await together([], call) == []
    with pytest.raises(RetryLater):
        await together([1, -1, 2], call)
