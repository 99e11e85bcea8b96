"""A whole day in one thread: hub, VTEX and marketplace in virtual time, without a socket."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from random import Random
from urllib.parse import unquote, urlsplit

from adapters.demo import ADAPTER, SIMULATOR
from adapters.demo.market.state import DemoSimSettings
from connector.domain.connection import Connection, ConnectionSpec, Purpose
from connector.domain.http import NoAnswer, NotSent, Request, Response, json_response
from connector.domain.pending import Context
from connector.drivers.memory_broker import MemoryBroker
from connector.drivers.memory_store import MemoryStore
from connector.drivers.metrics import NoMetrics
from connector.drivers.vault import AesVault, generate_key
from connector.drivers.virtual_time import VirtualClock
from connector.flows import callbacks, connections, intake, mapper
from connector.flows.hub import Hub, Peers
from connector.flows.secrets import opens
from connector.flows.turns import Workers
from connector.sandbox.vtexsim import VtexSimulator
from connector.sandbox.vtexsim.settings import VtexSimSettings
from connector.sdk.registry import AdapterRegistry
from connector.sdk.testing.simulator import Dropped, Simulator
from connector.vtex.bodies import BadBody
from connector.vtex.orders import parse_envelope
from connector.vtex.session import Session

HUB = "http://hub.test"


class SimHttp:
    """The hub's way out, ending in a simulator; the wire may lose calls and answers."""

    def __init__(self, simulator: Simulator, headers: dict[str, str], rng: Random) -> None:
        self.simulator = simulator
        self.headers = headers
        self.rng = rng

    async def send(self, request: Request) -> Response:
        whole = Request(
            request.method,
            request.url,
            request.query,
            {**self.headers, **request.headers},
            request.body,
            request.operation,
        )
        await asyncio.sleep(self.rng.uniform(0.01, 0.2))
        try:
            return await self.simulator.handle(whole)
        except Dropped as lost:
            raise NoAnswer(str(lost)) from None


class HubHttp:
    """The simulators' way in: routes their calls to the hub's flows while the hub is up."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def send(self, request: Request) -> Response:
        hub = self.world.hub
        if hub is None:
            raise NotSent("the hub is down")
        parts = urlsplit(request.url).path.strip("/").split("/")
        try:
            answer = await self._route(hub, parts, request)
        except BadBody as error:
            return json_response({"message": str(error)}, 400)
        except callbacks.Undecided:
            return json_response({"message": "later"}, 503)
        if self.world.hub is not hub:
            raise NoAnswer("the hub died before it answered")
        return answer

    async def _route(self, hub: Hub, parts: list[str], request: Request) -> Response:
        connection = await hub.book.get(parts[2])
        assert connection is not None
        if parts[0] == "marketplace":
            assert opens(connection, Purpose.WEBHOOK, parts[3], hub.now())
            await intake.take_webhook(hub, connection, request)
            return json_response({})
        rest = [unquote(part) for part in parts[4:]]
        if rest[:2] == ["api", "notification"]:
            assert opens(connection, Purpose.NOTIFY, parts[3], hub.now())
            await intake.take_notifications(hub, connection, request.body)
            return json_response({})
        if rest[0] == "mapper":
            assert opens(connection, Purpose.MAPPER, parts[3], hub.now())
            take = mapper.take_mapping if rest[1] == "mapping" else mapper.take_processed
            await take(hub, connection, request.body)
            return json_response({})
        assert opens(connection, Purpose.SERVICES, parts[3], hub.now())
        return await self._services(hub, connection, rest, request)

    async def _services(
        self, hub: Hub, connection: Connection, rest: list[str], request: Request
    ) -> Response:
        if rest[0] == "order-integration":
            envelope = parse_envelope(request.body)
            assert envelope is not None
            await callbacks.take_result(hub, connection, envelope)
            return json_response({})
        ref, *tail = rest[2:]
        match tail:
            case ["invoice"]:
                said = await callbacks.take_invoice(hub, connection, ref, request.body)
            case ["invoice", number]:
                said = await callbacks.take_invoice(hub, connection, ref, request.body, number)
            case ["invoice", number, "tracking"]:
                said = await callbacks.take_delivery(hub, connection, ref, number, request.body)
            case ["cancel"]:
                answer = await callbacks.take_cancel(hub, connection, ref, request.body)
                if answer.receipt is None:
                    return json_response({"error": {"message": answer.refusal}}, 409)
                said = answer.receipt
            case _:
                return json_response({}, 404)
        return json_response(said)


class SimPeers:
    """Peers over the simulators."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._kept: dict[tuple[str, Context], Peers] = {}

    def of(self, connection: Connection, context: Context) -> Peers:
        key = (connection.id, context)
        if key not in self._kept:
            world = self.world
            vtex = Session(
                SimHttp(world.vtex, {}, world.rng),
                connection.account,
                connection.affiliate_id,
                connection.sales_channel,
                world.vtex_settings.app_key,
                world.vtex_settings.app_token,
            )
            settings = ADAPTER.settings_model.model_validate(world.adapter_settings)
            http = SimHttp(world.market, {}, world.rng)
            adapter = ADAPTER(settings, http, world.clock)
            self._kept[key] = Peers(vtex, adapter)
        return self._kept[key]


@dataclass
class World:
    """Everything of one simulated installation. ``hub`` is None while it is dead."""

    seed: int
    skus: int = 20
    vtex_options: dict[str, object] = field(default_factory=dict)
    market_options: dict[str, object] = field(default_factory=dict)
    rules: dict[str, object] = field(default_factory=dict)
    order_api: str = "integration"

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)
        self.clock = VirtualClock()
        self.store = MemoryStore(self.clock)
        self.vault = AesVault([generate_key()])
        self.hub: Hub | None = None
        self._workers: asyncio.Task[None] | None = None
        inbound = HubHttp(self)
        self.vtex_settings = VtexSimSettings(**self.vtex_options)  # type: ignore[arg-type]
        self.vtex = VtexSimulator(
            clock=self.clock,
            outbound=inbound,
            seed=self.seed,
            settings=self.vtex_settings,
            n_skus=self.skus,
        )
        self.market_settings = DemoSimSettings(**self.market_options)  # type: ignore[arg-type]
        self.market = SIMULATOR(
            clock=self.clock, outbound=inbound, seed=self.seed + 1, settings=self.market_settings
        )
        self.connection: Connection | None = None

    @property
    def adapter_settings(self) -> dict[str, str]:
        market = self.market_settings
        return {
            "base_url": "http://market.test",
            "seller_id": market.seller_id,
            "api_key": market.api_key,
            "webhook_secret": market.webhook_secret,
        }

    async def start(self) -> None:
        """Start the hub; the first time, connect the merchant and point both sides at it."""
        hub = Hub(
            store=self.store,
            broker=MemoryBroker(),
            clock=self.clock,
            vault=self.vault,
            metrics=NoMetrics(),
            registry=AdapterRegistry(found={"demo": ADAPTER}),
            peers=SimPeers(self),
            public_url=HUB,
            rng=Random(self.seed + 2),
        )
        self.hub = hub
        if self.connection is None:
            await self._connect(hub)
        self._workers = asyncio.create_task(Workers(hub, sweep_every_s=60).run(asyncio.Event()))

    async def _connect(self, hub: Hub) -> None:
        spec = ConnectionSpec(
            account=self.vtex_settings.account,
            affiliate_id="DMM",
            sales_channel=self.vtex_settings.sales_channel,
            app_key=self.vtex_settings.app_key,
            app_token=self.vtex_settings.app_token,
            adapter="demo",
            adapter_settings=self.adapter_settings,
            order_api=self.order_api,  # type: ignore[arg-type]
            rules={"default_category": "110", **self.rules},  # type: ignore[arg-type]
        )
        self.connection, urls = await connections.add(hub, spec)
        self.market_settings.webhook_url = urls.webhook_url
        self.vtex.add_affiliate(
            "DMM", search_uri=urls.notification_url, sales_channel=spec.sales_channel
        )

    async def kill(self) -> None:
        """kill -9: everything in memory is gone, what was saved is not."""
        self.hub = None
        workers, self._workers = self._workers, None
        if workers is None:
            return
        for task in [t for t in asyncio.all_tasks() if self._is_hubs(t)]:
            task.cancel()
        workers.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(workers, return_exceptions=True)

    def _is_hubs(self, task: asyncio.Task[object]) -> bool:
        """Tasks of the hub itself; the simulators' own go on."""
        if task is asyncio.current_task():
            return False
        name = getattr(task.get_coro(), "__qualname__", "")
        return name.startswith(("Workers.", "_handle", "Bell.", "MemoryBroker."))

    async def load(self) -> None:
        """Load the whole sales channel."""
        assert self.hub is not None
        assert self.connection is not None
        await connections.start_sync(self.hub, self.connection.id)

    async def settle(self, seconds: float) -> None:
        """Let time pass."""
        await self.clock.sleep(seconds)

    async def close(self) -> None:
        await self.kill()
        await self.vtex.close()
        await self.market.close()
