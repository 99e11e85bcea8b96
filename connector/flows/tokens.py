"""One connection's token: kept sealed, refreshed by one at a time, saved before it is used.

Refresh tokens may be used once (Mercado Livre, "Autenticación y autorización"): two processes that
refresh at once would lose the grant. So whoever refreshes says so in the ledger first, by
compare-and-set, for as long as a call can take; everybody else waits for what it brings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import structlog

from connector.domain.clock import Clock
from connector.domain.entries import Direction, Entry, Operation, Status
from connector.domain.http import Held, HttpFailure, NotSent
from connector.flows.tokenbook import Kept, Saved, TokenBook
from connector.ports import Conflict, Metrics, StoreUnavailable
from connector.sdk import (
    AdapterError,
    AuthExpired,
    Misconfigured,
    Rejected,
    RetryLater,
    Token,
)

AHEAD_S = 300.0
AHEAD_SHARE = 0.1
"""A token is refreshed so long before it ends: seconds, or share of its life if that is less."""
LEASE_S = 30.0
"""Real seconds one refresh may take: the wait for a free call and the call itself."""
PATIENCE_S = 45.0
"""Real seconds others wait for its result."""
REFUSED_FOR = timedelta(hours=1)
"""A grant that is over is not asked about again before."""
_FRESH_S = 2.0
"""Real seconds a token is used without looking whether another process has a newer one."""
_FORCED_EVERY = timedelta(minutes=5)
"""A token that came of a 401 and meets one itself is not the cause: others get as much time."""
_LOOK_EVERY_S = 0.05
_SAVE_TRIES = 40
_PAUSE_S = 2.0
_MENDED_WITHIN = timedelta(minutes=5)
_LOOK_AGAIN = timedelta(minutes=15)

_log = structlog.get_logger(__name__)

Refresh = Callable[[Token], Awaitable[Token]]


class NoGrant(AuthExpired):
    """The marketplace gives no token: somebody has to give consent. Asked again at ``until``."""

    def __init__(self, public: str, until: datetime) -> None:
        super().__init__(public)
        self.until = until


@dataclass(frozen=True, slots=True)
class Current:
    """A token to sign with, and which one it is."""

    token: Token
    generation: int


class Grant:
    """A connection's grant of access. Several in several processes may stand for the same one."""

    def __init__(
        self, book: TokenBook, connection_id: str, refresh: Refresh, clock: Clock, metrics: Metrics
    ) -> None:
        self.book = book
        self._connection = connection_id
        self._refresh = refresh
        self._clock = clock
        self._metrics = metrics
        self._lock = asyncio.Lock()
        self._rng = Random()  # noqa: S311 - spreads looks, protects nothing
        self._known: Saved | None = None
        self._looked_at = clock.now()
        self._opened: Current | None = None
        self._under_way: set[asyncio.Task[Saved | None]] = set()

    async def current(self) -> Current:
        """A token that works, as far as anybody knows.

        Raises:
            NoGrant: nobody has given consent, or it is over.
            RetryLater, NotSent: the token has ended and cannot be refreshed now.
        """
        saved = await self._fresh()
        kept, now = saved.kept, self._clock.now()
        self._must_be_given(kept)
        if now < refresh_at(kept):
            return self._as_current(saved)
        if now < kept.expires_at and self._lock.locked():
            return self._as_current(saved)  # it still works, and a newer one is on its way
        return await self._renewed(kept.generation, forced=False)

    async def after_401(self, used: Current) -> Current | None:
        """A newer token than one that met a 401; None where that would not help either.

        Raises:
            NoGrant, RetryLater, NotSent: as ``current``.
        """
        kept = self._known.kept if self._known is not None else Kept()
        young = self._clock.now() - kept.given_at < _FORCED_EVERY
        if kept.generation == used.generation and kept.forced and young:
            return None
        return await self._renewed(used.generation, forced=True)

    # --- refreshing -------------------------------------------------------------------------------

    async def _renewed(self, used: int, *, forced: bool) -> Current:
        """Refresh the token of generation ``used``, or wait for whoever is doing so."""
        deadline = self._clock.now() + self._clock.wall(PATIENCE_S)
        async with self._lock:
            saved = self._known or await self._look()
            while True:
                self._must_be_given(saved.kept)
                if saved.kept.generation != used:
                    return self._as_current(saved)
                saved = await self._look()
                found = self._usable(saved, used, forced=forced)
                if found is None and not saved.kept.leased(self._clock.now()):
                    renewed = await self._try(saved, forced=forced)
                    found = None if renewed is None else self._as_current(renewed)
                if found is not None:
                    return found
                if self._clock.now() >= deadline:
                    raise RetryLater("the marketplace's token is being refreshed: try again")
                wait = self._clock.wall(_LOOK_EVERY_S * self._rng.uniform(0.5, 1.5))
                await self._clock.sleep(wait.total_seconds())

    def _usable(self, saved: Saved, used: int, *, forced: bool) -> Current | None:
        """The token as it is kept now, where that will do.

        Raises:
            NoGrant: the grant is over.
            RetryLater: the last refresh did not work, a moment ago.
        """
        kept, now = saved.kept, self._clock.now()
        self._must_be_given(kept)
        if kept.generation != used or (not forced and now < refresh_at(kept)):
            return self._as_current(saved)
        paused = kept.retry_at is not None and now < kept.retry_at
        if (paused or kept.leased(now)) and not forced and now < kept.expires_at:
            return self._as_current(saved)
        if kept.retry_at is not None and paused:
            after = (kept.retry_at - now).total_seconds()
            raise RetryLater("the marketplace's token could not be refreshed", after_s=after)
        return None

    async def _try(self, saved: Saved, *, forced: bool) -> Saved | None:
        """Refresh, unless somebody else begins to at the same moment: then None.

        What was begun is ended even if its caller goes away: its answer may be the only token.
        """
        task = asyncio.create_task(self._leased_refresh(saved, forced=forced))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Saved | None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # its caller was told, if there still is one

    async def _leased_refresh(self, saved: Saved, *, forced: bool) -> Saved | None:
        until = self._clock.now() + self._clock.wall(LEASE_S)
        try:
            leased = await self.book.put(saved, refreshing_until=until)
        except Conflict:
            return None
        old = self.book.open(leased.kept)
        try:
            token = await self._refresh(old)
        except (AuthExpired, Rejected, Misconfigured) as error:
            return await self._refused(leased, error)
        except (AdapterError, HttpFailure) as error:
            return await self._not_now(leased, error, forced=forced)
        if not token.refresh.get_secret_value():
            token = token.model_copy(update={"refresh": old.refresh})
        self._count("ok")
        return self._remember(await self._keep(leased, token, forced=forced))

    async def _refused(self, leased: Saved, error: AdapterError) -> Saved | None:
        """The grant is over, unless somebody saved a newer token meanwhile: then None."""
        now = self._clock.now()
        # What the operator mends with a setting needs no new consent: it is noticed soon.
        until = now + (_MENDED_WITHIN if isinstance(error, Misconfigured) else REFUSED_FOR)
        news = [self._entry(now)] if leased.kept.refused_until is None else []
        changes = {"refreshing_until": None, "refused_until": until}
        try:
            self._remember(await self.book.put(leased, *news, **changes))
        except Conflict:
            return None
        self._count("refused")
        _log.warning("token_refused", connection=self._connection, error=type(error).__name__)
        raise self._no_grant(until)

    async def _not_now(self, leased: Saved, error: Exception, *, forced: bool) -> Saved:
        """Nobody knows whether it was done: the same refresh token is tried again."""
        self._count("failed" if isinstance(error, NotSent | AdapterError) else "unknown")
        pause = timedelta(seconds=_pause_s(error, self._clock.now()))
        retry_at = self._clock.now() + pause
        try:
            changes = {"refreshing_until": None, "retry_at": retry_at}
            released = self._remember(await self.book.put(leased, **changes))
        except (Conflict, StoreUnavailable):
            released = leased  # the lease runs out by itself
        if not forced and self._clock.now() < leased.kept.expires_at:
            return released  # the token still works: nobody has to hurry
        if isinstance(error, Held | RetryLater):
            raise error
        raise NotSent("the marketplace's token could not be refreshed") from None

    async def _keep(self, leased: Saved, token: Token, *, forced: bool) -> Saved:
        """Save a new token: the old one is used up, so this must not fail for a while.

        Somebody may have begun to refresh the same old token because this took too long. It finds
        that token used up; ours is the newest there is.
        """
        saved = leased
        for attempt in range(_SAVE_TRIES):
            try:
                return await self.book.keep(saved, token, self._clock.now(), forced=forced)
            except Conflict:
                newest = await self._look()
                if newest.kept.generation != leased.kept.generation:
                    return newest  # a new consent, or a later refresh, is newer still
                saved = newest
            except StoreUnavailable:
                if attempt == _SAVE_TRIES - 1:
                    raise
                wait = self._clock.wall(min(0.1 * 2**attempt, 2.0))
                await self._clock.sleep(wait.total_seconds())
        raise RetryLater("the marketplace's token is being written all the time")

    # --- what is known ----------------------------------------------------------------------------

    async def _fresh(self) -> Saved:
        """What is known, read again where that was a moment ago."""
        known, now = self._known, self._clock.now()
        if known is not None and now < self._looked_at + self._clock.wall(_FRESH_S):
            return known
        return await self._look()

    async def _look(self) -> Saved:
        return self._remember(await self.book.read())

    def _remember(self, saved: Saved) -> Saved:
        if self._known is None or saved.version >= self._known.version:
            self._known, self._looked_at = saved, self._clock.now()
        return saved

    def _as_current(self, saved: Saved) -> Current:
        if self._opened is None or self._opened.generation != saved.kept.generation:
            self._opened = Current(self.book.open(saved.kept), saved.kept.generation)
        return self._opened

    def _must_be_given(self, kept: Kept) -> None:
        now = self._clock.now()
        if not kept.sealed:
            raise self._no_grant(now + REFUSED_FOR)
        if kept.refused_until is not None and now < kept.refused_until:
            raise self._no_grant(kept.refused_until)

    def _no_grant(self, until: datetime) -> NoGrant:
        # New consent may be given at any moment: who waits for it looks again before ``until``.
        return NoGrant(self._words(), min(until, self._clock.now() + _LOOK_AGAIN))

    def _words(self) -> str:
        return (
            "the marketplace has given no access, or taken it back: "
            f"run connector connection authorize {self._connection}"
        )

    def _entry(self, now: datetime) -> Entry:
        return Entry(
            connection=self._connection,
            at=now,
            subject=self._connection,
            operation=Operation.CATALOG_CHANGE,
            direction=Direction.TO_MARKETPLACE,
            status=Status.ERROR,
            message=self._words(),
        )

    def _count(self, outcome: str) -> None:
        self._metrics.count("token_refreshes_total", outcome=outcome)


def refresh_at(kept: Kept) -> datetime:
    """When a token is to be refreshed: somewhat before it ends."""
    life = (kept.expires_at - kept.given_at).total_seconds()
    return kept.expires_at - timedelta(seconds=min(AHEAD_S, life * AHEAD_SHARE))


def _pause_s(error: Exception, now: datetime) -> float:
    """How long to leave the marketplace alone after a refresh that did not work."""
    asked = error.after_s if isinstance(error, RetryLater) else 0.0
    held = (error.until - now).total_seconds() if isinstance(error, Held) else 0.0
    return max(_PAUSE_S, asked, held)
