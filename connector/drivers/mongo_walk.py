"""A walk through all of the pending set in MongoDB that is due, a portion at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from operator import itemgetter
from typing import Any

from bson.min_key import MinKey

from connector.domain.pending import Context
from connector.drivers.micros import from_micros, to_micros
from connector.drivers.mongo_schema import Books, Doc
from connector.ports import Due

PORTION = 2_000

_FIELDS = ("due_at", "lease_until", "_id.connection", "_id.context")
"""Of the index it walks along, which answers all by itself."""
_BEGINNING = (0, MinKey(), MinKey(), MinKey())
_NEXT = "\0"
"""Nothing sorts between a text and the same with this behind it."""


class Walk:
    """Passes by all that is due, and then begins anew.

    All of it in one go would take the server's time from whoever wants something of it meanwhile.
    Keys of one place that are due since the same moment are passed by in one step.
    """

    def __init__(self, *, portion: int = PORTION) -> None:
        self._portion = portion
        self._passed: tuple[Any, ...] = _BEGINNING
        self._until = 0
        """What became due after a round had begun is for the next one: so rounds end."""

    async def on(self, books: Books, now: datetime) -> list[Due]:
        """Who has due, unleased keys in the next portion."""
        moment = to_micros(now)
        if self._passed is _BEGINNING or self._until > moment:
            self._passed, self._until = _BEGINNING, moment
        # Whatever else was asked of the rows, the server would read them beside the index.
        rows = books.pending.find({}, hint="due", return_key=True)
        rows = rows.min(_bound(*self._passed))
        rows = rows.max(_bound(self._until + 1, MinKey(), MinKey(), MinKey()))
        rows = rows.limit(self._portion).batch_size(self._portion + 1)
        found = await rows.to_list()
        self._passed = _behind(found[-1]) if len(found) == self._portion else _BEGINNING
        return _together(row for row in found if row["lease_until"] <= moment)


def _bound(*values: Any) -> list[tuple[str, Any]]:
    return list(zip(_FIELDS, values, strict=True))


def _behind(row: Doc) -> tuple[Any, ...]:
    """Where the walk goes on: behind all rows of the same place and moment."""
    due_at, lease_until, connection, context = (row[field] for field in _FIELDS)
    return due_at, lease_until, connection, context + _NEXT


def _together(rows: Iterable[Doc]) -> list[Due]:
    """One for each place; ``rows`` are in the order in which they became due."""
    oldest: dict[tuple[str, str], int] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for due_at, _, *about in map(itemgetter(*_FIELDS), rows):
        place = about[0], about[1]
        oldest.setdefault(place, due_at)
        counts[place] += 1
    return [
        Due(place[0], Context(place[1]), counts[place], from_micros(due_at))
        for place, due_at in oldest.items()
    ]
