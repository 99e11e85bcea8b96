from __future__ import annotations

import random

import pytest

from connector.domain.http import Response
from connector.sandbox.vtexsim import WrongStatusError
from tests.unit.vtexsim.support import accept, new_order


@pytest.mark.parametrize("seed", range(8))
async def test_stock_is_never_lost_or_made(sim, api, clock, hub, seed):
    """Whatever happens in which order: totals, reservations and what is free agree."""
    rng = random.Random(seed)
    sim.settings.divergence_rules = ()
    sim.settings.cancel_flip = 0.3
    hub.answer = lambda request: accept(request) if rng.random() < 0.6 else Response(500)
    sim.set_stock(1001, 40)
    for _ in range(30):
        status = rng.choice(("new", "approved"))
        body = new_order(f"P-{rng.randrange(20)}", status)
        await api("POST", "/api/order-integration/orders", body, affiliateId="XPT")
        await clock.advance(rng.choice((1, 100, 2000)))
        for order_id in rng.sample(sorted(sim.orders), min(3, len(sim.orders))):
            action = rng.choice((sim.cancel_order, sim.invoice_order, sim.flip_status))
            try:
                action(order_id)
            except WrongStatusError:
                continue
    await clock.advance(10_000)
    shipped = sum(order.fully_invoiced for order in sim.orders.values())
    held = sum(order.reserved.get(1001, 0) for order in sim.orders.values())
    sku = sim.catalog.skus[1001]
    assert (sku.total, sku.reserved) == (40 - shipped, held)
    assert sku.stock.current == sku.free == sku.total - held
    assert sim.doubled_orders() == {}
    assert sim.open_callbacks == []
    for order in sim.orders.values():
        assert not (order.status == "canceled" and order.reserved)
        assert not (order.status == "invoiced" and order.reserved)
