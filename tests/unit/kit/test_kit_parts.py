"""The kit's own parts: its clock, its wire, its door, and how records are compared."""

import asyncio
from datetime import timedelta

import pytest

from connector.domain.http import NoAnswer, Request, Response
from connector.sdk import Done, Limit, LotStatus, PriceStock, Scope, Token, TryAgain
from connector.sdk.kit.clock import StepClock
from connector.sdk.kit.loopback import Door, LoopbackHttp, served
from connector.sdk.kit.sample import ean
from connector.sdk.kit.wire import Wire
from connector.sdk.testing.replay import ReplayError, ReplayHttp, differences, plain
from connector.sdk.testing.tricks import Tricks, purpose


class Answers:
    def __init__(self):
        self.seen = []

    async def send(self, request):
        self.seen.append(request)
        return Response(200)

    async def handle(self, request):
        return await self.send(request)


async def test_the_clock_wakes_sleepers_in_order():
    clock, woken = StepClock(), []

    async def sleeper(seconds):
        await clock.sleep(seconds)
        woken.append((seconds, clock.now()))

    began = clock.now()
    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (30, 10, 20, 90)]
    await clock.advance(60)
    assert [(s, (at - began).total_seconds()) for s, at in woken] == [(10, 10), (20, 20), (30, 30)]
    assert clock.now() - began == clock.wall(60) == timedelta(seconds=60)
    tasks[-1].cancel()


async def test_the_clock_waits_for_what_holds_or_gives_up():
    clock = StepClock()
    began = clock.now()
    assert await clock.until(lambda: clock.now() - began >= timedelta(seconds=5), within_s=60)
    assert not await clock.until(lambda: False, within_s=10)
    assert clock.now() - began < timedelta(seconds=20)


async def test_the_wire_keeps_the_declared_limits():
    clock = StepClock()
    limits = (
        Limit(Scope.CONNECTION, rate=2, burst=3),
        Limit(Scope.OPERATION, rate=1, per_s=60, operation="import"),
    )
    wire, began = Wire(Answers(), clock, limits), clock.now()
    for _ in range(3):
        await wire.send(Request("GET", "/", operation="read"))
    assert clock.now() == began
    await wire.send(Request("GET", "/", operation="read"))
    assert clock.now() - began == timedelta(seconds=0.5)
    for _ in range(2):
        await wire.send(Request("POST", "/", operation="import"))
    assert timedelta(seconds=60) <= clock.now() - began <= timedelta(seconds=62)
    assert len(wire.sent) == len(wire.answers) == 6


async def test_the_door_loses_calls_and_answers():
    answers = Answers()
    door = Door(answers)
    async with served(door) as url:
        http = LoopbackHttp(url, url.partition("://")[2], StepClock())
        try:
            assert (await http.send(Request("GET", "/a%20b", {"q": "é"}))).ok
            assert (door.seen[0].url, dict(door.seen[0].query)) == ("/a%20b", {"q": "é"})
            door.lose_call = True
            with pytest.raises(NoAnswer):
                await http.send(Request("POST", "/b", body=b"x"))
            assert len(answers.seen) == 1
            door.open()
            door.lose_answer = lambda request: True
            with pytest.raises(NoAnswer):
                await http.send(Request("PUT", "/c", body=b"x"))
            assert len(answers.seen) == 2
            door.open()
            door.instead = lambda request: Response(429)
            assert (await http.send(Request("GET", "/d"))).status == 429
        finally:
            await http.close()


def test_every_trick_says_what_it_is_for():
    names = [name for name in vars(Tricks) if not name.startswith("_")]
    assert [name for name in names if len(purpose(name)) < 20] == []


@pytest.mark.parametrize("sku", ["1", "kit-1", "ç", "x" * 60])
def test_sample_eans_are_valid(sku):
    digits = [int(digit) for digit in ean(sku)]
    assert len(digits) == 13
    assert sum(digit * (1, 3)[at % 2] for at, digit in enumerate(digits)) % 10 == 0


# --- records --------------------------------------------------------------------------------------


def test_a_record_may_leave_defaults_out_or_tell_them():
    status = LotStatus(finished=True, outcomes={"1": Done("M")})
    short = {
        "type": "LotStatus",
        "finished": True,
        "outcomes": {"1": {"type": "Done", "market_id": "M"}},
    }
    full = {
        **short,
        "rest": None,
        "after_s": 0,
        "outcomes": {"1": {"type": "Done", "market_id": "M", "url": ""}},
    }
    assert plain(status, short) == plain(status) == short
    assert plain(status, full) == full
    assert plain(LotStatus(False, {}, rest=TryAgain()), short) != short


def test_a_models_defaults_may_be_left_out_too():
    terms = PriceStock(sku="1", price_minor=1, list_price_minor=1, currency="BRL", stock=0)
    assert "market_id" not in plain(terms)
    assert plain(terms, {"market_id": ""})["market_id"] == ""


def test_a_recorded_token_is_told_in_full():
    token = Token(access="a", refresh="r", expires_in_s=60)
    assert plain(token, {"refresh": ""}) == {"access": "a", "refresh": "r", "expires_in_s": 60}


def test_differences_are_told_by_place():
    recorded = {"returns": {"keys": ["a", "b"], "more": True}}
    told = {"returns": {"keys": ["a", "c"], "cursor": "1"}}
    assert differences(recorded, told) == [
        'returns.keys.1 is "c", recorded "b"',
        "returns.more is missing, recorded true",
        'returns.cursor is "1", recorded missing',
    ]
    assert differences([1], [1, 2]) == ["the outcome is [1, 2], recorded [1]"]


async def test_replay_refuses_another_request():
    recorded = {"request": {"method": "GET", "url": "/a"}, "response": {"status": 200}}
    with pytest.raises(ReplayError, match="url is '/b'"):
        await ReplayHttp([recorded]).send(Request("GET", "/b"))
    with pytest.raises(ReplayError, match="query"):
        await ReplayHttp([recorded]).send(Request("GET", "/a", {"page": "1"}))
    with pytest.raises(ReplayError, match="body"):
        await ReplayHttp([recorded]).send(Request("GET", "/a", body=b"x"))


async def test_replay_refuses_calls_too_many_and_too_few():
    recorded = {"request": {"method": "GET", "url": "/a"}, "response": {"status": 200}}
    http = ReplayHttp([recorded])
    with pytest.raises(ReplayError, match="never made"):
        http.finish()
    await http.send(Request("GET", "/a"))
    http.finish()
    with pytest.raises(ReplayError, match="unexpected"):
        await http.send(Request("GET", "/a"))
