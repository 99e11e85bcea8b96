"""The user-readable log, for operators and for VTEX (protocol 10.5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta

from connector.domain.connection import Connection
from connector.domain.entries import Entry, Status
from connector.flows.connections import find
from connector.flows.hub import Hub
from connector.ports import EntryQuery, Json, Store

MOST_MESSAGES = 5_000
_PAGE = 500
_SPELLINGS = {
    "success": Status.SUCCESS,
    "sucess": Status.SUCCESS,  # as VTEX's own guide spells it
    "succes": Status.SUCCESS,
    "error": Status.ERROR,
    "errors": Status.ERROR,
    "alert": Status.WARNING,
    "warning": Status.WARNING,
    "warnings": Status.WARNING,
    "pending": Status.PENDING,
}


def parse_statuses(text: str) -> set[Status]:
    """The statuses a caller asks for, however spelled; all of them where none is recognised."""
    words = {word.strip().lower() for word in text.split(",")}
    asked = {_SPELLINGS[word] for word in words if word in _SPELLINGS}
    return set(Status) if "all" in words or not asked else asked


async def log_rows(
    hub: Hub,
    connection_id: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    statuses: Sequence[Status] = (),
    subject: str = "",
    limit: int = 200,
) -> list[Json]:
    """Log entries, newest first.

    Raises:
        Refusal: there is no such connection.
    """
    await find(hub, connection_id)
    query = EntryQuery(
        connection_id, since=since, until=until, statuses=tuple(statuses), subject=subject
    )
    found = await _entries(hub.store, query, limit)
    return [entry.model_dump(mode="json", exclude={"connection"}) for entry in found]


async def vtex_log(
    hub: Hub, connection: Connection, day: date | None, statuses: Collection[Status]
) -> Json:
    """A day's log as VTEX reads it (H-LOG-02); without a day the last 24 hours."""
    now = hub.now()
    since, until = (now - timedelta(days=1), None) if day is None else day_bounds(day)
    wanted = () if set(statuses) >= set(Status) else tuple(statuses)
    query = EntryQuery(connection.id, since=since, until=until, statuses=wanted)
    entries = await _entries(hub.store, query, MOST_MESSAGES)
    return {"Messages": [_message(entry) for entry in entries]}


def day_bounds(day: date) -> tuple[datetime, datetime | None]:
    """When a UTC day begins and when the next one does."""
    since = datetime.combine(day, time(), UTC)
    return since, None if day == date.max else since + timedelta(days=1)


async def _entries(store: Store, query: EntryQuery, most: int) -> list[Entry]:
    """Up to ``most`` entries, page by page."""
    found: list[Entry] = []
    before = 0
    while len(found) < most:
        size = min(_PAGE, most - len(found))
        page = await store.entries(
            EntryQuery(
                query.connection,
                since=query.since,
                until=query.until,
                statuses=query.statuses,
                subject=query.subject,
                before=before,
                limit=size,
            )
        )
        found.extend(page)
        if len(page) < size:
            break
        before = page[-1].id
    return found


def _message(entry: Entry) -> Json:
    message = f"{entry.code}: {entry.message}" if entry.code else entry.message
    return {
        "id": str(entry.id),
        "Operation": entry.operation,
        "Direction": entry.direction,
        "ContentSource": entry.source,
        # VTEX's guide spells it so, and readers look for it; the right spelling stands beside it.
        "ContentTransalted": entry.translated,
        "ContentTranslated": entry.translated,
        "ContentDestination": entry.destination,
        "BusinessMessage": message,
        "Status": entry.status,
    }
