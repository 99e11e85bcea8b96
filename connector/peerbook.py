"""Both sides of every connection, built when they are first needed and kept."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from pydantic import ValidationError

from connector.domain import departures
from connector.domain.clock import Clock
from connector.domain.connection import Connection
from connector.domain.http import Http, HttpFailure, NotSent, Request, Response
from connector.domain.pending import Context
from connector.flows.connections import explain
from connector.flows.hub import Peers
from connector.flows.tokenbook import TokenBook
from connector.flows.tokens import Current, Grant
from connector.ports import Metrics, Store, Vault
from connector.sdk import (
    Adapter,
    AdapterError,
    AdapterSettings,
    Capability,
    Limit,
    Misconfigured,
    Scope,
    Token,
)
from connector.sdk.registry import AdapterRegistry
from connector.vtex.session import Session

MOST_PEERS = 10_000
"""Peers kept at once; those not used for longest are built again when they are needed."""

_UNAUTHORIZED = 401

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
            try:
                response = await self._inner.send(request)
            except HttpFailure as failure:
                departures.failed(request, left=not isinstance(failure, NotSent))
                raise
        departures.answered(request, response)
        return response


class Signed:
    """An ``Http`` that signs what goes to the marketplace with the connection's token.

    A request that meets a 401 was not acted on: it is sent once more, with a newer token.
    """

    def __init__(
        self, inner: Http, grant: Grant, adapter: type[Adapter[Any]], base_url: str
    ) -> None:
        self._inner = inner
        self._grant = grant
        self._adapter = adapter
        self._origin = urlsplit(base_url)[:2]

    async def send(self, request: Request) -> Response:
        """Send one request, signed.

        Raises:
            NoGrant, RetryLater: there is no token now; besides what every ``Http`` raises.
        """
        if not self._ours(request.url):
            return await self._inner.send(request)
        try:
            token = await self._grant.current()
        except (AdapterError, HttpFailure):
            departures.failed(request, left=False)
            raise
        response = await self._send(request, token)
        if response.status != _UNAUTHORIZED:
            return response
        newer = await self._grant.after_401(token)
        return response if newer is None else await self._send(request, newer)

    async def _send(self, request: Request, current: Current) -> Response:
        return await self._inner.send(self._adapter.signed(request, current.token))

    def _ours(self, url: str) -> bool:
        """Whether it goes where the token is for: a file's address may lead anywhere."""
        absolute = url.startswith(("http://", "https://"))
        return not absolute or urlsplit(url)[:2] == self._origin


class LivePeers:
    """``flows.hub.PeerBook`` over a pool of HTTP clients.

    ``app_settings`` are the adapters' application settings by adapter.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        vault: Vault,
        registry: AdapterRegistry,
        clock: Clock,
        store: Store,
        metrics: Metrics,
        app_settings: Mapping[str, AdapterSettings] | None = None,
        concurrency: int = 8,
        limits: bool = True,
        most: int = MOST_PEERS,
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._registry = registry
        self._clock = clock
        self._store = store
        self._metrics = metrics
        self._app_settings = dict(app_settings or {})
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
        unsigned = self._pool.peer(
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
        grant = self._grant(connection, adapter, settings, unsigned)
        market: Http = Gated(unsigned, gate)
        if grant is not None:
            market = Signed(market, grant, adapter, adapter.base_url(settings))
        app = self._app_settings.get(connection.adapter)
        made = adapter(settings, market, self._clock, app)
        return Peers(session, made, grant=grant, unsigned=unsigned)

    def _grant(
        self,
        connection: Connection,
        adapter: type[Adapter[Any]],
        settings: AdapterSettings,
        unsigned: Http,
    ) -> Grant | None:
        """The connection's access by tokens, where its marketplace gives some."""
        if Capability.TOKENS not in adapter.capabilities:
            return None
        app = self._app_settings.get(connection.adapter)

        async def refresh(token: Token) -> Token:
            if app is None and adapter.app_settings_model is not None:
                raise Misconfigured("CONNECTOR_ADAPTER_APP_SETTINGS does not name the adapter")
            return await adapter.refresh_token(app, settings, unsigned, token)

        book = TokenBook(self._store, self._vault, connection.id)
        return Grant(book, connection.id, refresh, self._clock, self._metrics)

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
