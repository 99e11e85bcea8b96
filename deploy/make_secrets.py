"""Makes every secret of a composed hub once, and never changes one that exists.

``python make_secrets.py --hub DIR --mongodb DIR --rabbitmq DIR --grafana DIR`` writes to each
folder what its server may know. It runs as root in the job ``secrets`` of compose.yaml, before
everything else; the standard library is all it needs.
"""
# ruff: noqa: INP001 - a script

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

HUB_UID = 10001
"""The user of the hub's image (see Dockerfile)."""
SERVER_UID = 999
"""The user of the official images of MongoDB and RabbitMQ."""
GRAFANA_UID = 472
SEEDS = "mongo1:27017,mongo2:27017,mongo3:27017"
"""A driver drops the seeds that are no members of the set, so this fits one node as well."""
_HERE = Path(__file__).resolve().parent


def main(arguments: list[str] | None = None) -> None:
    """Write whatever is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("hub", "mongodb", "rabbitmq", "grafana"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--definitions", type=Path, default=_HERE / "rabbitmq/definitions.json")
    to = parser.parse_args(arguments)

    root = _kept(to.mongodb / "root_password", SERVER_UID)
    store = _kept(to.mongodb / "hub_password", SERVER_UID)
    _kept(to.mongodb / "keyfile", SERVER_UID, lambda: base64.b64encode(os.urandom(756)).decode())
    _write(to.mongodb / "init.json", json.dumps({"root": root, "hub": store}), SERVER_UID)

    bell = _kept(to.rabbitmq / "hub_password", SERVER_UID)
    admin = _kept(to.rabbitmq / "admin_password", SERVER_UID)
    policies = json.loads(to.definitions.read_text(encoding="utf-8"))
    told = with_passwords(policies, {"hub": bell, "admin": admin})
    _write(to.rabbitmq / "definitions.json", json.dumps(told, indent=1), SERVER_UID)

    key = _kept(to.hub / "secret_key", HUB_UID, _sealing_key)
    token = _kept(to.hub / "admin_token", HUB_UID)
    environment = {
        "CONNECTOR_STORE_URL": f"mongodb://hub:{store}@{SEEDS}/hub?replicaSet=hub",
        "CONNECTOR_BROKER_URL": f"amqp://hub:{bell}@rabbitmq:5672/hub",
        "CONNECTOR_SECRET_KEY": key,
        "CONNECTOR_ADMIN_TOKEN": token,
    }
    lines = "".join(f"{name}={value}\n" for name, value in environment.items())
    _write(to.hub / ".env", lines, HUB_UID)
    _kept(to.grafana / "admin_password", GRAFANA_UID)


def with_passwords(definitions: Mapping[str, Any], passwords: Mapping[str, str]) -> dict[str, Any]:
    """RabbitMQ's definitions with the password hashes of their users.

    Raises:
        KeyError: a user has no password.
    """
    users = [
        {**user, "password_hash": password_hash(passwords[user["name"]])}
        for user in definitions["users"]
    ]
    return {**definitions, "users": users}


def password_hash(password: str, salt: bytes | None = None) -> str:
    """RabbitMQ's salted SHA-256: base64 of the salt (4 bytes) and the digest of salt + password."""
    salt = os.urandom(4) if salt is None else salt
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _random() -> str:
    return secrets.token_urlsafe(32)


def _sealing_key() -> str:
    return f"k1:{base64.b64encode(os.urandom(32)).decode()}"


def _kept(path: Path, uid: int, make: Callable[[], str] = _random) -> str:
    """The secret in a file; made if there is none yet."""
    if not path.exists():
        _write(path, make(), uid)
    return path.read_text(encoding="utf-8").strip()


def _write(path: Path, text: str, uid: int) -> None:
    """Whole or not at all, readable by its server alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    to = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o400)
    with os.fdopen(to, "w", encoding="utf-8") as file:
        file.write(text)
    if os.geteuid() == 0:
        os.chown(part, uid, uid)
    part.replace(path)


if __name__ == "__main__":
    main()
