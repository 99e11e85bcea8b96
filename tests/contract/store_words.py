"""Words that the store's contract is written in."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from connector.domain.entries import Direction, Entry, Operation, Status
from connector.domain.pending import Claim, Context, Failed, Hint, Mark, PendingRow, Priority
from connector.ports import Document, Fact, Settle, Store

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
C = "shop.BCD.demo"


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


class HandClock:
    """A clock that is moved by hand."""

    def __init__(self, now: datetime = T0) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    def wall(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds)

    def set(self, seconds: float) -> None:
        self.moment = at(seconds)


def mark(
    key: str = "1",
    due: float = 0,
    priority: Priority = Priority.CHANGE,
    *,
    connection: str = C,
    context: Context = Context.LISTINGS,
    **hint: bool,
) -> Mark:
    return Mark(connection, context, key, at(due), priority, Hint(**hint))


def document(key: str = "1", body: str = "{}", state: str = "", version: int = 0) -> Document:
    return Document("listing", C, key, body, state, version)


def fact(id_: str, body: str = "", subject: str = "o1") -> Fact:
    return Fact(C, subject, "status", id_, body, T0)


def entry(subject: str = "1", status: Status = Status.SUCCESS, second: float = 0, **more) -> Entry:
    return Entry(
        connection=more.pop("connection", C),
        at=at(second),
        subject=subject,
        operation=Operation.OFFER_CREATION,
        direction=Direction.TO_MARKETPLACE,
        status=status,
        message=more.pop("message", "sent"),
        **more,
    )


class StoreWords:
    """Fixtures and helpers; ``clock`` is the store's clock."""

    @pytest.fixture
    def clock(self) -> HandClock:
        return HandClock()

    @pytest.fixture
    async def store(self, clock):
        raise NotImplementedError

    async def claim(
        self, store: Store, second: float = 0, *, limit: int = 10, lease: float = 60, **where
    ) -> list[Claim]:
        return await store.claim(
            where.get("connection", C),
            where.get("context", Context.LISTINGS),
            limit=limit,
            now=at(second),
            lease_until=at(second + lease),
        )

    async def one(self, store: Store, second: float = 0, **more) -> Claim:
        (claim,) = await self.claim(store, second, **more)
        return claim

    async def row(self, store: Store, *, parked: bool = False) -> PendingRow:
        (row,) = await store.pending(C, Context.LISTINGS, parked=parked)
        return row

    async def fail(self, store: Store, claim: Claim, retry: float, **more) -> None:
        more = {"priority": Priority.CHANGE, "reason": "busy", **more}
        await store.commit([Settle(claim, Failed(at(retry), **more))])
