"""Polling: orders by date, and the events that the hub missed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from adapters.mercadolivre.api import Api, MaybeMoment, Wire, object_of
from adapters.mercadolivre.events import missed_events
from adapters.mercadolivre.settings import MercadoLivreApp, MercadoLivreSettings
from connector.sdk import OrderPage, RetryLater

PAGE = 50
OVERLAP = timedelta(hours=3)
"""Orders become findable, and are paid, some time after they were made."""
_FIRST_LOOK = timedelta(days=7)
_FEED_OVERLAP = timedelta(minutes=30)
_MOST_PAGES = 200
"""Of one poll: an answer that always says there is more must not go on for ever."""


class Cursor(Wire):
    """Where polling stands. ``feed``: all orders were read, missed events are."""

    newest: MaybeMoment = None
    since: MaybeMoment = None
    offset: int = 0
    feed: bool = False
    missed: MaybeMoment = None
    missed_seen: MaybeMoment = None

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read a cursor; one that cannot be read starts over, for repeats are harmless."""
        try:
            return cls.model_validate_json(text) if text else cls()
        except ValidationError:
            return cls()

    def __str__(self) -> str:
        return self.model_dump_json(exclude_defaults=True)


class Poller:
    """Asks what changed."""

    def __init__(
        self, api: Api, settings: MercadoLivreSettings, app: object, now: datetime
    ) -> None:
        self._api = api
        self._settings = settings
        self._app = app if isinstance(app, MercadoLivreApp) else None
        self._now = now

    async def page(self, text: str) -> OrderPage:
        """The next page: of orders first, of missed events after that."""
        cursor = Cursor.parse(text)
        return await (self._missed(cursor) if cursor.feed else self._orders(cursor))

    async def _orders(self, cursor: Cursor) -> OrderPage:
        since = cursor.since or self._now - _FIRST_LOOK
        by = self._settings.poll_by
        query = {
            "seller": self._settings.user_id,
            f"order.{by}.from": _stamp(since - OVERLAP),
            # Newest first: what is bought while we read moves known orders on, and hides none.
            "sort": "date_desc",
            "offset": str(cursor.offset),
            "limit": str(PAGE),
        }
        answer = object_of(await self._api.get("/orders/search", "orders.poll", query=query))
        rows = answer.get("results")
        if not isinstance(rows, list):
            raise RetryLater("Mercado Livre's list of orders cannot be read")
        orders = [_Row.read(row) for row in rows if isinstance(row, dict)]
        created = by == "date_created"
        dates = (order.date_created if created else order.last_updated for order in orders)
        newest = _latest([cursor.newest, *dates])
        keys = dict.fromkeys(order.key for order in orders if order.key)
        if following := _following(answer, rows, cursor):
            after = cursor.model_copy(update={"newest": newest, "offset": following})
            return OrderPage(tuple(keys), str(after), more=True)
        # Nothing newer: what was asked for until now need not be asked for again.
        after = Cursor(newest=newest, since=newest or since, missed=cursor.missed)
        if self._app is None:
            return OrderPage(tuple(keys), str(after))
        return OrderPage(tuple(keys), str(after.model_copy(update={"feed": True})), more=True)

    async def _missed(self, cursor: Cursor) -> OrderPage:
        """Events that were not taken in time, of the last two days (``/missed_feeds``)."""
        app_id = self._app.client_id if self._app is not None else ""
        query = {"app_id": app_id, "offset": str(cursor.offset), "limit": str(PAGE)}
        answer = object_of(await self._api.get("/missed_feeds", "orders.missed", query=query))
        rows = answer.get("messages")
        if not isinstance(rows, list):
            raise RetryLater("Mercado Livre's missed events cannot be read")
        events = missed_events(rows, self._settings.user_id)
        known = cursor.missed - _FEED_OVERLAP if cursor.missed is not None else None
        fresh = [e for e in events if known is None or e.received is None or e.received > known]
        keys = dict.fromkeys(event.key for event in fresh)
        seen = _latest([cursor.missed_seen, *(event.received for event in events)])
        if following := _following(answer, rows, cursor):
            moved = {"offset": following, "missed_seen": seen}
            return OrderPage(tuple(keys), str(cursor.model_copy(update=moved)), more=True)
        missed = _latest([cursor.missed, seen])
        return OrderPage(
            tuple(keys), str(Cursor(newest=cursor.newest, since=cursor.since, missed=missed))
        )


class _Row(Wire):
    """An order as the search lists it."""

    id: object = None
    pack_id: object = None
    date_created: MaybeMoment = None
    last_updated: MaybeMoment = None

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> _Row:
        """Read a row; a date that cannot be read must not stop all polling."""
        try:
            return cls.model_validate(row)
        except ValidationError:
            return cls(id=row.get("id"), pack_id=row.get("pack_id"))

    @property
    def key(self) -> str:
        """The pack's id, or the order's own."""
        return str(self.pack_id or self.id or "")


def _following(answer: Mapping[str, Any], rows: Sequence[object], cursor: Cursor) -> int:
    """Where the next page begins; 0 where this was the last."""
    paging = answer.get("paging")
    total = paging.get("total") if isinstance(paging, dict) else None
    read = cursor.offset + len(rows)
    more = read < total if isinstance(total, int) else len(rows) >= PAGE
    return read if rows and more and read < PAGE * _MOST_PAGES else 0


def _latest(moments: Iterable[datetime | None]) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
