"""Keeps calls within what peers allow: waits a little, otherwise says when to come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from connector.domain.clock import Clock
from connector.domain.http import Held
from connector.domain.limits import BACKGROUND, BACKGROUND_SHARE, decide
from connector.sdk.values import Limit

MAX_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Rule:
    """A limit and the scope it is counted for; ``limit`` None: the scope can only be paused."""

    scope: str
    limit: Limit | None = None


@dataclass(slots=True)
class _Scope:
    state: float = 0.0
    background_state: float = 0.0
    """The same, of sweep work alone and with its share of the rate."""
    paused_until: float = 0.0
    waiting: int = 0
    urgent_waiting: int = 0


@dataclass(slots=True)
class _Taken:
    """What a scope becomes when a call goes out, and how long that is from now."""

    state: float
    background_state: float
    wait: float


class Limiter:
    """The limits of all scopes of a process."""

    def __init__(self, clock: Clock, *, max_wait_s: float = MAX_WAIT_S) -> None:
        self._clock = clock
        self._max_wait_s = max_wait_s
        self._scopes: dict[str, _Scope] = {}

    async def acquire(self, rules: Sequence[Rule]) -> None:
        """Wait until a call fits into all rules.

        Raises:
            Held: that would take too long; come back at ``until``.
        """
        background = BACKGROUND.get()
        scopes = [self._scope(rule.scope) for rule in rules]
        deadline = self._now() + self._max_wait_s
        while (wait := self._take(rules, scopes, background=background)) > 0:
            until = self._now() + wait
            if until > deadline:
                behind = max(
                    scope.waiting * _interval(rule)
                    for rule, scope in zip(rules, scopes, strict=True)
                )
                raise Held("held back by a rate limit", datetime.fromtimestamp(until + behind, UTC))
            await self._wait(scopes, wait, background=background)

    def pause(self, scope: str, until: datetime) -> None:
        """Nobody calls this scope before ``until``: its peer said so."""
        known = self._scope(scope)
        known.paused_until = max(known.paused_until, until.timestamp())

    def _scope(self, name: str) -> _Scope:
        return self._scopes.setdefault(name, _Scope())

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _take(self, rules: Sequence[Rule], scopes: Sequence[_Scope], *, background: bool) -> float:
        """Take a call from every scope, or from none: then the longest wait."""
        now = self._now()
        taken = [
            _decide(scope, rule.limit, now, background=background)
            for rule, scope in zip(rules, scopes, strict=True)
        ]
        wait = max((one.wait for one in taken), default=0.0)
        if wait <= 0:
            for scope, one in zip(scopes, taken, strict=True):
                scope.state, scope.background_state = one.state, one.background_state
        return wait

    async def _wait(self, scopes: Sequence[_Scope], seconds: float, *, background: bool) -> None:
        urgent = 0 if background else 1
        for scope in scopes:
            scope.waiting += 1
            scope.urgent_waiting += urgent
        try:
            await self._clock.sleep(seconds)
        finally:
            for scope in scopes:
                scope.waiting -= 1
                scope.urgent_waiting -= urgent


def _interval(rule: Rule) -> float:
    return rule.limit.per_s / rule.limit.rate if rule.limit else 0.0


def _decide(scope: _Scope, limit: Limit | None, now: float, *, background: bool) -> _Taken:
    paused = max(0.0, scope.paused_until - now)
    if limit is None:
        return _Taken(scope.state, scope.background_state, paused)
    state, wait = decide(scope.state, now, limit.rate, limit.per_s, limit.burst)
    background_state = scope.background_state
    if background:
        background_state, later = decide(
            background_state,
            now,
            limit.rate * BACKGROUND_SHARE,
            limit.per_s,
            max(1, int(limit.burst * BACKGROUND_SHARE)),
        )
        if later > 0 and not scope.urgent_waiting:  # nobody else wants it: take it all
            background_state, later = scope.background_state, 0.0
        wait = max(wait, later)
    return _Taken(state, background_state, max(wait, paused))
