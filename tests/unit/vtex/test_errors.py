import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.http import Response, json_response
from connector.vtex.errors import (
    Denied,
    ErrorDetail,
    Missing,
    Refused,
    Throttled,
    Unwell,
    failure,
    normalise_code,
    parse_error,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FMT0007", "FMT007"),
        ("FMT007", "FMT007"),
        ("fmt7", "FMT007"),
        ("FMT0060", "FMT0060"),
        ("FMT60", "FMT0060"),
        ("FMT0104", "FMT0104"),
        ("ORDER027", "ORD027"),
        ("ORD027", "ORD027"),
        ("ORD015.1", "ORD015.1"),
        ("CHK3", "CHK003"),
        ("CHK40", "CHK0040"),
        ("CHK0292", "CHK0292"),
        ("CHK310", "CHK00310"),
        ("CHK0290.12", "CHK0290.12"),
        ("OMS003", "OMS003"),
        ("EOI1", "EOI001"),
        (" withoutStock ", "withoutStock"),
        ("1", "1"),
    ],
)
def test_codes_get_their_official_spelling(text, expected):
    assert normalise_code(text) == expected
    assert normalise_code(normalise_code(text)) == expected


SHAPES = [
    (
        json_response({"error": {"code": "FMT0007", "message": "Total", "exception": None}}, 400),
        [("FMT007", "Total")],
    ),
    (
        json_response(
            {"type": "https://x", "title": "Unauthorized", "status": 401, "traceId": "00"}, 401
        ),
        [("", "Unauthorized")],
    ),
    (
        json_response(
            {
                "accountName": None,
                "success": False,
                "flow": "PlaceOrder",
                "code": "EOI002",
                "message": "No SLA",
                "errors": [{"source": "Fulfillment", "code": "FMT5", "description": "gone"}],
            },
            400,
        ),
        [("EOI002", "No SLA"), ("FMT005", "gone")],
    ),
    (json_response("SKU not found.", 404), [("", "SKU not found.")]),
    (json_response({"Message": "Deadlock"}, 500), [("", "Deadlock")]),
    (Response(400), []),
    (
        Response(502, body=b"<html><head><title>502 Bad Gateway</title></head></html>"),
        [("", "502 Bad Gateway")],
    ),
    (Response(504, body=b"upstream timed out"), [("", "upstream timed out")]),
    (json_response({"error": "nope"}, 400), [("", "nope")]),
    (
        json_response({"title": "Invalid", "errors": {"items[0].id": ["is required"]}}, 400),
        [("", "Invalid"), ("", "items[0].id: is required")],
    ),
    (
        json_response([{"code": "FMT9", "message": "a"}, {"code": 1, "message": "b"}], 400),
        [("FMT009", "a"), ("1", "b")],
    ),
]


@pytest.mark.parametrize(("response", "expected"), SHAPES)
def test_every_shape_of_error(response, expected):
    assert [(each.code, each.message) for each in parse_error(response)] == expected


@given(st.binary(max_size=200), st.sampled_from([200, 302, 400, 401, 404, 409, 413, 429, 500, 503]))
def test_any_bytes_are_judged(body, status):
    parse_error(Response(status, body=body))
    error = failure(Response(status, body=body), "op")
    assert (error is None) == (status == 200)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["error", "errors", "code", "message", "Message", "title"]), inner
            )
        ),
        max_leaves=15,
    )
)
def test_any_json_is_judged(value):
    details = parse_error(Response(400, body=json.dumps(value).encode()))
    assert all(isinstance(each, ErrorDetail) for each in details)
    assert len(details) <= 50


def err(code, message="text"):
    return {"error": {"code": code, "message": message, "exception": None}}


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (json_response(err("1"), 401), Denied),
        (json_response(err("CHK003"), 400), Denied),
        (json_response({}, 403), Denied),
        (json_response("x", 404), Missing),
        (json_response(err("OMS003"), 409), Refused),
        (json_response(err("FMT007"), 400), Refused),
        (Response(413), Refused),
        (Response(500), Unwell),
        (Response(503, body=b"<html>"), Unwell),
        (json_response(err("CHK00310"), 400), Unwell),
        (json_response(err("CHK00311"), 400), Unwell),
        (json_response(err("1", "The operation was canceled."), 400), Unwell),
        (json_response(err("FMT005", "The operation was canceled."), 400), Refused),
        (json_response(err("CHK00310"), 200), Unwell),
        (json_response(err("FMT005"), 200), Refused),
        (Response(302), Unwell),
        (Response(429), Throttled),
    ],
)
def test_status_and_code_choose_the_error(response, kind):
    assert type(failure(response, "op")) is kind


def test_success_is_no_error():
    assert failure(json_response({"items": []}), "op") is None
    assert failure(Response(204), "op") is None
    assert failure(json_response({"error": None, "orders": []}), "op") is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 60),
        ({"retry-after": "7"}, 7),
        ({"ratelimit-reset": "3"}, 3),
        ({"retry-after": "x"}, 60),
    ],
)
def test_throttled_tells_how_long(headers, expected):
    error = failure(Response(429, headers), "op")
    assert isinstance(error, Throttled)
    assert error.after_s == expected


def test_errors_tell_codes_and_messages():
    error = failure(json_response(err("FMT0007", "Total 1 differs"), 400), "vtex.order-place")
    assert error.codes == ("FMT007",)
    assert error.messages == ("Total 1 differs",)
    assert "FMT007" in str(error)
    assert "vtex.order-place" in str(error)
