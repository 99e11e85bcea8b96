"""Writing to the marketplace: intents, lost answers, lots, and one poisonous item among many."""

from __future__ import annotations

import json

import pytest

from connector.domain.http import Request, Response, json_response
from connector.domain.listing import Action, ListingState
from connector.domain.pending import Context
from tests.unit.flows.stage import (
    DAY,
    FIRST,
    HOUR,
    PRICE,
    STOCK,
    answers,
    for_ever,
    lost,
    staged,
    times,
    unreachable,
    virtual,
)

WHOLE = {"1001": (PRICE, STOCK), "1002": (PRICE, STOCK), "1003": (PRICE, STOCK)}


@virtual
async def test_loading_lists_everything_once():
    async with staged() as stage:
        assert stage.shelf() == WHOLE
        assert stage.pushes() == {"listings.create": 1}
        listing = await stage.listing()
        assert listing.state is ListingState.LISTED
        assert listing.intent is None
        assert listing.market_id
        assert listing.url
        assert "S1" in await stage.codes(FIRST)


# --- unknown outcomes -----------------------------------------------------------------------------


@virtual
async def test_killed_between_intent_and_outcome_the_marketplace_is_asked_before_anything():
    async with staged(load=False) as stage:
        stage.market_tap.after = times(1, "listings.create", for_ever)
        await stage.load()
        await stage.settle(5)
        assert (await stage.listing()).intent is not None
        await stage.kill()
        stage.market_tap.heal()
        before = len(stage.market_tap.calls)
        await stage.settle(90)  # the dead worker's leases run out
        await stage.start()
        await stage.settle(30)
        after = [c.operation for c in stage.market_tap.calls[before:] if "listings" in c.operation]
        assert after[0] == "listings.find"
        assert "listings.create" not in after
        assert stage.shelf() == WHOLE
        assert (await stage.listing()).intent is None


@virtual
async def test_killed_before_the_call_arrived_it_is_made_again():
    async with staged(load=False) as stage:
        stage.market_tap.before = times(1, "listings.create", for_ever)
        await stage.load()
        await stage.settle(5)
        await stage.kill()
        stage.market_tap.heal()
        await stage.settle(90)
        await stage.start()
        await stage.settle(30)
        assert stage.shelf() == WHOLE
        assert {one.history[0].kind for one in stage.market.listings.values()} == {"created"}


@pytest.mark.parametrize("spoiled", ["after", "before"])
@pytest.mark.parametrize("operation", ["listings.create", "listings.terms", "listings.content"])
@virtual
async def test_a_lost_answer_is_looked_up_and_the_difference_closed(operation: str, spoiled: str):
    async with staged(load=operation != "listings.create") as stage:
        setattr(stage.market_tap, spoiled, times(1, operation, lost))
        if operation == "listings.create":
            await stage.load()
        elif operation == "listings.terms":
            stage.vtex.set_price(FIRST, 9_000)
        else:
            stage.vtex.edit_content(FIRST, name="Neu")
        await stage.settle(120)
        assert stage.market_tap.count("listings.find") >= 1
        listing = await stage.listing()
        assert listing.intent is None
        assert stage.market.listings[FIRST].price_minor in {PRICE, 9_000}
        truth = stage.vtex.truth()[FIRST]
        assert stage.shelf()[FIRST] == (truth.price, truth.stock)
        title = stage.market.listings[FIRST].content["title"]
        assert ("Neu" in title) == (operation == "listings.content")
        kinds = [change.kind for change in stage.market.listings[FIRST].history]
        assert kinds.count("created") == 1


@virtual
async def test_a_lost_block_is_looked_up_too():
    async with staged() as stage:
        stage.market_tap.after = times(1, "listings.block", lost)
        stage.vtex.set_active(FIRST, active=False)
        await stage.settle(120)
        assert stage.shelf()[FIRST] == (PRICE, 0)
        assert stage.market_tap.count("listings.block") == 1
        assert (await stage.listing()).state is ListingState.BLOCKED


@virtual
async def test_an_item_the_answer_is_silent_about_is_not_assumed_done():
    async with staged(load=False, market={"item_silence": 1.0}) as stage:
        await stage.load()
        await stage.settle(2)
        assert (await stage.listing()).confirmed is None
        stage.market.settings.item_silence = 0.0
        await stage.settle(120)
        assert stage.market_tap.count("listings.find") >= 1
        assert (await stage.listing()).state is ListingState.LISTED


@virtual
async def test_an_unreachable_marketplace_is_waited_for():
    async with staged(load=False) as stage:
        stage.market_tap.before = times(None, "listings.create", unreachable)
        await stage.load()
        await stage.settle(60)
        assert stage.shelf() == {}
        assert "E2" in await stage.codes(FIRST)
        stage.market_tap.heal()
        await stage.settle(20 * 60)
        assert stage.shelf() == WHOLE
        assert await stage.parked(Context.LISTINGS) == {}


@virtual
async def test_retry_after_of_the_marketplace_is_kept():
    async with staged() as stage:
        slow = answers(json_response({}, 429, {"retry-after": "900"}))
        stage.market_tap.before = times(1, "listings.terms", slow)
        stage.vtex.set_stock(FIRST, 0)
        await stage.settle(880)
        assert stage.market_tap.count("listings.terms") == 1
        await stage.settle(60)
        assert stage.shelf()[FIRST] == (PRICE, 0)


# --- lots -----------------------------------------------------------------------------------------


@virtual
async def test_a_lot_that_settles_is_waited_for_and_nothing_else_is_sent():
    async with staged(load=False, market={"lot_share": 1.0, "lot_s": 60.0}) as stage:
        await stage.load()
        await stage.settle(20)
        listing = await stage.listing()
        assert listing.state is ListingState.CREATING
        assert listing.lot is not None
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(20)
        assert stage.pushes() == {"listings.create": 1}
        await stage.settle(120)
        assert stage.shelf()[FIRST] == (9_000, STOCK)
        settled = await stage.listing()
        assert (settled.lot, settled.intent, settled.state) == (None, None, ListingState.LISTED)


@virtual
async def test_a_lot_that_settles_in_parts_lists_what_it_has_settled():
    options = {"lot_share": 1.0, "lot_s": 30.0, "lot_modes": {"partly": 1.0}}
    async with staged(load=False, market=options) as stage:
        await stage.load()
        await stage.settle(60)
        states = {sku: (await stage.listing(sku)).state for sku in WHOLE}
        assert sorted(states.values()) == [
            ListingState.CREATING,
            ListingState.LISTED,
            ListingState.LISTED,
        ]
        await stage.settle(120)
        assert stage.shelf() == WHOLE
        assert stage.pushes() == {"listings.create": 1}


@virtual
async def test_a_lot_that_never_settles_is_given_up_and_the_listing_made_anew():
    options = {"lot_share": 1.0, "lot_modes": {"never": 1.0}, "lot_kept_s": 90 * DAY}
    async with staged(load=False, market=options) as stage:
        await stage.load()
        await stage.settle(HOUR)
        assert stage.shelf() == {}
        checks = stage.market_tap.count("lots.read")
        assert checks < 3 * (HOUR / 60)  # patiently
        stage.market.settings.lot_share = 0.0
        await stage.settle(26 * HOUR)
        assert stage.market_tap.count("listings.find") >= 1
        assert stage.shelf() == WHOLE


@virtual
async def test_a_lot_the_marketplace_has_forgotten_is_looked_up():
    options = {"lot_share": 1.0, "lot_modes": {"never": 1.0}, "lot_kept_s": 600.0}
    async with staged(load=False, market=options) as stage:
        await stage.load()
        await stage.settle(300)
        stage.market.settings.lot_share = 0.0
        await stage.settle(HOUR)
        assert stage.shelf() == WHOLE


@virtual
async def test_a_refusal_inside_a_lot_is_told_and_parked():
    async with staged(load=False, market={"lot_share": 1.0, "item_refusal": 1.0}) as stage:
        await stage.load()
        await stage.settle(120)
        parked = await stage.parked(Context.LISTINGS)
        assert set(parked) == set(WHOLE)
        assert "moderation" in parked[FIRST][0]
        assert "E3" in await stage.codes(FIRST)
        assert (await stage.listing()).lot is None


# --- one among many -------------------------------------------------------------------------------


def _items(request: Request) -> list[str]:
    return [str(item["seller_sku"]) for item in json.loads(request.body)["items"]]


@virtual
async def test_what_the_marketplace_refuses_is_parked_with_all_reasons_and_harms_no_other():
    async with staged(load=False) as stage:

        async def moderate(request: Request) -> Response | None:
            if request.operation != "listings.create":
                return None
            done = {"status": "done", "listing_id": "DM-9", "url": "u"}
            words = [{"code": "a", "message": "bad title"}, {"code": "b", "message": "no logo"}]
            refused = {"status": "refused", "errors": words}
            rows = [
                {"seller_sku": sku, **(refused if sku == "1002" else done)}
                for sku in _items(request)
            ]
            return json_response({"items": rows})

        stage.market_tap.before = moderate
        await stage.load()
        await stage.settle(60)
        assert await stage.parked(Context.LISTINGS) == {"1002": ("bad title", "no logo")}
        assert (await stage.listing("1001")).state is ListingState.LISTED
        assert (await stage.listing("1002")).state is ListingState.PARKED
        refusals = [one for one in await stage.log("1002") if one.code == "E3"]
        assert "bad title; no logo" in refusals[0].message


@virtual
async def test_a_refused_listing_is_tried_again_daily():
    async with staged(load=False, market={"item_refusal": 1.0}) as stage:
        await stage.load()
        await stage.settle(60)
        tries = stage.market_tap.count("listings.create")
        stage.market.settings.item_refusal = 0.0
        await stage.settle(0.7 * DAY)
        assert stage.market_tap.count("listings.create") == tries
        await stage.settle(0.6 * DAY)
        assert stage.shelf() == WHOLE


@virtual
async def test_stock_and_blocks_overtake_creations_in_one_turn():
    async with staged(2) as stage:
        await stage.kill()
        stage.vtex.create_sku()
        stage.vtex.edit_content("1002", name="Neu")
        stage.vtex.set_active(FIRST, active=False)
        before = len(stage.market_tap.calls)
        await stage.start()
        await stage.load()
        await stage.settle(60)
        calls = [c.operation for c in stage.market_tap.calls[before:]]
        writes = [operation for operation in calls if operation in stage.pushes()]
        assert writes.index("listings.block") < writes.index("listings.create")
        assert writes.index("listings.create") < writes.index("listings.content")


@virtual
async def test_batches_are_no_larger_than_the_marketplace_takes():
    async with staged(130, load=False) as stage:
        await stage.load()
        await stage.settle(120)
        assert len(stage.shelf()) == 130
        sizes = [len(_items(call)) for call in stage.market_tap.of("listings.create")]
        assert max(sizes) <= 100


@virtual
async def test_an_intent_is_saved_before_the_call_is_made():
    async with staged() as stage:
        seen = []

        async def look(request: Request) -> Response | None:
            if request.operation == "listings.terms":
                intent = (await stage.listing()).intent
                seen.append((intent.action, intent.target.price_minor) if intent else None)
            return None

        stage.market_tap.before = look
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(10)
        assert seen == [(Action.PRICE_STOCK, 9_000)]


@virtual
async def test_two_at_once_write_a_listing_only_one_after_the_other():
    """A stale worker's outcome is refused, and the newer look stands."""
    async with staged() as stage:
        stage.market_tap.after = times(1, "listings.terms", for_ever)
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(5)
        stale = await stage.listing()
        assert stale.intent is not None
        await stage.kill()
        stage.market_tap.heal()
        stage.vtex.set_price(FIRST, 8_000)
        await stage.settle(90)
        await stage.start()
        await stage.load()
        await stage.settle(60)
        assert stage.shelf()[FIRST] == (8_000, STOCK)
