"""The short form of every proof; ``make chaos`` runs the long one."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest_asyncio

from tests.chaos import acked, killing, limits, noisy, stampede, stopping
from tests.chaos.crew import Servers, crew
from tests.chaos.merchants import open_merchants
from tests.servers.machines import Machines, machines

_SERVED_S = 10.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on():
    async with machines() as private:
        yield private


async def test_everything_may_be_killed():
    async with machines(nodes=3) as private:
        verdict = await killing.prove(private, killing.SHORT)
    assert verdict.ok, verdict


async def test_deaths_ends_sleeps_and_outages_lose_nothing(on: Machines):
    # Each on a ledger of its own, beside each other: they mostly wait.
    verdicts = await asyncio.gather(
        acked.prove(await on.fresh(), acked.SHORT),
        stopping.prove_terms(await on.fresh(), stopping.SHORT),
        stopping.prove_zombies(await on.fresh(), stopping.SHORT),
        stampede.prove(await on.fresh(), stampede.SHORT),
    )
    assert all(verdict.ok for verdict in verdicts), verdicts


async def test_a_process_ends_in_time_though_its_peers_do_not_answer():
    (merchant,) = await open_merchants(1, 20)
    merchant.trouble.slow_s = 60
    settings = {"CONNECTOR_SHUTDOWN_S": "10"}
    async with crew(Servers(""), [merchant], web=1, workers=1, settings=settings) as hub:
        for sku in merchant.world.all:
            await hub.told(merchant, sku)
        async with hub.hub() as inner, asyncio.timeout(20):
            while not any(  # noqa: ASYNC110 - other processes do it
                one.leased for one in await inner.store.pending_stats(inner.now())
            ):
                await asyncio.sleep(0.1)
        began = time.monotonic()
        assert await hub.workers[0].end(signal.SIGTERM, 30) == 0
        assert time.monotonic() - began <= 10
    await merchant.close()


async def test_a_noisy_neighbour_is_not_heard(on: Machines):
    # Whether it is heard at all is judged by the long form, on a machine of its own; here the
    # others must simply be served while one fails, stalls or floods.
    verdicts = await noisy.prove(await on.fresh(), noisy.SHORT)
    assert all(verdict.figures["loud_s"] < _SERVED_S for verdict in verdicts), verdicts


async def test_processes_share_a_limit(on: Machines):
    verdict = await limits.prove(await on.fresh(), limits.SHORT)
    assert verdict.ok, verdict
