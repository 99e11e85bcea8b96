"""Connections: added, changed, paused, switched off and on, removed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from pydantic import SecretStr, ValidationError

from connector.domain.connection import (
    Connection,
    ConnectionSpec,
    ConnectionState,
    Purpose,
    Rules,
)
from connector.domain.listing import Listing
from connector.domain.offer import Value
from connector.domain.order import ENDED, Order
from connector.domain.pending import Context, Mark, Priority
from connector.flows.documents import LISTING, ORDER, Saved, load_connection
from connector.flows.erasure import erase_all_orders
from connector.flows.hub import Hub
from connector.flows.secrets import make_secret, prune, reveal, rotated
from connector.flows.tokenbook import drop_token
from connector.flows.upkeep_jobs import Job, periodic_jobs
from connector.ports import Hold, Write
from connector.sdk import AdapterSettings


class Refusal(ValueError):
    """The operator asked for something that cannot be done; the message says what to do instead."""


class Urls(Value):
    """What a merchant pastes into VTEX and the marketplace."""

    id: str
    notification_url: str
    services_endpoint: str
    webhook_url: str
    logs_url: str


async def add(hub: Hub, spec: ConnectionSpec) -> tuple[Connection, Urls]:
    """Add a connection and say what the merchant has to paste where.

    Raises:
        Refusal: the adapter is not there, its settings are not valid, or the connection exists.
    """
    settings = check_settings(hub, spec.adapter, spec.adapter_settings)
    for other in await hub.book.all():
        same = (other.account, other.affiliate_id) == (spec.account, spec.affiliate_id)
        if same:
            raise Refusal(
                f"affiliate {spec.affiliate_id} of {spec.account} is connected already as "
                f"{other.id}: one affiliate stands for one marketplace"
            )
    connection_id = f"{spec.account}-{spec.affiliate_id.lower()}-{secrets.token_hex(3)}"
    connection = Connection(
        id=connection_id,
        account=spec.account,
        affiliate_id=spec.affiliate_id,
        sales_channel=spec.sales_channel,
        adapter=spec.adapter,
        order_api=spec.order_api,
        connector_name=spec.connector_name,
        vtex_base_url=spec.vtex_base_url,
        rules=spec.rules,
        sealed_app_key=hub.vault.seal(spec.app_key, bound_to=f"{connection_id}|app_key"),
        sealed_app_token=hub.vault.seal(spec.app_token, bound_to=f"{connection_id}|app_token"),
        sealed_adapter_settings=seal_settings(hub, connection_id, settings),
        tenant=hub.registry.get(spec.adapter).tenant(settings),
        secrets=tuple(make_secret(hub.vault, connection_id, purpose, 1) for purpose in Purpose),
        created_at=hub.now(),
    )
    await hub.book.save(Saved(connection), connection, *job_marks(hub, connection))
    hub.ring(connection, Context.UPKEEP)
    return connection, urls(hub, connection)


def check_settings(hub: Hub, adapter: str, settings: Mapping[str, Any]) -> AdapterSettings:
    """The adapter's settings, validated.

    Raises:
        Refusal: naming every field that is wrong, never its value.
    """
    try:
        model = hub.registry.get(adapter).settings_model
    except LookupError as error:
        raise Refusal(str(error)) from error
    try:
        return model.model_validate(dict(settings))
    except ValidationError as error:
        raise Refusal(explain(error, "adapter_settings")) from None


def explain(error: ValidationError, where: str = "") -> str:
    """A validation error without the values: they may be secret."""
    parts = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        place = ".".join(str(part) for part in ([where] if where else []) + list(problem["loc"]))
        parts.append(f"{place or 'body'}: {problem['msg']}")
    return "; ".join(parts)


def seal_settings(hub: Hub, connection_id: str, settings: AdapterSettings) -> str:
    """The settings as sealed JSON, secrets included."""
    plain = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in settings
    }
    text = json.dumps(plain, default=str)
    return hub.vault.seal(text, bound_to=f"{connection_id}|adapter_settings")


def urls(hub: Hub, connection: Connection) -> Urls:
    """The connection's URLs with their newest secrets."""
    vtex = f"{hub.public_url}/vtex/v1/{connection.id}"
    notify = reveal(hub.vault, connection, Purpose.NOTIFY)
    services = reveal(hub.vault, connection, Purpose.SERVICES)
    webhook = reveal(hub.vault, connection, Purpose.WEBHOOK)
    logs = reveal(hub.vault, connection, Purpose.LOGS)
    return Urls(
        id=connection.id,
        notification_url=f"{vtex}/{notify}/api/notification/",
        services_endpoint=f"{vtex}/{services}",
        webhook_url=f"{hub.public_url}/marketplace/v1/{connection.id}/{webhook}",
        logs_url=f"{vtex}/{logs}/{connection.account}/logs/",
    )


async def find(hub: Hub, connection_id: str) -> Saved[Connection]:
    """The connection of that id.

    Raises:
        Refusal: there is none.
    """
    saved = await load_connection(hub.store, connection_id)
    if saved is None or saved.value.state is ConnectionState.REMOVED:
        raise Refusal(f"there is no connection {connection_id}: see connector connection list")
    return saved


_PLAIN = frozenset({"order_api", "connector_name", "sales_channel", "vtex_base_url"})
_SEALED = frozenset({"app_key", "app_token"})


async def change(hub: Hub, connection_id: str, changes: Mapping[str, Any]) -> Connection:
    """Change settings: plain fields, ``rules.NAME``, ``app_key``, ``adapter_settings.NAME``.

    Raises:
        Refusal: an unknown name or a value that is not valid.
    """
    saved = await find(hub, connection_id)
    connection = saved.value
    update: dict[str, Any] = {}
    rules = connection.rules.model_dump()
    adapter: dict[str, Any] = {}
    for name, value in changes.items():
        group, _, field = name.partition(".")
        if group == "rules" and field:
            rules[field] = value
        elif group == "adapter_settings" and field:
            adapter[field] = value
        elif name in _PLAIN:
            update[name] = value
        elif name in _SEALED:
            sealed = hub.vault.seal(str(value), bound_to=f"{connection.id}|{name}")
            update[f"sealed_{name}"] = sealed
        else:
            raise Refusal(f"there is no setting {name}")
    try:
        update["rules"] = Rules.model_validate(rules)
        _check_plain(connection, update)
    except ValidationError as error:
        raise Refusal(explain(error)) from None
    if adapter:
        merged = check_settings(hub, connection.adapter, open_settings(hub, connection) | adapter)
        update["sealed_adapter_settings"] = seal_settings(hub, connection.id, merged)
        update["tenant"] = hub.registry.get(connection.adapter).tenant(merged)
    update["vtex_version"] = connection.vtex_version + 1
    if "sales_channel" in update:
        update["currency"] = ""  # another channel may sell in another one
    changed = connection.model_copy(update=update)
    marks = job_marks(hub, changed)
    if changed.rules != connection.rules or "sales_channel" in update:
        marks.append(_job_mark(hub, changed, Job.RECHECK_ALL))
    await hub.book.save(saved, changed, *marks)
    return changed


def _check_plain(connection: Connection, update: Mapping[str, Any]) -> None:
    """Check changed plain fields by the rules of a new connection."""
    spec = {
        "account": connection.account,
        "affiliate_id": connection.affiliate_id,
        "sales_channel": connection.sales_channel,
        "app_key": "unchanged",
        "app_token": "unchanged",
        "adapter": connection.adapter,
        **{name: update[name] for name in _PLAIN if name in update},
    }
    ConnectionSpec.model_validate(spec)


def open_settings(hub: Hub, connection: Connection) -> dict[str, Any]:
    """The adapter's settings in plain."""
    place = f"{connection.id}|adapter_settings"
    plain: dict[str, Any] = json.loads(
        hub.vault.open(connection.sealed_adapter_settings, bound_to=place)
    )
    return plain


async def set_state(
    hub: Hub, connection_id: str, state: ConnectionState, *, force: bool = False
) -> Connection:
    """Pause, resume, disable, enable or remove a connection.

    Disabling and enabling look at every listing again: what is listed gets blocked, or comes back.

    Raises:
        Refusal: it is to be removed while listings can still be bought or orders are open.
    """
    saved = await find(hub, connection_id)
    if state is ConnectionState.REMOVED:
        await _check_removable(hub, saved.value, force=force)
        await _release_holds(hub, saved.value)
        await erase_all_orders(hub, saved.value)
        await hub.store.commit([drop_token(connection_id)])
    changed = saved.value.model_copy(update={"state": state})
    marks: list[Write] = list(job_marks(hub, changed))
    if (saved.value.state is ConnectionState.DISABLED) != (state is ConnectionState.DISABLED):
        marks.append(_job_mark(hub, changed, Job.RECHECK_ALL))
    await hub.book.save(saved, changed, *marks)
    for context in Context:
        hub.ring(changed, context)
    return changed


async def _release_holds(hub: Hub, connection: Connection) -> None:
    """Orders that nobody looks after any more keep nothing from being sold."""
    after = ""
    while rows := await hub.store.scan(ORDER, connection.id, after=after):
        writes: list[Write] = [
            Hold(connection.account, sku, connection.id, row.key, 0)
            for row in rows
            for sku, _ in Order.model_validate_json(row.body).held
        ]
        if writes:
            await hub.store.commit(writes)
        after = rows[-1].key


async def _check_removable(hub: Hub, connection: Connection, *, force: bool) -> None:
    """Nothing of it may be left that only a connection in use can look after.

    ``force`` gives up on what cannot be finished; it has to be disabled all the same.
    """
    if connection.state is not ConnectionState.DISABLED:
        raise Refusal("disable the connection first, so that its listings are blocked")
    if force:
        return
    after = ""
    while rows := await hub.store.scan(LISTING, connection.id, after=after):
        for row in rows:
            listing = Listing.model_validate_json(row.body)
            confirmed = listing.confirmed
            sellable = confirmed is not None and not confirmed.blocked and confirmed.stock != 0
            if sellable or listing.intent is not None or listing.lot is not None:
                raise Refusal(
                    f"SKU {row.key} is not blocked yet, and maybe others: wait, try again"
                )
        after = rows[-1].key
    states = await hub.store.count(ORDER, connection.id)
    still_open = sum(count for state, count in states.items() if state not in ENDED)
    if still_open:
        raise Refusal(f"{still_open} orders are still open: see connector orders {connection.id}")


async def rotate(
    hub: Hub, connection_id: str, purposes: Sequence[Purpose], *, overlap: timedelta
) -> Urls:
    """Replace the secrets of these purposes; the old ones work on for ``overlap``.

    A services secret works on for as long as open orders carry it, unless ``overlap`` is zero: then
    it has leaked, and what its orders' callbacks would tell is found by reading the orders.
    """
    saved = await find(hub, connection_id)
    connection = await prune(hub.store, saved.value, hub.now())
    had = {secret.purpose for secret in connection.secrets}
    for purpose in had.intersection(purposes):
        connection = rotated(hub.vault, connection, purpose, hub.now(), overlap=overlap)
    if overlap:
        # Open orders carry the services secret: it outlives even a short overlap.
        connection = await prune(hub.store, connection, hub.now())
    await hub.book.save(saved, connection)
    return urls(hub, connection)


async def start_sync(hub: Hub, connection_id: str) -> Connection:
    """Begin (or begin again) to load the whole sales channel."""
    saved = await find(hub, connection_id)
    await hub.store.commit([_job_mark(hub, saved.value, Job.BACKFILL)])
    hub.ring(saved.value, Context.UPKEEP)
    return saved.value


def job_marks(hub: Hub, connection: Connection) -> list[Write]:
    """The connection's periodic jobs, due now."""
    adapter = hub.registry.get(connection.adapter)
    return [_job_mark(hub, connection, job) for job in periodic_jobs(adapter.capabilities)]


def _job_mark(hub: Hub, connection: Connection, job: Job) -> Mark:
    return Mark(connection.id, Context.UPKEEP, job, hub.now(), Priority.CHANGE)
