"""Who may use the admin API for what, and the record of what they did."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

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
