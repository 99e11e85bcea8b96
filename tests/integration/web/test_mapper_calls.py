"""VTEX Mapper's calls over HTTP: durable before they are answered, whoever sends whatever."""

from __future__ import annotations

import gzip
import json

import pytest

from connector.domain.connection import Purpose
from connector.domain.http import json_response
from connector.domain.tree import Tree
from connector.flows.mapper import list_proposals, raw_proposal
from connector.flows.mapping_store import load_mapper
from connector.flows.trees import load_tree, refresh_tree, site_of
from connector.web.mapper import MAPPING_BODY
from tests.integration.web.support import call

MAPPING = [{"vtexCategoryId": "12", "marketplaceCategoryId": "110"}]
TREE = {
    "items": [
        {"id": "100", "name": "Moda", "parent_id": "", "leaf": False},
        {"id": "110", "name": "Tênis", "parent_id": "100", "leaf": True},
    ],
    "next": "",
}


def path(it, what, connection=None):
    return it.vtex(Purpose.MAPPER, f"mapper/{what}", connection)


@pytest.fixture
async def tree(it):
    it.pool.peer("demo").answer = lambda _: json_response(TREE)
    peers = it.hub.peers.of(it.one, "upkeep")
    await refresh_tree(it.hub, peers)
    loaded = await load_tree(it.hub.store, site_of(peers))
    assert loaded is not None
    return loaded[1]


async def test_a_mapping_is_saved_raw_and_proposed(it, public, tree):
    assert isinstance(tree, Tree)
    body = json.dumps(MAPPING, indent=3).encode()
    for _ in range(2):
        status, told, _ = await call(public, "POST", path(it, "mapping"), body)
        assert (status, told) == (200, {})
    (proposal,) = await list_proposals(it.hub, it.one.id)
    assert await raw_proposal(it.hub, it.one.id, proposal["key"]) == body.decode()
    assert proposal["changes"] == ["+ category 12 -> 110 (Moda > Tênis)"]
    assert await list_proposals(it.hub, it.two.id) == []


async def test_it_is_not_answered_before_it_is_saved(it, public):
    it.store.full = True
    status, _, headers = await call(public, "POST", path(it, "mapping"), MAPPING)
    assert (status, headers["Retry-After"]) == (503, "5")
    status, _, _ = await call(public, "POST", path(it, "processed"), {})
    assert status == 503
    it.store.full = False
    assert await list_proposals(it.hub, it.one.id) == []


@pytest.mark.parametrize("purpose", [each for each in Purpose if each is not Purpose.MAPPER])
async def test_other_secrets_do_not_open_this_door(it, public, purpose):
    for what in ("mapping", "processed", "categories"):
        method = "GET" if what == "categories" else "POST"
        status, _, _ = await call(public, method, it.vtex(purpose, f"mapper/{what}"), MAPPING)
        assert status == 404


async def test_anothers_secret_does_not_open_this_door(it, public):
    wrong = path(it, "mapping").replace(it.one.id, it.two.id)
    assert (await call(public, "POST", wrong, MAPPING))[0] == 404
    assert (await call(public, "POST", path(it, "nothing"), MAPPING))[0] == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"<xml/>", 400),
        (b"\xff\xfe", 400),
        (b"[" * 200_000, 400),
        (b'{"a": NaN}', 400),
        (b'"\\u0000"', 400),
        (b"null", 200),
        (b'[{"vtexCategoryId": {"id": [1]}, "marketplaceCategoryId": true}]', 200),
        (b'"' + b"x" * MAPPING_BODY + b'"', 413),
    ],
)
async def test_hostile_bodies(it, public, tree, body, status):
    assert len(tree) == 2
    assert (await call(public, "POST", path(it, "mapping"), body))[0] == status
    for proposal in await list_proposals(it.hub, it.one.id):
        assert proposal["rows"] == 0


async def test_a_zip_bomb_is_cut_off(it, public):
    bomb = gzip.compress(b'"' + b" " * (64 * 1024 * 1024) + b'"')
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    status, _, _ = await call(public, "POST", path(it, "mapping"), bomb, headers=headers)
    assert status == 413


async def test_the_tree_is_given_to_who_asks(it, public, tree):
    assert len(tree) == 2
    status, told, headers = await call(public, "GET", path(it, "categories"))
    assert status == 200
    assert headers["Content-Type"].startswith("application/json")
    assert told["categories"][0]["children"][0]["name"] == "Tênis"


async def test_without_a_tree_it_is_asked_for_later(it, public):
    status, _, headers = await call(public, "GET", path(it, "categories"))
    assert (status, headers["Retry-After"]) == (503, "60")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"success": true}'])
async def test_what_became_of_a_tree_may_be_anything(it, public, body):
    assert (await call(public, "POST", path(it, "processed"), body))[0] == 200
    known, _ = await load_mapper(it.hub.store, it.one.id)
    assert known.processed == body.decode()


@pytest.mark.parametrize(
    ("method", "what", "status"),
    [
        ("GET", "mapping", 200),
        ("HEAD", "processed", 200),
        ("PUT", "mapping", 405),
        ("POST", "categories", 405),
        ("DELETE", "processed", 405),
    ],
)
async def test_methods(it, public, method, what, status):
    assert (await call(public, method, path(it, what)))[0] == status
