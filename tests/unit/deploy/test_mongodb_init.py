"""deploy/mongodb/init.py on real servers with a key file: one node, then two, and again."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from connector.drivers import mongo_janitor
from connector.drivers.clock import SystemClock
from connector.drivers.mongo_store import MongoStore
from connector.ports import Document, Put
from tests.servers import mongo
from tests.servers.rabbit import free_ports
from tests.unit.deploy.files import DEPLOY, compose

ROOT_WORD, HUB_WORD = "the-word-of-root", "the-word-of-the-hub"


@pytest.fixture(scope="module")
def init():
    spec = importlib.util.spec_from_file_location("mongodb_init", DEPLOY / "mongodb/init.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def mongod(home: Path, port: int, *options: str) -> Iterator[None]:
    home.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [str(mongo.require()), "--dbpath", str(home), "--port", str(port), "--bind_ip", "127.0.0.1",
         "--logpath", str(home.with_suffix(".log")), "--nounixsocket",
         "--wiredTigerCacheSizeGB", "0.25", *options],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while not answers(port):
            assert process.poll() is None, home.with_suffix(".log").read_text()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
    finally:
        process.kill()  # a member that is asked to end waits for its set first
        process.wait(20)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def test_the_set_and_the_user_are_made_and_kept(init, tmp_path, capsys, monkeypatch):
    mongo.require()
    monkeypatch.setattr(init, "_REACH_MS", 200)
    first, second, away = free_ports(3)
    key = tmp_path / "keyfile"
    key.touch(0o600)
    key.write_text("a" * 100)
    key.chmod(0o400)
    words = tmp_path / "init.json"
    words.write_text(json.dumps({"root": ROOT_WORD, "hub": HUB_WORD}))
    hosts = [f"127.0.0.1:{port}" for port in (first, second, away)]
    options = ("--replSet", init.SET, "--keyFile", str(key))

    with (  # as the official image prepares an empty disk
        mongod(tmp_path / "one", first),
        MongoClient(f"127.0.0.1:{first}", directConnection=True) as client,
    ):
        client.admin.command(
            "createUser",
            "root",
            pwd=ROOT_WORD,
            roles=["root"],
            writeConcern={"w": 1, "j": True},
        )
    with mongod(tmp_path / "one", first, *options):
        for _ in range(2):
            init.main([str(words), *hosts])
            assert members(first) == hosts[:1]
        monkeypatch.setattr(mongo_janitor, "_ABANDONED_S", 0.01)
        asyncio.run(use(f"mongodb://hub:{HUB_WORD}@{hosts[0]},{hosts[2]}/hub?replicaSet=hub"))
        words.write_text(json.dumps({"root": ROOT_WORD, "hub": "a-new-word"}))
        with mongod(tmp_path / "two", second, *options):
            init.main([str(words), *hosts])
            init.main([str(words), *hosts])
            assert members(first) == hosts[:2]
        assert f"replica set hub: {hosts[0]}, {hosts[1]}\n" in capsys.readouterr().out


async def use(url: str) -> None:
    """The hub's own user may do all that the hub does: migrations, commits, ending transactions."""
    store = await MongoStore.opened(url, SystemClock())
    try:
        await store.commit([Put(Document("thing", "c", "k", "{}"))])
        books = store._books
        async with books.client.start_session() as session:
            await session.start_transaction()
            await books.database.things.insert_one({"b": 1}, session=session)
            async with asyncio.timeout(10):
                while not await mongo_janitor.end_abandoned(books):  # noqa: ASYNC110 - asked anew
                    await asyncio.sleep(0.05)
            with contextlib.suppress(PyMongoError):
                await session.abort_transaction()
    finally:
        await store.close()


def members(port: int) -> list[str]:
    """Who belongs to the set, as the hub's user may ask; its rights end at its database."""
    for word in (HUB_WORD, "a-new-word"):
        url = f"mongodb://hub:{word}@127.0.0.1:{port}/hub?replicaSet=hub"
        try:
            with MongoClient(url, serverSelectionTimeoutMS=10_000) as client:
                found = sorted(
                    client.admin.command("hello")["hosts"],
                    key=lambda host: host != f"127.0.0.1:{port}",
                )
                client.hub.things.insert_one({"a": 1})
                client.hub.things.create_index("a", name="by_a")
                with pytest.raises(OperationFailure, match="not authorized"):
                    client.other.things.insert_one({"a": 1})
                return found
        except OperationFailure as error:
            if error.code != 18:  # AuthenticationFailed: the word before or after
                raise
    raise AssertionError("neither word is right")


def test_compose_names_the_nodes_and_the_set(init):
    services = compose()["services"]
    hosts = services["mongo-init"]["command"][3:]
    assert hosts == [f"{name}:27017" for name in ("mongo1", "mongo2", "mongo3")]
    for host in hosts:
        command = services[host.partition(":")[0]]["command"]
        assert command[command.index("--replSet") + 1] == init.SET
        assert "--keyFile" in command
    assert init.DATABASE == "hub"
