"""The adapter against the simulated market: listings, lots, partial failure, limits."""

import pytest

from connector.sdk import (
    AuthExpired,
    Done,
    InLot,
    NoAnswer,
    RateLimited,
    Refused,
    Rejected,
    Request,
    RetryLater,
    TryAgain,
    json_request,
)
from connector.sdk.testing.simulator import Faults


async def test_check_names_the_seller(world):
    assert await world.adapter.check() == "Demo Seller"


async def test_a_wrong_key_stops(new_world, make):
    world = new_world(adapter={"api_key": "old-key"})
    with pytest.raises(AuthExpired):
        await world.adapter.update_price_stock([make.terms("1")])
    assert world.market.ledger[-1].kind == "call.unauthorized"


async def test_create_shows_what_was_offered(world, make):
    outcomes = await world.adapter.create([make.offer("1", price=12345, stock=7)])
    assert outcomes == {"1": Done("DM-000001", "https://demo-market.example/item/DM-000001")}
    listing = world.market.listings["1"]
    assert (listing.price_minor, listing.stock, listing.blocked) == (12345, 7, False)
    assert listing.content["title"] == "Trail Shoe 1"


async def test_a_repeated_create_changes_nothing_but_terms(world, make):
    await world.adapter.create([make.offer("1", price=100)])
    again = await world.adapter.create([make.offer("1", price=200)])
    assert again == {"1": Done("DM-000001", "https://demo-market.example/item/DM-000001")}
    assert list(world.market.listings) == ["1"]
    assert world.market.listings["1"].price_minor == 200


async def test_creating_what_exists_otherwise_brings_it_up_to_date(world, make):
    await world.list("1")
    outcomes = await world.adapter.create([make.offer("1", title="New title"), make.offer("2")])
    assert {sku: outcome.market_id for sku, outcome in outcomes.items()} == {
        "1": "DM-000001",
        "2": "DM-000002",
    }
    assert world.market.listings["1"].content["title"] == "New title"


async def test_the_raw_answer_to_other_content_is_a_conflict(world, make):
    await world.list("1")
    item = {
        "seller_sku": "1",
        "price": "1.00",
        "currency": "BRL",
        "stock": 1,
        "title": "Other",
        "images": ["x"],
        "category_id": "110",
    }
    headers = {"Authorization": "Bearer demo-key"}
    request = json_request("POST", "/v1/listings", {"items": [item]}, headers=headers)
    [row] = (await world.send(request)).json()["items"]
    assert (row["status"], row["listing_id"]) == ("conflict", "DM-000001")
    assert row["errors"][0]["code"] == "already_exists"


async def test_refusals_tell_every_reason(world, make):
    bad = make.offer("1", images=(), title="x" * 121, market_category="100", price=0)
    outcomes = await world.adapter.create([bad, make.offer("2")])
    assert isinstance(outcomes["2"], Done)
    assert isinstance(outcomes["1"], Refused)
    assert len(outcomes["1"].reasons) == 4
    assert list(world.market.listings) == ["2"]


async def test_price_and_stock_reach_the_listing_to_the_cent(world, make):
    await world.list("1", "2")
    await world.adapter.update_price_stock(
        [make.terms("1", price=1, stock=0), make.terms("2", price=9999999, stock=10**9)]
    )
    listings = world.market.listings
    assert (listings["1"].price_minor, listings["1"].stock) == (1, 0)
    assert (listings["2"].price_minor, listings["2"].stock) == (9999999, 99_999)


async def test_history_keeps_every_update_with_its_time(world, make):
    await world.list("1", stock=3)
    await world.clock.advance(60)
    await world.adapter.update_price_stock([make.terms("1", stock=3)])
    await world.adapter.block([make.terms("1")])
    history = world.market.listings["1"].history
    assert [change.kind for change in history] == ["created", "terms", "blocked"]
    assert (history[1].at - history[0].at).total_seconds() == 60


async def test_block_stops_selling_until_stock_comes_again(world, make):
    await world.list("1")
    assert await world.adapter.block([make.terms("1"), make.terms("9")]) == {
        "1": Done("DM-000001", "https://demo-market.example/item/DM-000001"),
        "9": Done(),
    }
    assert world.market.sell([("1", 1)]).reasons == ("SKU 1 is blocked",)
    await world.adapter.update_price_stock([make.terms("1", stock=0)])
    assert world.market.listings["1"].blocked
    await world.adapter.update_price_stock([make.terms("1", stock=1)])
    assert world.market.sell([("1", 1)]).cart_id == "C-000001"


async def test_delete_forgets_and_an_update_of_the_deleted_settles_nothing(world, make):
    await world.list("1")
    assert isinstance((await world.adapter.delete([make.terms("1")]))["1"], Done)
    assert await world.adapter.find(["1"]) == {}
    assert await world.adapter.update_price_stock([make.terms("1")]) == {}
    assert isinstance((await world.adapter.delete([make.terms("1")]))["1"], Done)


async def test_find_tells_what_is_there(world, make):
    await world.list("1", price=4990, stock=2)
    await world.adapter.block([make.terms("1")])
    found = (await world.adapter.find(["1", "9"]))["1"]
    assert (found.market_id, found.price_minor, found.stock, found.blocked) == (
        "DM-000001",
        4990,
        2,
        True,
    )


async def test_categories_come_page_by_page(new_world):
    world = new_world(page_size=5)
    tree = await world.adapter.categories()
    assert len(tree) == 12
    assert {node.id for node in tree if not node.leaf} == {"100", "200", "300", "400"}
    assert all(node.parent_id for node in tree if node.leaf)


# --- partial failure ----------------------------------------------------------------------------


async def test_items_fail_one_by_one_and_the_same_way_for_a_seed(new_world, make):
    results = []
    for _ in range(2):
        world = new_world(seed=7)
        skus = [str(n) for n in range(60)]
        await world.list(*skus, stock=1)
        world.market.settings.item_failure = 0.3
        world.market.settings.item_refusal = 0.2
        world.market.settings.item_silence = 0.2
        wanted = [make.terms(sku, stock=5) for sku in skus]
        outcomes = await world.adapter.update_price_stock(wanted)
        kinds = {sku: type(outcome) for sku, outcome in outcomes.items()}
        assert {Done, TryAgain, Refused} == set(kinds.values())
        assert len(kinds) < len(skus)
        stock = {sku: world.market.listings[sku].stock for sku in skus}
        assert all(stock[sku] == 5 for sku, kind in kinds.items() if kind is Done)
        assert all(stock[sku] == 1 for sku, kind in kinds.items() if kind is not Done)
        assert any(stock[sku] == 5 for sku in skus if sku not in kinds)
        results.append(kinds)
    assert results[0] == results[1]


async def test_a_batch_too_large_is_refused_whole(new_world, make):
    world = new_world(max_batch=2)
    with pytest.raises(Rejected, match="413"):
        await world.list("1", "2", "3")
    assert world.market.listings == {}


async def test_a_lost_answer_leaves_the_listing_and_a_repeat_is_harmless(new_world, make):
    world = new_world(faults=Faults(drop_after=1.0))
    with pytest.raises(NoAnswer):
        await world.list("1")
    world.market.faults.drop_after = 0
    assert (await world.adapter.find(["1"]))["1"].market_id == "DM-000001"
    assert (await world.list("1"))["1"].market_id == "DM-000001"


async def test_a_broken_market_is_tried_again(new_world, make):
    world = new_world(faults=Faults(error=1.0))
    for _ in range(4):  # both kinds of broken answers
        with pytest.raises(RetryLater):
            await world.list("1")


@pytest.mark.parametrize("seed", range(5))
async def test_repeating_until_done_converges_whatever_goes_wrong(new_world, make, seed):
    world = new_world(
        seed=seed,
        faults=Faults.spread(0.4),
        lot_share=0.5,
        lot_s=10,
        lot_modes={"settle": 2, "partly": 1, "late": 1, "never": 1},
        item_failure=0.1,
        item_silence=0.1,
    )
    wanted = {str(n): make.offer(str(n), price=100 + n, title=f"Title {n}") for n in range(40)}
    left = dict(wanted)
    for _ in range(200):
        try:
            outcomes = await world.adapter.create(list(left.values()))
        except (RetryLater, NoAnswer):
            continue
        left = {k: o for k, o in left.items() if not isinstance(outcomes.get(k), Done)}
        await world.clock.advance(60)
        if not left:
            break
    assert not left
    await world.clock.advance(3600)
    listings = world.market.listings
    assert {k: (v.price_minor, v.content["title"]) for k, v in listings.items()} == {
        k: (o.terms.price_minor, o.content.title) for k, o in wanted.items()
    }
    assert len({listing.market_id for listing in listings.values()}) == len(wanted)


# --- limits -------------------------------------------------------------------------------------


async def test_the_bucket_empties_and_fills_with_the_clock(new_world):
    world = new_world(limits=True, rate=2, burst=4, seed=3)
    waits = []
    for _ in range(4):
        await world.adapter.find(["1"])
    for _ in range(8):
        with pytest.raises(RateLimited) as caught:
            await world.adapter.find(["1"])
        waits.append(caught.value.after_s)
    assert set(waits) == {0, 1}  # half of the refusals carry no Retry-After
    await world.clock.advance(1)
    await world.adapter.find(["1"])
    await world.adapter.find(["1"])
    with pytest.raises(RateLimited):
        await world.adapter.find(["1"])


async def test_creations_have_a_smaller_bucket(new_world):
    world = new_world(limits=True, rate=1000, burst=1000, create_rate=1, create_burst=1)
    await world.list("1")
    with pytest.raises(RateLimited):
        await world.list("2")
    await world.adapter.find(["1"])


# --- lots ---------------------------------------------------------------------------------------


async def test_a_lot_settles_after_its_time(new_world, make):
    world = new_world(lot_share=1.0, lot_s=30)
    outcomes = await world.adapter.create([make.offer("1"), make.offer("2", images=())])
    assert outcomes["1"] == InLot("LOT-000001")
    assert isinstance(outcomes["2"], Refused)
    assert world.market.listings == {}
    await world.clock.advance(29)
    status = await world.adapter.lot("LOT-000001")
    assert (status.finished, status.outcomes) == (False, {})
    await world.clock.advance(1)
    status = await world.adapter.lot("LOT-000001")
    assert status.finished
    assert status.outcomes["1"].market_id == "DM-000001"
    assert list(world.market.listings) == ["1"]


@pytest.mark.parametrize(
    ("mode", "settled_after"),
    [
        ("settle", {29: 0, 30: 3}),
        ("partly", {30: 2, 89: 2, 90: 3}),
        ("late", {149: 0, 150: 3}),
        ("never", {80_000: 0}),
    ],
)
async def test_lots_settle_as_they_please(new_world, mode, settled_after):
    world = new_world(lot_share=1.0, lot_s=30, lot_modes={mode: 1.0})
    await world.list("1", "2", "3")
    passed = 0
    for seconds, count in settled_after.items():
        await world.clock.advance(seconds - passed)
        passed = seconds
        status = await world.adapter.lot("LOT-000001")
        assert len(status.outcomes) == count
        assert status.finished == (count == 3)


async def test_a_forgotten_lot_is_over_without_a_word(new_world, make):
    world = new_world(lot_share=1.0, lot_modes={"never": 1.0}, lot_kept_s=100)
    await world.list("1")
    await world.clock.advance(101)
    status = await world.adapter.lot("LOT-000001")
    assert (status.finished, status.outcomes) == (True, {})
    assert await world.adapter.block([make.terms("1")]) == {"1": Done()}


async def test_what_waits_in_a_lot_cannot_be_changed_but_deleted(new_world, make):
    world = new_world(lot_share=1.0, lot_s=30)
    await world.list("1")
    for act in (world.adapter.update_price_stock, world.adapter.block):
        assert isinstance((await act([make.terms("1")]))["1"], TryAgain)
    assert await world.adapter.delete([make.terms("1")]) == {"1": Done()}
    await world.clock.advance(60)
    assert world.market.listings == {}
    status = await world.adapter.lot("LOT-000001")
    assert status.finished
    assert isinstance(status.outcomes["1"], Refused)


async def test_a_listing_that_came_into_being_meanwhile_is_a_conflict(new_world, make):
    world = new_world(lot_share=1.0, lot_s=30)
    await world.list("1")
    world.market.settings.lot_share = 0.0
    await world.adapter.create([make.offer("1", title="Created since")])
    await world.clock.advance(30)
    status = await world.adapter.lot("LOT-000001")
    assert isinstance(status.outcomes["1"], TryAgain)
    assert world.market.listings["1"].content["title"] == "Created since"


async def test_items_of_a_lot_fail_one_by_one(new_world):
    world = new_world(lot_share=1.0, lot_s=30, seed=1)
    await world.list(*map(str, range(50)))
    world.market.settings.item_refusal = 0.5
    await world.clock.advance(30)
    outcomes = (await world.adapter.lot("LOT-000001")).outcomes
    assert {type(outcome) for outcome in outcomes.values()} == {Done, Refused}
    assert len(world.market.listings) == sum(isinstance(o, Done) for o in outcomes.values())


# --- unreadable calls ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/listings", b"{", 400),
        ("PUT", "/v1/listings/terms", b'{"items": 1}', 400),
        ("POST", "/v1/listings/search", b"", 400),
        ("GET", "/v1/lots/LOT-9", b"", 404),
        ("GET", "/v1/nothing", b"", 404),
    ],
)
async def test_unreadable_calls(world, method, path, body, status):
    headers = {"authorization": "Bearer demo-key"}
    response = await world.send(Request(method, path, headers=headers, body=body))
    assert response.status == status


@pytest.mark.parametrize(
    "item",
    [
        "text",
        {},
        {"seller_sku": "1", "price": "NaN", "currency": "BRL", "stock": 1},
        {"seller_sku": "1", "price": "Infinity", "currency": "BRL", "stock": 1},
        {"seller_sku": "1", "price": "0.00", "currency": "BRL", "stock": 1},
        {"seller_sku": "1", "price": "1.00", "currency": "USD", "stock": 1},
        {"seller_sku": "1", "price": "1.00", "currency": "BRL", "stock": -1},
        {"seller_sku": "1", "price": "2.00", "list_price": "1.00", "currency": "BRL", "stock": 1},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/v1/listings/terms"), ("POST", "/v1/listings")]
)
async def test_bad_items_are_refused_alone(world, method, path, item):
    await world.list("1", stock=3)
    headers = {"authorization": "Bearer demo-key"}
    request = json_request(method, path, {"items": [item]}, headers=headers)
    [row] = (await world.send(request)).json()["items"]
    assert row["status"] == "refused"
    assert world.market.listings["1"].stock == 3
