"""What every flow is given: the hub's collaborators, and its way to each connection's peers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, Protocol

from connector.domain.clock import Clock
from connector.domain.connection import Connection
from connector.domain.http import Http
from connector.domain.listing_planner import Market
from connector.domain.order_view import MarketAbility
from connector.domain.pending import Context
from connector.flows.bell import Bell
from connector.flows.book import ConnectionBook
from connector.flows.lotbook import LotBook
from connector.flows.mapping_book import MappingBook
from connector.flows.tokens import Grant
from connector.ports import Broker, Metrics, Store, Turn, Vault
from connector.sdk import Adapter, Capability
from connector.sdk.registry import AdapterRegistry
from connector.vtex.session import Session


@dataclass
class BatchSize:
    """How many SKUs one simulation takes; halved when VTEX finds it too much (protocol 5.6)."""

    size: int = 50
    ceiling: int = 50

    def halve(self, failed: int) -> None:
        """VTEX found one of ``failed`` SKUs too large."""
        self.ceiling = max(1, failed // 2)
        self.size = min(self.size, self.ceiling)

    def worked(self) -> None:
        """The last one was fine: after a while, dare a little more."""
        self.size = min(self.size + 1, max(self.ceiling, 50))


_READING = 50


@dataclass(frozen=True)
class Peers:
    """Both sides of one connection, ready to be called."""

    vtex: Session
    adapter: Adapter[Any]
    batch: BatchSize = field(default_factory=BatchSize)
    reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_READING))
    """Most catalog reads that wait or run at once. Calls are made in the order they are asked for:
    where all turns asked for all their reads at once, the simulation and the push that end one
    turn would wait behind the reads of all others, and then all would end, and begin, together."""
    lots: LotBook = field(default_factory=LotBook)
    grant: Grant | None = None
    """Access by tokens, where the marketplace gives some."""
    unsigned: Http | None = None
    """The way to the marketplace without a token: to get one."""

    @property
    def market(self) -> Market:
        """What the marketplace can do with listings."""
        can = self.adapter.capabilities
        return Market(
            block=Capability.BLOCK in can,
            delete=Capability.DELETE in can,
            content=Capability.CONTENT in can,
            find=Capability.FIND in can,
            max_stock=self.adapter.max_stock,
        )

    @property
    def ability(self) -> MarketAbility:
        """What the marketplace can be told about orders."""
        can = self.adapter.capabilities
        return MarketAbility(
            accept=Capability.ACCEPT in can,
            cancel=Capability.CANCEL in can,
            invoice=Capability.INVOICE in can,
            tracking=Capability.TRACKING in can,
            delivered=Capability.DELIVERED in can,
            refund=self.adapter.refunds_shipped,
        )


class PeerBook(Protocol):
    """Builds and keeps the peers of each connection; one set per context, so that a backfill
    never stands in an order's way.
    """

    def of(self, connection: Connection, context: Context) -> Peers:
        """The connection's peers.

        Raises:
            LookupError: its adapter is missing or broken.
            ValueError: its settings cannot be read or are not valid.
        """
        ...


@dataclass
class Hub:
    """The hub's collaborators. Built once, by bootstrap; tests build it from doubles."""

    store: Store
    broker: Broker
    clock: Clock
    vault: Vault
    metrics: Metrics
    registry: AdapterRegistry
    peers: PeerBook
    public_url: str
    rng: Random = field(default_factory=Random)
    lease_s: float = 30.0
    """Real seconds a worker may be silent before its keys go to another."""
    batch: int = 50
    """Most keys claimed in one turn."""
    entries_days: float = 30
    """How long log entries are kept."""
    bell: Bell = field(init=False)
    book: ConnectionBook = field(init=False)
    mappings: MappingBook = field(init=False)

    def __post_init__(self) -> None:
        self.bell = Bell(self.broker)
        self.book = ConnectionBook(self.store, self.clock)
        self.mappings = MappingBook(self.store)

    def ring(self, connection: Connection, context: Context, *, repeated: bool = False) -> None:
        """Ask for a turn; the caller does not wait for it. ``repeated`` as in ``ports.Broker``."""
        self.bell.ring(Turn(connection.id, context, connection.adapter), repeated=repeated)

    def now(self) -> datetime:
        """This moment."""
        return self.clock.now()
