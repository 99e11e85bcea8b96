"""The command line on a ledger in a file: what it prints, refuses, and never tells."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from connector.bootstrap import open_hub
from connector.cli.main import cli
from connector.domain.connection import ConnectionState
from connector.domain.entries import Direction, Entry, Operation, Status
from connector.domain.pending import Context
from connector.drivers.vault import generate_key
from connector.flows.documents import load_connection, load_listings
from connector.flows.views import progress_document
from connector.ports import Conflict, Document, Put, StoreUnavailable
from connector.settings import Settings
from tests.unit.flows.operator_hub import a_listing, an_order

TOKEN, KEY, HOOK = "CANARY-app-token", "CANARY-api-key", "CANARY-webhook-secret"
SPEC = {
    "account": "simstore",
    "affiliate_id": "MKT",
    "sales_channel": 2,
    "app_key": "vtexappkey-simstore-SIMULA",
    "app_token": TOKEN,
    "adapter": "demo",
    "adapter_settings": {
        "base_url": "http://127.0.0.1:1",
        "seller_id": "seller-1",
        "api_key": KEY,
        "webhook_secret": HOOK,
    },
    "rules": {"stock_buffer": 1},
}
URL_KEYS = {"id", "notification_url", "services_endpoint", "webhook_url", "logs_url"}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A ledger of its own, and nothing of the developer's environment."""
    for name in list(os.environ):
        if name.startswith("CONNECTOR_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONNECTOR_STORE_URL", f"sqlite:///{tmp_path}/hub.db")
    monkeypatch.setenv("CONNECTOR_PUBLIC_URL", "https://hub.example.com")
    monkeypatch.setenv("CONNECTOR_SECRET_KEY", generate_key())
    return tmp_path


@pytest.fixture
def run():
    def run(*words: str, stdin: str = "", code: int = 0):
        result = CliRunner().invoke(cli, list(words), input=stdin)
        assert result.exit_code == code, (result.output, result.exception)
        for secret in (TOKEN, KEY, HOOK):
            assert secret not in result.output
        return result

    return run


@pytest.fixture
def added(run):
    return json.loads(run("connection", "add", "--file", "-", stdin=json.dumps(SPEC)).stdout)


def on_hub(work):
    async def opened():
        async with open_hub(Settings()) as hub:
            return await work(hub)

    return asyncio.run(opened())


def connection_of(hub, added):
    return load_connection(hub.store, added["id"])


# --- connections ---


def test_add_prints_exactly_the_urls(added):
    assert set(added) == URL_KEYS
    for name in URL_KEYS - {"id"}:
        assert added[name].startswith("https://hub.example.com/")
        assert added["id"] in added[name]


def test_a_new_key_is_told_on_stderr(run, monkeypatch):
    monkeypatch.delenv("CONNECTOR_SECRET_KEY")
    result = run("connection", "add", "--file", "-", stdin=json.dumps(SPEC))
    assert "keep a copy" in result.stderr
    assert set(json.loads(result.stdout)) == URL_KEYS


def test_a_waiting_install_is_approved_by_adding(run):
    install = {"account": "simstore", "affiliate_id": "MKT", "told_at": "2026-01-01T00:00:00Z"}
    body = json.dumps(install)
    waiting = Document("app-install", "", "simstore-mkt", body, "waiting")
    on_hub(lambda hub: hub.store.commit([Put(waiting)]))
    (row,) = json.loads(run("connection", "list", "--json").stdout)
    assert (row["id"], row["state"]) == ("simstore-mkt", "waiting")
    assert "waiting" in run("connection", "list").stdout
    run("connection", "add", "--file", "-", stdin=json.dumps(SPEC))
    (row,) = json.loads(run("connection", "list", "--json").stdout)
    assert row["state"] == "active"


def test_a_connection_from_file_to_removal(run, place):
    (place / "spec.json").write_text(json.dumps(SPEC))
    connection = json.loads(run("connection", "add", "--file", "spec.json").stdout)["id"]

    (row,) = json.loads(run("connection", "list", "--json").stdout)
    assert (row["id"], row["state"]) == (connection, "active")
    shown = json.loads(run("connection", "show", connection, "--json").stdout)
    assert shown["rules"]["stock_buffer"] == 1
    assert shown["adapter_settings"]["api_key"] == "**********"
    rotated = json.loads(run("connection", "rotate", connection).stdout)
    assert set(rotated) == URL_KEYS
    assert connection in run("connection", "list").stdout
    assert "stock_buffer" in run("connection", "show", connection).stdout

    for command, state in (
        ("pause", "paused"),
        ("resume", "active"),
        ("disable", "disabled"),
        ("enable", "active"),
        ("disable", "disabled"),
    ):
        assert f"is now {state}" in run("connection", command, connection).stderr
    assert "already disabled" in run("connection", "disable", connection).stderr
    run("connection", "remove", connection)
    assert json.loads(run("connection", "list", "--json").stdout) == []
    assert "no connection" in run("connection", "show", connection, code=2).stderr


def test_states_that_do_not_follow_say_what_to_do(run, added):
    assert "disable the connection first" in run("connection", "remove", added["id"], code=2).stderr
    run("connection", "pause", added["id"])
    assert "resume it" in run("connection", "enable", added["id"], code=2).stderr
    run("connection", "disable", added["id"])
    assert "enable it" in run("connection", "resume", added["id"], code=2).stderr
    assert "enable it first" in run("connection", "pause", added["id"], code=2).stderr


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("not json", "JSON object"),
        ("[]", "JSON object"),
        ({**SPEC, "affiliate_id": "ABC"}, "affiliate_id"),
        ({**SPEC, "nonsense": TOKEN}, "nonsense"),
        ({**SPEC, "adapter": "nope"}, "no adapter nope"),
        ({**SPEC, "adapter_settings": {"api_key": [KEY]}}, "adapter_settings.api_key"),
        ({**SPEC, "app_token": {"leak": TOKEN}}, "app_token"),
    ],
)
def test_a_bad_description_is_refused_in_one_line(run, spec, told):
    text = spec if isinstance(spec, str) else json.dumps(spec)
    result = run("connection", "add", "--file", "-", stdin=text, code=2)
    assert told in result.stderr
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1


def test_one_affiliate_is_connected_once(run, added):
    text = json.dumps(SPEC)
    assert added["id"] in run("connection", "add", "--file", "-", stdin=text, code=2).stderr


def test_set_takes_json_text_and_unseen_secrets(run, added):
    result = run(
        "connection",
        "set",
        added["id"],
        "rules.stock_buffer=2",
        "rules.price_floor=null",
        'rules.categories={"12": "110"}',
        "rules.default_category=110",
        "sales_channel=3",
        "adapter_settings.seller_id=12345",
        "app_token=-",
        "adapter_settings.api_key=-",
        "--json",
        stdin=f"{TOKEN}-2\n{KEY}-2\n",
    )
    shown = json.loads(result.stdout)
    assert shown["rules"]["stock_buffer"] == 2
    assert shown["rules"]["categories"] == {"12": "110"}
    assert shown["rules"]["default_category"] == "110"
    assert shown["sales_channel"] == 3

    async def secrets(hub):
        found = (await connection_of(hub, added)).value
        place = f"{found.id}|app_token"
        token = hub.vault.open(found.sealed_app_token, bound_to=place)
        place = f"{found.id}|adapter_settings"
        return token, json.loads(hub.vault.open(found.sealed_adapter_settings, bound_to=place))

    token, settings = on_hub(secrets)
    assert token == f"{TOKEN}-2"
    assert (settings["api_key"], settings["seller_id"]) == (f"{KEY}-2", "12345")


@pytest.mark.parametrize(
    ("pair", "told"),
    [
        ("rules.stock_buffer=-1", "stock_buffer"),
        ("rules.stock_buffer=many", "stock_buffer"),
        ("rules.nope=1", "nope"),
        ("nope=1", "no setting nope"),
        ("account=other", "no setting account"),
        ("adapter_settings.nope=1", "nope"),
        ("stock_buffer", "NAME=VALUE"),
        ("=1", "NAME=VALUE"),
        ("app_token=", "must not be empty"),
        ("order_api=none", "order_api"),
    ],
)
def test_set_refuses_what_makes_no_sense(run, added, pair, told):
    assert told in run("connection", "set", added["id"], pair, code=2).stderr


def test_show_tells_urls_only_when_asked(run, added):
    secret = added["notification_url"].split("/")[6]
    assert secret not in run("connection", "show", added["id"], "--json").output
    shown = json.loads(run("connection", "show", added["id"], "--urls", "--json").stdout)
    assert shown["urls"]["notification_url"] == added["notification_url"]


def test_rotate_some_or_now(run, added):
    new = json.loads(run("connection", "rotate", added["id"], "--purpose", "notify").stdout)
    assert new["notification_url"] != added["notification_url"]
    assert new["services_endpoint"] == added["services_endpoint"]
    run("connection", "rotate", added["id"], "--now", "--purpose", "logs")
    shown = json.loads(run("connection", "show", added["id"], "--json").stdout)
    generations = [s["generation"] for s in shown["secrets"] if s["purpose"] == "logs"]
    assert max(generations) == 2
    run("connection", "rotate", added["id"], "--purpose", "nope", code=2)


def test_check_fails_with_1_and_says_what_to_do(run, added):
    run("connection", "set", added["id"], "vtex_base_url=http://127.0.0.1:1")
    result = run("connection", "check", added["id"], "--json", code=1)
    found = {row["name"]: row for row in json.loads(result.stdout)}
    assert found["account"]["ok"] is False
    assert "CONNECTOR_ALLOW_HOSTS" in found["account"]["fix"]
    assert "failed: account, marketplace" in result.stderr
    assert "FAIL" in run("connection", "check", added["id"], code=1).stdout


# --- rows ---


@pytest.fixture
def filled(added):
    async def fill(hub):
        from connector.domain.pending import Mark, Parked
        from connector.flows.documents import Saved, put_listing, put_order
        from connector.ports import Settle

        connection = (await connection_of(hub, added)).value
        now = hub.now()
        listing, order = a_listing(connection, "1001"), an_order(connection, "MP-1")
        entry = Entry(
            connection=connection.id,
            at=now,
            subject="1001",
            operation=Operation.PRICE_UPDATE,
            direction=Direction.TO_MARKETPLACE,
            status=Status.WARNING,
            code="E1",
            message="price [jumps]",
        )
        await hub.store.commit(
            [
                put_listing(Saved(listing), listing),
                put_order(Saved(order), order),
                Mark(connection.id, Context.LISTINGS, "1001", now),
                entry,
            ]
        )
        later = now.replace(year=now.year + 1)
        (claim,) = await hub.store.claim(
            connection.id, Context.LISTINGS, limit=9, now=hub.now(), lease_until=later
        )
        await hub.store.commit([Settle(claim, Parked(later, ("price jumps",)))])

    on_hub(fill)
    return added["id"]


def test_listings_orders_and_logs(run, filled):
    (listing,) = json.loads(run("listings", filled, "--json", "--state", "parked").stdout)
    assert listing["sku"] == "1001"
    assert "Shirt [new]" in run("listings", filled).stdout
    (order,) = json.loads(run("orders", filled, "--json").stdout)
    assert order["buyer"] == "Z*** Á***"
    assert "MP-1" in run("orders", filled).stdout
    assert "52998224725" not in run("orders", filled).output
    (entry,) = json.loads(run("logs", filled, "--json", "--status", "alert").stdout)
    assert entry["message"] == "price [jumps]"
    assert "price [jumps]" in run("logs", filled, "--date", entry["at"][:10]).stdout
    assert json.loads(run("logs", filled, "--json", "--status", "error").stdout) == []
    assert json.loads(run("logs", filled, "--json", "--date", "2020-01-31").stdout) == []
    assert json.loads(run("logs", filled, "--json", "--subject", "7").stdout) == []


def test_nothing_there_is_said_on_stderr(run, added):
    for words in (("listings",), ("orders",), ("logs",)):
        result = run(*words, added["id"])
        assert result.stdout == ""
        assert "no " in result.stderr
        assert json.loads(run(*words, added["id"], "--json").stdout) == []
    assert "nothing is parked" in run("parked", "list").stderr


@pytest.mark.parametrize("command", ["listings", "orders", "logs"])
def test_an_unknown_connection_is_refused(run, command):
    assert "connector connection list" in run(command, "nope", code=2).stderr


def test_parked_list_show_and_retry(run, filled):
    row, task = json.loads(run("parked", "list", "--json").stdout)
    assert (row["key"], row["reasons"]) == ("1001", ["price jumps"])
    assert task["key"] == "MP-1"
    assert task["reasons"][0].startswith("task: ")
    assert "price jumps" in run("parked", "list", filled).stdout
    shown = json.loads(run("parked", "show", filled, "1001", "--json").stdout)
    assert "E4: category is not mapped" in shown["reasons"]
    assert "category is not mapped" in run("parked", "show", filled, "1001").stdout
    order = run("parked", "show", filled, "MP-1", "--context", "orders").stdout
    assert "zoe@example.com" not in order

    assert "--all" in run("parked", "retry", filled, code=2).stderr
    assert "--all" in run("parked", "retry", filled, "1001", "--all", code=2).stderr
    assert "does not wait" in run("parked", "retry", filled, "7", code=2).stderr
    result = run("parked", "retry", filled, "1001", "--approve-price", "--json")
    assert json.loads(result.stdout) == {"retried": 1}

    async def approved(hub):
        return (await load_listings(hub.store, filled, ["1001"]))["1001"].value

    assert on_hub(approved).approved_price_minor == 20_000
    assert [row["key"] for row in json.loads(run("parked", "list", "--json").stdout)] == ["MP-1"]
    assert json.loads(run("parked", "retry", filled, "--all", "--json").stdout) == {"retried": 0}
    run("parked", "retry", filled, "MP-1")
    assert json.loads(run("parked", "list", "--json").stdout) == []


def test_sync_asks_for_a_backfill(run, added):
    assert "connector listings" in run("sync", added["id"]).stderr

    async def pending(hub):
        return await hub.store.pending(added["id"], Context.UPKEEP, parked=False)

    assert "backfill" in {row.key for row in on_hub(pending)}
    assert "no connection" in run("sync", "nope", code=2).stderr


def test_sync_follows_to_the_end(run, added, monkeypatch):
    """Progress of an earlier run is not taken for this one's."""
    pages = iter(
        [
            {
                "state": "running",
                "page": 1,
                "seen": 1000,
                "started_at": "2026-01-01T00:00:00+00:00",
            },
            {
                "state": "done",
                "page": 2,
                "seen": 1500,
                "started_at": "2026-01-01T00:00:00+00:00",
                "finished_at": "2026-01-01T00:00:10+00:00",
            },
        ]
    )
    old = Document("progress", added["id"], "backfill", '{"state": "done", "finished_at": "x"}')
    on_hub(lambda hub: hub.store.commit([Put(old)]))

    async def worked(store, connection_id):
        found = await progress_document(store, connection_id)
        if found is not None and (page := next(pages, None)) and worked.begun:
            await store.commit(
                [Put(Document("progress", connection_id, "backfill", json.dumps(page), "",
                              found.version))]
            )  # fmt: skip
        worked.begun = True
        return found

    worked.begun = False
    pages = iter([None, *pages])
    monkeypatch.setattr("connector.cli.sync.progress_document", worked)
    monkeypatch.setattr("connector.cli.sync._LOOK_S", 0)
    result = run("sync", added["id"], "--follow", "--json")
    assert json.loads(result.stdout)["seen"] == 1500
    assert "running: 1000 SKUs, page 1" in result.stderr
    assert "150 per second" in result.stderr


# --- adapters, settings, help ---


def test_adapters(run):
    rows = json.loads(run("adapter", "list", "--json").stdout)
    assert {"name": "demo", "title": "Demo Market", "ok": True, "problem": ""} in rows
    assert "Demo Market" in run("adapter", "list").stdout
    shown = json.loads(run("adapter", "show", "demo", "--json").stdout)
    assert "listings.create" in shown["capabilities"]
    (key,) = [field for field in shown["settings"] if field["name"] == "api_key"]
    assert (key["secret"], key["required"]) == (True, True)
    assert "api_key" in run("adapter", "show", "demo").stdout
    assert "found: " in run("adapter", "show", "nope", code=2).stderr


def test_settings_reference(run, monkeypatch):
    monkeypatch.setenv("CONNECTOR_ADMIN_TOKEN", TOKEN)
    assert "`CONNECTOR_STORE_URL`" in run("settings").stdout
    rows = json.loads(run("settings", "--json").stdout)
    assert {row["variable"] for row in rows} > {"CONNECTOR_STORE_URL", "CONNECTOR_PUBLIC_URL"}


def test_settings_that_cannot_work_are_one_line(run, monkeypatch):
    monkeypatch.setenv("CONNECTOR_STORE_URL", "mongodb://x")
    result = run("connection", "list", code=2)
    assert "CONNECTOR_STORE_URL" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_ledger_that_cannot_be_opened_is_one_line(run, monkeypatch, place):
    (place / "file").write_text("x")
    monkeypatch.setenv("CONNECTOR_STORE_URL", f"sqlite:///{place}/file/hub.db")
    assert run("connection", "list", code=2).stderr.startswith("Error: ")


def test_another_key_opens_no_secret(run, added, monkeypatch):
    monkeypatch.setenv("CONNECTOR_SECRET_KEY", generate_key())
    assert "seal" in run("connection", "show", added["id"], "--urls", code=1).stderr


@pytest.mark.parametrize(
    ("error", "told"),
    [(Conflict("x"), "try again"), (StoreUnavailable("disk full"), "disk full")],
)
def test_a_ledger_that_refuses_is_told(run, added, monkeypatch, error, told):
    async def refuse(*_, **__):
        raise error

    monkeypatch.setattr("connector.flows.connections.set_state", refuse)
    assert told in run("connection", "pause", added["id"], code=1).stderr


def _commands(command, *path):
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _commands(inner, *path, name)


@pytest.mark.parametrize("path", list(_commands(cli)), ids=" ".join)
def test_every_command_has_help(run, path):
    text = run(*path, "--help").stdout
    assert "Usage: " in text
    assert len(text.splitlines()) > 4


def test_usage_errors_exit_with_2(run):
    run("nope", code=2)
    run("connection", "add", code=2)
    run("connection", "add", "--file", "missing.json", code=2)
    run("serve", "--role", "boss", code=2)
    assert re.search(r"connector, version \S+", run("--version").stdout)


# --- as a process ---


def test_the_installed_command(place):
    command = Path(sys.executable).with_name("connector")

    def call(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(command), *words], input=stdin, capture_output=True, text=True, check=False,
            timeout=60,
        )  # fmt: skip

    added = call("connection", "add", "--file", "-", stdin=json.dumps(SPEC))
    assert added.returncode == 0, added.stderr
    connection = json.loads(added.stdout)["id"]
    assert [row["id"] for row in json.loads(call("connection", "list", "--json").stdout)] == [
        connection
    ]
    assert json.loads(call("connection", "show", connection, "--json").stdout)["id"] == connection
    assert set(json.loads(call("connection", "rotate", connection).stdout)) == URL_KEYS
    assert call("connection", "remove", connection).returncode == 2
    for word in ("disable", "remove"):
        done = call("connection", word, connection)
        assert (done.returncode, done.stdout) == (0, "")
        assert TOKEN not in done.stderr
    assert json.loads(call("connection", "list", "--json").stdout) == []

    async def state(hub):
        return (await load_connection(hub.store, connection)).value.state

    assert on_hub(state) is ConnectionState.REMOVED


def test_a_command_loads_itself_alone():
    """A hub that starts has no use for the simulators of the other commands."""
    code = (
        "import sys; from connector.cli.main import cli; cli.get_command(None, 'serve');"
        "print([name for name in sys.modules if '.sandbox' in name or '.sdk.kit' in name])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_command_that_is_nearly_right_is_named(run):
    assert "Did you mean serve?" in run("serv", code=2).stderr
    assert "No such command 'xyz'." in run("xyz", code=2).stderr
