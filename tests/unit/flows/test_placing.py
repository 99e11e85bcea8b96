"""Placing an order in VTEX: exactly once, whatever is lost, doubled or late; or not, and why."""

from __future__ import annotations

import json

import pytest

from connector.domain.connection import Purpose, Rules, Sla
from connector.domain.http import Request, Response, json_response
from connector.domain.order import OrderState, Placement
from connector.domain.order_facts import FactKind, ResultTold
from connector.domain.pending import Context
from connector.flows import callbacks
from connector.flows.callbacks import _fact
from connector.flows.intake import order_mark, save_order_keys
from connector.flows.parked import retry_parked
from connector.flows.placing import choose_sla, fitting_slas
from connector.flows.secrets import reveal
from connector.sandbox.vtexsim.settings import DivergenceRule
from connector.vtex.orders import parse_envelope
from connector.vtex.simulation import SimulatedItem
from connector.vtex.simulation import Sla as Option
from tests.unit.domain.build import market_order
from tests.unit.flows.stage import (
    DAY,
    FIRST,
    HOUR,
    PRICE,
    Stage,
    answers,
    lost,
    staged,
    times,
    unreachable,
    virtual,
)

APIS = pytest.mark.parametrize("order_api", ["integration", "classic"])


# --- exactly once ---------------------------------------------------------------------------------

# Every way in which the news of an order, or of its placement, can be mistold.
_TROUBLES = {
    "doubled and late webhooks": ({}, {"webhook_duplicate": 1.0, "webhook_late": 0.7}),
    "lost webhooks": ({}, {"webhook_loss": 1.0}),
    "lost results": ({"processing_loss": 1.0}, {}),
    "doubled results": ({"processing_duplicate": 1.0}, {}),
    "results that come late": ({"processing_tell_delay_s": 1_500.0}, {}),
    "slow processing": ({"processing_delay_s": 700.0}, {}),
    "an error after it was created": ({"error_after_create": 1.0}, {}),
    "instability": ({"processing_instability": 0.7}, {}),
    "time-outs": ({"processing_timeout": 0.8}, {}),
}


@pytest.mark.parametrize("trouble", _TROUBLES)
@APIS
@virtual
async def test_exactly_one_order_in_vtex_whatever_goes_wrong(order_api: str, trouble: str):
    vtex, market = _TROUBLES[trouble]
    async with staged(order_api=order_api, vtex=vtex, market=market) as stage:
        refs = [stage.sell(1, sku) for sku in ("1001", "1002", "1003")]
        await stage.settle(0.9 * HOUR)
        stage.vtex.settings.processing_timeout = stage.vtex.settings.processing_instability = 0.0
        await stage.settle(3.1 * HOUR)
        assert stage.vtex.created == {f"DMM-{ref}": 1 for ref in refs}
        assert stage.vtex.doubled_orders() == {}
        assert all(stage.in_vtex(ref).approved for ref in refs)


@pytest.mark.parametrize("answered", [1, 3])
@APIS
@virtual
async def test_lost_answers_to_placing_make_no_second_order(order_api: str, answered: int):
    async with staged(order_api=order_api) as stage:
        stage.vtex_tap.after = times(answered, "vtex.order-place", lost)
        ref = stage.sell(2)
        await stage.settle(2 * HOUR)
        assert stage.vtex.created == {f"DMM-{ref}": 1}
        assert stage.in_vtex(ref).approved


@APIS
@virtual
async def test_a_call_that_never_left_is_made_again_soon(order_api: str):
    async with staged(order_api=order_api) as stage:
        stage.vtex_tap.before = times(2, "vtex.order-place", unreachable)
        ref = stage.sell()
        await stage.settle(200)
        assert stage.vtex.created == {f"DMM-{ref}": 1}


@virtual
async def test_an_order_mentioned_many_times_at_once_is_placed_once():
    async with staged() as stage:
        ref = stage.sell()
        for _ in range(30):
            await save_order_keys(stage.up, stage.joined, [ref, ref])
            await stage.settle(0.1)
        await stage.settle(60)
        assert stage.vtex_tap.count("vtex.order-place") == 1


@virtual
async def test_vtex_that_took_it_and_forgot_it_gets_it_again_after_a_quarter_of_an_hour():
    async with staged() as stage:
        queued = json_response({"success": True, "flow": "PlaceOrder", "code": "SOI003"})
        stage.vtex_tap.before = times(1, "vtex.order-place", answers(queued))
        ref = stage.sell()
        await stage.settle(800)
        assert stage.vtex_tap.count("vtex.order-place") == 1
        await stage.settle(400)
        assert stage.vtex_tap.count("vtex.order-place") == 2
        assert stage.vtex.created == {f"DMM-{ref}": 1}


@virtual
async def test_cancelled_after_vtex_timed_out_the_order_that_was_made_all_the_same_is_cancelled():
    """EOI010 leaves open whether it exists: half of those do."""
    async with staged(vtex={"processing_delay_s": 30.0}) as stage:
        real = stage.vtex._integrate

        def times_out(body: object, affiliate: object) -> tuple[str, list[object]]:
            real(body, affiliate)  # type: ignore[arg-type]
            return "EOI010", []

        stage.vtex._integrate = times_out  # type: ignore[assignment, method-assign]
        ref = stage.sell()
        await stage.settle(29)
        assert stage.there(ref) is None
        stage.market.cancel_by_buyer(ref)
        await stage.settle(5)
        assert stage.there(ref) is not None
        await stage.settle(2 * HOUR)
        assert stage.in_vtex(ref).status == "canceled"


@virtual
async def test_cancelled_right_after_the_time_out_was_told():
    async with staged(vtex={"processing_delay_s": 30.0}) as stage:
        real = stage.vtex._integrate

        def times_out(body: object, affiliate: object) -> tuple[str, list[object]]:
            real(body, affiliate)  # type: ignore[arg-type]
            return "EOI010", []

        stage.vtex._integrate = times_out  # type: ignore[assignment, method-assign]
        ref = stage.sell()
        while not await stage.store.facts(stage.joined.id, ref):
            await stage.settle(0.2)
        await stage.settle(1)
        stage.market.cancel_by_buyer(ref)
        await stage.settle(2 * HOUR)
        assert stage.in_vtex(ref).status == "canceled"


async def _tell(stage: Stage, ref: str, *codes: str) -> None:
    """Results of placing arrive, all at once."""
    results = [
        ResultTold(flow="PlaceOrder", success=code.startswith("S"), code=code) for code in codes
    ]
    facts = [
        _fact(stage.up, stage.joined, ref, FactKind.RESULT, told, unique=f"told-{at}")
        for at, told in enumerate(results)
    ]
    await stage.store.commit([*facts, order_mark(stage.up, stage.joined, ref)])


@pytest.mark.parametrize(
    "codes", [("EOI006", "SOI001"), ("EOI002", "SOI001"), ("SOI001", "EOI006")]
)
@virtual
async def test_results_that_arrive_together_end_in_what_vtex_shows(codes: tuple[str, ...]):
    """The failure of one attempt and the success of the next, in whatever order."""
    async with staged(vtex={"processing_loss": 1.0}) as stage:
        stage.vtex_tap.before = times(None, "vtex.order-read", unreachable)
        ref = stage.sell()
        await stage.settle(20)
        await _tell(stage, ref, *codes)
        await stage.settle(5)
        stage.vtex_tap.heal()
        await stage.settle(30 * 60)
        assert (await stage.order(ref)).placement is Placement.PLACED
        assert stage.vtex.created == {f"DMM-{ref}": 1}
        assert await stage.parked(Context.ORDERS) == {}


@virtual
async def test_a_success_that_vtex_own_order_does_not_confirm_is_not_believed():
    """Anybody who knows the URL could tell it; believing it would lose the order."""
    queued = json_response({"success": True, "flow": "PlaceOrder", "code": "SOI003"})
    async with staged() as stage:
        stage.vtex_tap.before = times(1, "vtex.order-place", answers(queued))
        ref = stage.sell()
        await stage.settle(20)
        await _tell(stage, ref, "SOI001")
        await stage.settle(60)
        assert (await stage.order(ref)).placement is not Placement.PLACED
        await stage.settle(40 * 60)
        assert stage.vtex.created == {f"DMM-{ref}": 1}
        assert stage.in_vtex(ref).approved


@virtual
async def test_a_late_failure_does_not_undo_what_is_placed():
    async with staged() as stage:
        ref = stage.sell()
        await stage.settle(60)
        await _tell(stage, ref, "EOI002")
        await stage.settle(60)
        assert (await stage.order(ref)).placement is Placement.PLACED
        assert await stage.parked(Context.ORDERS) == {}


# --- what VTEX gets -------------------------------------------------------------------------------


@APIS
@virtual
async def test_what_vtex_gets_is_what_was_sold(order_api: str):
    async with staged(order_api=order_api) as stage:
        ref = stage.sell(3, shipping_minor=990, discount_minor=100)
        await stage.settle(120)
        (call,) = stage.vtex_tap.of("vtex.order-place")
        text = call.body.decode()
        secret = reveal(stage.vault, stage.joined, Purpose.SERVICES)
        assert f"/vtex/v1/{stage.joined.id}/{secret}" in text
        order = stage.in_vtex(ref)
        assert order.value == 3 * PRICE + 990 - 100
        assert [(item.sku_id, item.quantity) for item in order.items] == [(FIRST, 3)]
        assert stage.happened("stock.reserved") == 1


@virtual
async def test_missing_data_is_filled_and_told():
    async with staged() as stage:
        ref = stage.sell(buyer={"first_name": "Zoë", "email": "zoe@example.com",
                                "document": "52998224725", "document_type": "cpf"})  # fmt: skip
        await stage.settle(120)
        assert stage.there(ref) is not None
        assert "H" in await stage.codes(ref)


@virtual
async def test_what_nobody_can_fill_in_is_told_all_at_once():
    async with staged() as stage:
        ref = stage.sell(buyer={"first_name": "Zoë"})
        await stage.settle(120)
        assert stage.vtex_tap.count("vtex.order-place") == 0
        (reasons,) = (await stage.parked(Context.ORDERS)).values()
        assert len(reasons) == 2
        assert "I" in await stage.codes(ref)


@virtual
async def test_amounts_that_do_not_add_up_are_never_placed():
    async with staged() as stage:

        async def wrong_total(request: Request) -> Response | None:
            if request.operation != "orders.read":
                return None
            body = (await stage.market_tap.pass_on(request)).json()
            body["orders"][0]["total"] = "1.23"
            return json_response(body)

        stage.market_tap.before = wrong_total
        ref = stage.sell()
        await stage.settle(60)
        assert stage.vtex_tap.count("vtex.order-place") == 0
        (reasons,) = (await stage.parked(Context.ORDERS)).values()
        assert "123" in reasons[0]
        assert "I" in await stage.codes(ref)


# --- what VTEX cannot take ------------------------------------------------------------------------


async def _sold_while_down(stage: Stage, **options: object) -> str:
    await stage.kill()
    return stage.sell(2, **options)


@pytest.mark.parametrize(("what", "code"), [("inactive", "F"), ("no stock", "D")])
@virtual
async def test_what_cannot_be_delivered_now_is_tried_again_and_placed_when_it_can(
    what: str, code: str
):
    async with staged() as stage:
        ref = await _sold_while_down(stage)
        if what == "inactive":
            stage.vtex.set_active(FIRST, active=False)
        else:
            stage.vtex.set_stock(FIRST, 0)
        await stage.start()
        await stage.settle(60)
        assert stage.vtex_tap.count("vtex.order-place") == 0
        assert code in await stage.codes(ref)
        assert (await stage.order(ref)).placement is Placement.REFUSED
        stage.vtex.set_active(FIRST, active=True)
        stage.vtex.set_stock(FIRST, 50)
        await stage.settle(2 * HOUR)
        assert stage.in_vtex(ref).approved


@virtual
async def test_what_stays_undeliverable_is_put_before_a_person():
    async with staged() as stage:
        ref = await _sold_while_down(stage)
        stage.vtex.set_stock(FIRST, 0)
        await stage.start()
        await stage.settle(6 * HOUR)
        (reasons,) = (await stage.parked(Context.ORDERS)).values()
        assert FIRST in reasons[0]
        assert (await stage.order(ref)).state is OrderState.PARKED


@virtual
async def test_all_problems_of_an_order_are_told_at_once():
    async with staged() as stage:
        await stage.kill()
        cart = stage.market.sell([("1001", 1), ("1002", 1)])
        stage.vtex.set_active("1001", active=False)
        stage.vtex.set_trade_policy("1002", 2, member=False)
        await stage.start()
        await stage.settle(30)
        told = [entry.message for entry in await stage.log(cart.cart_id) if entry.code == "F"]
        assert "1001 is inactive" in told[0]
        assert "1002 is not in the trade policy" in told[0]


@virtual
async def test_an_address_nobody_delivers_to_is_told():
    async with staged() as stage:
        address = {"postal_code": "99999-000", "country": "BRA", "street": "x", "city": "y"}
        ref = stage.sell(address=address)
        await stage.settle(30)
        assert stage.there(ref) is None
        assert "D" in await stage.codes(ref)


# --- price divergence -----------------------------------------------------------------------------


@APIS
@virtual
async def test_a_divergence_is_explained_and_placed_after_the_rule_was_made(order_api: str):
    async with staged(order_api=order_api, vtex={"divergence_rules": ()}) as stage:
        await stage.kill()
        ref = stage.sell(2)
        stage.vtex.set_price(FIRST, 15_000)
        await stage.start()
        await stage.settle(60)
        assert stage.there(ref) is None
        (reasons,) = (await stage.parked(Context.ORDERS)).values()
        for part in ("charged 200.00 BRL", "expects", "300.00 BRL", "price divergence rule"):
            assert part in reasons[0]
        assert (await stage.order(ref)).divergence
        stage.vtex.settings.divergence_rules = (DivergenceRule(0, 100, "authorize"),)
        await retry_parked(stage.up, stage.joined.id, key=ref)
        await stage.settle(240)
        assert stage.in_vtex(ref).approved
        assert (await stage.order(ref)).divergence == ""


@virtual
async def test_mentioning_a_refused_order_does_not_make_vtex_like_it_better():
    """However often somebody speaks of it, it is sent again by the ladder's steps at most."""
    async with staged(vtex={"divergence_rules": ()}) as stage:
        await stage.kill()
        ref = stage.sell(2)
        stage.vtex.set_price(FIRST, 15_000)
        await stage.start()
        await stage.settle(60)
        assert stage.vtex_tap.count("vtex.order-place") == 1
        for _ in range(60):
            await save_order_keys(stage.up, stage.joined, [ref])
            await stage.settle(5)
        assert stage.vtex_tap.count("vtex.order-place") <= 4
        rows = {**await stage.rows(Context.ORDERS), **await stage.rows(Context.ORDERS, parked=True)}
        assert "price divergence rule" in rows[ref].reasons[0]
        assert stage.there(ref) is None


@virtual
async def test_a_refused_order_the_buyer_cancels_has_ended():
    async with staged(vtex={"divergence_rules": ()}) as stage:
        await stage.kill()
        ref = stage.sell(2)
        stage.vtex.set_price(FIRST, 15_000)
        await stage.start()
        await stage.settle(60)
        stage.market.cancel_by_buyer(ref)
        await stage.settle(1_200)
        assert (await stage.order(ref)).state is OrderState.CANCELLED
        assert "Q" in await stage.codes(ref)
        assert await stage.parked(Context.ORDERS) == {}


@virtual
async def test_what_vtex_cancelled_before_is_put_before_a_person():
    async with staged() as stage:
        before = {"success": False, "flow": "PlaceOrder", "code": "EOI001", "errors": [
            {"source": "Fulfillment", "code": "FMT0060", "description": "cancelled"}]}  # fmt: skip
        stage.vtex_tap.before = times(None, "vtex.order-place", answers(json_response(before, 400)))
        ref = stage.sell()
        await stage.settle(60)
        order = await stage.order(ref)
        assert order.placement is Placement.CANCELLED_BEFORE
        assert [task.id for task in order.tasks] == ["cancelled-before"]
        assert "G" in await stage.codes(ref)
        await stage.settle(DAY)
        assert stage.vtex_tap.count("vtex.order-place") == 1


@virtual
async def test_an_unknown_refusal_becomes_a_task():
    async with staged() as stage:
        odd = json_response({"success": False, "flow": "PlaceOrder", "code": "EOI000"}, 400)
        stage.vtex_tap.before = times(None, "vtex.order-place", answers(odd))
        ref = stage.sell()
        await stage.settle(60)
        assert [task.id for task in (await stage.order(ref)).tasks] == ["placing"]
        assert ref in await stage.parked(Context.ORDERS)


@virtual
async def test_a_denied_key_is_told_and_the_order_placed_once_it_works():
    async with staged() as stage:
        stage.vtex.settings.forbidden = {"Place Orders"}
        ref = stage.sell()
        await stage.settle(120)
        row = (await stage.rows(Context.ORDERS))[ref]
        assert "connection check" in row.reasons[0]
        stage.vtex.settings.forbidden = set()
        await stage.settle(30 * 60)
        assert stage.in_vtex(ref).approved


@virtual
async def test_a_result_of_another_order_is_kept_apart():
    async with staged() as stage:
        ref = stage.sell()
        await stage.settle(60)
        body = json.dumps(
            {"accountName": "simstore", "success": False, "flow": "PlaceOrder", "code": "EOI002",
             "marketplaceOrderId": "C-999999", "operationId": "x"}
        ).encode()  # fmt: skip
        envelope = parse_envelope(body)
        assert envelope is not None
        await callbacks.take_result(stage.up, stage.joined, envelope)
        await stage.settle(60)
        assert (await stage.order(ref)).placement is Placement.PLACED


# --- choosing a delivery --------------------------------------------------------------------------


def _option(name: str, price: int, estimate: str, **more: object) -> Option:
    fields: dict[str, object] = {
        "id": name.lower(),
        "name": name,
        "price_minor": price,
        "estimate": estimate,
        "channel": "delivery",
        "lock_ttl": "10d",
    }
    return Option(**(fields | more))  # type: ignore[arg-type]


SLOW, FAST = _option("Slow", 500, "5bd"), _option("Fast", 900, "12h")


@pytest.mark.parametrize(
    ("rules", "bought", "expected"),
    [
        (Rules(), "", SLOW),
        (Rules(sla=Sla.FASTEST), "", FAST),
        (Rules(sla=Sla.NAMED, sla_name="Fast"), "", FAST),
        (Rules(sla=Sla.NAMED, sla_name="fast"), "", FAST),
        (Rules(sla=Sla.NAMED, sla_name="Drone"), "", None),
        (Rules(), "Fast", FAST),
        (Rules(sla=Sla.NAMED, sla_name="Drone"), "slow", SLOW),
        (Rules(), "Drone", SLOW),
    ],
)
def test_the_buyers_choice_goes_first_then_the_connections_rule(
    rules: Rules, bought: str, expected: Option | None
):
    assert choose_sla([SLOW, FAST], rules, bought) == expected


@pytest.mark.parametrize("sla", list(Sla))
def test_without_options_there_is_nothing_to_choose(sla: Sla):
    assert choose_sla([], Rules(sla=sla, sla_name="x"), "x") is None


def test_a_pickup_order_takes_its_own_point_and_no_delivery():
    here = _option("Here", 0, "0bd", channel="pickup-in-point", pickup_point_id="1_P01")
    other = _option("Other", 0, "0bd", channel="pickup-in-point", pickup_point_id="1_P02")
    item = SimulatedItem(sku=FIRST, requested=1, slas=(SLOW, other, here))
    sold = market_order(delivery="pickup")
    address = sold.address.model_copy(update={"pickup_point_id": "1_P01"})
    assert fitting_slas(item, sold.model_copy(update={"address": address})) == [here]
    assert fitting_slas(item, market_order()) == [SLOW]
