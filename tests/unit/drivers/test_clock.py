import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from connector.drivers.clock import SystemClock

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Machine:
    """Stands in for the time module."""

    def __init__(self) -> None:
        self.wall = EPOCH.timestamp() + 1000
        self.ticks = 50.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.ticks += seconds

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks


@pytest.fixture
def machine(monkeypatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr("connector.drivers.clock.time", machine)
    return machine


def test_it_tells_the_time():
    before = datetime.now(UTC)
    now = SystemClock().now()
    assert before - timedelta(seconds=1) <= now <= datetime.now(UTC) + timedelta(seconds=1)
    assert now.tzinfo is UTC


def test_it_runs_faster_from_a_shared_epoch(machine):
    clock = SystemClock(60, EPOCH)
    assert clock.now() == EPOCH + timedelta(seconds=60_000)
    machine.pass_(1)
    assert clock.now() == EPOCH + timedelta(seconds=60_060)
    assert SystemClock(60, EPOCH).now() == clock.now()  # a restart goes on along the same line
    assert clock.wall(2) == timedelta(seconds=120)


def test_the_epoch_makes_no_difference_at_the_walls_speed(machine):
    assert SystemClock(1, EPOCH).now() == datetime.fromtimestamp(machine.wall, UTC)
    assert SystemClock().wall(3) == timedelta(seconds=3)


def test_it_never_goes_back_and_never_stands_still(machine):
    clock = SystemClock()
    before = clock.now()
    machine.wall -= 3600
    told = []
    for _ in range(100):
        machine.pass_(1)
        told.append(clock.now())
    assert told == sorted(set(told))
    assert told[0] > before
    machine.pass_(3600 * 2)
    assert clock.now() == datetime.fromtimestamp(machine.wall, UTC)  # caught up


def test_it_follows_the_wall_forward(machine):
    clock = SystemClock()
    machine.wall += 3600
    assert clock.now() == datetime.fromtimestamp(machine.wall, UTC)


async def test_sleep_is_shortened_by_the_scale():
    clock = SystemClock(1000)
    began = time.monotonic()
    async with asyncio.timeout(5):
        await clock.sleep(20)
        await clock.sleep(-5)
    assert 0.02 <= time.monotonic() - began < 4


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="scale"):
        SystemClock(0)
    with pytest.raises(ValueError, match="time zone"):
        SystemClock(1, datetime(2026, 1, 1))  # noqa: DTZ001
