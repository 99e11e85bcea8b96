"""The mapping's verbs of the admin API: who may, what is refused, what is on record."""

from __future__ import annotations

import json

import pytest

from connector.domain.http import json_response
from connector.flows.mapper import take_mapping
from connector.flows.mapping_store import load_map
from tests.integration.web.support import served_app
from tests.integration.web.test_admin import ADMIN, OPERATOR, SCOPED, VIEWER, api, site

ATTRIBUTES = [{"id": "plug", "name": "Plug", "values": [{"id": "c", "name": "USB-C"}]}]
TREE = [
    {"id": "100", "name": "Moda", "parent_id": "", "leaf": False},
    {"id": "110", "name": "Tênis", "parent_id": "100", "leaf": True},
]
ROW = {"kind": "category", "vtex_category": "12", "market_category": "110"}


def answer(request):
    if request.url.endswith("/attributes"):
        return json_response({"items": ATTRIBUTES})
    if request.url.endswith("/categories"):
        return json_response({"items": TREE, "next": ""})
    if request.url.endswith("/register"):
        return json_response({"id": "1fc71fea-7e3d-4359-8ac4-83f5e3ae2047"})
    return json_response({"items": []})


@pytest.fixture
async def admin(it):
    it.pool.peer("demo").answer = it.pool.peer("vtex").answer = answer
    async with served_app(site(it)) as client:
        yield client


def at(it, rest=""):
    return f"/connections/{it.one.id}/mapping{rest}"


async def test_a_mapping_goes_in_and_comes_out(it, admin):
    rows = [ROW, {"kind": "attribute", "attribute": "plug", "source": "Conector"}]
    dry = await api(admin, OPERATOR, "POST", at(it), {"rows": rows, "dry_run": True})
    assert dry[1]["changes"][0] == "+ category 12 -> 110 (Moda > Tênis)"
    assert (await load_map(it.hub.store, it.one.id)).version == 0
    status, told = await api(admin, OPERATOR, "POST", at(it), {"rows": rows})
    assert (status, told) == (200, {**dry[1], "applied": True})
    status, told = await api(admin, VIEWER, "GET", at(it))
    assert status == 200
    assert told["rows"][0] == {**ROW, "note": "Moda > Tênis"}
    (audit,) = [
        row for row in (await api(admin, ADMIN, "GET", "/audit"))[1] if row["fields"] == ["rows"]
    ]
    assert (audit["who"], audit["what"], audit["outcome"]) == ("olga", "mapping import", "done")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"rows": []}, "rows"),
        ({"rows": [{"kind": "nonsense"}]}, "line 1: kind is"),
        ({"rows": [ROW, ROW]}, "line 2: says again what line 1 is about"),
        ({"rows": [{**ROW, "market_category": "100"}]}, "line 1: market_category 100 is no leaf"),
        ({"rows": [{**ROW, "extra": "x"}]}, "extra"),
        ({"rows": [{**ROW, "unit": 1}]}, "unit"),
    ],
)
async def test_wrong_rows_are_told(it, admin, body, expected):
    status, told = await api(admin, OPERATOR, "POST", at(it), body)
    assert status == 422
    assert expected in told["error"]["message"]
    assert (await load_map(it.hub.store, it.one.id)).version == 0


async def test_large_imports_are_taken(it, admin):
    rows = [{**ROW, "vtex_category": str(number), "note": "x" * 50} for number in range(5_000)]
    body = {"rows": rows}
    assert len(json.dumps(body)) > 500_000
    status, told = await api(admin, OPERATOR, "POST", at(it), body)
    assert (status, len(told["changes"])) == (200, 5_000)


async def test_reading_proposing_and_accepting(it, admin):
    status, told = await api(admin, VIEWER, "GET", at(it, "/status"))
    assert (status, told["gaps"]) == (200, [])
    status, told = await api(admin, OPERATOR, "POST", at(it, "/suggest"), {"ask": False})
    assert (status, told) == (200, {"rows": [], "without": [], "asked": False})
    status, told = await api(admin, VIEWER, "GET", at(it, "/find?words=tenis"))
    assert (status, told[0]["id"], told[0]["attributes"]) == (200, "110", ["plug Plug: c=USB-C"])
    status, told = await api(admin, OPERATOR, "POST", at(it, "/register"))
    assert (status, told["tree_categories"]) == (200, 2)
    await take_mapping(it.hub, it.one, b'[{"vtexCategoryId": "5", "marketplaceCategoryId": "110"}]')
    status, (proposal,) = await api(admin, VIEWER, "GET", at(it, "/proposals"))
    assert status == 200
    place = at(it, f"/proposals/{proposal['key']}/accept")
    assert (await api(admin, VIEWER, "POST", place))[0] == 403
    status, told = await api(admin, OPERATOR, "POST", place)
    assert (status, told["applied"]) == (200, True)
    assert (await api(admin, OPERATOR, "POST", at(it, "/proposals/x/accept")))[0] == 422


async def test_only_who_may(it, admin):
    for method, rest in (("POST", ""), ("POST", "/register"), ("POST", "/suggest")):
        assert (await api(admin, VIEWER, method, at(it, rest), {}))[0] == 403
    for rest in ("", "/status", "/proposals", "/find?words=x"):
        assert (await api(admin, SCOPED, "GET", at(it, rest)))[0] == 404
        assert (await api(admin, "", "GET", at(it, rest)))[0] == 401
