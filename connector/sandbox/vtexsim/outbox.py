"""Notifications on their way, and when each SKU was last told of."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(slots=True)
class Message:
    """One notification to one affiliate."""

    url: str
    body: dict[str, Any]
    affiliate_id: str
    sku_id: int
    attempt: int = 0


@dataclass(slots=True)
class Outbox:
    """What waits to be sent, and how many workers are sending."""

    waiting: deque[Message] = field(default_factory=deque)
    working: int = 0
    last_told: dict[tuple[str, int], datetime] = field(default_factory=dict)
