import pytest

from connector.domain.http import NoAnswer, Request, Response
from connector.vtex.affiliates import Affiliate, get_affiliate, put_affiliate
from connector.vtex.errors import Denied, Unwell
from connector.vtex.keys import validate_keys


async def test_calls_carry_the_key(vtex, session):
    vtex.on("GET", "/x", {})
    await session.call(Request("GET", "/x", query={"a": "b"}))
    headers = vtex.last.headers
    assert headers["x-vtex-api-appkey"] == "vtexappkey-simstore-ABC"
    assert headers["x-vtex-api-apptoken"] == "t0ken"
    assert headers["accept"] == headers["content-type"] == "application/json"
    assert vtex.last.query == {"a": "b"}


async def test_public_calls_do_not(vtex, session):
    vtex.on("GET", "/x", {})
    await session.call(Request("GET", "/x"), public=True)
    assert "x-vtex-api-apptoken" not in vtex.last.headers


async def test_order_integration_is_told_the_account(vtex, session):
    vtex.on("PUT", "/status", {})
    await session.call(Request("PUT", "/api/order-integration/orders/status"))
    assert vtex.last.query == {"an": "simstore"}


async def test_errors_are_raised_and_silence_passes_through(vtex, session):
    vtex.on("GET", "/x", Response(401))
    with pytest.raises(Denied):
        await session.call(Request("GET", "/x"))
    vtex.on("GET", "/x", NoAnswer("gone"))
    with pytest.raises(NoAnswer):
        await session.call(Request("GET", "/x"))


def test_the_token_is_not_shown(session):
    assert "t0ken" not in repr(session)


AUTH = "/api/vtexid/pub/authenticate/default"


@pytest.mark.parametrize(
    ("answer", "status", "expected"),
    [
        ({"authStatus": "Success", "userId": "u"}, 200, True),
        ({"authStatus": "WrongCredentials"}, 200, False),
        ("nonsense", 200, False),
        ({"error": {"code": "1", "message": "Unauthorized"}}, 401, False),
        ({}, 400, False),
    ],
)
async def test_keys_are_validated(vtex, session, answer, status, expected):
    vtex.on("GET", AUTH, answer, status)
    assert await validate_keys(session) is expected
    assert vtex.last.query == {
        "an": "simstore", "user": "vtexappkey-simstore-ABC", "pass": "t0ken"
    }  # fmt: skip
    assert "x-vtex-api-apptoken" not in vtex.last.headers


async def test_keys_stay_unknown_while_vtex_is_away(vtex, session):
    vtex.on("GET", AUTH, Response(503))
    with pytest.raises(Unwell):
        await validate_keys(session)


AFFILIATE = {
    "id": "XPT",
    "followUpEmail": "null",
    "useSellerPaymentMethod": False,
    "name": "Hub",
    "salesChannel": "2",
    "searchURIEndpoint": "http://hub.example/x?an=simstore",
    "SearchURIEndpointVersion": "1.x.x",
    "searchURIEndpointAvailableVersions": ["1.x.x"],
    "minimumValueAccumulated": 5000,
}


async def test_affiliates_are_read(vtex, session):
    vtex.on("GET", "/api/fulfillment/pvt/affiliates/XPT", AFFILIATE)
    found = await get_affiliate(session, "XPT")
    assert found == Affiliate(
        id="XPT",
        name="Hub",
        sales_channel="2",
        search_url="http://hub.example/x?an=simstore",
        minimum_minor=5000,
    )


async def test_a_free_affiliate_id_is_none(vtex, session):
    vtex.on("GET", "/affiliates/ZZZ", "not found", 404)
    assert await get_affiliate(session, "ZZZ") is None
    vtex.on("GET", "/affiliates/ZZZ", ["odd"])
    with pytest.raises(Unwell):
        await get_affiliate(session, "ZZZ")


async def test_affiliates_are_written(vtex, session):
    vtex.on("PUT", "/api/fulfillment/pvt/affiliates/XPT", Response(204))
    await put_affiliate(session, Affiliate(id="XPT", name="Hub", sales_channel="2", email="a@b.c"))
    assert vtex.sent == {
        "id": "XPT",
        "name": "Hub",
        "followUpEmail": "a@b.c",
        "salesChannel": "2",
        "searchURIEndpoint": None,
        "searchURIEndpointVersion": "1.x.x",
        "searchURIEndpointAvailableVersions": ["1.x.x"],
        "useSellerPaymentMethod": False,
        "minimumValueAccumulated": None,
    }
