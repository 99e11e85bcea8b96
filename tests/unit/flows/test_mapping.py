"""Mappings at work: parked with E4, released at once, checked, proposed, and kept true."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.demo.market import catalogue
from adapters.demo.market.catalogue import SimAttribute
from connector.domain.http import Held, json_response
from connector.domain.listing import ListingState
from connector.domain.mapping_file import read, write
from connector.domain.mapping_rows import Row, key_of
from connector.domain.pending import Context, Mark
from connector.flows import mapping, mapping_job, trees
from connector.flows.connections import Refusal
from connector.flows.mapping import WrongRows, change_mapping, export_rows, import_file
from connector.flows.mapping_market import find_categories, read_market
from connector.flows.mapping_status import mapping_status
from connector.flows.mapping_store import load_health, load_map, put_health
from connector.flows.mapping_suggest import suggest
from connector.flows.upkeep_jobs import Job
from connector.ports import Conflict
from tests.unit.flows.stage import DAY, FIRST, answers, staged, times, unreachable, virtual

NONE = {"default_category": ""}


@asynccontextmanager
async def unmapped(skus: int = 3, **options):
    """A stage where nothing is mapped: every SKU is parked."""
    async with staged(skus, load=False, rules=NONE, **options) as stage:
        await stage.load()
        await stage.settle(30)
        yield stage


async def category_of(stage, sku=FIRST):
    return (await stage.listing(sku)).record.content.category_id


def row(kind, **cells):
    return Row(kind, **cells)


async def put(stage, *rows, **options):
    return await change_mapping(stage.up, stage.joined.id, list(enumerate(rows, 1)), **options)


async def job(stage, name):
    await stage.store.commit([Mark(stage.joined.id, Context.UPKEEP, name, stage.clock.now())])
    await stage.settle(10)


async def states(stage):
    rows = await stage.store.scan("listing", stage.joined.id)
    return {document.key: document.state for document in rows}


# --- parked and released --------------------------------------------------------------------------


@virtual
async def test_what_is_not_mapped_is_parked_and_released_by_the_mapping():
    async with unmapped() as stage:
        parked = await stage.parked(Context.LISTINGS)
        assert len(parked) == 3
        assert all("is not mapped" in reasons[0] for reasons in parked.values())
        assert "E4" in await stage.codes(FIRST)
        looks = stage.vtex_tap.count("vtex.simulation")

        own = await category_of(stage)
        changed = await put(stage, row("category", vtex_category=own, market_category="110"))
        assert changed.applied
        assert changed.skus >= 1
        await stage.settle(5)
        listing = await stage.listing(FIRST)
        assert listing.state is ListingState.LISTED
        assert stage.market.listings[FIRST].content["category_id"] == "110"
        await stage.settle(60)
        assert stage.vtex_tap.count("vtex.simulation") == looks + 1, "and looked at once"


@virtual
async def test_only_the_skus_a_change_concerns_are_looked_at_again():
    async with unmapped(6) as stage:
        own = await category_of(stage)
        mine = {s for s in await states(stage) if await category_of(stage, s) == own}
        assert 0 < len(mine) < 6
        before = stage.vtex_tap.count("vtex.simulation")
        changed = await put(stage, row("category", vtex_category=own, market_category="110"))
        assert changed.skus == len(mine)
        marked = {r.key for r in (await stage.rows(Context.LISTINGS)).values() if not r.parked}
        assert marked == mine
        await stage.settle(10)
        assert set(stage.shelf()) == mine
        assert stage.vtex_tap.count("vtex.simulation") - before <= 2


@virtual
async def test_a_change_of_thousands_is_carried_on_by_the_job(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mapping, "MOST_MARKS", 1)
    monkeypatch.setattr(mapping_job, "_PAGE", 2)
    async with unmapped(5) as stage:
        owns = {await category_of(stage, sku) for sku in await states(stage)}
        rows = [row("category", vtex_category=own, market_category="110") for own in sorted(owns)]
        assert (await put(stage, *rows)).skus == 5
        await stage.settle(10)
        assert len(stage.shelf()) == 5


@virtual
async def test_a_required_attribute_is_asked_for_by_name_and_then_filled():
    async with unmapped(1) as stage:
        own = await category_of(stage)
        await put(stage, row("category", vtex_category=own, market_category="320"))
        await stage.settle(5)
        reasons = (await stage.parked(Context.LISTINGS))[FIRST]
        assert reasons == (
            "E4: Plug (plug) of marketplace category 320 is required: nothing is mapped to it",
        )
        assert stage.shelf() == {}
        brand = (await stage.listing(FIRST)).record.content.brand
        rule = row("attribute", market_category="320", attribute="plug", source="vtex:brand")
        await put(stage, rule)
        await stage.settle(5)
        reasons = (await stage.parked(Context.LISTINGS))[FIRST]
        assert f"{brand!r} is none of the values" in reasons[0]
        await put(stage, row("value", attribute="plug", vtex_value=brand, market_value="Lightning"))
        await stage.settle(5)
        assert stage.market.listings[FIRST].content["market_attributes"] == [
            {"id": "plug", "values": ["Lightning"], "value_ids": ["light"], "unit": ""}
        ]
        assert await stage.parked(Context.LISTINGS) == {}


@virtual
async def test_a_listed_sku_keeps_its_stock_true_while_its_mapping_is_gone():
    async with staged(1) as stage:
        stage.vtex.set_stock(int(FIRST), 4)
        own = await category_of(stage)
        await put(stage, row("category", vtex_category=own, market_category="320"))
        await stage.settle(200)
        assert (await stage.parked(Context.LISTINGS))[FIRST][0].startswith("E4: Plug")
        assert stage.shelf()[FIRST][1] == 4
        assert stage.market.listings[FIRST].content["category_id"] == "110"


# --- imports --------------------------------------------------------------------------------------


@virtual
async def test_nothing_is_half_done():
    async with unmapped(1) as stage:
        rows = (
            row("category", vtex_category="1", market_category="110"),
            row("category", vtex_category="2", market_category="100"),
            row("attribute", market_category="320", attribute="nope", source="x"),
            row("value", market_category="320", attribute="plug", vtex_value="a", market_value="b"),
        )
        with pytest.raises(WrongRows) as caught:
            await put(stage, *rows)
        assert str(caught.value).splitlines() == [
            "nothing was changed:",
            "line 2: market_category 100 is no leaf of the marketplace's tree",
            "line 3: category 320 has no attribute nope",
            "line 4: plug does not take the value 'b'",
        ]
        assert not (await load_map(stage.store, stage.joined.id)).mapping
        with pytest.raises(WrongRows, match="there are no rows"):
            await import_file(stage.up, stage.joined.id, b"")
        with pytest.raises(Refusal, match="there is no connection"):
            await import_file(stage.up, "nobody", b"kind,attribute,source\nattribute,a,b\n")


@virtual
async def test_what_would_change_can_be_seen_first():
    async with unmapped(1) as stage:
        own = await category_of(stage)
        one = row("category", vtex_category=own, market_category="110")
        shown = (await put(stage, one, dry_run=True)).shown()
        assert shown == {
            "changes": [f"+ category {own} -> 110 (Fashion > Running shoes)"],
            "skus": 1,
            "applied": False,
            "checked": True,
        }
        assert (await load_map(stage.store, stage.joined.id)).version == 0
        await put(stage, one)
        assert (await put(stage, one)).shown()["applied"] is False, "nothing changes"
        assert (await load_map(stage.store, stage.joined.id)).head.number == 1


@virtual
async def test_rows_are_merged_and_may_replace_everything():
    async with unmapped(1) as stage:
        await put(stage, *(row("category", vtex_category=c, market_category="110") for c in "12"))
        await put(stage, row("category", vtex_category="2", market_category="120"))
        saved = await load_map(stage.store, stage.joined.id)
        assert saved.mapping.categories == {"1": "110", "2": "120"}
        await put(stage, row("category", vtex_category="3", market_category="130"), replace=True)
        saved = await load_map(stage.store, stage.joined.id)
        assert (saved.mapping.categories, saved.head.number) == ({"3": "130"}, 3)
        exported = await export_rows(stage.up, stage.joined.id)
        assert [each.note for each in exported] == ["Fashion > Trousers"]
        lined, problems = read(write(exported, "csv").encode())
        assert problems == []
        assert not (await change_mapping(stage.up, stage.joined.id, lined)).changes
        parts = await stage.store.scan("mapping-part", stage.joined.id)
        assert len(parts) == 2, "only this mapping and the one before are kept"


@virtual
async def test_of_two_who_change_at_once_one_is_told(monkeypatch: pytest.MonkeyPatch):
    async with unmapped(1) as stage:
        inner = mapping.map_writes

        async def late(store, connection, saved, *rest):
            writes = await inner(store, connection, saved, *rest)
            monkeypatch.setattr(mapping, "map_writes", inner)
            await put(stage, row("category", vtex_category="1", market_category="120"))
            return writes

        monkeypatch.setattr(mapping, "map_writes", late)
        with pytest.raises(Conflict):
            await put(stage, row("category", vtex_category="1", market_category="110"))
        saved = await load_map(stage.store, stage.joined.id)
        assert saved.mapping.categories == {"1": "120"}


# --- trees ----------------------------------------------------------------------------------------


@virtual
async def test_a_tree_is_fetched_once_a_day_for_everyone_who_shares_it():
    async with staged(1) as stage:
        await job(stage, Job.CATEGORIES)
        await job(stage, Job.CATEGORIES)
        assert stage.market_tap.count("categories.read") == 1
        assert stage.market_tap.count("attributes.read") == 1, "of the category that is mapped"
        await stage.settle(1.3 * DAY)
        assert stage.market_tap.count("categories.read") == 2
        site = (await stage.store.scan("tree"))[0]
        assert site.connection.startswith("site:demo:")
        head, tree = await trees.load_tree(stage.store, site.connection)
        assert (head.number, len(tree)) == (1, 12)
        assert tree.path("110") == ("Fashion", "Running shoes")


def rows_of_tree(*nodes):
    return [{"id": i, "name": n, "parent_id": p, "leaf": leaf} for i, n, p, leaf in nodes]


@virtual
async def test_a_mapped_category_that_vanished_is_told_and_its_skus_are_parked():
    async with staged(1) as stage:
        news = rows_of_tree(
            ("100", "Fashion", "", False),
            ("120", "T-shirts", "100", True),
            ("130", "Trousers", "100", True),
            *((str(n), f"New {n}", "100", True) for n in range(900, 910)),
        )
        stage.market_tap.before = times(
            None, "categories.read", answers(json_response({"items": news, "next": ""}))
        )
        await stage.settle(1.3 * DAY)
        entries = [e for e in await stage.log(stage.joined.id) if e.code == "E4"]
        assert len(entries) == 1
        assert "category 110, which products are mapped to, is not in" in entries[0].message
        assert (
            "is not in the marketplace's tree" in (await stage.parked(Context.LISTINGS))[FIRST][0]
        )
        status = await mapping_status(stage.up, stage.joined.id)
        assert (status["tree_version"], status["blocked_skus"]) == (2, 1)
        assert status["broken_categories"] == {"110": "is not in the marketplace's tree"}
        await put(
            stage,
            row("category", vtex_category=await category_of(stage), market_category="120"),
        )
        await stage.settle(5)
        assert stage.market.listings[FIRST].content["category_id"] == "120"
        health, _ = await load_health(stage.store, stage.joined.id)
        assert set(health.broken) == {"110"}, "the default category still is"


@pytest.mark.parametrize("nodes", [[], rows_of_tree(("110", "Shoes", "", True))])
@virtual
async def test_a_tree_that_nearly_vanished_is_not_believed_at_once(nodes):
    async with staged(1) as stage:
        broken = answers(json_response({"items": nodes, "next": ""}))
        stage.market_tap.before = times(1, "categories.read", broken)
        await stage.settle(1.4 * DAY)
        assert (await mapping_status(stage.up, stage.joined.id))["tree_categories"] == 12
        assert stage.market_tap.count("categories.read") >= 3


@virtual
async def test_a_tree_that_really_shrank_is_believed_when_it_comes_again():
    async with staged(1) as stage:
        small = rows_of_tree(("110", "Shoes", "", True))
        stage.market_tap.before = times(
            None, "categories.read", answers(json_response({"items": small, "next": ""}))
        )
        await stage.settle(1.4 * DAY)
        assert (await mapping_status(stage.up, stage.joined.id))["tree_categories"] == 1


@virtual
async def test_attributes_that_become_required_are_noticed(monkeypatch: pytest.MonkeyPatch):
    async with staged(1) as stage:
        assert await stage.parked(Context.LISTINGS) == {}
        sole = SimAttribute("sole", "Sole", required=True)
        monkeypatch.setitem(catalogue.ATTRIBUTES, "110", (sole,))
        await stage.settle(1.3 * DAY)
        assert "Sole (sole)" in (await stage.parked(Context.LISTINGS))[FIRST][0]
        await put(stage, row("attribute", attribute="sole", market_value="rubber"))
        await stage.settle(5)
        assert await stage.parked(Context.LISTINGS) == {}


@virtual
async def test_a_marketplace_that_is_away_breaks_no_mapping():
    async with staged(1) as stage:
        stage.market_tap.before = times(None, "attributes.read", unreachable)
        own = await category_of(stage)
        await put(stage, row("category", vtex_category=own, market_category="120"))
        await stage.settle(60)
        assert stage.market.listings[FIRST].content["category_id"] == "120"
        assert Job.CATEGORIES in await stage.rows(Context.UPKEEP)


@virtual
async def test_without_a_tree_nothing_is_imported():
    async with unmapped(1) as stage:
        stage.market_tap.before = times(None, "categories.read", unreachable)
        connection = await stage.fresh()
        with pytest.raises(Refusal, match="cannot be read now"):
            await read_market(stage.up, connection, refresh=True)


@virtual
async def test_large_trees_are_saved_in_portions_and_found_whole(
    monkeypatch: pytest.MonkeyPatch,
):
    nodes = [
        ("0", "Tudo", "", False),
        *((str(n), f"Ação {n}", "0", True) for n in range(1, 30_000)),
    ]
    async with staged(1, load=False) as stage:
        everything = answers(json_response({"items": rows_of_tree(*nodes), "next": ""}))
        stage.market_tap.before = times(None, "categories.read", everything)
        market = await read_market(stage.up, await stage.fresh(), refresh=True)
        assert len(market.tree) == 30_000
        assert market.tree.path("29999") == ("Tudo", "Ação 29999")
        parts = await stage.store.scan("tree-part")
        assert 1 < len(parts) < 10
        assert max(len(part.body) for part in parts) < 1_000_000
        found = await find_categories(stage.up, stage.joined.id, "acao 4711")
        assert (found[0]["id"], found[0]["leaf"]) == ("4711", True)


# --- proposals ------------------------------------------------------------------------------------


@virtual
async def test_proposals_can_be_imported_as_they_are():
    async with staged(12, load=False, rules=NONE) as stage:
        known = stage.vtex.catalog.categories
        for own, name in zip(list(known), itertools.cycle(("T-Shirt", "Headphone", "Kitchen"))):
            known[own] = replace(known[own], name=name)
        await stage.load()
        await stage.settle(30)
        found = await suggest(stage.up, stage.joined.id)
        assert found.rows
        assert found.asked
        assert all(0 < float(each.score) <= 1 and each.reason for each in found.rows)
        lined, problems = read(write(found.rows, "csv").encode())
        assert problems == []
        changed = await change_mapping(stage.up, stage.joined.id, lined)
        assert len(changed.changes) == len({key_of(each) for each in found.rows})
        assert stage.vtex_tap.calls


@virtual
async def test_what_the_marketplace_knows_counts_more_than_names():
    async with staged(1, load=False, rules=NONE) as stage:
        stage.vtex.catalog.skus[int(FIRST)].eans = ["7891234567895"]
        stage.market.settings.known_products = {"7891234567895": "410"}
        await stage.load()
        await stage.settle(30)
        found = await suggest(stage.up, stage.joined.id)
        assert [each.market_category for each in found.rows] == ["410"]
        assert found.rows[0].reason.startswith("EAN 1 of 1")
        quiet = await suggest(stage.up, stage.joined.id, ask=False)
        assert all("EAN" not in each.reason for each in quiet.rows)


@virtual
async def test_the_marketplace_need_not_answer():
    async with unmapped(3) as stage:
        stage.market_tap.before = times(None, "categories.predict", unreachable)
        found = await suggest(stage.up, stage.joined.id)
        assert not found.asked
        assert stage.market_tap.count("categories.predict") == 1


@virtual
async def test_everything_is_proposed_for_only_on_demand():
    async with staged(3) as stage:
        calm = await suggest(stage.up, stage.joined.id)
        assert {each.kind for each in calm.rows} <= {"attribute", "value"}
        found = await suggest(stage.up, stage.joined.id, everything=True)
        assert "category" in {each.kind for each in found.rows} or found.without


@virtual
async def test_attributes_and_values_are_proposed_for_mapped_categories():
    async with staged(1) as stage:
        listing = await stage.listing(FIRST)
        names = [each.name for each in listing.record.content.attributes]
        sizes = SimAttribute(
            "tam", names[0], required=True, values=(("x", "Something"), ("y", "Else"))
        )
        before = catalogue.ATTRIBUTES["110"]
        catalogue.ATTRIBUTES["110"] = (sizes,)
        try:
            await stage.settle(1.3 * DAY)
            found = await suggest(stage.up, stage.joined.id)
        finally:
            catalogue.ATTRIBUTES["110"] = before
        assert [(e.kind, e.attribute, e.source) for e in found.rows] == [
            ("attribute", "tam", names[0])
        ]


# --- status ---------------------------------------------------------------------------------------


@virtual
async def test_the_status_names_gaps_that_block_most_first():
    async with unmapped(8) as stage:
        status = await mapping_status(stage.up, stage.joined.id)
        counts = [gap["blocked_skus"] for gap in status["gaps"]]
        assert counts == sorted(counts, reverse=True)
        assert sum(counts) == status["blocked_skus"] == 8
        assert status["gaps"][0]["lack"] == "category"
        assert status["gaps"][0]["samples"]
        owns = sorted({await category_of(stage, sku) for sku in await states(stage)})
        await put(
            stage,
            *(row("category", vtex_category=own, market_category="120") for own in owns),
            row("attribute", attribute="colour", source="vtex:brand"),
        )
        await stage.settle(10)
        status = await mapping_status(stage.up, stage.joined.id)
        assert status["blocked_skus"] == 0
        assert {gap["lack"] for gap in status["gaps"]} == {"value"}
        assert sum(gap["incomplete_skus"] for gap in status["gaps"]) == 8
        assert timedelta(0) < stage.clock.now() - (await stage.fresh()).created_at


# --- long lists of values -------------------------------------------------------------------------


@virtual
async def test_a_long_list_of_values_is_kept_once_and_forgotten_when_nothing_uses_it(
    monkeypatch: pytest.MonkeyPatch,
):
    brands = tuple((str(n), f"Brand {n}") for n in range(2_000))
    brand = SimAttribute("brand", "Brand", kind="list", values=brands)
    async with staged(1) as stage:
        brand_of = (await stage.listing(FIRST)).record.content.brand
        for category in ("110", "120", "130"):
            monkeypatch.setitem(catalogue.ATTRIBUTES, category, (brand,))
        own = await category_of(stage)
        await put(
            stage,
            row("category", vtex_category="x", market_category="120"),
            row("category", vtex_category=own, market_category="130"),
            row("attribute", attribute="brand", source="vtex:brand"),
            row("value", attribute="brand", vtex_value=brand_of, market_value="1999"),
        )
        await stage.settle(60)
        lists = await stage.store.scan("value-list")
        assert len(lists) == 1
        assert len(await stage.store.scan("attributes")) == 3
        assert stage.market.listings[FIRST].content["market_attributes"][0]["value_ids"] == ["1999"]
        for category in ("110", "120", "130"):
            monkeypatch.setitem(catalogue.ATTRIBUTES, category, ())
        await stage.settle(6 * DAY)
        assert await stage.store.scan("value-list") == []


@virtual
async def test_a_marketplace_that_tells_one_category_a_minute_is_heard_out():
    """Some allow so few calls: what each one brings is used at once, the others come later."""
    async with staged(1, load=False, rules=NONE) as stage:
        last: dict[str, float] = {}

        async def one_a_minute(request):
            now = stage.clock.now().timestamp()
            if request.operation == "attributes.read":
                if now - last.get("at", 0) < 60:
                    raise Held("too soon", stage.clock.now() + timedelta(seconds=60))
                last["at"] = now

        stage.market_tap.before = one_a_minute
        codes = ("110", "120", "130", "210")
        rows = [row("category", vtex_category=code, market_category=code) for code in codes]
        await put(stage, *rows)
        health, _ = await load_health(stage.store, stage.joined.id)
        assert not health.attributes
        await stage.settle(5)
        health, _ = await load_health(stage.store, stage.joined.id)
        assert set(health.attributes) == {"110"}, "what it told so far"
        await stage.settle(600)
        health, _ = await load_health(stage.store, stage.joined.id)
        assert set(health.attributes) == set(codes)


@virtual
async def test_the_daily_job_does_not_stand_in_an_operators_way(monkeypatch: pytest.MonkeyPatch):
    async with unmapped(1) as stage:
        inner, calls = mapping.load_health, 0

        async def overtaken(*args):
            """The second reading is the one right before the commit."""
            nonlocal calls
            calls += 1
            health, version = await inner(*args)
            if calls == 2:
                news = health.model_copy(update={"attributes": {"130": "new"}})
                await stage.store.commit([put_health(stage.joined.id, news, version)])
            return health, version

        monkeypatch.setattr(mapping, "load_health", overtaken)
        await put(stage, row("category", vtex_category="1", market_category="110"))
        assert calls == 3
        health, _ = await inner(stage.store, stage.joined.id)
        assert health.attributes["130"] == "new"
        assert (await load_map(stage.store, stage.joined.id)).mapping.categories == {"1": "110"}
