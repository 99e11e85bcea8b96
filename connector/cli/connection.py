"""``connector connection``: connect VTEX accounts to marketplaces and look after that."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, BinaryIO

import click
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from connector.cli.authorize import authorize
from connector.cli.printing import (
    Columns,
    examples,
    json_option,
    note,
    print_json,
    print_pairs,
    print_table,
    tally,
)
from connector.cli.running import Action, Failed, Stop, read_settings, with_hub
from connector.cli.states import STATES
from connector.domain.connection import Connection, ConnectionSpec, Purpose, Rules
from connector.domain.http import parse_json
from connector.flows import connections
from connector.flows.app_install import approve_installs
from connector.flows.checkup import check_connection
from connector.flows.connections import Refusal, explain, open_settings
from connector.flows.hub import Hub
from connector.flows.secrets import OVERLAP
from connector.flows.views import connection_details, connection_rows
from connector.ports import Json

_MARKS = {True: "ok", False: "FAIL", None: "?"}


@click.group(short_help="Add, check, change, remove connections.")
def connection() -> None:
    """Connect VTEX accounts to marketplaces, and look after the connections."""


@connection.command(
    short_help="Add a connection from a JSON file.",
    epilog=examples(
        "connector connection add --file acme.json",
        "vault read acme | connector connection add --file -",
    ),
)
@click.option(
    "--file", "source", type=click.File("rb"), required=True, help="JSON file; - reads stdin."
)
def add(source: BinaryIO) -> None:
    """Add a connection from a JSON description and print the URLs to paste into VTEX.

    The JSON has account, affiliate_id, sales_channel, app_key, app_token, adapter and, where
    needed, adapter_settings, rules, order_api, connector_name and vtex_base_url.
    """
    body = parse_json(source.read())
    if not isinstance(body, dict):
        raise Stop("the description must be a JSON object: see connector connection add --help")
    try:
        spec = ConnectionSpec.model_validate(body)
    except ValidationError as error:
        raise Stop(explain(error)) from None

    async def work(hub: Hub) -> connections.Urls:
        added, urls = await connections.add(hub, spec)
        await approve_installs(hub, added)
        return urls

    urls = with_hub(work, Action("connection add", names=tuple(sorted(body))))
    print_json(urls.model_dump())
    note(f"added; now try it: connector connection check {urls.id} --fix")


@connection.command("list", short_help="List connections and waiting installs.")
@json_option
def list_(as_json: bool) -> None:
    """List connections, and app installs that wait for approval."""
    rows = with_hub(connection_rows)
    if as_json:
        print_json(rows)
        return
    print_table(
        rows,
        {
            "ID": "id",
            "STATE": "state",
            "ACCOUNT": "account",
            "AFFILIATE": "affiliate_id",
            "ADAPTER": lambda row: row.get("adapter_problem") or row.get("adapter"),
            "LISTINGS": lambda row: tally(row.get("listings", {})),
            "ORDERS": lambda row: tally(row.get("orders", {})),
            "PARKED": lambda row: sum(each["parked"] for each in row.get("pending", {}).values()),
        },
        empty="there are no connections: add one with connector connection add --file",
    )


@connection.command(short_help="Show settings, rules, counts, secrets' ages.")
@click.argument("connection_id", metavar="CONNECTION")
@click.option("--urls", "with_urls", is_flag=True, help="Also print its URLs; they carry secrets.")
@json_option
def show(connection_id: str, with_urls: bool, as_json: bool) -> None:
    """Show a connection: settings, rules, counts and the age of its secrets."""

    async def work(hub: Hub) -> Json:
        found = (await connections.find(hub, connection_id)).value
        details = await connection_details(hub, connection_id)
        details["adapter_settings"] = _masked_settings(hub, found)
        if with_urls:
            details["urls"] = connections.urls(hub, found).model_dump(exclude={"id"})
        return details

    details = with_hub(work, Action("connection urls", connection_id) if with_urls else None)
    if as_json:
        print_json(details)
    else:
        print_pairs(details)


@connection.command(
    "set",
    short_help="Change settings, rules and credentials.",
    epilog=examples(
        "connector connection set acme-mkt-1a2b rules.stock_buffer=2 rules.price_floor=null",
        'connector connection set acme-mkt-1a2b \'rules.categories={"12": "MLB1000"}\'',
        "connector connection set acme-mkt-1a2b app_key=vtexappkey-acme-XYZ app_token=-",
    ),
)
@click.argument("connection_id", metavar="CONNECTION")
@click.argument("pairs", nargs=-1, required=True, metavar="NAME=VALUE...")
@json_option
def set_(connection_id: str, pairs: tuple[str, ...], as_json: bool) -> None:
    """Change settings: values are JSON or plain text, and - reads a line from stdin, unseen.

    Names: sales_channel, order_api, connector_name, vtex_base_url, app_key, app_token, rules.NAME
    and adapter_settings.NAME.
    """
    texts = dict(_split(pair) for pair in pairs)

    async def work(hub: Hub) -> Json:
        found = (await connections.find(hub, connection_id)).value
        known = _fields(hub, found)
        changes = {name: _value(text, known.get(name)) for name, text in texts.items()}
        await connections.change(hub, connection_id, changes)
        return await connection_details(hub, connection_id)

    details = with_hub(work, Action("connection set", connection_id, tuple(texts)))
    if as_json:
        print_json(details)
    note(f"changed: {', '.join(texts)}")


@connection.command(
    short_help="Try everything the connection needs.",
    epilog=examples(
        "connector connection check acme-mkt-1a2b",
        "connector connection check acme-mkt-1a2b --fix",
    ),
)
@click.argument("connection_id", metavar="CONNECTION")
@click.option("--fix", is_flag=True, help="Point the affiliate at the hub; create it if missing.")
@json_option
def check(connection_id: str, fix: bool, as_json: bool) -> None:
    """Try everything the connection needs; exits with 1 when something fails."""
    allowed = read_settings().allow_hosts
    found = with_hub(
        lambda hub: check_connection(hub, connection_id, fix=fix, allow_hosts=allowed),
        Action("connection check --fix", connection_id) if fix else None,
    )
    if as_json:
        print_json(found)
    else:
        columns: Columns = {
            "": lambda row: _MARKS[row["ok"]],
            "CHECK": "name",
            "FOUND": "detail",
            "WHAT TO DO": "fix",
        }
        print_table(found, columns, empty="nothing was checked")
    failed = [row["name"] for row in found if row["ok"] is False]
    if failed:
        raise Failed(f"failed: {', '.join(failed)}")


@connection.command(
    short_help="Replace the secrets in its URLs.",
    epilog=examples(
        "connector connection rotate acme-mkt-1a2b --purpose notify",
        "connector connection rotate acme-mkt-1a2b --now",
    ),
)
@click.argument("connection_id", metavar="CONNECTION")
@click.option(
    "--purpose",
    "purposes",
    multiple=True,
    type=click.Choice([purpose.value for purpose in Purpose]),
    help="Which URL's secret; all of them without it. May be repeated.",
)
@click.option("--now", is_flag=True, help="Refuse the old secrets at once (they leaked).")
def rotate(connection_id: str, purposes: tuple[str, ...], now: bool) -> None:
    """Replace the secrets in the connection's URLs and print the new URLs as JSON.

    The old URLs work on for a week, unless --now; a services URL works as long as open orders
    carry it.
    """
    chosen = [Purpose(purpose) for purpose in purposes] or list(Purpose)
    overlap = timedelta(0) if now else OVERLAP
    urls = with_hub(
        lambda hub: connections.rotate(hub, connection_id, chosen, overlap=overlap),
        Action("connection rotate", connection_id, tuple(chosen)),
    )
    print_json(urls.model_dump())
    if Purpose.NOTIFY in chosen:
        note(f"tell VTEX: connector connection check {connection_id} --fix")


# --- settings as text -----------------------------------------------------------------------------


def _split(pair: str) -> tuple[str, str]:
    name, equals, text = pair.partition("=")
    if not (name and equals):
        raise Stop(f"{pair} is not NAME=VALUE")
    if text == "-":
        text = _unseen(name)
    if not text and name in {"app_key", "app_token"}:
        raise Stop(f"{name} must not be empty")
    return name, text


def _unseen(name: str) -> str:
    """A secret from stdin: prompted for without echo, or a line of a pipe."""
    if sys.stdin.isatty():
        return str(click.prompt(name, hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _fields(hub: Hub, found: Connection) -> Mapping[str, FieldInfo]:
    """Every setting by its dotted name."""
    try:
        own = hub.registry.get(found.adapter).settings_model.model_fields
    except LookupError as error:
        raise Refusal(str(error)) from error
    return {
        **ConnectionSpec.model_fields,
        **{f"rules.{name}": field for name, field in Rules.model_fields.items()},
        **{f"adapter_settings.{name}": field for name, field in own.items()},
    }


def _value(text: str, field: FieldInfo | None) -> Any:
    """The text as JSON where the setting takes that, else the text itself (``12`` as a name)."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return text
    if field is None or field.annotation is None or isinstance(parsed, str):
        return parsed
    try:
        TypeAdapter(field.annotation).validate_python(parsed)
    except ValidationError:
        return text
    return parsed


def _masked_settings(hub: Hub, found: Connection) -> Json:
    """The adapter's settings; whatever its model calls secret shows as asterisks."""
    model = hub.registry.found.get(found.adapter)
    if model is None:
        return {}
    settings = model.settings_model.model_validate(open_settings(hub, found))
    shown: Json = settings.model_dump(mode="json")
    return shown


for command in (authorize, *STATES):
    connection.add_command(command)
