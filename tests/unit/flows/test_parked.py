"""What waits for a person: found, explained, tried again."""

from __future__ import annotations

import json

import pytest

from connector.domain.pending import Context, Hint, Priority
from connector.flows.connections import Refusal
from connector.flows.documents import load_listings
from connector.flows.parked import list_parked, retry_parked, show_parked
from connector.ports import Conflict
from tests.unit.flows.operator_hub import World, a_listing, an_order, save


@pytest.fixture
async def world():
    world = World()
    yield world
    await world.close()


@pytest.fixture
async def connection(world):
    connection = await world.connect()
    await save(world, a_listing(connection, "1001"), an_order(connection, "MP-1"))
    await world.park(connection, Context.LISTINGS, "1001", "E4: category is not mapped", "no image")
    await world.park(connection, Context.ORDERS, "MP-1", "document 52998224725 refused")
    return connection


async def test_lists_everything_parked_with_all_reasons(world, connection):
    other = await world.connect(affiliate_id="XPT")
    await world.park(other, Context.LISTINGS, "7", "x")

    rows = await list_parked(world.hub)

    assert {(row["connection"], row["context"], row["key"]) for row in rows} == {
        (connection.id, "listings", "1001"),
        (connection.id, "orders", "MP-1"),
        (other.id, "listings", "7"),
    }
    assert rows == json.loads(json.dumps(rows))
    listing = next(row for row in rows if row["key"] == "1001")
    assert listing["reasons"] == ["E4: category is not mapped", "no image"]
    assert listing["parked"] is True


async def test_lists_one_connection_and_refuses_an_unknown_one(world, connection):
    other = await world.connect(affiliate_id="XPT")
    assert await list_parked(world.hub, other.id) == []
    with pytest.raises(Refusal, match="no connection nope"):
        await list_parked(world.hub, "nope")


async def test_more_than_a_page_is_listed(world, connection):
    for number in range(205):
        await world.park(connection, Context.LISTINGS, f"9{number:04}", "x")
    assert len(await list_parked(world.hub, connection.id)) == 207


async def test_shows_a_listing_with_every_reason(world, connection):
    shown = await show_parked(world.hub, connection.id, Context.LISTINGS, "1001")

    assert shown["parked"] is True
    assert shown["reasons"] == [
        "E4: category is not mapped",
        "no image",
        "E1: price would change by 100 %",
    ]
    assert shown["listing"]["vtex_price_minor"] == 20_000
    assert shown["listing"]["price_minor"] == 10_000
    json.dumps(shown)


async def test_shows_an_order_masked_with_tasks_and_divergence(world, connection):
    shown = await show_parked(world.hub, connection.id, Context.ORDERS, "MP-1")

    assert shown["order"]["tasks"][0]["what"] == "call Zoë"  # too short to be masked safely
    assert shown["order"]["divergence"] == {
        "text": "price is higher: the buyer paid 10000, VTEX's order is over 9000 minor units: "
        "1000 more on the marketplace",
        "market_total_minor": 10_000,
        "vtex_total_minor": 9_000,
        "difference_minor": 1_000,
        "difference_pct": 11.11,
    }
    text = json.dumps(shown, ensure_ascii=False)
    for personal in ("52998224725", "zoe@example.com", "Ávila", "Rua São João"):
        assert personal not in text
    assert shown["order"]["buyer"] == "Z*** Á***"
    assert "document *** refused" in shown["reasons"]


async def test_shows_what_only_waits_and_what_was_never_pending(world, connection):
    await save(world, a_listing(connection, "1002"))
    assert (await show_parked(world.hub, connection.id, Context.LISTINGS, "1002"))[
        "parked"
    ] is False
    upkeep = await show_parked(world.hub, connection.id, Context.UPKEEP, "channel")
    assert upkeep["parked"] is False
    assert "listing" not in upkeep
    with pytest.raises(Refusal, match="knows nothing of 404"):
        await show_parked(world.hub, connection.id, Context.LISTINGS, "404")


async def test_a_key_is_found_among_keys_that_begin_alike(world, connection):
    for number in range(450):
        await world.park(connection, Context.LISTINGS, f"10{number:05}", "x")
    await world.park(connection, Context.LISTINGS, "10", "short")
    shown = await show_parked(world.hub, connection.id, Context.LISTINGS, "1000449")
    assert shown["key"] == "1000449"
    assert (await show_parked(world.hub, connection.id, Context.LISTINGS, "10"))["parked"]


async def test_retry_makes_a_key_due_and_lets_it_go(world, connection):
    assert await retry_parked(world.hub, connection.id, key="1001") == 1

    (row,) = await world.store.pending(connection.id, Context.LISTINGS, parked=False)
    assert (row.key, row.parked, row.due_at) == ("1001", False, world.clock.now())
    (claim,) = await world.store.claim(
        connection.id,
        Context.LISTINGS,
        limit=5,
        now=world.clock.now(),
        lease_until=world.clock.now(),
    )
    assert claim.hint == Hint(recheck=True)
    assert claim.priority is Priority.CHANGE
    assert claim.parked


async def test_retry_all_of_one_context(world, connection):
    for number in range(250):
        await world.park(connection, Context.LISTINGS, f"9{number:04}", "x")
    count = await retry_parked(world.hub, connection.id, context=Context.LISTINGS)
    assert count == 251
    assert [row["context"] for row in await list_parked(world.hub, connection.id)] == ["orders"]
    assert await retry_parked(world.hub, connection.id) == 1


async def test_retry_refuses_a_key_that_waits_for_nothing(world, connection):
    with pytest.raises(Refusal, match="404 does not wait"):
        await retry_parked(world.hub, connection.id, key="404")


async def test_approving_writes_the_price_and_tries_again(world, connection):
    assert await retry_parked(world.hub, connection.id, key="1001", approve_price=True) == 1

    saved = (await load_listings(world.store, connection.id, ["1001"]))["1001"].value
    assert saved.approved_price_minor == 20_000
    assert await world.store.pending(connection.id, Context.LISTINGS, parked=True) == []


async def test_approving_all_leaves_out_what_has_no_price(world, connection):
    await save(world, a_listing(connection, "1002", commercial=None))
    await world.park(connection, Context.LISTINGS, "1002", "x")
    assert await retry_parked(world.hub, connection.id, approve_price=True) == 1
    with pytest.raises(Refusal, match="no price for 1002"):
        await retry_parked(world.hub, connection.id, key="1002", approve_price=True)
    with pytest.raises(Refusal, match="only listings"):
        await retry_parked(world.hub, connection.id, context=Context.ORDERS, approve_price=True)


async def test_approving_reads_again_when_a_worker_was_faster(world, connection, monkeypatch):
    commit, conflicts = world.store.commit, iter([Conflict("x"), Conflict("x")])

    async def contested(writes):
        for conflict in conflicts:
            raise conflict
        await commit(writes)

    monkeypatch.setattr(world.store, "commit", contested)
    assert await retry_parked(world.hub, connection.id, key="1001", approve_price=True) == 1


async def test_approving_gives_up_politely(world, connection, monkeypatch):
    async def contested(writes):
        raise Conflict("always")

    monkeypatch.setattr(world.store, "commit", contested)
    with pytest.raises(Refusal, match="try again"):
        await retry_parked(world.hub, connection.id, key="1001", approve_price=True)
