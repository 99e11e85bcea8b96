"""Outcomes beyond done and refused: stages, vanished listings, lots that move, rest and wait."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from connector.domain import departures
from connector.domain.http import Held
from connector.domain.listing import Action, Confirmed, ListingState, Lot
from connector.domain.pending import Context
from connector.drivers.virtual_time import VirtualClock
from connector.flows.lotbook import LotBook
from connector.peerbook import Gated
from connector.sdk import (
    Done,
    Found,
    Gone,
    InLot,
    LotStatus,
    NoAnswer,
    NotSent,
    Offer,
    Outcome,
    Proceed,
    Refused,
    Request,
    TryAgain,
    json_response,
)
from tests.unit.flows.stage import DAY, FIRST, HOUR, PRICE, STOCK, Stage, staged, virtual

WHOLE = {"1001": (PRICE, STOCK), "1002": (PRICE, STOCK), "1003": (PRICE, STOCK)}


class Script:
    """Has the adapter answer from scripts: outcomes of each operation, statuses of each lot."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.adapter = stage.up.peers.of(stage.joined, Context.LISTINGS).adapter
        self.calls: Counter[str] = Counter()
        self.asked: dict[str, list[float]] = {}
        self.lots: dict[str, LotStatus] = {}
        self.ask_lot: Any = None
        self.adapter.lot = self.lot

    def answer(self, operation: str, *outcomes: Outcome, for_ever: bool = False) -> None:
        """Answer the next calls of an operation with these; then as the marketplace does."""
        real = getattr(self.adapter, operation)
        script = list(outcomes)

        async def scripted(items: Sequence[Any]) -> Any:
            self.calls[operation] += 1
            if not script:
                return await real(items)
            outcome = script[0] if for_ever and len(script) == 1 else script.pop(0)
            return {item.sku: outcome for item in items}

        setattr(self.adapter, operation, scripted)

    async def lot(self, lot_id: str) -> LotStatus:
        self.calls["lot"] += 1
        self.asked.setdefault(lot_id, []).append(self.stage.clock.now().timestamp())
        if self.ask_lot is not None:
            await self.ask_lot(lot_id)
        return self.lots.get(lot_id, LotStatus(finished=False, outcomes={}))


# --- stages ---------------------------------------------------------------------------------------


@virtual
async def test_after_a_stage_the_same_step_is_called_again_at_once():
    async with staged(load=False) as stage:
        script = Script(stage)
        script.answer("create", Proceed("the product is known now"))
        await stage.load()
        await stage.settle(10)
        assert stage.shelf() == WHOLE
        assert script.calls["create"] == 2
        listing = await stage.listing()
        assert (listing.state, listing.stages, listing.intent) == (ListingState.LISTED, 0, None)
        assert "E2" not in await stage.codes(FIRST)
        assert stage.market_tap.count("listings.find") == 0


@virtual
async def test_a_stage_that_ends_in_a_lot_goes_on_to_the_next():
    async with staged(load=False) as stage:
        script = Script(stage)
        script.answer("create", InLot("products-1"))
        script.lots["products-1"] = LotStatus(finished=False, outcomes={})
        await stage.load()
        await stage.settle(30)
        assert (await stage.listing()).state is ListingState.CREATING
        script.lots["products-1"] = LotStatus(finished=True, outcomes={}, rest=Proceed())
        await stage.settle(120)
        assert stage.shelf() == WHOLE
        assert script.calls["create"] == 2


@virtual
async def test_stage_after_stage_is_a_circle_and_ends_as_a_failure():
    async with staged(1, load=False) as stage:
        script = Script(stage)
        script.answer("create", Proceed("round"), for_ever=True)
        await stage.load()
        await stage.settle(HOUR)
        after_an_hour = script.calls["create"]
        assert 10 < after_an_hour < 20
        await stage.settle(3 * DAY)
        assert "one stage after another: round" in (await stage.parked(Context.LISTINGS))[FIRST][0]
        assert script.calls["create"] < 40


# --- gone -----------------------------------------------------------------------------------------


@virtual
async def test_a_listing_that_is_gone_is_listed_anew_at_once():
    async with staged() as stage:
        script = Script(stage)
        old = await stage.listing()
        script.answer("update_price_stock", Gone("removed by a moderator"))
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(10)
        listing = await stage.listing()
        assert listing.state is ListingState.LISTED
        assert listing.market_id == old.market_id  # found again under its old id
        assert stage.shelf()[FIRST] == (9_000, STOCK)
        assert [e for e in await stage.log(FIRST) if "removed by a moderator" in e.message]
        assert await stage.parked(Context.LISTINGS) == {}


@virtual
async def test_a_listing_that_vanishes_over_and_over_is_made_later_and_later():
    async with staged(1) as stage:
        script = Script(stage)
        script.answer("create", Done(market_id="NEW"), for_ever=True)
        script.answer("update_price_stock", Gone("no such item"), for_ever=True)
        for number in range(48):
            stage.vtex.set_price(FIRST, 9_000 + number)
            await stage.settle(HOUR / 2)
        assert 2 <= script.calls["create"] <= 20
        assert (await stage.listing()).market_id == "NEW"


@virtual
async def test_gone_is_what_a_deletion_wanted():
    async with staged() as stage:
        script = Script(stage)
        # The planner deletes where a marketplace cannot block.
        script.adapter.capabilities = {
            one for one in script.adapter.capabilities if one != "listings.block"
        }
        script.answer("delete", Gone())
        stage.vtex.set_active(FIRST, active=False)
        await stage.settle(30)
        listing = await stage.listing()
        assert (listing.confirmed, listing.market_id, listing.vanished) == (None, "", None)
        assert script.calls["delete"] == 1
        assert [e for e in await stage.log(FIRST) if "was deleted" in e.message]


# --- lots -----------------------------------------------------------------------------------------


@virtual
async def test_what_a_finished_lot_does_not_name_is_what_holds_for_the_rest():
    async with staged(load=False) as stage:
        script = Script(stage)
        script.answer("create", InLot("offers-1"))
        script.lots["offers-1"] = LotStatus(
            finished=True, outcomes={"1002": Refused(("price too low",))}, rest=Done(market_id="M")
        )
        await stage.load()
        await stage.settle(60)
        assert (await stage.listing("1001")).state is ListingState.LISTED
        assert (await stage.listing("1001")).market_id == "M"
        assert await stage.parked(Context.LISTINGS) == {"1002": ("price too low",)}
        assert stage.market_tap.count("listings.find") == 0


@virtual
async def test_a_lot_is_not_asked_about_sooner_than_it_says():
    async with staged(130, load=False) as stage:
        script = Script(stage)
        script.answer("create", InLot("offers-1"), for_ever=True)
        script.lots["offers-1"] = LotStatus(finished=False, outcomes={}, after_s=60)
        await stage.load()
        await stage.settle(600)
        asked = script.asked["offers-1"]
        apart = [later - sooner for sooner, later in pairwise(asked)]
        assert len(asked) >= 3
        assert min(apart) >= 60


@virtual
async def test_an_item_that_moves_to_another_lot_is_waited_for_there():
    async with staged(load=False) as stage:
        script = Script(stage)
        script.answer("create", InLot("products-1"))
        script.lots["products-1"] = LotStatus(finished=True, outcomes={}, rest=InLot("offers-1"))
        await stage.load()
        await stage.settle(30)
        lot = (await stage.listing()).lot
        assert lot is not None
        assert lot.id == "offers-1"
        script.lots["offers-1"] = LotStatus(finished=True, outcomes={}, rest=Done(market_id="M"))
        await stage.settle(60)
        assert (await stage.listing()).market_id == "M"
        assert script.calls["create"] == 1


@virtual
async def test_a_circle_of_lots_ends_with_asking_what_the_marketplace_has():
    async with staged(1, load=False) as stage:
        script = Script(stage)
        script.answer("create", InLot("a"))
        script.lots["a"] = LotStatus(finished=True, outcomes={}, rest=InLot("b"))
        script.lots["b"] = LotStatus(finished=True, outcomes={}, rest=InLot("a"))
        await stage.load()
        await stage.settle(HOUR)
        assert stage.market_tap.count("listings.find") >= 1
        assert (await stage.listing()).state is ListingState.LISTED


@virtual
async def test_patience_with_lots_is_the_adapters():
    async with staged(1, load=False) as stage:
        script = Script(stage)
        script.adapter.lot_patience_s = 5 * DAY
        script.answer("create", InLot("products-1"))
        await stage.load()
        await stage.settle(4 * DAY)
        assert stage.market_tap.count("listings.find") == 0
        assert (await stage.listing()).lot is not None
        await stage.settle(1.2 * DAY)
        assert stage.market_tap.count("listings.find") >= 1
        assert (await stage.listing()).state is ListingState.LISTED


@virtual
async def test_being_held_back_from_asking_about_a_lot_is_no_failure():
    async with staged(1, load=False) as stage:
        script = Script(stage)
        script.answer("create", InLot("offers-1"))

        async def held(lot_id: str) -> None:
            raise Held("once a minute", stage.clock.now() + timedelta(seconds=60))

        script.ask_lot = held
        await stage.load()
        await stage.settle(2 * DAY / 4)
        row = (await stage.rows(Context.LISTINGS))[FIRST]
        assert row.attempts == 0
        assert "E2" not in await stage.codes(FIRST)
        script.ask_lot = None
        script.lots["offers-1"] = LotStatus(finished=True, outcomes={}, rest=Done(market_id="M"))
        await stage.settle(120)
        assert (await stage.listing()).market_id == "M"


def a_lot(clock: VirtualClock, lot_id: str = "L", age: timedelta = timedelta(0)) -> Lot:
    now = clock.now()
    target = Confirmed(price_minor=1, list_price_minor=1, stock=1, content_digest="", at=now)
    return Lot(id=lot_id, action=Action.CREATE, since=now - age, target=target)


@virtual
async def test_turns_that_ask_about_a_lot_at_once_share_the_answer():
    clock, book, calls = VirtualClock(), LotBook(), []

    async def ask(lot_id: str) -> LotStatus:
        calls.append(lot_id)
        await clock.sleep(1)
        return LotStatus(finished=len(calls) > 2, outcomes={})

    async def look(lot_id: str) -> bool:
        return (await book.status(a_lot(clock, lot_id), ask, clock.now)).status.finished

    answers = await asyncio.gather(*(look(lot_id) for lot_id in ["a"] * 50 + ["b"] * 50))
    assert sorted(calls) == ["a", "b"]
    assert not any(answers)
    await clock.sleep(60)
    assert await look("a")
    await clock.sleep(60)
    assert await look("a")
    assert len(calls) == 3  # finished: not asked about again


@virtual
async def test_a_question_that_failed_is_asked_again_by_the_next():
    clock, book = VirtualClock(), LotBook()
    answers: list[Any] = [NotSent("away"), LotStatus(finished=True, outcomes={})]

    async def ask(lot_id: str) -> LotStatus:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(NotSent):
        await book.status(a_lot(clock), ask, clock.now)
    assert (await book.status(a_lot(clock), ask, clock.now)).status.finished


@pytest.mark.parametrize(
    ("age_s", "after_s", "wait_s"),
    [(0, 0, 10), (0, 60, 60), (HOUR, 0, 450), (DAY, 0, 1_800), (DAY, 7_200, 7_200)],
)
@virtual
async def test_the_longer_a_lot_takes_the_more_patiently_it_is_asked_about(
    age_s: float, after_s: float, wait_s: float
):
    clock, book = VirtualClock(), LotBook()

    async def ask(lot_id: str) -> LotStatus:
        return LotStatus(finished=False, outcomes={}, after_s=after_s)

    known = await book.status(a_lot(clock, age=timedelta(seconds=age_s)), ask, clock.now)
    assert known.until - clock.now() == timedelta(seconds=wait_s)


# --- what never left ------------------------------------------------------------------------------


class Wire:
    """An ``Http`` that answers from a script: statuses, or failures."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    async def send(self, request: Request) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return json_response({}, answer)


@pytest.mark.parametrize(
    ("calls", "nothing_done"),
    [
        ([("POST", NotSent("held"))], True),
        ([("POST", NoAnswer("lost"))], False),
        ([("GET", 200), ("POST", NotSent("held"))], True),
        ([("GET", 429)], True),
        ([("GET", NoAnswer("lost"))], True),
        ([("POST", 429), ("PUT", 401)], True),
        ([("POST", 200), ("PUT", NotSent("held"))], False),
        ([("POST", 400)], False),
        ([("POST", 500)], False),
        ([], False),
    ],
)
@virtual
async def test_whether_a_peer_may_have_acted_is_noticed(
    calls: list[tuple[str, Any]], nothing_done: bool
):
    gate = Gated(Wire(*(answer for _, answer in calls)), asyncio.Semaphore(1))

    async def send(method: str) -> None:
        with suppress(NotSent, NoAnswer):
            await gate.send(Request(method, "/"))

    with departures.watching() as watched:
        await asyncio.gather(*(send(method) for method, _ in calls))
    assert watched.nothing_done is nothing_done


@pytest.mark.parametrize("left", [False, True])
@virtual
async def test_a_write_that_never_left_is_not_asked_about(left: bool):
    async with staged(1) as stage:
        script = Script(stage)
        spoiled = iter([True])
        real = script.adapter.update_price_stock

        async def update(items: Sequence[Any]) -> Any:
            if next(spoiled, False):
                departures.failed(Request("PUT", "/"), left=left)
                departures.failed(Request("PUT", "/"), left=False)
                raise Held("once a minute", stage.clock.now() + timedelta(seconds=60))
            return await real(items)

        script.adapter.update_price_stock = update
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(120)
        assert stage.shelf()[FIRST] == (9_000, STOCK)
        assert (stage.market_tap.count("listings.find") > 0) is left


# --- large turns ----------------------------------------------------------------------------------


@virtual
async def test_a_marketplace_that_wants_few_large_calls_gets_them():
    async with staged(600, load=False) as stage:
        script = Script(stage)
        sizes: list[int] = []

        async def create(offers: Sequence[Offer]) -> Any:
            sizes.append(len(offers))
            return {offer.sku: Done(market_id=offer.sku) for offer in offers}

        async def find(skus: Sequence[str]) -> dict[str, Found]:
            assert len(skus) <= script.adapter.batch_size
            return {}

        script.adapter.create, script.adapter.find = create, find
        script.adapter.batch_size = 5_000
        registered = stage.up.registry.found["demo"]
        stage.up.registry.found["demo"] = type("Large", (registered,), {"turn_size": 5_000})  # type: ignore[index]
        await stage.load()
        await stage.settle(300)
        assert sum(sizes) == 600
        assert len(sizes) <= 3
        carts = [json.loads(call.body)["items"] for call in stage.vtex_tap.of("vtex.simulation")]
        assert max(map(len, carts)) <= 50


@virtual
async def test_outcomes_one_by_one_are_taken_in_among_many():
    async with staged(4, load=False) as stage:
        script = Script(stage)
        mixed: list[Outcome] = [Done(market_id="A"), Proceed(), Gone(), TryAgain("later", 5)]

        async def create(offers: Sequence[Offer]) -> Any:
            if mixed:
                found = dict(zip(sorted(offer.sku for offer in offers), mixed, strict=True))
                mixed.clear()
                return found
            return {offer.sku: Done(market_id="B") for offer in offers}

        script.adapter.create = create
        await stage.load()
        await stage.settle(120)
        ids = [(await stage.listing(sku)).market_id for sku in ("1001", "1002", "1003", "1004")]
        assert ids == ["A", "B", "B", "B"]
