import asyncio

import pytest

from connector.drivers.metrics import NoMetrics
from connector.drivers.rabbit_broker import RabbitBroker
from tests.contract.broker_contract import BrokerContract
from tests.servers import rabbit


class TestRabbitBroker(BrokerContract):
    @pytest.fixture
    async def broker(self):
        node = await asyncio.to_thread(rabbit.shared)
        vhost = await asyncio.to_thread(node.vhost)
        broker = RabbitBroker(node.url(vhost), metrics=NoMetrics(), max_outstanding=4)
        await broker.open()
        yield broker
        await broker.close(drain_s=0)
