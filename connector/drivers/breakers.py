"""The circuit breakers of all peers; several processes share what they know through ``Commons``."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import structlog

from connector.domain import breaker
from connector.domain.breaker import Breaker, Phase
from connector.domain.clock import Clock
from connector.domain.http import Held
from connector.drivers.commons import BREAKER, Commons
from connector.ports import StoreUnavailable

_log = structlog.get_logger(__name__)

OnChange = Callable[[str, Phase], None]

_HEAR_S = 2.0
"""How often a peer's shared state is read while it is being called. Real seconds, like what reading
costs."""
_LOST_PROBE_S = 1.0


class Breakers:
    """Holds back calls to peers that are down; one log line when that begins and when it ends.

    Calls are counted by each process for itself. With ``commons``, one that finds a peer down
    tells the others, and of all processes one sends the probe.
    """

    def __init__(
        self, clock: Clock, *, on_change: OnChange | None = None, commons: Commons | None = None
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._commons = commons
        self._hear_s = clock.wall(_HEAR_S).total_seconds()
        self._states: dict[str, Breaker] = {}
        self._heard: dict[str, tuple[float, int]] = {}
        """When a peer's shared state was last read, and its version."""
        self._hearing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def state(self, peer: str) -> Breaker:
        """What is known about a peer."""
        return self._states.get(peer, Breaker())

    async def check(self, peer: str) -> None:
        """Raise Held where a call would be held back; takes no probe."""
        await self._hear(peer)
        _, wait = breaker.decide(self.state(peer), self._now())
        self._hold(peer, wait)

    async def enter(self, peer: str) -> None:
        """Raise Held where the call must not go out now; otherwise it may be the probe."""
        state = self.state(peer)
        decided, wait = breaker.decide(state, self._now())
        if decided is not state:
            if not await self._tell(peer, decided):
                self._hold(peer, _LOST_PROBE_S)  # another process sends it
            self._states[peer] = decided
        self._hold(peer, wait)

    async def note(self, peer: str, *, ok: bool, connected: bool = True) -> None:
        """Take note of how a call ended."""
        before = self.state(peer)
        state = breaker.after(before, self._now(), ok, connected=connected)
        self._become(peer, state)
        if state.phase is not before.phase:
            await self._tell(peer, state)

    def _become(self, peer: str, state: Breaker) -> None:
        before = self.state(peer)
        if state == Breaker():
            self._states.pop(peer, None)
        else:
            self._states[peer] = state
        # Half open and back to open is no news: the peer is down as it was.
        if before.phase is Phase.CLOSED and state.phase is not Phase.CLOSED:
            _log.warning("breaker_opened", peer=peer, cooldown_s=state.cooldown_s)
        elif before.phase is not Phase.CLOSED and state.phase is Phase.CLOSED:
            _log.info("breaker_closed", peer=peer)
        else:
            return
        if self._on_change is not None:
            self._on_change(peer, state.phase)

    async def _hear(self, peer: str) -> None:
        """Learn from time to time what other processes found."""
        if self._commons is None or self._has_heard(peer):
            return
        async with self._hearing[peer]:  # of many calls at once one asks
            if not self._has_heard(peer):
                await self._ask(self._commons, peer)

    def _has_heard(self, peer: str) -> bool:
        when, _ = self._heard.get(peer, (0.0, 0))
        return self._now() < when + self._hear_s

    async def _ask(self, commons: Commons, peer: str) -> None:
        before = self._heard.get(peer, (0.0, 0))
        try:
            known, version = await commons.read(BREAKER, peer)
        except StoreUnavailable:
            known, version = {}, before[1]
        if self._heard.get(peer, (0.0, 0)) != before:
            return  # we have told something newer meanwhile
        self._heard[peer] = self._now(), version
        if not known:
            return
        shared, own = Breaker.load(known), self.state(peer)
        if shared.phase is not own.phase or shared.phase is not Phase.CLOSED:
            self._become(peer, shared)

    async def _tell(self, peer: str, state: Breaker) -> bool:
        """Tell the other processes; False where one of them was first."""
        if self._commons is None:
            return True
        _, version = self._heard.get(peer, (0.0, 0))
        with suppress(StoreUnavailable):
            if not await self._commons.swap(BREAKER, peer, state.dump(), version):
                self._heard.pop(peer, None)
                return False
            self._heard[peer] = self._now(), version + 1
        return True

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _hold(self, peer: str, wait: float) -> None:
        if wait > 0:
            until = self._clock.now() + timedelta(seconds=wait)
            raise Held(f"{peer} is down, asked again later", until)
