"""The short form of every proof; ``make chaos`` runs the long one."""

from __future__ import annotations

import asyncio

import pytest_asyncio

from tests.chaos import acked, killing, limits, noisy, stampede, stopping
from tests.chaos.servers import Machines, machines

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


async def test_a_noisy_neighbour_is_not_heard(on: Machines):
    # Whether it is heard at all is judged by the long form, on a machine of its own; here the
    # others must simply be served while one fails, stalls or floods.
    verdicts = await noisy.prove(await on.fresh(), noisy.SHORT)
    assert all(verdict.figures["loud_s"] < _SERVED_S for verdict in verdicts), verdicts


async def test_processes_share_a_limit(on: Machines):
    verdict = await limits.prove(await on.fresh(), limits.SHORT)
    assert verdict.ok, verdict
