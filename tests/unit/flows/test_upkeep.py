"""Periodic jobs: loading, relisting, polling, housekeeping; each goes on where it stopped."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.domain.entries import Direction, Entry, Operation, Status
from connector.domain.http import json_response
from connector.domain.pending import Context, Mark
from connector.flows import upkeep
from connector.flows.upkeep_jobs import Job, periodic_jobs
from connector.sdk import Capability
from tests.unit.flows.stage import (
    DAY,
    FIRST,
    HOUR,
    PRICE,
    STOCK,
    Stage,
    answers,
    for_ever,
    staged,
    times,
    virtual,
)


async def _progress(stage: Stage) -> dict[str, Any]:
    found = await stage.store.get("progress", stage.joined.id, ["backfill"])
    return json.loads(found["backfill"].body) if found else {}


async def _do(stage: Stage, job: Job) -> None:
    await stage.store.commit([Mark(stage.joined.id, Context.UPKEEP, job, stage.clock.now())])
    await stage.settle(10)


# --- loading --------------------------------------------------------------------------------------


@virtual
async def test_loading_marks_every_sku_and_says_how_far_it_is():
    async with staged(25) as stage:
        progress = await _progress(stage)
        assert (progress["state"], progress["seen"]) == ("done", 25)
        assert progress["finished_at"] >= progress["started_at"]
        assert len(stage.shelf()) == 25


@virtual
async def test_killed_while_loading_it_goes_on_with_the_next_page(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(upkeep, "PAGE", 10)
    async with staged(35, load=False, rules={"relist_s": 50 * DAY}) as stage:
        await stage.settle(30)
        hang = times(None, "vtex.sku-list", for_ever)

        async def from_page_three(request: Any) -> Any:
            return await hang(request) if request.query.get("page") == "3" else None

        stage.vtex_tap.before = from_page_three
        await stage.load()
        await stage.settle(10)
        assert await _progress(stage) | {"started_at": ""} == {
            "state": "listing",
            "page": 2,
            "seen": 20,
            "started_at": "",
            "finished_at": "",
        }
        await stage.kill()
        stage.vtex_tap.heal()
        before = len(stage.vtex_tap.of("vtex.sku-list"))
        await stage.settle(90)
        await stage.start()
        await stage.settle(60)
        pages = [call.query["page"] for call in stage.vtex_tap.of("vtex.sku-list")[before:]]
        assert pages == ["3", "4", "5"]
        assert (await _progress(stage))["seen"] == 35
        assert len(stage.shelf()) == 35


@virtual
async def test_loading_again_begins_at_the_beginning():
    async with staged(5) as stage:
        await stage.load()
        await stage.settle(30)
        progress = await _progress(stage)
        assert (progress["state"], progress["seen"]) == ("done", 5)
        assert stage.pushes() == {"listings.create": 1}


@virtual
async def test_a_peer_that_ignores_paging_does_not_keep_the_load_for_ever():
    async with staged(load=False) as stage:
        stage.vtex_tap.before = times(None, "vtex.sku-list", answers(json_response([1001, 1002])))
        await stage.load()
        await stage.settle(60)
        assert (await _progress(stage))["state"] == "done"
        assert stage.vtex_tap.count("vtex.sku-list") < 20


@virtual
async def test_a_page_that_fails_is_asked_for_again():
    async with staged(load=False) as stage:
        await stage.settle(30)
        stage.vtex_tap.before = times(2, "vtex.sku-list", answers(json_response({}, 500)))
        await stage.load()
        await stage.settle(120)
        assert (await _progress(stage))["state"] == "done"


# --- relisting ------------------------------------------------------------------------------------


@virtual
async def test_what_joins_the_trade_policy_silently_is_found_by_relisting():
    async with staged(rules={"relist_s": 2 * HOUR}) as stage:
        new = stage.vtex.create_sku(sales_channels={1}, silent=True)
        await stage.settle(60)
        stage.vtex.set_trade_policy(new.id, 2, member=True, silent=True)
        await stage.settle(3 * HOUR)
        assert stage.shelf()[str(new.id)] == (9_990, 10)


@virtual
async def test_what_leaves_the_trade_policy_silently_is_found_by_relisting():
    async with staged(rules={"relist_s": 2 * HOUR, "recheck_s": 30 * DAY}) as stage:
        stage.vtex.set_trade_policy(FIRST, 2, member=False, silent=True)
        await stage.settle(3 * HOUR)
        assert stage.shelf()[FIRST][1] == 0
        assert stage.market.listings[FIRST].blocked


@virtual
async def test_relisting_looks_at_nothing_that_is_known_on_both_sides():
    async with staged(20, rules={"relist_s": HOUR}) as stage:
        await stage.settle(600)
        reads = stage.vtex_tap.count("vtex.sku-read")
        await stage.settle(5 * HOUR)
        assert stage.vtex_tap.count("vtex.sku-list") >= 5
        assert stage.vtex_tap.count("vtex.sku-read") == reads


# --- polling --------------------------------------------------------------------------------------


@virtual
async def test_orders_whose_webhooks_are_lost_are_found_by_polling():
    async with staged(market={"webhook_loss": 1.0}) as stage:
        refs = [stage.sell() for _ in range(3)]
        await stage.settle(900)
        assert all(stage.in_vtex(ref).approved for ref in refs)
        stage.market.cancel_by_buyer(refs[0])
        await stage.settle(900)
        assert stage.in_vtex(refs[0]).status == "canceled"


@virtual
async def test_polling_goes_on_where_it_was_after_a_death():
    async with staged(market={"webhook_loss": 1.0}) as stage:
        stage.sell()
        await stage.settle(900)
        await stage.kill()
        ref = stage.sell()
        await stage.settle(HOUR)
        await stage.start()
        await stage.settle(900)
        assert stage.in_vtex(ref).approved
        assert stage.vtex.doubled_orders() == {}


@virtual
async def test_many_changed_orders_are_read_page_by_page():
    async with staged(market={"webhook_loss": 1.0, "page_size": 3}) as stage:
        stage.vtex.set_stock(FIRST, 100)
        await stage.settle(10)
        await stage.kill()
        refs = [stage.sell() for _ in range(10)]
        await stage.start()
        await stage.settle(600)
        assert all(stage.there(ref) for ref in refs)


@virtual
async def test_a_connections_own_interval_is_kept():
    async with staged(rules={"poll_s": 3_600}) as stage:
        before = stage.market_tap.count("orders.poll")
        await stage.settle(4 * HOUR)
        assert 3 <= stage.market_tap.count("orders.poll") - before <= 6


# --- the sales channel ----------------------------------------------------------------------------


@virtual
async def test_an_inactive_trade_policy_is_told():
    async with staged() as stage:
        stage.vtex.set_policy_active(2, active=False)
        await _do(stage, Job.CHANNEL)
        assert any("inactive in VTEX" in one.message for one in await stage.log())


@virtual
async def test_the_currency_is_learnt_once():
    async with staged() as stage:
        assert (await stage.fresh()).currency == "BRL"
        reads = stage.vtex_tap.count("vtex.sales-channel-read")
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(30)
        assert stage.vtex_tap.count("vtex.sales-channel-read") == reads


# --- housekeeping ---------------------------------------------------------------------------------


@virtual
async def test_old_log_entries_are_forgotten():
    async with staged(load=False) as stage:
        old = Entry(
            connection=stage.joined.id,
            at=stage.clock.now(),
            subject="old",
            operation=Operation.CATALOG_CHANGE,
            direction=Direction.TO_MARKETPLACE,
            status=Status.SUCCESS,
            message="long ago",
        )
        await stage.store.commit([old])
        stage.up.entries_days = 2
        await stage.settle(1.5 * DAY)
        assert await stage.log("old")
        await stage.settle(2.5 * DAY)
        assert not await stage.log("old")


@virtual
async def test_a_recheck_of_everything_finds_every_difference_and_pushes_nothing_else():
    async with staged(12) as stage:
        stage.vtex.set_price("1003", 7_777, silent=True)
        pushes = stage.pushes()
        await _do(stage, Job.RECHECK_ALL)
        await stage.settle(30)
        assert stage.shelf()["1003"] == (7_777, STOCK)
        assert stage.shelf()[FIRST] == (PRICE, STOCK)
        assert stage.pushes() - pushes == {"listings.terms": 1}


@virtual
async def test_an_unknown_job_is_forgotten():
    async with staged(load=False) as stage:
        mark = Mark(stage.joined.id, Context.UPKEEP, "job-of-tomorrow", stage.clock.now())
        await stage.store.commit([mark])
        await stage.settle(10)
        assert "job-of-tomorrow" not in await stage.rows(Context.UPKEEP)


@virtual
async def test_one_job_that_fails_does_not_stop_the_others():
    async with staged(load=False) as stage:
        stage.market_tap.before = times(None, "orders.poll", answers(json_response({}, 503)))
        await stage.settle(60)
        rows = await stage.rows(Context.UPKEEP)
        assert rows[Job.POLL_ORDERS].attempts >= 1
        assert rows[Job.RELIST].attempts == 0
        assert (await stage.fresh()).currency == "BRL"


def test_only_a_marketplace_that_can_be_polled_is():
    assert Job.POLL_ORDERS in periodic_jobs({Capability.POLLING})
    assert Job.POLL_ORDERS not in periodic_jobs({Capability.WEBHOOK})
