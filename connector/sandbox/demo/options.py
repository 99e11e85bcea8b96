"""What may be chosen about a demo, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.sdk.testing.simulator import Faults

_SHARES = {"none": 0.0, "normal": 0.05, "hard": 0.20}
STALE_STOCK_S = 300.0
"""How long VTEX answers the old stock: in real time that must be longer than the hub is slow."""
_LOOKS_PER_S = 40
"""Real second: the hub must not be busier with regular second looks than with the day itself."""
_WATCHES_PER_S = 20
"""The same of its orders."""

_LONGEST_BACK_OFF_S = 17_280.0
"""What nine failures in a row cost (four hours and a fifth): more of them do not fit a day."""


@dataclass(frozen=True)
class DemoOptions:
    """A demo. Times whose name says nothing else are simulated seconds."""

    skus: int = 300
    orders: int = 60
    seed: int = 1
    faults: str = "normal"
    time_scale: float = 300.0
    keep: Path | None = None
    json_file: Path | None = None
    adapter: str = "demo"
    kill_every_s: float = 4.0
    """Real seconds between two kills, where the hub is killed."""
    store_url: str = ""
    broker_url: str = ""
    """An empty MongoDB database and a RabbitMQ vhost; empty: the embedded drivers."""
    web: int = 0
    workers: int = 0
    """Processes of each role; 0: one process does it all."""

    @property
    def share(self) -> float:
        """How much of everything goes wrong."""
        return _SHARES[self.faults]

    @property
    def order_api(self) -> str:
        """Which of VTEX's ways to place orders is used: every fourth seed takes the old one."""
        return "integration" if self.seed % 4 else "classic"

    @property
    def kills(self) -> bool:
        """Whether the hub is killed every few seconds."""
        return self.faults == "hard"

    @property
    def day_s(self) -> float:
        """How long the shop is open: half a minute at the usual scale."""
        return 9_000.0

    @property
    def recheck_s(self) -> float:
        """How soon the hub looks again at what nobody announced."""
        return max(1_500.0, self.skus * self.time_scale / _LOOKS_PER_S)

    @property
    def watch_s(self) -> float:
        """How soon the hub looks again at an order that nobody spoke of."""
        return max(900.0, self.orders * self.time_scale / _WATCHES_PER_S)

    @property
    def patience_s(self) -> float:
        """Real seconds that everything may take to come to rest after the day."""
        slow = 45.0 if self.kills else 35.0
        return max(slow, 6 * max(self.recheck_s, self.watch_s) / self.time_scale)

    @property
    def calm_s(self) -> float:
        """Real seconds it may take longer where nothing goes wrong any more: whoever failed often
        enough in a row to be asked to wait for hours is then tried once more.
        """
        return 10.0 + _LONGEST_BACK_OFF_S / self.time_scale

    def call_faults(self) -> Faults:
        """Fresh fault switches for calls into a simulator."""
        faults = Faults.spread(self.share)
        if self.kills:
            faults.slow, faults.slow_s = 0.02, 0.3
        return faults

    def vtex_troubles(self) -> dict[str, float]:
        """What goes wrong inside VTEX, beside calls that fail."""
        share = self.share
        whole = (
            "notify_loss",
            "notify_duplicate",
            "notify_late",
            "processing_loss",
            "processing_duplicate",
            "error_after_create",
            "empty_error_body",
            "callback_duplicate",
            "cancel_flip",
        )
        halves = ("processing_instability", "processing_timeout")
        return {**dict.fromkeys(whole, share), **dict.fromkeys(halves, share / 2)}

    def rules(self, category: str) -> dict[str, Any]:
        """The connection's rules: what is lost or silent is found while the demo still runs."""
        return {
            "default_category": category,
            "recheck_s": self.recheck_s,
            "best_seller_recheck_s": self.recheck_s / 2,
            "relist_s": 1_200,
            "content_max_age_s": self.recheck_s * 2,
            "watch_s": self.watch_s,
            "stock_second_look_s": STALE_STOCK_S * 1.4,
        }
