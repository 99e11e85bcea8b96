"""The verbs of the admin API, the same as the command line's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel

from connector.domain.connection import ConnectionSpec, ConnectionState, Purpose
from connector.domain.pending import Context
from connector.flows import connections
from connector.flows.app_install import approve_installs, waiting_installs
from connector.flows.audit import Record, audit_rows
from connector.flows.checkup import check_connection
from connector.flows.connections import Refusal
from connector.flows.hub import Hub
from connector.flows.logs import log_rows, parse_statuses
from connector.flows.parked import list_parked, retry_parked, show_parked
from connector.flows.views import connection_details, connection_rows, listing_rows, order_rows
from connector.settings import Role
from connector.web.admin_auth import Access
from connector.web.errors import Answer
from connector.web.incoming import SMALL_BODY

MOST_ROWS = 1_000


class Asked(BaseModel):
    """What a call may say; anything else is a mistake of the caller."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(Asked):
    """The call says nothing more."""


class Page(Asked):
    """Which rows."""

    state: str = ""
    after: str = ""
    limit: int = Field(200, ge=1, le=MOST_ROWS)


class AuditPage(Asked):
    """Which actions."""

    connection: str = ""
    after: str = ""
    limit: int = Field(200, ge=1, le=MOST_ROWS)


class LogPage(Asked):
    """Which log entries."""

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    status: str = Field("", pattern=r"^[a-z, ]*$")
    subject: str = ""
    limit: int = Field(200, ge=1, le=MOST_ROWS)


class Check(Asked):
    """Whether to point the affiliate at the hub, too."""

    fix: bool = False


class Rotate(Asked):
    """Which secrets to replace, and how long the old ones work on."""

    purposes: tuple[Purpose, ...] = Field(tuple(Purpose), min_length=1)
    overlap_days: float = Field(7, ge=0, le=30)


class Retry(Asked):
    """What to try again: one key, a context, or everything that is parked."""

    context: Context | None = None
    key: str | None = Field(None, min_length=1)
    approve_price: bool = False


class Changes(RootModel[dict[str, Any]]):
    """New values by the name of their setting."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API by somebody who may make it."""

    hub: Hub
    access: Access
    connection: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    asked: Any = None
    record: Record = field(default_factory=Record)
    allow_hosts: Collection[str] = ()


Verb = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """One verb: where it is, who may use it, what it may say; ``audit`` names what it changes."""

    method: str
    path: str
    role: Role
    verb: Verb
    says: type[BaseModel] = Nothing
    audit: str = ""
    refusal: int = 409
    status: int = 200
    everywhere: bool = False
    """Only for tokens that reach all connections."""
    most: int = SMALL_BODY
    """Bytes the call's body may have."""


async def list_connections(call: Call) -> Any:
    """Every connection the token reaches."""
    rows = await connection_rows(call.hub)
    return [row for row in rows if call.access.reaches(row["id"])]


async def add_connection(call: Call) -> Any:
    """Add a connection; answers with the URLs to paste."""
    spec: ConnectionSpec = call.asked
    try:
        connections.check_settings(call.hub, spec.adapter, spec.adapter_settings)
    except Refusal as error:
        raise Answer(422, str(error)) from None
    connection, urls = await connections.add(call.hub, spec)
    call.record.connection = connection.id
    await approve_installs(call.hub, connection)
    return urls.model_dump()


async def show_connection(call: Call) -> Any:
    """One connection, nothing secret."""
    return await connection_details(call.hub, call.connection)


async def show_urls(call: Call) -> Any:
    """The URLs to paste, secrets included."""
    saved = await connections.find(call.hub, call.connection)
    return connections.urls(call.hub, saved.value).model_dump()


async def set_connection(call: Call) -> Any:
    """Change settings."""
    if not call.asked.root:
        raise Answer(422, "body: name at least one setting")
    await connections.change(call.hub, call.connection, call.asked.root)
    return await connection_details(call.hub, call.connection)


async def check(call: Call) -> Any:
    """Try everything the connection needs."""
    return await check_connection(
        call.hub, call.connection, fix=call.asked.fix, allow_hosts=call.allow_hosts
    )


async def rotate(call: Call) -> Any:
    """Replace secrets in URLs; answers with the new URLs."""
    overlap = timedelta(days=call.asked.overlap_days)
    urls = await connections.rotate(call.hub, call.connection, call.asked.purposes, overlap=overlap)
    return urls.model_dump()


async def sync(call: Call) -> Any:
    """Load the whole sales channel."""
    connection = await connections.start_sync(call.hub, call.connection)
    return {"id": connection.id, "sync": "started"}


def state_verb(state: ConnectionState, *before: ConnectionState) -> Verb:
    """A verb that brings a connection from one of these states to another one."""

    async def change_state(call: Call) -> Any:
        saved = await connections.find(call.hub, call.connection)
        known = saved.value.state
        if known is not state:
            if known not in before:
                raise Refusal(f"the connection is {known}")
            await connections.set_state(call.hub, call.connection, state)
        return {"id": call.connection, "state": state}

    return change_state


async def list_listings(call: Call) -> Any:
    """Listings by SKU."""
    page: Page = call.asked
    return await listing_rows(
        call.hub, call.connection, state=page.state, after=page.after, limit=page.limit
    )


async def list_orders(call: Call) -> Any:
    """Orders by reference."""
    page: Page = call.asked
    return await order_rows(
        call.hub, call.connection, state=page.state, after=page.after, limit=page.limit
    )


async def list_all_parked(call: Call) -> Any:
    """What waits for a person, on every connection the token reaches."""
    rows = await list_parked(call.hub, None)
    return [row for row in rows if call.access.reaches(row["connection"])]


async def list_own_parked(call: Call) -> Any:
    """What waits for a person on one connection."""
    return await list_parked(call.hub, call.connection)


async def show_one_parked(call: Call) -> Any:
    """Everything known about one key."""
    return await show_parked(
        call.hub, call.connection, _context(call.parts["context"]), call.parts["key"]
    )


async def retry(call: Call) -> Any:
    """Try parked keys again now."""
    asked: Retry = call.asked
    count = await retry_parked(
        call.hub,
        call.connection,
        context=asked.context,
        key=asked.key,
        approve_price=asked.approve_price,
    )
    return {"retried": count}


async def read_logs(call: Call) -> Any:
    """Log entries, newest first."""
    page: LogPage = call.asked
    return await log_rows(
        call.hub,
        call.connection,
        since=page.since,
        until=page.until,
        statuses=sorted(parse_statuses(page.status)) if page.status else (),
        subject=page.subject,
        limit=page.limit,
    )


async def list_adapters(call: Call) -> Any:
    """The adapters that work, and why others do not."""
    registry = call.hub.registry
    working = [
        {
            "name": name,
            "title": adapter.title or name,
            "capabilities": sorted(adapter.capabilities),
            "settings": adapter.settings_model.model_json_schema(),
        }
        for name, adapter in sorted(registry.found.items())
    ]
    return {"adapters": working, "broken": dict(registry.broken)}


async def list_installs(call: Call) -> Any:
    """Installations of the VTEX app that wait for the operator."""
    return await waiting_installs(call.hub)


async def list_audit(call: Call) -> Any:
    """Who did what."""
    page: AuditPage = call.asked
    return await audit_rows(call.hub, page.connection or None, after=page.after, limit=page.limit)


def _context(text: str) -> Context:
    try:
        return Context(text)
    except ValueError:
        raise Answer(404, f"the contexts are {', '.join(Context)}") from None


_S = ConnectionState
_ONE = "/connections/{connection}"
_V, _O, _A = Role.VIEWER, Role.OPERATOR, Role.ADMIN

ROUTES: tuple[Route, ...] = (
    Route("GET", "/connections", _V, list_connections),
    Route(
        "POST",
        "/connections",
        _A,
        add_connection,
        ConnectionSpec,
        "connection add",
        status=201,
        everywhere=True,
    ),
    Route("GET", _ONE, _V, show_connection),
    Route("PATCH", _ONE, _A, set_connection, Changes, "connection set", refusal=422),
    Route("GET", f"{_ONE}/urls", _A, show_urls, audit="connection urls"),
    Route("POST", f"{_ONE}/check", _O, check, Check, "connection check"),
    Route("POST", f"{_ONE}/rotate", _A, rotate, Rotate, "connection rotate"),
    Route("POST", f"{_ONE}/sync", _O, sync, audit="sync"),
    Route("POST", f"{_ONE}/pause", _O, state_verb(_S.PAUSED, _S.ACTIVE), audit="connection pause"),
    Route(
        "POST", f"{_ONE}/resume", _O, state_verb(_S.ACTIVE, _S.PAUSED), audit="connection resume"
    ),
    Route(
        "POST",
        f"{_ONE}/disable",
        _A,
        state_verb(_S.DISABLED, _S.ACTIVE, _S.PAUSED),
        audit="connection disable",
    ),
    Route(
        "POST", f"{_ONE}/enable", _A, state_verb(_S.ACTIVE, _S.DISABLED), audit="connection enable"
    ),
    Route(
        "POST",
        f"{_ONE}/remove",
        _A,
        state_verb(_S.REMOVED, *_S),
        audit="connection remove",
    ),
    Route("GET", f"{_ONE}/listings", _V, list_listings, Page),
    Route("GET", f"{_ONE}/orders", _V, list_orders, Page),
    Route("GET", "/parked", _V, list_all_parked),
    Route("GET", f"{_ONE}/parked", _V, list_own_parked),
    Route("POST", f"{_ONE}/parked/retry", _O, retry, Retry, "parked retry"),
    Route("GET", f"{_ONE}/parked/{{context}}/{{key}}", _V, show_one_parked, refusal=404),
    Route("GET", f"{_ONE}/logs", _V, read_logs, LogPage),
    Route("GET", "/adapters", _V, list_adapters),
    Route("GET", "/installs", _O, list_installs, everywhere=True),
    Route("GET", "/audit", _A, list_audit, AuditPage, everywhere=True),
)
