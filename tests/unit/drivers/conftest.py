import asyncio
from datetime import UTC, datetime, timedelta

import pytest

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


class HandClock:
    """A clock that moves only while somebody sleeps by it."""

    def __init__(self) -> None:
        self.moment = T0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    def wall(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds)

    def move(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()
