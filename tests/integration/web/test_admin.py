"""The admin server: who may do what, what is written down, and what probes are told."""

from __future__ import annotations

import hashlib
import json

import pytest

from connector.domain.connection import ConnectionState
from connector.domain.pending import Context, Mark, Parked
from connector.flows.app_install import take_store_config, waiting_installs
from connector.flows.connections import set_state
from connector.ports import Settle
from connector.sdk.registry import AdapterRegistry
from connector.settings import AdminToken, Role
from connector.vtex.inbound import parse_store_config
from connector.web.admin import AdminSite, Readiness
from tests.integration.web.support import call, served_app, spec

VIEWER, OPERATOR, ADMIN, SCOPED = (f"{name}-token-0123456789" for name in "vods")


def tokens(it):
    return [
        AdminToken(name="eve", token=VIEWER),
        AdminToken(name="olga", token=OPERATOR, role=Role.OPERATOR),
        AdminToken(
            name="ada",
            token_sha256=hashlib.sha256(ADMIN.encode()).hexdigest().upper(),
            role=Role.ADMIN,
        ),
        AdminToken(name="sam", token=SCOPED, role=Role.ADMIN, connections=(it.two.id,)),
    ]


def site(it, **changes):
    async def render():
        return b"# metrics\n", "text/plain"

    readiness = Readiness(it.hub, serving=True)
    options = {"readiness": readiness, "render": render, "tokens": tokens(it)} | changes
    return AdminSite(it.hub, **options).app()


@pytest.fixture
async def admin(it):
    async with served_app(site(it)) as client:
        yield client


async def api(client, token, method, path, body=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    status, told, _ = await call(client, method, f"/api/v1{path}", body, headers=headers)
    return status, told


READS = [
    "",
    "/listings",
    "/listings?state=published&limit=10&after=1",
    "/orders",
    "/parked",
    "/logs",
    "/logs?status=error,sucess&since=2026-01-01T00:00:00Z&subject=1&limit=5",
]
WRITES = [
    ("POST", "/sync", {}, Role.OPERATOR),
    ("POST", "/check", {"fix": False}, Role.OPERATOR),
    ("POST", "/pause", None, Role.OPERATOR),
    ("POST", "/resume", None, Role.OPERATOR),
    ("POST", "/parked/retry", {}, Role.OPERATOR),
    ("POST", "/rotate", {"purposes": ["notify"], "overlap_days": 0}, Role.ADMIN),
    ("PATCH", "", {"rules.stock_buffer": 2}, Role.ADMIN),
    ("GET", "/urls", None, Role.ADMIN),
    ("POST", "/disable", None, Role.ADMIN),
    ("POST", "/enable", None, Role.ADMIN),
]


@pytest.mark.parametrize("given", ["", "wrong-token-0123456789", VIEWER[:-1], f"{VIEWER} x"])
async def test_without_a_valid_token_nothing_is_told(it, admin, given):
    for path in ("/connections", f"/connections/{it.one.id}", "/adapters", "/audit"):
        status, told = await api(admin, given, "GET", path)
        assert status == 401
        assert "token" in told["error"]["message"]


async def test_the_scheme_must_be_bearer_and_no_token_means_no_api(it, admin):
    for header in (f"Basic {ADMIN}", ADMIN, "Bearer", "Bearer é"):
        headers = {"Authorization": header}
        status, *_ = await call(admin, "GET", "/api/v1/connections", headers=headers)
        assert status == 401
    async with served_app(site(it, tokens=())) as client:
        for token in ("", ADMIN):
            status, told = await api(client, token, "GET", "/connections")
            assert (status, "is off" in told["error"]["message"]) == (401, True)


@pytest.mark.parametrize("rest", READS)
async def test_everybody_with_a_token_may_read(it, admin, rest):
    for token in (VIEWER, OPERATOR, ADMIN):
        status, told = await api(admin, token, "GET", f"/connections/{it.one.id}{rest}")
        assert (status, type(told)) in {(200, dict), (200, list)}


async def test_each_verb_needs_its_role_and_is_written_down(it, admin):
    it.answer("vtex", {}, 503)
    it.answer("demo", {}, 503)
    for method, rest, body, role in WRITES:
        path = f"/connections/{it.one.id}{rest}"
        status, told = await api(admin, VIEWER, method, path, body)
        assert (status, role in told["error"]["message"]) == (403, True)
        status, _ = await api(admin, OPERATOR, method, path, body)
        assert status == (200 if role is Role.OPERATOR else 403), rest
        status, told = await api(admin, ADMIN, method, path, body)
        assert status == 200, (rest, told)
    _, rows = await api(admin, ADMIN, "GET", f"/audit?connection={it.one.id}")
    done = [row for row in rows if row["outcome"] == "done"]
    assert {row["who"] for row in done} == {"olga", "ada"}
    changed = next(row for row in done if row["what"] == "connection set")
    assert changed["fields"] == ["rules.stock_buffer"]


async def test_a_token_reaches_its_own_connections_only(it, admin):
    status, rows = await api(admin, SCOPED, "GET", "/connections")
    assert (status, [row["id"] for row in rows]) == (200, [it.two.id])
    status, foreign = await api(admin, SCOPED, "GET", f"/connections/{it.one.id}")
    _, missing = await api(admin, SCOPED, "GET", "/connections/nobody")
    assert status == 404
    assert json.dumps(foreign).replace(it.one.id, "nobody") == json.dumps(missing)
    for method, rest, body, _ in WRITES:
        status, _ = await api(admin, SCOPED, method, f"/connections/{it.one.id}{rest}", body)
        assert status == 404
    for method, path in (("POST", "/connections"), ("GET", "/audit"), ("GET", "/installs")):
        status, _ = await api(admin, SCOPED, method, path, {} if method == "POST" else None)
        assert status == 403


async def test_a_connection_is_added_with_its_urls_and_approves_its_install(it, admin):
    config = {"accountName": "newstore", "affiliateId": "NWS", "active": True}
    await take_store_config(it.hub, None, parse_store_config(json.dumps(config).encode()))
    _, rows = await api(admin, OPERATOR, "GET", "/installs")
    assert [row["account"] for row in rows] == ["newstore"]
    body = spec("newstore", "NWS").model_dump(mode="json")
    status, urls = await api(admin, ADMIN, "POST", "/connections", body)
    assert status == 201
    assert urls["notification_url"].startswith(f"https://hub.example/vtex/v1/{urls['id']}/")
    assert await waiting_installs(it.hub) == []
    status, told = await api(admin, ADMIN, "POST", "/connections", body)
    assert (status, "already" in told["error"]["message"]) == (409, True)
    _, shown = await api(admin, VIEWER, "GET", f"/connections/{urls['id']}")
    for secret in ("app_token", "demo-key", "sealed", urls["notification_url"].split("/")[6]):
        assert secret not in json.dumps(shown)
    _, audit = await api(admin, ADMIN, "GET", "/audit")
    assert [row["connection"] for row in audit if row["outcome"] == "done"] == [urls["id"]]
    assert "demo-key" not in json.dumps(audit)


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"not json", 400, "JSON"),
        (b"[]", 422, "object"),
        ({}, 422, "account"),
        ({"account": "UPPER", "surprise": 1}, 422, "surprise"),
        (spec().model_dump(mode="json") | {"sales_channel": "2"}, 422, "sales_channel"),
        (spec().model_dump(mode="json") | {"adapter": "nope"}, 422, "nope"),
        (spec().model_dump(mode="json") | {"adapter_settings": {"api_key": "s3cr3t"}}, 422, "base"),
    ],
)
async def test_a_bad_specification_is_explained_without_its_values(it, admin, body, status, word):
    got, told = await api(admin, ADMIN, "POST", "/connections", body)
    assert got == status
    assert word in told["error"]["message"]
    assert "s3cr3t" not in json.dumps(told)


@pytest.mark.parametrize(
    "case",
    [
        ("PATCH", "", {}, 422),
        ("PATCH", "", {"nothing": 1}, 422),
        ("PATCH", "", {"rules.stock_buffer": -1}, 422),
        ("POST", "/check", {"fix": "yes"}, 422),
        ("POST", "/rotate", {"purposes": []}, 422),
        ("POST", "/rotate", {"purposes": ["all"]}, 422),
        ("POST", "/pause", {"now": True}, 422),
        ("POST", "/parked/retry", {"context": "nowhere"}, 422),
        ("POST", "/parked/retry", {"context": "listings", "key": "404"}, 409),
        ("POST", "/enable", None, 200),
        ("POST", "/remove", None, 409),
        ("GET", "/parked/listings/404", None, 404),
        ("GET", "/parked/nowhere/1", None, 404),
        ("GET", "/listings?limit=0", None, 422),
        ("GET", "/listings?limit=100000", None, 422),
        ("GET", "/listings?surprise=1", None, 422),
        ("GET", "/logs?since=yesterday", None, 422),
        ("GET", "/nothing", None, 404),
        ("DELETE", "", None, 405),
    ],
)
async def test_what_cannot_be_done_is_refused_clearly(it, admin, case):
    method, rest, body, expected = case
    status, told = await api(admin, ADMIN, method, f"/connections/{it.one.id}{rest}", body)
    assert status == expected
    if status != 200:
        assert told["error"]["message"]


async def test_states_change_only_from_where_they_may(it, admin):
    async def verb(name):
        return (await api(admin, ADMIN, "POST", f"/connections/{it.one.id}/{name}"))[0]

    assert [await verb(v) for v in ("pause", "enable", "pause", "resume")] == [200, 409, 200, 200]
    assert [await verb(v) for v in ("disable", "resume", "pause", "remove")] == [200, 409, 409, 200]
    assert await verb("enable") == 404


async def test_parked_keys_are_shown_and_tried_again(it, admin):
    hub = it.hub
    await hub.store.commit([Mark(it.one.id, Context.LISTINGS, "15", hub.now())])
    lease = hub.now() + hub.clock.wall(60)
    claims = await hub.store.claim(
        it.one.id, Context.LISTINGS, limit=1, now=hub.now(), lease_until=lease
    )
    parked = Parked(hub.now() + hub.clock.wall(86_400), ("no category",))
    await hub.store.commit([Settle(claims[0], parked)])
    for path in ("/parked", f"/connections/{it.one.id}/parked"):
        _, rows = await api(admin, VIEWER, "GET", path)
        assert [(row["key"], row["reasons"]) for row in rows] == [("15", ["no category"])]
    _, rows = await api(admin, SCOPED, "GET", "/parked")
    assert rows == []
    status, shown = await api(admin, VIEWER, "GET", f"/connections/{it.one.id}/parked/listings/15")
    assert (status, shown["reasons"]) == (200, ["no category"])
    body = {"context": "listings", "key": "15"}
    path = f"/connections/{it.one.id}/parked/retry"
    assert await api(admin, OPERATOR, "POST", path, body) == (200, {"retried": 1})


async def test_nothing_is_done_that_cannot_be_written_down(it, admin):
    it.store.full = True
    status, _ = await api(admin, ADMIN, "POST", f"/connections/{it.one.id}/pause")
    assert status == 503
    it.store.full = False
    saved = await it.hub.book.get(it.one.id)
    assert saved.state is ConnectionState.ACTIVE


async def test_urls_come_with_working_secrets(it, admin, public):
    _, urls = await api(admin, ADMIN, "GET", f"/connections/{it.one.id}/urls")
    path = urls["notification_url"].removeprefix("https://hub.example")
    status, *_ = await call(public, "POST", path, {"IdSku": "1"})
    assert status == 200
    body = {"purposes": ["notify"], "overlap_days": 0}
    _, fresh = await api(admin, ADMIN, "POST", f"/connections/{it.one.id}/rotate", body)
    assert fresh["logs_url"] == urls["logs_url"]
    status, *_ = await call(public, "POST", path, {"IdSku": "1"})
    assert status == 404


async def test_an_adapter_that_went_missing_is_told(it, admin):
    it.hub.registry = AdapterRegistry({}, {"demo": "SyntaxError: oops"})
    status, told = await api(admin, VIEWER, "GET", "/adapters")
    assert (status, told["broken"]) == (200, {"demo": "SyntaxError: oops"})
    status, told = await api(admin, ADMIN, "POST", f"/connections/{it.one.id}/pause")
    assert (status, "broken" in told["error"]["message"]) == (409, True)


# --- probes ---------------------------------------------------------------------------------------


async def test_probes_need_no_token(it, admin):
    status, told, _ = await call(admin, "GET", "/live")
    assert (status, told) == (200, {"live": True})
    status, told, _ = await call(admin, "GET", "/ready")
    assert (status, told["store"]) == (200, "ok")
    assert "demo" in told["adapters"]
    status, told, headers = await call(admin, "GET", "/metrics")
    assert (status, told, headers["Content-Type"]) == (200, b"# metrics\n", "text/plain")


async def test_not_ready_without_store_or_while_stopping(it, admin):
    it.store.gone = True
    status, told, _ = await call(admin, "GET", "/ready")
    assert (status, told["ready"], told["store"]) == (503, False, "not available")
    it.store.gone = False
    it.hub.registry = AdapterRegistry(it.hub.registry.found, {"other": "ImportError: x"})
    status, told, _ = await call(admin, "GET", "/ready")
    assert (status, told["broken_adapters"]) == (200, {"other": "ImportError: x"})
    async with served_app(site(it, readiness=Readiness(it.hub))) as client:
        status, *_ = await call(client, "GET", "/ready")
        assert status == 503
        status, *_ = await call(client, "GET", "/live")
        assert status == 200


async def test_a_removed_connection_is_gone_for_the_api(it, admin):
    await set_state(it.hub, it.one.id, ConnectionState.DISABLED)
    await set_state(it.hub, it.one.id, ConnectionState.REMOVED)
    status, _ = await api(admin, ADMIN, "GET", f"/connections/{it.one.id}")
    assert status == 404
