from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.vtex import wire

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2018-08-20T15:11:28.1978783Z", datetime(2018, 8, 20, 15, 11, 28, 197878, UTC)),
        ("2014-03-01T22:58:28.143", datetime(2014, 3, 1, 22, 58, 28, 143000, UTC)),
        ("2020-01-06T00:00:00", datetime(2020, 1, 6, tzinfo=UTC)),
        ("2014-02-07T15:22:56.7612218-02:00", datetime(2014, 2, 7, 17, 22, 56, 761221, UTC)),
        ("2026-08-20T12:00:00.0000000+00:00", datetime(2026, 8, 20, 12, tzinfo=UTC)),
        ("2022-10-01 21:15", datetime(2022, 10, 1, 21, 15, tzinfo=UTC)),
        ("2021-03-16", datetime(2021, 3, 16, tzinfo=UTC)),
        ("2014-10-06 18:52:00", datetime(2014, 10, 6, 18, 52, tzinfo=UTC)),
        (" 2021-03-16t01:02:03z ", datetime(2021, 3, 16, 1, 2, 3, tzinfo=UTC)),
        ("2021-03-16T01:02:03+0330", datetime(2021, 3, 15, 21, 32, 3, tzinfo=UTC)),
    ],
)
def test_dates_of_every_kind(text, expected):
    assert wire.parse_date(text) == expected


@pytest.mark.parametrize(
    "value", [None, 5, "", "soon", "2021-13-01", "0001-01-01T00:00:00+10:00", "2021-02-30T00:00:00",
              "99999999999999999999999999999", "2018-99-20T15:11:28.1978783Z", {}, []]
)  # fmt: skip
def test_what_is_no_date_is_none(value):
    assert wire.parse_date(value) is None


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001
def test_iso_round_trips(moment):
    moment = moment.replace(tzinfo=UTC)
    assert wire.parse_date(wire.iso(moment)) == moment


@given(ANY_JSON | st.integers() | st.text())
def test_readers_take_anything(value):
    text = wire.as_text(value)
    assert isinstance(text, str)
    assert text == text.strip()
    assert wire.as_int(value) is None or abs(wire.as_int(value)) <= wire.MAX_INTEGER
    assert wire.as_bool(value) in {None, True, False}
    number = wire.as_number(value)
    assert number is None or abs(number) <= wire.MAX_INTEGER
    wire.parse_date(value)
    assert isinstance(wire.lowered(value), dict)
    assert all(isinstance(each, dict) for each in wire.maps(value))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(5, 5), ("5", 5), (" 12.0 ", 12), (12.0, 12), (True, None), ("12.5", None), (12.5, None),
     ("", None), (10**16, None), ("1e3", None), (-3, -3), ("-3", -3), (float("inf"), None)],
)  # fmt: skip
def test_integers(value, expected):
    assert wire.as_int(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), ("true", True), ("True", True), (1, True), ("1", True), (0, False),
     ("FALSE", False), (2, None), ("maybe", None), (None, None), ([], None), (1.0, True)],
)  # fmt: skip
def test_booleans(value, expected):
    assert wire.as_bool(value) is expected


def test_ids_become_text():
    assert wire.as_text(15) == wire.as_text("15") == wire.as_text(15.0) == "15"
    assert not wire.as_text(True)
    assert not wire.as_text(float("nan"))


@given(st.integers(0, 10**9), st.decimals("0.0001", "999.9999", places=4))
def test_multiplied_prices_are_within_half_a_cent(minor, multiplier):
    exact = Decimal(minor) * multiplier
    assert abs(Decimal(wire.times(minor, float(multiplier))) - exact) <= Decimal("0.5")


def test_half_cents_go_up():
    assert wire.times(1, 1.5) == 2
    assert wire.times(9999, 300.0) == 2_999_700
    assert wire.times(333, 2.36) == 786
    assert wire.share(5, 2) == 3


def test_dates_stay_ordered():
    first = wire.parse_date("2021-03-16T01:02:03.0000001Z")
    second = wire.parse_date("2021-03-16T01:02:03.9999999Z")
    assert second - first < timedelta(seconds=1)
    assert first < second
