import asyncio
import sqlite3
import stat
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from connector.domain.pending import Context, Finished
from connector.drivers import sqlite_schema
from connector.drivers.sqlite_store import SqliteStore
from connector.ports import EntryQuery, Put, Settle, StoreUnavailable
from tests.contract.store_contract import StoreContract
from tests.contract.store_words import C, HandClock, document, entry, fact, mark


def url(folder: Path, name: str = "hub.db") -> str:
    return f"sqlite:///{folder / name}"


class TestSqliteStore(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path, clock):
        store = SqliteStore(url(tmp_path), clock)
        yield store
        await store.close()

    # --- what a file adds -----------------------------------------------------------------------

    async def test_a_restart_finds_everything(self, store, clock, tmp_path):
        await store.commit([mark(price=True), mark("2"), fact("f"), Put(document()), entry()])
        claim = (await self.claim(store))[0]
        await store.close()
        await store.close()
        again = SqliteStore(url(tmp_path), clock)
        await again.commit([Settle(claim, Finished())])
        assert [row.key for row in await again.pending(C, Context.LISTINGS, parked=False)] == ["2"]
        assert len(await again.facts(C, "o1")) == 1
        assert len(await again.entries(EntryQuery(C))) == 1
        assert list(await again.get("listing", C, ["1"])) == ["1"]
        await again.close()

    async def test_what_was_acknowledged_survives_a_kill(self, tmp_path):
        script = f"""
import asyncio, os
from connector.drivers.clock import SystemClock
from connector.drivers.sqlite_store import SqliteStore
from tests.contract.store_words import mark
async def main():
    store = SqliteStore({url(tmp_path)!r}, SystemClock())
    async def one(n):
        await store.commit([mark(str(n))])
        print(n, flush=True)
        if n == 150:
            os.kill(os.getpid(), 9)
    await asyncio.gather(*map(one, range(100)))
    for n in range(100, 500):
        await one(n)
asyncio.run(main())
"""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, stdout=PIPE, stderr=PIPE, cwd=Path(__file__).parents[2]
        )
        told, complaints = await process.communicate()
        assert process.returncode == -9, complaints
        acknowledged = set(told.decode().split())
        assert len(acknowledged) == 151
        store = SqliteStore(url(tmp_path), HandClock())
        rows = await store.pending(C, Context.LISTINGS, parked=False, limit=1000)
        assert {row.key for row in rows} >= acknowledged
        await store.close()

    async def test_two_processes_share_a_file(self, store, clock, tmp_path):
        other = SqliteStore(url(tmp_path), clock)
        await asyncio.gather(
            *(one.commit([mark(f"{n}")]) for n, one in enumerate([store, other] * 50))
        )
        batches = await asyncio.gather(
            *(self.claim(one, limit=9) for one in [store, other] * 8),
        )
        keys = [claim.key for batch in batches for claim in batch]
        assert sorted(keys) == sorted(str(n) for n in range(100))
        fences = {claim.fence for batch in batches for claim in batch}
        assert len(fences) == len([batch for batch in batches if batch])
        await other.close()

    async def test_a_full_disk_is_said_so_and_passes(self, store):
        await store.commit([mark("before")])

        def pages(limit: int):
            def job(db: sqlite3.Connection, _now: int) -> None:
                (used,) = db.execute("PRAGMA page_count").fetchone()
                db.execute(f"PRAGMA max_page_count={used + limit}")

            return job

        await store._submit(pages(3))
        results = await asyncio.gather(
            *(store.commit([fact(f"big{n}", "x" * 50_000), mark(f"{n}")]) for n in range(5)),
            store.commit([Put(document(body="y" * 50_000)), mark("also")]),
            return_exceptions=True,
        )
        assert all(isinstance(result, StoreUnavailable) for result in results)
        assert await store.facts(C, "o1") == []
        rows = await store.pending(C, Context.LISTINGS, parked=False)
        assert [row.key for row in rows] == ["before"]
        await store._submit(pages(1_000_000))
        await store.commit([fact("big", "x" * 50_000), mark("after")])
        assert len(await store.facts(C, "o1")) == 1

    async def test_a_locked_file_is_said_so_and_passes(self, store, tmp_path):
        await store._submit(lambda db, _now: db.execute("PRAGMA busy_timeout=20").close())
        thief = sqlite3.connect(tmp_path / "hub.db", isolation_level=None)
        thief.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await store.commit([mark()])
        assert await self.row_keys(store) == []  # reading goes on
        thief.execute("ROLLBACK")
        thief.close()
        await store.commit([mark()])
        assert await self.row_keys(store) == ["1"]

    async def row_keys(self, store) -> list[str]:
        return [row.key for row in await store.pending(C, Context.LISTINGS, parked=False)]

    async def test_what_no_database_takes_harms_only_itself(self, store):
        results = await asyncio.gather(
            store.commit([mark("good")]),
            store.commit([mark("half a surrogate \ud83d")]),
            store.commit([Put(document("also good"))]),
            store.commit([Put(document("bad", version=10**30))]),
            store.commit([mark("good too")]),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [
            type(None),
            UnicodeEncodeError,
            type(None),
            OverflowError,
            type(None),
        ]
        assert await self.row_keys(store) == ["good", "good too"]

    async def test_concurrent_commits_share_transactions(self, store):
        groups = 0

        def counted(statement: str) -> None:
            nonlocal groups
            groups += statement == "COMMIT"

        store._db.set_trace_callback(counted)
        await asyncio.gather(*(store.commit([mark(str(n))]) for n in range(500)))
        assert groups <= 3
        assert len(await self.claim(store, limit=1000)) == 500

    async def test_close_finishes_what_was_accepted(self, store, clock, tmp_path):
        accepted = [asyncio.create_task(store.commit([mark(str(n))])) for n in range(50)]
        await asyncio.sleep(0)
        await store.close()
        assert await asyncio.gather(*accepted) == [None] * 50
        with pytest.raises(StoreUnavailable):
            await store.commit([mark()])
        with pytest.raises(StoreUnavailable):
            await store.get("listing", C, ["1"])
        again = SqliteStore(url(tmp_path), clock)
        assert len(await self.claim(again, limit=100)) == 50
        await again.close()

    async def test_a_backup_is_whole(self, store, clock, tmp_path):
        await store.commit([mark(str(n)) for n in range(100)])
        writing = asyncio.gather(*(store.commit([mark(f"later {n}")]) for n in range(100)))
        await store.backup(tmp_path / "copy.db")
        await writing
        copy = SqliteStore(url(tmp_path, "copy.db"), clock)
        assert len(await self.claim(copy, limit=1000)) >= 100
        assert copy._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        await copy.close()
        assert not (tmp_path / "copy.db.part").exists()

    async def test_its_settings_are_as_promised(self, store, tmp_path):
        for db in (store._db, *store._spare):
            settings = {
                name: db.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
            assert settings == {
                "journal_mode": "wal",
                "synchronous": 2,
                "foreign_keys": 1,
                "busy_timeout": 5000,
            }
        assert stat.S_IMODE((tmp_path / "hub.db").stat().st_mode) == 0o600

    async def test_the_claim_walks_along_its_index(self, store):
        await store.commit([mark()])
        plan = store._db.execute(
            "EXPLAIN QUERY PLAN SELECT key FROM pending WHERE connection = '' AND context = ''"
            " AND priority = 1 AND due_at <= 5 AND (lease_until IS NULL OR lease_until <= 5)"
            " ORDER BY due_at, key LIMIT 5"
        ).fetchall()
        assert "pending_claim" in plan[0][3]
        assert len(plan) == 1  # no sorting


def test_urls(tmp_path):
    assert sqlite_schema.path_of("sqlite:///hub.db") == Path("hub.db")
    assert sqlite_schema.path_of("sqlite:////var/lib/hub%20x.db") == Path("/var/lib/hub x.db")
    for wrong in ("sqlite:///", "sqlite://hub.db", "mongodb://x", "sqlite:///a.db?mode=ro"):
        with pytest.raises(ValueError, match="not a SQLite URL"):
            sqlite_schema.path_of(wrong)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "hub.db").write_bytes(b"something else, quite long enough to be looked at" * 50)
    with pytest.raises(StoreUnavailable):
        SqliteStore(url(tmp_path), HandClock())
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(StoreUnavailable):
        SqliteStore(url(tmp_path, "folder.db"), HandClock())


def test_a_newer_database_is_refused(tmp_path):
    db = sqlite3.connect(tmp_path / "hub.db")
    db.execute("PRAGMA user_version=999")
    db.close()
    with pytest.raises(StoreUnavailable, match="newer"):
        SqliteStore(url(tmp_path), HandClock())


def test_migrations_go_on_where_they_stopped(tmp_path, monkeypatch):
    db = sqlite_schema.create(tmp_path / "hub.db")
    db.close()
    monkeypatch.setattr(
        sqlite_schema,
        "MIGRATIONS",
        (*sqlite_schema.MIGRATIONS, ("CREATE TABLE more (x)",)),
    )
    db = sqlite_schema.create(tmp_path / "hub.db")
    assert db.execute("PRAGMA user_version").fetchone() == (len(sqlite_schema.MIGRATIONS),)
    db.execute("SELECT * FROM more")
    db.close()


def test_a_migration_that_fails_changes_nothing(tmp_path, monkeypatch):
    sqlite_schema.create(tmp_path / "hub.db").close()
    before = len(sqlite_schema.MIGRATIONS)
    monkeypatch.setattr(
        sqlite_schema,
        "MIGRATIONS",
        (*sqlite_schema.MIGRATIONS, ("CREATE TABLE more (x)", "NONSENSE")),
    )
    with pytest.raises(StoreUnavailable, match="migrate"):
        sqlite_schema.create(tmp_path / "hub.db")
    db = sqlite3.connect(tmp_path / "hub.db")
    assert db.execute("PRAGMA user_version").fetchone() == (before,)
    with pytest.raises(sqlite3.OperationalError):
        db.execute("SELECT * FROM more")
    db.close()


def test_a_setting_that_sqlite_does_not_take_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_schema, "_PRAGMAS", (("synchronous", "FULL", 3),))
    with pytest.raises(StoreUnavailable, match="synchronous"):
        SqliteStore(url(tmp_path), HandClock())
