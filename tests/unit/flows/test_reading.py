"""Reading a batch from VTEX: too large, spoiled by one SKU, forbidden, or unreadable."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta

import pytest

from adapters.demo import DemoAdapter
from connector.domain.http import Request, Response, json_response
from connector.domain.listing import SkuRecord
from connector.domain.pending import Context, Hint, Mark
from connector.flows.hub import BatchSize
from connector.sdk import Offer
from connector.vtex.catalog import read_sku
from connector.vtex.session import Session
from tests.unit.flows.stage import (
    FIRST,
    HOUR,
    PRICE,
    STOCK,
    answers,
    staged,
    times,
    unreachable,
    virtual,
)


def _simulated(request: Request) -> list[str]:
    return [str(item["id"]) for item in json.loads(request.body)["items"]]


# --- batches --------------------------------------------------------------------------------------


@virtual
async def test_a_batch_that_is_too_large_is_halved_and_nothing_is_left_out():
    async with staged(30, load=False, vtex={"max_simulation_items": 7}) as stage:
        await stage.load()
        await stage.settle(60)
        assert len(stage.shelf()) == 30
        peers = stage.up.peers.of(stage.joined, Context.LISTINGS)
        assert 3 <= peers.batch.ceiling <= 7
        sizes = [len(_simulated(call)) for call in stage.vtex_tap.of("vtex.simulation")]
        assert 30 in sizes


def test_a_halved_batch_dares_more_only_little_by_little():
    batch = BatchSize()
    batch.halve(50)
    assert batch.size == 25
    batch.worked()
    assert batch.size == 26
    for _ in range(100):
        batch.worked()
    assert batch.size == 50


def test_a_batch_is_never_empty():
    batch = BatchSize()
    for failed in (50, 25, 12, 6, 3, 1, 1):
        batch.halve(failed)
    assert batch.size == 1


@virtual
async def test_one_sku_that_makes_vtex_fail_is_found_and_the_others_go_on():
    async with staged(8, load=False) as stage:

        async def choke(request: Request) -> Response | None:
            if request.operation == "vtex.simulation" and "1004" in _simulated(request):
                return json_response({"message": "Object reference not set"}, 500)
            return None

        stage.vtex_tap.before = choke
        await stage.load()
        await stage.settle(20 * 60)
        assert sorted(stage.shelf()) == sorted(
            str(sku) for sku in stage.vtex.catalog.skus if sku != 1004
        )
        stage.vtex_tap.heal()
        await stage.settle(6 * HOUR)
        assert "1004" in stage.shelf()


@virtual
async def test_one_sku_that_makes_the_hub_fail_is_isolated_and_parked_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
):
    """A mistake of ours: the key climbs the ladder alone, its neighbours are not held up."""
    validate = DemoAdapter.validate

    def poisoned(self: DemoAdapter, offer: Offer) -> list[str]:
        if offer.sku == "1002":
            raise ZeroDivisionError
        return validate(self, offer)

    monkeypatch.setattr(DemoAdapter, "validate", poisoned)
    async with staged(6, load=False) as stage:
        await stage.load()
        await stage.settle(60)
        assert sorted(stage.shelf()) == ["1001", "1003", "1004", "1005", "1006"]
        assert stage.market_tap.count("listings.find") == 0
        row = (await stage.rows(Context.LISTINGS))["1002"]
        assert row.attempts >= 1
        assert "ZeroDivisionError" in row.reasons[0]
        await stage.settle(40 * HOUR)
        parked = await stage.parked(Context.LISTINGS)
        assert list(parked) == ["1002"]


@virtual
async def test_a_batch_is_not_read_in_one_moment(monkeypatch: pytest.MonkeyPatch):
    """All in one moment, they would stop every other merchant's work until all were read."""
    began: list[datetime] = []

    async def seen(session: Session, sku: str, now: datetime) -> SkuRecord:
        began.append(now)
        return await read_sku(session, sku, now)

    async with staged(30) as stage:
        monkeypatch.setattr("connector.flows.reading.read_sku", seen)
        hint, now = Hint(content=True), stage.clock.now()
        keys = map(str, stage.vtex.catalog.skus)
        await stage.store.commit(
            [Mark(stage.joined.id, Context.LISTINGS, key, now, hint=hint) for key in keys]
        )
        await stage.settle(5)
    assert len(began) == 30
    assert max(Counter(began).values()) == 2
    assert max(began) - min(began) < timedelta(seconds=0.2)


# --- the public simulation ------------------------------------------------------------------------


@virtual
async def test_without_the_permission_the_public_simulation_lowers_and_never_raises_stock():
    async with staged(vtex={"pub_stock_balance": True}) as stage:
        stage.vtex.settings.forbidden = {"Place Orders"}
        stage.vtex.set_stock(FIRST, 50)
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(10)
        assert stage.shelf()[FIRST] == (9_000, STOCK)
        stage.vtex.set_stock(FIRST, 0)
        await stage.settle(10)
        assert stage.shelf()[FIRST] == (9_000, 0)
        stage.vtex.set_stock(FIRST, 50)
        await stage.settle(10)
        assert stage.shelf()[FIRST] == (9_000, 0)
        stage.vtex.settings.forbidden = set()
        stage.vtex.set_stock(FIRST, 50)
        await stage.settle(10)
        assert stage.shelf()[FIRST] == (9_000, 50)


@virtual
async def test_a_new_sku_is_not_listed_on_the_word_of_the_public_simulation():
    async with staged(load=False) as stage:
        stage.vtex.settings.forbidden = {"Place Orders"}
        await stage.load()
        await stage.settle(30)
        assert all(stock == 0 for _, stock in stage.shelf().values())


# --- VTEX is away ---------------------------------------------------------------------------------

_AWAY = {
    "500": answers(json_response({"message": "Internal error"}, 500)),
    "html": answers(Response(502, {"content-type": "text/html"}, b"<html>Bad Gateway</html>")),
    "429": answers(json_response({"message": "Too many requests"}, 429)),
    "401": answers(json_response({"message": "Unauthorized"}, 401)),
    "unreachable": unreachable,
    "not JSON": answers(Response(200, {}, b"<!doctype html>")),
}


@pytest.mark.parametrize("how", _AWAY)
@virtual
async def test_a_failing_simulation_never_zeroes_stock(how: str):
    async with staged() as stage:
        stage.vtex_tap.before = times(None, "vtex.simulation", _AWAY[how])
        for sku in stage.vtex.catalog.skus:
            stage.vtex.set_price(sku, 9_000)
        await stage.settle(300)
        assert {stock for _, stock in stage.shelf().values()} == {STOCK}
        stage.vtex_tap.heal()
        await stage.settle(HOUR)
        assert set(stage.shelf().values()) == {(9_000, STOCK)}


@pytest.mark.parametrize("how", [name for name in _AWAY if name != "not JSON"])
@virtual
async def test_a_catalog_that_cannot_be_read_blocks_nothing(how: str):
    async with staged() as stage:
        stage.vtex_tap.before = times(None, "vtex.sku-read", _AWAY[how])
        stage.vtex.edit_content(FIRST, name="Neu")
        await stage.settle(300)
        assert stage.shelf()[FIRST] == (PRICE, STOCK)
        stage.vtex_tap.heal()
        await stage.settle(HOUR)
        assert "Neu" in stage.market.listings[FIRST].content["title"]


@virtual
async def test_retry_after_of_vtex_is_kept():
    async with staged() as stage:
        slow = answers(json_response({}, 429, {"retry-after": "900"}))
        stage.vtex_tap.before = times(1, "vtex.simulation", slow)
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(250)
        reads = stage.vtex_tap.count("vtex.simulation")
        await stage.settle(250)
        await stage.settle(250)
        assert stage.vtex_tap.count("vtex.simulation") == reads
        await stage.settle(250)
        assert stage.shelf()[FIRST] == (9_000, STOCK)


# --- what is read, and what is not ----------------------------------------------------------------


@virtual
async def test_a_price_change_does_not_read_the_catalog_again():
    async with staged() as stage:
        reads = stage.vtex_tap.count("vtex.sku-read")
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(10)
        assert stage.vtex_tap.count("vtex.sku-read") == reads


@virtual
async def test_what_the_catalog_rules_out_is_not_simulated():
    async with staged() as stage:
        stage.vtex.set_active(FIRST, active=False)
        await stage.settle(2)
        simulations = stage.vtex_tap.count("vtex.simulation")
        stage.vtex.edit_content(FIRST, name="Neu")
        await stage.settle(5)
        assert stage.vtex_tap.count("vtex.simulation") == simulations


@virtual
async def test_removed_from_its_last_trade_policy_it_is_blocked():
    async with staged() as stage:
        stage.vtex.catalog.skus[int(FIRST)].policies = {2}
        stage.vtex.set_trade_policy(FIRST, 2, member=False)
        await stage.settle(10)
        assert stage.shelf()[FIRST][1] == 0
        assert stage.market.listings[FIRST].blocked


@virtual
async def test_many_changes_are_simulated_in_few_calls():
    async with staged(40) as stage:
        before = stage.vtex_tap.count("vtex.simulation")
        await stage.kill()
        await stage.settle(1)
        await stage.start()
        for sku in stage.vtex.catalog.skus:
            stage.vtex.set_price(sku, 9_000)
        await stage.settle(10)
        assert set(stage.shelf().values()) == {(9_000, STOCK)}
        assert stage.vtex_tap.count("vtex.simulation") - before <= 15
