"""``connector mapping`` on a ledger in a file, next to a simulated marketplace over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import threading

import pytest
from click.testing import CliRunner

from adapters.demo import DemoMarketSimulator
from adapters.demo.market.state import DemoSimSettings
from connector.bootstrap import open_hub
from connector.cli.main import cli
from connector.domain.listing import Reason
from connector.domain.offer import Attribute, Content
from connector.drivers.clock import SystemClock
from connector.drivers.vault import generate_key
from connector.flows.documents import Saved, load_connection, put_listing
from connector.flows.mapper import take_mapping
from connector.sandbox.server import OutboundHttp, serve_simulator
from connector.sandbox.vtexsim import VtexSimulator
from connector.settings import Settings
from tests.unit.flows.operator_hub import NOW, a_listing


@pytest.fixture
def peers():
    """A simulated marketplace and VTEX on sockets, in a thread with a loop of its own."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    found = {}

    async def start():
        simulator = DemoMarketSimulator(
            clock=SystemClock(), outbound=OutboundHttp(), settings=DemoSimSettings(limits=False)
        )
        found["market"] = await serve_simulator(simulator, "127.0.0.1", 0)
        found["sim"] = VtexSimulator(clock=SystemClock(), outbound=OutboundHttp(), n_skus=3)
        found["vtex"] = await serve_simulator(found["sim"], "127.0.0.1", 0)
        ready.set()

    async def stop():
        await found["sim"].close()
        await found["sim"].outbound.close()
        for name in ("market", "vtex"):
            await found[name][0].cleanup()

    def run():
        loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(stop())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    yield found
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def run(tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith("CONNECTOR_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONNECTOR_STORE_URL", f"sqlite:///{tmp_path}/hub.db")
    monkeypatch.setenv("CONNECTOR_PUBLIC_URL", "https://hub.example.com")
    monkeypatch.setenv("CONNECTOR_SECRET_KEY", generate_key())
    monkeypatch.setenv("CONNECTOR_ALLOW_HOSTS", "127.0.0.1")

    def run(*words: str, stdin: str = "", code: int = 0):
        result = CliRunner().invoke(cli, list(words), input=stdin)
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return run


@pytest.fixture
def connection(run, peers):
    spec = {
        "account": "simstore",
        "affiliate_id": "MKT",
        "sales_channel": 2,
        "app_key": "key",
        "app_token": "token",
        "vtex_base_url": peers["vtex"][1],
        "adapter": "demo",
        "adapter_settings": {
            "base_url": peers["market"][1],
            "seller_id": "seller-1",
            "api_key": "demo-key",
            "webhook_secret": "demo-webhook-secret",
        },
    }
    added = json.loads(run("connection", "add", "--file", "-", stdin=json.dumps(spec)).stdout)
    listed(added["id"], "1", "31", ("Roupa", "T-Shirt"))
    listed(added["id"], "2", "32", ("Casa", "Coffee"))
    return added["id"]


def on_hub(work):
    async def opened():
        async with open_hub(Settings()) as hub:
            return await work(hub)

    return asyncio.run(opened())


def listed(connection_id, sku, category, path):
    """A SKU that VTEX sells and nobody mapped."""

    async def work(hub):
        connection = (await load_connection(hub.store, connection_id)).value
        listing = a_listing(connection, sku)
        record = listing.record.model_copy(
            update={
                "content": Content(
                    sku=sku,
                    product_id="9",
                    title=path[-1],
                    category_id=category,
                    category_path=path,
                    attributes=(Attribute(name="Colour", values=("blue", "grün")),),
                ),
                "product_active": True,
                "in_policy": True,
                "read_at": NOW,
            }
        )
        told = Reason(code="E4", text=f"category {'/'.join(path)} is not mapped")
        news = {"record": record, "confirmed": None, "reasons": (told,)}
        listing = listing.model_copy(update=news)
        await hub.store.commit([put_listing(Saved(listing), listing)])

    on_hub(work)


def test_a_merchants_way_from_nothing_to_a_mapping(run, connection, tmp_path):
    shown = json.loads(run("mapping", "status", connection, "--json").stdout)
    assert (shown["skus"], shown["blocked_skus"]) == (2, 2)

    ideas = tmp_path / "ideas.csv"
    said = run("mapping", "suggest", connection, "--file", str(ideas))
    assert "2 proposals" in said.stderr
    lines = ideas.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("kind,vtex_category,market_category")
    assert any(line.startswith("category,31,120,") for line in lines)

    dry = run("mapping", "import", connection, "--file", str(ideas), "--dry-run")
    assert "+ category 31 -> 120 (Fashion > T-shirts)" in dry.stdout
    assert "2 changes would make 2 SKUs be planned again" in dry.stderr
    done = run("mapping", "import", connection, "--file", str(ideas))
    assert "2 changes; 2 SKUs are planned again" in done.stderr
    assert "nothing changes" in run("mapping", "import", connection, "--file", str(ideas)).stderr

    shown = json.loads(run("mapping", "status", connection, "--json").stdout)
    assert (shown["blocked_skus"], shown["mapped_categories"]) == (0, 2)
    assert "nothing is missing" in run("mapping", "status", connection).stderr

    more = run("mapping", "suggest", connection).stdout.splitlines()
    assert any(line.startswith("attribute,,120,colour,Colour,") for line in more)

    saved = run("mapping", "export", connection, "--format", "json").stdout
    assert [row["vtex_category"] for row in json.loads(saved)] == ["31", "32"]
    back = run("mapping", "import", connection, "--file", "-", "--json", stdin=saved)
    assert json.loads(back.stdout)["changes"] == []
    audit = run("connection", "show", connection, "--json")
    assert audit.exit_code == 0


def test_everything_wrong_with_a_file_is_told_and_nothing_is_done(run, connection):
    rows = "kind,vtex_category,market_category\ncategory,31,100\ncategory,32,999\n"
    said = run("mapping", "import", connection, "--file", "-", stdin=rows, code=2).stderr
    assert "line 2: market_category 100 is no leaf" in said
    assert "line 3: market_category 999 is not in" in said
    assert "nothing was changed" in said
    said = run("mapping", "import", connection, "--file", "-", stdin="rubbish", code=2).stderr
    assert "there is no column 'rubbish'" in said
    assert run("mapping", "export", connection).stderr == "0 rows\n"


def test_looking_a_category_up(run, connection):
    found = json.loads(run("mapping", "find", connection, "charger cable", "--json").stdout)
    assert (found[0]["id"], found[0]["leaf"]) == ("320", True)
    assert "plug Plug (required): usb-c=USB-C" in found[0]["attributes"][0]
    assert "Fashion > Running shoes" in run("mapping", "find", connection, "110").stdout
    assert "no category is like that" in run("mapping", "find", connection, "zzz").stderr


def test_what_mapper_sent_is_accepted_by_hand(run, connection):
    async def send(hub):
        known = (await load_connection(hub.store, connection)).value
        body = [
            {"vtexCategoryId": "31", "marketplaceCategoryId": "120"},
            {"vtexCategoryId": "32", "marketplaceCategoryId": "nope"},
        ]
        await take_mapping(hub, known, json.dumps(body).encode())

    assert "has sent nothing" in run("mapping", "proposals", connection).stderr
    on_hub(send)
    (row,) = json.loads(run("mapping", "proposals", connection, "--json").stdout)
    assert row["changes"] == ["+ category 31 -> 120 (Fashion > T-shirts)"]
    assert "nope" in run("mapping", "proposals", connection, "--raw", row["key"]).stdout
    refused = run("mapping", "accept", connection, row["key"], code=2).stderr
    assert "market_category nope is not in" in refused
    done = run("mapping", "accept", connection, row["key"], "--sound-only")
    assert "1 changes; 1 SKUs" in done.stderr


def test_registering_with_mapper_over_http(run, connection, peers):
    told = json.loads(run("mapping", "register", connection, "--json").stdout)
    sim = peers["sim"].mappers[told["id"]]
    assert sim.trees[0]["categories"][0]["name"] == "Fashion"
    assert told["tree_categories"] == 12
    shown = json.loads(run("mapping", "status", connection, "--json").stdout)
    assert shown["mapper"].endswith(told["id"])
    assert "12 categories were sent" in run("mapping", "register", connection).stderr
    assert len(peers["sim"].mappers) == 1


def test_unknown_connections_are_refused(run, connection):
    assert connection
    for words in (["status"], ["export"], ["suggest"], ["proposals"]):
        assert "there is no connection" in run("mapping", *words, "nobody", code=2).stderr
