"""Secrets are made once, each for its server alone, and the hub and RabbitMQ accept them."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import stat
import sys

import pytest

from connector.drivers.vault import AesVault
from connector.settings import PREFIX, Settings
from tests.unit.deploy.files import DEPLOY, compose

FOLDERS = ("hub", "mongodb", "rabbitmq", "grafana")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_secrets", DEPLOY / "make_secrets.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def made(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script.os, "chown", lambda *_: None)
    arguments = [f"--{name}={tmp_path / name}" for name in FOLDERS]
    script.main(arguments)
    return tmp_path, lambda: script.main(arguments)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_nothing_that_exists_changes(made):
    folder, again = made
    before = contents(folder)
    again()
    after = contents(folder)
    # The salt of RabbitMQ's hashes is new each time; whom they let in is not.
    assert before.keys() == after.keys()
    different = {name for name in before if before[name] != after[name]}
    assert different <= {"rabbitmq/definitions.json"}


def test_files_are_for_their_server_alone(made):
    folder, _ = made
    for path in folder.rglob("*"):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o400, path
            assert not path.name.endswith(".part")


def test_the_hub_accepts_its_settings(made, monkeypatch):
    folder, _ = made
    for name in list(__import__("os").environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(folder / "hub")
    settings = Settings()
    settings.require_serve()
    assert settings.store_url.startswith("mongodb://hub:")
    assert settings.store_url.endswith("/hub?replicaSet=hub")
    assert settings.broker_url.startswith("amqp://hub:")
    assert settings.secret_key
    assert settings.admin_token
    vault = AesVault([settings.secret_key.get_secret_value()])
    assert vault.open(vault.seal("x", bound_to="y"), bound_to="y") == "x"


def test_rabbitmq_lets_in_who_has_the_password(made, script):
    folder, _ = made
    told = json.loads((folder / "rabbitmq/definitions.json").read_text(encoding="utf-8"))
    for user in told["users"]:
        word = (folder / f"rabbitmq/{user['name']}_password").read_text(encoding="utf-8")
        raw = base64.b64decode(user["password_hash"])
        salt, digest = raw[:4], raw[4:]
        assert hashlib.sha256(salt + word.encode()).digest() == digest
    # The worked example of RabbitMQ's page "Passwords": salt 908DC60A, password test12.
    known = script.password_hash("test12", bytes.fromhex("908DC60A"))
    assert known == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"


def test_definitions_keep_everything_else(made):
    folder, _ = made
    told = json.loads((folder / "rabbitmq/definitions.json").read_text(encoding="utf-8"))
    ours = json.loads((DEPLOY / "rabbitmq/definitions.json").read_text(encoding="utf-8"))
    for user in told["users"]:
        del user["password_hash"]
    assert told == ours


def test_a_user_without_password_is_an_error(script):
    with pytest.raises(KeyError):
        script.with_passwords({"users": [{"name": "guest"}]}, {"hub": "x"})


def test_the_key_file_is_one_that_mongod_takes(made):
    folder, _ = made
    key = (folder / "mongodb/keyfile").read_text(encoding="utf-8")
    assert 6 <= len(key) <= 1024
    base64.b64decode(key, validate=True)


def test_the_job_writes_where_the_servers_look():
    job = compose()["services"]["secrets"]
    given = dict(part.removeprefix("--").split("=") for part in job["command"][2:])
    assert set(given) == set(FOLDERS)
    for name, place in given.items():
        assert f"secrets-{name}:{place}" in job["volumes"]
    assert job["network_mode"] == "none"


def test_it_needs_the_standard_library_alone():
    source = (DEPLOY / "make_secrets.py").read_text(encoding="utf-8")
    imported = {line.split()[1].partition(".")[0] for line in source.splitlines()
                if line.startswith(("import ", "from "))}  # fmt: skip
    assert imported - {"__future__"} <= set(sys.stdlib_module_names)
