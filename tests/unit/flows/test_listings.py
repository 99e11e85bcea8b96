"""A turn of listings: what changes in VTEX reaches the marketplace, and nothing else does."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta

import pytest

from adapters.demo import DemoAdapter
from connector.domain.connection import ConnectionState
from connector.domain.http import Request, Response, json_response
from connector.domain.listing import ListingState
from connector.domain.pending import Context
from connector.flows import connections
from connector.flows.connections import change
from connector.flows.intake import take_notifications
from connector.flows.parked import retry_parked
from connector.sdk import Capability
from tests.unit.flows.stage import (
    DAY,
    FIRST,
    HOUR,
    PRICE,
    STOCK,
    Stage,
    lost,
    staged,
    times,
    virtual,
)

# --- the decision table ---------------------------------------------------------------------------


@virtual
async def test_a_price_goes_out_alone():
    async with staged() as stage:
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(10)
        assert stage.shelf()[FIRST] == (9_000, STOCK)
        assert stage.pushes() == {"listings.create": 1, "listings.terms": 1}
        (call,) = stage.market_tap.of("listings.terms")
        assert [item["seller_sku"] for item in json.loads(call.body)["items"]] == [FIRST]
        assert "price" in (await stage.log(FIRST))[0].message


@virtual
async def test_stock_goes_out_alone_and_zero_is_zero():
    async with staged() as stage:
        stage.vtex.set_stock(FIRST, 0)
        await stage.settle(10)
        assert stage.shelf()[FIRST] == (PRICE, 0)
        assert stage.pushes() == {"listings.create": 1, "listings.terms": 1}


@virtual
async def test_changed_content_goes_out_without_being_listed_again():
    async with staged() as stage:
        stage.vtex.edit_content(FIRST, name="Verde 40")
        await stage.settle(10)
        assert "Verde 40" in stage.market.listings[FIRST].content["title"]
        assert stage.pushes() == {"listings.create": 1, "listings.content": 1}


@pytest.mark.parametrize("how", ["inactive", "product inactive", "removed"])
@virtual
async def test_what_vtex_no_longer_sells_is_blocked_and_comes_back_with_its_identity(how: str):
    async with staged() as stage:

        def sell(on: bool) -> None:
            if how == "inactive":
                stage.vtex.set_active(FIRST, on)
            elif how == "removed":
                stage.vtex.set_trade_policy(FIRST, 2, on)
            else:
                product = stage.vtex.catalog.skus[int(FIRST)].product_id
                stage.vtex.set_product_active(product, on)

        before = await stage.listing()
        sell(False)
        await stage.settle(10)
        assert stage.shelf()[FIRST][1] == 0
        assert (await stage.listing()).state is ListingState.BLOCKED
        assert await stage.codes(FIRST) & {"A1", "A2"}
        sell(True)
        await stage.settle(10)
        after = await stage.listing()
        assert stage.shelf()[FIRST] == (PRICE, STOCK)
        assert (after.state, after.market_id) == (ListingState.LISTED, before.market_id)
        assert stage.pushes()["listings.create"] == 1


@virtual
async def test_a_new_sku_is_listed_when_it_is_announced():
    async with staged() as stage:
        new = str(stage.vtex.create_sku(name="Novo").id)
        await stage.settle(10)
        assert stage.shelf()[new] == (9_990, 10)


@virtual
async def test_an_sku_that_is_not_listed_and_cannot_be_is_told_why_and_left():
    async with staged() as stage:
        new = str(stage.vtex.create_sku(price=None, stock=0).id)
        await stage.settle(10)
        assert new not in stage.shelf()
        assert await stage.codes(new) == {"A1"}
        stage.vtex.set_price(new, 500)
        stage.vtex.set_stock(new, 4)
        await stage.settle(10)
        assert stage.shelf()[new] == (500, 4)


@virtual
async def test_an_unknown_sku_leaves_no_trace():
    async with staged() as stage:
        body = {"IdSku": "999999", "An": "simstore", "IdAffiliate": "DMM", "StockModified": True}
        await take_notifications(stage.up, stage.joined, json.dumps(body).encode())
        await stage.settle(10)
        assert "999999" not in await stage.rows(Context.LISTINGS)
        assert (await stage.store.get("listing", stage.joined.id, ["999999"])) == {}


@virtual
async def test_the_same_reason_is_logged_once_until_it_changes():
    async with staged() as stage:
        new = str(stage.vtex.create_sku(price=None, stock=0).id)
        await stage.settle(10)
        for _ in range(3):
            stage.vtex.set_stock(new, 0)
            await stage.settle(10)
        told = [one.message for one in await stage.log(new)]
        assert len(told) >= 1
        assert all(one != other for one, other in itertools.pairwise(told))


# --- what the marketplace cannot do ---------------------------------------------------------------


def _unable(monkeypatch: pytest.MonkeyPatch, *missing: Capability) -> None:
    monkeypatch.setattr(DemoAdapter, "capabilities", frozenset(Capability) - set(missing))


@virtual
async def test_without_block_it_is_deleted_and_its_identity_forgotten(
    monkeypatch: pytest.MonkeyPatch,
):
    _unable(monkeypatch, Capability.BLOCK)
    async with staged() as stage:
        old = (await stage.listing()).market_id
        stage.vtex.set_active(FIRST, active=False)
        await stage.settle(10)
        assert FIRST not in stage.market.listings
        gone = await stage.listing()
        assert (gone.market_id, gone.confirmed) == ("", None)
        stage.vtex.set_active(FIRST, active=True)
        await stage.settle(10)
        assert stage.shelf()[FIRST] == (PRICE, STOCK)
        assert (await stage.listing()).market_id not in {"", old}


@virtual
async def test_without_block_and_delete_its_stock_is_zero(monkeypatch: pytest.MonkeyPatch):
    _unable(monkeypatch, Capability.BLOCK, Capability.DELETE)
    async with staged() as stage:
        stage.vtex.set_active(FIRST, active=False)
        await stage.settle(10)
        listing = stage.market.listings[FIRST]
        assert (listing.stock, listing.blocked, listing.price_minor) == (0, False, PRICE)


@pytest.mark.parametrize("spoiled", ["before", "after"])
@virtual
async def test_without_find_a_doubtful_write_is_repeated(
    spoiled: str, monkeypatch: pytest.MonkeyPatch
):
    _unable(monkeypatch, Capability.FIND)
    async with staged() as stage:
        setattr(stage.market_tap, spoiled, times(1, "listings.terms", lost))
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(120)
        assert stage.shelf()[FIRST] == (9_000, STOCK)
        assert stage.market_tap.count("listings.terms") == 2
        assert (await stage.listing()).intent is None


@virtual
async def test_without_find_a_lost_creation_of_what_is_sold_out_meanwhile_is_withdrawn(
    monkeypatch: pytest.MonkeyPatch,
):
    _unable(monkeypatch, Capability.FIND)
    async with staged(load=False) as stage:
        stage.market_tap.after = times(1, "listings.create", lost)
        await stage.load()
        await stage.settle(2)
        assert FIRST in stage.shelf()
        stage.vtex.set_active(FIRST, active=False)
        await stage.settle(300)
        assert stage.shelf()[FIRST][1] == 0


# --- second looks ---------------------------------------------------------------------------------


@virtual
async def test_a_price_that_vtex_still_shows_stale_is_read_again():
    async with staged(vtex={"stale_price_s": 300.0}) as stage:
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(60)
        assert stage.shelf()[FIRST] == (PRICE, STOCK)  # all VTEX shows for now
        await stage.settle(320)
        assert stage.shelf()[FIRST] == (9_000, STOCK)


@virtual
async def test_stock_that_vtex_still_shows_stale_is_read_again():
    async with staged(vtex={"stale_stock_s": 60.0}) as stage:
        stage.vtex.set_stock(FIRST, 0)
        await stage.settle(50)
        assert stage.shelf()[FIRST] == (PRICE, STOCK)
        await stage.settle(80)
        assert stage.shelf()[FIRST] == (PRICE, 0)


@virtual
async def test_a_second_look_promises_no_third():
    """It is no announcement: otherwise every change would be looked at for ever."""
    async with staged() as stage:
        stage.vtex.set_price(FIRST, 9_000)
        stage.vtex.set_stock(FIRST, 5)
        await stage.settle(15 * 60)
        reads = stage.vtex_tap.count("vtex.simulation")
        assert (await stage.listing()).second_looks == ()
        await stage.settle(HOUR)
        assert stage.vtex_tap.count("vtex.simulation") == reads


@virtual
async def test_a_second_look_survives_the_death_of_the_hub():
    async with staged(vtex={"stale_price_s": 300.0}) as stage:
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(60)
        await stage.restart(120)
        await stage.settle(299)
        assert stage.shelf()[FIRST] == (9_000, STOCK)


# --- reindexes ------------------------------------------------------------------------------------


async def _reindexed(stage: Stage) -> None:
    """VTEX speaks of every SKU and says nothing about it."""
    for sku in stage.vtex.catalog.skus:
        body = {"IdSku": str(sku), "An": "simstore", "IdAffiliate": "DMM", "IsActive": True}
        await take_notifications(stage.up, stage.joined, json.dumps(body).encode())


@virtual
async def test_a_reindex_is_gathered_read_once_per_sku_and_pushes_nothing():
    async with staged(20) as stage:
        reads = stage.vtex_tap.count("vtex.sku-read")
        simulations = stage.vtex_tap.count("vtex.simulation")
        pushes = stage.pushes()
        for _ in range(5):
            await _reindexed(stage)
            await stage.settle(2)
        assert stage.vtex_tap.count("vtex.sku-read") == reads
        await stage.settle(600)
        assert stage.vtex_tap.count("vtex.sku-read") == reads + 20
        assert stage.vtex_tap.count("vtex.simulation") <= simulations + 2
        assert stage.pushes() == pushes


@virtual
async def test_a_reindex_that_lies_about_activity_pushes_nothing_either():
    """VTEX then says of active SKUs that they are not: read at once, and found to be active."""
    async with staged(20) as stage:
        pushes, reads = stage.pushes(), stage.vtex_tap.count("vtex.sku-read")
        stage.vtex.reindex()
        await stage.settle(60)
        assert stage.vtex_tap.count("vtex.sku-read") == reads + 20
        assert stage.pushes() == pushes


@virtual
async def test_a_real_change_does_not_wait_for_a_reindex():
    async with staged(20) as stage:
        stage.vtex.reindex()
        stage.vtex.set_stock(FIRST, 0)
        await stage.settle(5)
        assert stage.shelf()[FIRST] == (PRICE, 0)


@virtual
async def test_a_reindex_finds_what_really_changed():
    async with staged(20) as stage:
        stage.vtex.set_price("1005", 7_777, silent=True)
        stage.vtex.edit_content("1006", name="Neu", silent=True)
        stage.vtex.reindex()
        await stage.settle(60)
        assert stage.shelf()["1005"] == (7_777, STOCK)
        assert "Neu" in stage.market.listings["1006"].content["title"]
        assert stage.pushes() == {
            "listings.create": 1,
            "listings.terms": 1,
            "listings.content": 1,
        }


# --- looking again by itself ----------------------------------------------------------------------


@virtual
async def test_a_silent_change_is_found_within_a_day_and_a_best_sellers_within_an_hour():
    async with staged(2) as stage:
        stage.sell(1, FIRST)
        await stage.settle(300)
        stage.vtex.set_price(FIRST, 9_000, silent=True)
        stage.vtex.set_price("1002", 9_000, silent=True)
        await stage.settle(1.3 * HOUR)
        assert stage.shelf()[FIRST][0] == 9_000
        assert stage.shelf()["1002"][0] == PRICE
        await stage.settle(1.2 * DAY)
        assert stage.shelf()["1002"][0] == 9_000


@virtual
async def test_a_price_that_ends_is_read_again_right_then():
    """VTEX announces neither beginning nor end of a promotion, but says how long a price holds."""
    async with staged(vtex={"pvt_price_after_promotions": True}) as stage:
        ends = stage.clock.now() + timedelta(seconds=3_000)

        async def say_until_when(request: Request) -> Response | None:
            if request.operation != "vtex.simulation" or stage.clock.now() >= ends:
                return None
            body = (await stage.vtex_tap.pass_on(request)).json()
            for item in body["items"]:
                item["priceValidUntil"] = ends.isoformat()
            return json_response(body)

        stage.vtex_tap.before = say_until_when
        stage.vtex.schedule_promotion([FIRST], 20, lasts_s=3_000)
        stage.vtex.reindex()
        await stage.settle(60)
        assert stage.shelf()[FIRST][0] == 8_000
        await stage.settle(2_800)
        assert stage.shelf()[FIRST][0] == 8_000
        await stage.settle(160)
        assert stage.shelf()[FIRST][0] == PRICE


# --- price guard ----------------------------------------------------------------------------------


@virtual
async def test_a_bad_price_waits_for_a_person_while_stock_stays_true():
    async with staged(rules={"max_price_change_pct": 50}) as stage:
        stage.vtex.set_price(FIRST, 100)
        await stage.settle(10)
        assert stage.shelf()[FIRST] == (PRICE, STOCK)
        (reasons,) = (await stage.parked(Context.LISTINGS)).values()
        assert "approve it" in reasons[0]
        assert (await stage.listing()).state is ListingState.PARKED
        stage.vtex.set_stock(FIRST, 3)
        await stage.settle(10)
        assert stage.shelf()[FIRST] == (PRICE, 3)
        assert FIRST in await stage.parked(Context.LISTINGS)


@virtual
async def test_an_approved_price_is_published_and_only_that_price():
    async with staged(rules={"max_price_change_pct": 50}) as stage:
        stage.vtex.set_price(FIRST, 100)
        await stage.settle(10)
        await retry_parked(stage.up, stage.joined.id, key=FIRST, approve_price=True)
        await stage.settle(10)
        assert stage.shelf()[FIRST] == (100, STOCK)
        assert await stage.parked(Context.LISTINGS) == {}
        stage.vtex.set_price(FIRST, 1)
        await stage.settle(10)
        assert stage.shelf()[FIRST] == (100, STOCK)
        assert FIRST in await stage.parked(Context.LISTINGS)


@virtual
async def test_a_corrected_price_needs_no_approval():
    async with staged(rules={"price_floor": 5_000}) as stage:
        stage.vtex.set_price(FIRST, 50)
        await stage.settle(10)
        stage.vtex.set_price(FIRST, 5_000)
        await stage.settle(10)
        assert stage.shelf()[FIRST] == (5_000, STOCK)
        assert await stage.parked(Context.LISTINGS) == {}


@virtual
async def test_a_bad_first_price_is_not_listed_at_all():
    async with staged(load=False, rules={"price_ceiling": 5_000}) as stage:
        await stage.load()
        await stage.settle(30)
        assert stage.shelf() == {}
        assert len(await stage.parked(Context.LISTINGS)) == 3


# --- rules of the connection ----------------------------------------------------------------------


@virtual
async def test_buffer_and_most_stock_are_kept_and_may_change():
    async with staged(rules={"stock_buffer": 2, "max_stock": 5}) as stage:
        assert stage.shelf()[FIRST] == (PRICE, 5)
        stage.vtex.set_stock(FIRST, 4)
        await stage.settle(10)
        assert stage.shelf()[FIRST] == (PRICE, 2)
        await change(stage.up, stage.joined.id, {"rules.stock_buffer": 0})
        await stage.settle(5)
        stage.vtex.set_stock(FIRST, 4)
        await stage.settle(10)
        assert stage.shelf()[FIRST] == (PRICE, 4)


@virtual
async def test_an_unmapped_category_is_parked_until_it_is_mapped():
    async with staged(load=False, rules={"default_category": ""}) as stage:
        await stage.load()
        await stage.settle(30)
        parked = await stage.parked(Context.LISTINGS)
        assert len(parked) == 3
        assert all("E4" in "".join(reasons) for reasons in parked.values())
        await change(stage.up, stage.joined.id, {"rules.default_category": "110"})
        await stage.settle(5)
        await retry_parked(stage.up, stage.joined.id)
        await stage.settle(20)
        assert len(stage.shelf()) == 3
        assert await stage.parked(Context.LISTINGS) == {}


# --- paused ---------------------------------------------------------------------------------------


async def _state(stage: Stage, state: ConnectionState) -> None:
    await connections.set_state(stage.up, stage.joined.id, state)
    await stage.settle(5)


@virtual
async def test_paused_facts_are_taken_and_nothing_is_pushed_until_it_resumes():
    async with staged() as stage:
        await _state(stage, ConnectionState.PAUSED)
        before = stage.pushes()
        stage.vtex.set_price(FIRST, 9_000)
        stage.vtex.set_active("1002", active=False)
        await stage.settle(600)
        assert stage.pushes() == before
        assert stage.vtex.unsent_notifications == 0
        await _state(stage, ConnectionState.ACTIVE)
        await stage.settle(30)
        assert stage.shelf()[FIRST] == (9_000, STOCK)
        assert stage.shelf()["1002"][1] == 0
