"""Simulators as processes, and a connection between both that passes its checkup."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.cli.main import cli
from connector.sdk.registry import discover

COMMAND = Path(sys.executable).with_name("connector")


@pytest.fixture
def start(tmp_path) -> Iterator[Any]:
    """Start a simulator; returns what it tells and the process."""
    begun: list[subprocess.Popen[str]] = []

    def start(*words: str) -> tuple[Any, subprocess.Popen[str]]:
        process = subprocess.Popen(
            [str(COMMAND), "sim", *words, "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONWARNINGS": "error"},
        )
        begun.append(process)
        assert process.stdout is not None
        lines = []
        while not lines or lines[-1].rstrip() != "}":
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            lines.append(line)
        return json.loads("".join(lines)), process

    yield start
    for process in begun:
        process.terminate()
        process.communicate(timeout=20)


def read(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def test_a_simulated_vtex_account_as_a_process(start):
    told, process = start("vtex", "--skus", "5", "--account", "acme", "--faults", "hard")
    assert len(read(f"{told['base_url']}/_sim/skus")) == 5
    faults = read(f"{told['base_url']}/_sim/faults")
    assert faults["throttle"] > 0
    settings = read(f"{told['base_url']}/_sim/settings")
    assert settings["notify_loss"] > 0
    assert told["connection"]["app_key"] == "vtexappkey-acme-SIMULA"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert errors == ""


def test_a_connection_between_two_simulators_passes_its_checkup(start, tmp_path, monkeypatch):
    vtex, _ = start("vtex", "--skus", "20", "--seed", "3")
    market, _ = start("marketplace", "--adapter", "demo")
    hosts = [each["base_url"].partition("://")[2] for each in (vtex, market)]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONNECTOR_STORE_URL", f"sqlite:///{tmp_path}/hub.db")
    monkeypatch.setenv("CONNECTOR_PUBLIC_URL", "http://127.0.0.1:8080")
    monkeypatch.setenv("CONNECTOR_ALLOW_HOSTS", ",".join(hosts))
    spec = json.dumps({**vtex["connection"], **market["connection"]})

    def run(*words: str, stdin: str = "") -> Any:
        result = CliRunner().invoke(cli, list(words), input=stdin)
        assert result.exit_code == 0, (result.output, result.exception)
        return json.loads(result.stdout)

    added = run("connection", "add", "--file", "-", stdin=spec)
    found = run("connection", "check", added["id"], "--fix", "--json")
    assert [row["name"] for row in found if row["ok"] is False] == []
    oks = {row["name"] for row in found if row["ok"]}
    assert {"account", "app-key", "affiliate-endpoint", "prices-agree", "marketplace"} <= oks
    assert added["notification_url"].split("/")[6] not in json.dumps(found)
    affiliates = read(f"{vtex['base_url']}/_sim/status")["affiliates"]
    assert affiliates == ["MKT"]


@pytest.mark.parametrize("name", ["demo", "mirakl", "mercadolivre"])
def test_what_it_says_reaches_it(start, name):
    market, _ = start("marketplace", "--adapter", name)
    adapter = discover().get(name)
    settings = adapter.settings_model.model_validate(market["connection"]["adapter_settings"])
    assert adapter.base_url(settings) == market["base_url"]
    if adapter.app_settings_model is not None:
        adapter.app_settings_model.model_validate(market["application"][name])


def test_for_people_it_says_how_to_use_it(tmp_path):
    process = subprocess.Popen(
        [str(COMMAND), "sim", "marketplace", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stderr is not None
    lines = ""
    while "CONNECTOR_ALLOW_HOSTS" not in lines:
        line = process.stderr.readline()
        assert line
        lines += line
    process.terminate()
    stdout, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert json.loads(stdout)["adapter_settings"]["seller_id"] == "seller-1"
    assert "open nothing real" in lines


def test_a_taken_port_is_told(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(cli, ["sim", "vtex", "--port", port])
    assert result.exit_code == 2
    assert "cannot listen" in result.stderr


def test_an_adapter_that_is_not_there():
    result = CliRunner().invoke(cli, ["sim", "marketplace", "--adapter", "nope"])
    assert result.exit_code == 2
    assert "no adapter nope" in result.stderr


def test_an_adapter_without_a_simulator(monkeypatch):
    monkeypatch.delattr("adapters.demo.SIMULATOR")
    result = CliRunner().invoke(cli, ["sim", "marketplace"])
    assert result.exit_code == 2
    assert "brings no simulator" in result.stderr
