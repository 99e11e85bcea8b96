"""Makes the replica set and the hub's user; run again, it changes only what is not as it should be.

``python init.py INIT_JSON HOST...``: the file holds the passwords of ``root`` (made by the official
image when the first node starts with an empty disk) and of ``hub``; the first host is the one that
has data. Later hosts join where they are reachable, so that the same call serves one node and
three.
"""
# ruff: noqa: INP001 - a script

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

SET = "hub"
DATABASE = "hub"
ROLES = [{"role": "readWrite", "db": DATABASE}, {"role": "dbAdmin", "db": DATABASE}]
"""``dbAdmin`` because the hub migrates its indexes and collections itself."""
_NOT_YET_INITIALIZED = 94
_USER_NOT_FOUND = 11
_WAIT_S = 60.0
_REACH_MS = 3_000

Node = MongoClient[dict[str, Any]]


def main(arguments: Sequence[str]) -> None:
    """Bring set and user to what they should be."""
    place, first, *others = arguments
    passwords = json.loads(Path(place).read_text(encoding="utf-8"))
    with node(first, passwords["root"]) as client:
        hosts = [first, *(host for host in others if reachable(host))]
        if not started(client):
            start(client, first)
        wait_for("a primary", lambda: primary_of(client))
    with node(first, passwords["root"], of_set=True) as client:
        for host in hosts[1:]:
            join(client, host)
        make_user(client, passwords["hub"])
    sys.stdout.write(f"replica set {SET}: {', '.join(hosts)}\n")


def node(host: str, password: str, *, of_set: bool = False) -> Node:
    """A client of one node, or of the set's primary."""
    where: dict[str, Any] = {"replicaSet": SET} if of_set else {"directConnection": True}
    return MongoClient(
        f"mongodb://{host}",
        username="root",
        password=password,
        serverSelectionTimeoutMS=int(_WAIT_S * 1000),
        w="majority",
        **where,
    )


def reachable(host: str) -> bool:
    """Whether a server answers there; nodes of a profile that is off do not."""
    try:
        with MongoClient[dict[str, Any]](
            f"mongodb://{host}", directConnection=True, serverSelectionTimeoutMS=_REACH_MS
        ) as client:
            client.admin.command("hello")
    except PyMongoError:
        return False
    return True


def started(client: Node) -> bool:
    """Whether the node belongs to a set."""
    try:
        client.admin.command("replSetGetStatus")
    except OperationFailure as error:
        if error.code != _NOT_YET_INITIALIZED:
            raise
        return False
    return True


def start(client: Node, host: str) -> None:
    """Make a set of one; the others join it with the data that it has by then."""
    config = {"_id": SET, "members": [{"_id": 0, "host": host, "priority": 2}]}
    client.admin.command("replSetInitiate", config)


def join(client: Node, host: str) -> None:
    """Add a member, unless it is one; one at a time, as the set's majority changes."""
    config = client.admin.command("replSetGetConfig")["config"]
    if any(member["host"] == host for member in config["members"]):
        return
    last = max(member["_id"] for member in config["members"])
    config["members"].append({"_id": last + 1, "host": host, "priority": 1})
    config["version"] += 1
    client.admin.command("replSetReconfig", config)
    wait_for(f"{host} to catch up", lambda: state_of(client, host) == "SECONDARY")


def state_of(client: Node, host: str) -> str:
    """What the set says of a member."""
    members = client.admin.command("replSetGetStatus")["members"]
    return next((member["stateStr"] for member in members if member["name"] == host), "")


def primary_of(client: Node) -> str:
    """Who leads, if anybody does."""
    return str(client.admin.command("hello").get("primary", ""))


def make_user(client: Node, password: str) -> None:
    """Make the hub's user, or give it the password and the roles that it should have."""
    database = client[DATABASE]
    try:
        database.command("updateUser", "hub", pwd=password, roles=ROLES)
    except OperationFailure as error:
        if error.code != _USER_NOT_FOUND:
            raise
        database.command("createUser", "hub", pwd=password, roles=ROLES)


def wait_for(what: str, done: Callable[[], object]) -> None:
    """Ask twice a second until it is so.

    Raises:
        TimeoutError: it was not so within a minute.
    """
    end = time.monotonic() + _WAIT_S
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {_WAIT_S:g} s for {what}")
        time.sleep(0.5)


if __name__ == "__main__":
    main(sys.argv[1:])
