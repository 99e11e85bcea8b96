"""VTEX Mapper at work: registered, kept up to date, and its mappings proposed, never applied."""

from __future__ import annotations

import json

import pytest

from connector.domain.connection import Purpose
from connector.domain.mapping_rows import Row
from connector.flows import mapper
from connector.flows.connections import Refusal, rotate
from connector.flows.mapper import (
    accept_proposal,
    list_proposals,
    raw_proposal,
    register_mapper,
    send_to_mapper,
    take_mapping,
    take_processed,
)
from connector.flows.mapping import WrongRows, change_mapping
from connector.flows.mapping_status import mapping_status
from connector.flows.mapping_store import load_map, load_mapper
from connector.flows.secrets import OVERLAP
from connector.vtex.bodies import BadBody
from tests.unit.flows.stage import DAY, FIRST, staged, times, unreachable, virtual
from tests.unit.flows.test_mapping import NONE, category_of, unmapped


async def mapped(stage, **cells):
    own = {"vtexCategoryId": "12", "marketplaceCategoryId": "110", **cells}
    await take_mapping(stage.up, stage.joined, json.dumps([own]).encode())
    return (await list_proposals(stage.up, stage.joined.id))[0]


@virtual
async def test_registering_sends_the_tree_and_names_where_to_map():
    async with unmapped(1) as stage:
        told = await register_mapper(stage.up, stage.joined.id)
        known, _ = await load_mapper(stage.store, stage.joined.id)
        assert told == {"id": known.id, "tree_categories": 12}
        await stage.settle(5)
        known, _ = await load_mapper(stage.store, stage.joined.id)
        assert '"success": true' in known.processed.replace('":true', '": true')
        sim = stage.vtex.mappers[known.id]
        assert sim.name == "Demo Market"
        assert [each["name"] for each in sim.trees[0]["categories"]][:2] == ["Fashion", "Home"]
        assert f"/{stage.joined.id}/" in sim.mapping_url
        request = stage.vtex_tap.of("vtex.mapper-register")[0]
        assert request.url.startswith("https://portal.vtexcommercestable.com.br/api/")
        assert request.query["an"] == stage.joined.account
        link = f"/admin/mkp-category-mapper/{known.id}"
        assert (await mapping_status(stage.up, stage.joined.id))["mapper"].endswith(link)
        await stage.settle(1.3 * DAY)
        assert link in (await stage.listing(FIRST)).reasons[0].text


@virtual
async def test_a_tree_is_sent_again_only_when_it_changed():
    async with staged(1) as stage:
        await register_mapper(stage.up, stage.joined.id)
        assert not await send_to_mapper(stage.up, await stage.fresh())
        await stage.settle(1.3 * DAY)
        assert stage.vtex_tap.count("vtex.mapper-tree") == 1
        rows = [(1, Row("category", vtex_category="9", market_category="120"))]
        await change_mapping(stage.up, stage.joined.id, rows)
        await stage.settle(60)
        assert stage.vtex_tap.count("vtex.mapper-tree") == 2, "attributes of 120 became known"


@virtual
async def test_without_registration_nothing_is_sent():
    async with staged(1) as stage:
        assert not await send_to_mapper(stage.up, stage.joined)


@virtual
async def test_a_mapper_that_is_away_is_told_as_e5():
    async with staged(1) as stage:
        stage.vtex_tap.before = times(1, "vtex.mapper-register", unreachable)
        with pytest.raises(Refusal, match="VTEX Mapper: the peer could not be reached"):
            await register_mapper(stage.up, stage.joined.id)
        assert "E5" in await stage.codes(stage.joined.id)
        stage.vtex_tap.before = times(1, "vtex.mapper-tree", unreachable)
        with pytest.raises(Refusal, match="registered as"):
            await register_mapper(stage.up, stage.joined.id)
        assert await send_to_mapper(stage.up, await stage.fresh())


@virtual
async def test_connections_from_before_get_their_secret():
    async with staged(1) as stage:
        saved = await stage.fresh()
        bare = tuple(each for each in saved.secrets if each.purpose is not Purpose.MAPPER)
        from connector.flows.connections import find

        before = await find(stage.up, saved.id)
        await stage.up.book.save(before, saved.model_copy(update={"secrets": bare}))
        await rotate(stage.up, saved.id, tuple(Purpose), overlap=OVERLAP)
        await register_mapper(stage.up, saved.id)
        assert (await stage.fresh()).current(Purpose.MAPPER).generation == 1


# --- mappings -------------------------------------------------------------------------------------


@virtual
async def test_a_mapping_is_kept_as_it_came_and_not_applied():
    async with unmapped(1) as stage:
        own = await category_of(stage)
        body = f'[ {{"vtexCategoryId":"{own}","marketplaceCategoryId":"110"}} ]'
        await take_mapping(stage.up, stage.joined, body.encode())
        await take_mapping(stage.up, stage.joined, body.encode())
        (proposal,) = await list_proposals(stage.up, stage.joined.id)
        assert proposal["state"] == "new"
        assert proposal["changes"] == [f"+ category {own} -> 110 (Fashion > Running shoes)"]
        assert await raw_proposal(stage.up, stage.joined.id, proposal["key"]) == body
        await stage.settle(60)
        assert stage.shelf() == {}

        shown = await accept_proposal(stage.up, stage.joined.id, proposal["key"], dry_run=True)
        assert (shown.skus, shown.applied) == (1, False)
        await accept_proposal(stage.up, stage.joined.id, proposal["key"])
        await stage.settle(5)
        assert set(stage.shelf()) == {FIRST}
        (proposal,) = await list_proposals(stage.up, stage.joined.id)
        assert (proposal["state"], proposal["changes"]) == ("accepted", [])


@virtual
async def test_what_the_marketplace_does_not_have_is_told_and_can_be_left_out():
    async with unmapped(1) as stage:
        body = [
            {"vtexCategoryId": "12", "marketplaceCategoryId": "nope"},
            {
                "vtexCategoryId": "13",
                "marketplaceCategoryId": "320",
                "attributes": [
                    {
                        "vtexAttributeName": "Conector",
                        "attributeName": "Plug",
                        "values": [{"vtexValue": "C", "marketplaceValue": "USB-C"}],
                    }
                ],
            },
        ]
        await take_mapping(stage.up, stage.joined, json.dumps(body).encode())
        (proposal,) = await list_proposals(stage.up, stage.joined.id)
        assert proposal["problems"] == [
            "row 1: market_category nope is not in the marketplace's tree"
        ]
        with pytest.raises(WrongRows):
            await accept_proposal(stage.up, stage.joined.id, proposal["key"])
        await accept_proposal(stage.up, stage.joined.id, proposal["key"], sound_only=True)
        saved = (await load_map(stage.store, stage.joined.id)).mapping
        assert saved.categories == {"13": "320"}
        assert saved.fills["320", "plug"].source == "Conector"
        assert saved.values == {("320", "plug", "C"): "USB-C"}


@virtual
async def test_only_the_newest_mappings_are_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mapper, "MOST_KEPT", 3)
    async with staged(1, rules=NONE, load=False) as stage:
        for number in range(8):
            await take_mapping(stage.up, stage.joined, f"[{number}]".encode())
            await stage.settle(1)
        kept = await list_proposals(stage.up, stage.joined.id)
        raw = [await raw_proposal(stage.up, stage.joined.id, each["key"]) for each in kept]
        assert raw == ["[7]", "[6]", "[5]"]
        await take_mapping(stage.up, stage.joined, b"[5]")
        newest = (await list_proposals(stage.up, stage.joined.id))[0]
        assert await raw_proposal(stage.up, stage.joined.id, newest["key"]) == "[5]"
        assert len(await stage.store.scan("mapper-mapping-body", stage.joined.id)) == 3


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000, b'"\\ud800"'])
@virtual
async def test_what_is_no_json_is_refused(body):
    async with staged(1, load=False) as stage:
        with pytest.raises(BadBody):
            await take_mapping(stage.up, stage.joined, body)
        assert await list_proposals(stage.up, stage.joined.id) == []


@virtual
async def test_nothing_is_accepted_that_is_not_there():
    async with staged(1, load=False) as stage:
        with pytest.raises(Refusal, match="there is no proposal"):
            await accept_proposal(stage.up, stage.joined.id, "x")
        with pytest.raises(Refusal, match="there is no proposal"):
            await raw_proposal(stage.up, stage.joined.id, "x")
        proposal = await mapped(stage, marketplaceCategoryId="")
        with pytest.raises(Refusal, match="nothing that could be applied"):
            await accept_proposal(stage.up, stage.joined.id, proposal["key"])


@virtual
async def test_what_became_of_a_tree_is_noted_whatever_it_is():
    async with staged(1, load=False) as stage:
        await take_processed(stage.up, stage.joined, b"\xff" * 9_000)
        known, _ = await load_mapper(stage.store, stage.joined.id)
        assert len(known.processed) == 2_000
        assert known.processed_at is not None
