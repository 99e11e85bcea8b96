"""Both sides of a connection: built once, shared limits, bounded concurrency, nothing told."""

from __future__ import annotations

import asyncio

import pytest

from connector.domain.http import Request, json_response
from connector.domain.pending import Context
from connector.drivers.clock import SystemClock
from connector.drivers.vault import AesVault, generate_key
from connector.flows.connections import change, find
from connector.peerbook import LivePeers
from connector.sdk import Limit, Scope
from connector.sdk.registry import AdapterRegistry


class Spy:
    """A pool that remembers how clients were asked for."""

    def __init__(self):
        self.made = []
        self.most = self.now = 0

    def peer(self, name, **options):
        self.made.append((name, options))
        return self

    async def send(self, request):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        return json_response({})


@pytest.fixture
def spy():
    return Spy()


@pytest.fixture
def peers(it, spy):
    return book(it, spy)


def book(it, spy, **changes):
    options = {
        "vault": it.hub.vault,
        "registry": it.hub.registry,
        "clock": SystemClock(),
        "store": it.hub.store,
        "metrics": it.hub.metrics,
    }
    return LivePeers(pool=spy, **options | changes)


async def test_peers_are_kept_until_the_connection_changes(it, peers):
    first = peers.of(it.one, Context.ORDERS)
    assert peers.of(it.one, Context.ORDERS) is first
    assert peers.of(it.one, Context.LISTINGS) is not first
    changed = await change(it.hub, it.one.id, {"app_token": "new"})
    second = peers.of(changed, Context.ORDERS)
    assert (first.vtex.app_token, second.vtex.app_token) == ("token", "new")
    assert second.adapter.settings.seller_id == "seller-simstore"
    assert "new" not in repr(second)


async def test_contexts_share_limits_and_breakers_but_connections_do_not(it, peers, spy):
    for context in Context:
        peers.of(it.one, context)
    scopes = {(name, options["scope"]) for name, options in spy.made}
    assert scopes == {("vtex", f"{it.one.id}/vtex"), ("demo", f"{it.one.id}/demo")}
    limits = [options["limits"] for name, options in spy.made if name == "demo"]
    assert limits[0] == limits[1] == limits[2]
    peers.of(it.two, Context.ORDERS)
    assert not {name for name, _ in limits[0]} & {name for name, _ in spy.made[-1][1]["limits"]}
    assert spy.made[0][1]["base_url"] == "https://simstore.vtexcommercestable.com.br"
    assert spy.made[1][1]["base_url"] == "https://api.demo.example"


async def test_limits_are_counted_for_whom_the_adapter_says(it, spy, monkeypatch):
    adapter = it.hub.registry.get("demo")
    limits = (
        Limit(Scope.APPLICATION, 1),
        Limit(Scope.ACCOUNT, 2),
        Limit(Scope.CONNECTION, 3),
        Limit(Scope.OPERATION, 4, operation="x"),
    )
    monkeypatch.setattr(adapter, "limits", limits)
    book(it, spy).of(it.one, Context.ORDERS)
    names = [name for name, _ in spy.made[1][1]["limits"]]
    assert names == [
        "demo",
        "demo|account|seller-simstore",
        f"demo|connection|{it.one.id}",
        f"demo|{it.one.id}|x",
    ]
    book(it, spy, limits=False).of(it.one, Context.ORDERS)
    assert [options["limits"] for _, options in spy.made[2:]] == [[], []]


async def test_so_many_calls_at_once_over_both_sides(it, spy):
    peers = book(it, spy, concurrency=3).of(it.one, Context.ORDERS)
    calls = [peers.vtex.http.send(Request("GET", "/")) for _ in range(10)]
    calls += [peers.adapter.http.send(Request("GET", "/")) for _ in range(10)]
    await asyncio.gather(*calls)
    assert spy.most == 3


async def test_peers_that_were_not_used_for_longest_make_room(it, spy):
    peers = book(it, spy, most=2)
    first = peers.of(it.one, Context.ORDERS)
    second = peers.of(it.one, Context.LISTINGS)
    assert peers.of(it.one, Context.ORDERS) is first
    peers.of(it.two, Context.ORDERS)
    assert peers.of(it.one, Context.ORDERS) is first
    assert peers.of(it.one, Context.LISTINGS) is not second


async def test_what_cannot_be_built_is_told_without_secrets(it, spy):
    saved = (await find(it.hub, it.one.id)).value
    with pytest.raises(LookupError, match="broken"):
        book(it, spy, registry=AdapterRegistry({}, {"demo": "oops"})).of(saved, Context.ORDERS)
    with pytest.raises(ValueError, match="key"):
        book(it, spy, vault=AesVault([generate_key("k2")])).of(saved, Context.ORDERS)
    text = '{"base_url": "not a url", "seller_id": "s", "api_key": "s3cr3t-value"}'
    sealed = it.hub.vault.seal(text, bound_to=f"{saved.id}|adapter_settings")
    wrong = saved.model_copy(update={"sealed_adapter_settings": sealed})
    with pytest.raises(ValueError, match="webhook_secret") as caught:
        book(it, spy).of(wrong, Context.ORDERS)
    assert "s3cr3t" not in str(caught.value)
