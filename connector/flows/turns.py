"""Workers: take a turn, claim a batch of keys, work, ask for another turn when more is due."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import FIRST_COMPLETED
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime

import structlog

from connector.domain.connection import Connection, ConnectionState
from connector.domain.limits import in_background
from connector.domain.pending import Claim, Context, Priority
from connector.domain.retry import Setback, settle_setback
from connector.flows.hub import Hub
from connector.flows.listings import listings_turn
from connector.flows.orders import orders_turn
from connector.flows.setbacks import PEER_ERRORS, BadKeys, setback
from connector.flows.upkeep import upkeep_turn
from connector.ports import LeaseLost, Settle, StoreUnavailable, Turn

log = structlog.get_logger(__name__)

Work = Callable[[Hub, Connection, Sequence[Claim]], Awaitable[None]]

TURNS: Mapping[Context, Work] = {
    Context.LISTINGS: listings_turn,
    Context.ORDERS: orders_turn,
    Context.UPKEEP: upkeep_turn,
}
_SWEEP_EVERY_S = 0.5
_SWEEP_AT_LEAST_S = 0.02
_MOST_ORDERS = 8
_MOST_LISTINGS = 5_000
_WORKERS = 16
_SWEEP = "sweep"
"""In metrics beside the contexts: looking for what is due in any of them."""


class Workers:
    """Handles turns of some adapters, and sweeps for due work that had no turn."""

    def __init__(
        self,
        hub: Hub,
        adapters: Sequence[str] | None = None,
        *,
        sweep_every_s: float = _SWEEP_EVERY_S,
        sweep_at_least_s: float = _SWEEP_AT_LEAST_S,
    ) -> None:
        self.hub = hub
        self.sweep_every_s = sweep_every_s
        self.sweep_at_least_s = sweep_at_least_s
        self.adapters = tuple(adapters) if adapters else tuple(hub.registry.found)

    @property
    def queues(self) -> list[str]:
        """The queues these workers listen to."""
        return [f"{context}.{name}" for name in self.adapters for context in Context]

    async def run(self, stop: asyncio.Event, *, drain_s: float = 20) -> None:
        """Work until ``stop``, then finish what was begun."""
        consumer = asyncio.create_task(
            self.hub.broker.consume(self.queues, self.turn, workers=_WORKERS)
        )
        over = asyncio.Event()
        sweeper = asyncio.create_task(self.sweep_until(over))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({stopped, consumer, sweeper}, return_when=FIRST_COMPLETED)
            for crashed in (consumer, sweeper):
                if crashed.done():
                    crashed.result()  # working on without it would be silence: say so and end
        finally:
            over.set()
            sweeper.cancel()
            await asyncio.gather(sweeper, return_exceptions=True)
            await self.hub.broker.close(drain_s=drain_s)
            for task in (consumer, stopped):
                task.cancel()
            await asyncio.gather(consumer, stopped, return_exceptions=True)

    async def turn(self, turn: Turn) -> bool:
        """Take one turn of a connection in a context; while the ledger is away, it is put off.

        Whether it had much to do: more than half of what a turn may take.
        """
        try:
            return await self._turn(turn)
        except StoreUnavailable:
            self._note_away(turn.connection, turn.context)
            return False

    async def _turn(self, turn: Turn) -> bool:
        hub = self.hub
        connection = await hub.book.get(turn.connection)
        if connection is None or not serves(connection, turn.context):
            return False
        limit = self._most(connection, turn.context)
        claims = await hub.store.claim(
            connection.id,
            turn.context,
            limit=limit,
            now=hub.now(),
            lease_until=self._lease_until(),
        )
        if not claims:
            return False
        if len(claims) == limit:
            hub.ring(connection, turn.context)  # another worker may take the next batch already
        async with self._leases(claims):
            for part in _urgent_first(claims, hub.batch):
                sweeping = all(claim.priority is Priority.SWEEP for claim in part)
                with in_background() if sweeping else contextlib.nullcontext():
                    await self._work(turn.context, connection, part)
        hub.metrics.count("turns_total", context=turn.context)
        hub.metrics.count("claims_total", len(claims), context=turn.context)
        return 2 * len(claims) > limit

    def _most(self, connection: Connection, context: Context) -> int:
        """Most keys of one turn; some marketplaces take few large calls rather than many small."""
        if context is Context.ORDERS:
            return _MOST_ORDERS
        adapter = self.hub.registry.found.get(connection.adapter)
        if adapter is None or context is not Context.LISTINGS:
            return self.hub.batch
        return max(self.hub.batch, min(adapter.turn_size, _MOST_LISTINGS))

    async def _work(
        self, context: Context, connection: Connection, claims: Sequence[Claim]
    ) -> None:
        try:
            await TURNS[context](self.hub, connection, claims)
        except PEER_ERRORS as error:
            # What the whole batch needed could not be read; it says nothing about single keys.
            for claim in claims:
                await self._settle(claim, setback(error))
        except StoreUnavailable:
            self._note_away(connection.id, context)
        except BadKeys as bad:
            for claim, why in bad.failed:
                self._note_failure(connection.id, context, 1, why)
                await self._give_back(claim, why)
        except Exception as error:  # noqa: BLE001 - one poisonous key must not stop the others
            self._note_failure(connection.id, context, len(claims), error)
            if len(claims) > 1:
                middle = len(claims) // 2
                await self._work(context, connection, claims[:middle])
                await self._work(context, connection, claims[middle:])
            else:
                await self._give_back(claims[0], error)

    def _note_failure(self, connection: str, context: Context, keys: int, error: Exception) -> None:
        log.error(
            "turn failed",
            connection=connection,
            context=context,
            keys=keys,
            error=type(error).__name__,  # a traceback could show what must not be logged
            where=_where(error),
        )
        self.hub.metrics.count("turn_errors_total", context=context)

    def _note_away(self, connection: str, context: Context) -> None:
        log.warning("store unavailable", connection=connection, context=context)
        self.hub.metrics.count("store_unavailable_total", context=context)

    async def _give_back(self, claim: Claim, error: Exception) -> None:
        """A key that makes us fail climbs the ladder like any other failing key."""
        reason = f"{type(error).__name__} at {_where(error)}"
        expected = isinstance(error, LookupError | ValueError)
        await self._settle(claim, Setback((str(error) if expected else f"unexpected {reason}",)))

    async def _settle(self, claim: Claim, what: Setback) -> None:
        settlement = settle_setback(claim, what, self.hub.now(), self.hub.rng)
        with contextlib.suppress(LeaseLost):
            await self.hub.store.commit([Settle(claim, settlement)])

    @contextlib.asynccontextmanager
    async def _leases(self, claims: Sequence[Claim]) -> AsyncIterator[None]:
        """Keep the leases while the work goes on."""
        over = asyncio.Event()
        task = asyncio.create_task(self._renew(claims, over))
        try:
            yield
        finally:
            over.set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _renew(self, claims: Sequence[Claim], over: asyncio.Event) -> None:
        """Until it is ``over``, and cancelled.

        A cancellation alone can get lost: up to Python 3.11, ``asyncio.wait_for`` drops one that
        comes in the moment of its answer, and drivers use it.
        """
        every = self.hub.clock.wall(self.hub.lease_s / 3).total_seconds()
        while not over.is_set():
            await self.hub.clock.sleep(every)
            # An election of the ledger's takes seconds: the next round may come in time.
            with contextlib.suppress(StoreUnavailable):
                await self.hub.store.renew(claims, lease_until=self._lease_until())

    def _lease_until(self) -> datetime:
        return self.hub.now() + self.hub.clock.wall(self.hub.lease_s)

    # --- sweeping ---------------------------------------------------------------------------------

    async def sweep_until(self, over: asyncio.Event) -> None:
        """Ask for turns for whatever became due, or whose turn was lost; to be cancelled as well,
        as ``_renew`` is.
        """
        hub = self.hub
        while not over.is_set():
            try:
                await self.sweep()
                due = await hub.store.next_due()
            except StoreUnavailable:
                due = None
                hub.metrics.count("store_unavailable_total", context=_SWEEP)
            longest = hub.clock.wall(self.sweep_every_s)
            shortest = hub.clock.wall(self.sweep_at_least_s)
            wait = longest if due is None else min(longest, max(shortest, due - hub.now()))
            await hub.clock.sleep(wait.total_seconds())

    async def sweep(self) -> int:
        """One round: returns how many turns were asked for."""
        rung = 0
        for due in await self.hub.store.due(self.hub.now()):
            connection = await self.hub.book.get(due.connection)
            if connection is None or not serves(connection, due.context):
                continue
            if connection.adapter in self.adapters:
                self.hub.ring(connection, due.context, repeated=True)
                rung += 1
        return rung


def _urgent_first(claims: Sequence[Claim], batch: int) -> list[Sequence[Claim]]:
    """What changed does not wait for thousands of regular looks in the same turn."""
    if len(claims) <= batch:
        return [claims]
    urgent = [claim for claim in claims if claim.priority <= Priority.CHANGE]
    others = [claim for claim in claims if claim.priority > Priority.CHANGE]
    return [part for part in (urgent, others) if part]


def serves(connection: Connection, context: Context) -> bool:
    """Whether a connection's context is worked on in its state."""
    if connection.state is ConnectionState.PAUSED:
        return context is not Context.LISTINGS  # what was sold has to be delivered all the same
    return connection.state is not ConnectionState.REMOVED


def _where(error: BaseException) -> str:
    """File and line the error came from: enough to find it, nothing personal."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    return f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
