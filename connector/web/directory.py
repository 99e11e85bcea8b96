"""Finds connections by what outsiders call them: a marketplace's tenant, a VTEX affiliate."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connector.domain.connection import Connection
from connector.flows.hub import Hub

_FRESH_S = 2.0
_FRESH_MISS_S = 0.25
"""A connection that is not found may just have been added: the register is read again sooner."""

_Key = tuple[str, str]


@dataclass
class _Register:
    read_at: datetime
    tenants: dict[_Key, list[Connection]] = field(default_factory=lambda: defaultdict(list))
    affiliates: dict[_Key, Connection] = field(default_factory=dict)


class Directory:
    """All connections by (adapter, tenant) and (account, affiliate), remembered for a moment."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._register: _Register | None = None
        self._reading = asyncio.Lock()

    async def by_tenant(self, adapter: str, tenant: str) -> Sequence[Connection]:
        """The connections of one account on a marketplace."""
        key = adapter, tenant
        found = (await self._read(_FRESH_S)).tenants.get(key, [])
        return found or (await self._read(_FRESH_MISS_S)).tenants.get(key, [])

    async def by_affiliate(self, account: str, affiliate: str) -> Connection | None:
        """The connection of one affiliate."""
        key = account, affiliate
        found = (await self._read(_FRESH_S)).affiliates.get(key)
        return found or (await self._read(_FRESH_MISS_S)).affiliates.get(key)

    async def _read(self, fresh_s: float) -> _Register:
        async with self._reading:
            now, known = self._hub.now(), self._register
            if known is not None and now - known.read_at < self._hub.clock.wall(fresh_s):
                return known
            register = _Register(now)
            for connection in await self._hub.book.all():
                if connection.tenant:
                    register.tenants[connection.adapter, connection.tenant].append(connection)
                affiliate = connection.account, connection.affiliate_id
                register.affiliates[affiliate] = connection
            self._register = register
            return register
