"""Hundreds of days in virtual time: whatever goes wrong, both sides end up agreeing."""

from __future__ import annotations

import os

import pytest

from connector.drivers.virtual_time import run_virtual
from tests.simulation.checks import all_wrong, counts
from tests.simulation.day import Day, world_for

_SEEDS = int(os.environ.get("SIMULATION_SEEDS", "70"))
"""Seeds per kind of day; more of them find rarer crossings."""
_PATIENCE_H = 96
"""Simulated hours after which a day must have settled: the longest retry ladder and its parking."""


async def _day(seed: int, *, faults: float, kills: int) -> tuple[list[str], dict[str, int]]:
    world = world_for(seed, faults=faults)
    await world.start()
    await world.load()
    await world.settle(30)
    await Day(world).live(steps=60, kills=kills)
    if world.hub is None:
        await world.start()
    wrong: list[str] = []
    for _ in range(_PATIENCE_H // 4):
        await world.settle(4 * 3600)
        wrong = await all_wrong(world)
        if not wrong:
            break
    happened = counts(world)
    await world.close()
    return wrong, happened


@pytest.mark.parametrize("seed", range(_SEEDS))
def test_a_calm_day_ends_in_agreement(seed: int) -> None:
    wrong, _ = run_virtual(_day(seed, faults=0, kills=0))
    assert not wrong, f"seed {seed}: {wrong}"


@pytest.mark.parametrize("seed", range(1000, 1000 + _SEEDS))
def test_a_faulty_day_with_kills_ends_in_agreement(seed: int) -> None:
    wrong, _ = run_virtual(_day(seed, faults=0.05, kills=2))
    assert not wrong, f"seed {seed}: {wrong}"


@pytest.mark.parametrize("seed", range(2000, 2000 + _SEEDS))
def test_a_hard_day_with_many_kills_ends_in_agreement(seed: int) -> None:
    wrong, _ = run_virtual(_day(seed, faults=0.2, kills=6))
    assert not wrong, f"seed {seed}: {wrong}"


def test_the_same_seed_is_the_same_day() -> None:
    first, second = (run_virtual(_day(7, faults=0.2, kills=3)) for _ in range(2))
    assert first == second


def test_a_day_is_a_day() -> None:
    """The checks above would be empty if nothing happened."""
    _, happened = run_virtual(_day(3, faults=0.05, kills=1))
    for kind in ("order.created", "callback.accepted", "sku.price", "stock.reserved"):
        assert happened[kind] > 0, f"no {kind} in {dict(happened)}"
