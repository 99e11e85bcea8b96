"""Who may use the admin API for what, and the record of what they did."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiohttp import web

from connector.flows.hub import Hub
from connector.ports import Document, Json, Put, StoreUnavailable
from connector.settings import AdminToken, Role
from connector.web.errors import Answer

AUDIT = "audit"
_RANKS = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}
_BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class Access:
    """What the owner of a token may do."""

    who: str
    role: Role
    connections: frozenset[str]

    @property
    def everywhere(self) -> bool:
        """Whether it reaches every connection, also those still to come."""
        return "*" in self.connections

    def reaches(self, connection_id: str) -> bool:
        """Whether it may see a connection at all."""
        return self.everywhere or connection_id in self.connections


class Gatekeeper:
    """Knows the admin tokens by their digests."""

    def __init__(self, tokens: Sequence[AdminToken]) -> None:
        self._known = [
            (token.digest, Access(token.who, token.role, frozenset(token.connections)))
            for token in tokens
        ]

    def let_in(self, request: web.BaseRequest, role: Role) -> Access:
        """The access of whoever sent the request, which must be of at least this role.

        Raises:
            Answer: no token is known or given (401), or it may not do this (403).
        """
        header = request.headers.get("Authorization", "")
        scheme, given = header[: len(_BEARER)].lower(), header[len(_BEARER) :].strip()
        digest = hashlib.sha256(given.encode("utf-8", "surrogateescape")).hexdigest()
        found = None
        for known, access in self._known:  # every one, so that time tells nothing
            if hmac.compare_digest(known, digest):
                found = access
        if found is None or scheme != _BEARER:
            text = "a valid token is needed: Authorization: Bearer ..."
            if not self._known:
                text = "the admin API is off: set CONNECTOR_ADMIN_TOKEN"
            raise Answer(401, text, headers={"WWW-Authenticate": "Bearer"})
        if _RANKS[found.role] < _RANKS[role]:
            raise Answer(403, f"this needs the role {role}, the token has {found.role}")
        return found


class Record:
    """What is written down about one action while it happens."""

    def __init__(self) -> None:
        self.connection = ""
        """The connection it turned out to be about."""


@asynccontextmanager
async def audited(
    hub: Hub,
    access: Access,
    *,
    what: str,
    connection_id: str,
    names: Sequence[str],
    record: Record,
) -> AsyncIterator[None]:
    """Write down who does what: before it is done, and how it ended.

    ``names`` are the fields that were given; their values may be secret. Where the first cannot
    be written nothing is done at all.
    """
    key = f"{hub.now():%Y%m%dT%H%M%S.%f}-{secrets.token_hex(3)}"
    told = {
        "who": access.who,
        "role": access.role,
        "what": what,
        "connection": connection_id,
        "fields": list(names),
        "at": hub.now().isoformat(),
    }
    await hub.store.commit([_put(key, connection_id, told, "asked", 0)])
    try:
        yield
    except Exception as error:
        with suppress(StoreUnavailable):  # what went wrong first is what the caller is told
            await hub.store.commit([_put(key, connection_id, told, f"failed: {_kind(error)}", 1)])
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


def _kind(error: Exception) -> str:
    return str(error.status) if isinstance(error, Answer) else type(error).__name__
