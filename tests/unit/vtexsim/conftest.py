"""Fixtures: a simulator with a predictable catalog, its clock, its hub and a caller."""

from __future__ import annotations

from typing import Any

import pytest

from connector.sandbox.vtexsim import VtexSimSettings, VtexSimulator
from tests.unit.vtexsim.support import NOTIFY, Api, FakeClock, FakeHub, new_order, small_catalog


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def settings() -> VtexSimSettings:
    """Predictable: nothing is left to the dice."""
    return VtexSimSettings(
        notify_casing="canonical",
        unsorted_logistics=False,
        odd_invoice_numbers=0.0,
        embedded_invoices=0.0,
        cancel_empty_body=0.0,
        callback_visibility="pvt",
    )


@pytest.fixture
async def sim(clock, hub, settings):
    simulator = VtexSimulator(
        clock=clock, outbound=hub, settings=settings, catalog=small_catalog(), seed=7
    )
    simulator.add_affiliate("XPT", search_uri=NOTIFY)
    yield simulator
    await simulator.close()


@pytest.fixture
def api(sim):
    return Api(sim)


@pytest.fixture
def ready(sim, api, clock):
    """Place, pay and bring an order to ready-for-handling."""

    async def make(own_id: str = "MP-1", **changes: Any) -> str:
        answer = await api(
            "POST", "/api/order-integration/orders",
            new_order(own_id, "approved", **changes), affiliateId="XPT",
        )  # fmt: skip
        assert answer.status == 200
        await clock.advance(2000)
        order_id = f"XPT-{own_id}"
        assert sim.orders[order_id].status == "ready-for-handling"
        return order_id

    return make
