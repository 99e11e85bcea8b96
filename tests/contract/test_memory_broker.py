import asyncio

import pytest
import structlog

from connector.drivers.memory_broker import MemoryBroker
from connector.ports import Turn
from tests.contract.broker_contract import BrokerContract, turn, until


class TestMemoryBroker(BrokerContract):
    @pytest.fixture
    async def broker(self):
        broker = MemoryBroker(max_outstanding=4)
        yield broker
        await broker.close(drain_s=0)

    async def test_a_ring_for_one_that_waits_already_is_dropped(self, broker, consume):
        seen: list[Turn] = []

        async def handler(one: Turn) -> None:
            seen.append(one)

        for _ in range(100):
            await broker.ring(turn())
        await broker.ring(turn("last"))
        consume(handler, workers=1)
        await until(lambda: turn("last") in seen)
        assert seen == [turn(), turn("last")]

    async def test_turns_go_round(self, broker, consume):
        seen: list[str] = []

        async def handler(one: Turn) -> None:
            seen.append(one.connection)
            if len(seen) < 12:
                await broker.ring(one)
            await asyncio.sleep(0)

        for name in "abc":
            await broker.ring(turn(name))
        consume(handler, workers=1)
        await until(lambda: len(seen) >= 12)
        assert "".join(seen[:12]) == "abc" * 4

    async def test_a_failure_is_logged_without_a_fuss(self, broker, consume):
        async def handler(_: Turn) -> None:
            raise ValueError("oops")

        with structlog.testing.capture_logs() as logs:
            consume(handler)
            await broker.ring(turn())
            await until(lambda: logs)
        assert logs[0]["event"] == "turn_failed"
        assert logs[0]["connection"] == "a"
        assert not broker._handled
