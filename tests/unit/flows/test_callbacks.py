"""What VTEX calls back: saved before it is answered, answered alike when repeated."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.demo import DemoAdapter
from connector.domain.http import json_response
from connector.domain.order import CancelSide
from connector.domain.order_facts import FactKind, number_key
from connector.domain.pending import Context
from connector.flows import callbacks
from connector.flows.callbacks import CancelAnswer, Undecided
from connector.flows.intake import save_order_keys
from connector.vtex.inbound import BadBody
from connector.vtex.orders import parse_envelope
from tests.unit.flows.stage import Stage, answers, lost, staged, times, unreachable, virtual

INVOICE = {"type": "Output", "invoiceNumber": "NF-1", "invoiceValue": 20_000, "items": []}


def _body(**changes: Any) -> bytes:
    return json.dumps(INVOICE | changes).encode()


async def _cancel(stage: Stage, ref: str, body: bytes = b'{"reason": "sem estoque"}') -> Any:
    return await callbacks.take_cancel(stage.up, stage.joined, ref, body)


async def _facts(stage: Stage, ref: str) -> list[str]:
    return [fact.kind for fact in await stage.store.facts(stage.joined.id, ref)]


def _receipt(answer: CancelAnswer) -> str:
    assert answer.receipt is not None, answer.refusal
    return str(answer.receipt["receipt"])


async def _placed(stage: Stage) -> str:
    ref = stage.sell(2)
    await stage.settle(240)
    return ref


# --- the matrix of cancellations ------------------------------------------------------------------


@virtual
async def test_a_cancellation_that_vtex_own_order_confirms_gets_a_receipt():
    async with staged() as stage:
        ref = await _placed(stage)
        stage.vtex.settings.callback_retries = 0
        stage.vtex.stick(f"DMM-{ref}")
        stage.vtex.set_status(stage.in_vtex(ref), "cancel")
        answer = await _cancel(stage, ref)
        assert _receipt(answer)
        assert answer.receipt["orderId"] == f"DMM-{ref}"
        await stage.settle(60)
        assert stage.market.carts[ref].status == "cancelled"


@virtual
async def test_a_cancellation_that_vtex_own_order_denies_is_refused_and_leaves_no_trace():
    """A forged call: whoever knows the URL must not be able to cancel."""
    async with staged() as stage:
        ref = await _placed(stage)
        facts = await _facts(stage, ref)
        answer = await _cancel(stage, ref)
        assert answer.receipt is None
        assert "does not say" in answer.refusal
        await stage.settle(60)
        assert await _facts(stage, ref) == facts
        assert stage.market.carts[ref].status == "paid"
        assert (await stage.order(ref)).cancellation is None


_AWAY = {
    "unreachable": unreachable,
    "no answer": lost,
    "500": answers(json_response({}, 500)),
    "429": answers(json_response({}, 429)),
    "401": answers(json_response({}, 401)),
}


@pytest.mark.parametrize("how", _AWAY)
@virtual
async def test_while_vtex_cannot_be_asked_nothing_is_decided(how: str):
    async with staged() as stage:
        ref = await _placed(stage)
        stage.vtex_tap.before = times(None, "vtex.order-read", _AWAY[how])
        with pytest.raises(Undecided):
            await _cancel(stage, ref)
        assert FactKind.CANCEL not in await _facts(stage, ref)


@virtual
async def test_what_was_cancelled_already_is_answered_without_asking_anybody():
    """An error here would block the seller's order for ever."""
    async with staged() as stage:
        ref = await _placed(stage)
        stage.vtex.cancel_order(f"DMM-{ref}")
        await stage.settle(120)
        assert stage.in_vtex(ref).status == "canceled"
        stage.vtex_tap.before = times(None, "vtex.order-read", unreachable)
        assert _receipt(await _cancel(stage, ref))


@virtual
async def test_what_we_asked_vtex_to_cancel_is_confirmed_even_while_vtex_is_away():
    async with staged() as stage:
        ref = await _placed(stage)
        stage.vtex.settings.callback_retries = 0
        stage.vtex.stick(f"DMM-{ref}")
        stage.market.cancel_by_buyer(ref)
        await stage.settle(60)
        order = await stage.order(ref)
        assert order.cancellation is not None
        assert order.cancellation.by is CancelSide.MARKETPLACE
        stage.vtex_tap.before = times(None, "vtex.order-read", unreachable)
        assert _receipt(await _cancel(stage, ref, b""))


@virtual
async def test_a_repeated_cancellation_is_answered_like_the_first():
    async with staged() as stage:
        ref = await _placed(stage)
        stage.vtex.stick(f"DMM-{ref}")
        stage.vtex.set_status(stage.in_vtex(ref), "cancel")
        first = _receipt(await _cancel(stage, ref))
        await stage.settle(60)
        assert _receipt(await _cancel(stage, ref)) == first
        assert (await _facts(stage, ref)).count(FactKind.CANCEL) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"not json", b'{"reason": null}'])
@virtual
async def test_older_accounts_send_no_reason(body: bytes):
    async with staged() as stage:
        ref = await _placed(stage)
        stage.vtex.set_status(stage.in_vtex(ref), "cancel")
        assert _receipt(await _cancel(stage, ref, body))


@virtual
async def test_where_the_seller_may_refund_a_shipped_order_can_be_cancelled():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DemoAdapter, "refunds_shipped", True)
        async with staged() as stage:
            ref = await _placed(stage)
            stage.market.set_status(ref, "shipped")
            await stage.settle(60)
            stage.vtex.set_status(stage.in_vtex(ref), "cancel")
            assert _receipt(await _cancel(stage, ref))
            await stage.settle(60)
            # Demo Market itself takes nothing back: what it refuses, a person sees to.
            assert stage.market_tap.count("orders.cancel") == 1
            order = await stage.order(ref)
            assert "cancel-refused-there" in [task.id for task in order.tasks]


@pytest.mark.parametrize("status", ["shipped", "delivered"])
@virtual
async def test_what_has_been_shipped_is_refused_and_a_person_asked_once(status: str):
    async with staged() as stage:
        ref = await _placed(stage)
        stage.market.set_status(ref, status)
        await stage.settle(60)
        stage.vtex.set_status(stage.in_vtex(ref), "cancel")
        for _ in range(3):
            answer = await _cancel(stage, ref)
            assert answer.receipt is None
            assert "shipped" in answer.refusal
        await stage.settle(60)
        order = await stage.order(ref)
        assert [task.id for task in order.tasks] == ["cancel-after-shipping"]
        assert stage.market.carts[ref].status == status
        assert stage.market_tap.count("orders.cancel") == 0


@virtual
async def test_an_order_nobody_has_is_refused_and_leaves_no_trace():
    async with staged() as stage:
        answer = await _cancel(stage, "NOBODYS")
        assert answer.receipt is None
        assert await _facts(stage, "NOBODYS") == []
        assert await stage.rows(Context.ORDERS) == {}


@virtual
async def test_an_order_only_vtex_knows_is_believed_when_vtex_cancels_it():
    """The ledger was lost, the URL still works: the seller must not be blocked."""
    async with staged() as stage:
        ref = await _placed(stage)
        stage.vtex.set_status(stage.in_vtex(ref), "cancel")
        stage.store._books.documents.pop(("order", stage.joined.id, ref))
        assert _receipt(await _cancel(stage, ref))


@virtual
async def test_the_seller_gets_the_order_cancelled_in_the_end():
    """The whole way: VTEX calls, is answered, and moves to canceled by that answer alone."""
    async with staged(vtex={"callback_duplicate": 1.0}) as stage:
        ref = await _placed(stage)
        stage.vtex.cancel_order(f"DMM-{ref}", "sem estoque")
        await stage.settle(120)
        assert stage.in_vtex(ref).status == "canceled"
        assert stage.vtex.open_callbacks == []
        cancels = [each for each in stage.in_vtex(ref).callbacks if each.kind == "cancel"]
        assert len(cancels) == 1


# --- references -----------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "DMM-", "dmm-"])
@virtual
async def test_a_reference_may_carry_the_affiliates_prefix(prefix: str):
    async with staged() as stage:
        ref = stage.sell()
        await stage.settle(30)
        found = await callbacks.resolve_ref(stage.up, stage.joined, f"{prefix}{ref}")
        assert found == ref


@virtual
async def test_a_key_that_itself_begins_like_the_affiliate_is_not_shortened():
    async with staged() as stage:
        await save_order_keys(stage.up, stage.joined, ["DMM-77"])
        assert await callbacks.resolve_ref(stage.up, stage.joined, "DMM-77") == "DMM-77"
        assert await callbacks.resolve_ref(stage.up, stage.joined, "DMM-78") == "78"


@pytest.mark.parametrize("raw", ["", "a/b", "../x", "a b", "x" * 81, "é", "a\n", "a%00"])
@virtual
async def test_a_reference_we_never_gave_is_refused(raw: str):
    async with staged(load=False) as stage:
        with pytest.raises(BadBody):
            await callbacks.resolve_ref(stage.up, stage.joined, raw)


# --- papers ---------------------------------------------------------------------------------------


@virtual
async def test_the_same_invoice_again_is_the_same_fact_and_the_same_receipt():
    async with staged() as stage:
        ref = await _placed(stage)
        first = await callbacks.take_invoice(stage.up, stage.joined, ref, _body())
        again = await callbacks.take_invoice(stage.up, stage.joined, f"DMM-{ref}", _body())
        other = await callbacks.take_invoice(
            stage.up, stage.joined, ref, _body(invoiceNumber="NF-2")
        )
        assert first["receipt"] == again["receipt"] != other["receipt"]
        assert set(first) == {"date", "orderId", "receipt"}
        assert (await _facts(stage, ref)).count(FactKind.INVOICE) == 2


@virtual
async def test_a_fact_is_saved_before_the_answer_even_if_the_hub_dies_right_after():
    async with staged() as stage:
        ref = await _placed(stage)
        stage.vtex.add_invoice(
            stage.in_vtex(ref),
            stage.vtex._new_invoice(stage.in_vtex(ref), None, "NF-1", embedded=False),
        )
        await callbacks.take_invoice(stage.up, stage.joined, ref, _body())
        await stage.restart(90)
        await stage.settle(60)
        assert list(stage.market.carts[ref].invoices) == ["NF-1"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"nonsense", _body(invoiceNumber=""), _body(invoiceValue="x")]
)
@virtual
async def test_an_invoice_that_cannot_be_read_is_refused(body: bytes):
    async with staged() as stage:
        ref = await _placed(stage)
        with pytest.raises(BadBody):
            await callbacks.take_invoice(stage.up, stage.joined, ref, body)
        assert FactKind.INVOICE not in await _facts(stage, ref)


@virtual
async def test_events_on_the_way_are_acknowledged_and_only_the_arrival_is_kept():
    async with staged() as stage:
        ref = await _placed(stage)
        way = b'{"isDelivered": false, "events": [{"description": "on its way"}]}'
        there = b'{"isDelivered": true, "deliveredDate": "2026-01-05"}'
        said = await callbacks.take_delivery(stage.up, stage.joined, ref, "NF-1", way)
        assert said["receipt"]
        assert FactKind.DELIVERED not in await _facts(stage, ref)
        await callbacks.take_delivery(stage.up, stage.joined, ref, "NF-1", there)
        assert (await _facts(stage, ref)).count(FactKind.DELIVERED) == 1


@virtual
async def test_an_arrival_without_a_date_told_twice_is_one_arrival():
    async with staged() as stage:
        ref = await _placed(stage)
        for _ in range(2):
            await callbacks.take_delivery(
                stage.up, stage.joined, ref, "NF-1", b'{"isDelivered": true}'
            )
            await stage.settle(30)
        parcels = [p for p in (await stage.order(ref)).parcels if p.delivered_at]
        assert [number_key(p.invoice.number) for p in parcels] == ["nf-1"]


@virtual
async def test_tracking_that_tells_nothing_is_acknowledged_and_forgotten():
    async with staged() as stage:
        ref = await _placed(stage)
        said = await callbacks.take_tracking(stage.up, stage.joined, ref, "NF-1", b"{}")
        assert said["receipt"]
        assert FactKind.TRACKING not in await _facts(stage, ref)


@virtual
async def test_a_change_is_acknowledged_and_put_before_a_person():
    async with staged() as stage:
        ref = await _placed(stage)
        stage.vtex.change_order(f"DMM-{ref}", discount=500, removed={"1001": 1})
        body = json.dumps(
            {"reason": "deal", "discountValue": 500, "incrementValue": 0, "itemsAdded": [],
             "itemsRemoved": [{"id": "1001", "quantity": 1}]}
        ).encode()  # fmt: skip
        said = await callbacks.take_change(stage.up, stage.joined, ref, body)
        assert said["receipt"]
        await stage.settle(60)
        (task,) = (await stage.order(ref)).tasks
        assert "-1 1001" in task.why
        assert "500" in task.why


@virtual
async def test_a_result_told_twice_is_one_fact():
    async with staged() as stage:
        ref = await _placed(stage)
        before = (await _facts(stage, ref)).count(FactKind.RESULT)
        body = json.dumps(
            {"accountName": "simstore", "success": True, "flow": "PlaceOrder", "code": "SOI001",
             "operationId": "op-1", "marketplaceOrderId": ref}
        ).encode()  # fmt: skip
        envelope = parse_envelope(body)
        assert envelope is not None
        for _ in range(2):
            await callbacks.take_result(stage.up, stage.joined, envelope)
        assert (await _facts(stage, ref)).count(FactKind.RESULT) == before + 1


@virtual
async def test_an_invoice_only_a_call_told_of_is_put_before_a_person_after_a_while():
    """VTEX's own order never shows it: nobody can vouch for it."""
    async with staged() as stage:
        ref = await _placed(stage)
        await callbacks.take_invoice(stage.up, stage.joined, ref, _body())
        await stage.settle(6 * 3_600)
        tasks = [task.id for task in (await stage.order(ref)).tasks]
        assert "mismatch-nf-1" in tasks
