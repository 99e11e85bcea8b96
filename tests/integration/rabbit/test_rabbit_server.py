"""The private node itself: it ends with whoever started it, however that one ends."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.rabbit.support import until
from tests.servers import rabbit

_STARTER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from tests.servers import rabbit
with rabbit.running() as node:
    print(node.home, node.port, node._epmd_port, flush=True)
    time.sleep(600)
"""


def listening(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def starter():
    """A process that started a node and waits."""
    rabbit.require()
    with subprocess.Popen(
        [sys.executable, "-c", _STARTER, str(rabbit.ROOT)], stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


async def test_a_node_ends_with_a_starter_that_was_killed(starter):
    home, *ports = (await asyncio.to_thread(starter.stdout.readline)).split()
    assert all(listening(int(port)) for port in ports)
    starter.kill()
    await until(lambda: not any(listening(int(port)) for port in ports))
    await until(lambda: not Path(home).exists())


def test_without_rabbitmq_tests_skip_or_fail_with_the_way_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("CONNECTOR_RABBITMQ_BIN", str(tmp_path))
    monkeypatch.delenv("CONNECTOR_REQUIRE_SERVERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="make servers"):
        rabbit.require()
    monkeypatch.setenv("CONNECTOR_REQUIRE_SERVERS", "1")
    with pytest.raises(pytest.fail.Exception, match="make servers"):
        rabbit.require()
