"""10,000 offers on virtual time: calls per operation, and the time beside the least there is."""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise

import pytest

from adapters.mirakl import MiraklAdapter, MiraklSimulator
from adapters.mirakl.limits import CEILINGS, LIMITS
from adapters.mirakl.market.state import MiraklSimSettings
from adapters.mirakl.tests.conftest import offer, terms
from connector.drivers.limiter import Limiter, Rule
from connector.drivers.virtual_time import VirtualClock, run_virtual
from connector.sdk import Held, InLot, Proceed, TryAgain

OFFERS = 10_000
CALL_S = 0.3
"""How long a call takes."""


@dataclass
class Guarded:
    """The hub's way out: its limiter, and a platform that counts as well."""

    clock: VirtualClock
    market: MiraklSimulator
    limiter: Limiter
    calls: dict = field(default_factory=dict)

    async def send(self, request):
        rules = [
            Rule(limit.operation, limit) for limit in LIMITS if limit.operation == request.operation
        ]
        await self.limiter.acquire(rules)
        self.calls.setdefault(request.operation, []).append(self.clock.now())
        await self.clock.sleep(CALL_S)
        headers = {name.lower(): value for name, value in request.headers.items()}
        return await self.market.handle(replace(request, headers=headers))


def shop(**switches):
    clock = VirtualClock()
    settings = MiraklSimSettings(ceiling_slack=0.01, **switches)
    market = MiraklSimulator(clock=clock, outbound=None, settings=settings)
    http = Guarded(clock, market, Limiter(clock))
    told = market.seller_settings("https://north.mirakl.example")
    return http, MiraklAdapter(MiraklAdapter.settings_model.model_validate(told), http, clock)


async def push(http, adapter, method, items):
    """What the hub does with items: batches, lots, stages, and waiting when it is told to."""
    clock, open_, last = http.clock, {}, Counter()
    due = [(clock.now(), item) for item in items]
    while due or open_:
        batch = [item for at, item in due if at <= clock.now()][: adapter.batch_size]
        taken = {item.sku for item in batch}
        due = [(at, item) for at, item in due if item.sku not in taken]
        try:
            outcomes = await getattr(adapter, method)(batch) if batch else {}
        except Held as held:
            due += [(held.until, item) for item in batch]
        else:
            due += take(batch, outcomes, clock.now(), open_, last)
        with suppress(Held):
            due += [(clock.now(), item) for item in await look(adapter, open_, last)]
        await clock.sleep(2.0)
    return last


def take(batch, outcomes, now, open_, last):
    """Put items into their lots; returns those to be sent again, and when."""
    again = []
    for item in batch:
        outcome = outcomes[item.sku]
        if isinstance(outcome, InLot):
            open_.setdefault(outcome.lot_id, [now, []])[1].append(item)
        elif isinstance(outcome, TryAgain):
            again.append((now + timedelta(seconds=outcome.after_s), item))
        else:
            last[type(outcome).__name__] += 1
    return again


async def look(adapter, open_, last):
    """Ask about lots that may be asked about; returns items whose next stage has come."""
    proceeding = []
    for lot_id, (at, items) in list(open_.items()):
        now = adapter.clock.now()
        if now < at:
            continue
        status = await adapter.lot(lot_id)
        open_[lot_id][0] = now + timedelta(seconds=max(5.0, status.after_s))
        if not status.finished:
            continue
        del open_[lot_id]
        for item in items:
            outcome = status.outcomes.get(item.sku, status.rest)
            if isinstance(outcome, Proceed):
                proceeding.append(item)
            else:
                last[type(outcome).__name__] += 1
    return proceeding


def least_s(calls, import_s):
    """The least time the published ceilings allow for these writes: the last import can begin no
    sooner, and takes as long as an import takes.
    """
    writes = ("OF24.offers", "PRI01.prices", "STO01.stock", "P41.products")
    waits = [(len(calls[name]) - 1) * CEILINGS[name] for name in writes if name in calls]
    return max(waits) + import_s


def report(what, http, began, least):
    took = (http.clock.now() - began).total_seconds()
    counts = ", ".join(f"{name} {len(at)}" for name, at in sorted(http.calls.items()))
    text = f"{what}: {counts}; {took:.0f} s, the ceilings allow {least:.0f} s"
    print(text)  # noqa: T201 - a measurement, shown with -s
    return took


def keeps_the_ceilings(calls):
    for operation, moments in calls.items():
        every = CEILINGS.get(operation, 0)
        for before, after in pairwise(moments):
            assert (after - before).total_seconds() >= every - 0.001, operation


@pytest.mark.parametrize("known", [1.0, 0.5], ids=["all-known", "half-unknown"])
def test_ten_thousand_new_offers(known):
    async def main():
        http, adapter = shop(known_share=known)
        began = http.clock.now()
        offers = [offer(str(n), n) for n in range(OFFERS)]
        last = await push(http, adapter, "create", offers)
        assert last == {"Done": OFFERS}
        assert len(http.market.offers) == OFFERS
        keeps_the_ceilings(http.calls)
        assert http.market.throttles == 0
        settings = http.market.settings
        import_s = settings.import_wait_s + settings.import_run_s
        if known < 1:
            import_s += settings.product_done_after_s
        least = least_s(http.calls, import_s)
        took = report(f"{OFFERS} new offers, {known:.0%} known", http, began, least)
        assert len(http.calls["OF24.offers"]) <= (2 if known == 1 else 4)
        assert len(http.calls.get("P41.products", ())) <= 2
        assert took <= least + (150 if known == 1 else 600)

    run_virtual(main())


def test_ten_thousand_price_and_stock_changes():
    async def main():
        http, adapter = shop(known_share=1.0)
        await push(http, adapter, "create", [offer(str(n), n) for n in range(OFFERS)])
        await http.clock.sleep(120)
        http.calls.clear()
        began = http.clock.now()
        changed = [terms(str(n), price=100 + n, stock=n % 50) for n in range(OFFERS)]
        last = await push(http, adapter, "update_price_stock", changed)
        assert last == {"Done": OFFERS}
        offers = http.market.offers
        assert all(offers[str(n)].price_minor == 100 + n for n in range(OFFERS))
        assert all(offers[str(n)].quantity == n % 50 for n in range(OFFERS))
        keeps_the_ceilings(http.calls)
        assert http.market.throttles == 0
        least = least_s(http.calls, 30)
        took = report(f"{OFFERS} price and stock changes", http, began, least)
        assert {name: len(http.calls[name]) for name in ("STO01.stock", "PRI01.prices")} == {
            "STO01.stock": 2,
            "PRI01.prices": 2,
        }
        assert took <= least + 150

    run_virtual(main())


def test_every_ceiling_belongs_to_a_call_that_is_made():
    assert all(isinstance(limit.per_s, float) and limit.rate == 1 for limit in LIMITS)
    assert {limit.operation for limit in LIMITS} == set(CEILINGS)
