import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.http import NoAnswer, Response, json_response
from connector.domain.marketorder import Address, Buyer
from connector.vtex.errors import Denied, Throttled
from connector.vtex.orders import (
    PlaceLine,
    PlaceOrder,
    authorize_classic,
    authorize_integration,
    judge,
    parse_envelope,
    place_classic,
    place_integration,
)
from connector.vtex.reactions import ReactionKind

K = ReactionKind
ENDPOINT = "https://hub.example/vtex/v1/t1/s3cr3t"
ORDER = PlaceOrder(
    ref="MP-1",
    lines=(PlaceLine("1001", 1, 100),),
    buyer=Buyer(),
    address=Address(),
    total_minor=100,
    endpoint=ENDPOINT,
)
NEW = "/api/order-integration/orders"
STATUS = "/api/order-integration/orders/status"
CLASSIC = "/api/fulfillment/pvt/orders"
FULFILL = "/api/fulfillment/pvt/orders/XPT-MP-1/fulfill"


def envelope(code, *, success=False, errors=None, fields=None, **more):
    return {
        "accountName": "simstore", "success": success, "flow": "PlaceOrder", "operationId": "op-1",
        "marketplaceOrderId": "MP-1", "code": code, "message": "texto", "errors": errors,
        "fields": fields, **more,
    }  # fmt: skip


def error(code):
    return {"error": {"code": code, "message": "texto", "exception": None}}


# --- envelopes ----------------------------------------------------------------------------------


def test_a_notification_is_read():
    body = json.dumps(
        envelope(
            "SOI001", success=True, fields={"mainOrderId": "XPT-MP-1", "franchiseOrderId": None}
        )
    ).encode()
    found = parse_envelope(body)
    assert (found.account, found.success, found.flow, found.ref) == (
        "simstore", True, "PlaceOrder", "MP-1",
    )  # fmt: skip
    assert (found.code, found.operation_id, found.main_order_id) == ("SOI001", "op-1", "XPT-MP-1")
    assert not found.approves
    assert judge(found).kind is K.OK


def test_nulls_and_other_casing_are_read():
    body = (
        b'{"AccountName":null,"Success":"false","Flow":"ApproveOrder","OperationId":null,'
        b'"MarketplaceOrderId":null,"Code":"EOI8","Message":null,"Errors":null,"Fields":null}'
    )
    found = parse_envelope(body)
    assert (found.success, found.code, found.ref, found.main_order_id) == (False, "EOI008", "", "")
    assert found.approves
    assert judge(found).kind is K.NOT_YET


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{}", b'{"code":"SOI001"}', b'{"success":true}', b"\xff", b"<html>"],
)
def test_what_is_no_envelope_is_none(body):
    assert parse_envelope(body) is None


@given(st.binary(max_size=100) | st.text().map(str.encode))
def test_any_bytes_are_taken(body):
    parse_envelope(body)


@given(
    st.dictionaries(
        st.sampled_from(["success", "code", "errors", "fields", "message", "flow"]),
        st.none() | st.booleans() | st.text() | st.integers()
        | st.lists(st.dictionaries(st.sampled_from(["code", "source"]), st.text() | st.integers())),
    )
)  # fmt: skip
def test_any_object_is_judged(row):
    found = parse_envelope(json.dumps(row).encode())
    if found is not None:
        verdict = judge(found)
        assert verdict.kind in ReactionKind
        assert found.success or verdict.kind not in {K.OK, K.QUEUED}


@pytest.mark.parametrize(
    ("code", "errors", "kind"),
    [
        ("EOI002", [{"source": "Fulfillment", "code": "FMT005", "description": "gone"}], K.REFUSE),
        ("EOI003", [{"source": "Fulfillment", "code": "FMT0007"}], K.DIVERGENCE),
        ("EOI001", [{"source": "Checkout", "code": "FMT0060"}], K.CANCELLED_BEFORE),
        ("EOI001", [{"source": "Checkout", "code": "FMT009"}], K.EXISTS),
        ("EOI001", [{"source": "Checkout", "code": "CHK00310"}], K.RETRY),
        ("EOI001", [], K.ASK_PERSON),
        ("EOI001", None, K.ASK_PERSON),
        ("EOI007", None, K.EXISTS),
        ("EOI009", None, K.WAIT),
        ("EOI010", None, K.RETRY),
        ("EOI011", None, K.WAIT),
        ("EOI099", None, K.ASK_PERSON),
    ],
)
def test_envelopes_are_judged(code, errors, kind):
    found = parse_envelope(json.dumps(envelope(code, errors=errors)).encode())
    verdict = judge(found)
    assert verdict.kind is kind
    assert verdict.reasons


def test_the_success_flag_decides_about_unknown_codes():
    assert judge(parse_envelope(json.dumps(envelope("SOI9", success=True)).encode())).kind is K.OK
    assert judge(parse_envelope(json.dumps(envelope("SOI001")).encode())).kind is K.ASK_PERSON


# --- the asynchronous API -----------------------------------------------------------------------


async def test_an_order_is_handed_over(vtex, session):
    queued = envelope("SOI003", success=True, marketplaceOrderId=None, operationId=None)
    vtex.on("POST", NEW, queued)
    answer = await place_integration(session, ORDER)
    assert (answer.kind, answer.vtex_order_id) == (K.QUEUED, "")
    assert vtex.last.query == {"affiliateId": "XPT", "an": "simstore"}
    assert vtex.sent["marketplaceOrderId"] == "MP-1"


@pytest.mark.parametrize(
    ("response", "kind", "order_id"),
    [
        (json_response(envelope("SOI001", success=True, fields={"mainOrderId": "XPT-MP-1-01"})),
         K.OK, "XPT-MP-1-01"),
        (json_response(envelope("EOI007"), 409), K.EXISTS, "XPT-MP-1"),
        (json_response(envelope("EOI005"), 400), K.REFUSE, ""),
        (json_response(envelope("EOI006"), 500), K.RETRY, ""),
        (json_response(envelope("EOI005")), K.REFUSE, ""),
        (json_response(error("FMT0060"), 400), K.CANCELLED_BEFORE, ""),
        (json_response(error("FMT0060"), 500), K.CANCELLED_BEFORE, ""),
        (json_response(error("FMT009")), K.EXISTS, "XPT-MP-1"),
        (Response(200), K.QUEUED, ""),
        (Response(202, body=b"ok"), K.QUEUED, ""),
        (Response(400), K.REFUSE, ""),
        (Response(404), K.ASK_PERSON, ""),
        (Response(500), K.RETRY, ""),
        (Response(502, body=b"<html>"), K.RETRY, ""),
    ],
)  # fmt: skip
async def test_immediate_answers(vtex, session, response, kind, order_id):
    vtex.on("POST", NEW, response)
    answer = await place_integration(session, ORDER)
    assert (answer.kind, answer.vtex_order_id) == (kind, order_id)
    assert answer.verdict.kind is kind


@pytest.mark.parametrize(
    ("response", "raised"),
    [
        (Response(429), Throttled),
        (Response(401), Denied),
        (json_response(error("CHK003"), 400), Denied),
    ],
)
async def test_what_vtex_did_not_look_at_is_raised(vtex, session, response, raised):
    vtex.on("POST", NEW, response)
    vtex.on("POST", CLASSIC, response)
    with pytest.raises(raised):
        await place_integration(session, ORDER)
    with pytest.raises(raised):
        await place_classic(session, ORDER)


async def test_silence_is_raised(vtex, session):
    vtex.on("POST", NEW, NoAnswer("timeout"))
    with pytest.raises(NoAnswer):
        await place_integration(session, ORDER)


async def test_an_approval_is_handed_over(vtex, session):
    vtex.on("PUT", STATUS, envelope("SOI003", success=True, flow="ApproveOrder", accountName=None))
    answer = await authorize_integration(session, "MP-1", "hub", ENDPOINT)
    assert answer.kind is K.QUEUED
    assert vtex.last.query == {"an": "simstore"}
    assert vtex.sent == {
        "marketplaceOrderId": "MP-1",
        "marketplaceOrderStatus": "approved",
        "connectorName": "hub",
        "connectorEndpoint": ENDPOINT,
    }


@pytest.mark.parametrize(
    ("code", "kind"),
    [("SOI002", K.OK), ("EOI008", K.NOT_YET), ("EOI009", K.WAIT), ("EOI011", K.WAIT)],
)
async def test_approvals_are_judged(vtex, session, code, kind):
    vtex.on("PUT", STATUS, envelope(code, success=code.startswith("S")))
    assert (await authorize_integration(session, "MP-1", "hub", ENDPOINT)).kind is kind


# --- the synchronous API ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "order_id"),
    [
        ([{"marketplaceOrderId": "MP-1", "orderId": "XPT-MP-1"}], "XPT-MP-1"),
        ({"orderId": "XPT-MP-1-X"}, "XPT-MP-1-X"),
        ([], "XPT-MP-1"),
        ("ok", "XPT-MP-1"),
    ],
)
async def test_a_classic_order_is_placed(vtex, session, body, order_id):
    vtex.on("POST", CLASSIC, body)
    answer = await place_classic(session, ORDER)
    assert (answer.kind, answer.vtex_order_id) == (K.OK, order_id)
    assert vtex.last.query == {"sc": "2", "affiliateId": "XPT"}
    assert isinstance(vtex.sent, list)
    assert len(vtex.sent) == 1


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (json_response(error("FMT009"), 400), K.EXISTS),
        (json_response(error("CHK0085"), 400), K.EXISTS),
        (json_response(error("FMT0007"), 400), K.DIVERGENCE),
        (json_response(error("FMT0060"), 400), K.CANCELLED_BEFORE),
        (json_response(error("1"), 400), K.REFUSE),
        (json_response(error("1"), 500), K.RETRY),
        (Response(400), K.REFUSE),
        (Response(500), K.RETRY),
    ],
)
async def test_classic_refusals(vtex, session, response, kind):
    vtex.on("POST", CLASSIC, response)
    answer = await place_classic(session, ORDER)
    assert answer.kind is kind
    assert answer.vtex_order_id == ("XPT-MP-1" if kind is K.EXISTS else "")


async def test_a_classic_order_is_authorised(vtex, session):
    vtex.on("POST", FULFILL, {"date": "2014-10-06 18:52:00", "orderId": "1", "receipt": "r"})
    answer = await authorize_classic(session, "MP-1")
    assert (answer.kind, answer.vtex_order_id) == (K.OK, "XPT-MP-1")
    assert vtex.sent == {"marketplaceOrderId": "MP-1"}
    assert vtex.last.query == {"sc": "2", "affiliateId": "XPT"}


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (json_response(error("1"), 404), K.NOT_YET),
        (Response(404), K.NOT_YET),
        (json_response(error("FMT0022"), 404), K.ASK_PERSON),
        (json_response(error("FMT0056"), 400), K.WAIT),
        (json_response(error("CHK0184"), 409), K.WAIT),
        (Response(500), K.RETRY),
    ],
)
async def test_authorisations_that_do_not_work(vtex, session, response, kind):
    vtex.on("POST", FULFILL, response)
    assert (await authorize_classic(session, "MP-1")).kind is kind


async def test_references_are_encoded_in_paths(vtex, session):
    vtex.on("POST", "/XPT-a%2Fb/fulfill", {})
    await authorize_classic(session, "a/b")


def test_orders_can_be_changed_by_copy():
    assert replace(ORDER, paid=True).paid
