"""The log: complete days, VTEX's spellings."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from connector.domain.entries import Direction, Entry, Operation, Status
from connector.flows import logs
from connector.flows.connections import Refusal
from connector.flows.logs import day_bounds, log_rows, parse_statuses, vtex_log
from tests.unit.flows.operator_hub import NOW, World


@pytest.fixture
async def world():
    world = World()
    yield world
    await world.close()


@pytest.fixture
async def connection(world):
    return await world.connect()


def entry(connection, minutes, **changes):
    fields = {
        "connection": connection.id,
        "at": NOW - timedelta(minutes=minutes),
        "subject": "1001",
        "operation": Operation.PRICE_UPDATE,
        "direction": Direction.TO_MARKETPLACE,
        "status": Status.SUCCESS,
        "message": "price of 1001 is now 10000",
        "code": "S1",
        "source": '{"a": 1}',
        "translated": '{"b": 2}',
        "destination": "ok",
    }
    return Entry(**(fields | changes))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("success", {Status.SUCCESS}),
        ("sucess,error", {Status.SUCCESS, Status.ERROR}),
        (" Alert , PENDING ", {Status.WARNING, Status.PENDING}),
        ("warning", {Status.WARNING}),
        ("all", set(Status)),
        ("error,all", set(Status)),
        ("", set(Status)),
        ("what", set(Status)),
        ("what,error", {Status.ERROR}),
    ],
)
def test_statuses_as_people_spell_them(text, expected):
    assert parse_statuses(text) == expected


async def test_the_shape_vtex_reads(world, connection):
    await world.store.commit([entry(connection, 1)])
    assert await vtex_log(world.hub, connection, NOW.date(), set(Status)) == {
        "Messages": [
            {
                "id": "1",
                "Operation": "Price update",
                "Direction": "VTEX to Marketplace",
                "ContentSource": '{"a": 1}',
                "ContentTransalted": '{"b": 2}',
                "ContentTranslated": '{"b": 2}',
                "ContentDestination": "ok",
                "BusinessMessage": "S1: price of 1001 is now 10000",
                "Status": "success",
            }
        ]
    }


async def test_a_day_is_complete_and_nothing_more(world, connection, monkeypatch):
    monkeypatch.setattr(logs, "_PAGE", 7)
    midnight, _ = day_bounds(NOW.date())
    inside = [entry(connection, 0, at=midnight + timedelta(minutes=n)) for n in range(60)]
    outside = [
        entry(connection, 0, at=midnight - timedelta(microseconds=1)),
        entry(connection, 0, at=midnight + timedelta(days=1)),
    ]
    await world.store.commit([*inside, *outside])
    messages = (await vtex_log(world.hub, connection, NOW.date(), set()))["Messages"]
    assert len(messages) == 60
    assert len({message["id"] for message in messages}) == 60


async def test_a_day_is_capped(world, connection, monkeypatch):
    monkeypatch.setattr(logs, "MOST_MESSAGES", 10)
    await world.store.commit([entry(connection, n) for n in range(30)])
    assert len((await vtex_log(world.hub, connection, NOW.date(), set()))["Messages"]) == 10


async def test_without_a_day_the_last_24_hours(world, connection):
    await world.store.commit([entry(connection, 60 * 23), entry(connection, 60 * 25)])
    assert len((await vtex_log(world.hub, connection, None, set(Status)))["Messages"]) == 1


async def test_only_the_statuses_asked_for(world, connection):
    await world.store.commit(
        [entry(connection, 1), entry(connection, 2, status=Status.WARNING, code="")]
    )
    (message,) = (await vtex_log(world.hub, connection, NOW.date(), {Status.WARNING}))["Messages"]
    assert message["Status"] == "warning"
    assert message["BusinessMessage"] == "price of 1001 is now 10000"


async def test_rows_for_operators(world, connection):
    await world.store.commit(
        [entry(connection, 3), entry(connection, 2, subject="7"), entry(connection, 1)]
    )
    rows = await log_rows(world.hub, connection.id, subject="1001", limit=1)
    assert [row["id"] for row in rows] == [3]
    assert rows[0]["status"] == "success"
    assert "connection" not in rows[0]
    since, until = NOW - timedelta(minutes=2, seconds=30), NOW - timedelta(minutes=1)
    rows = await log_rows(world.hub, connection.id, since=since, until=until)
    assert [row["subject"] for row in rows] == ["7"]
    with pytest.raises(Refusal):
        await log_rows(world.hub, "nope")


def test_the_last_day_of_all_has_no_end():
    assert day_bounds(date.max)[1] is None
