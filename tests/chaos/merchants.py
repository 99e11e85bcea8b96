"""Merchants whose VTEX and marketplace can be made to fail, stall and refuse."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from benchmarks.peers import World, answer
from benchmarks.shapes import Shapes, shapes
from benchmarks.wire import split_request
from connector.domain.limits import decide

_MARKET = "/v1/"
_LATENCY_S = 0.01


@dataclass
class Trouble:
    """What a merchant's peers suffer from."""

    down: bool = False
    """Connections break."""
    failing: bool = False
    """Every answer is 503."""
    slow_s: float = 0.0
    market_rate: float = 0.0
    market_burst: int = 1
    """The marketplace answers 429 above that many calls a second."""


@dataclass
class Merchant:
    """One account with both its peers on one port of the loopback."""

    name: str
    world: World
    port: int = 0
    trouble: Trouble = field(default_factory=Trouble)
    market_calls: deque[float] = field(default_factory=lambda: deque(maxlen=200_000))
    vtex_calls: deque[float] = field(default_factory=lambda: deque(maxlen=200_000))
    refused: int = 0
    """How often the marketplace answered 429."""
    allowance: float = 0.0
    server: asyncio.Server | None = None

    @property
    def host(self) -> str:
        """Where its peers are."""
        return f"127.0.0.1:{self.port}"

    def spec(self, **rules: Any) -> dict[str, Any]:
        """What its operator writes to be connected."""
        url = f"http://{self.host}"
        return {
            "account": self.name,
            "affiliate_id": "CHS",
            "sales_channel": 2,
            "app_key": "vtexappkey-simstore-SIMULA",
            "app_token": "simulated-token",
            "vtex_base_url": url,
            "adapter": "demo",
            "adapter_settings": {
                "base_url": url,
                "seller_id": "seller-1",
                "api_key": "demo-key",
                "webhook_secret": "demo-webhook-secret",
            },
            "rules": {
                "default_category": "110",
                "poll_s": 86_400,
                "relist_s": 86_400,
                "price_second_look_s": 86_400,
                "stock_second_look_s": 86_400,
                "gather_s": 0,
                "reads_per_s": 10_000,
                **rules,
            },
        }

    def over_its_limit(self) -> bool:
        """Whether the marketplace refuses the call that just came."""
        if not self.trouble.market_rate:
            return False
        self.allowance, wait = decide(
            self.allowance, time.time(), self.trouble.market_rate, 1.0, self.trouble.market_burst
        )
        return wait > 0

    async def close(self) -> None:
        """Its peers are gone for good."""
        if self.server is not None:
            self.server.close()


class _Door(asyncio.Protocol):
    """One connection to a merchant's peers; calls come one after another."""

    def __init__(self, merchant: Merchant) -> None:
        self._merchant = merchant
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        request = split_request(self._data)
        if request is None:
            return
        self._data = b""
        merchant = self._merchant
        if merchant.trouble.down:
            self._transport.abort()
            return
        wait = merchant.trouble.slow_s or merchant.world.latency_s
        asyncio.get_running_loop().call_later(wait, self._answer, *request)

    def _answer(self, method: str, target: str, body: bytes) -> None:
        if self._transport.is_closing():
            return
        merchant, market = self._merchant, target.startswith(_MARKET)
        (merchant.market_calls if market else merchant.vtex_calls).append(time.monotonic())
        if merchant.trouble.failing:
            self._send("503 Service Unavailable", b"{}")
        elif market and merchant.over_its_limit():
            merchant.refused += 1
            self._send("429 Too Many Requests", b"{}")
        else:
            told = answer(merchant.world, method, target, body)
            self._send("404 Not Found" if told is None else "200 OK", told or b"{}")

    def _send(self, status: str, body: bytes) -> None:
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)


async def open_merchants(count: int, skus: int) -> list[Merchant]:
    """So many merchants with so many SKUs each; all of them are listed already in their catalog."""
    known: Shapes = await shapes()
    merchants = []
    for number in range(count):
        merchant = Merchant(f"shop{number}", World(known, skus, _LATENCY_S))
        merchant.server = await asyncio.get_running_loop().create_server(
            lambda merchant=merchant: _Door(merchant), "127.0.0.1", 0, backlog=512
        )
        merchant.port = merchant.server.sockets[0].getsockname()[1]
        merchants.append(merchant)
    return merchants


def peak_rate(moments: list[float], window_s: float = 5.0) -> float:
    """The most calls a second in any window."""
    peak, start = 0, 0
    for end, moment in enumerate(moments):
        while moment - moments[start] > window_s:
            start += 1
        peak = max(peak, end - start + 1)
    return peak / window_s
