import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.pending import Context
from connector.drivers.rabbit_messages import Unreadable, decode, encode
from connector.drivers.rabbit_topology import dead_arguments, turn_arguments
from connector.ports import Turn

NAMES = st.text(min_size=1, max_size=40)


@given(NAMES, st.sampled_from(Context), st.from_regex(r"[a-z][a-z0-9_.]{0,20}", fullmatch=True))
def test_what_is_written_is_read(connection, context, adapter):
    turn = Turn(connection, context, adapter)
    assert decode(encode(turn), turn.queue) == turn


def test_a_message_names_a_connection_and_a_context_and_nothing_else():
    """The golden message: every version to come must read it."""
    turn = Turn("acme-mirakl", Context.ORDERS, "mirakl")
    assert encode(turn) == b'{"v":1,"connection":"acme-mirakl","context":"orders"}'


def test_fields_of_later_versions_are_ignored():
    body = b'{"v":1,"connection":"a","context":"orders","more":[1]}'
    assert decode(body, "orders.demo") == Turn("a", Context.ORDERS, "demo")


@pytest.mark.parametrize(
    ("body", "queue"),
    [
        (b"", "orders.demo"),
        (b"\xff\xfe", "orders.demo"),
        (b"[" * 100_000, "orders.demo"),
        (b"[]", "orders.demo"),
        (b'{"connection":"a","context":"orders"}', "orders.demo"),
        (b'{"v":2,"connection":"a","context":"orders"}', "orders.demo"),
        (b'{"v":1,"connection":"","context":"orders"}', "orders.demo"),
        (b'{"v":1,"connection":7,"context":"orders"}', "orders.demo"),
        (b'{"v":1,"connection":"a","context":"listings"}', "orders.demo"),
        (b'{"v":1,"connection":"a","context":"made up"}', "made up.demo"),
        (b'{"v":1,"connection":"a","context":"orders"}', "orders"),
    ],
)
def test_anything_else_is_unreadable(body, queue):
    with pytest.raises(Unreadable):
        decode(body, queue)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_arrives_is_a_turn_or_unreadable(body):
    with contextlib.suppress(Unreadable):
        assert isinstance(decode(body, "orders.demo"), Turn)


def test_dead_letters_are_kept_at_least_once():
    """RabbitMQ falls back to at-most-once silently, unless all of these are set."""
    arguments = turn_arguments()
    assert arguments["x-queue-type"] == "quorum"
    assert arguments["x-dead-letter-strategy"] == "at-least-once"
    assert arguments["x-overflow"] == "reject-publish"
    assert arguments["x-dead-letter-exchange"]
    assert arguments["x-max-length"] == 100_000
    assert arguments["x-delivery-limit"] == 20
    # A full queue of dead letters must not hold up the queues that feed it.
    assert dead_arguments()["x-overflow"] == "drop-head"
