"""Whether any write of a piece of work reached its peer: what never did need not be asked about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from connector.domain.http import Request, Response

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_NOT_ACTED = frozenset({401, 429})
"""A peer that answers so has not looked at what was asked."""


@dataclass
class Departures:
    """Requests of one piece of work, and how many writes among them a peer may have acted on."""

    seen: int = 0
    writes: int = 0

    @property
    def nothing_done(self) -> bool:
        """Whether requests were made, and no peer can have changed anything because of them."""
        return self.seen > 0 and self.writes == 0


_WATCHED: ContextVar[Departures | None] = ContextVar("departures", default=None)


@contextmanager
def watching() -> Iterator[Departures]:
    """Count the requests of everything inside, tasks begun inside included."""
    departures = Departures()
    token = _WATCHED.set(departures)
    try:
        yield departures
    finally:
        _WATCHED.reset(token)


def answered(request: Request, response: Response) -> None:
    """Count a request that was answered."""
    _count(request, acted=response.status not in _NOT_ACTED)


def failed(request: Request, *, left: bool) -> None:
    """Count a request without an answer; ``left``: its peer may have had it."""
    _count(request, acted=left)


def _count(request: Request, *, acted: bool) -> None:
    departures = _WATCHED.get()
    if departures is None:
        return
    departures.seen += 1
    departures.writes += acted and request.method.upper() not in _READS
