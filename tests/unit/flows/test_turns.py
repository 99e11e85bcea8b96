"""Workers: leases, poisonous keys, lost bells, and stores that are away."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

import pytest

from connector.domain.connection import ConnectionState
from connector.domain.http import json_response
from connector.domain.pending import Context, Mark
from connector.drivers.memory_broker import MemoryBroker
from connector.drivers.metrics import NoMetrics
from connector.flows import turns
from connector.flows.documents import Saved, load_connection, put_connection
from connector.flows.hub import Hub
from connector.flows.turns import Workers, serves
from connector.ports import StoreUnavailable, Turn
from tests.unit.flows.stage import (
    FIRST,
    PRICE,
    STOCK,
    Stage,
    answers,
    staged,
    times,
    virtual,
)


@pytest.mark.parametrize(
    ("state", "served"),
    [
        (ConnectionState.ACTIVE, {"listings", "orders", "upkeep"}),
        (ConnectionState.PAUSED, {"orders", "upkeep"}),
        (ConnectionState.DISABLED, {"listings", "orders", "upkeep"}),
        (ConnectionState.REMOVED, set()),
    ],
)
@virtual
async def test_what_is_worked_on_in_each_state(state: ConnectionState, served: set[str]):
    async with staged(load=False) as stage:
        connection = stage.joined.model_copy(update={"state": state})
        assert {str(context) for context in Context if serves(connection, context)} == served


@virtual
async def test_queues_are_one_per_context_and_adapter():
    async with staged(load=False) as stage:
        assert set(Workers(stage.up).queues) == {"listings.demo", "orders.demo", "upkeep.demo"}
        assert Workers(stage.up, ["other"]).queues[0].endswith(".other")


@pytest.mark.parametrize(("batch", "much"), [(2, True), (3, True), (5, True), (6, False)])
@virtual
async def test_a_turn_says_whether_it_had_much_to_do(batch: int, much: bool):
    async with staged(3) as stage:
        workers, now = Workers(stage.up), stage.clock.now()
        workers.hub = replace(stage.up, batch=batch, broker=MemoryBroker())
        turn = Turn(stage.joined.id, Context.LISTINGS, stage.joined.adapter)
        keys = list(map(str, stage.vtex.catalog.skus))
        await stage.store.commit([Mark(turn.connection, turn.context, key, now) for key in keys])
        assert await workers.turn(turn) is much
        left = [row for row in (await stage.rows(turn.context)).values() if row.due_at <= now]
        assert len(left) == max(0, 3 - batch)


@virtual
async def test_a_bell_that_nobody_heard_is_rung_again_by_the_sweep():
    async with staged() as stage:
        now = stage.clock.now()
        stage.vtex.set_price(FIRST, 9_000, silent=True)
        await stage.store.commit([Mark(stage.joined.id, Context.LISTINGS, FIRST, now)])
        await stage.clock.sleep(70)
        assert stage.shelf()[FIRST] == (9_000, STOCK)


@virtual
async def test_workers_of_one_adapter_leave_the_others_work_alone():
    async with staged(load=False) as stage:
        assert await Workers(stage.up, ["other"]).sweep() == 0


# --- leases ---------------------------------------------------------------------------------------


@virtual
async def test_a_long_turn_keeps_its_leases():
    """A marketplace that takes three minutes: nobody else takes the same keys meanwhile."""
    async with staged(load=False) as stage:

        async def slowly(request: Any) -> None:
            if request.operation == "listings.create":
                await stage.clock.sleep(180)

        stage.market_tap.before = slowly
        await stage.load()
        await stage.settle(280)
        assert stage.market_tap.count("listings.create") == 1
        assert len(stage.shelf()) == 3


async def _deaf(*_: Any, **__: Any) -> list[Any]:
    """A store's answer that comes in the moment of a cancellation, which it makes forget."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    return []


@virtual
async def test_a_turn_ends_though_the_end_of_its_leases_is_not_heard(
    monkeypatch: pytest.MonkeyPatch,
):
    async with staged(load=False) as stage:

        async def slowly(request: Any) -> None:
            if request.operation == "listings.create":
                await stage.clock.sleep(60)

        stage.market_tap.before = slowly
        monkeypatch.setattr(stage.store, "renew", _deaf)
        await stage.load()
        await stage.settle(100)
        stage.market_tap.heal()
        assert len(stage.shelf()) == 3
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(30)
        assert stage.shelf()[FIRST] == (9_000, STOCK)
        stop = asyncio.Event()
        running = asyncio.create_task(Workers(stage.up).run(stop, drain_s=20))
        monkeypatch.setattr(stage.store, "due", _deaf)
        await stage.clock.sleep(5)
        stop.set()
        await asyncio.wait_for(running, 60)


@virtual
async def test_two_hubs_share_the_work_and_do_nothing_twice():
    async with staged(60, load=False) as stage:
        second = Hub(
            store=stage.store,
            broker=MemoryBroker(),
            clock=stage.clock,
            vault=stage.vault,
            metrics=NoMetrics(),
            registry=stage.up.registry,
            peers=stage.up.peers,
            public_url=stage.up.public_url,
        )
        stop = asyncio.Event()
        other = asyncio.create_task(Workers(second).run(stop))
        await stage.load()
        stage.vtex.set_stock(FIRST, 3)
        for _ in range(3):
            stage.sell() if FIRST in stage.shelf() else None
            await stage.settle(30)
        stop.set()
        await other
        created = [one.history[0].kind for one in stage.market.listings.values()]
        assert created == ["created"] * 60
        kinds = [change.kind for one in stage.market.listings.values() for change in one.history]
        assert "created-again" not in kinds
        assert stage.vtex.doubled_orders() == {}


# --- trouble --------------------------------------------------------------------------------------


async def _pending(stage: Stage, key: str = FIRST) -> Any:
    return (await stage.rows(Context.LISTINGS))[key]


@virtual
async def test_what_the_whole_batch_needs_and_cannot_be_read_is_nobodys_fault():
    async with staged() as stage:
        saved = await stage.fresh()
        known = await load_connection(stage.store, saved.id)
        assert known is not None
        blank = known.value.model_copy(update={"currency": ""})
        await stage.store.commit([put_connection(Saved(blank, known.version), blank)])
        await stage.settle(3)
        away = answers(json_response({}, 503))
        stage.vtex_tap.before = times(None, "vtex.sales-channel-read", away)
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(30)
        row = await _pending(stage)
        assert row.attempts >= 1
        stage.vtex_tap.heal()
        await stage.settle(300)
        assert stage.shelf()[FIRST] == (9_000, STOCK)


@virtual
async def test_a_store_that_is_away_for_a_while_costs_nothing(monkeypatch: pytest.MonkeyPatch):
    async with staged() as stage:
        commit, away = stage.store.commit, True

        async def sometimes(writes: Any) -> None:
            if away and any(type(write).__name__ == "Settle" for write in writes):
                raise StoreUnavailable("disk full")
            await commit(writes)

        monkeypatch.setattr(stage.store, "commit", sometimes)
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(10)
        away = False
        await stage.settle(150)
        assert stage.shelf()[FIRST] == (9_000, STOCK)
        listing = await stage.listing()
        assert listing.confirmed is not None
        assert (listing.intent, listing.confirmed.price_minor) == (None, 9_000)


@virtual
async def test_an_adapter_that_is_gone_is_told_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
):
    async with staged() as stage:
        peers = stage.up.peers

        class Gone:
            def of(self, connection: Any, context: Any) -> Any:
                raise LookupError("adapter demo is not installed")

        stage.up.peers = Gone()
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(10)
        assert "adapter demo is not installed" in (await _pending(stage)).reasons[0]
        stage.up.peers = peers
        await stage.settle(120)
        assert stage.shelf()[FIRST] == (9_000, STOCK)


@virtual
async def test_a_mistake_of_ours_names_a_place_and_no_data(monkeypatch: pytest.MonkeyPatch):
    async with staged() as stage:

        async def broken(*_: Any) -> None:
            raise RuntimeError("52998224725 zoe@example.com")

        monkeypatch.setitem(turns.TURNS, Context.LISTINGS, broken)
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(5)
        (reason,) = (await _pending(stage)).reasons
        assert "RuntimeError at test_turns.py" in reason
        assert "zoe@example.com" not in reason
        assert "52998224725" not in reason


@virtual
async def test_a_turn_of_a_connection_nobody_knows_does_nothing():
    async with staged(load=False) as stage:
        await Workers(stage.up).turn(Turn("nobody", Context.LISTINGS, "demo"))
        assert stage.shelf() == {}


@virtual
async def test_a_ledger_that_is_away_is_counted_by_turns_and_sweepers(
    monkeypatch: pytest.MonkeyPatch,
):
    async def away(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("away")

    async with staged(load=False) as stage:
        hub = stage.up
        await stage.kill()
        counted: set[str] = set()

        class Told(NoMetrics):
            def count(self, name: str, value: float = 1, **labels: str) -> None:
                if name == "store_unavailable_total":
                    counted.add(labels["context"])

        monkeypatch.setattr(hub, "metrics", Told())
        monkeypatch.setattr(stage.store, "claim", away)
        monkeypatch.setattr(stage.store, "due", away)
        await Workers(hub).turn(Turn(stage.joined.id, Context.ORDERS, "demo"))
        assert counted == {"orders"}
        sweeping = asyncio.create_task(Workers(hub).sweep_until(asyncio.Event()))
        await stage.clock.sleep(5)
        sweeping.cancel()
        assert counted == {"orders", "sweep"}


@virtual
async def test_stopping_finishes_what_was_begun():
    async with staged(load=False) as stage:
        await stage.kill()
        await stage.start()
        hub = stage.up
        await stage.kill()
        stop = asyncio.Event()
        stage.hub = hub = Hub(
            store=stage.store,
            broker=MemoryBroker(),
            clock=stage.clock,
            vault=stage.vault,
            metrics=NoMetrics(),
            registry=hub.registry,
            peers=hub.peers,
            public_url=hub.public_url,
        )
        running = asyncio.create_task(Workers(hub).run(stop, drain_s=20))

        async def slowly(request: Any) -> None:
            if request.operation == "listings.create":
                await stage.clock.sleep(5)

        stage.market_tap.before = slowly
        await stage.load()
        while stage.market_tap.count("listings.create") == 0:
            await stage.clock.sleep(0.1)
        stop.set()
        await running
        assert (await stage.listing()).intent is None
        assert stage.shelf()[FIRST] == (PRICE, STOCK)


@virtual
async def test_a_sweeper_that_crashes_is_not_silence(monkeypatch: pytest.MonkeyPatch):
    async with staged(load=False) as stage:

        async def broken(now: Any, **_: Any) -> Any:
            raise RuntimeError("the sweep broke")

        hub = stage.up
        await stage.kill()
        monkeypatch.setattr(stage.store, "due", broken)
        with pytest.raises(RuntimeError, match="the sweep broke"):
            await asyncio.wait_for(Workers(hub).run(asyncio.Event(), drain_s=1), 60)


@virtual
async def test_urgent_work_is_claimed_first():
    async with staged(60) as stage:
        await stage.kill()
        for sku in stage.vtex.catalog.skus:
            stage.vtex.set_price(sku, 9_000, silent=True)
        await stage.start()
        stage.up.batch = 5
        await stage.load()
        stage.vtex.set_active("1060", active=False)
        await stage.settle(3)
        assert stage.shelf()["1060"][1] == 0
        await stage.settle(60)
        assert all(price == 9_000 for sku, (price, _) in stage.shelf().items() if sku != "1060")
