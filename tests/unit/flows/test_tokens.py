"""Tokens through hours of trouble in virtual time: one refresh at a time, no token used twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from pydantic import SecretStr

from connector.domain.http import Held, HttpFailure, NoAnswer, NotSent
from connector.domain.pending import Context
from connector.drivers.memory_store import MemoryStore
from connector.drivers.metrics import NoMetrics
from connector.drivers.vault import AesVault, generate_key
from connector.drivers.virtual_time import VirtualClock
from connector.flows.tokenbook import Kept, TokenBook, token_status
from connector.flows.tokens import Current, Grant, NoGrant, refresh_at
from connector.sdk import AdapterError, AuthExpired, Misconfigured, RetryLater, Token
from tests.unit.flows.stage import FIRST, PRICE, STOCK, staged, virtual

LIFE_S = 900.0


class Market:
    """The token endpoint of a marketplace whose refresh tokens are good for one use."""

    def __init__(self, clock: VirtualClock, rng: Random, *, trouble: float = 0.0) -> None:
        self.clock, self.rng, self.trouble = clock, rng, trouble
        self.serial = 0
        self.valid: dict[str, datetime] = {}
        self.refresh = ""
        self.at_once = self.most_at_once = 0
        self.counts: Counter[str] = Counter()
        self.loses_answers = False

    def give(self) -> Token:
        self.serial += 1
        access, self.refresh = f"access-{self.serial}", f"refresh-{self.serial}"
        self.valid[access] = self.clock.now() + timedelta(seconds=LIFE_S)
        return Token(access=SecretStr(access), refresh=SecretStr(self.refresh), expires_in_s=LIFE_S)

    def takes(self, current: Current) -> bool:
        ends = self.valid.get(current.token.access.get_secret_value())
        return ends is not None and self.clock.now() < ends

    def revoke(self) -> None:
        self.valid.clear()

    async def trade(self, token: Token) -> Token:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._trade(token)
        finally:
            self.at_once -= 1

    async def _trade(self, token: Token) -> Token:
        self.counts["asked"] += 1
        await self.clock.sleep(self.rng.uniform(0.05, 8))
        if self.rng.random() < self.trouble:
            self.counts["trouble"] += 1
            until = self.clock.now() + timedelta(seconds=20)
            raise self.rng.choice(
                [NotSent("away"), NoAnswer("lost"), RetryLater("429", after_s=30), Held("x", until)]
            )
        if token.refresh.get_secret_value() != self.refresh:
            self.counts["stale"] += 1
            raise AuthExpired("invalid_grant")
        given = self.give()
        if self.loses_answers:
            self.loses_answers = False
            raise NoAnswer("lost after it was done")
        return given


class Hubs:
    """Several processes' grants over one ledger."""

    def __init__(self, clock: VirtualClock, market: Market, n: int) -> None:
        self.clock, self.market = clock, market
        self.store, self.vault = MemoryStore(clock), AesVault([generate_key()])
        self.book = TokenBook(self.store, self.vault, "c")
        self.grants = [self.made() for _ in range(n)]

    def made(self) -> Grant:
        book = TokenBook(self.store, self.vault, "c")
        return Grant(book, "c", self.market.trade, self.clock, NoMetrics())

    async def consent(self) -> None:
        await self.book.keep(await self.book.read(), self.market.give(), self.clock.now())

    def kill(self, number: int) -> None:
        """Everything in a process's memory is gone."""
        for task in list(self.grants[number]._under_way):
            task.cancel()
        self.grants[number] = self.made()


async def call(hubs: Hubs, number: int, told: Counter[str]) -> None:
    """One call to the marketplace, as a signed request makes it."""
    grant = hubs.grants[number]
    try:
        current = await grant.current()
        if not hubs.market.takes(current):
            told["401"] += 1
            newer = await grant.after_401(current)
            if newer is None or not hubs.market.takes(newer):
                told["given up"] += 1
                return
    except (AdapterError, HttpFailure) as error:
        told[type(error).__name__] += 1
        return
    told["ok"] += 1


@pytest.mark.parametrize("seed", range(12))
@virtual
async def test_hours_of_trouble_use_no_refresh_token_twice(seed: int):
    clock, rng = VirtualClock(), Random(seed)
    market = Market(clock, rng, trouble=0.3)
    hubs = Hubs(clock, market, 3)
    await hubs.consent()
    told: Counter[str] = Counter()
    calls = []
    for _ in range(1_500):
        now = [number for number in range(3) if rng.random() < 0.5]
        calls += [asyncio.create_task(call(hubs, number, told)) for number in now]
        if rng.random() < 0.004:
            market.revoke()
        if rng.random() < 0.01:
            hubs.kill(rng.randrange(3))
        await clock.sleep(rng.uniform(1, 12))
    # Who was killed in the middle of a call cannot be waited for.
    await asyncio.wait(calls, timeout=120)
    for task in calls:
        task.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert market.counts["stale"] == 0
    assert market.most_at_once == 1
    assert market.counts["trouble"] > 0
    assert told["ok"] > 0.9 * sum(told.values())
    assert told["NoGrant"] == 0


@virtual
async def test_an_answer_that_was_lost_after_it_was_done_ends_the_grant_until_new_consent():
    clock = VirtualClock()
    market = Market(clock, Random(1))
    hubs = Hubs(clock, market, 2)
    await hubs.consent()
    await clock.sleep(LIFE_S + 1)
    market.loses_answers = True
    told: Counter[str] = Counter()
    for _ in range(50):
        await asyncio.gather(*(call(hubs, number, told) for number in (0, 1)))
        await clock.sleep(60)
    assert market.counts == {"asked": 2, "stale": 1}  # and not again within the hour
    await hubs.consent()
    await clock.sleep(5)
    told.clear()
    await asyncio.gather(*(call(hubs, number, told) for number in (0, 1)))
    assert told == {"ok": 2}


@virtual
async def test_a_grant_that_is_over_is_asked_about_again_after_an_hour():
    clock = VirtualClock()
    market = Market(clock, Random(1))
    hubs = Hubs(clock, market, 1)
    await hubs.consent()
    held, market.refresh = market.refresh, "the marketplace made a mistake"
    await clock.sleep(LIFE_S + 1)
    told: Counter[str] = Counter()
    await call(hubs, 0, told)
    market.refresh = held
    await clock.sleep(3_500)
    await call(hubs, 0, told)
    assert (told, market.counts["asked"]) == ({"NoGrant": 2}, 1)
    await clock.sleep(200)
    await call(hubs, 0, told)
    assert told["ok"] == 1


@virtual
async def test_a_missing_setting_is_noticed_soon_once_it_is_there():
    clock = VirtualClock()
    market = Market(clock, Random(1))
    hubs = Hubs(clock, market, 1)
    await hubs.consent()
    await clock.sleep(LIFE_S + 1)
    right = hubs.grants[0]._refresh

    async def wrong(token: Token) -> Token:
        raise Misconfigured("no application settings")

    hubs.grants[0]._refresh = wrong
    with pytest.raises(NoGrant):
        await hubs.grants[0].current()
    hubs.grants[0]._refresh = right
    await clock.sleep(301)
    assert market.takes(await hubs.grants[0].current())


@virtual
async def test_a_refresh_token_that_is_not_replaced_stays():
    clock = VirtualClock()
    market = Market(clock, Random(1))
    hubs = Hubs(clock, market, 1)
    await hubs.consent()
    before = market.refresh

    async def refresh(token: Token) -> Token:
        assert token.refresh.get_secret_value() == before
        return Token(access=SecretStr("next"), expires_in_s=LIFE_S)

    hubs.grants[0]._refresh = refresh
    for _ in range(3):
        await clock.sleep(LIFE_S)
        assert (await hubs.grants[0].current()).token.access.get_secret_value() == "next"
    assert (await hubs.book.read()).kept.generation == 4


@virtual
async def test_who_waits_for_somebody_elses_refresh_does_not_wait_for_ever():
    clock = VirtualClock()
    market = Market(clock, Random(1))
    hubs = Hubs(clock, market, 2)
    await hubs.consent()
    await clock.sleep(LIFE_S + 1)

    async def stuck(token: Token) -> Token:
        await asyncio.Event().wait()
        raise AssertionError

    hubs.grants[0]._refresh = stuck
    hanging = asyncio.create_task(hubs.grants[0].current())
    await clock.sleep(0.1)
    began = clock.now()
    assert market.takes(await hubs.grants[1].current())  # once the lease has run out
    assert timedelta(seconds=25) < clock.now() - began < timedelta(seconds=50)
    hanging.cancel()
    for task in hubs.grants[0]._under_way:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await hanging


@pytest.mark.parametrize(
    ("life_s", "ahead_s"), [(21_600, 300), (10_800, 300), (3_000, 300), (600, 60), (0, 0)]
)
def test_when_a_token_is_refreshed(life_s: float, ahead_s: float):
    now = VirtualClock().now()
    kept = Kept(given_at=now, expires_at=now + timedelta(seconds=life_s))
    assert refresh_at(kept) == kept.expires_at - timedelta(seconds=ahead_s)


def test_what_is_told_of_a_token():
    now = VirtualClock().now()
    hour = timedelta(hours=1)
    kept: dict[str, Any] = {"sealed": "x", "generation": 3, "given_at": now - hour}
    works = Kept(**kept, account="7", expires_at=now + hour)
    assert token_status(Kept(), now)["state"] == "missing"
    assert token_status(works, now)["state"] == "works"
    assert token_status(works, now)["refreshes"] == 2
    assert token_status(Kept(**kept, expires_at=now), now)["state"] == "ended"
    refused = works.model_copy(update={"refused_until": now + hour})
    assert token_status(refused, now)["state"] == "refused"
    assert token_status(refused, now + 2 * hour)["state"] == "ended"


@virtual
async def test_without_access_nothing_is_read_and_no_attempt_is_used_up():
    async with staged() as stage:
        market = Market(stage.clock, Random(1))
        hubs = Hubs(stage.clock, market, 1)
        kept, key = stage.up.peers._kept, (stage.joined.id, Context.LISTINGS)
        kept[key] = replace(kept[key], grant=hubs.grants[0])
        reads = len(stage.vtex_tap.calls)
        stage.vtex.set_price(FIRST, 9_000)
        await stage.settle(600)
        assert stage.shelf()[FIRST] == (PRICE, STOCK)
        assert len(stage.vtex_tap.calls) == reads
        row = (await stage.rows(Context.LISTINGS))[FIRST]
        assert (row.attempts, row.parked) == (0, False)
        await hubs.consent()
        await stage.settle(900)
        assert stage.shelf()[FIRST] == (9_000, STOCK)
