"""Copies of a whole ledger: to another kind of database, and into a file while it is used."""

from __future__ import annotations

from pathlib import Path

from connector.bootstrap.keys import key_file
from connector.drivers.clock import SystemClock
from connector.drivers.moving import Differs, Moved, Tell, move
from connector.drivers.sqlite_schema import path_of
from connector.drivers.sqlite_store import SqliteStore

__all__ = ["Differs", "Moved", "backup", "copy", "key_beside"]


async def copy(source_url: str, target_url: str, tell: Tell) -> list[Moved]:
    """Copy a ledger in a SQLite file to an empty MongoDB database, and compare both.

    Raises:
        ValueError: a URL is none, or the target holds something else.
        Differs: the copy is not what is in the source.
        StoreUnavailable: the source is in use, or the target does not answer.
    """
    return await move(source_url, target_url, tell)


async def backup(store_url: str, path: Path) -> None:
    """Copy a ledger in a SQLite file to another file, whole and consistent, while it is used.

    Raises:
        ValueError: the ledger is no file, or there is none.
        StoreUnavailable: it cannot be read.
        OSError: ``path`` cannot be written.
    """
    source = path_of(store_url)
    if not source.exists():
        raise ValueError(f"there is no {source}")
    store = SqliteStore(store_url, SystemClock())
    try:
        await store.backup(path)
    finally:
        await store.close()


def key_beside(store_url: str) -> Path | None:
    """The file with the key of an embedded ledger, if it has one."""
    place = key_file(path_of(store_url))
    return place if place.exists() else None
