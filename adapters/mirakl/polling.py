"""Polling: where it stands, and how far it may move on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from pydantic import ValidationError

from adapters.mirakl.wire import MaybeMoment, Wire, moment
from connector.sdk import OrderPage

PAGE = 100
OPEN = (
    "STAGING",
    "WAITING_ACCEPTANCE",
    "WAITING_DEBIT",
    "WAITING_DEBIT_PAYMENT",
    "SHIPPING",
)
"""Orders that the seller still has something to do about."""
OVERLAP = timedelta(minutes=10)
"""Looked back at each poll: Mirakl's clock and ours differ, and changes show a little late."""
_SHARE = 5
"""Pages of the first poll have a fifth of their rows in common: orders that are shipped meanwhile
leave its list, and what follows them moves up into pages that were read."""


class Cursor(Wire):
    """Where polling stands.

    ``since`` is what is asked for, ``newest`` the latest change seen; ``began`` is when the first
    page of several was read, ``offset`` where the next one begins, ``total`` how many rows there
    were.
    """

    since: MaybeMoment = None
    newest: MaybeMoment = None
    began: MaybeMoment = None
    offset: int = 0
    total: int = 0

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read a cursor; one that cannot be read starts over, for repeats are harmless."""
        try:
            return cls.model_validate_json(text) if text else cls()
        except ValidationError:
            return cls()

    def __str__(self) -> str:
        return self.model_dump_json(exclude_defaults=True)

    def query(self) -> dict[str, str]:
        """The question to ask next; sorted by creation, so that pages stay where they are."""
        query = {
            "max": str(PAGE),
            "offset": str(self.offset),
            "sort": "dateCreated",
            "order": "asc",
        }
        if self.since is None:
            # What left before there was a connection is somebody else's affair.
            query["order_state_codes"] = ",".join(OPEN)
        else:
            query["start_update_date"] = f"{self.since - OVERLAP:%Y-%m-%dT%H:%M:%SZ}"
        return query

    def advance(self, rows: Sequence[Mapping[str, object]], total: int, now: datetime) -> OrderPage:
        """What a page brought, and where to go on.

        An order that changes while pages are read may slip from a page not read yet to one that
        was: the next poll therefore never begins later than this one did.
        """
        keys = tuple(dict.fromkeys(str(row["order_id"]) for row in rows if row.get("order_id")))
        seen = [self.newest] if self.newest else []
        for row in rows:
            with suppress(ValueError):  # one unreadable time must not stop all polling
                seen.append(moment(row.get("last_updated_date") or ""))
        newest = max(seen, default=None)
        began, offset = self.began or now, self._next(len(rows), total)
        if offset is not None:
            following = Cursor(
                since=self.since, newest=newest, began=began, offset=offset, total=total
            )
            return OrderPage(keys, str(following), more=True)
        since = min(newest, began) if newest else self.since
        done = Cursor(since=max(since, self.since) if since and self.since else since)
        return OrderPage(keys, str(done))

    def _next(self, rows: int, total: int) -> int | None:
        """Where the next page begins; None where this was the last.

        Only the first poll's list loses rows while it is read: it asks for open orders alone.
        """
        first = self.since is None
        common, left = rows // _SHARE if first else 0, self.total - total
        if first and total and left > common:
            # More are gone than pages have in common: go back to what slipped past.
            return max(0, self.offset - left)
        if not rows or self.offset + rows >= total:
            return None
        return self.offset + rows - common
