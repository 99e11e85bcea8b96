"""The user-readable log as VTEX reads it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector.domain.connection import Purpose
from connector.domain.entries import Direction, Entry, Operation, Status
from tests.integration.web.support import call


@pytest.fixture
async def written(it):
    def entry(status, day):
        return Entry(
            connection=it.one.id,
            at=datetime(2026, 8, day, 12, tzinfo=UTC),
            subject="15",
            operation=Operation.PRICE_UPDATE,
            direction=Direction.TO_MARKETPLACE,
            status=status,
            message=f"{status} on {day}",
        )

    await it.hub.store.commit([entry(status, day) for status in Status for day in (20, 21)])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("DateAt=2026-08-20&status=all", {"success", "error", "warning", "pending"}),
        ("date=2026-08-20", {"success", "error", "warning", "pending"}),
        ("dateat=2026-08-20&STATUS=sucess,error", {"success", "error"}),
        ("DateAt=2026-08-20&status=success", {"success"}),
        ("DateAt=2026-08-20&status=alert", {"warning"}),
        ("DateAt=2026-08-20&status=warning,pending", {"warning", "pending"}),
        ("DateAt=2026-08-22", set()),
        ("", set()),
    ],
)
async def test_a_days_log_in_every_spelling(it, public, written, query, expected):
    for rest in ("simstore/logs/", "simstore/logs", "logs/", "SimStore/logs"):
        status, body, _ = await call(public, "GET", it.vtex(Purpose.LOGS, f"{rest}?{query}"))
        assert status == 200
        assert {message["Status"] for message in body["Messages"]} == expected
        for message in body["Messages"]:
            assert "ContentTransalted" in message
            assert message["BusinessMessage"].endswith("on 20")


async def test_what_makes_no_sense_is_told(it, public):
    status, body, _ = await call(public, "GET", it.vtex(Purpose.LOGS, "simstore/logs?DateAt=today"))
    assert status == 400
    assert "yyyy-mm-dd" in body["error"]["message"]
    status, *_ = await call(public, "GET", it.vtex(Purpose.LOGS, "otherstore/logs/"))
    assert status == 404
    status, *_ = await call(public, "POST", it.vtex(Purpose.LOGS, "simstore/logs/"), {})
    assert status == 405
