"""What all processes of a hub share besides their work: allowances of peers and open breakers.

Small documents of the ledger, changed by compare-and-set. A process takes allowances in slices, so
that it asks the ledger a few times a second, not once per call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.domain.clock import Clock
from connector.domain.limits import reserve
from connector.ports import Conflict, Document, Put, Store, StoreUnavailable
from connector.sdk.values import Limit

SLICE_S = 0.25
"""How much of a rate a process takes at once, in seconds of that rate; real ones, for asking takes
real time."""
_TRIES = 8
_PAUSE_S = 0.02
ALLOWANCE, BREAKER = "allowance", "breaker"


@dataclass(frozen=True, slots=True)
class Grant:
    """So many calls, from this moment on; moments are seconds since 1970.

    ``calls`` 0: none could be had soon enough, come back at ``at``.
    """

    calls: int
    at: float
    paused_until: float = 0.0


class Commons:
    """Shared state in the store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._slice_s = clock.wall(SLICE_S).total_seconds()

    async def take(self, scope: str, limit: Limit, wanted: int, *, within_s: float) -> Grant:
        """Reserve up to ``wanted`` calls of a scope, to be made within ``within_s``.

        Raises:
            StoreUnavailable: the ledger cannot be asked now, or others were quicker too often.
        """
        calls = max(1, min(wanted, most_at_once(limit, self._slice_s)))
        for _ in range(_TRIES):
            known, version = await self.read(ALLOWANCE, scope)
            now = self._clock.now().timestamp()
            paused = float(known.get("paused_until", 0.0))
            state, at = reserve(
                float(known.get("state", 0.0)),
                now,
                calls,
                rate=limit.rate,
                per_s=limit.per_s,
                burst=limit.burst,
            )
            if max(at, paused) > now + within_s:
                return Grant(0, at, paused)
            if await self.swap(ALLOWANCE, scope, {**known, "state": state}, version):
                return Grant(calls, at, paused)
            await self._clock.sleep(_PAUSE_S)
        raise StoreUnavailable("others take this allowance all the time")

    async def paused_until(self, scope: str) -> float:
        """Until when nobody calls this scope."""
        known, _ = await self.read(ALLOWANCE, scope)
        return float(known.get("paused_until", 0.0))

    async def pause(self, scope: str, until: float) -> None:
        """Tell everybody that nobody calls this scope before ``until``."""
        for _ in range(_TRIES):
            known, version = await self.read(ALLOWANCE, scope)
            if float(known.get("paused_until", 0.0)) >= until:
                return
            if await self.swap(ALLOWANCE, scope, {**known, "paused_until": until}, version):
                return

    async def read(self, kind: str, key: str) -> tuple[Mapping[str, Any], int]:
        """A shared document and its version; empty and 0 where there is none."""
        found = (await self._store.get(kind, "", [key])).get(key)
        return (json.loads(found.body), found.version) if found is not None else ({}, 0)

    async def swap(self, kind: str, key: str, body: Mapping[str, Any], version: int) -> bool:
        """Save it if its version is still that one; False where another process was first."""
        document = Document(kind, "", key, json.dumps(body), version=version)
        try:
            await self._store.commit([Put(document)])
        except Conflict:
            return False
        return True


def most_at_once(limit: Limit, slice_s: float = SLICE_S) -> int:
    """How many calls of a limit one process may take together.

    A slice of so many seconds, and no more than a quarter of what may come at once: what several
    processes took and make a moment later must not add up to more than the peer takes.
    """
    slice_ = int(limit.rate / limit.per_s * slice_s)
    return max(1, min(slice_, limit.burst // 4))
