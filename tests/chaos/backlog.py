"""How long the oldest due key has been waiting, as an operator sees it."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from connector.sandbox.demo.installation import Installation

_WAITED_S, _QUIET_S = 5.0, 6.0
"""Real seconds: nothing due waits longer than the first, for as long as the second, which is more
than the lease of a process that was killed.
"""
_LOOK_S = 0.5
_GAUGE = "hub_pending_oldest_seconds"


async def gone(hub: Installation, *, time_scale: float, within_s: float) -> float:
    """When nothing had been waiting any more, by ``time.monotonic``; infinity where there always
    was something.
    """
    deadline = time.monotonic() + within_s
    quiet_since = float("inf")
    limit = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=limit) as session:  # noqa: TID251 - a scraper's
        while (now := time.monotonic()) < deadline:
            oldest = await _oldest(session, hub.admins[0])
            if oldest is None or oldest > _WAITED_S * time_scale:
                quiet_since = float("inf")
            else:
                quiet_since = min(quiet_since, now)
                if now - quiet_since >= _QUIET_S:
                    return quiet_since
            await asyncio.sleep(_LOOK_S)
    return float("inf")


async def _oldest(
    session: aiohttp.ClientSession,  # noqa: TID251 - as above
    port: int,
) -> float | None:
    """The hub's own seconds that the oldest due key has waited; None where nobody tells."""
    with suppress(aiohttp.ClientError, TimeoutError):
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            told = text_string_to_metric_families(await answer.text())
        ages = [one.value for family in told for one in family.samples if one.name == _GAUGE]
        return max(ages, default=None)
    return None
