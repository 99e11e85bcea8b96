"""Both simulators, one clock, and the sockets the hub reaches them by."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from time import monotonic
from typing import Any, Generic, TypeVar

from connector.domain.order import order_ref
from connector.drivers.clock import SystemClock
from connector.sandbox.demo.application import wants_documents
from connector.sandbox.demo.options import STALE_STOCK_S, DemoOptions
from connector.sandbox.demo.wire import ShakyHttp, Tap
from connector.sandbox.server import OutboundHttp, serve_simulator
from connector.sandbox.vtexsim import (
    DivergenceRule,
    SimOrder,
    Sku,
    VtexSimSettings,
    VtexSimulator,
)
from connector.sdk.registry import discover
from connector.sdk.testing.market import Bought, MarketSimulator, ShelfItem
from connector.sdk.testing.simulator import Faults

AFFILIATE = "DMK"
_FRESH_S, _FRESH_TIMES = 0.1, 10
"""A view of the marketplace's books is used again for so many real seconds, and for so many times
as long as it took to get: large books must not be most of the work.
"""

View = TypeVar("View")


class NoSimulatorError(LookupError):
    """The adapter brings no simulated marketplace."""


class Store(VtexSimulator):
    """The merchant's VTEX account; remembers how many units could be promised at any time."""

    def __init__(self, **everything: Any) -> None:
        super().__init__(**everything)
        self.free_since: dict[int, list[tuple[datetime, int]]] = {}
        for sku in self.catalog.skus.values():
            self.watch(sku)

    def watch(self, sku: Sku) -> None:
        """Write down what can be promised of a SKU from now on."""
        self.free_since.setdefault(sku.id, []).append((self.clock.now(), sku.free))

    def refresh_stock(self, sku: Sku, *, lag_s: float) -> None:
        """Recompute what can be promised, and remember it."""
        super().refresh_stock(sku, lag_s=lag_s)
        self.watch(sku)

    def order_of(self, key: str) -> SimOrder | None:
        """The order that a marketplace's order became."""
        return self.orders.get(f"{AFFILIATE}-{order_ref(key)}")


class Kept(Generic[View]):
    """What was seen a moment ago."""

    def __init__(self, look: Callable[[], View]) -> None:
        self._look = look
        self._view: View | None = None
        self._until = 0.0

    def view(self) -> View:
        """It, looked at again where the moment is over."""
        now = monotonic()
        if self._view is None or now >= self._until:
            self._view = self._look()
            took = monotonic() - now
            self._until = now + max(_FRESH_S, _FRESH_TIMES * took)
        return self._view

    def forget(self) -> None:
        """Look again the next time."""
        self._until = 0.0


@dataclass
class Stage:
    """Everything that is simulated, and where it can be reached."""

    options: DemoOptions
    clock: SystemClock
    store: Store
    market: MarketSimulator
    store_tap: Tap
    market_tap: Tap
    outbound: ShakyHttp
    faults: Counter[str]
    store_url: str = ""
    market_url: str = ""
    events: Counter[str] = field(default_factory=Counter)
    """What happened in the day, for the report."""

    def __post_init__(self) -> None:
        self._buys = Kept(self.market.buys)
        self._shelf = Kept(self.market.shelf)

    def buys(self) -> Mapping[str, Bought]:
        """The marketplace's orders, at most a moment old."""
        return self._buys.view()

    def look_again(self) -> None:
        """Forget what was seen of the marketplace's books."""
        self._buys.forget()
        self._shelf.forget()

    def shelf(self) -> Mapping[str, ShelfItem]:
        """The marketplace's listings, at most a moment old."""
        return self._shelf.view()

    @property
    def hosts(self) -> str:
        """Both simulators as the hub has to allow them."""
        return ",".join(url.partition("://")[2] for url in (self.store_url, self.market_url))

    def break_things(self) -> None:
        """From now on calls fail as often as the options say."""
        share = self.options.share
        self.store.faults = self.options.call_faults()
        self.market.faults = self.options.call_faults()
        self.store.settings.apply(dict(self.options.vtex_troubles()))
        if share:
            self.market.misbehave(share)
        self.outbound.share = share

    def mend_things(self) -> None:
        """From now on nothing fails any more."""
        self.store.faults, self.market.faults = Faults(), Faults()
        self.store.settings.apply(dict.fromkeys(self.options.vtex_troubles(), 0.0))
        self.market.misbehave(0)
        self.outbound.share = 0

    def connection_file(self) -> dict[str, Any]:
        """What the merchant writes to be connected."""
        settings = self.store.settings
        return {
            "account": settings.account,
            "affiliate_id": AFFILIATE,
            "sales_channel": settings.sales_channel,
            "app_key": settings.app_key,
            "app_token": settings.app_token,
            "vtex_base_url": self.store_url,
            "order_api": self.options.order_api,
            "adapter": self.options.adapter,
            "adapter_settings": self.market.seller_settings(self.market_url),
            "rules": self.options.rules(self.market.some_category()),
        }


@asynccontextmanager
async def open_stage(options: DemoOptions) -> AsyncIterator[Stage]:
    """Start both simulators; everything is quiet and in order at first."""
    clock = SystemClock(options.time_scale, datetime.now(UTC))
    faults: Counter[str] = Counter()
    async with AsyncExitStack() as closing:
        plain = OutboundHttp()
        closing.push_async_callback(plain.close)
        outbound = ShakyHttp(plain, Random(options.seed + 7), faults)  # noqa: S311 - a demo's dice
        store = Store(
            clock=clock,
            outbound=outbound,
            seed=options.seed,
            settings=_store_settings(),
            n_skus=options.skus,
        )
        closing.push_async_callback(store.close)
        market: MarketSimulator = _market_class(options.adapter)(
            clock=clock, outbound=outbound, seed=options.seed + 1, faults=Faults()
        )
        closing.push_async_callback(market.close)
        stage = Stage(
            options,
            clock,
            store,
            market,
            Tap(store, "VTEX", faults),
            Tap(market, "marketplace", faults),
            outbound,
            faults,
        )
        if wants_documents(market):
            store.settings.embedded_invoices = 1.0
        runner, stage.store_url = await serve_simulator(stage.store_tap)
        closing.push_async_callback(runner.cleanup)
        runner, stage.market_url = await serve_simulator(stage.market_tap)
        closing.push_async_callback(runner.cleanup)
        yield stage


def _store_settings() -> VtexSimSettings:
    # The marketplace charges freight of its own, and prices change between sale and placement.
    return VtexSimSettings(
        divergence_rules=(DivergenceRule(0, 10_000, "authorize"),),
        stale_stock_s=STALE_STOCK_S,
        grace_period_s=300.0,
        notify_late_s=240.0,
        callback_retry_cap_s=300.0,
    )


def _market_class(name: str) -> Any:
    registry = discover()
    registry.get(name)
    simulator = getattr(registry.modules[name], "SIMULATOR", None)
    if simulator is None or not hasattr(simulator, "buys"):
        raise NoSimulatorError(f"adapter {name} brings no simulator that the demo can use")
    return simulator
