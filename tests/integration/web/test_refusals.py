"""Whoever has no business here learns nothing: one answer for every reason."""

from __future__ import annotations

import pytest

from connector.domain.connection import ConnectionState, Purpose
from connector.flows.connections import set_state
from tests.integration.web.support import APP_SECRET, HOOK_SECRET, call, served, without_date

DOORS = {
    Purpose.NOTIFY: ("POST", "/vtex/v1/{id}/{secret}/api/notification/"),
    Purpose.SERVICES: ("POST", "/vtex/v1/{id}/{secret}/pvt/orders/1/invoice"),
    Purpose.WEBHOOK: ("POST", "/marketplace/v1/{id}/{secret}"),
    Purpose.LOGS: ("GET", "/vtex/v1/{id}/{secret}/simstore/logs/"),
    Purpose.MAPPER: ("POST", "/vtex/v1/{id}/{secret}/mapper/mapping"),
}
BODY = {"IdSku": "1", "invoiceNumber": "1", "invoiceValue": 1}


def wrong_keys(it, purpose):
    """Every wrong pair of connection and secret."""
    own = it.secret(purpose)
    yield it.one.id, "wrong"
    yield it.one.id, own[:-1]
    yield it.one.id, own + "x"
    yield it.one.id, own.swapcase()
    yield it.one.id, "x" * 4000
    yield it.one.id, "%00"
    yield it.one.id, it.secret(purpose, it.two)
    for other in Purpose:
        if other is not purpose:
            yield it.one.id, it.secret(other)
    yield it.two.id, own
    yield "nobody", own
    yield "x" * 3000, own
    yield "caf%C3%A9", own
    yield it.one.id.upper(), own
    yield "app", own


@pytest.mark.parametrize("purpose", list(Purpose))
async def test_all_refusals_look_the_same(it, public, purpose):
    method, template = DOORS[purpose]
    seen = set()
    for connection, secret in wrong_keys(it, purpose):
        path = template.format(id=connection, secret=secret)
        status, body, headers = await call(public, method, path, BODY if method == "POST" else None)
        seen.add((status, str(body), str(sorted(without_date(headers).items()))))
    assert len(seen) == 1
    assert next(iter(seen))[0] == 404


@pytest.mark.parametrize("purpose", list(Purpose))
async def test_a_removed_connection_refuses_everything(it, public, purpose):
    method, template = DOORS[purpose]
    path = template.format(id=it.one.id, secret=it.secret(purpose))
    _, unknown, _ = await call(public, method, path.replace(it.one.id, "nobody"), BODY)
    await set_state(it.hub, it.one.id, ConnectionState.DISABLED)
    await set_state(it.hub, it.one.id, ConnectionState.REMOVED)
    status, body, _ = await call(public, method, path, BODY if method == "POST" else None)
    assert (status, body) == (404, unknown)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/vtex",
        "/vtex/v1/x",
        "/vtex/v1/{id}/{secret}",
        "/vtex/v1/{id}/{secret}/pvt/orders",
        "/vtex/v1/{id}/{secret}/pvt/orders/1/refund",
        "/vtex/v1/{id}/{secret}/order-integration/pvt/orders/1/invoice",
        "/vtex/v1/{id}/{secret}/../x",
        "/metrics",
        "/api/v1/connections",
    ],
)
async def test_unknown_paths_are_refused_and_counted(it, public, path):
    secret = it.secret(Purpose.SERVICES)
    path = path.format(id=it.one.id, secret=secret)
    status, body, headers = await call(public, "POST", path, BODY)
    assert (status, body["error"]["message"]) == (404, "not found")
    assert headers["Server"] == "connector"
    assert it.refused("unknown", 404) + it.refused("orders", 404) == 1


async def test_application_doors_refuse_alike_and_stay_shut_without_secret(it, public):
    paths = ["/vtex/v1/app/{}/catalog/notification", "/vtex/v1/app/{}/store-config/notification"]
    paths += ["/marketplace/v1/app/demo/{}", "/marketplace/v1/app/nothing/{}"]
    right = {paths[0]: APP_SECRET, paths[1]: APP_SECRET, paths[2]: HOOK_SECRET}
    seen = set()
    for path in paths:
        for secret in ("wrong", it.secret(Purpose.NOTIFY)):
            status, body, headers = await call(public, "POST", path.format(secret), BODY)
            seen.add((status, str(body), str(sorted(without_date(headers).items()))))
    async with served(it.hub, app_secret="", app_settings={}) as shut:
        for path, secret in right.items():
            for given in (secret, "-", "x" * 64):
                status, body, headers = await call(shut, "POST", path.format(given), BODY)
                seen.add((status, str(body), str(sorted(without_date(headers).items()))))
    assert len(seen) == 1
    assert next(iter(seen))[0] == 404


async def test_no_answer_quotes_a_secret_or_a_body(it, public):
    secret = it.secret(Purpose.NOTIFY)
    path = it.vtex(Purpose.NOTIFY, "api/notification")
    for raw in (b'{"IdSku": "ana@example.com 529.982.247-25"}', b"not json ana@example.com"):
        status, body, headers = await call(public, "POST", path, raw)
        told = f"{body}{headers}"
        assert status == 400
        assert "ana@" not in told
        assert secret not in told
