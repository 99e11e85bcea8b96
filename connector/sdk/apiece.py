"""For marketplaces that take one item per call: many such calls at once, one outcome each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from connector.domain.http import HttpFailure, NoAnswer
from connector.sdk.errors import (
    AdapterError,
    AlreadyDone,
    RateLimited,
    Rejected,
    RetryLater,
    Unsupported,
)
from connector.sdk.values import Done, Outcome, Outcomes, Refused, TryAgain

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 8
"""Calls of one batch that are under way at the same time; the hub's own limits come on top."""


async def apiece(
    items: Mapping[str, T],
    call: Callable[[T], Awaitable[Outcome]],
    *,
    at_once: int = AT_ONCE,
    creates: bool = False,
) -> Outcomes:
    """Call once per item; returns the outcome per SKU, whatever became of the others.

    A refusal or a delay of one item is that item's own. A call without an answer leaves its SKU
    out, so that it is asked about; where the call ``creates`` something, so does one that the
    marketplace answered as being unwell, for it may have done it. After a failure that concerns
    everybody (credentials, limits, no connection) no further call begins; where nothing at all
    came out, it is raised.
    """
    round_ = _Round(at_once, creates=creates)
    await asyncio.gather(*(round_.one(sku, call, item) for sku, item in items.items()))
    return round_.outcomes_of(items)


class _Round:
    """One call per item, as far as they got."""

    def __init__(self, at_once: int, *, creates: bool) -> None:
        self._gate = asyncio.Semaphore(at_once)
        self._creates = creates
        self._outcomes: dict[str, Outcome] = {}
        self._lost: dict[str, Exception] = {}
        self._stops: list[Exception] = []

    async def one(self, sku: str, call: Callable[[T], Awaitable[Outcome]], item: T) -> None:
        """Call for one item, unless somebody met what concerns everybody."""
        async with self._gate:
            if self._stops:
                return
            try:
                self._outcomes[sku] = await call(item)
            except AlreadyDone:
                self._outcomes[sku] = Done()
            except Rejected as refusal:
                self._outcomes[sku] = Refused(refusal.reasons)
            except (AdapterError, HttpFailure) as error:
                self._failed(sku, error)

    def _failed(self, sku: str, error: Exception) -> None:
        # Unsupported is mostly a 404 about this very item: it must not hold up all others.
        own = isinstance(error, RetryLater | Unsupported) and not isinstance(error, RateLimited)
        if isinstance(error, NoAnswer) or (own and self._creates):
            self._lost[sku] = error
        elif own:
            self._outcomes[sku] = _later(error)
        else:
            self._stops.append(error)

    def outcomes_of(self, items: Iterable[str]) -> Outcomes:
        """What came of them; what nobody asked for any more is tried again."""
        failures = [*self._stops, *self._lost.values()]
        if failures and not self._outcomes:
            raise failures[0]
        rest = [sku for sku in items if sku not in self._outcomes and sku not in self._lost]
        return self._outcomes | {sku: _later(self._stops[0]) for sku in rest}


def _later(failure: Exception) -> TryAgain:
    after_s = failure.after_s if isinstance(failure, RetryLater) else 0.0
    reason = failure.public if isinstance(failure, AdapterError) else str(failure)
    return TryAgain(reason, after_s)


async def together(
    items: Sequence[T], call: Callable[[T], Awaitable[R]], *, at_once: int = AT_ONCE
) -> list[R]:
    """The answers to one call per item, in their order; the first failure ends them all."""
    gate = asyncio.Semaphore(at_once)

    async def one(item: T) -> R:
        async with gate:
            return await call(item)

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
