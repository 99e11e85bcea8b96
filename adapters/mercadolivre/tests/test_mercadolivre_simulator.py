"""The simulated Mercado Livre over real HTTP: tokens, events, listings, versions, limits."""

import pytest

from connector.sdk import (
    AuthExpired,
    Done,
    Gone,
    Misconfigured,
    Refused,
    Rejected,
    Request,
    TryAgain,
    json_request,
)
from connector.sdk.kit import sample, tokens

HOUR = 3600


# --- 1: tokens ----------------------------------------------------------------------------------


async def test_a_refresh_token_works_once_and_only_the_newest_one(bench):
    refresh = type(bench.adapter).refresh_token
    first = bench.signing.token
    second = await refresh(bench.app, bench.settings, bench.wire, first)
    assert second.refresh != first.refresh
    assert not bench.simulator.grant_lost()
    with pytest.raises(AuthExpired):
        await refresh(bench.app, bench.settings, bench.wire, first)
    assert bench.simulator.grant_lost()
    third = await refresh(bench.app, bench.settings, bench.wire, second)
    assert third.account == "468424240"


async def test_a_code_needs_its_verifier_and_its_account(bench, market):
    asked = tokens.consent()
    url = type(bench.adapter).authorize_url(bench.app, bench.settings, asked)
    exchange = type(bench.adapter).exchange_code
    wrong = type(asked)(asked.redirect_uri, asked.state, "another-verifier", asked.challenge)
    with pytest.raises(AuthExpired):
        await exchange(bench.app, bench.settings, bench.wire, market.consent(url), wrong)
    market.settings.login = "7"
    with pytest.raises(Misconfigured, match="given by account 7"):
        await exchange(bench.app, bench.settings, bench.wire, market.consent(url), asked)


async def test_the_consent_page_sends_the_browser_back(bench):
    asked = tokens.consent()
    url = type(bench.adapter).authorize_url(bench.app, bench.settings, asked)
    page = await bench.wire.send(Request("GET", url))
    assert page.status == 302
    assert page.headers["location"].startswith("https://hub.example/oauth/callback?code=TG-")
    assert page.headers["location"].endswith(f"&state={asked.state}")


# --- 2 and 3: events --------------------------------------------------------------------------


async def test_events_are_tried_eight_times_and_then_missed(bench, market, hub, seller):
    hub.statuses = [500] * 1000
    key = await seller.sell()
    done = await bench.clock.until(lambda: len(market.missed) == 2, within_s=2 * HOUR, step_s=30)
    assert done
    assert market.counts.attempts == 16  # the order's event and the shipment's
    assert [letter.json()["attempts"] for letter in hub.taken].count(8) == 2
    market.sales[key].orders[0].arrived = False  # nothing but the missed event tells of it
    keys, cursor, more = [], "", True
    while more:
        page = await bench.adapter.orders_since(cursor)
        keys, cursor, more = [*keys, *page.keys], page.cursor, page.more
    assert f"order:{key}" in keys
    assert (await bench.adapter.orders_since(cursor)).keys == ()
    await bench.clock.advance(3 * 24 * HOUR)
    answer = await seller.raw("GET", f"/missed_feeds?app_id={market.settings.client_id}")
    assert answer.json()["messages"] == []


async def test_an_event_that_is_taken_too_slowly_comes_again(bench, market, hub, seller):
    hub.statuses = [0, 0]
    market.settings.webhook_timeout_s = 0.05
    await seller.sell()
    assert await bench.clock.until(lambda: market.counts.taken == 2, within_s=HOUR, step_s=30)
    assert market.counts.attempts == 4


async def test_doubled_late_events_all_lead_to_the_same_order(bench, market, hub, seller):
    market.settings.webhook_duplicate = market.settings.webhook_late = 1.0
    key = await seller.sell()
    assert await bench.clock.until(lambda: len(hub.taken) == 4, within_s=HOUR)
    calls = [
        call
        for letter in hub.taken
        for call in type(bench.adapter).app_webhook(bench.app, letter, bench.clock.now())
    ]
    assert {call.tenant for call in calls} == {"468424240"}
    assert {(await bench.adapter.order(call.key)).key for call in calls} == {key}


async def test_strangers_cannot_read_orders_and_see_no_numbers(bench, market, seller):
    key = await seller.sell()
    asked = tokens.consent()
    url = type(bench.adapter).authorize_url(bench.app, bench.settings, asked)
    market.settings.login = "7"
    theirs = bench.settings.model_copy(update={"user_id": "7"})
    adapter = type(bench.adapter)
    code = market.consent(url)
    token = await adapter.exchange_code(bench.app, theirs, bench.wire, code, asked)
    stranger = tokens.TokenHttp(bench.wire, adapter, bench.app, theirs, token)
    looking = adapter(bench.settings, stranger, bench.clock, bench.app)
    with pytest.raises(Rejected, match="not this account's"):
        await looking.order(f"order:{key}")
    item = next(iter(market.items))
    shown = (await stranger.send(Request("GET", f"/items/{item}"))).json()
    assert "available_quantity" not in shown


# --- 4 and 5: listings ------------------------------------------------------------------------


async def test_no_stock_pauses_and_stock_brings_back_only_what_it_paused(bench, market, seller):
    terms = await seller.list()
    item = market.items[terms.market_id]
    await bench.adapter.block([terms])
    assert (item.status, item.sub_status) == ("paused", ["out_of_stock"])
    found = (await bench.adapter.find(["11"]))["11"]
    assert (found.stock, found.blocked) == (0, False)
    await bench.adapter.update_price_stock([terms])
    assert item.status == "active"
    await seller.raw("PUT", f"/items/{item.id}", {"status": "paused"})
    await bench.adapter.block([terms])
    await bench.adapter.update_price_stock([terms])
    assert (item.status, item.sub_status) == ("paused", ["paused_by_seller"])
    assert (await bench.adapter.find(["11"]))["11"].blocked


async def test_accounts_on_user_products_refuse_titles(bench, market, seller):
    market.settings.user_products = True
    terms = await seller.list(title="Panela de Pressão")
    item = market.items[terms.market_id]
    assert item.body["family_name"] == "Panela de Pressão"
    assert "title" not in item.body
    offer = bench.offer("11", title="Panela Nova")
    changed = await bench.adapter.update_content([offer.model_copy(update={"terms": terms})])
    assert isinstance(changed["11"], Done)
    assert item.body["family_name"] == "Panela Nova"
    answer = await seller.raw("PUT", f"/items/{item.id}", {"title": "X"})
    assert answer.status == 400
    refused = await seller.raw("POST", "/items", {"title": "X", "variations": []})
    assert "Unexpected" not in refused.text
    assert "invalid for requested call" in refused.text


async def test_a_closed_listing_is_gone_and_listed_anew(bench, market, seller):
    terms = await seller.list()
    await seller.raw("PUT", f"/items/{terms.market_id}", {"status": "closed"})
    assert isinstance((await bench.adapter.update_price_stock([terms]))["11"], Gone)
    assert await bench.adapter.find(["11"]) == {}
    again = await seller.list()
    assert again.market_id != terms.market_id
    assert market.copies() == {"11": 1}


async def test_creating_twice_brings_the_first_up_to_date(bench, market, seller):
    await seller.list()
    ends = await bench.adapter.create([bench.offer("11", price_minor=777_00, stock=2)])
    assert isinstance(ends["11"], Done)
    item = market.shelf()["11"]
    assert (market.copies(), item.price_minor, item.stock) == ({"11": 1}, 77_700, 2)


async def test_price_automation_takes_stock_and_says_so(bench, market, seller):
    terms = await seller.list()
    market.items[terms.market_id].automated = True
    changed = terms.model_copy(update={"price_minor": 1, "stock": 3})
    dearer = changed.model_copy(update={"price_minor": 30_000})
    outcome = (await bench.adapter.update_price_stock([dearer]))["11"]
    assert isinstance(outcome, Refused)
    assert "price automation" in outcome.reasons[0]
    assert market.shelf()["11"].stock == 3
    assert market.shelf()["11"].price_minor == sample.PRICE_MINOR


async def test_a_lock_is_tried_again_after_seconds(bench, market, seller):
    terms = await seller.list()
    market.settings.lock_share = 1.0
    outcome = (await bench.adapter.update_price_stock([terms]))["11"]
    assert outcome == TryAgain("somebody else is changing the listing", 5.0)


# --- 6: versions ------------------------------------------------------------------------------


async def at_origins(bench, market):
    market.settings.multi_origin = True
    told = market.seller_settings(str(bench.settings.api_url).rstrip("/"))
    settings = type(bench.settings).model_validate(told)
    bench.adapter = type(bench.adapter)(settings, bench.signing, bench.clock, bench.app)


async def test_stock_at_origins_is_written_with_its_version(bench, market, seller):
    market.settings.multi_origin = True
    with pytest.raises(Misconfigured):
        await bench.adapter.check()
    await at_origins(bench, market)
    assert await bench.adapter.check()
    terms = await seller.list()
    changed = terms.model_copy(update={"stock": 4, "price_minor": 2500})
    assert isinstance((await bench.adapter.update_price_stock([changed]))["11"], Done)
    assert (market.shelf()["11"].stock, market.shelf()["11"].price_minor) == (4, 2500)
    await bench.adapter.block([terms])
    assert not market.shelf()["11"].buyable


async def test_versions_are_demanded_and_stale_ones_tried_again(bench, market, seller):
    await at_origins(bench, market)
    terms = await seller.list()
    product = market.items[terms.market_id].user_product_id
    where = f"/user-products/{product}/stock/type/seller_warehouse"
    body = {"locations": [{"store_id": "1", "network_node_id": "2", "quantity": 1}]}
    without = await seller.raw("PUT", where, body)
    assert (without.status, without.json()["message"]) == (400, "Missing X-Version header")
    stale = await seller.raw("PUT", where, body, **{"x-version": "0"})
    assert (stale.status, stale.json()["message"]) == (409, "Version mismatch")
    market.settings.version_share = 1.0
    outcome = (await bench.adapter.update_price_stock([terms]))["11"]
    assert isinstance(outcome, TryAgain)
    assert outcome.after_s > 0


# --- 9 and 10: limits and scans ---------------------------------------------------------------


async def test_too_many_calls_are_told_nothing_but_no(market, seller):
    market.settings.burst = 1
    answers = [await seller.raw("GET", "/users/me") for _ in range(3)]
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.json()["error"] == "local_rate_limited"
    assert "retry-after" not in refused.headers


async def test_stock_at_the_selling_address_has_a_ceiling_of_its_own(market, seller):
    terms = await seller.list()
    product = market.items[terms.market_id].user_product_id
    where = f"/user-products/{product}/stock/type/selling_address"
    market.settings.stock_per_minute = 2
    statuses = []
    for _ in range(3):
        version = (await seller.raw("GET", f"/user-products/{product}/stock")).headers["x-version"]
        answer = await seller.raw("PUT", where, {"quantity": 1}, **{"x-version": version})
        statuses.append(answer.status)
    assert statuses == [200, 200, 429]


async def test_a_scan_ends_after_five_minutes(bench, market, seller):
    for sku in ("11", "12", "13"):
        await seller.list(sku)
    where = f"/users/{market.settings.user_id}/items/search?search_type=scan&limit=2"
    first = (await seller.raw("GET", where)).json()
    assert len(first["results"]) == 2
    onward = f"{where}&scroll_id={first['scroll_id']}"
    assert len((await seller.raw("GET", onward)).json()["results"]) == 1
    assert (await seller.raw("GET", f"{onward}&offset=1")).status == 400
    await bench.clock.advance(301)
    assert (await seller.raw("GET", onward)).status == 400


async def test_a_search_that_lags_hides_what_was_just_made(bench, market, seller):
    market.settings.search_lag_s = 60.0
    await seller.list()
    assert await bench.adapter.find(["11"]) == {}
    await bench.clock.advance(61)
    assert set(await bench.adapter.find(["11"])) == {"11"}


# --- its control API --------------------------------------------------------------------------


async def control(bench, method, path, body=None):
    return await bench.wire.send(json_request(method, path, body))


async def test_switches_acts_and_books(bench, seller):
    await seller.list()
    assert (await control(bench, "POST", "/_sim/settings", {"nonsense": 1})).status == 400
    told = await control(bench, "POST", "/_sim/settings", {"shipping_late_s": 5})
    assert told.json()["shipping_late_s"] == 5
    assert "a-simulated-app-secret" not in told.text
    assert (await control(bench, "POST", "/_sim/sell", {"lines": [["11", 99]]})).status == 409
    assert (await control(bench, "POST", "/_sim/sell", {"lines": [["11"]]})).status == 400
    key = (await control(bench, "POST", "/_sim/sell", {"lines": [["11", 1]]})).json()["key"]
    act = f"/_sim/sales/{key}"
    assert (await control(bench, "POST", f"{act}/collect", {})).status == 409
    assert (await control(bench, "POST", f"{act}/nothing", {})).status == 404
    assert (await control(bench, "POST", f"{act}/cancel", {})).status == 400
    assert (await control(bench, "POST", f"{act}/cancel", {"reason": "no"})).status == 200
    assert (await control(bench, "GET", "/_sim/orders")).json()[key]["cancelled_by"] == "buyer"
    assert len((await control(bench, "GET", "/_sim/listings")).json()) == 1
