"""Personal data is erased when its time is over; what happened stays, to nobody."""

from __future__ import annotations

import pytest

from connector.domain.marketorder import Address, Buyer, TrackingHint
from connector.domain.order import (
    Cancellation,
    CancelSide,
    Order,
    OrderState,
    Step,
    Task,
)
from connector.flows.erasure import without_person
from connector.flows.intake import save_order_keys
from tests.unit.domain.build import NOW, invoice, market_order, parcel, placed, tracking
from tests.unit.flows.stage import DAY, Stage, staged, virtual

PERSONAL = (
    "Zoë", "Ávila", "zoe@example.com", "+5511999990000", "52998224725", "Rua São João",
    "apto 4", "01035-000", "Centro", "São Paulo", "-46.638",
)  # fmt: skip


def _order() -> Order:
    """An order that says who bought wherever it can."""
    buyer = Buyer(first_name="Zoë", last_name="Ávila", email="zoe@example.com",
                  phone="+5511999990000", document="52998224725")  # fmt: skip
    address = Address(
        receiver="Zoë Ávila", street="Rua São João", number="10", complement="apto 4",
        neighborhood="Centro", city="São Paulo", state="SP", country="BRA",
        postal_code="01035-000", longitude=-46.638, latitude=-23.543,
    )  # fmt: skip
    return placed(
        market=market_order(
            buyer=buyer,
            address=address,
            cancel_reason="Zoë changed her mind",
            tracking_hints=(TrackingHint(tracking_id="1", courier="X", label="zoe@example.com"),),
        ),
        parcels=(
            parcel(
                invoice=invoice(url="https://nf.example/?to=zoe@example.com", xml="<dest>Zoë"),
                has_xml=True,
                tracking=tracking(url="https://t.example/"),
                sent=Step.DONE,
            ),
        ),
        cancellation=Cancellation(by=CancelSide.SELLER, reason="Zoë asked", asked_at=NOW),
        tasks=(Task(id="t", what="look", why="52998224725 is no document", since=NOW),),
        reasons=("the e-mail zoe@example.com is not valid",),
        divergence="Zoë Ávila paid more",
    )


def test_nothing_is_left_that_tells_who_bought():
    text = without_person(_order()).model_dump_json()
    assert [value for value in PERSONAL if value in text] == []


def test_what_happened_stays():
    before, after = _order(), without_person(_order())
    assert after.erased
    assert after.market is not None
    assert before.market is not None
    assert after.market.lines == before.market.lines
    assert after.market.total_minor == before.market.total_minor
    assert after.market.address.country == "BRA"
    assert (after.ref, after.vtex_order_id) == (before.ref, before.vtex_order_id)
    assert after.parcels[0].invoice.number == before.parcels[0].invoice.number
    assert after.parcels[0].sent is Step.DONE
    assert [task.id for task in after.tasks] == ["t"]


def test_erasing_twice_changes_nothing():
    once = without_person(_order())
    assert without_person(once) == once


def test_an_order_that_was_never_read_can_be_erased():
    assert without_person(placed(market=None)).erased


_QUIET = {
    "poll_s": 6 * 3_600,
    "watch_s": 6 * 3_600,
    "relist_s": 30 * DAY,
    "recheck_s": 30 * DAY,
    "best_seller_recheck_s": 30 * DAY,
}


async def _delivered(stage: Stage) -> str:
    ref = stage.sell(2)
    await stage.settle(240)
    made = stage.vtex.invoice_order(f"DMM-{ref}", tracking="same", embedded=True)
    await stage.settle(60)
    stage.vtex.send_tracking_event(f"DMM-{ref}", made.number, delivered=True)
    await stage.settle(60)
    assert (await stage.order(ref)).state is OrderState.DELIVERED
    return ref


async def _everything(stage: Stage, ref: str) -> str:
    order = (await stage.order(ref)).model_dump_json()
    facts = [fact.body for fact in await stage.store.facts(stage.joined.id, ref)]
    told = [entry.model_dump_json() for entry in await stage.log(ref)]
    return "\n".join([order, *facts, *told])


@virtual
async def test_it_is_erased_the_configured_days_after_its_end_and_not_before():
    async with staged(rules=_QUIET | {"personal_data_days": 2}) as stage:
        ref = await _delivered(stage)
        assert "zoe@example.com" in await _everything(stage, ref)
        await stage.settle(1.7 * DAY)
        assert not (await stage.order(ref)).erased
        await stage.settle(1.7 * DAY)
        assert (await stage.order(ref)).erased
        text = await _everything(stage, ref)
        assert [value for value in ("zoe@example.com", "52998224725", "Rua São João")
                if value in text] == []  # fmt: skip
        assert await stage.store.facts(stage.joined.id, ref) == []


@virtual
async def test_an_open_order_keeps_what_it_needs():
    async with staged(rules=_QUIET | {"personal_data_days": 0}) as stage:
        ref = stage.sell(2)
        await stage.settle(3 * DAY)
        order = await stage.order(ref)
        assert not order.erased
        assert order.market is not None
        assert order.market.buyer.email == "zoe@example.com"


@virtual
async def test_what_is_mentioned_after_it_was_erased_stays_erased():
    async with staged(rules=_QUIET | {"personal_data_days": 1}) as stage:
        ref = await _delivered(stage)
        await stage.settle(3 * DAY)
        assert (await stage.order(ref)).erased
        await save_order_keys(stage.up, stage.joined, [ref])
        await stage.settle(60)
        assert "zoe@example.com" not in await _everything(stage, ref)
        assert stage.vtex.created == {f"DMM-{ref}": 1}


@pytest.mark.parametrize("kind", ["cancelled", "delivered"])
@virtual
async def test_logs_never_say_who_bought(kind: str):
    async with staged() as stage:
        if kind == "delivered":
            ref = await _delivered(stage)
        else:
            ref = stage.sell(2)
            await stage.settle(60)
            stage.market.cancel_by_buyer(ref, reason="zoe@example.com does not want it")
            await stage.settle(120)
        text = "\n".join(entry.model_dump_json() for entry in await stage.log())
        assert [value for value in PERSONAL if value in text] == []
