"""The MongoDB database: how it is reached, what is in it, and how that came about."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pymongo
from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    AutoReconnect,
    CollectionInvalid,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.uri_parser import parse_uri

from connector.ports import StoreUnavailable

Doc = dict[str, Any]
Collection = AsyncCollection[Doc]

APP_NAME = "connector-hub"
_DATABASE = "connector"
_OLDEST_SERVER = (5, 0)
_NAMESPACE_EXISTS = 48
_TOO_LARGE = {10334, 17419, 17420}
_ADVICE = {
    13: ": this user may not do that; it needs readWrite on its database",
    18: ": it refuses us; check user, password and authSource",
}
MOVING = "moving"
_LONG_STOP_S = 3 * 365 * 86_400
"""The log of a hub that nobody runs any more ends by itself. While one runs, ``forget`` decides."""

_SAFETY: dict[str, Any] = {
    "w": "majority",
    "journal": True,
    "wTimeoutMS": 5000,
    "retryWrites": True,
    "retryReads": True,
    "readConcernLevel": "majority",
    "readPreference": "primary",
    "uuidRepresentation": "standard",
    "appname": APP_NAME,
}
"""What an URL cannot change: acknowledged means on disk on a majority, and what was read stays."""

_USUAL: dict[str, Any] = {"connectTimeoutMS": 3000, "socketTimeoutMS": 60_000, "maxPoolSize": 50}


@dataclass(frozen=True, slots=True)
class Books:
    """The collections of one ledger. Moments are integers: BSON's own have only milliseconds.

    Whatever comes from outside is a value, never a field's name.
    """

    client: AsyncMongoClient[Doc]
    database: AsyncDatabase[Doc]
    pending: Collection
    documents: Collection
    facts: Collection
    holds: Collection
    entries: Collection
    counters: Collection
    schema: Collection
    """What is known of the database itself: its version, and a copy that is under way."""


def _place(*names: str) -> list[tuple[str, int]]:
    return [(name, ASCENDING) for name in names]


# A released step is never edited. Any step may be run by several processes at once, and again
# after one that died in the middle: it must find what is there already.
# In all collections but the log, ``_id`` is what makes a row the only one of its kind.
MIGRATIONS: tuple[Mapping[str, Sequence[IndexModel]], ...] = (
    {
        # _id: connection, context, key
        "pending": (
            IndexModel(
                _place("_id.connection", "_id.context", "priority", "due_at", "_id.key"),
                name="claim",
            ),
            IndexModel(
                _place("due_at", "lease_until", "_id.connection", "_id.context"), name="due"
            ),
            IndexModel(
                _place("lease_until"),
                name="lease",
                partialFilterExpression={"lease_until": {"$gt": 0}},
            ),
            IndexModel(
                _place("_id.connection", "_id.context", "_id.key"),
                name="parked",
                partialFilterExpression={"parked": 1},
            ),
        ),
        # _id: kind, connection, key
        "documents": (
            IndexModel(_place("_id.kind", "_id.connection", "state", "_id.key"), name="state"),
        ),
        # _id: connection, subject, seq. One without ``id`` holds the place of what was erased.
        "facts": (
            IndexModel(
                _place("_id.connection", "_id.subject", "id"),
                name="once",
                unique=True,
                partialFilterExpression={"id": {"$exists": True}},
            ),
        ),
        # _id: account, sku, connection, order
        "holds": (IndexModel(_place("_id.account", "_id.sku", "quantity"), name="held"),),
        # _id: a number that grows
        "entries": (
            IndexModel([("connection", ASCENDING), ("_id", DESCENDING)], name="connection"),
            IndexModel(
                [("connection", ASCENDING), ("subject", ASCENDING), ("_id", DESCENDING)],
                name="subject",
            ),
            IndexModel(_place("at"), name="at"),
            IndexModel(_place("written"), name="long_stop", expireAfterSeconds=_LONG_STOP_S),
        ),
        # _id: the name of what is being counted
        "counters": (),
    },
)


def connect(url: str, *, timeout_s: float) -> Books:
    """The collections that a ``mongodb://`` or ``mongodb+srv://`` URL names; opens nothing yet.

    Raises:
        ValueError: it is no such URL.
    """
    try:
        parts = parse_uri(url, validate=True, warn=False)
        usual = {name: value for name, value in _USUAL.items() if name not in parts["options"]}
        client: AsyncMongoClient[Doc] = AsyncMongoClient(
            url,
            serverSelectionTimeoutMS=round(timeout_s * 1000),
            **usual,
            **_SAFETY,
        )
    except (InvalidURI, PyMongoError, ValueError) as error:
        # Without the error's own text: it may repeat the password.
        raise ValueError(
            "not a MongoDB URL (mongodb://host1,host2/database?replicaSet=name):"
            f" {type(error).__name__}"
        ) from None
    database = client.get_database(parts["database"] or _DATABASE)
    return Books(
        client,
        database,
        *(database.get_collection(name) for name in (*MIGRATIONS[0], "schema")),
    )


async def migrate(books: Books) -> None:
    """Bring the database up to date; several processes may do so at once.

    Raises:
        StoreUnavailable: a newer hub wrote this database, it is being filled by a copy, or it is
            no replica set.
    """
    await require_replica_set(books)
    await make_all(books)
    moving = await books.schema.find_one({"_id": MOVING})
    if moving is not None and not moving["finished"]:
        raise StoreUnavailable(
            "a copy into this database is under way: wait, or run the same `connector store copy`"
            " again if it was broken off"
        )


async def make_all(books: Books) -> None:
    """Make all collections and indexes that are not there yet.

    Raises:
        StoreUnavailable: a newer hub wrote this database.
    """
    saved = await books.schema.find_one({"_id": "version"})
    version = int(saved["value"]) if saved else 0
    if version > len(MIGRATIONS):
        raise StoreUnavailable(
            f"the database is of a newer version ({version}) of the hub than this one"
            f" ({len(MIGRATIONS)}): start that one"
        )
    for step in MIGRATIONS[version:]:
        await asyncio.gather(*(_make(books, name, indexes) for name, indexes in step.items()))
    if version < len(MIGRATIONS):
        await books.schema.update_one(
            {"_id": "version"}, {"$max": {"value": len(MIGRATIONS)}}, upsert=True
        )


async def require_replica_set(books: Books) -> None:
    """Refuse a server that has no transactions, or is too old.

    Raises:
        StoreUnavailable: it is one.
    """
    hello = await books.database.command("hello")
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StoreUnavailable(
            "MongoDB must run as a replica set (one node will do: mongod --replSet rs0, then"
            " rs.initiate()): a lone server has no transactions"
        )
    info = await books.client.server_info()
    if tuple(info["versionArray"][:2]) < _OLDEST_SERVER:
        raise StoreUnavailable(f"MongoDB {info['version']} is too old: 5.0 or newer is needed")


async def _make(books: Books, name: str, indexes: Sequence[IndexModel]) -> None:
    """Make a collection and its indexes where they are not there yet."""
    try:
        # Beforehand: transactions should not have to.
        await books.database.create_collection(name, check_exists=False)
    except CollectionInvalid:
        pass
    except OperationFailure as error:
        if error.code != _NAMESPACE_EXISTS:
            raise
    if indexes:
        await books.database.get_collection(name).create_indexes(list(indexes))


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Nothing in this block waits longer for MongoDB; what it cannot do is a StoreUnavailable.

    A write that ran out of time may have happened: its caller repeats it.
    """
    try:
        with pymongo.timeout(seconds):
            yield
    except PyMongoError as error:
        if isinstance(error, OperationFailure) and error.code in _TOO_LARGE:
            raise ValueError("MongoDB takes no document larger than 16 MB") from error
        raise StoreUnavailable(f"MongoDB: {told(error)}") from error


def told(error: PyMongoError) -> str:
    """What went wrong, without the values that the server's own text may repeat."""
    name = type(error).__name__
    if isinstance(error, ServerSelectionTimeoutError):
        return f"{name}: no primary answers; check its hosts, replicaSet and tls, and the network"
    code = error.code if isinstance(error, OperationFailure) else None
    if code is None:
        return name
    advice = _ADVICE.get(code, "")
    return f"{name} (code {code}{advice})"


def interrupted(error: BaseException) -> bool:
    """Whether the server may have done it all the same, or would do it when asked again."""
    return isinstance(error, AutoReconnect) or (
        isinstance(error, PyMongoError) and error.has_error_label("RetryableWriteError")
    )
