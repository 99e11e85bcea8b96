"""Opens a hub: every port gets the driver that the settings name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from connector.bootstrap.keys import StartError, open_vault
from connector.domain.breaker import Phase
from connector.domain.clock import Clock
from connector.drivers.breakers import Breakers
from connector.drivers.clock import SystemClock
from connector.drivers.commons import Commons
from connector.drivers.http import HttpPool
from connector.drivers.limiter import Limiter
from connector.drivers.memory_broker import MemoryBroker
from connector.drivers.metrics import PrometheusMetrics
from connector.drivers.mongo_store import MongoStore
from connector.drivers.rabbit_broker import BrokerUnavailable, RabbitBroker
from connector.drivers.sqlite_store import SqliteStore
from connector.flows.app_settings import read_app_settings
from connector.flows.hub import Hub, PeerBook
from connector.peerbook import LivePeers
from connector.ports import Broker, Metrics, Store, StoreUnavailable, Vault
from connector.sdk import AdapterSettings
from connector.sdk.registry import AdapterRegistry, discover
from connector.settings import Settings

_LEDGER_S = 4.0
"""VTEX waits 5 s for an answer: a ledger that does not answer is told of before that."""


@asynccontextmanager
async def open_hub(
    settings: Settings,
    *,
    store: Store | None = None,
    broker: Broker | None = None,
    clock: Clock | None = None,
    vault: Vault | None = None,
    metrics: Metrics | None = None,
    registry: AdapterRegistry | None = None,
    peers: PeerBook | None = None,
    quiet: bool = False,
    alone: bool = False,
) -> AsyncIterator[Hub]:
    """Open a hub with the drivers that the settings name; whatever is handed in takes their place.

    What is handed in is left open at the end. ``quiet``: no broker; sweeps find what is marked.

    Raises:
        StartError: something cannot be opened.
    """
    async with AsyncExitStack() as closing:
        clock = clock or SystemClock(settings.time_scale, settings.clock_epoch)
        vault = vault or open_vault(settings)
        metrics = metrics or PrometheusMetrics()
        if store is None:
            store = await _open_store(settings, clock)
            closing.push_async_callback(store.close)
        if broker is None:
            broker = MemoryBroker() if quiet else await _open_broker(settings, metrics)
            closing.push_async_callback(broker.close, drain_s=0)
        registry = registry or discover()
        if peers is None:
            commons = None if alone else Commons(store, clock)
            pool = _open_pool(settings, clock, metrics, commons)
            closing.push_async_callback(pool.close)
            peers = LivePeers(
                pool=pool,
                vault=vault,
                registry=registry,
                clock=clock,
                store=store,
                metrics=metrics,
                app_settings=_app_settings(settings, registry),
                concurrency=settings.concurrency,
                limits=settings.limits,
            )
        hub = Hub(store, broker, clock, vault, metrics, registry, peers, settings.public_url)
        hub.lease_s, hub.batch, hub.entries_days = _measures(settings)
        closing.push_async_callback(hub.bell.close)
        yield hub


async def _open_store(settings: Settings, clock: Clock) -> Store:
    try:
        if not settings.embedded:
            return await MongoStore.opened(settings.store_url, clock, timeout_s=_LEDGER_S)
        return SqliteStore(settings.store_url, clock)
    except (StoreUnavailable, ValueError, OSError) as error:
        raise StartError(f"CONNECTOR_STORE_URL: {error}") from error


async def _open_broker(settings: Settings, metrics: Metrics) -> Broker:
    if not settings.shared:
        return MemoryBroker()
    try:
        broker = RabbitBroker(settings.broker_url, metrics=metrics)
        await broker.open()
    except (BrokerUnavailable, ValueError, OSError) as error:
        raise StartError(f"CONNECTOR_BROKER_URL: {error}") from error
    return broker


def _open_pool(
    settings: Settings, clock: Clock, metrics: Metrics, commons: Commons | None
) -> HttpPool:
    def show(peer: str, phase: Phase) -> None:
        if isinstance(metrics, PrometheusMetrics):
            metrics.gauge("breakers_open", float(phase is Phase.OPEN), peer=peer)

    return HttpPool(
        clock=clock,
        metrics=metrics,
        allow_hosts=settings.allow_hosts,
        limiter=Limiter(clock, commons=commons),
        breakers=Breakers(clock, on_change=show, commons=commons),
    )


def _measures(settings: Settings) -> tuple[float, int, float]:
    return settings.lease_s, settings.batch, settings.entries_days


def _app_settings(settings: Settings, registry: AdapterRegistry) -> dict[str, AdapterSettings]:
    try:
        return read_app_settings(registry, settings.own_app_settings())
    except ValueError as error:
        raise StartError(f"CONNECTOR_ADAPTER_APP_SETTINGS: {error}") from error
