"""Rate limits: a token bucket for each family of calls (protocol 1.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(slots=True)
class TokenBucket:
    """Lets ``rate`` calls a second pass, and ``burst`` at once."""

    rate: float
    burst: float
    tokens: float = field(default=-1.0)
    at: datetime | None = None

    def take(self, now: datetime) -> float:
        """Take a token; returns 0, or how many seconds to wait for one."""
        if self.at is None:
            self.tokens = self.burst
        else:
            passed = (now - self.at).total_seconds()
            self.tokens = min(self.burst, self.tokens + passed * self.rate)
        self.at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.rate


def family(path: str) -> str:
    """Which bucket a path drinks from: ``catalog``, ``oms``, ``simulation``, ``orders`` ..."""
    if path.endswith("/simulation"):
        return "simulation"
    if "/order-integration/" in path or "/fulfillment/pvt/orders" in path:
        return "orders"
    parts = path.split("/")
    return parts[2].removesuffix("_system") if len(parts) > 2 else path
