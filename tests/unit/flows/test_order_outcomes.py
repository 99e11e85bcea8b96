"""What an order's calls came to: saved with what follows, and kept where somebody interferes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from adapters.demo import DemoAdapter
from connector.domain.http import Request, Response
from connector.domain.marketorder import MarketOrder
from connector.domain.order import Step
from connector.domain.pending import Context
from connector.flows.documents import ORDER
from connector.ports import Put, Settle, Write
from tests.unit.flows.stage import Stage, staged, times, virtual


async def _ready(stage: Stage) -> str:
    ref = stage.sell(2)
    await stage.settle(240)
    assert stage.in_vtex(ref).status == "ready-for-handling"
    return ref


async def _sent(stage: Stage, ref: str) -> list[str]:
    return [entry.message for entry in await stage.log(ref) if "was sent to" in entry.message]


@virtual
async def test_an_outcome_is_saved_with_the_next_intent_or_the_settlement(
    monkeypatch: pytest.MonkeyPatch,
):
    async with staged() as stage:
        ref = await _ready(stage)
        units: list[tuple[str, ...]] = []
        commit = stage.up.store.commit

        async def counted(writes: Sequence[Write]) -> None:
            kinds = tuple(
                "order" if isinstance(write, Put) else "settled"
                for write in writes
                if (isinstance(write, Put) and write.document.kind == ORDER)
                or (isinstance(write, Settle) and write.claim.context is Context.ORDERS)
            )
            units.extend([kinds] if kinds else [])
            await commit(writes)

        monkeypatch.setattr(stage.up.store, "commit", counted)
        stage.vtex.invoice_order(f"DMM-{ref}", tracking="same")
        await stage.settle(20)
        # The intent to send the invoice, that to send its tracking, and the end of the look.
        assert units[:3] == [("order",), ("order",), ("settled", "order")]
        assert set(units[3:]) <= {("settled", "order")}  # looks that find nothing to do
        (parcel,) = (await stage.order(ref)).parcels
        assert (parcel.sent, parcel.tracking_step) == (Step.DONE, Step.DONE)


@virtual
async def test_who_lost_the_lease_meanwhile_still_saves_what_the_call_came_to():
    async with staged() as stage:
        ref = await _ready(stage)

        async def rob(_: Request) -> Response | None:
            later = stage.clock.now() + timedelta(days=1)
            robbed = await stage.up.store.claim(
                stage.joined.id,
                Context.ORDERS,
                limit=9,
                now=later,
                lease_until=stage.clock.now() + timedelta(seconds=30),
            )
            assert [claim.key for claim in robbed] == [ref]
            return None

        stage.market_tap.before = times(1, "orders.invoice", rob)
        stage.vtex.invoice_order(f"DMM-{ref}", number="NF-7", tracking="none")
        await stage.settle(300)
        assert stage.market_tap.count("orders.invoice") == 1
        assert [parcel.sent for parcel in (await stage.order(ref)).parcels] == [Step.DONE]
        assert await _sent(stage, ref) == ["invoice NF-7 was sent to the marketplace"]


@virtual
async def test_an_order_that_makes_the_hub_fail_takes_no_outcome_of_another_along(
    monkeypatch: pytest.MonkeyPatch,
):
    async with staged() as stage:
        bad, good = await _ready(stage), await _ready(stage)
        read = DemoAdapter.order

        async def poisoned(self: DemoAdapter, key: str) -> MarketOrder | None:
            if key == bad:
                raise ZeroDivisionError
            return await read(self, key)

        async def slow(_: Request) -> Response | None:
            await stage.clock.sleep(3)
            return None

        monkeypatch.setattr(DemoAdapter, "order", poisoned)
        stage.market_tap.before = times(None, "orders.invoice", slow)
        await stage.kill()
        stage.vtex.invoice_order(f"DMM-{bad}", number="NF-1", tracking="none")
        stage.vtex.invoice_order(f"DMM-{good}", number="NF-2", tracking="none")
        await stage.start()
        await stage.settle(240)
        assert "ZeroDivisionError" in (await stage.rows(Context.ORDERS))[bad].reasons[0]
        assert stage.market_tap.count("orders.invoice") == 1
        assert await _sent(stage, good) == ["invoice NF-2 was sent to the marketplace"]
        monkeypatch.undo()
        await stage.settle(900)
        assert await _sent(stage, bad) == ["invoice NF-1 was sent to the marketplace"]
