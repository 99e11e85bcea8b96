"""What a hub stands on: a file of this machine, or MongoDB and RabbitMQ."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pymongo import MongoClient

_SOON_US = 1_000_000


class Ground(Protocol):
    """Where ledger and turns are, and how to look at the ledger beside the hub."""

    @property
    def store_url(self) -> str: ...

    @property
    def broker_url(self) -> str: ...

    def marks(self) -> int:
        """How many marks of listings were saved."""
        ...

    def busy(self) -> bool:
        """Whether anything is being worked on, or due within a second."""
        ...


@dataclass(frozen=True)
class Embedded:
    """SQLite and the in-process broker."""

    file: Path
    broker_url: str = "memory://"

    @property
    def store_url(self) -> str:
        return f"sqlite:///{self.file}"

    def marks(self) -> int:
        return self._count("SELECT sum(marks) FROM pending WHERE context = 'listings'")

    def busy(self) -> bool:
        soon = int(time.time() * 1e6) + _SOON_US
        return bool(
            self._count(
                f"SELECT count(*) FROM pending WHERE lease_until IS NOT NULL OR due_at <= {soon}"
            )
        )

    def _count(self, sql: str) -> int:
        db = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)
        try:
            return int(db.execute(sql).fetchone()[0] or 0)
        finally:
            db.close()


@dataclass(frozen=True)
class Grown:
    """A MongoDB database and a RabbitMQ vhost of its own."""

    store_url: str
    broker_url: str

    def marks(self) -> int:
        pipeline = [
            {"$match": {"_id.context": "listings"}},
            {"$group": {"_id": None, "marks": {"$sum": "$marks"}}},
        ]
        with self._client() as client:
            rows = list(client.get_default_database()["pending"].aggregate(pipeline))
        return int(rows[0]["marks"]) if rows else 0

    def busy(self) -> bool:
        soon = int(time.time() * 1e6) + _SOON_US
        asked = {"$or": [{"lease_until": {"$gt": 0}}, {"due_at": {"$lte": soon}}]}
        with self._client() as client:
            return client.get_default_database()["pending"].find_one(asked) is not None

    def _client(self) -> MongoClient[dict[str, Any]]:
        return MongoClient(self.store_url)
