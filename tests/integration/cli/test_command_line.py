"""The command itself: adapters, settings, help, errors, and as a process."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from connector.cli.main import cli
from connector.domain.connection import ConnectionState
from connector.drivers.vault import generate_key
from connector.flows.documents import load_connection
from connector.ports import Conflict, StoreUnavailable
from tests.integration.cli.support import SPEC, TOKEN, URL_KEYS, on_hub

pytestmark = pytest.mark.usefixtures("place")


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
