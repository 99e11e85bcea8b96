"""How much is measured: the whole, the quick and the tiniest way."""

from __future__ import annotations

from dataclasses import dataclass

LATENCY_S = 0.02
"""Of every simulated call, on either side."""
CONCURRENCY = 8
BATCH = 50
CONNECTIONS = 64
"""Keep-alive connections that notifications come over."""


@dataclass(frozen=True)
class Sizes:
    """One way of measuring; the figures are ratios, so that smaller ones still mean something."""

    name: str
    acks: int
    """Notifications per round of acknowledgements."""
    ack_rounds: int
    skus: int
    loop_skus: int
    """The conventional loop's time grows with its SKUs and nothing else: fewer, and scaled."""
    load_rounds: int
    changes: int
    changes_per_s: float
    reindex_skus: int
    reindex_notifications: int
    reindex_s: float
    gather_s: float
    listings: int
    """For the hub's memory."""
    growth: int
    """Notifications per step of the growth by listings."""
    each: int
    """Notifications of every connection in the growth by connections."""
    connections: tuple[int, ...]
    ledgers: tuple[int, ...]
    """Connections, and listings in the ledger, at each step."""


FULL = Sizes(
    name="full",
    acks=8_000,
    ack_rounds=7,
    skus=5_000,
    loop_skus=1_000,
    load_rounds=3,
    changes=1_000,
    changes_per_s=50,
    reindex_skus=1_000,
    reindex_notifications=5_000,
    reindex_s=10,
    gather_s=15,
    listings=100_000,
    growth=4_000,
    each=12,
    connections=(10, 100, 1_000),
    ledgers=(10_000, 100_000, 1_000_000),
)
QUICK = Sizes(
    name="quick",
    acks=3_000,
    ack_rounds=3,
    skus=1_000,
    loop_skus=200,
    load_rounds=1,
    changes=250,
    changes_per_s=50,
    reindex_skus=300,
    reindex_notifications=1_500,
    reindex_s=3,
    gather_s=5,
    listings=20_000,
    growth=1_000,
    each=12,
    connections=(10, 100),
    ledgers=(10_000, 100_000),
)
TINY = Sizes(
    name="tiny",
    acks=60,
    ack_rounds=1,
    skus=60,
    loop_skus=16,
    load_rounds=1,
    changes=10,
    changes_per_s=50,
    reindex_skus=10,
    reindex_notifications=30,
    reindex_s=0.3,
    gather_s=1,
    listings=200,
    growth=20,
    each=5,
    connections=(2, 4),
    ledgers=(50, 100),
)
SIZES = {sizes.name: sizes for sizes in (FULL, QUICK, TINY)}
