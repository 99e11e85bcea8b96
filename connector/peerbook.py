"""Both sides of every connection, built when they are first needed and kept."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pydantic import ValidationError

from connector.domain.clock import Clock
from connector.domain.connection import Connection
from connector.domain.http import Http, Request, Response
from connector.domain.pending import Context
from connector.flows.connections import explain
from connector.flows.hub import Peers
from connector.ports import Vault
from connector.sdk import Adapter, AdapterSettings, Limit, Scope
from connector.sdk.registry import AdapterRegistry
from connector.vtex.session import Session

MOST_PEERS = 10_000
"""Peers kept at once; those not used for longest are built again when they are needed."""

# Below what VTEX publishes (protocol 1.4): the store's own systems call it, too.
VTEX_LIMITS = (
    Limit(Scope.ACCOUNT, rate=200, burst=200),
    Limit(Scope.OPERATION, rate=80, burst=80, operation="vtex.order-read"),
)


class Pool(Protocol):
    """Makes HTTP clients that share limits, breakers and sockets."""

    def peer(
        self,
        name: str,
        *,
        base_url: str = "",
        headers: Mapping[str, str] | None = None,
        scope: str = "",
        limits: Sequence[tuple[str, Limit]] = (),
    ) -> Http:
        """Make a client for one peer."""
        ...


class Gated:
    """An ``Http`` through which only so many calls pass at once; several may share a gate."""

    def __init__(self, inner: Http, gate: asyncio.Semaphore) -> None:
        self._inner = inner
        self._gate = gate

    async def send(self, request: Request) -> Response:
        """Send one request once there is room."""
        async with self._gate:
            return await self._inner.send(request)


class LivePeers:
    """``flows.hub.PeerBook`` over a pool of HTTP clients."""

    def __init__(
        self,
        *,
        pool: Pool,
        vault: Vault,
        registry: AdapterRegistry,
        clock: Clock,
        concurrency: int = 8,
        limits: bool = True,
        most: int = MOST_PEERS,
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._registry = registry
        self._clock = clock
        self._concurrency = concurrency
        self._limits = limits
        self._most = most
        self._known: OrderedDict[tuple[str, Context], tuple[int, Peers]] = OrderedDict()

    def of(self, connection: Connection, context: Context) -> Peers:
        """The connection's peers; built anew when its settings have changed.

        Raises:
            LookupError: its adapter is missing or broken.
            ValueError: its settings cannot be read or are not valid.
        """
        key = connection.id, context
        known = self._known.get(key)
        if known is not None and known[0] == connection.vtex_version:
            self._known.move_to_end(key)
            return known[1]
        peers = self._build(connection)
        self._known[key] = connection.vtex_version, peers
        self._known.move_to_end(key)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return peers

    def _build(self, connection: Connection) -> Peers:
        adapter = self._registry.get(connection.adapter)
        settings = self._settings(connection, adapter)
        gate = asyncio.Semaphore(self._concurrency)
        vtex = self._pool.peer(
            "vtex",
            base_url=connection.vtex_url,
            scope=f"{connection.id}/vtex",
            limits=self._scoped("vtex", VTEX_LIMITS, connection.account, connection.id),
        )
        market = self._pool.peer(
            connection.adapter,
            base_url=adapter.base_url(settings),
            scope=f"{connection.id}/{connection.adapter}",
            limits=self._scoped(
                connection.adapter,
                adapter.limits,
                connection.tenant or connection.id,
                connection.id,
            ),
        )
        session = Session(
            http=Gated(vtex, gate),
            account=connection.account,
            affiliate_id=connection.affiliate_id,
            sales_channel=connection.sales_channel,
            app_key=self._open(connection.sealed_app_key, connection.id, "app_key"),
            app_token=self._open(connection.sealed_app_token, connection.id, "app_token"),
        )
        return Peers(session, adapter(settings, Gated(market, gate), self._clock))

    def _settings(self, connection: Connection, adapter: type[Adapter[Any]]) -> AdapterSettings:
        sealed = connection.sealed_adapter_settings
        plain = json.loads(self._open(sealed, connection.id, "adapter_settings"))
        try:
            return adapter.settings_model.model_validate(plain)
        except ValidationError as error:
            # Pydantic's own message quotes values, and some of them are secrets.
            raise ValueError(explain(error, "adapter_settings")) from None

    def _open(self, sealed: str, connection_id: str, name: str) -> str:
        return self._vault.open(sealed, bound_to=f"{connection_id}|{name}")

    def _scoped(
        self, peer: str, limits: Sequence[Limit], account: str, connection_id: str
    ) -> list[tuple[str, Limit]]:
        """Limits with the names of whom they are counted for."""
        if not self._limits:
            return []
        names = {
            Scope.APPLICATION: peer,
            Scope.ACCOUNT: f"{peer}|account|{account}",
            Scope.CONNECTION: f"{peer}|connection|{connection_id}",
        }
        return [
            (
                names.get(limit.scope, f"{peer}|{connection_id}|{limit.operation}"),
                limit,
            )
            for limit in limits
        ]
