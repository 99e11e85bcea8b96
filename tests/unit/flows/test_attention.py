"""What the marketplace wants a person to see to: told once, kept as a task, even after the end."""

from __future__ import annotations

import pytest

from connector.domain.entries import Status
from connector.domain.marketorder import MarketOrder
from connector.domain.order import OrderState
from connector.domain.pending import Context, Priority
from connector.flows.erasure import erase_all_orders
from connector.flows.intake import save_order_keys
from connector.flows.views import order_rows
from connector.sdk import NotSent, Rejected, RetryLater
from tests.unit.flows.stage import HOUR, Stage, staged, virtual

CLAIM, REFUND = "the buyer opened a claim: product differs", "10.00 were refunded in part"


class Attention:
    """Has the adapter add what a person must see to."""

    def __init__(self, stage: Stage) -> None:
        adapter = stage.up.peers.of(stage.joined, Context.ORDERS).adapter
        self._read, self.texts, self.reads = adapter.order, list[str](), 0
        self.trouble: Exception | None = None
        adapter.order = self.order

    async def order(self, key: str) -> MarketOrder | None:
        self.reads += 1
        if self.trouble is not None:
            raise self.trouble
        market: MarketOrder | None = await self._read(key)
        return market and market.model_copy(update={"attention": tuple(self.texts)})


async def told(stage: Stage, ref: str) -> list[str]:
    """What the log says of it, as warnings."""
    log = await stage.log(ref)
    texts = [entry.message for entry in log if entry.status is Status.WARNING]
    return [text for text in texts if CLAIM in text or REFUND in text]


async def tasks(stage: Stage, ref: str) -> list[str]:
    return [task.what for task in (await stage.order(ref)).tasks]


async def delivered(stage: Stage) -> str:
    ref = stage.sell()
    await stage.settle(240)
    invoice = stage.vtex.invoice_order(f"DMM-{ref}", tracking="second")
    await stage.settle(60)
    stage.vtex.send_tracking_event(f"DMM-{ref}", invoice.number, delivered=True)
    await stage.settle(60)
    assert (await stage.order(ref)).state is OrderState.DELIVERED
    return ref


@virtual
async def test_each_text_is_told_once_and_kept_as_a_task_while_the_order_goes_on():
    async with staged() as stage:
        attention = Attention(stage)
        attention.texts = [CLAIM, CLAIM, REFUND]
        ref = stage.sell()
        await stage.settle(240)
        await save_order_keys(stage.up, stage.joined, [ref])
        await stage.settle(60)
        assert await tasks(stage, ref) == [CLAIM, REFUND]
        assert len(await told(stage, ref)) == 2
        assert stage.in_vtex(ref).status == "ready-for-handling"
        (row,) = await order_rows(stage.up, stage.joined.id)
        assert row["tasks"] == [CLAIM, REFUND]


@virtual
async def test_a_claim_after_the_end_is_put_before_a_person_and_the_order_stays_ended():
    async with staged() as stage:
        attention = Attention(stage)
        ref = await delivered(stage)
        attention.texts = [CLAIM]
        for _ in range(3):
            await save_order_keys(stage.up, stage.joined, [ref])
            await stage.settle(30)
        assert await tasks(stage, ref) == [CLAIM]
        assert len(await told(stage, ref)) == 1
        order = await stage.order(ref)
        assert order.state is OrderState.DELIVERED
        assert ref not in await stage.rows(Context.ORDERS)


@pytest.mark.parametrize("trouble", [RetryLater("away"), Rejected(["too old"]), NotSent("away")])
@virtual
async def test_an_ended_order_that_cannot_be_read_bothers_nobody(trouble: Exception):
    async with staged() as stage:
        attention = Attention(stage)
        ref = await delivered(stage)
        attention.trouble = trouble
        await save_order_keys(stage.up, stage.joined, [ref])
        await stage.settle(HOUR)
        assert ref not in await stage.rows(Context.ORDERS)
        assert await stage.parked(Context.ORDERS) == {}
        assert (await stage.order(ref)).state is OrderState.DELIVERED
        assert not [entry for entry in await stage.log(ref) if entry.code == "L"]


@virtual
async def test_a_poll_that_repeats_itself_does_not_read_ended_orders_all_the_time():
    async with staged() as stage:
        attention = Attention(stage)
        ref = await delivered(stage)
        before = attention.reads
        for _ in range(20):
            await save_order_keys(stage.up, stage.joined, [ref], known_priority=Priority.CHANGE)
            await stage.settle(60)
        assert 1 <= attention.reads - before <= 3


@virtual
async def test_nothing_personal_comes_back_after_it_was_erased():
    async with staged() as stage:
        attention = Attention(stage)
        ref = await delivered(stage)
        await erase_all_orders(stage.up, stage.joined)
        attention.texts = [CLAIM]
        await stage.settle(HOUR)
        await save_order_keys(stage.up, stage.joined, [ref])
        await stage.settle(30)
        order = await stage.order(ref)
        assert await tasks(stage, ref) == [CLAIM]
        assert order.market is not None
        assert (order.erased, order.market.buyer.email) == (True, "")
