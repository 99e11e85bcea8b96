"""The SQLite database: where it is, how it is opened, what is in it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import unquote

from connector.ports import StoreUnavailable

_PREFIX = "sqlite:///"

# What is asked for, and what SQLite must answer. FULL: what was acknowledged survives a power cut.
_PRAGMAS: tuple[tuple[str, str, object], ...] = (
    ("busy_timeout", "5000", 5000),
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    ("foreign_keys", "ON", 1),
    ("wal_autocheckpoint", "1000", 1000),
)

# One statement per text, one text per step; a released migration is never edited.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE pending (
            connection  TEXT NOT NULL,
            context     TEXT NOT NULL,
            key         TEXT NOT NULL,
            due_at      INTEGER NOT NULL,
            priority    INTEGER NOT NULL,
            not_before  INTEGER,            -- set by a failure: marks do not make it due earlier
            marks       INTEGER NOT NULL,
            marked_at   INTEGER,            -- the oldest unanswered mark
            later_at    INTEGER,            -- the first mark since the last claim
            attempts    INTEGER NOT NULL DEFAULT 0,
            failing_since INTEGER,
            parked      INTEGER NOT NULL DEFAULT 0,  -- 1: parked, 2: let go by a mark
            reasons     TEXT NOT NULL DEFAULT '[]',
            lease_until INTEGER,
            fence       INTEGER NOT NULL DEFAULT 0,
            content     INTEGER NOT NULL,
            price       INTEGER NOT NULL,
            stock       INTEGER NOT NULL,
            recheck     INTEGER NOT NULL,
            sold        INTEGER NOT NULL,
            active      INTEGER,
            removed     INTEGER,
            PRIMARY KEY (connection, context, key)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX pending_claim ON pending (connection, context, priority, due_at)",
        "CREATE INDEX pending_due ON pending (due_at, lease_until, connection, context)",
        "CREATE INDEX pending_lease ON pending (lease_until) WHERE lease_until IS NOT NULL",
        "CREATE INDEX pending_parked ON pending (connection, context, key) WHERE parked = 1",
        # Fences come from one counter, so that a key that was deleted and marked again never
        # repeats the fence of a worker that is still asleep.
        "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
        "INSERT INTO counters VALUES ('fence', 0)",
        """
        CREATE TABLE documents (
            kind       TEXT NOT NULL,
            connection TEXT NOT NULL,
            key        TEXT NOT NULL,
            state      TEXT NOT NULL,
            version    INTEGER NOT NULL,
            body       TEXT NOT NULL,
            UNIQUE (kind, connection, key)
        )
        """,
        "CREATE INDEX documents_state ON documents (kind, connection, state, key)",
        """
        CREATE TABLE facts (
            seq        INTEGER PRIMARY KEY AUTOINCREMENT,
            connection TEXT NOT NULL,
            subject    TEXT NOT NULL,
            kind       TEXT NOT NULL,
            id         TEXT NOT NULL,
            body       TEXT NOT NULL,
            at         INTEGER NOT NULL,
            UNIQUE (connection, subject, id)
        )
        """,
        """
        CREATE TABLE holds (
            account    TEXT NOT NULL,
            sku        TEXT NOT NULL,
            connection TEXT NOT NULL,
            order_key  TEXT NOT NULL,
            quantity   INTEGER NOT NULL,
            PRIMARY KEY (account, sku, connection, order_key)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE entries (
            id          INTEGER PRIMARY KEY AUTOINCREMENT,
            connection  TEXT NOT NULL,
            at          INTEGER NOT NULL,
            subject     TEXT NOT NULL,
            operation   TEXT NOT NULL,
            direction   TEXT NOT NULL,
            status      TEXT NOT NULL,
            message     TEXT NOT NULL,
            code        TEXT NOT NULL,
            source      TEXT NOT NULL,
            translated  TEXT NOT NULL,
            destination TEXT NOT NULL
        )
        """,
        "CREATE INDEX entries_connection ON entries (connection, id)",
        "CREATE INDEX entries_subject ON entries (connection, subject, id)",
        "CREATE INDEX entries_at ON entries (at)",
    ),
)


def path_of(url: str) -> Path:
    """The file a ``sqlite:///`` URL names; a fourth slash makes it absolute."""
    if not url.startswith(_PREFIX) or url == _PREFIX or "?" in url:
        # Another database's URL may hold a password.
        shown = f": {url}" if url.startswith("sqlite:") else ""
        raise ValueError(f"not a SQLite URL (sqlite:///file.db or sqlite:////path/file.db){shown}")
    return Path(unquote(url.removeprefix(_PREFIX)))


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a connection with every setting set and read back.

    Raises:
        StoreUnavailable: the file cannot be opened, or SQLite does not do as asked.
    """
    try:
        db = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=256
        )
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot open {path}: {error}") from error
    try:
        _configure(db)
        if read_only:
            db.execute("PRAGMA query_only=ON")
    except sqlite3.Error as error:
        db.close()
        raise StoreUnavailable(f"cannot open {path}: {error}") from error
    except StoreUnavailable:
        db.close()
        raise
    return db


def _configure(db: sqlite3.Connection) -> None:
    for name, value, expected in _PRAGMAS:
        db.execute(f"PRAGMA {name}={value}").close()
        (actual,) = db.execute(f"PRAGMA {name}").fetchone()
        if actual != expected:
            raise StoreUnavailable(f"SQLite keeps {name}={actual} where {value} was asked")


def create(path: Path) -> sqlite3.Connection:
    """Open the database for writing, making or migrating it where needed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Readable by its owner only from its first moment: orders carry personal data.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"cannot open {path}: {error}") from error
    db = connect(path)
    try:
        migrate(db)
    except sqlite3.Error as error:
        db.close()
        raise StoreUnavailable(f"cannot migrate {path}: {error}") from error
    except StoreUnavailable:
        db.close()
        raise
    return db


def migrate(db: sqlite3.Connection) -> None:
    """Bring the schema up to date, in one transaction that two processes may race for.

    Raises:
        StoreUnavailable: a newer hub wrote this database.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise StoreUnavailable(f"the database is of a newer version ({version}) of the hub")
        for step in MIGRATIONS[version:]:
            for statement in step:
                db.execute(statement)
        db.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
