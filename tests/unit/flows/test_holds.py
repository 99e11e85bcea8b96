"""Units that VTEX has not reserved yet are kept from being sold again, on every connection."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from adapters.demo import ADAPTER, SIMULATOR, DemoMarketSimulator
from adapters.demo.market.state import DemoSimSettings
from connector.domain.connection import Connection, ConnectionSpec
from connector.domain.marketorder import Delivery, Line, MarketStatus
from connector.domain.order import Placement
from connector.domain.pending import Context
from connector.flows import connections, pushing
from connector.flows.holds import reserved_at, wanted_holds
from connector.flows.hub import Peers
from connector.ports import Hold
from connector.vtex.session import Session
from tests.simulation.world import SimHttp
from tests.unit.domain.build import NOW, market_order, order, placed
from tests.unit.flows.stage import FIRST, PRICE, STOCK, Stage, staged, virtual

SETTLE = timedelta(seconds=120)
UNITS = (("1001", 2),)


# --- what an order holds --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "held"),
    [
        (order(), UNITS),
        (order(placement=Placement.SENT), UNITS),
        (order(placement=Placement.QUEUED), UNITS),
        (order(placement=Placement.REFUSED), UNITS),
        (order(market=market_order(status=MarketStatus.PENDING)), UNITS),
        (placed(placed_at=NOW - SETTLE / 2), UNITS),
        (placed(placed_at=NOW - SETTLE), ()),
        (order(placement=Placement.CANCELLED_BEFORE), ()),
        (order(market=market_order(status=MarketStatus.CANCELLED)), ()),
        (order(market=market_order(delivery=Delivery.MARKETPLACE_STOCK)), ()),
        (order(market=market_order(delivery=Delivery.MARKETPLACE)), UNITS),
        (order(ended_at=NOW), ()),
        (order(market=None), ()),
    ],
    ids=[
        *("new", "sent", "queued", "refused", "unpaid", "just placed", "reserved"),
        *("cancelled before", "cancelled", "their stock", "fob", "ended", "unread"),
    ],
)
def test_what_an_order_holds(of: Any, held: Any):
    assert wanted_holds(of, NOW, SETTLE) == held


def test_lines_of_one_sku_are_held_together():
    lines = (
        Line(sku="1001", quantity=2, unit_price_minor=1),
        Line(sku="1002", quantity=1, unit_price_minor=1),
        Line(sku="1001", quantity=3, unit_price_minor=2),
    )
    of = order(market=market_order(lines=lines))
    assert wanted_holds(of, NOW, SETTLE) == (("1001", 5), ("1002", 1))


def test_without_an_order_in_vtex_nothing_is_reserved():
    assert reserved_at(order(), SETTLE) is None
    assert reserved_at(placed(placed_at=NOW), SETTLE) == NOW + SETTLE


# --- two marketplaces of one store ----------------------------------------------------------------


class _TwoMarkets:
    """A second marketplace besides the stage's own."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.first = stage, stage.up.peers
        settings = DemoSimSettings(seller_id="seller-2")
        self.market: DemoMarketSimulator = SIMULATOR(
            clock=stage.clock, outbound=stage.market.outbound, seed=9, settings=settings
        )
        self._kept: dict[Context, Peers] = {}

    def of(self, connection: Connection, context: Context) -> Peers:
        if connection.affiliate_id != "SCN":
            return self.first.of(connection, context)
        if context not in self._kept:
            stage, vtex = self.stage, self.stage.vtex_settings
            session = Session(
                SimHttp(stage.vtex, {}, stage.rng), connection.account, "SCN",
                connection.sales_channel, vtex.app_key, vtex.app_token,
            )  # fmt: skip
            values = stage.adapter_settings | {"seller_id": "seller-2"}
            settings = ADAPTER.settings_model.model_validate(values)
            http = SimHttp(self.market, {}, stage.rng)
            self._kept[context] = Peers(session, ADAPTER(settings, http, stage.clock))
        return self._kept[context]


async def _second(stage: Stage) -> DemoMarketSimulator:
    """Connect the same VTEX account to another marketplace."""
    peers = _TwoMarkets(stage)
    stage.up.peers = peers
    spec = ConnectionSpec(
        account=stage.vtex_settings.account,
        affiliate_id="SCN",
        sales_channel=stage.vtex_settings.sales_channel,
        app_key=stage.vtex_settings.app_key,
        app_token=stage.vtex_settings.app_token,
        adapter="demo",
        adapter_settings=stage.adapter_settings | {"seller_id": "seller-2"},
        rules={"default_category": "110"},
    )
    connection, urls = await connections.add(stage.up, spec)
    peers.market.settings.webhook_url = urls.webhook_url
    stage.vtex.add_affiliate("SCN", search_uri=urls.notification_url, sales_channel=2)
    await connections.start_sync(stage.up, connection.id)
    await stage.settle(30)
    return peers.market


def _stock(market: DemoMarketSimulator) -> int:
    return market.listings[FIRST].stock


@virtual
async def test_what_is_sold_on_one_marketplace_is_gone_from_the_other_within_seconds():
    """VTEX itself would tell only later: its simulation still shows the old stock."""
    stale = {"stale_stock_s": 600.0, "stale_after_reservation": True}
    async with staged(vtex=stale) as stage:
        other = await _second(stage)
        assert _stock(other) == STOCK
        stage.sell(4)
        await stage.settle(5)
        assert _stock(other) == STOCK - 4
        assert stage.shelf()[FIRST] == (PRICE, STOCK - 4)
        await other.close()


@virtual
async def test_held_units_come_back_when_the_buyer_cancels_before_vtex_has_it():
    async with staged(vtex={"processing_delay_s": 300.0}) as stage:
        other = await _second(stage)
        ref = stage.sell(4)
        await stage.settle(10)
        assert _stock(other) == STOCK - 4
        stage.market.cancel_by_buyer(ref)
        await stage.settle(10)
        assert _stock(other) == STOCK
        assert await stage.store.held(stage.joined.account, [FIRST]) == {}
        await other.close()


@virtual
async def test_nothing_is_subtracted_twice_once_vtex_has_reserved():
    async with staged() as stage:
        other = await _second(stage)
        stage.sell(4)
        await stage.settle(300)
        assert stage.vtex.truth()[FIRST].stock == STOCK - 4
        assert _stock(other) == STOCK - 4
        assert stage.shelf()[FIRST] == (PRICE, STOCK - 4)
        assert await stage.store.held(stage.joined.account, [FIRST]) == {}
        await other.close()


@virtual
async def test_orders_of_both_marketplaces_add_up():
    async with staged(vtex={"processing_delay_s": 300.0}) as stage:
        other = await _second(stage)
        stage.sell(4)
        other.sell([(FIRST, 3)])
        await stage.settle(10)
        assert await stage.store.held(stage.joined.account, [FIRST]) == {FIRST: 7}
        assert _stock(other) == STOCK - 7
        assert stage.shelf()[FIRST] == (PRICE, STOCK - 7)
        await other.close()


@virtual
async def test_a_hold_survives_the_death_of_the_hub():
    async with staged(vtex={"processing_delay_s": 600.0}) as stage:
        stage.sell(4)
        await stage.settle(10)
        await stage.restart(60)
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(30)
        assert stage.shelf()[FIRST] == (9_000, STOCK - 4)


@virtual
async def test_a_refused_order_keeps_its_units_until_it_ends():
    async with staged() as stage:
        await stage.kill()
        ref = stage.sell(4)
        stage.vtex.set_active(FIRST, active=False)
        await stage.start()
        await stage.settle(60)
        assert await stage.store.held(stage.joined.account, [FIRST]) == {FIRST: 4}
        stage.market.cancel_by_buyer(ref)
        await stage.settle(60)
        assert await stage.store.held(stage.joined.account, [FIRST]) == {}


# --- sold between a decision and its call ---------------------------------------------------------


def _sells_meanwhile(stage: Stage, monkeypatch: pytest.MonkeyPatch, units: int) -> list[Hold]:
    """Another process learns of a sale, once, while ours has saved what it is about to send."""
    save, sold = pushing._save, []

    async def sold_meanwhile(hub: Any, looks: Any) -> None:
        await save(hub, looks)
        if not sold:
            connection = looks[0].listing.connection
            sold.append(Hold(stage.vtex_settings.account, FIRST, connection, "C-1", units))
            await hub.store.commit(sold)

    monkeypatch.setattr(pushing, "_save", sold_meanwhile)
    return sold


@virtual
async def test_what_was_sold_meanwhile_is_taken_off_the_number(monkeypatch: pytest.MonkeyPatch):
    async with staged() as stage:
        sold = _sells_meanwhile(stage, monkeypatch, 3)
        stage.vtex.set_stock(FIRST, 40)
        await stage.settle(60)
        assert sold
        assert {one.stock for one in stage.market.listings[FIRST].history} == {STOCK, 37}
        listing = await stage.listing()
        assert listing.intent is None
        assert listing.confirmed is not None
        assert listing.confirmed.stock == 37


@virtual
async def test_a_price_and_a_zero_are_sent_all_the_same(monkeypatch: pytest.MonkeyPatch):
    async with staged() as stage:
        sold = _sells_meanwhile(stage, monkeypatch, STOCK + 1)
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(60)
        assert sold
        assert stage.shelf()[FIRST] == (9_000, 0)
        assert stage.pushes().get("listings.terms") == 1
        sold.clear()
        stage.vtex.set_stock(FIRST, 0)
        await stage.settle(60)
        assert stage.shelf()[FIRST] == (9_000, 0)


@pytest.mark.parametrize(("units", "stock"), [(2, STOCK - 2), (STOCK, None)])
@virtual
async def test_nothing_is_listed_that_is_sold_out_by_then(
    monkeypatch: pytest.MonkeyPatch, units: int, stock: int | None
):
    async with staged(load=False) as stage:
        sold = _sells_meanwhile(stage, monkeypatch, units)
        await stage.load()
        await stage.settle(60)
        assert sold
        first = stage.market.listings.get(FIRST)
        assert (first.history[0].stock if first is not None else None) == stock
        assert (await stage.listing()).intent is None
        assert "1002" in stage.shelf()
