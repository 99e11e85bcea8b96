"""Commands on a ledger in a file."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner

from connector.cli.main import cli
from connector.drivers.vault import generate_key
from tests.integration.cli.support import HOOK, KEY, SPEC, TOKEN


@pytest.fixture
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
