"""A ledger moves to MongoDB, and into a file while it is used."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.cli.main import cli
from connector.domain.pending import Context, Failed, Finished, Parked, Priority
from connector.drivers.mongo_store import MongoStore
from connector.drivers.sqlite_store import SqliteStore
from connector.ports import (
    Document,
    EntryQuery,
    EraseFacts,
    Hold,
    Put,
    Settle,
    Store,
    StoreUnavailable,
)
from tests.contract.store_words import C, HandClock, at, document, entry, fact, mark
from tests.servers import mongo

ROOT = Path(__file__).parents[3]
PLACES = [(connection, context) for connection in (C, "b") for context in Context]


@pytest.fixture(autouse=True)
def source(tmp_path, monkeypatch) -> str:
    """A ledger with something of everything."""
    for name in list(os.environ):
        if name.startswith("CONNECTOR_") and name != "CONNECTOR_REQUIRE_SERVERS":
            monkeypatch.delenv(name)
    url = f"sqlite:///{tmp_path}/hub.db"
    asyncio.run(filled(url))
    return url


@pytest.fixture
def target() -> str:
    return mongo.shared().url()


async def filled(url: str) -> None:
    clock = HandClock()
    store = SqliteStore(url, clock)
    keys = [f"k{n:02}" for n in range(40)]
    hints = [{"price": True}, {"stock": True, "active": False}, {"sold": True, "removed": True}]
    await store.commit([mark(key, **hints[n % 3]) for n, key in enumerate(keys)])
    await store.commit([mark(key, context=Context.ORDERS, connection="b") for key in keys[:3]])
    claims = await store.claim(C, Context.LISTINGS, limit=20, now=at(0), lease_until=at(60))
    clock.set(5)
    await store.commit([mark(claims[0].key, 9, Priority.URGENT), mark(claims[1].key)])
    ends = [
        Finished(),
        Finished(at(500), Priority.ECHO),
        Failed(at(70), Priority.CHANGE, "busy"),
        Parked(at(900), ("a", "zero\0zero")),
    ]
    await store.commit([Settle(one, ends[n % 4]) for n, one in enumerate(claims[:16])])
    parked = await store.pending(C, Context.LISTINGS, parked=True)
    await store.commit([mark(parked[0].key)])  # let go
    await store.commit([Put(document(key, key * 50, "live")) for key in keys])
    await store.commit(
        [Put(Document("order", C, f"o{n}", f'{{"n":{n}}}', "open")) for n in range(4)]
    )
    for n in range(12):
        await store.commit([fact(f"f{n}", str(n), f"o{n % 3}"), entry(str(n), second=n)])
    await store.commit([EraseFacts(C, "o1"), Hold("shop", "1", C, "o1", 3)])
    await store.commit([Hold("shop", f"{n}", C, "o2", n + 1) for n in range(5)])
    await store.forget(entries_before=at(3))
    await store.close()


async def everything(store: Store) -> dict[str, Any]:
    """All that can be asked of a store, claims included."""
    told: dict[str, Any] = {
        "documents": [*await store.scan("listing"), *await store.scan("order")],
        "facts": [await store.facts(C, f"o{n}") for n in range(4)],
        "held": await store.held("shop", [str(n) for n in range(6)]),
        "entries": await store.entries(EntryQuery(C)),
        "due": await store.due(at(100)),
        "next_due": await store.next_due(),
        "stats": await store.pending_stats(at(30)),
    }
    for connection, context in PLACES:
        for parked in (False, True):
            rows = await store.pending(connection, context, parked=parked)
            told[f"{connection} {context} {parked}"] = rows
        told[f"{connection} {context}"] = await store.claim(
            connection, context, limit=100, now=at(1000), lease_until=at(1060)
        )
    return told


async def asked(url: str) -> dict[str, Any]:
    clock = HandClock()
    clock.set(30)
    mongodb = url.startswith("mongodb")
    store = await MongoStore.opened(url, clock) if mongodb else SqliteStore(url, clock)
    try:
        return await everything(store)
    finally:
        await store.close()


def run(*arguments: str):
    return CliRunner().invoke(cli, ["store", *arguments])


def test_everything_moves(source, target):
    done = run("copy", source, target, "--json")
    assert done.exit_code == 0, done.output
    rows = {one["collection"]: one for one in json.loads(done.stdout)}
    assert {name: one["rows"] for name, one in rows.items()} == {
        "documents": 44,
        "facts": 10,  # 8, and the places of those that were erased
        "holds": 6,
        "entries": 9,
        "pending": 40,
    }
    assert len({one["checksum"] for one in rows.values()}) == 5
    assert "CONNECTOR_STORE_URL" in done.stderr
    first, second = asyncio.run(asked(source)), asyncio.run(asked(target))
    assert first == second


def test_numbers_go_on_behind_those_that_were_given_out(source, target):
    async def numbers(url: str) -> tuple[int, ...]:
        clock = HandClock()
        store = await MongoStore.opened(url, clock)
        (claim,) = await store.claim("b", Context.ORDERS, limit=1, now=at(0), lease_until=at(60))
        await store.commit([entry("new"), fact("new", subject="o1"), fact("new", subject="o0")])
        (newest,) = await store.entries(EntryQuery(C, limit=1))
        seqs = [(await store.facts(C, about))[-1].seq for about in ("o1", "o0")]
        await store.close()
        return claim.fence, newest.id, *seqs

    assert run("copy", source, target).exit_code == 0
    fence, entry_id, erased, kept = asyncio.run(numbers(target))
    assert fence == 2
    assert entry_id == 13
    assert erased == 13  # whoever saw facts up to 12 must see this one
    assert kept == 11


def test_a_copy_that_was_killed_goes_on_where_it_was(source, target, tmp_path):
    with sqlite3.connect(tmp_path / "hub.db") as db:
        rows = [("listing", C, f"m{n:06}", "", 1, "x" * 300) for n in range(25_000)]
        db.executemany(
            "INSERT INTO documents (kind, connection, key, state, version, body)"
            " VALUES (?,?,?,?,?,?)",
            rows,
        )
    db.close()
    command = [sys.executable, "-m", "connector.cli.main", "store", "copy", source, target]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("documents: ") and int(line.split()[1]) > 10_000:
            break
    process.kill()
    process.communicate()
    with pytest.raises(StoreUnavailable, match="under way"):
        asyncio.run(asked(target))  # no hub starts on half a ledger
    elsewhere = f"sqlite:///{tmp_path}/other.db"
    asyncio.run(filled(elsewhere))
    refused = run("copy", elsewhere, target)
    assert (refused.exit_code, "unfinished copy" in refused.stderr) == (2, True)

    done = run("copy", source, target, "--json")
    assert done.exit_code == 0, done.output
    lines = [line for line in done.stderr.splitlines() if line.startswith("documents: ")]
    assert int(lines[0].split()[1]) > 10_000  # it did not begin anew
    assert {one["collection"]: one["rows"] for one in json.loads(done.stdout)}[
        "documents"
    ] == 25_044
    assert asyncio.run(asked(source)) == asyncio.run(asked(target))


def test_a_target_that_anybody_used_is_refused(source, target):
    async def used() -> None:
        await (await MongoStore.opened(target, HandClock())).close()

    asyncio.run(used())
    refused = run("copy", source, target)
    assert refused.exit_code == 2
    assert "in use by a hub, or was" in refused.stderr
    asyncio.run(used())  # and nothing of the attempt is left


def test_a_finished_copy_is_not_copied_over(source, target):
    assert run("copy", source, target).exit_code == 0
    again = run("copy", source, target)
    assert again.exit_code == 2
    assert "holds a finished copy" in again.stderr


def test_a_source_in_use_is_refused(source, target):
    async def meanwhile() -> Any:
        store = SqliteStore(source, HandClock())
        try:
            return await asyncio.to_thread(run, "copy", source, target)
        finally:
            await store.close()

    refused = asyncio.run(meanwhile())
    assert refused.exit_code == 1
    assert "stop every hub that uses it" in refused.stderr
    assert run("copy", source, target).exit_code == 0


def test_a_source_that_changed_between_two_attempts_is_noticed(source, target, monkeypatch):
    from connector.drivers import moving

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(moving._Move, "_count_on", killed)
        assert run("copy", source, target).exit_code == 1

    async def changed() -> None:
        store = SqliteStore(source, HandClock())
        await store.commit([Put(document("k01", "changed", "live", 1))])
        await store.close()

    asyncio.run(changed())
    noticed = run("copy", source, target)
    assert noticed.exit_code == 1
    assert "documents differ: 44 in the source, 44 in the target" in noticed.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("sqlite:///nothing-there.db", "mongodb://127.0.0.1/x"), "there is no nothing-there.db"),
        (("mongodb://user:s3cret@a/b", "mongodb://127.0.0.1/x"), "not a SQLite URL"),
        (("SOURCE", "sqlite:///other.db"), "not a MongoDB URL"),
        (("SOURCE", "mongodb://user:s3cret@:1:2/x"), "not a MongoDB URL"),
    ],
)
def test_what_cannot_be_copied_is_said(source, arguments, why):
    refused = run("copy", *(source if one == "SOURCE" else one for one in arguments))
    assert refused.exit_code == 2
    assert why in refused.stderr
    assert "s3cret" not in refused.output


# --- backup ---------------------------------------------------------------------------------------


def test_a_backup_is_whole_while_the_ledger_is_used(source, tmp_path, monkeypatch):
    monkeypatch.setenv("CONNECTOR_STORE_URL", source)

    async def meanwhile() -> Any:
        store = SqliteStore(source, HandClock())
        writing = asyncio.gather(*(store.commit([mark(f"later {n}")]) for n in range(50)))
        done = await asyncio.to_thread(run, "backup", str(tmp_path / "copy.db"))
        await writing
        await store.close()
        return done

    done = asyncio.run(meanwhile())
    assert done.exit_code == 0, done.output
    assert "whole copy" in done.stderr
    told = asyncio.run(asked(f"sqlite:///{tmp_path}/copy.db"))
    assert len(told["documents"]) == 44
    with sqlite3.connect(tmp_path / "copy.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_a_backup_replaces_nothing_and_needs_a_file(source, tmp_path, monkeypatch):
    monkeypatch.setenv("CONNECTOR_STORE_URL", source)
    (tmp_path / "precious").write_text("kept")
    refused = run("backup", str(tmp_path / "precious"))
    assert (refused.exit_code, "exists already" in refused.stderr) == (2, True)
    assert (tmp_path / "precious").read_text() == "kept"
    nowhere = run("backup", str(tmp_path / "none" / "copy.db"))
    assert nowhere.exit_code == 2
    monkeypatch.setenv("CONNECTOR_STORE_URL", f"sqlite:///{tmp_path}/never.db")
    missing = run("backup", str(tmp_path / "copy.db"))
    assert (missing.exit_code, "there is no" in missing.stderr) == (2, True)
    assert not (tmp_path / "never.db").exists()


def test_a_backup_of_mongodb_is_not_ours_to_make(tmp_path, monkeypatch):
    monkeypatch.setenv("CONNECTOR_STORE_URL", "mongodb://127.0.0.1/x?replicaSet=rs0")
    monkeypatch.setenv("CONNECTOR_BROKER_URL", "amqp://127.0.0.1/")
    refused = run("backup", str(tmp_path / "copy.db"))
    assert (refused.exit_code, "mongodump" in refused.stderr) == (2, True)
