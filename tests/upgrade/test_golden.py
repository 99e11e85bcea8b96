"""What earlier versions wrote is read, worked on and moved by this one."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.bootstrap import open_hub
from connector.cli.main import cli
from connector.domain.listing import Listing
from connector.domain.order import Order
from connector.domain.order_facts import Told, fold_facts
from connector.domain.pending import Context, Finished
from connector.drivers.rabbit_messages import decode
from connector.flows.documents import Saved, load_connections, put_listing, put_order
from connector.ports import EntryQuery, Settle, Turn
from connector.settings import Settings
from tests.servers import mongo

KEY = "golden:Z29sZGVuLWdvbGRlbi1nb2xkZW4tZ29sZGVuLTEyMzQ="
_TABLES = ("documents", "facts", "holds", "entries", "pending")


@dataclass(frozen=True)
class Golden:
    """What is in a dump."""

    version: str
    listings: dict[str, int]
    orders: dict[str, int]
    pending: int
    facts: int

    def restore(self, folder: Path) -> str:
        """Make the ledger again; its URL."""
        place = folder / "hub.db"
        dump = Path(__file__).parent / "golden" / f"{self.version}.sql.gz"
        with sqlite3.connect(place) as db:
            db.executescript(gzip.decompress(dump.read_bytes()).decode())
        db.close()
        return f"sqlite:///{place}"


GOLDEN = [
    Golden(
        "0.1.0",
        listings={"listed": 17, "new": 2, "parked": 1},
        orders={"cancelled": 4, "delivered": 7, "invoiced": 1},
        pending=25,
        facts=48,
    )
]


@pytest.fixture(params=GOLDEN, ids=lambda golden: golden.version)
def golden(request) -> Golden:
    return request.param


@pytest.fixture
async def hub(golden: Golden, tmp_path: Path):
    settings = Settings(_env_file=None, store_url=golden.restore(tmp_path), secret_key=KEY)
    async with open_hub(settings) as hub:
        yield hub


async def test_every_document_is_read_without_loss(hub, golden: Golden):
    models = {"listing": Listing, "order": Order}
    states: dict[str, Counter[str]] = {kind: Counter() for kind in models}
    for kind, model in models.items():
        for document in await hub.store.scan(kind):
            value = model.model_validate_json(document.body)
            kept = json.loads(value.model_dump_json())
            assert _within(json.loads(document.body), kept), (kind, document.key)
            states[kind][document.state] += 1
    assert states == {"listing": golden.listings, "order": golden.orders}


def _within(old: object, new: object) -> bool:
    """Whether all that was written is still there; fields may have been added."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(name in new and _within(value, new[name]) for name, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_within, old, new))
    return old == new


async def test_connections_open_with_their_secrets(hub):
    (saved,) = await load_connections(hub.store)
    peers = hub.peers.of(saved.value, Context.LISTINGS)
    assert peers.adapter.settings.api_key.get_secret_value()
    assert saved.value.rules.default_document == ""  # a rule that did not exist then


async def test_facts_fold_to_the_order_that_was_saved(hub, golden: Golden):
    folded = 0
    for document in await hub.store.scan("order"):
        order = Order.model_validate_json(document.body)
        facts = await hub.store.facts(document.connection, order.ref)
        told = [Told(fact.seq, fact.kind, fact.body, fact.at) for fact in facts]
        again, _ = fold_facts(order, told)
        assert again == order
        folded += len(facts)
    assert folded == golden.facts


async def test_all_that_was_pending_is_claimed_and_settled(hub, golden: Golden):
    (connection,) = await load_connections(hub.store)
    later = datetime.now(UTC) + timedelta(days=400)
    settled = 0
    for context in Context:
        claims = await hub.store.claim(
            connection.value.id, context, limit=500, now=later, lease_until=later + timedelta(60)
        )
        await hub.store.commit([Settle(claim, Finished()) for claim in claims])
        settled += len(claims)
    assert settled == golden.pending


async def test_what_was_read_can_be_saved_again(hub):
    for kind, model, put in (("listing", Listing, put_listing), ("order", Order, put_order)):
        for document in await hub.store.scan(kind):
            value = model.model_validate_json(document.body)
            await hub.store.commit([put(Saved(value, document.version), value)])
        assert all(document.version > 1 for document in await hub.store.scan(kind))


async def test_the_log_is_read(hub):
    (connection,) = await load_connections(hub.store)
    entries = await hub.store.entries(EntryQuery(connection.value.id, limit=500))
    assert len(entries) > 100
    assert all(entry.message for entry in entries)


@pytest.mark.parametrize(
    "command",
    [
        ("connection", "list", "--json"),
        ("parked", "list", "--json"),
    ],
)
def test_commands_work_on_it(golden: Golden, tmp_path: Path, monkeypatch, command):
    monkeypatch.setenv("CONNECTOR_STORE_URL", golden.restore(tmp_path))
    monkeypatch.setenv("CONNECTOR_SECRET_KEY", KEY)
    result = CliRunner().invoke(cli, list(command))
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)


def test_it_moves_up(golden: Golden, tmp_path: Path, monkeypatch):
    target = mongo.shared().url()
    source = golden.restore(tmp_path)
    monkeypatch.setenv("CONNECTOR_SECRET_KEY", KEY)
    result = CliRunner().invoke(cli, ["store", "copy", source, target])
    assert result.exit_code == 0, result.output
    monkeypatch.setenv("CONNECTOR_STORE_URL", target)
    listed = CliRunner().invoke(cli, ["connection", "list", "--json"])
    assert listed.exit_code == 0, listed.output
    assert len(json.loads(listed.stdout)) == 1


def test_messages_of_every_version_are_read():
    # Messages of 0.2.0, the first version with RabbitMQ.
    body = b'{"v":1,"connection":"shop-mkt-1","context":"listings"}'
    assert decode(body, "listings.demo") == Turn("shop-mkt-1", Context.LISTINGS, "demo")
