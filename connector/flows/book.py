"""The connections, remembered for a moment: every notification asks for one."""

from __future__ import annotations

from datetime import datetime

from connector.domain.clock import Clock
from connector.domain.connection import Connection, ConnectionState
from connector.flows.documents import Saved, load_connection, load_connections, put_connection
from connector.ports import Store, Write

_FRESH_S = 2.0
"""Real seconds a connection may be remembered: how late another process's change shows here."""


class ConnectionBook:
    """Reads connections from the ledger and remembers them for ``_FRESH_S``."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[Connection | None, datetime]] = {}

    async def get(self, connection_id: str) -> Connection | None:
        """The connection, or None where there is none (or it was removed)."""
        known = self._known.get(connection_id)
        now = self._clock.now()
        if known is not None and now < known[1]:
            return known[0]
        saved = await load_connection(self._store, connection_id)
        if len(self._known) > 10_000:
            self._known.clear()  # unknown ids are remembered too: never without bound
        value = None if saved is None else saved.value
        if value is not None and value.state is ConnectionState.REMOVED:
            value = None
        self._known[connection_id] = (value, now + self._clock.wall(_FRESH_S))
        return value

    async def all(self) -> list[Connection]:
        """Every connection that was not removed."""
        return [
            saved.value
            for saved in await load_connections(self._store)
            if saved.value.state is not ConnectionState.REMOVED
        ]

    async def save(self, saved: Saved[Connection], value: Connection, *more: Write) -> None:
        """Save a changed connection, together with ``more``, and forget the remembered one."""
        await self._store.commit([put_connection(saved, value), *more])
        self._known.pop(value.id, None)
