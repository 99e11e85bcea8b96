"""A hub between two simulators without sockets, for what operators ask of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from adapters.demo import DemoAdapter, DemoMarketSimulator
from connector.domain.connection import Connection, ConnectionSpec
from connector.domain.http import NotSent, Request, Response
from connector.domain.listing import Commercial, Confirmed, Listing, ListingState, Reason, SkuRecord
from connector.domain.marketorder import Address, Buyer, Line, MarketOrder, MarketStatus
from connector.domain.offer import Content
from connector.domain.order import Order, OrderState, Task, VtexView
from connector.domain.pending import Context, Mark, Parked
from connector.drivers.memory_broker import MemoryBroker
from connector.drivers.memory_store import MemoryStore
from connector.drivers.vault import AesVault, generate_key
from connector.flows import connections
from connector.flows.documents import Saved, put_listing, put_order
from connector.flows.hub import Hub, Peers
from connector.ports import Settle
from connector.sandbox.vtexsim import VtexSimSettings, VtexSimulator
from connector.sdk.registry import AdapterRegistry
from connector.vtex.session import Session
from tests.unit.vtexsim.support import FakeClock, FakeHub, small_catalog

PUBLIC = "https://hub.example.com"
NOW = datetime(2026, 8, 20, 12, tzinfo=UTC)
MARKET_SETTINGS = {
    "base_url": "https://market.example",
    "seller_id": "seller-1",
    "api_key": "demo-key",
    "webhook_secret": "demo-webhook-secret",
}


class NoMetrics:
    def count(self, name: str, value: float = 1, **labels: str) -> None: ...

    def observe(self, name: str, value: float, **labels: str) -> None: ...


class Wire:
    """Calls a simulator; ``spoil`` may answer instead of it, or raise."""

    def __init__(self, simulator: Any) -> None:
        self.simulator = simulator
        self.calls: list[Request] = []
        self.spoil: Callable[[Request], Response | None] = lambda _: None

    async def send(self, request: Request) -> Response:
        self.calls.append(request)
        path = "/" + request.url.split("://")[-1].partition("/")[2]
        spoiled = self.spoil(request)
        if spoiled is not None:
            return spoiled
        plain = request if "://" not in request.url else replace(request, url=path)
        return await self.simulator.handle(plain)

    def cut(self) -> None:
        def refuse(request: Request) -> Response | None:
            raise NotSent(f"could not send {request.operation}")

        self.spoil = refuse


class TestPeers:
    """Builds peers over two wires."""

    __test__ = False

    def __init__(self, vtex: Wire, market: Wire, clock: FakeClock) -> None:
        self.vtex, self.market, self.clock = vtex, market, clock
        self.hub: Hub | None = None
        self.error: Exception | None = None

    def of(self, connection: Connection, context: Context) -> Peers:
        if self.error is not None:
            raise self.error
        hub = self.hub
        assert hub is not None
        keys = {
            name: hub.vault.open(sealed, bound_to=f"{connection.id}|{name}")
            for name, sealed in (
                ("app_key", connection.sealed_app_key),
                ("app_token", connection.sealed_app_token),
            )
        }
        session = Session(
            http=self.vtex,
            account=connection.account,
            affiliate_id=connection.affiliate_id,
            sales_channel=connection.sales_channel,
            **keys,
        )
        settings = DemoAdapter.settings_model.model_validate(
            connections.open_settings(hub, connection)
        )
        return Peers(session, DemoAdapter(settings, self.market, self.clock))


class World:
    """The hub, both simulators, and one connection."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.sim = VtexSimulator(
            clock=self.clock,
            outbound=FakeHub(),
            settings=VtexSimSettings(unsorted_logistics=False),
            catalog=small_catalog(),
            seed=7,
        )
        self.market = DemoMarketSimulator(clock=self.clock, outbound=FakeHub(), seed=7)
        self.vtex_wire, self.market_wire = Wire(self.sim), Wire(self.market)
        self.peers = TestPeers(self.vtex_wire, self.market_wire, self.clock)
        self.store = MemoryStore(self.clock)
        self.hub = Hub(
            store=self.store,
            broker=MemoryBroker(),
            clock=self.clock,
            vault=AesVault([generate_key()]),
            metrics=NoMetrics(),
            registry=AdapterRegistry({"demo": DemoAdapter}),
            peers=self.peers,
            public_url=PUBLIC,
        )
        self.peers.hub = self.hub

    async def connect(self, **changes: Any) -> Connection:
        spec = ConnectionSpec.model_validate(spec_body(self.sim, **changes))
        return (await connections.add(self.hub, spec))[0]

    async def park(self, connection: Connection, context: Context, key: str, *reasons: str) -> None:
        """Mark, claim and park a key."""
        now = self.clock.now()
        await self.store.commit([Mark(connection.id, context, key, now)])
        later = datetime(2027, 1, 1, tzinfo=UTC)
        claims = await self.store.claim(
            connection.id, context, limit=100, now=now, lease_until=later
        )
        await self.store.commit(
            [
                Settle(claim, Parked(datetime(2026, 8, 21, tzinfo=UTC), reasons))
                for claim in claims
                if claim.key == key
            ]
        )
        await self.store.renew([claim for claim in claims if claim.key != key], lease_until=now)

    async def close(self) -> None:
        await self.hub.bell.close()
        await self.sim.close()
        await self.market.close()


def spec_body(sim: VtexSimulator, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "account": sim.settings.account,
        "affiliate_id": "MKT",
        "sales_channel": sim.settings.sales_channel,
        "app_key": sim.settings.app_key,
        "app_token": sim.settings.app_token,
        "adapter": "demo",
        "adapter_settings": MARKET_SETTINGS,
    }
    return body | changes


def a_listing(connection: Connection, sku: str, **changes: Any) -> Listing:
    fields: dict[str, Any] = {
        "connection": connection.id,
        "sku": sku,
        "state": ListingState.PARKED,
        "record": SkuRecord(
            sku=sku,
            content=Content(sku=sku, product_id="9", title="Shirt [new]", brand="Acme"),
            active=True,
            read_at=NOW,
        ),
        "commercial": Commercial(price_minor=20_000, currency="BRL", stock=3, read_at=NOW),
        "confirmed": Confirmed(
            price_minor=10_000, list_price_minor=10_000, stock=3, content_digest="x", at=NOW
        ),
        "market_id": "DM-1",
        "reasons": (
            Reason(code="E1", text="price would change by 100 %"),
            Reason(code="E4", text="category is not mapped"),
        ),
    }
    return Listing(**(fields | changes))


BUYER = Buyer(first_name="Zoë", last_name="Ávila", email="zoe@example.com", document="52998224725")
ADDRESS = Address(receiver="Zoë Ávila", street="Rua São João", number="10", city="São Paulo")


def an_order(connection: Connection, ref: str, **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "connection": connection.id,
        "ref": ref,
        "key": ref,
        "state": OrderState.PARKED,
        "market": MarketOrder(
            key=ref,
            status=MarketStatus.PAID,
            created_at=NOW,
            currency="BRL",
            lines=(Line(sku="1001", quantity=1, unit_price_minor=10_000),),
            total_minor=10_000,
            buyer=BUYER,
            address=ADDRESS,
        ),
        "vtex": VtexView(order_id=f"MKT-{ref}", status="order-created", value_minor=9_000,
                         read_at=NOW),
        "vtex_order_id": f"MKT-{ref}",
        "tasks": (Task(id="t", what="call Zoë", why="52998224725 is no document", since=NOW),),
        "reasons": ("the document 52998224725 of zoe@example.com is not valid",),
        "divergence": "price is higher",
        "first_seen_at": NOW,
    }  # fmt: skip
    return Order(**(fields | changes))


async def save(world: World, *values: Listing | Order) -> None:
    await world.store.commit(
        [
            put_listing(Saved(value), value)
            if isinstance(value, Listing)
            else put_order(Saved(value), value)
            for value in values
        ]
    )
