"""A hub between plain, honest simulators in virtual time, with a hand on every call it makes."""

from __future__ import annotations

import asyncio
import functools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector.domain.connection import Connection
from connector.domain.entries import Entry
from connector.domain.http import NoAnswer, NotSent, Request, Response
from connector.domain.listing import Listing
from connector.domain.order import Order
from connector.domain.pending import Context, PendingRow
from connector.drivers.virtual_time import run_virtual
from connector.flows.documents import load_connection, load_listings, load_orders
from connector.flows.hub import Hub
from connector.flows.turns import Workers
from connector.ports import EntryQuery
from connector.sandbox.vtexsim.order_state import SimOrder
from connector.sandbox.vtexsim.settings import DivergenceRule
from connector.sandbox.vtexsim.state import Image, Lagged, Price
from connector.sdk.testing.simulator import Simulator
from tests.simulation.world import World

DAY, HOUR = 86_400.0, 3_600.0
PRICE, STOCK = 10_000, 10
FIRST = "1001"

CALM: dict[str, Any] = {
    "stale_price_s": 0.0,
    "stale_stock_s": 0.0,
    "stale_after_reservation": False,
    "availability_lies": False,
    "unsorted_logistics": False,
    "odd_invoice_numbers": 0.0,
    "cancel_empty_body": 0.0,
    "embedded_invoices": 0.0,
    "grace_period_s": 60.0,
    "divergence_rules": (DivergenceRule(0, 100, "authorize"),),
}
MARKET_WRITES = frozenset(
    {"listings.create", "listings.content", "listings.terms", "listings.block", "listings.delete"}
)

Hook = Callable[[Request], Awaitable[Response | None]]


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an asynchronous test in virtual time."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_virtual(test(*args, **kwargs))

    return run


async def _nothing(request: Request) -> Response | None:
    return None


@dataclass
class Tap:
    """Every call into one simulator passes here; ``before`` and ``after`` may spoil it."""

    simulator: Simulator
    calls: list[Request] = field(default_factory=list)
    before: Hook = _nothing
    after: Hook = _nothing

    def __post_init__(self) -> None:
        self._handle = self.simulator.handle
        self.simulator.handle = self  # type: ignore[assignment, method-assign]

    async def __call__(self, request: Request) -> Response:
        self.calls.append(request)
        spoiled = await self.before(request)
        if spoiled is not None:
            return spoiled
        answer = await self._handle(request)
        return await self.after(request) or answer

    async def pass_on(self, request: Request) -> Response:
        """What the simulator itself answers."""
        return await self._handle(request)

    def count(self, *operations: str) -> int:
        """How many calls there were of these operations."""
        return sum(call.operation in operations for call in self.calls)

    def of(self, operation: str) -> list[Request]:
        return [call for call in self.calls if call.operation == operation]

    def heal(self) -> None:
        self.before = self.after = _nothing


class Stage(World):
    """A world whose products are all plain, and which two taps listen to."""

    vtex_tap: Tap
    market_tap: Tap

    def prepare(self) -> None:
        self.vtex_tap, self.market_tap = Tap(self.vtex), Tap(self.market)
        catalog = self.vtex.catalog
        for sku in catalog.skus.values():
            product = catalog.products[sku.product_id]
            product.active, product.brand_id = True, 70
            sku.active, sku.policies, sku.kit, sku.multiplier = True, {1, 2}, [], 1.0
            sku.unit, sku.eans, sku.total = "un", [], STOCK
            sku.stock, sku.price = Lagged(STOCK), Lagged(Price(PRICE, 12_000))
            sku.weight_g, sku.size_cm = 500.0, (10.0, 10.0, 10.0)
            sku.images = [Image(900_000 + sku.id, f"foto-{sku.id}", "frente")]
        catalog.kits_of = {}

    # --- shortcuts --------------------------------------------------------------------------------

    @property
    def up(self) -> Hub:
        assert self.hub is not None
        return self.hub

    @property
    def joined(self) -> Connection:
        assert self.connection is not None
        return self.connection

    async def fresh(self) -> Connection:
        """The connection as it is saved now."""
        saved = await load_connection(self.store, self.joined.id)
        assert saved is not None
        return saved.value

    async def listing(self, sku: str = FIRST) -> Listing:
        return (await load_listings(self.store, self.joined.id, [sku]))[sku].value

    async def order(self, ref: str) -> Order:
        return (await load_orders(self.store, self.joined.id, [ref]))[ref].value

    async def rows(self, context: Context, *, parked: bool = False) -> dict[str, PendingRow]:
        found = await self.store.pending(self.joined.id, context, parked=parked)
        return {row.key: row for row in found}

    async def parked(self, context: Context) -> dict[str, tuple[str, ...]]:
        return {key: row.reasons for key, row in (await self.rows(context, parked=True)).items()}

    async def log(self, subject: str = "") -> list[Entry]:
        return await self.store.entries(EntryQuery(self.joined.id, subject=subject))

    async def codes(self, subject: str) -> set[str]:
        return {entry.code for entry in await self.log(subject)}

    def shelf(self) -> dict[str, tuple[int, int]]:
        """Price and stock that buyers see, by SKU; what they cannot buy has no stock."""
        return {
            sku: (one.price_minor, 0 if one.blocked else one.stock)
            for sku, one in self.market.listings.items()
        }

    def sell(self, quantity: int = 1, sku: str = FIRST, **options: Any) -> str:
        cart = self.market.sell([(sku, quantity)], **options)
        assert hasattr(cart, "cart_id"), cart
        return str(cart.cart_id)

    def there(self, ref: str) -> SimOrder | None:
        """VTEX's own order."""
        return self.vtex.orders.get(f"DMM-{ref}")

    def in_vtex(self, ref: str) -> SimOrder:
        order = self.there(ref)
        assert order is not None
        return order

    def happened(self, kind: str) -> int:
        return sum(row.kind == kind for row in [*self.vtex.ledger, *self.market.ledger])

    def pushes(self) -> Counter[str]:
        """What was written to the marketplace's listings, by operation."""
        return Counter(c.operation for c in self.market_tap.calls if c.operation in MARKET_WRITES)

    async def settle(self, seconds: float) -> None:
        """Let time pass; in short waits the hub looks for due work as often as a real one does."""
        if seconds > HOUR / 4:
            await super().settle(seconds)
            return
        end = self.clock.now() + timedelta(seconds=seconds)
        while (left := (end - self.clock.now()).total_seconds()) > 0:
            await super().settle(min(left, 0.5 if seconds < 60 else 3))
            if self.hub is not None:
                await Workers(self.hub).sweep()

    async def restart(self, after_s: float = 1) -> None:
        """The hub is gone for a while and comes back."""
        await self.kill()
        await self.settle(after_s)
        await self.start()


@asynccontextmanager
async def staged(
    skus: int = 3,
    *,
    load: bool = True,
    vtex: dict[str, Any] | None = None,
    market: dict[str, Any] | None = None,
    rules: dict[str, Any] | None = None,
    order_api: str = "integration",
) -> AsyncIterator[Stage]:
    """A running stage; with ``load`` every SKU is listed already."""
    stage = Stage(
        5,
        skus=skus,
        vtex_options=CALM | (vtex or {}),
        market_options=market or {},
        rules=rules or {},
        order_api=order_api,
    )
    stage.prepare()
    await stage.start()
    try:
        if load:
            await stage.load()
            await stage.settle(30)
        yield stage
    finally:
        await stage.close()


# --- ways to spoil a call -------------------------------------------------------------------------


def times(n: int | None, operation: str, spoil: Hook) -> Hook:
    """Spoil the first ``n`` calls of an operation (None: all of them)."""
    left = n

    async def hook(request: Request) -> Response | None:
        nonlocal left
        if request.operation != operation or left == 0:
            return None
        left = None if left is None else left - 1
        return await spoil(request)

    return hook


async def lost(request: Request) -> Response | None:
    raise NoAnswer("the answer was lost")


async def unreachable(request: Request) -> Response | None:
    raise NotSent("nobody there")


async def for_ever(request: Request) -> Response | None:
    await asyncio.Event().wait()
    return None


def answers(response: Response) -> Hook:
    async def hook(request: Request) -> Response | None:
        return response

    return hook
