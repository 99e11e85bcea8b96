"""What outsiders say is saved before it is answered, and urgent in the right measure."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from connector.domain.http import Request
from connector.domain.order import order_ref
from connector.domain.pending import Context, Priority
from connector.flows import intake
from connector.flows.intake import NotYours, save_order_keys, take_notifications, take_webhook
from connector.ports import Conflict, Put, StoreUnavailable
from connector.sdk import BadWebhook
from connector.vtex.inbound import BadBody, parse_notifications
from tests.unit.flows.stage import staged, virtual


def _notice(**changes: Any) -> bytes:
    fields = {
        "IdSku": "1001",
        "An": "simstore",
        "IdAffiliate": "DMM",
        "IsActive": True,
        "StockModified": False,
        "PriceModified": False,
        "HasStockKeepingUnitModified": False,
        "HasStockKeepingUnitRemovedFromAffiliate": False,
    }
    return json.dumps(fields | changes).encode()


REMOVED = "HasStockKeepingUnitRemovedFromAffiliate"


@pytest.mark.parametrize(
    ("said", "priority", "waits_s", "hint"),
    [
        ({REMOVED: True}, Priority.URGENT, 0, {"removed": True}),
        ({"IsActive": False}, Priority.URGENT, 0, {"active": False}),
        ({"IsActive": False, "StockModified": True}, Priority.URGENT, 0, {"stock": True}),
        ({"StockModified": True}, Priority.CHANGE, 0, {"stock": True, "price": False}),
        ({"PriceModified": True}, Priority.CHANGE, 0, {"price": True, "stock": False}),
        ({"HasStockKeepingUnitModified": True}, Priority.CHANGE, 0, {"content": True}),
        ({"StockModified": True, "PriceModified": True}, Priority.CHANGE, 0,
         {"stock": True, "price": True}),
        ({}, Priority.ECHO, 15, {"recheck": True}),
    ],
    ids=["removed", "inactive", "inactive with stock", "stock", "price", "content", "both",
         "reindex"],
)  # fmt: skip
@virtual
async def test_how_urgent_a_notification_is(
    said: dict[str, Any], priority: Priority, waits_s: int, hint: dict[str, bool]
):
    async with staged(load=False) as stage:
        (notification,) = parse_notifications(_notice(**said))
        mark = intake.mark_of(stage.up, stage.joined, notification)
        assert mark.priority is priority
        assert mark.due_at == stage.clock.now() + timedelta(seconds=waits_s)
        assert {name: getattr(mark.hint, name) for name in hint} == hint


@virtual
async def test_many_notifications_of_one_sku_are_one_pending_key_with_everything_said():
    async with staged(load=False) as stage:
        await stage.settle(30)
        await stage.kill()
        await stage.start()
        for said in ({"StockModified": True}, {"PriceModified": True}, {"IsActive": False}):
            await take_notifications(stage.up, stage.joined, _notice(**said))
        (claim,) = await stage.store.claim(
            stage.joined.id,
            Context.LISTINGS,
            limit=1,
            now=stage.clock.now(),
            lease_until=stage.clock.now() + timedelta(seconds=5),
        )
        assert (claim.key, claim.priority) == ("1001", Priority.URGENT)
        assert claim.hint.stock
        assert claim.hint.price
        assert claim.hint.active is False


@pytest.mark.parametrize(
    "said",
    [
        {"An": "otherstore"},
        {"IdAffiliate": "XYZ"},
        {"An": "otherstore", "IdAffiliate": "DMM"},
    ],
)
@virtual
async def test_a_notification_about_somebody_else_is_refused(said: dict[str, Any]):
    async with staged(load=False) as stage:
        await stage.settle(30)
        rows = await stage.rows(Context.LISTINGS)
        with pytest.raises(NotYours):
            await take_notifications(stage.up, stage.joined, _notice(IdSku="777", **said))
        assert await stage.rows(Context.LISTINGS) == rows


@pytest.mark.parametrize(
    "said",
    [
        {"An": "SimStore"},
        {"An": "simstore.vtexcommercestable.com.br"},
        {"An": None},
        {"IdAffiliate": "dmm"},
        {"IdAffiliate": None},
    ],
)
@virtual
async def test_an_addressee_may_be_spelled_in_many_ways_or_left_out(said: dict[str, Any]):
    async with staged(load=False) as stage:
        assert await take_notifications(stage.up, stage.joined, _notice(**said)) == 1


@virtual
async def test_a_list_with_one_for_somebody_else_saves_nothing():
    async with staged(load=False) as stage:
        await stage.settle(30)
        rows = await stage.rows(Context.LISTINGS)
        both = [json.loads(_notice(IdSku="777")), json.loads(_notice(IdSku="778", An="other"))]
        with pytest.raises(NotYours):
            await take_notifications(stage.up, stage.joined, json.dumps(both).encode())
        assert await stage.rows(Context.LISTINGS) == rows


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"IdSku": null}', b"nonsense"])
@virtual
async def test_what_names_no_sku_is_refused(body: bytes):
    async with staged(load=False) as stage:
        with pytest.raises(BadBody):
            await take_notifications(stage.up, stage.joined, body)


# --- orders ---------------------------------------------------------------------------------------


@virtual
async def test_keys_of_orders_are_remembered_once_and_safe():
    async with staged(load=False) as stage:
        await stage.kill()
        await stage.start()
        await save_order_keys(stage.up, stage.joined, ["C 1/2", "C 1/2", "C-3"])
        rows = await stage.rows(Context.ORDERS)
        assert set(rows) == {order_ref("C 1/2"), "C-3"}
        assert {row.priority for row in rows.values()} == {Priority.URGENT}
        assert (await stage.order(order_ref("C 1/2"))).key == "C 1/2"


@virtual
async def test_a_known_order_is_looked_at_again_and_keeps_what_is_known():
    async with staged() as stage:
        ref = stage.sell()
        await stage.settle(60)
        before = await stage.order(ref)
        await save_order_keys(stage.up, stage.joined, [ref])
        assert await stage.order(ref) == before


@virtual
async def test_no_keys_ask_for_nothing():
    async with staged(load=False) as stage:
        await save_order_keys(stage.up, stage.joined, [])
        assert await stage.rows(Context.ORDERS) == {}


@virtual
async def test_two_processes_that_see_an_order_first_both_succeed(
    monkeypatch: pytest.MonkeyPatch,
):
    async with staged(load=False) as stage:
        commit, left = stage.store.commit, 1

        async def beaten(writes: Any) -> None:
            nonlocal left
            if left and any(isinstance(write, Put) for write in writes):
                left -= 1
                await commit(writes)  # the other one did the same
                raise Conflict("somebody was faster")
            await commit(writes)

        monkeypatch.setattr(stage.store, "commit", beaten)
        await save_order_keys(stage.up, stage.joined, ["C-1"])
        assert set(await stage.rows(Context.ORDERS)) == {"C-1"}


@virtual
async def test_what_cannot_be_saved_is_never_answered_as_if_it_were(
    monkeypatch: pytest.MonkeyPatch,
):
    async with staged(load=False) as stage:

        async def always_beaten(writes: Any) -> None:
            raise Conflict("somebody was faster")

        monkeypatch.setattr(stage.store, "commit", always_beaten)
        with pytest.raises(StoreUnavailable):
            await save_order_keys(stage.up, stage.joined, ["C-1"])


@virtual
async def test_a_webhook_that_is_not_the_marketplaces_saves_nothing():
    async with staged(load=False) as stage:
        forged = Request("POST", "/", body=b'{"events": [{"cart_id": "C-1"}]}')
        with pytest.raises(BadWebhook):
            await take_webhook(stage.up, stage.joined, forged)
        assert await stage.rows(Context.ORDERS) == {}


def test_a_reindex_says_nothing_but_look():
    (notification,) = parse_notifications(_notice())
    assert notification.all_false
    (spoken,) = parse_notifications(_notice(StockModified=True))
    assert not spoken.all_false
