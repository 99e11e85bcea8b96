"""The record of what operators did: written before it is done, and again with how it ended."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from connector.flows.hub import Hub
from connector.ports import Document, Json, Put, StoreUnavailable

AUDIT = "audit"


@dataclass
class Record:
    """What is written down about one action while it happens."""

    connection: str = ""
    """The connection it turned out to be about."""
    failure: str = ""
    """How it failed, where the kind of the error does not say it well."""


@asynccontextmanager
async def audited(
    hub: Hub,
    *,
    who: str,
    role: str,
    what: str,
    record: Record,
    connection_id: str = "",
    names: Sequence[str] = (),
) -> AsyncIterator[None]:
    """Write down who does what. Where that cannot be written nothing is done at all.

    ``names`` are the fields that were given; their values may be secret.
    """
    key = f"{hub.now():%Y%m%dT%H%M%S.%f}-{secrets.token_hex(3)}"
    told = {
        "who": who,
        "role": role,
        "what": what,
        "connection": connection_id,
        "fields": list(names),
        "at": hub.now().isoformat(),
    }
    await hub.store.commit([_put(key, connection_id, told, "asked", 0)])
    try:
        yield
    except Exception as error:
        failure = f"failed: {record.failure or type(error).__name__}"
        with suppress(StoreUnavailable):  # what went wrong first is what the caller is told
            await hub.store.commit([_put(key, connection_id, told, failure, 1)])
        raise
    told["connection"] = record.connection or connection_id
    await hub.store.commit([_put(key, connection_id, told, "done", 1)])


async def audit_rows(hub: Hub, connection_id: str | None, *, after: str, limit: int) -> list[Json]:
    """What was done, oldest first."""
    rows = await hub.store.scan(AUDIT, connection_id, after=after, limit=limit)
    return [{"id": row.key, **json.loads(row.body)} for row in rows]


def _put(key: str, connection_id: str, told: Json, outcome: str, version: int) -> Put:
    body = json.dumps({**told, "outcome": outcome})
    return Put(Document(AUDIT, connection_id, key, body, version=version))
