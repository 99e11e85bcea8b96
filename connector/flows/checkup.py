"""Try everything a connection needs, before a merchant's customers do."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from connector.domain.connection import Connection, Purpose
from connector.domain.http import Held, HttpFailure, NoAnswer
from connector.domain.order import Order, OrderState, Step
from connector.domain.pending import Context
from connector.flows.connections import find, urls
from connector.flows.documents import ORDER
from connector.flows.hub import Hub, Peers
from connector.flows.secrets import opens
from connector.flows.setbacks import PEER_ERRORS
from connector.flows.tokens import Grant
from connector.ports import Json
from connector.sdk import AdapterError, RetryLater
from connector.vtex.affiliates import Affiliate, get_affiliate, put_affiliate
from connector.vtex.catalog import list_skus, read_sku, sales_channel
from connector.vtex.errors import Denied, Throttled, Unwell, VtexError
from connector.vtex.keys import validate_keys
from connector.vtex.oms import read_order, vtex_order_id
from connector.vtex.simulation import simulate_sync

_PROBE_SKU = "1"
"""Asked for where the sales channel is empty: an unknown SKU proves a permission as well."""
_PROBE_ORDER = "CONNECTION-CHECK-0"
_COMPARED = 5
_READ = 20
_EVIDENCE = 200
_LOCAL = (".local", ".localhost", ".internal", ".lan", ".home.arpa")
_WAY_OUT = "the hub's way out (a private or plain http address: CONNECTOR_ALLOW_HOSTS)"
_SETUP = "License Manager, the role of the hub's key"


@dataclass
class _Checkup:
    """What is found out about one connection, in the order in which it was found out."""

    hub: Hub
    connection: Connection
    peers: Peers
    findings: list[Json] = field(default_factory=list)
    skus: list[str] = field(default_factory=list)

    def found(self, name: str, ok: bool | None, detail: str, fix: str = "") -> None:
        """Note how one check ended; None where it could not be told."""
        self.findings.append(finding(name, ok, detail, "" if ok else fix))

    async def probe(
        self, name: str, call: Callable[[], Awaitable[str]], *, resource: str
    ) -> bool | None:
        """Make a call that proves a permission; ``call`` returns what it has found."""
        try:
            detail = await call()
        except PEER_ERRORS as error:
            self.failed(name, error, f"grant the resource {resource!r}: {_SETUP}")
            return self.findings[-1]["ok"] is True
        self.found(name, True, detail)
        return True

    def failed(self, name: str, error: Exception, fix: str) -> None:
        """Tell a failed call: refused for good, or only not answered now."""
        if isinstance(error, Denied):
            self.found(name, False, "VTEX does not permit it", fix)
        elif isinstance(error, Held | NoAnswer | Unwell | Throttled | RetryLater):
            self.found(name, None, f"no answer now: {_told(error)}", "check again later")
        elif isinstance(error, HttpFailure):
            self.found(name, False, str(error), f"check the address, and {_WAY_OUT}")
        else:
            self.found(name, False, _told(error), fix)


def finding(name: str, ok: bool | None, detail: str, fix: str = "") -> Json:
    """One line of the checkup."""
    return {"name": name, "ok": ok, "detail": detail, "fix": fix}


async def check_connection(
    hub: Hub, connection_id: str, *, fix: bool = False, allow_hosts: Collection[str] = ()
) -> list[Json]:
    """Check everything about a connection; ``fix`` also points the affiliate at us.

    ``allow_hosts`` are hosts that may be private or plain http.

    Raises:
        Refusal: there is no such connection.
    """
    connection = (await find(hub, connection_id)).value
    public = check_public_url(hub.public_url, connection, allow_hosts)
    try:
        peers = hub.peers.of(connection, Context.UPKEEP)
    except (LookupError, ValueError) as error:
        mend = "see connector adapter list, or set adapter_settings again"
        return [public, finding("adapter", False, str(error), mend)]
    title = type(peers.adapter).title or connection.adapter
    ready = finding("adapter", True, f"{title} is installed and its settings are valid")
    checkup = _Checkup(hub, connection, peers, [public, ready])
    if await _check_account(checkup):
        await _check_channel(checkup)
        await _check_reading(checkup)
        await _check_affiliate(checkup, mend=fix)
    await _check_writing(checkup)
    await _check_marketplace(checkup)
    return checkup.findings


def check_public_url(url: str, connection: Connection, allow_hosts: Collection[str]) -> Json:
    """Whether VTEX and the marketplace can reach the hub by what it calls itself."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    shown = f"{parts.scheme}://{parts.netloc}"
    own_lab = _is_private(urlsplit(connection.vtex_url).hostname or "")
    if own_lab or {host, f"{host}:{parts.port}"} & {each.lower() for each in allow_hosts}:
        return finding("public-url", True, f"{shown} is allowed by the operator")
    if _is_private(host):
        mend = "set the hub's public URL to a name that the Internet can reach"
        return finding("public-url", False, f"{shown} cannot be reached from outside", mend)
    if parts.scheme != "https":
        mend = "put TLS in front of the hub: URLs carry secrets"
        return finding("public-url", False, f"{shown} is not https", mend)
    return finding("public-url", True, shown)


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(_LOCAL)


# --- VTEX -----------------------------------------------------------------------------------------


async def _check_account(checkup: _Checkup) -> bool:
    """Whether the account answers at all, and accepts the key; False ends what VTEX is asked."""
    connection = checkup.connection
    try:
        good = await validate_keys(checkup.peers.vtex)
    except HttpFailure as error:
        mend = f"check the account's name ({connection.account}), and {_WAY_OUT}"
        checkup.found("account", False, f"{connection.vtex_url}: {error}", mend)
        return False
    except VtexError as error:
        checkup.found("account", True, f"{connection.vtex_url} answers")
        checkup.failed("app-key", error, "check again later")
        return True
    checkup.found("account", True, f"{connection.vtex_url} answers")
    told = "VTEX accepts the key pair" if good else "VTEX does not accept the key pair"
    mend = f"connector connection set {connection.id} app_key=KEY app_token=-"
    checkup.found("app-key", good, told, mend)
    return True


async def _check_channel(checkup: _Checkup) -> None:
    number = checkup.connection.sales_channel
    try:
        channel = await sales_channel(checkup.peers.vtex)
    except PEER_ERRORS as error:
        mend = f"is {number} the id of the trade policy? set sales_channel"
        checkup.failed("sales-channel", error, mend)
        return
    told = f"{channel.name or number}: {channel.currency or 'no currency'}"
    if not channel.active:
        mend = "activate the trade policy in VTEX: nothing new is offered while it is inactive"
        checkup.found("sales-channel", False, f"{told}, inactive", mend)
    elif not channel.currency:
        mend = "give the trade policy a currency in VTEX"
        checkup.found("sales-channel", False, told, mend)
    else:
        checkup.found("sales-channel", True, f"{told}, active")


async def _check_reading(checkup: _Checkup) -> None:
    """Make every read the hub lives on once."""
    hub, vtex = checkup.hub, checkup.peers.vtex

    async def listed() -> str:
        checkup.skus = await list_skus(vtex, 1, _READ)
        return f"{len(checkup.skus)} SKUs on a first page of {_READ}"

    async def read() -> str:
        record = await read_sku(vtex, _some(checkup)[0], hub.now())
        return f"SKU {record.sku} is {'not known' if record.unknown else 'read'}"

    async def private() -> str:
        await simulate_sync(vtex, _some(checkup), hub.now())
        return "the private simulation answers"

    async def public() -> str:
        await simulate_sync(vtex, _some(checkup), hub.now(), public=True)
        return "the public simulation answers"

    async def order() -> str:
        order_id = vtex_order_id(checkup.connection.affiliate_id, _PROBE_ORDER)
        await read_order(vtex, order_id, hub.now())
        return "orders can be read"

    await checkup.probe("read-sku-list", listed, resource="View Product")
    await checkup.probe("read-sku", read, resource="SKUs")
    own = await checkup.probe("simulate-private", private, resource="Place Orders")
    theirs = await checkup.probe("simulate-public", public, resource="none, it is public")
    await checkup.probe("read-order", order, resource="View order")
    if own and theirs and checkup.skus:
        await _check_prices(checkup)


def _some(checkup: _Checkup) -> list[str]:
    return checkup.skus[:_COMPARED] or [_PROBE_SKU]


async def _check_prices(checkup: _Checkup) -> None:
    """Both simulations have to tell the same price, promotions included (C16)."""
    vtex, now = checkup.peers.vtex, checkup.hub.now()
    try:
        ours = await simulate_sync(vtex, checkup.skus, now)
        buyers = await simulate_sync(vtex, checkup.skus, now, public=True)
    except PEER_ERRORS as error:
        checkup.failed("prices-agree", error, "check again later")
        return
    priced = [sku for sku in ours if ours[sku].price_minor and buyers[sku].price_minor]
    compared = priced[:_COMPARED]
    apart = [
        f"SKU {sku}: {ours[sku].price_minor} and {buyers[sku].price_minor}"
        for sku in compared
        if ours[sku].price_minor != buyers[sku].price_minor
    ]
    if not compared:
        mend = "check again once something in the trade policy has a price and stock"
        checkup.found("prices-agree", None, "no SKU has a price in both simulations", mend)
    elif apart:
        mend = "do not go live: published prices would not be those the order is checked against"
        told = f"private and public simulation differ: {'; '.join(apart)}"
        checkup.found("prices-agree", False, told, mend)
    else:
        told = f"{len(compared)} SKUs cost the same in the private and the public simulation"
        checkup.found("prices-agree", True, told)


# --- the affiliate --------------------------------------------------------------------------------


async def _check_affiliate(checkup: _Checkup, *, mend: bool) -> None:
    affiliate_id = checkup.connection.affiliate_id
    by_hand = f"{_SETUP}: 'Save Order Configuration'; or compare the affiliate by hand"
    try:
        affiliate = await get_affiliate(checkup.peers.vtex, affiliate_id)
        if mend and not _points_here(checkup, affiliate):
            await put_affiliate(checkup.peers.vtex, _mended(checkup, affiliate))
            affiliate = await get_affiliate(checkup.peers.vtex, affiliate_id)
    except Denied:
        told = "the key may not read or write affiliates"
        checkup.found("affiliate", False if mend else None, told, by_hand)
        return
    except PEER_ERRORS as error:
        checkup.failed("affiliate", error, by_hand)
        return
    again = f"connector connection check {checkup.connection.id} --fix"
    if affiliate is None:
        checkup.found("affiliate", False, f"VTEX has no affiliate {affiliate_id}", again)
        return
    checkup.found("affiliate", True, f"{affiliate_id} is {affiliate.name!r} in VTEX")
    here = _points_here(checkup, affiliate)
    checkup.found("affiliate-endpoint", here, _told_endpoint(checkup, affiliate), again)
    ours, theirs = str(checkup.connection.sales_channel), affiliate.sales_channel
    checkup.found(
        "affiliate-channel",
        ours == theirs,
        f"the affiliate's trade policy is {theirs or 'not set'}, the connection's {ours}",
        "choose the same trade policy in VTEX and with connection set sales_channel",
    )


def _points_here(checkup: _Checkup, affiliate: Affiliate | None) -> bool:
    ours = urls(checkup.hub, checkup.connection).notification_url
    return affiliate is not None and _address(affiliate.search_url) == _address(ours)


def _address(url: str) -> str:
    """A URL without its query, which may carry anything, and without its final slash."""
    return url.partition("?")[0].rstrip("/")


def _told_endpoint(checkup: _Checkup, affiliate: Affiliate) -> str:
    """Where the affiliate points, without the secret that the URL carries."""
    hub, connection = checkup.hub, checkup.connection
    if _points_here(checkup, affiliate):
        return "notifications come to this connection"
    if not affiliate.search_url:
        return "the affiliate has no search endpoint: nothing notifies us"
    start = f"{hub.public_url}/vtex/v1/{connection.id}/"
    secret = affiliate.search_url.removeprefix(start).partition("/")[0]
    if affiliate.search_url.startswith(start):
        if opens(connection, Purpose.NOTIFY, secret, hub.now()):
            return "the search endpoint carries a secret that was replaced and retires soon"
        return "the search endpoint carries a secret that is not valid any more"
    host = urlsplit(affiliate.search_url).hostname or "something that is no URL"
    return f"the search endpoint is not this connection's (it leads to {host})"


def _mended(checkup: _Checkup, affiliate: Affiliate | None) -> Affiliate:
    """The affiliate with our endpoint; everything else stays as the merchant has set it."""
    connection = checkup.connection
    endpoint = urls(checkup.hub, connection).notification_url
    if affiliate is not None:
        return affiliate.model_copy(update={"search_url": endpoint})
    title = type(checkup.peers.adapter).title or connection.adapter
    return Affiliate(
        id=connection.affiliate_id,
        name=f"{title} {connection.affiliate_id}",
        sales_channel=str(connection.sales_channel),
        search_url=endpoint,
    )


# --- what only real orders prove ------------------------------------------------------------------


def _cancelled_in_vtex(order: Order) -> bool:
    return order.cancellation is not None and order.cancellation.in_vtex is Step.DONE


def _returned_in_vtex(order: Order) -> bool:
    return order.cancellation is not None and order.cancellation.returned is Step.DONE


_PROOFS: tuple[tuple[str, str, Callable[[Order], bool]], ...] = (
    ("write-order", "Place Orders", lambda order: order.placed),
    ("write-authorize", "Place Orders", lambda order: order.authorize is Step.DONE),
    ("write-cancel", "Cancel order", _cancelled_in_vtex),
    ("write-return", "Notify refund", _returned_in_vtex),
    ("write-tracking", "Notify invoice", lambda order: order.fob.tracking_step is Step.DONE),
)
"""What proves a permission to write, and the resource that grants it."""


async def _check_writing(checkup: _Checkup) -> None:
    """Permissions to write are proven by use; until then they are not known."""
    orders = await _some_orders(checkup)
    for name, resource, proves in _PROOFS:
        proof = next((order.ref for order in orders if proves(order)), "")
        told = f"used with order {proof}" if proof else "not proven until it is used first"
        mend = f"make sure that {resource!r} is granted: {_SETUP}"
        checkup.found(name, True if proof else None, told, mend)


async def _some_orders(checkup: _Checkup) -> Sequence[Order]:
    found: list[Order] = []
    states = (
        OrderState.DELIVERED,
        OrderState.INVOICED,
        OrderState.AUTHORIZED,
        OrderState.PLACED,
        OrderState.CANCELLED,
    )
    for state in states:
        page = await checkup.hub.store.scan(
            ORDER, checkup.connection.id, state=state, limit=_EVIDENCE
        )
        found.extend(Order.model_validate_json(document.body) for document in page)
    return found


# --- the marketplace ------------------------------------------------------------------------------


async def _check_token(checkup: _Checkup, grant: Grant) -> None:
    """A token that has ended is refreshed first, as any call would."""
    try:
        await grant.current()
    except PEER_ERRORS as error:
        again = f"connector connection authorize {checkup.connection.id}"
        checkup.failed("token", error, again)
    else:
        ends = (await grant.book.read()).kept.expires_at
        told = f"the marketplace's token works until {ends:%Y-%m-%d %H:%M} UTC, then it is renewed"
        checkup.found("token", True, told)


async def _check_marketplace(checkup: _Checkup) -> None:
    if checkup.peers.grant is not None:
        await _check_token(checkup, checkup.peers.grant)
    mend = f"connector connection set {checkup.connection.id} adapter_settings.NAME=VALUE"
    try:
        name = await checkup.peers.adapter.check()
    except NotImplementedError:
        checkup.found("marketplace", None, "the adapter has no way to check its credentials")
    except PEER_ERRORS as error:
        checkup.failed("marketplace", error, mend)
    else:
        checkup.found("marketplace", True, f"the credentials are those of {name}")


def _told(error: Any) -> str:
    return error.public if isinstance(error, AdapterError) else str(error)
