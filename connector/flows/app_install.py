"""The VTEX IO app in a seller's account: installations wait for the operator (protocol 3.6)."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from connector.domain.connection import (
    ACCOUNT_PATTERN,
    AFFILIATE_PATTERN,
    Connection,
    ConnectionState,
)
from connector.domain.entries import Direction, Entry, Operation, Status
from connector.domain.offer import Value
from connector.domain.pending import Context, Mark, Priority
from connector.flows.connections import set_state
from connector.flows.hub import Hub
from connector.flows.views import APP_INSTALL, WAITING
from connector.ports import Conflict, Document, Put, StoreUnavailable, Write
from connector.vtex.affiliates import get_affiliate
from connector.vtex.inbound import BadBody, StoreConfig

APPROVED = "approved"
CONFIRM_INSTALL = "confirm-install"
"""Key of the upkeep job that asks VTEX whether the app is really gone."""
MOST_WAITING = 1_000
"""Whoever knows the app's secret can invent accounts, but not without bound."""
_TRIES = 3
_LONGEST_ACCOUNT = 63


class AppInstall(Value):
    """What a seller's app last said. The cookie and everything unknown is sealed."""

    account: str
    affiliate_id: str
    sales_channel: int | None = None
    active: bool | None = None
    allow_franchises: bool = False
    connection: str = ""
    """The connection it belongs to, once there is one."""
    sealed: str = ""
    told_at: datetime


async def take_store_config(hub: Hub, connection: Connection | None, config: StoreConfig) -> None:
    """Remember what the app said; without a connection it waits for the operator.

    Raises:
        BadBody: it does not say which account and affiliate it is about.
        StoreUnavailable: it could not be remembered, or too many wait already.
    """
    if len(config.account) > _LONGEST_ACCOUNT or not re.match(ACCOUNT_PATTERN, config.account):
        raise BadBody("accountName is missing or no account name")
    if not re.match(AFFILIATE_PATTERN, config.affiliate):
        raise BadBody("affiliateId is missing or no affiliate id")
    if connection is None and (await _waiting(hub)) >= MOST_WAITING:
        raise StoreUnavailable("too many installations wait for approval")
    for _ in range(_TRIES):
        known = await _document(hub, _key(config.account, config.affiliate))
        try:
            await hub.store.commit(_writes(hub, connection, config, known))
        except Conflict:
            continue  # the app says things twice when it is impatient
        break
    else:
        raise StoreUnavailable("the installation is being written all the time")
    if connection is not None:
        hub.ring(connection, Context.UPKEEP)


async def approve_installs(hub: Hub, connection: Connection) -> int:
    """Mark what waited for this connection as approved; returns how many did."""
    key = _key(connection.account, connection.affiliate_id)
    for _ in range(_TRIES):
        known = await _document(hub, key)
        if known.version == 0 or known.state != WAITING:
            return 0
        install = AppInstall.model_validate_json(known.body)
        approved = install.model_copy(update={"connection": connection.id})
        try:
            await hub.store.commit([_put(known, approved, APPROVED)])
        except Conflict:
            continue
        return 1
    raise StoreUnavailable("the installation is being written all the time")


async def waiting_installs(hub: Hub, *, limit: int = MOST_WAITING) -> list[dict[str, Any]]:
    """Installations that wait for the operator, nothing sealed among it."""
    rows = await hub.store.scan(APP_INSTALL, "", state=WAITING, limit=limit)
    installs = [AppInstall.model_validate_json(row.body) for row in rows]
    return [install.model_dump(mode="json", exclude={"sealed"}) for install in installs]


def open_install(hub: Hub, install: AppInstall) -> dict[str, Any]:
    """The cookie, the e-mail and the partner's own fields, in plain."""
    key = _key(install.account, install.affiliate_id)
    plain: dict[str, Any] = json.loads(hub.vault.open(install.sealed, bound_to=_bound_to(key)))
    return plain


async def confirm_install(hub: Hub, connection: Connection) -> None:
    """The app said that it was switched off: believe it only if VTEX's affiliate says so, too.

    An affiliate that is gone, or notifies somebody else, disables the connection. One that still
    notifies us may mean anything: the operator decides.

    Raises:
        VtexError, HttpFailure: VTEX could not be asked now.
    """
    vtex = hub.peers.of(connection, Context.UPKEEP).vtex
    affiliate = await get_affiliate(vtex, connection.affiliate_id)
    if affiliate is not None and points_here(hub, connection, affiliate.search_url):
        text = (
            "the VTEX app reports that it was switched off, but the affiliate still notifies us:"
            " nothing was blocked; disable the connection if it is to end"
        )
        await hub.store.commit([_entry(hub, connection, text)])
        return
    if connection.state in {ConnectionState.DISABLED, ConnectionState.REMOVED}:
        return
    await set_state(hub, connection.id, ConnectionState.DISABLED)
    gone = "is gone" if affiliate is None else "notifies somebody else now"
    text = f"the VTEX app was switched off and the affiliate {gone}: the connection is disabled"
    await hub.store.commit([_entry(hub, connection, text)])


def points_here(hub: Hub, connection: Connection, search_url: str) -> bool:
    """Whether an affiliate's endpoint is this connection's, or the app's."""
    base = f"{hub.public_url}/vtex/v1"
    return search_url.startswith((f"{base}/{connection.id}/", f"{base}/app/"))


# --- parts ----------------------------------------------------------------------------------------


def _writes(
    hub: Hub, connection: Connection | None, config: StoreConfig, known: Document
) -> list[Write]:
    install = AppInstall(
        account=config.account,
        affiliate_id=config.affiliate,
        sales_channel=config.sales_channel,
        active=config.active,
        allow_franchises=config.allow_franchises,
        connection=connection.id if connection else "",
        sealed=_sealed(hub, config, known.key),
        told_at=hub.now(),
    )
    writes: list[Write] = [_put(known, install, APPROVED if connection else WAITING)]
    if connection is None:
        return writes
    if config.active is False:
        writes.append(
            Mark(connection.id, Context.UPKEEP, CONFIRM_INSTALL, hub.now(), Priority.URGENT)
        )
    elif config.active and connection.state is ConnectionState.DISABLED:
        text = "the VTEX app was switched on, but the connection is disabled: enable it if wanted"
        writes.append(_entry(hub, connection, text))
    return writes


def _sealed(hub: Hub, config: StoreConfig, key: str) -> str:
    plain = {"cookie": config.cookie, "email": config.email, "extra": dict(config.extra)}
    return hub.vault.seal(json.dumps(plain), bound_to=_bound_to(key))


def _put(known: Document, install: AppInstall, state: str) -> Put:
    body = install.model_dump_json()
    return Put(Document(APP_INSTALL, "", known.key, body, state, known.version))


async def _document(hub: Hub, key: str) -> Document:
    found = await hub.store.get(APP_INSTALL, "", [key])
    return found.get(key, Document(APP_INSTALL, "", key, ""))


async def _waiting(hub: Hub) -> int:
    return (await hub.store.count(APP_INSTALL, "")).get(WAITING, 0)


def _key(account: str, affiliate: str) -> str:
    return f"{account}-{affiliate.lower()}"


def _bound_to(key: str) -> str:
    return f"{key}|app-install"


def _entry(hub: Hub, connection: Connection, text: str) -> Entry:
    return Entry(
        connection=connection.id,
        at=hub.now(),
        subject=connection.id,
        operation=Operation.CATALOG_CHANGE,
        direction=Direction.TO_MARKETPLACE,
        status=Status.WARNING,
        message=text,
    )
