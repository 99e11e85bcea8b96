"""The circuit breakers of all peers of a process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog

from connector.domain import breaker
from connector.domain.breaker import Breaker, Phase
from connector.domain.clock import Clock
from connector.domain.http import Held

_log = structlog.get_logger(__name__)

OnChange = Callable[[str, Phase], None]


class Breakers:
    """Holds back calls to peers that are down; one log line when that begins and when it ends."""

    def __init__(self, clock: Clock, *, on_change: OnChange | None = None) -> None:
        self._clock = clock
        self._on_change = on_change
        self._states: dict[str, Breaker] = {}

    def state(self, peer: str) -> Breaker:
        """What is known about a peer."""
        return self._states.get(peer, Breaker())

    def check(self, peer: str) -> None:
        """Raise Held where a call would be held back; takes no probe."""
        _, wait = breaker.decide(self.state(peer), self._clock.now().timestamp())
        self._hold(peer, wait)

    def enter(self, peer: str) -> None:
        """Raise Held where the call must not go out now; otherwise it may be the probe."""
        state = self.state(peer)
        decided, wait = breaker.decide(state, self._clock.now().timestamp())
        if decided is not state:
            self._states[peer] = decided
        self._hold(peer, wait)

    def note(self, peer: str, *, ok: bool, connected: bool = True) -> None:
        """Take note of how a call ended."""
        before = self.state(peer)
        state = breaker.after(before, self._clock.now().timestamp(), ok, connected=connected)
        if state.phase is Phase.CLOSED and state == Breaker():
            self._states.pop(peer, None)
        else:
            self._states[peer] = state
        # Half open and back to open is no news: the peer is down as it was.
        if before.phase is Phase.CLOSED and state.phase is Phase.OPEN:
            _log.warning("breaker_opened", peer=peer, cooldown_s=state.cooldown_s)
        elif before.phase is Phase.HALF_OPEN and state.phase is Phase.CLOSED:
            _log.info("breaker_closed", peer=peer)
        else:
            return
        if self._on_change is not None:
            self._on_change(peer, state.phase)

    def _hold(self, peer: str, wait: float) -> None:
        if wait > 0:
            until = self._clock.now() + timedelta(seconds=wait)
            raise Held(f"{peer} is down, asked again later", until)
