"""Moves a ledger from SQLite to MongoDB: resumable after a kill, and verified at the end."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from connector.drivers.mongo_schema import (
    MOVING,
    Books,
    Collection,
    Doc,
    bounded,
    connect,
    make_all,
    require_replica_set,
)
from connector.drivers.moving_source import PARTS, Part, counters, lock
from connector.ports import StoreUnavailable

_ROWS_AT_ONCE = 1000
_TIMEOUT_S = 30.0
_DUPLICATE = 11000
_SUM_BITS = 128

Tell = Callable[[str, int], None]
"""Called after each portion with a part's name and how many of its rows are there by now."""


class Refused(ValueError):
    """The target cannot be used; the message says why and what to do."""


class Differs(Exception):
    """What is in the target afterwards is not what is in the source."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved to one collection, as found there afterwards."""

    collection: str
    rows: int
    checksum: str


async def move(source_url: str, target_url: str, tell: Tell) -> list[Moved]:
    """Copy everything, go on where an earlier call was broken off, and compare both sides.

    Raises:
        Refused: the target holds something else.
        Differs: the copy is not what is in the source.
        StoreUnavailable: the source is in use, or the target does not answer.
        ValueError: one of the URLs is none.
    """
    db = lock(source_url)
    try:
        books = connect(target_url, timeout_s=_TIMEOUT_S)
        try:
            return await _Move(db, books, source_url, tell).run()
        finally:
            await books.client.close()
    finally:
        db.close()


class _Move:
    def __init__(self, db: sqlite3.Connection, books: Books, source_url: str, tell: Tell) -> None:
        self._db = db
        self._books = books
        self._source = source_url
        self._tell = tell

    async def run(self) -> list[Moved]:
        with bounded(_TIMEOUT_S):
            await require_replica_set(self._books)
            progress = await self._begin()
        for part in PARTS:
            await self._copy(part, progress.get(part.name, {}))
        await self._count_on()
        moved = [await self._compare(name) for name in dict.fromkeys(p.collection for p in PARTS)]
        with bounded(_TIMEOUT_S):
            await self._books.schema.update_one({"_id": MOVING}, {"$set": {"finished": True}})
        return moved

    async def _begin(self) -> Doc:
        """Take the target, or take it up again; how far each part has come."""
        schema = self._books.schema
        try:
            await schema.insert_one({"_id": MOVING, "source": self._source, "finished": False})
        except DuplicateKeyError:
            begun = await schema.find_one({"_id": MOVING}) or {}
            if begun["finished"]:
                raise Refused("the target holds a finished copy already") from None
            if begun["source"] != self._source:
                raise Refused(
                    f"the target holds an unfinished copy of {begun['source']}: name that one, or"
                    " another database"
                ) from None
            await make_all(self._books)
            return dict(begun.get("parts", {}))
        # Looked at after it was taken: of a hub that begins now, one of the two notices the other.
        if await schema.find_one({"_id": "version"}) or await self._holds_something():
            await schema.delete_one({"_id": MOVING})
            raise Refused(
                "the target is in use by a hub, or was: name a database that nobody ever used"
            )
        await make_all(self._books)
        return {}

    async def _holds_something(self) -> bool:
        names = await self._books.database.list_collection_names()
        return any(name != self._books.schema.name for name in names)

    async def _copy(self, part: Part, begun: Doc) -> None:
        """Copy one part from where it was left; a portion that is there already does no harm."""
        after: list[Any] | None = begun.get("after")
        rows = int(begun.get("rows", 0))
        while found := part.page(self._db, after, _ROWS_AT_ONCE):
            after = part.key_of(found[-1])
            rows += len(found)
            with bounded(_TIMEOUT_S):
                await _insert(self._collection(part.collection), map(part.to_doc, found))
                await self._books.schema.update_one(
                    {"_id": MOVING},
                    {"$set": {f"parts.{part.name}": {"after": after, "rows": rows}}},
                )
            self._tell(part.name, rows)

    async def _count_on(self) -> None:
        """Numbers that were given out are not given out again."""
        for name, value in counters(self._db).items():
            with bounded(_TIMEOUT_S):
                await self._books.counters.update_one(
                    {"_id": name}, {"$max": {"value": value}}, upsert=True
                )

    async def _compare(self, name: str) -> Moved:
        wanted, found = _Sum(), _Sum()
        for part in PARTS:
            if part.collection == name:
                for doc in part.docs(self._db):
                    wanted.add(doc)
        try:
            # Batch by batch: each answers within the bound, all together may take longer.
            cursor = self._collection(name).find(batch_size=_ROWS_AT_ONCE)
            async for doc in cursor:
                found.add(doc)
        except PyMongoError as error:
            raise StoreUnavailable(f"MongoDB: {type(error).__name__}") from error
        if (wanted.rows, wanted.value) != (found.rows, found.value):
            raise Differs(
                f"{name} differ: {wanted.rows} in the source, {found.rows} in the target, checksums"
                f" {wanted.text} and {found.text}. The source was changed meanwhile, or somebody"
                " else wrote to the target: copy again, to another database"
            )
        return Moved(name, found.rows, found.text)

    def _collection(self, name: str) -> Collection:
        return self._books.database.get_collection(name)


async def _insert(rows: Collection, docs: Iterable[Doc]) -> None:
    try:
        await rows.insert_many(docs, ordered=False)
    except BulkWriteError as error:
        if any(one["code"] != _DUPLICATE for one in error.details["writeErrors"]):
            raise


class _Sum:
    """Counts rows and adds up what they say, whatever their order."""

    def __init__(self) -> None:
        self.rows = 0
        self.value = 0

    def add(self, doc: Doc) -> None:
        told = {name: value for name, value in doc.items() if name != "written"}
        text = json.dumps(told, sort_keys=True)
        digest = hashlib.blake2b(text.encode(), digest_size=_SUM_BITS // 8).digest()
        self.value = (self.value + int.from_bytes(digest, "big")) % (1 << _SUM_BITS)
        self.rows += 1

    @property
    def text(self) -> str:
        return f"{self.value:0{_SUM_BITS // 4}x}"
