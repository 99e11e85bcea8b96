"""Keys that stand for another order: one order in VTEX, whatever its parts are called."""

from __future__ import annotations

from typing import Any

import pytest

from connector.domain.marketorder import MarketOrder
from connector.domain.order import OrderState, Placement
from connector.domain.pending import Context
from connector.flows import callbacks
from connector.flows.documents import load_orders
from connector.flows.erasure import erase_all_orders
from connector.flows.intake import save_order_keys
from tests.unit.flows.stage import (
    DAY,
    FIRST,
    HOUR,
    Stage,
    lost,
    staged,
    times,
    unreachable,
    virtual,
)

INVOICE = b"""{"type": "Output", "invoiceNumber": "NF-1", "invoiceValue": 10000,
 "issuanceDate": "2026-01-05T10:00:00Z",
 "items": [{"id": "1001", "price": 10000, "quantity": 1}]}"""


class Packs:
    """Has the adapter answer for a part with the whole, as packs do."""

    def __init__(self, stage: Stage) -> None:
        adapter = stage.up.peers.of(stage.joined, Context.ORDERS).adapter
        self.stage, self._read = stage, adapter.order
        self.into: dict[str, str] = {}
        self.incomplete: set[str] = set()
        self.tell_members = True
        adapter.order = self.order

    async def order(self, key: str) -> MarketOrder | None:
        whole = self.into.get(key, key)
        market: MarketOrder | None = await self._read(whole)
        if market is None:
            return None
        members = [part for part, pack in self.into.items() if pack == whole]
        update: dict[str, Any] = {"members": tuple(members) if self.tell_members else ()}
        if market.key in self.incomplete:
            update["complete"] = False
        return market.model_copy(update=update)

    def merge(self, whole: str, *parts: str) -> None:
        self.into.update(dict.fromkeys(parts, whole))


async def told(stage: Stage, *keys: str) -> None:
    """The marketplace's webhook names these."""
    await save_order_keys(stage.up, stage.joined, keys)


async def known(stage: Stage, *refs: str) -> set[str]:
    return set(await load_orders(stage.store, stage.joined.id, refs))


def placed(stage: Stage) -> dict[str, int]:
    """How often VTEX was given each order."""
    return {order_id.removeprefix("DMM-"): n for order_id, n in stage.vtex.created.items()}


# --- parts that were never orders by themselves ---------------------------------------------------


@virtual
async def test_a_part_is_forgotten_and_the_whole_is_placed_once():
    async with staged() as stage:
        packs = Packs(stage)
        whole = stage.sell()
        packs.merge(whole, "part-1", "part-2")
        for _ in range(3):
            await told(stage, "part-1", "part-2", whole)
            await stage.settle(20)
        assert placed(stage) == {whole: 1}
        assert await known(stage, "part-1", "part-2", whole) == {whole}
        assert set(await stage.rows(Context.ORDERS)) == {whole}
        assert await stage.parked(Context.ORDERS) == {}


@virtual
async def test_a_whole_that_is_not_complete_yet_is_waited_for():
    async with staged() as stage:
        packs = Packs(stage)
        whole = stage.sell()
        packs.incomplete.add(whole)
        packs.merge(whole, "part-1")
        await told(stage, "part-1")
        await stage.settle(30)
        assert placed(stage) == {}
        assert await known(stage, "part-1", whole) == {whole}
        packs.incomplete.clear()
        packs.merge(whole, "part-2")
        await told(stage, "part-2")
        await stage.settle(30)
        assert placed(stage) == {whole: 1}


@virtual
async def test_a_key_that_is_not_safe_in_urls_is_followed_as_well():
    async with staged() as stage:
        packs = Packs(stage)
        whole = stage.sell()
        packs.merge(whole, "/orders/1?x")
        await told(stage, "/orders/1?x")
        await stage.settle(60)
        assert placed(stage) == {whole: 1}
        assert set(await stage.rows(Context.ORDERS)) == {whole}


@virtual
async def test_what_was_told_about_a_part_is_told_about_the_whole():
    async with staged() as stage:
        packs = Packs(stage)
        whole = stage.sell()
        packs.merge(whole, "part-1")
        await stage.settle(240)
        await callbacks.take_invoice(stage.up, stage.joined, "part-1", INVOICE)
        await callbacks.take_change(stage.up, stage.joined, "part-1", b'{"reason": "no change"}')
        await stage.settle(30)
        order = await stage.order(whole)
        assert [parcel.invoice.number for parcel in order.parcels] == ["NF-1"]
        assert any(task.id.startswith("change-") for task in order.tasks)
        assert order.aliases == ("part-1",)
        assert await known(stage, "part-1") == set()
        await erase_all_orders(stage.up, stage.joined)
        assert await stage.store.facts(stage.joined.id, "part-1") == []
        assert await stage.store.facts(stage.joined.id, whole) == []


# --- parts that were orders by themselves ---------------------------------------------------------


@virtual
async def test_orders_seen_before_they_were_merged_are_placed_as_one():
    async with staged() as stage:
        packs = Packs(stage)
        first, second = stage.sell(2), stage.sell(3)
        packs.incomplete |= {first, second}
        await stage.settle(30)
        assert await stage.store.held("simstore", [FIRST]) == {FIRST: 5}
        whole = stage.sell(5)
        packs.merge(whole, first, second)
        await told(stage, first, second)
        await stage.settle(20)
        assert await known(stage, first, second, whole) == {whole}
        assert placed(stage) == {whole: 1}
        assert await stage.store.held("simstore", [FIRST]) == {FIRST: 5}
        await stage.settle(HOUR)
        assert await stage.store.held("simstore", [FIRST]) == {}


@pytest.mark.parametrize("tell_members", [True, False])
@virtual
async def test_a_part_that_vtex_has_keeps_the_whole_from_being_placed_beside_it(tell_members):
    async with staged() as stage:
        packs = Packs(stage)
        packs.tell_members = tell_members
        part = stage.sell()
        await stage.settle(60)
        assert placed(stage) == {part: 1}
        whole = stage.sell(2)
        packs.merge(whole, part)
        if not tell_members:
            packs.incomplete.add(whole)
        await told(stage, part)
        await stage.settle(60)
        packs.incomplete.clear()
        await told(stage, whole)
        await stage.settle(HOUR)
        assert placed(stage) == {part: 1}
        for ref in (part, whole):
            assert "merged" in [task.id for task in (await stage.order(ref)).tasks]
        assert (await stage.order(whole)).rivals == (part,)
        assert (await stage.order(part)).merged_into == whole


@virtual
async def test_a_part_that_vtex_has_is_known_to_the_whole_before_anybody_looked_at_it_again():
    async with staged() as stage:
        packs = Packs(stage)
        part = stage.sell()
        await stage.settle(60)
        whole = stage.sell(2)
        packs.merge(whole, part)
        await stage.settle(60)  # the whole's webhook alone
        assert placed(stage) == {part: 1}
        assert (await stage.order(whole)).rivals == (part,)


@virtual
async def test_once_the_part_is_cancelled_in_vtex_the_whole_is_placed_and_nothing_cancelled_there():
    async with staged() as stage:
        packs = Packs(stage)
        part = stage.sell()
        await stage.settle(240)
        whole = stage.sell(2)
        packs.merge(whole, part)
        await told(stage, part)
        await stage.settle(60)
        stage.vtex.cancel_order(f"DMM-{part}", "merged")
        await stage.settle(240)
        assert placed(stage) == {part: 1, whole: 1}
        assert stage.in_vtex(part).status == "canceled"
        assert stage.market.carts[part].status != "cancelled"
        assert stage.market.carts[whole].status != "cancelled"
        assert (await stage.order(part)).state is OrderState.CANCELLED
        assert (await stage.order(whole)).rivals == ()


@virtual
async def test_the_whole_cancelled_by_the_buyer_cancels_the_part_in_vtex():
    async with staged() as stage:
        packs = Packs(stage)
        part = stage.sell()
        await stage.settle(240)
        whole = stage.sell(2)
        packs.merge(whole, part)
        await told(stage, part)
        await stage.settle(60)
        stage.market.cancel_by_buyer(whole)
        await told(stage, part, whole)
        await stage.settle(HOUR)
        assert stage.in_vtex(part).status == "canceled"
        assert placed(stage) == {part: 1}
        assert (await stage.order(whole)).state is OrderState.CANCELLED


@virtual
async def test_a_part_whose_placement_nobody_answered_is_looked_up_before_the_whole_is_placed():
    async with staged() as stage:
        packs = Packs(stage)
        stage.vtex_tap.after = times(1, "vtex.order-place", lost)
        stage.vtex_tap.before = times(3, "vtex.order-read", unreachable)
        part = stage.sell()
        await stage.settle(1)
        assert (await stage.order(part)).placement is Placement.SENT
        whole = stage.sell(2)
        packs.merge(whole, part)
        await told(stage, part, whole)
        await stage.settle(HOUR)
        assert placed(stage) == {part: 1}
        assert (await stage.order(part)).placed


@virtual
async def test_a_part_that_never_arrived_in_vtex_is_forgotten_after_all():
    async with staged() as stage:
        packs = Packs(stage)
        stage.vtex_tap.before = times(1, "vtex.order-place", lost)
        part = stage.sell()
        await stage.settle(5)
        assert (await stage.order(part)).placement is Placement.SENT
        whole = stage.sell(2)
        packs.merge(whole, part)
        await told(stage, part, whole)
        await stage.settle(300)
        assert placed(stage) == {}
        await stage.settle(HOUR)
        assert placed(stage) == {whole: 1}
        assert await known(stage, part, whole) == {whole}
        assert await stage.parked(Context.ORDERS) == {}


@virtual
async def test_the_part_waits_for_vtex_to_be_reachable_before_anything_is_decided():
    async with staged() as stage:
        packs = Packs(stage)
        stage.vtex_tap.after = times(1, "vtex.order-place", lost)
        part = stage.sell()
        await stage.settle(5)
        stage.vtex_tap.before = times(None, "vtex.order-read", unreachable)
        whole = stage.sell(2)
        packs.merge(whole, part)
        await told(stage, part, whole)
        await stage.settle(HOUR)
        assert placed(stage) == {part: 1}
        stage.vtex_tap.heal()
        await stage.settle(DAY / 4)
        assert placed(stage) == {part: 1}
        assert (await stage.order(part)).placed
