"""Refreshing tokens over real HTTP: once, whoever asks, from however many processes."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from connector.domain.http import NotSent
from connector.domain.pending import Context
from connector.drivers.clock import SystemClock
from connector.drivers.mongo_store import MongoStore
from connector.flows import tokens
from connector.flows.setbacks import setback
from connector.flows.tokens import NoGrant
from connector.ports import EntryQuery, StoreUnavailable
from connector.sdk import AuthExpired, RetryLater
from tests.integration.tokens.oauth_market import connect, grant, until
from tests.servers import mongo

HOUR = 3_600.0


async def crowd(sides, connection, each=100):
    contexts = list(Context)
    calls = [
        side.call(connection, contexts[number % len(contexts)])
        for side in sides
        for number in range(each)
    ]
    return await asyncio.gather(*calls, return_exceptions=True)


async def until_works(side, connection):
    async def works():
        return await crowd([side], connection, 1) == ["ACME"]

    await until(works)


def refreshes(*sides):
    counts = [side.metrics.counts for side in sides]
    return {
        key[1]: sum(each[key] for each in counts)
        for found in counts
        for key in found
        if key[0] == "token_refreshes_total"
    }


async def test_two_hundred_callers_in_two_processes_refresh_an_ended_token_once(
    one, two, connection, market
):
    await grant(one.hub, connection, market, age_s=4 * HOUR)
    market.access.clear()
    assert await crowd([one, two], connection) == ["ACME"] * 200
    assert market.counts["refresh_token"] == 1
    assert market.counts["me"] == 200  # nobody came with the ended one
    assert refreshes(one, two) == {"ok": 1}
    assert await crowd([one, two], connection, 5) == ["ACME"] * 10
    assert market.counts["refresh_token"] == 1


async def test_a_token_is_refreshed_before_it_ends_and_nobody_waits(one, two, connection, market):
    await grant(one.hub, connection, market, age_s=3 * HOUR - 240)
    assert await crowd([one, two], connection) == ["ACME"] * 200
    assert market.counts["refresh_token"] == 1
    assert market.counts["401"] == 0


async def test_a_short_lived_token_is_refreshed_in_its_last_tenth(one, connection, market):
    market.life_s = 600.0
    await grant(one.hub, connection, market, age_s=530)
    await one.call(connection)
    assert market.counts["refresh_token"] == 0
    await grant(one.hub, connection, market, age_s=545)
    await one.call(connection, Context.UPKEEP)  # which has not looked yet
    assert market.counts["refresh_token"] == 1


async def test_a_401_in_the_middle_is_answered_with_one_refresh(one, two, connection, market):
    await grant(one.hub, connection, market)
    assert await crowd([one, two], connection, 3) == ["ACME"] * 6
    market.access.clear()  # the seller changed the password
    assert await crowd([one, two], connection) == ["ACME"] * 200
    assert market.counts["refresh_token"] == 1
    assert market.counts["401"] <= 200
    assert market.counts["me"] == 6 + 200 + market.counts["401"]


async def test_a_401_that_a_new_token_does_not_help_is_passed_on(one, connection, market):
    await grant(one.hub, connection, market)
    market.always_401 = True
    for _ in range(5):
        with pytest.raises(AuthExpired, match="credentials"):
            await one.call(connection)
    assert market.counts["refresh_token"] == 1


async def test_a_refused_refresh_is_remembered_and_told_once(one, two, connection, market):
    await grant(one.hub, connection, market, age_s=4 * HOUR)
    market.refuse = True
    answers = await crowd([one, two], connection)
    assert all(isinstance(answer, NoGrant) for answer in answers)
    assert f"connector connection authorize {connection.id}" in str(answers[0])
    assert market.counts["refresh_token"] == 1
    assert market.counts["me"] == 0
    assert refreshes(one, two) == {"refused": 1}
    entries = await one.hub.store.entries(EntryQuery(connection.id))
    assert [e.status for e in entries if "authorize" in e.message] == ["error"]
    what = setback(answers[0])
    assert (what.counts, what.final) == (False, False)
    assert what.until is not None
    assert what.until - one.hub.now() <= timedelta(minutes=15)


async def test_new_consent_ends_a_refusal(one, two, connection, market):
    await grant(one.hub, connection, market, age_s=4 * HOUR)
    market.refuse = True
    await crowd([one, two], connection, 3)
    market.refuse = False
    await grant(one.hub, connection, market)
    await until_works(one, connection)
    await until_works(two, connection)
    assert market.counts["refresh_token"] == 1


async def test_without_consent_nothing_is_sent(one, connection, market):
    with pytest.raises(NoGrant, match="authorize"):
        await one.call(connection)
    assert market.counts["me"] == market.counts["refresh_token"] == 0


async def test_in_processes_that_share_a_replica_set_as_well(another, server, market):
    clock = SystemClock()
    url = mongo.shared().url("tokens")
    stores = [await MongoStore.opened(url, clock) for _ in range(2)]
    try:
        async with another(store=stores[0]) as one, another(store=stores[1]) as two:
            connection = await connect(one.hub, server)
            await grant(one.hub, connection, market, age_s=4 * HOUR)
            assert await crowd([one, two], connection) == ["ACME"] * 200
            assert market.counts["refresh_token"] == 1
            market.access.clear()
            assert await crowd([one, two], connection) == ["ACME"] * 200
            assert market.counts["refresh_token"] == 2
    finally:
        for store in stores:
            await store.close()


# --- unknown outcomes, and deaths -----------------------------------------------------------------


async def test_a_refresh_without_answer_is_tried_again_with_the_same_token(
    one, connection, market, monkeypatch
):
    monkeypatch.setattr(tokens, "_PAUSE_S", 0.2)
    await grant(one.hub, connection, market, age_s=4 * HOUR)
    market.drop = 1
    answers = await crowd([one], connection, 20)
    # One met the silence; the others were not sent after it into the same.
    assert all(isinstance(answer, NotSent | RetryLater) for answer in answers)
    assert market.counts["refresh_token"] == 1
    await until_works(one, connection)
    assert await crowd([one], connection, 20) == ["ACME"] * 20
    assert len(market.refreshed_with) == 2
    assert len(set(market.refreshed_with)) == 1
    assert refreshes(one) == {"unknown": 1, "ok": 1}


async def test_a_token_that_still_works_is_used_when_it_cannot_be_refreshed(
    one, connection, market
):
    await grant(one.hub, connection, market, age_s=3 * HOUR - 240)
    market.drop = 1
    assert await crowd([one], connection, 20) == ["ACME"] * 20
    assert market.counts["refresh_token"] == 1


async def test_killed_between_intent_and_outcome_another_process_goes_on(
    another, one, connection, market, monkeypatch
):
    monkeypatch.setattr(tokens, "LEASE_S", 1.0)
    await grant(one.hub, connection, market, age_s=4 * HOUR)
    market.block = asyncio.Event()
    async with another() as doomed:
        dying = asyncio.create_task(doomed.call(connection))
        await market.reached.wait()
        kept = (await one.peers(connection).grant.book.read()).kept
        assert kept.leased(one.hub.now())  # the intent was saved before the call
        for task in [*doomed.peers(connection).grant._under_way, dying]:
            task.cancel()
        await asyncio.gather(dying, return_exceptions=True)
    market.block = None
    assert await crowd([one], connection, 20) == ["ACME"] * 20
    assert len(set(market.refreshed_with)) == 1
    assert len(market.refreshed_with) == 2


async def test_what_was_begun_is_ended_though_its_caller_goes_away(one, connection, market):
    await grant(one.hub, connection, market, age_s=4 * HOUR)
    market.block = asyncio.Event()
    leaving = asyncio.create_task(one.call(connection))
    await market.reached.wait()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    market.block.set()
    assert await crowd([one], connection, 20) == ["ACME"] * 20
    assert market.counts["refresh_token"] == 1


async def test_a_new_token_is_saved_even_where_the_ledger_is_away_for_a_moment(
    one, connection, market, monkeypatch
):
    await grant(one.hub, connection, market, age_s=4 * HOUR)
    grant_ = one.peers(connection).grant
    keep, failures = grant_.book.keep, iter([StoreUnavailable("disk full")] * 3)

    async def unlucky(*args, **kwargs):
        for failure in failures:
            raise failure
        return await keep(*args, **kwargs)

    monkeypatch.setattr(grant_.book, "keep", unlucky)
    assert await one.call(connection) == "ACME"
    assert (await grant_.book.read()).kept.generation == 2


async def test_a_stale_refusal_does_not_wipe_a_newer_token(one, two, connection, market):
    """Its lease ran out while it was frozen; the other process has long gone on."""
    await grant(one.hub, connection, market, age_s=4 * HOUR)
    market.block = asyncio.Event()
    frozen = asyncio.create_task(one.call(connection))
    await market.reached.wait()
    book = two.peers(connection).grant.book
    saved = await book.read()
    await book.put(saved, refreshing_until=None)  # as if the lease had run out
    await grant(two.hub, connection, market)
    market.block.set()
    assert await frozen == "ACME"
    assert await two.call(connection) == "ACME"
    assert (await book.read()).kept.refused_until is None


async def test_no_secret_is_logged_or_told(one, two, connection, market, tmp_path):
    await grant(one.hub, connection, market, age_s=4 * HOUR)
    with capture_logs() as logs:
        await crowd([one, two], connection, 5)
        market.access.clear()
        market.refuse = True
        answers = await crowd([one, two], connection, 5)
    told = [*map(repr, logs), *map(repr, answers), *map(str, answers)]
    told += [entry.message for entry in await one.hub.store.entries(EntryQuery(connection.id))]
    told += [json.dumps([*map(str, side.metrics.counts)]) for side in (one, two)]
    assert any(isinstance(answer, NoGrant) for answer in answers)
    assert not [text for text in told if "CANARY" in text]
    ledger = b"".join(path.read_bytes() for path in tmp_path.glob("hub.db*"))
    assert b"CANARY" not in ledger
