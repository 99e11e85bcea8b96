"""A simulator behind a real socket, and its calls out."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from yarl import URL

from connector.domain.http import NoAnswer, NotSent, Request, Response, json_request
from connector.drivers.clock import SystemClock
from connector.sandbox.server import FAULT_LEVELS, OutboundHttp, faults_of, serve_simulator
from connector.sandbox.vtexsim import VtexSimulator
from connector.sdk.testing.simulator import Dropped


class Echo:
    """Answers with what it was asked, drops what asks to be dropped."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.gate = asyncio.Event()

    async def handle(self, request: Request) -> Response:
        self.asked.append(request)
        if request.url == "/drop":
            raise Dropped("gone")
        if request.url == "/slow":
            await self.gate.wait()
        return Response(201, {"x-own": "1", "content-length": "999"}, request.body)


@pytest.fixture
async def echo():
    echo = Echo()
    runner, echo.url = await serve_simulator(echo)
    yield echo
    echo.gate.set()
    await runner.cleanup()


@pytest.fixture
async def out():
    out = OutboundHttp(timeout_s=2)
    yield out
    await out.close()


async def test_paths_arrive_as_they_were_sent(echo, out):
    odd = "/a%2Fb/%C3%A7%20%0A?x=1&empty=&y=a%26b"
    answer = await out.send(Request("PATCH", echo.url + odd, body=b"\x00" * 2_000_000))
    (asked,) = echo.asked
    assert asked.url == "/a%2Fb/%C3%A7%20%0A"
    assert asked.query == {"x": "1", "empty": "", "y": "a&b"}
    assert (answer.status, answer.headers["x-own"], len(answer.body)) == (201, "1", 2_000_000)


async def test_a_dropped_call_has_no_answer(echo, out):
    with pytest.raises(NoAnswer):
        await out.send(Request("POST", f"{echo.url}/drop"))
    assert (await out.send(Request("POST", f"{echo.url}/fine"))).status == 201


async def test_a_slow_peer_is_given_up(echo, out):
    with pytest.raises(NoAnswer):
        await out.send(Request("GET", f"{echo.url}/slow", timeout_s=0.1))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "nonsense", "ftp://x/y", ""])
async def test_what_cannot_be_reached_was_not_sent(out, url):
    with pytest.raises(NotSent):
        await out.send(Request("GET", url))


async def test_a_query_is_added_to_one_that_is_there(echo, out):
    await out.send(Request("GET", f"{echo.url}/p?a=1", query={"b": "ü &"}))
    await out.send(Request("GET", f"{echo.url}/p", query={"b": "2"}))
    assert [asked.query for asked in echo.asked] == [{"a": "1", "b": "ü &"}, {"b": "2"}]


async def test_a_simulated_vtex_account_over_http(echo, out):
    """Its API, its control API, and a notification to a hub (here: the echo)."""
    simulator = VtexSimulator(clock=SystemClock(100), outbound=out, seed=3, n_skus=5)
    runner, url = await serve_simulator(simulator)
    keys = {
        "x-vtex-api-appkey": simulator.settings.app_key,
        "x-vtex-api-apptoken": simulator.settings.app_token,
    }
    try:
        async with aiohttp.ClientSession() as session:  # noqa: TID251 - a stranger's client
            path = "/api/catalog_system/pvt/sku/stockkeepingunitidsbysaleschannel?sc=2&page=1"
            async with session.get(URL(url + path)) as answer:
                assert answer.status == 401
            async with session.get(URL(url + path), headers=keys) as answer:
                skus = await answer.json()
                assert skus
        body = {"affiliate_id": "MKT", "search_uri": f"{echo.url}/api/notification/"}
        done = await out.send(json_request("POST", f"{url}/_sim/do/add-affiliate", body))
        assert done.status == 200, done.text
        changed = {"sku_id": skus[0], "price": 4242}
        done = await out.send(json_request("POST", f"{url}/_sim/do/price", changed))
        assert done.status == 200, done.text
        for _ in range(200):
            if echo.asked:
                break
            await asyncio.sleep(0.01)
        assert echo.asked[0].url == "/api/notification/"
        assert str(skus[0]) in json.dumps(echo.asked[0].json())
    finally:
        await simulator.close()
        await runner.cleanup()


def test_fault_levels_grow():
    shares = [faults_of(level).throttle for level in FAULT_LEVELS]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert faults_of("hard").slow > 0
