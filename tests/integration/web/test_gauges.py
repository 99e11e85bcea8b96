"""Metrics are shown whatever the ledger does."""

from __future__ import annotations

import asyncio
import time

import pytest

from connector.bootstrap import open_hub
from connector.bootstrap.process import PendingGauges
from connector.domain.pending import Context, Mark
from connector.drivers.clock import SystemClock
from connector.drivers.memory_store import MemoryStore
from connector.drivers.metrics import PrometheusMetrics
from connector.drivers.vault import generate_key
from connector.ports import StoreUnavailable
from connector.settings import Settings


class Ledger(MemoryStore):
    """A ledger that can be away, or take for ever to count."""

    away = slow = False
    counts = 0

    async def pending_stats(self, now):
        self.counts += 1
        if self.away:
            raise StoreUnavailable("away")
        if self.slow:
            await asyncio.Event().wait()
        return await super().pending_stats(now)


@pytest.fixture
async def shown():
    """A ledger with one key that is due, and its gauges."""
    clock = SystemClock()
    ledger, metrics = Ledger(clock), PrometheusMetrics()
    await ledger.commit([Mark("c", Context.LISTINGS, "1", clock.now())])
    settings = Settings(_env_file=None, secret_key=generate_key())
    async with open_hub(settings, store=ledger, metrics=metrics) as hub:
        gauges = PendingGauges(hub, metrics)
        yield ledger, gauges
        await gauges.close()


async def one_is_due(gauges) -> bool:
    body, _ = await gauges.render()
    wanted = b'hub_pending_keys{connection="c",context="listings",state="due"} 1.0'
    return wanted in body and b"hub_turns_total" in body


async def test_what_is_due_is_counted(shown):
    _, gauges = shown
    assert await one_is_due(gauges)


async def test_without_a_ledger_the_rest_is_shown(shown):
    ledger, gauges = shown
    assert await one_is_due(gauges)
    ledger.away, gauges._not_before = True, 0.0
    assert await one_is_due(gauges)  # as it was counted last
    assert ledger.counts == 2


async def test_a_scrape_does_not_wait_for_a_long_count_nor_begin_another(shown):
    ledger, gauges = shown
    assert await one_is_due(gauges)
    ledger.slow, gauges._not_before = True, 0.0
    began = time.monotonic()
    assert await one_is_due(gauges)
    assert await one_is_due(gauges)
    assert time.monotonic() - began < 10
    assert ledger.counts == 2
