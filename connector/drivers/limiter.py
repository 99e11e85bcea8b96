"""Keeps calls within what peers allow: waits a little, otherwise says when to come back.

Alone, a process counts for itself. With ``Commons`` it spends slices of an allowance that all
processes share, and keeps the order of its own callers: urgent ones before sweeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil

from connector.domain.clock import Clock
from connector.domain.http import Held
from connector.domain.limits import BACKGROUND, BACKGROUND_SHARE, ROUNDING_S, decide
from connector.drivers.commons import Commons
from connector.ports import StoreUnavailable
from connector.sdk.values import Limit

MAX_WAIT_S = 5.0
_SPEND_S = 0.3
"""A slice that was not spent so soon is lost: later it would come on top of other slices. Real
seconds, like the time that asking for it takes."""
_ASKING_S = 1.0
"""Real seconds that a caller waits at least, where the allowance has to be asked for."""
_HEAR_S = 2.0
"""How often a scope without a rate asks whether another process was told to pause. Real seconds."""


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
    # Only where the allowance is shared:
    calls: int = 0
    calls_from: float = 0.0
    calls_until: float = 0.0
    """How many calls were taken, and from when until when they may be made."""
    granted: int = 0
    """How many the last slice had."""
    ask_at: float = 0.0
    """Not before this is the ledger asked again."""
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class _Taken:
    """What a scope becomes when a call goes out, and how long that is from now."""

    state: float
    background_state: float
    wait: float
    calls: int = 0


class Limiter:
    """The limits of all scopes of a process."""

    def __init__(
        self, clock: Clock, *, max_wait_s: float = MAX_WAIT_S, commons: Commons | None = None
    ) -> None:
        self._clock = clock
        self._max_wait_s = max_wait_s
        self._commons = commons
        self._spend_s = clock.wall(_SPEND_S).total_seconds()
        self._hear_s = clock.wall(_HEAR_S).total_seconds()
        if commons is not None:
            self._max_wait_s = max(max_wait_s, clock.wall(_ASKING_S).total_seconds())
        self._scopes: dict[str, _Scope] = {}

    async def acquire(self, rules: Sequence[Rule]) -> None:
        """Wait until a call fits into all rules.

        Raises:
            Held: that would take too long; come back at ``until``.
        """
        background = BACKGROUND.get()
        scopes = [self._scope(rule.scope) for rule in rules]
        deadline = self._now() + self._max_wait_s
        while True:
            if self._commons is not None:
                await self._supply(self._commons, rules, scopes, deadline)
            wait = self._take(rules, scopes, background=background)
            if wait <= 0:
                return
            until = self._now() + wait
            if until > deadline:
                behind = max(
                    scope.waiting * _interval(rule)
                    for rule, scope in zip(rules, scopes, strict=True)
                )
                raise Held("held back by a rate limit", datetime.fromtimestamp(until + behind, UTC))
            await self._wait(scopes, wait, background=background)

    async def pause(self, scope: str, until: datetime) -> None:
        """Nobody calls this scope before ``until``: its peer said so."""
        known = self._scope(scope)
        known.paused_until = max(known.paused_until, until.timestamp())
        if self._commons is not None:
            try:
                await self._commons.pause(scope, known.paused_until)
            except StoreUnavailable:
                return  # the others will be told by the peer itself

    def _scope(self, name: str) -> _Scope:
        return self._scopes.setdefault(name, _Scope())

    def _now(self) -> float:
        return self._clock.now().timestamp()

    async def _supply(
        self, commons: Commons, rules: Sequence[Rule], scopes: Sequence[_Scope], deadline: float
    ) -> None:
        """Have a slice of every scope's allowance at hand, or know when to ask again.

        The last rule is the strictest; it is asked only once the others have something to spend:
        a slice that waits for another one is soon lost.
        """
        for rule, scope in zip(rules, scopes, strict=True):
            async with scope.asking:
                now = self._now()
                if now >= scope.ask_at - ROUNDING_S:
                    try:
                        await self._ask(commons, rule, scope, deadline - now)
                    except StoreUnavailable:
                        until = self._clock.now() + timedelta(seconds=1)
                        raise Held("the ledger cannot say what a peer allows", until) from None
            if _spend(scope, rule.limit, self._now(), background=False).wait > 0:
                return

    async def _ask(self, commons: Commons, rule: Rule, scope: _Scope, within_s: float) -> None:
        if rule.limit is None:
            scope.paused_until = max(scope.paused_until, await commons.paused_until(rule.scope))
            scope.ask_at = self._now() + self._hear_s
            return
        now = self._now()
        if scope.calls and now <= scope.calls_until:
            return
        if scope.paused_until > now + within_s:
            return
        wanted = _demand(scope, now, self._spend_s)
        grant = await commons.take(rule.scope, rule.limit, wanted, within_s=max(0.0, within_s))
        scope.paused_until = max(scope.paused_until, grant.paused_until)
        scope.calls, scope.calls_from = grant.calls, grant.at
        scope.calls_until = max(grant.at, self._now())
        if grant.calls:
            scope.granted = grant.calls
            scope.calls_until += self._spend_s
        scope.ask_at = grant.at

    def _take(self, rules: Sequence[Rule], scopes: Sequence[_Scope], *, background: bool) -> float:
        """Take a call from every scope, or from none: then the longest wait."""
        now = self._now()
        choose = _decide if self._commons is None else _spend
        taken = [
            choose(scope, rule.limit, now, background=background)
            for rule, scope in zip(rules, scopes, strict=True)
        ]
        wait = max((one.wait for one in taken), default=0.0)
        if wait <= 0:
            for scope, one in zip(scopes, taken, strict=True):
                scope.state, scope.background_state = one.state, one.background_state
                scope.calls = one.calls
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


def _demand(scope: _Scope, now: float, spend_s: float) -> int:
    """How many calls to ask for, as each question costs a write of the ledger: as many as a slice's
    time would have taken of the last one.
    """
    spent = float(scope.granted - scope.calls)
    if not scope.calls and now < scope.calls_until:
        spent *= min(2.0, spend_s / max(now - scope.calls_from, ROUNDING_S))
    return max(scope.waiting + 1, ceil(spent))


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


def _spend(scope: _Scope, limit: Limit | None, now: float, *, background: bool) -> _Taken:
    """As ``_decide``, out of a slice of the shared allowance."""
    paused = max(0.0, scope.paused_until - now)
    if limit is None:
        return _Taken(scope.state, scope.background_state, paused)
    wait = scope.calls_from - now
    if wait < ROUNDING_S:
        wait = 0.0
    if scope.calls <= 0 or now > scope.calls_until:
        wait = max(wait, scope.ask_at - now, 0.001)
    local = _decide(scope, limit, now, background=background) if background else None
    later = local.wait if local is not None and scope.urgent_waiting else 0.0
    state = local.background_state if local is not None else scope.background_state
    return _Taken(scope.state, state, max(wait, later, paused), scope.calls - 1)
