"""RabbitMQ's definitions fit the queues that the hub declares, and a real node takes both."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import aio_pika
import pytest
from aio_pika.exceptions import AMQPException

from connector.domain.pending import Context
from connector.drivers import rabbit_topology
from connector.ports import Turn
from tests.servers import rabbit
from tests.unit.deploy.files import compose, text
from tests.unit.deploy.test_make_secrets import script  # noqa: F401 - a fixture

QUEUES = [Turn("c", context, adapter).queue for context in Context for adapter in ("demo", "a-b_c")]
# Checked at boot by a container's path or port: no part of what a private node can try.
PLACES = ("load_definitions", "definitions.", "listeners.", "management.", "prometheus.", "log.")


def definitions() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(text("rabbitmq/definitions.json"))
    return loaded


def settings() -> dict[str, str]:
    lines = [line for line in text("rabbitmq/rabbitmq.conf").splitlines() if line.strip()]
    pairs = [line.partition("=") for line in lines if not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in pairs}


def policies_of(queue: str) -> list[dict[str, Any]]:
    return [one for one in definitions()["policies"] if re.search(one["pattern"], queue)]


@pytest.mark.parametrize("queue", QUEUES)
def test_policies_say_what_the_hub_says(queue):
    (policy,) = policies_of(queue)
    arguments = rabbit_topology.turn_arguments()
    for name, value in policy["definition"].items():
        assert arguments[f"x-{name}"] == value
    assert policy["definition"]["dead-letter-strategy"] == "at-least-once"


def test_the_policy_of_dead_letters_says_what_the_hub_says():
    (policy,) = policies_of(rabbit_topology.DEAD)
    arguments = rabbit_topology.dead_arguments()
    for name, value in policy["definition"].items():
        assert arguments[f"x-{name}"] == value


def test_no_password_is_in_the_file_and_no_queue():
    told = definitions()
    for user in told["users"]:
        assert set(user) == {"name", "hashing_algorithm", "tags"}
    assert told["queues"] == told["exchanges"] == told["bindings"] == []


def test_permissions_reach_the_hubs_queues_and_nothing_else():
    (hub,) = [one for one in definitions()["permissions"] if one["user"] == "hub"]
    for queue in (*QUEUES, rabbit_topology.DEAD):
        assert all(re.search(hub[right], queue) for right in ("configure", "write", "read"))
    assert re.search(hub["write"], "amq.default")
    for other in ("amq.topic", "x", "listings", "my.orders.demo", ""):
        assert not any(re.search(hub[right], other) for right in ("configure", "write", "read"))


def test_settings_agree_with_the_hub_and_compose():
    told, service = settings(), compose()["services"]["rabbitmq"]
    assert int(told["consumer_timeout"]) == rabbit_topology.turn_arguments()["x-consumer-timeout"]
    assert told["heartbeat"] == "15"
    assert {"vm_memory_high_watermark.relative", "disk_free_limit.absolute"} <= set(told)
    folder = told["load_definitions"].rpartition("/")[0]
    assert f"secrets-rabbitmq:{folder}:ro" in service["volumes"]
    enabled = re.findall(r"\w+", text("rabbitmq/enabled_plugins"))
    assert enabled == ["rabbitmq_management", "rabbitmq_prometheus"]
    vhost = definitions()["vhosts"][0]["name"]
    assert all(one["vhost"] == vhost for one in definitions()["permissions"])


@pytest.fixture
def node() -> Iterator[rabbit.Rabbit]:
    told = [
        f"{name} = {value}" for name, value in settings().items() if not name.startswith(PLACES)
    ]
    with rabbit.running(config=told) as one:
        yield one


async def test_a_real_node_takes_settings_definitions_and_the_hubs_queues(
    node,
    tmp_path,
    script,  # noqa: F811
):
    words = {"hub": "a-password-of-the-hub", "admin": "another"}
    place = tmp_path / "definitions.json"
    place.write_text(json.dumps(script.with_passwords(definitions(), words)), encoding="utf-8")
    await asyncio.to_thread(node.ctl, "import_definitions", str(place))
    address = f"amqp://hub:{words['hub']}@127.0.0.1:{node.port}/hub"
    async with await aio_pika.connect(address) as connection:
        for queue in QUEUES:
            await rabbit_topology.declare(connection, queue)
        channel = await connection.channel(on_return_raises=True)
        await channel.default_exchange.publish(aio_pika.Message(b"{}"), QUEUES[0])
        arguments = ("list_queues", "-p", "hub", "name", "policy", "consumers")
        listed = await asyncio.to_thread(node.ctl, *arguments)
        assert f"{QUEUES[0]}\tturns\t0" in listed
        assert f"{rabbit_topology.DEAD}\tdead-turns\t0" in listed
        with pytest.raises(AMQPException):
            await channel.declare_queue("somebody.elses")
