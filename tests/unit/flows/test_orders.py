"""An order's life over both sides: placed, paid, invoiced, shipped, cancelled, interrupted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.demo import DemoAdapter
from connector.domain.http import Request, Response, json_response
from connector.domain.marketorder import MarketOrder, MarketStatus
from connector.domain.order import OrderState, Placement, Step
from connector.domain.pending import Context
from connector.flows import callbacks
from connector.flows.documents import load_connection
from connector.flows.intake import save_order_keys
from connector.sandbox.vtexsim.settings import DivergenceRule
from tests.unit.flows.stage import (
    DAY,
    FIRST,
    HOUR,
    PRICE,
    Hook,
    Stage,
    answers,
    for_ever,
    lost,
    staged,
    times,
    virtual,
)

APIS = pytest.mark.parametrize("order_api", ["integration", "classic"])


async def _ready(stage: Stage, **options: object) -> str:
    """An order that VTEX has and the seller may invoice."""
    ref = stage.sell(2, **options)
    await stage.settle(240)
    assert stage.in_vtex(ref).status == "ready-for-handling"
    return ref


def _received(stage: Stage, ref: str) -> dict[str, dict[str, int]]:
    """How often each paper arrived on the marketplace."""
    cart = stage.market.carts[ref]
    kinds = {"invoice": cart.invoices, "tracking": cart.trackings, "delivery": cart.deliveries}
    return {
        kind: {number: got.arrivals for number, got in papers.items()}
        for kind, papers in kinds.items()
    }


def _tasks(order: object) -> list[str]:
    return [task.id for task in order.tasks]  # type: ignore[attr-defined]


# --- a good life ----------------------------------------------------------------------------------


@APIS
@virtual
async def test_an_order_from_sale_to_delivery(order_api: str):
    async with staged(order_api=order_api) as stage:
        ref = await _ready(stage, shipping_minor=990, discount_minor=101)
        assert stage.in_vtex(ref).value == stage.market.carts[ref].total_minor
        assert stage.market.carts[ref].accepted
        invoice = stage.vtex.invoice_order(f"DMM-{ref}", tracking="second")
        await stage.settle(60)
        stage.vtex.send_tracking_event(f"DMM-{ref}", invoice.number, delivered=True)
        await stage.settle(60)
        assert _received(stage, ref) == {
            "invoice": {invoice.number: 1},
            "tracking": {invoice.number: 1},
            "delivery": {invoice.number: 1},
        }
        order = await stage.order(ref)
        assert order.state is OrderState.DELIVERED
        assert ref not in await stage.rows(Context.ORDERS)
        assert stage.vtex.created == {f"DMM-{ref}": 1}
        assert order.tasks == ()


@APIS
@virtual
async def test_a_paid_order_is_authorized_within_half_a_minute(order_api: str):
    """Nothing else happens that would have the hub look at it."""
    async with staged(order_api=order_api) as stage:
        ref = stage.sell()
        await stage.settle(30)
        assert stage.in_vtex(ref).approved


@APIS
@virtual
async def test_an_unpaid_order_is_placed_at_once_and_authorized_when_it_is_paid(order_api: str):
    async with staged(order_api=order_api) as stage:
        ref = stage.sell(payment="later", pay_after_s=1_200)
        await stage.settle(600)
        assert not stage.in_vtex(ref).approved
        await stage.settle(1_300)
        assert stage.in_vtex(ref).approved
        assert (await stage.order(ref)).authorize is Step.DONE


@virtual
async def test_two_partial_invoices_are_two_parcels():
    async with staged() as stage:
        ref = await _ready(stage)
        one = stage.vtex.invoice_order(f"DMM-{ref}", quantities={FIRST: 1}, tracking="same")
        await stage.settle(60)
        two = stage.vtex.invoice_order(f"DMM-{ref}", tracking="by-number")
        await stage.settle(60)
        received = _received(stage, ref)
        assert received["invoice"] == {one.number: 1, two.number: 1}
        assert received["tracking"] == {one.number: 1, two.number: 1}
        cart = stage.market.carts[ref]
        values = [float(got.body["value"]) for got in cart.invoices.values()]
        assert round(sum(values) * 100) == cart.total_minor


@virtual
async def test_tracking_that_comes_before_its_invoice_follows_it():
    async with staged() as stage:
        ref = await _ready(stage)
        body = b'{"courier": "X", "trackingNumber": "BR1", "trackingUrl": ""}'
        await callbacks.take_tracking(stage.up, stage.joined, ref, "NF-7", body)
        await stage.settle(30)
        assert _received(stage, ref)["tracking"] == {}
        stage.vtex.invoice_order(f"DMM-{ref}", number="NF-7")
        await stage.settle(60)
        received = _received(stage, ref)
        assert (received["invoice"], received["tracking"]) == ({"NF-7": 1}, {"NF-7": 1})


@virtual
async def test_the_embedded_document_reaches_the_marketplace():
    async with staged() as stage:
        ref = await _ready(stage)
        number = stage.vtex.invoice_order(f"DMM-{ref}", embedded=True).number
        await stage.settle(60)
        assert "<nfeProc>" in stage.market.carts[ref].invoices[number].body["xml"]
        assert "<nfeProc>" not in (await stage.order(ref)).model_dump_json()


@virtual
async def test_corrected_tracking_is_handed_over_again():
    async with staged() as stage:
        ref = await _ready(stage)
        invoice = stage.vtex.invoice_order(f"DMM-{ref}", tracking="same")
        await stage.settle(60)
        invoice.tracking_number = "BR-NEW"
        stage.vtex.send_tracking(f"DMM-{ref}", invoice.number, by_number=True)
        await stage.settle(60)
        assert stage.market.carts[ref].trackings[invoice.number].body["number"] == "BR-NEW"


@virtual
async def test_callbacks_that_never_came_are_repaired_by_reading():
    """VTEX gave up calling: the watch finds the invoice in its order."""
    async with staged() as stage:
        ref = await _ready(stage)
        order = stage.in_vtex(ref)
        order.endpoint = "http://hub.test/nobody/there/at/all"
        stage.vtex.settings.callback_retries = 0
        async with _silence(stage):
            number = stage.vtex.invoice_order(f"DMM-{ref}", tracking="same").number
            await stage.settle(3 * HOUR)
        assert _received(stage, ref)["invoice"] == {number: 1}


@virtual
async def test_the_document_of_an_invoice_whose_tracking_came_first_is_kept_when_read():
    """Its parcel was known by tracking alone; the invoice itself is only ever read."""
    async with staged() as stage:
        ref = await _ready(stage)
        body = b'{"courier": "X", "trackingNumber": "BR1", "trackingUrl": ""}'
        await callbacks.take_tracking(stage.up, stage.joined, ref, "NF-7", body)
        await stage.settle(30)
        stage.vtex.settings.callback_retries = 0
        async with _silence(stage):
            stage.vtex.invoice_order(f"DMM-{ref}", number="NF-7", embedded=True)
            await stage.settle(3 * HOUR)
        assert "<nfeProc>" in stage.market.carts[ref].invoices["NF-7"].body["xml"]


class _silence:  # noqa: N801 - reads like a word
    """Nothing VTEX calls back arrives."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.send = stage, stage.vtex.outbound

    async def __aenter__(self) -> None:
        class Deaf:
            async def send(self, request: Request) -> Response:
                return json_response({}, 500)

        self.stage.vtex.outbound = Deaf()

    async def __aexit__(self, *_: object) -> None:
        self.stage.vtex.outbound = self.send


@virtual
async def test_a_cart_that_arrives_in_parts_is_placed_once_and_whole():
    async with staged() as stage:
        ref = stage.sell(4, orders=2, arrive_every_s=300)
        await stage.settle(200)
        assert stage.there(ref) is None
        assert (await stage.order(ref)).state is OrderState.WAITING
        await stage.settle(1_000)
        assert stage.in_vtex(ref).value == 4 * PRICE
        assert stage.vtex.created == {f"DMM-{ref}": 1}


@virtual
async def test_where_the_marketplace_wants_it_acceptance_comes_first():
    async with staged() as stage:
        ref = stage.sell(accept_first=True)
        await stage.settle(120)
        assert stage.market.carts[ref].accepted
        assert stage.in_vtex(ref).approved
        calls = [c.operation for c in [*stage.market_tap.calls] if c.operation.startswith("orders")]
        assert calls.count("orders.accept") == 1


@virtual
async def test_what_cannot_be_delivered_is_not_accepted():
    async with staged() as stage:
        await stage.kill()
        ref = stage.sell(accept_first=True)
        stage.vtex.set_active(FIRST, active=False, silent=True)
        await stage.start()
        await stage.settle(120)
        assert not stage.market.carts[ref].accepted


# --- the marketplace delivers ---------------------------------------------------------------------


@virtual
async def test_what_the_marketplaces_carrier_does_vtex_is_told():
    async with staged() as stage:
        ref = await _ready(stage, delivery="marketplace")
        assert stage.in_vtex(ref).is_fob
        stage.vtex.invoice_order(f"DMM-{ref}")
        await stage.settle(30)
        stage.market.ship_fob(ref)
        await stage.settle(30)
        stage.market.deliver_fob(ref)
        await stage.settle(60)
        told = stage.in_vtex(ref).hub_tracking
        assert any(f"DX{ref}" in str(row) for row in told)
        assert stage.in_vtex(ref).deliveries
        assert _received(stage, ref)["tracking"] == {}
        assert (await stage.order(ref)).state is OrderState.DELIVERED


# --- cancellations --------------------------------------------------------------------------------


@APIS
@virtual
async def test_cancelled_by_the_buyer_vtex_follows(order_api: str):
    async with staged(order_api=order_api) as stage:
        ref = await _ready(stage)
        stage.market.cancel_by_buyer(ref)
        await stage.settle(120)
        assert stage.in_vtex(ref).status == "canceled"
        order = await stage.order(ref)
        assert order.state is OrderState.CANCELLED
        assert stage.vtex_tap.count("vtex.order-cancel") == 1
        assert "C" in await stage.codes(ref)


@virtual
async def test_cancelled_before_it_was_placed_it_never_is():
    async with staged() as stage:
        await stage.kill()
        ref = stage.sell()
        stage.market.cancel_by_buyer(ref)
        await stage.start()
        await stage.settle(300)
        assert stage.there(ref) is None
        assert (await stage.order(ref)).state is OrderState.CANCELLED


@virtual
async def test_cancelled_after_the_invoice_the_goods_come_back_by_a_return_invoice_once():
    async with staged() as stage:
        ref = await _ready(stage)
        number = stage.vtex.invoice_order(f"DMM-{ref}").number
        await stage.settle(60)
        stage.market.cancel_by_buyer(ref)
        await stage.settle(120)
        returns = [i for i in stage.in_vtex(ref).invoices.values() if i.type == "Input"]
        assert [i.number for i in returns] == [f"{number}-R1"]
        assert returns[0].value == stage.in_vtex(ref).value
        assert (await stage.order(ref)).state is OrderState.CANCELLED
        await stage.settle(5 * HOUR)
        assert stage.vtex_tap.count("vtex.return-invoice") == 1


@virtual
async def test_cancellation_and_invoice_may_cross():
    """VTEX refuses to cancel what was invoiced a moment before: a return it is."""
    async with staged() as stage:
        ref = await _ready(stage)

        async def invoice_first(request: Request) -> Response | None:
            if request.operation == "vtex.order-cancel" and not stage.in_vtex(ref).invoices:
                stage.vtex.invoice_order(f"DMM-{ref}")
            return None

        stage.vtex_tap.before = invoice_first
        stage.market.cancel_by_buyer(ref)
        await stage.settle(600)
        kinds = sorted(i.type for i in stage.in_vtex(ref).invoices.values())
        assert kinds == ["Input", "Output"]
        assert (await stage.order(ref)).state is OrderState.CANCELLED


@virtual
async def test_an_order_invoiced_in_part_is_cancelled_by_a_person():
    async with staged() as stage:
        ref = await _ready(stage)
        stage.vtex.invoice_order(f"DMM-{ref}", quantities={FIRST: 1})
        await stage.settle(60)
        stage.market.cancel_by_buyer(ref)
        await stage.settle(120)
        order = await stage.order(ref)
        assert _tasks(order) == ["cancel-part-invoiced"]
        assert order.ended_at is None


@APIS
@virtual
async def test_cancelled_by_the_seller_the_marketplace_follows(order_api: str):
    async with staged(order_api=order_api) as stage:
        ref = await _ready(stage)
        stage.vtex.cancel_order(f"DMM-{ref}", "sem estoque")
        await stage.settle(120)
        cart = stage.market.carts[ref]
        assert (cart.status, cart.cancels, cart.cancelled_by) == ("cancelled", 1, "seller")
        assert cart.orders[0].cancel_reason == "sem estoque"
        assert stage.in_vtex(ref).status == "canceled"
        assert (await stage.order(ref)).state is OrderState.CANCELLED


@virtual
async def test_a_cancellation_that_nobody_called_about_is_found_in_vtex_own_order():
    async with staged() as stage:
        ref = await _ready(stage)
        async with _silence(stage):
            stage.vtex.cancel_order(f"DMM-{ref}", "sem estoque")
            await stage.settle(3 * HOUR)
        assert stage.market.carts[ref].status == "cancelled"


@virtual
async def test_a_cancellation_the_seller_has_still_to_decide_on_cancels_nothing_there():
    """VTEX's order is only asked about: the seller may decline, and the goods go out."""
    async with staged() as stage:
        ref = await _ready(stage)
        vtex = stage.in_vtex(ref)
        stage.vtex.set_status(vtex, "waiting-for-seller-decision")
        await stage.settle(3 * HOUR)
        assert stage.market.carts[ref].status == "paid"
        stage.vtex.set_status(vtex, "handling")
        stage.vtex.invoice_order(f"DMM-{ref}")
        await stage.settle(120)
        assert len(_received(stage, ref)["invoice"]) == 1


@virtual
async def test_a_seller_who_declines_is_asked_again_later_and_the_buyer_is_not_forgotten():
    async with staged(vtex={"cancel_needs_seller": True}) as stage:
        ref = await _ready(stage)
        stage.market.cancel_by_buyer(ref)
        await stage.settle(120)
        assert stage.in_vtex(ref).status == "waiting-for-seller-decision"
        stage.vtex.decline_cancel(f"DMM-{ref}")
        await stage.settle(9 * 60)
        assert stage.in_vtex(ref).status == "waiting-for-seller-decision"
        stage.vtex.accept_cancel(f"DMM-{ref}")
        await stage.settle(30 * 60)
        assert stage.in_vtex(ref).status == "canceled"
        assert (await stage.order(ref)).state is OrderState.CANCELLED


@virtual
async def test_a_partial_cancellation_is_put_before_a_person_and_the_order_goes_on():
    async with staged() as stage:
        ref = await _ready(stage)
        stage.market.partially_cancel(ref, FIRST)
        await stage.settle(60)
        assert _tasks(await stage.order(ref)) == ["partly-cancelled"]
        stage.vtex.invoice_order(f"DMM-{ref}")
        await stage.settle(60)
        assert len(_received(stage, ref)["invoice"]) == 1


@virtual
async def test_goods_returned_to_the_seller_are_refunded_by_a_person():
    async with staged() as stage:
        ref = await _ready(stage)
        stage.vtex.invoice_order(f"DMM-{ref}", number="NF-1")
        await stage.settle(60)
        stage.vtex.return_order(f"DMM-{ref}")
        await stage.settle(60)
        order = await stage.order(ref)
        assert [task.id.split("-")[0] for task in order.tasks] == ["returned"]
        assert list(_received(stage, ref)["invoice"]) == ["NF-1"]


# --- authorization --------------------------------------------------------------------------------

_MANUAL = {"divergence_rules": (DivergenceRule(0, 100, "manual"),)}


@pytest.mark.parametrize("accept", [True, False])
@virtual
async def test_a_manual_authorization_waits_for_the_seller_and_is_never_forced(accept: bool):
    async with staged(vtex=_MANUAL) as stage:
        ref = stage.sell(discount_minor=1_000)
        await stage.settle(30 * 60)
        assert stage.in_vtex(ref).status == "waiting-for-manual-authorization"
        assert not stage.in_vtex(ref).approved
        assert _tasks(await stage.order(ref)) == ["manual-authorization"]
        stage.vtex.decide_authorization(f"DMM-{ref}", accept=accept)
        await stage.settle(4 * HOUR)
        if accept:
            assert stage.in_vtex(ref).approved
        else:
            assert stage.in_vtex(ref).status == "canceled"
            assert stage.market.carts[ref].status == "cancelled"


# --- interruptions --------------------------------------------------------------------------------

# Where it is interrupted, and which side that call goes to.
_STEPS = {
    "vtex.order-place": "vtex_tap",
    "vtex.order-authorize": "vtex_tap",
    "orders.accept": "market_tap",
    "orders.invoice": "market_tap",
    "orders.tracking": "market_tap",
    "orders.delivered": "market_tap",
}
_CANCEL_STEPS = {
    "orders.cancel": "market_tap",
    "vtex.order-cancel": "vtex_tap",
    "vtex.return-invoice": "vtex_tap",
}
SPOIL = pytest.mark.parametrize("spoiled", ["before", "after"])


async def _good_life(stage: Stage) -> str:
    ref = stage.sell(2, payment="later", pay_after_s=60)
    await stage.settle(0.7 * HOUR)
    invoice = stage.vtex.invoice_order(f"DMM-{ref}", tracking="same")
    await stage.settle(0.7 * HOUR)
    stage.vtex.send_tracking_event(f"DMM-{ref}", invoice.number, delivered=True)
    await stage.settle(1.5 * HOUR)
    return ref


async def _check_good_life(stage: Stage, ref: str) -> None:
    assert stage.vtex.created == {f"DMM-{ref}": 1}
    assert stage.in_vtex(ref).approved
    cart = stage.market.carts[ref]
    assert cart.accepted
    for papers in (cart.invoices, cart.trackings, cart.deliveries):
        assert [got.arrivals for got in papers.values()] == [1]
    order = await stage.order(ref)
    assert order.state is OrderState.DELIVERED
    assert order.tasks == ()


@SPOIL
@pytest.mark.parametrize(
    ("order_api", "operation"),
    [
        *(("integration", operation) for operation in _STEPS),
        *(("classic", operation) for operation in _STEPS if operation.startswith("vtex")),
    ],
)
@virtual
async def test_a_lost_answer_at_any_step_is_looked_up_and_nothing_happens_twice(
    order_api: str, operation: str, spoiled: str
):
    async with staged(order_api=order_api) as stage:
        setattr(getattr(stage, _STEPS[operation]), spoiled, times(1, operation, lost))
        await _check_good_life(stage, await _good_life(stage))


@SPOIL
@pytest.mark.parametrize("operation", _STEPS)
@virtual
async def test_killed_at_any_step_it_goes_on_where_it_was(operation: str, spoiled: str):
    async with staged() as stage:
        tap = getattr(stage, _STEPS[operation])
        died: list[str] = []

        async def die(request: Request) -> Response | None:
            died.append(request.operation)
            return await for_ever(request)

        setattr(tap, spoiled, times(1, operation, die))
        stage.vtex.spawn(_resurrect(stage, died))
        await _check_good_life(stage, await _good_life(stage))
        assert died == [operation]


async def _resurrect(stage: Stage, died: list[str]) -> None:
    """Kill the hub when it hangs in a call, and start it again."""
    while not died:
        await stage.clock.sleep(7)
    await stage.kill()
    await stage.clock.sleep(90)
    await stage.start()


async def _cancelled_life(stage: Stage, operation: str) -> str:
    ref = await _ready(stage)
    if operation == "vtex.return-invoice":
        stage.vtex.invoice_order(f"DMM-{ref}")
        await stage.settle(60)
    if operation == "orders.cancel":
        stage.vtex.cancel_order(f"DMM-{ref}")
    else:
        stage.market.cancel_by_buyer(ref)
    await stage.settle(2.5 * HOUR)
    return ref


async def _check_cancelled_life(stage: Stage, ref: str) -> None:
    assert stage.market.carts[ref].status == "cancelled"
    vtex = stage.in_vtex(ref)
    returns = [i.number for i in vtex.invoices.values() if i.type == "Input"]
    assert vtex.status == "canceled" or len(returns) == 1
    order = await stage.order(ref)
    assert order.state is OrderState.CANCELLED
    assert order.tasks == ()


@SPOIL
@pytest.mark.parametrize("operation", _CANCEL_STEPS)
@virtual
async def test_a_lost_answer_while_cancelling_leaves_both_sides_cancelled(
    operation: str, spoiled: str
):
    async with staged() as stage:
        setattr(getattr(stage, _CANCEL_STEPS[operation]), spoiled, times(1, operation, lost))
        await _check_cancelled_life(stage, await _cancelled_life(stage, operation))


@SPOIL
@pytest.mark.parametrize("operation", _CANCEL_STEPS)
@virtual
async def test_killed_while_cancelling_both_sides_end_up_cancelled(operation: str, spoiled: str):
    async with staged() as stage:
        died: list[str] = []

        async def die(request: Request) -> Response | None:
            died.append(request.operation)
            return await for_ever(request)

        setattr(getattr(stage, _CANCEL_STEPS[operation]), spoiled, times(1, operation, die))
        stage.vtex.spawn(_resurrect(stage, died))
        await _check_cancelled_life(stage, await _cancelled_life(stage, operation))


# --- one among many -------------------------------------------------------------------------------


@virtual
async def test_one_order_that_makes_the_hub_fail_holds_up_no_other_and_doubles_nothing(
    monkeypatch: pytest.MonkeyPatch,
):
    read = DemoAdapter.order

    async def poisoned(self: DemoAdapter, key: str) -> MarketOrder | None:
        if key == "C-000002":
            raise ZeroDivisionError
        return await read(self, key)

    monkeypatch.setattr(DemoAdapter, "order", poisoned)
    async with staged() as stage:
        await stage.kill()
        refs = [stage.sell(1) for _ in range(5)]
        await stage.start()
        await stage.settle(120)
        assert stage.there("C-000002") is None
        good = [ref for ref in refs if ref != "C-000002"]
        assert stage.vtex.created == {f"DMM-{ref}": 1 for ref in good}
        assert all(stage.in_vtex(ref).approved for ref in good)
        row = (await stage.rows(Context.ORDERS))["C-000002"]
        assert "ZeroDivisionError" in row.reasons[0]
        monkeypatch.undo()
        await stage.settle(HOUR)
        assert stage.in_vtex("C-000002").approved


@virtual
async def test_what_the_marketplace_refuses_becomes_a_task_and_the_rest_goes_on():
    async with staged() as stage:
        ref = await _ready(stage)
        no = answers(json_response({"code": "bad_invoice", "message": "wrong series"}, 422))
        stage.market_tap.before = times(1, "orders.invoice", no)
        stage.vtex.invoice_order(f"DMM-{ref}", quantities={FIRST: 1}, number="NF-1")
        await stage.settle(60)
        stage.vtex.invoice_order(f"DMM-{ref}", number="NF-2")
        await stage.settle(60)
        order = await stage.order(ref)
        assert [task.why for task in order.tasks] == ["wrong series"]
        assert list(_received(stage, ref)["invoice"]) == ["NF-2"]
        assert "N" in await stage.codes(ref)


# --- what is not known yet ------------------------------------------------------------------------


@virtual
async def test_without_a_currency_no_amount_is_believed_and_nothing_is_lost():
    """The sales channel cannot be read when the connection is new."""
    away = times(None, "vtex.sales-channel-read", answers(json_response({}, 503)))
    async with staged(load=False) as stage:
        stage.vtex_tap.before = away
        await stage.load()
        await save_order_keys(stage.up, stage.joined, ["C-000001"])
        await stage.settle(60)
        assert (await stage.fresh()).currency == ""
        assert stage.shelf() == {}
        assert stage.market_tap.count("orders.read") == 0
        stage.vtex_tap.heal()
        await stage.settle(HOUR)
        assert (await stage.fresh()).currency == "BRL"
        assert set(stage.shelf()) == {"1001", "1002", "1003"}
        assert stage.market_tap.count("orders.read") >= 1


@virtual
async def test_an_order_in_another_currency_is_not_placed():
    async with staged() as stage:
        stage.market_tap.before = _in_currency(stage, "ARS")
        ref = stage.sell()
        await stage.settle(60)
        assert stage.there(ref) is None
        (reasons,) = (await stage.parked(Context.ORDERS)).values()
        assert "ARS" in reasons[0]
        assert "BRL" in reasons[0]


def _in_currency(stage: Stage, currency: str) -> Hook:
    async def hook(request: Request) -> Response | None:
        if request.operation != "orders.read":
            return None
        body = (await stage.market_tap.pass_on(request)).json()
        for order in body["orders"]:
            order["currency"] = currency
        return json_response(body)

    return hook


@virtual
async def test_callbacks_about_an_order_the_marketplace_does_not_show_yet_are_kept():
    async with staged() as stage:
        body = b'{"type":"Output","invoiceNumber":"NF-1","invoiceValue":100,"items":[]}'
        await callbacks.take_invoice(stage.up, stage.joined, "C-000001", body)
        await stage.settle(60)
        assert (await stage.order("C-000001")).market is None
        stage.sell()
        await stage.settle(600)
        assert [p.invoice.number for p in (await stage.order("C-000001")).parcels] == ["NF-1"]


@virtual
async def test_an_order_the_marketplace_never_shows_is_put_before_a_person():
    async with staged() as stage:
        body = b'{"type":"Output","invoiceNumber":"NF-1","invoiceValue":100,"items":[]}'
        await callbacks.take_invoice(stage.up, stage.joined, "NOBODYS", body)
        await stage.settle(4 * DAY)
        assert "NOBODYS" in await stage.parked(Context.ORDERS)


@virtual
async def test_a_marketplace_that_is_away_is_waited_for_with_a_word():
    async with staged() as stage:
        stage.market_tap.before = times(None, "orders.read", answers(json_response({}, 503)))
        ref = stage.sell()
        await stage.settle(120)
        assert "L" in await stage.codes(ref)
        stage.market_tap.heal()
        await stage.settle(120)
        assert (await stage.order(ref)).placement is Placement.PLACED


@virtual
async def test_totals_that_differ_are_put_before_a_person():
    async with staged() as stage:
        ref = await _ready(stage)
        stage.in_vtex(ref).value += 1
        await stage.settle(3 * HOUR)
        assert "total-differs" in _tasks(await stage.order(ref))


# --- what was before us ---------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-1, 1])
@virtual
async def test_what_was_shipped_before_the_connection_was_made_is_left_as_it_is(hours: int):
    async with staged() as stage:
        saved = await load_connection(stage.hub.store, stage.connection.id)
        made = stage.hub.now() + timedelta(hours=hours)
        younger = saved.value.model_copy(update={"created_at": made})
        await stage.hub.book.save(saved, younger)
        adapter = stage.hub.peers.of(younger, Context.ORDERS).adapter
        read = adapter.order

        async def shipped(key: str) -> MarketOrder | None:
            order = await read(key)
            return order and order.model_copy(update={"status": MarketStatus.SHIPPED})

        adapter.order = shipped
        ref = stage.sell(2)
        await stage.settle(240)
        order = await stage.order(ref)
        assert (order.ended_at is not None) == (hours > 0)
        assert (order.placement is Placement.NO) == (hours > 0)
