"""A connection's token as the ledger keeps it: sealed, with its times, by compare-and-set."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.domain.offer import Value
from connector.ports import Document, Drop, Json, Put, Store, Vault, Write
from connector.sdk import Token

TOKEN = "token"  # noqa: S105 - a kind of document, no secret
_KEY = "current"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Kept(Value):
    """A token, and what is being done about it. ``sealed`` is empty before the first consent."""

    sealed: str = ""
    account: str = ""
    generation: int = 0
    """Grows with every new token."""
    given_at: datetime = _NEVER
    expires_at: datetime = _NEVER
    forced: bool = False
    """It was asked for because the one before met a 401, not because that had ended."""
    refreshing_until: datetime | None = None
    """Somebody is refreshing it: nobody else begins before."""
    retry_at: datetime | None = None
    """The last refresh did not work: nobody tries again before."""
    refused_until: datetime | None = None
    """The grant is over: nobody asks again before."""

    def leased(self, now: datetime) -> bool:
        """Whether somebody is refreshing it."""
        return self.refreshing_until is not None and now < self.refreshing_until


@dataclass(frozen=True, slots=True)
class Saved:
    """A kept token with the version it was read at."""

    kept: Kept
    version: int = 0


class TokenBook:
    """Reads and writes the token of one connection."""

    def __init__(self, store: Store, vault: Vault, connection_id: str) -> None:
        self._store = store
        self._vault = vault
        self._connection = connection_id

    async def read(self) -> Saved:
        """The token as it is kept now."""
        found = await self._store.get(TOKEN, self._connection, [_KEY])
        if _KEY not in found:
            return Saved(Kept())
        return Saved(Kept.model_validate_json(found[_KEY].body), found[_KEY].version)

    async def put(self, saved: Saved, *more: Write, **changes: Any) -> Saved:
        """Save changes of what is kept.

        Raises:
            Conflict: somebody else wrote it first.
            StoreUnavailable: nothing was saved.
        """
        kept = saved.kept.model_copy(update=changes)
        body = kept.model_dump_json(exclude_defaults=True)
        document = Document(TOKEN, self._connection, _KEY, body, version=saved.version)
        await self._store.commit([Put(document), *more])
        return Saved(kept, saved.version + 1)

    async def keep(
        self, saved: Saved, token: Token, now: datetime, *more: Write, forced: bool = False
    ) -> Saved:
        """Save a new token in the place of the old one; errors as ``put``."""
        plain = {
            "access": token.access.get_secret_value(),
            "refresh": token.refresh.get_secret_value(),
            "expires_in_s": token.expires_in_s,
            "account": token.account,
            "scopes": list(token.scopes),
        }
        return await self.put(
            saved,
            *more,
            sealed=self._vault.seal(json.dumps(plain), bound_to=self._bound_to()),
            account=token.account or saved.kept.account,
            generation=saved.kept.generation + 1,
            given_at=now,
            expires_at=now + timedelta(seconds=token.expires_in_s),
            forced=forced,
            refreshing_until=None,
            retry_at=None,
            refused_until=None,
        )

    def open(self, kept: Kept) -> Token:
        """The token itself.

        Raises:
            ValueError: it was sealed with a key that is not known any more.
        """
        return Token.model_validate_json(self._vault.open(kept.sealed, bound_to=self._bound_to()))

    def _bound_to(self) -> str:
        return f"{self._connection}|token"


def drop_token(connection_id: str) -> Drop:
    """What forgets a connection's token."""
    return Drop(TOKEN, connection_id, _KEY)


def token_status(kept: Kept, now: datetime) -> Json:
    """What an operator may know of a token: whether it works and until when."""
    if not kept.sealed:
        return {"state": "missing", "account": ""}
    refused = kept.refused_until is not None and now < kept.refused_until
    state = "refused" if refused else "works" if now < kept.expires_at else "ended"
    return {
        "state": state,
        "account": kept.account,
        "given_at": kept.given_at.isoformat(),
        "expires_at": kept.expires_at.isoformat(),
        "refreshes": kept.generation - 1,
    }
