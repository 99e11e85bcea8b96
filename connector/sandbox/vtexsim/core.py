"""The state every room of the simulator shares, and the questions they all ask of it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from connector.domain.http import Response, json_request, json_response
from connector.sandbox.vtexsim.errors import error_body, error_text, problem, refusal
from connector.sandbox.vtexsim.limits import TokenBucket, family
from connector.sandbox.vtexsim.outbox import Outbox
from connector.sandbox.vtexsim.seed import seed_catalog
from connector.sandbox.vtexsim.settings import VtexSimSettings
from connector.sandbox.vtexsim.state import Affiliate, Catalog, Price, Promotion, Sku, SkuTruth
from connector.sdk.testing.simulator import Faults, Simulator

if TYPE_CHECKING:
    from datetime import datetime

    from connector.domain.clock import Clock
    from connector.domain.http import Http, Request
    from connector.sandbox.vtexsim.order_state import SimOrder

# Which License Manager resource guards which path (protocol 1.3).
_RESOURCES = tuple(
    (method, re.compile(pattern, re.IGNORECASE), name)
    for method, pattern, name in (
        ("GET", r"/api/catalog_system/pvt/sku/stockkeepingunitidsbysaleschannel", "View Product"),
        ("GET", r"/api/catalog_system/pvt/sku/", "SKUs"),
        ("GET", r"/api/catalog/pvt/stockkeepingunitkit", "SKU Bundles"),
        ("GET", r"/api/catalog/pvt/stockkeepingunit", "SKUs"),
        ("GET", r"/api/catalog/pvt/product/", "Product and SKU Management"),
        ("GET", r"/api/catalog_system/pvt/products/productget", "Product Form"),
        ("GET", r"/api/catalog_system/pvt/products/", "Product management"),
        ("GET", r"/api/catalog/pvt/category/", "Categories Management"),
        ("GET", r"/api/catalog(_system)?/pvt/brand/", "Brands"),
        ("", r"/api/fulfillment/pvt/affiliates", "Save Order Configuration"),
        ("", r"/api/(fulfillment/pvt|order-integration)/orders", "Place Orders"),
        ("POST", r"/api/fulfillment/pvt/orderForms/simulation", "Place Orders"),
        ("POST", r"/api/oms/pvt/orders/[^/]+/cancel", "Cancel order"),
        ("", r"/api/oms/pvt/orders/[^/]+/invoice", "Notify invoice"),
        ("POST", r"/api/oms/pvt/orders/[^/]+/start-handling", "Change order workflow status"),
        ("GET", r"/api/oms/pvt/orders/[^/]+", "View order"),
        ("GET", r"/api/oms/pvt/orders", "List Orders"),
        ("GET", r"/api/logistics/pvt/inventory", "inventory read only"),
        ("GET", r"/[^/]+/pricing/prices/", "Read prices"),
    )
)
_PRIVATE = ("/pvt/", "/order-integration/", "/pricing/prices/")


class VtexCore(Simulator):
    """One account: settings, products, affiliates, orders, and what is true of them now."""

    def __init__(
        self,
        *,
        clock: Clock,
        outbound: Http,
        seed: int = 0,
        faults: Faults | None = None,
        settings: VtexSimSettings | None = None,
        n_skus: int = 100,
        catalog: Catalog | None = None,
    ) -> None:
        super().__init__(clock=clock, outbound=outbound, seed=seed, faults=faults)
        self.settings = settings or VtexSimSettings()
        self.catalog = catalog or seed_catalog(
            n_skus,
            self.rng,
            sales_channel=self.settings.sales_channel,
            others=self.settings.other_sales_channels,
        )
        self.affiliates: dict[str, Affiliate] = {}
        self.orders: dict[str, SimOrder] = {}
        self.created: dict[str, int] = {}
        self.outbox = Outbox()
        self._buckets: dict[str, TokenBucket] = {}
        self._promotions: dict[int, list[Promotion]] = {}

    async def handle(self, request: Request) -> Response:
        """Answer one request; its URL may be absolute or carry the query.

        Raises:
            Dropped: the connection is to be closed without an answer.
        """
        if "?" in request.url or "://" in request.url:
            parts = urlsplit(request.url)
            query_of_url = dict(parse_qsl(parts.query, keep_blank_values=True))
            request = replace(request, url=parts.path, query={**query_of_url, **request.query})
        return await super().handle(request)

    # --- who may ask ----------------------------------------------------------------

    def refuse_unauthorized(self, request: Request) -> Response | None:
        """Ask for the key pair on private paths and for the resource of the path (protocol 1.2)."""
        path = request.url.split("?", 1)[0]
        if not any(part in path for part in _PRIVATE):
            return None
        if not self._has_keys(request):
            return self._unauthorized(path)
        forbidden = self.settings.forbidden
        if forbidden and _resource(request.method, path) in forbidden:
            return problem("Forbidden", 403, self.token())
        return None

    def _has_keys(self, request: Request) -> bool:
        given = {name.lower(): value for name, value in request.headers.items()}
        settings = self.settings
        return (
            given.get("x-vtex-api-appkey") == settings.app_key
            and given.get("x-vtex-api-apptoken") == settings.app_token
            and not settings.expired_token
        )

    def _unauthorized(self, path: str) -> Response:
        if "/fulfillment/" in path or "/checkout/" in path:
            return refusal("CHK003", self.settings.locale, status=401)
        if "/catalog" in path:
            return json_response(error_text("unauthorized", self.settings.locale), 401)
        if "/order-integration/" in path:
            return problem("Unauthorized", 401, self.token())
        return refusal("unauthorized", self.settings.locale, status=401)

    async def _before(self, request: Request) -> Response | None:
        refusal = await super()._before(request)
        return refusal or self._limited(request.url)

    def _limited(self, path: str) -> Response | None:
        settings = self.settings
        if settings.rate_limit_per_s <= 0:
            return None
        limit = (settings.rate_limit_per_s, settings.rate_limit_burst)
        bucket = self._buckets.get(family(path))
        if bucket is None or (bucket.rate, bucket.burst) != limit:
            bucket = self._buckets[family(path)] = TokenBucket(*limit)
        wait = bucket.take(self.clock.now())
        if not wait:
            return None
        self.record("call.limited", family=family(path))
        text = error_text("CHK00310", settings.locale)
        headers = {"retry-after": str(max(1, math.ceil(wait)))}
        return json_response(error_body("CHK00310", text), 429, headers)

    def throttled(self) -> Response:
        """Too many requests, as a gateway or as Logistics tells it (protocol 1.4)."""
        wait = {"retry-after": f"{self.faults.retry_after_s:g}"} if self.chance(0.5) else {}
        if self.chance(0.5):
            text = error_text("CHK00310", self.settings.locale)
            return json_response(error_body("CHK00310", text), 429, wait)
        return Response(429, {"content-type": "text/plain", **wait}, b"Too many requests")

    # --- small tools ----------------------------------------------------------------

    def token(self) -> str:
        """An identifier no two things share, made from the seed."""
        return f"{self.rng.getrandbits(128):032x}"

    def stamp(self, at: datetime | None = None) -> str:
        """A moment with seven decimals, as VTEX writes it (protocol 0.3)."""
        return f"{at or self.clock.now():%Y-%m-%dT%H:%M:%S.%f}0Z"

    def refuse(self, code: str, *values: object, status: int = 400) -> Response:
        """A classic refusal in the store's language."""
        return refusal(code, self.settings.locale, *values, status=status)

    async def post_out(
        self, url: str, payload: Any, operation: str, query: dict[str, str] | None = None
    ) -> Response | None:
        """POST JSON to the hub; a query inside the URL is kept; None where no answer came."""
        return await self.send_out("POST", url, payload, operation, query)

    async def send_out(
        self,
        method: str,
        url: str,
        payload: Any,
        operation: str,
        query: dict[str, str] | None = None,
    ) -> Response | None:
        """Send JSON to the hub with any verb; ``payload`` None sends an empty body."""
        path, _, given = url.partition("?")
        request = json_request(
            method,
            path,
            payload,
            query={**dict(parse_qsl(given)), **(query or {})},
            operation=operation,
            timeout_s=10.0,
        )
        return await self.call_out(request if payload is not None else replace(request, body=b""))

    # --- what is true, and what readers see ---------------------------------------------------

    def sellable(self, sku: Sku, sales_channel: int) -> bool:
        """Whether the SKU is active, assigned and priced in this channel, stock aside."""
        policy = self.catalog.policies.get(sales_channel)
        price = sku.prices(sales_channel).current
        return (
            self.catalog.is_active(sku)
            and sales_channel in sku.policies
            and policy is not None
            and policy.active
            and price is not None
            and price.price > 0
        )

    def stock_of(self, sku: Sku, *, now: datetime | None = None) -> int:
        """What can be promised, or what readers see at ``now``; a kit has what its parts give."""
        if not sku.kit:
            return sku.stock.current if now is None else sku.stock.seen(now)
        counts = [
            self.stock_of(self.catalog.skus[part.sku_id], now=now) // part.amount
            for part in sku.kit
            if part.sku_id in self.catalog.skus
        ]
        return min(counts, default=0)

    def discount(
        self, sku: Sku, sales_channel: int, now: datetime
    ) -> tuple[Promotion | None, float]:
        """The promotion that holds for a SKU now and its percentage; the best one wins."""
        best: Promotion | None = None
        for promotion in self._promotions.get(sku.id, ()):
            if promotion.holds(sales_channel, now) and (
                best is None or promotion.percent > best.percent
            ):
                best = promotion
        return best, best.percent if best else 0.0

    def net_price(self, sku: Sku, price: Price, sales_channel: int) -> int:
        """Cents per measurement unit after the promotion that holds now."""
        percent = self.discount(sku, sales_channel, self.clock.now())[1]
        return price.price - round(price.price * percent / 100) if percent else price.price

    def true_total(self, sku: Sku, sales_channel: int, quantity: int) -> int:
        """What ``quantity`` units really cost now, in cents; 0 without a price."""
        price = sku.prices(sales_channel).current
        if price is None:
            return 0
        return line_total(self.net_price(sku, price, sales_channel), sku.multiplier, quantity)

    def truth(self, sales_channel: int | None = None) -> dict[str, SkuTruth]:
        """What is really so of every SKU in one sales channel (the account's main one if none)."""
        channel = self.settings.sales_channel if sales_channel is None else sales_channel
        return {str(sku.id): self.truth_of(sku, channel) for sku in self.catalog.skus.values()}

    def truth_of(self, sku: Sku, sales_channel: int) -> SkuTruth:
        """What is really so of one SKU in one sales channel."""
        price = sku.prices(sales_channel).current or Price(0, 0)
        return SkuTruth(
            sku_id=str(sku.id),
            price=self.true_total(sku, sales_channel, 1),
            list_price=line_total(price.list_price, sku.multiplier, 1),
            unit_price=price.price,
            stock=self.stock_of(sku),
            sellable=self.sellable(sku, sales_channel),
            assigned=sales_channel in sku.policies,
        )

    def doubled_orders(self) -> dict[str, list[str]]:
        """Marketplace order ids that exist more than once, with the VTEX orders made of them."""
        made: dict[str, list[str]] = {}
        for order in self.orders.values():
            count = self.created.get(order.order_id, 1)
            made.setdefault(order.marketplace_order_id, []).extend([order.order_id] * count)
        return {own_id: ids for own_id, ids in made.items() if len(ids) > 1}

    def _later(self, seconds: float) -> datetime:
        return self.clock.now() + timedelta(seconds=seconds)


def query(request: Request, name: str, default: str = "") -> str:
    """A query value by its name, whatever the letter case."""
    wanted = name.lower()
    for key, value in request.query.items():
        if key.lower() == wanted:
            return value
    return default


def line_total(unit_price: int, multiplier: float, quantity: int) -> int:
    """Cents for ``quantity`` sold units: price x multiplier x quantity, rounded half up once."""
    return (unit_price * round(multiplier * 10_000) * quantity + 5_000) // 10_000


def _resource(method: str, path: str) -> str | None:
    for verb, pattern, name in _RESOURCES:
        if verb in {"", method} and pattern.match(path):
            return name
    return None
