"""``connector mapping``: categories, attributes and values in the marketplace's words."""

from __future__ import annotations

from typing import BinaryIO, Literal, TextIO

import click

from connector.cli.printing import (
    Columns,
    examples,
    json_option,
    note,
    print_json,
    print_pairs,
    print_table,
)
from connector.cli.running import Action, with_hub
from connector.domain.mapping_file import write
from connector.flows.mapper import (
    accept_proposal,
    list_proposals,
    raw_proposal,
    register_mapper,
)
from connector.flows.mapping import Changed, export_rows, import_file
from connector.flows.mapping_market import find_categories
from connector.flows.mapping_status import mapping_status
from connector.flows.mapping_suggest import suggest as suggest_rows
from connector.ports import Json

_FORMATS = click.Choice(["csv", "json"])
_MOST_SHOWN = 200

_connection = click.argument("connection_id", metavar="CONNECTION")
_out = click.option(
    "--file", "target", type=click.File("w", encoding="utf-8", lazy=True), default="-",
    help="Where to write; - is stdout.",
)  # fmt: skip
_format = click.option(
    "--format", "form", type=_FORMATS, default="csv", show_default=True,
    help="CSV for spreadsheets, JSON for programs; both hold the same rows.",
)  # fmt: skip


@click.group(
    short_help="Map categories, attributes, values.",
    epilog=examples(
        "connector mapping status acme-mkt-1a2b                      what is missing",
        "connector mapping suggest acme-mkt-1a2b --file ideas.csv    propose rows; edit them",
        "connector mapping import acme-mkt-1a2b --file ideas.csv --dry-run",
        "connector mapping import acme-mkt-1a2b --file ideas.csv",
    ),
)
def mapping() -> None:
    """Say what the store's categories, specifications and values are on the marketplace.

    A SKU that lacks something is parked, and released as soon as the mapping arrives.
    """


@mapping.command(
    short_help="Write the mapping as a file.",
    epilog=examples(
        "connector mapping export acme-mkt-1a2b --file acme.csv",
        "connector mapping export acme-mkt-1a2b --format json",
    ),
)
@_connection
@_out
@_format
def export(connection_id: str, target: TextIO, form: Literal["csv", "json"]) -> None:
    """Write a connection's mapping as rows that import takes."""
    rows = with_hub(lambda hub: export_rows(hub, connection_id))
    target.write(write(rows, form))
    note(f"{len(rows)} rows")


@mapping.command(
    "import",
    short_help="Change the mapping by a file.",
    epilog=examples(
        "connector mapping import acme-mkt-1a2b --file acme.csv --dry-run",
        "connector mapping import acme-mkt-1a2b --file acme.json --replace",
    ),
)
@_connection
@click.option(
    "--file", "source", type=click.File("rb"), required=True, help="CSV or JSON; - reads stdin."
)
@click.option("--replace", is_flag=True, help="The file is the whole mapping: drop other rows.")
@click.option("--dry-run", is_flag=True, help="Check, and say what would change; change nothing.")
@json_option
def import_(
    connection_id: str, source: BinaryIO, replace: bool, dry_run: bool, as_json: bool
) -> None:
    """Change the mapping by the rows of a file, all of them or none.

    A row takes the place of the one about the same thing. What the marketplace does not have is
    refused, each row with its line.
    """
    body = source.read()
    names = ("replace",) if replace else ()
    changed = with_hub(
        lambda hub: import_file(hub, connection_id, body, replace=replace, dry_run=dry_run),
        None if dry_run else Action("mapping import", connection_id, names),
    )
    print_changed(changed, as_json=as_json)


def print_changed(changed: Changed, *, as_json: bool) -> None:
    """Say what a change does, or did."""
    shown = changed.shown()
    if as_json:
        print_json(shown)
        return
    for line in shown["changes"]:
        click.echo(line)
    if not shown["checked"]:
        note("not checked: the adapter cannot read the marketplace's categories")
    if not changed.changes:
        note("nothing changes")
    elif changed.applied:
        note(f"{len(changed.changes)} changes; {changed.skus} SKUs are planned again")
    else:
        note(f"{len(changed.changes)} changes would make {changed.skus} SKUs be planned again")


@mapping.command(
    short_help="Propose rows; change nothing.",
    epilog=examples(
        "connector mapping suggest acme-mkt-1a2b --file ideas.csv",
        "connector mapping suggest acme-mkt-1a2b --everything --no-ask",
    ),
)
@_connection
@_out
@_format
@click.option("--everything", is_flag=True, help="Also for categories that only default rules map.")
@click.option(
    "--ask/--no-ask", default=True, help="Ask the marketplace about sample products, or not."
)
def suggest(
    connection_id: str, target: TextIO, form: Literal["csv", "json"], everything: bool, ask: bool
) -> None:
    """Propose rows for what is not mapped, each with a score (0 to 1) and its reason.

    Nothing is changed: look at them, drop or correct them, and import the file.
    """
    found = with_hub(lambda hub: suggest_rows(hub, connection_id, everything=everything, ask=ask))
    target.write(write(found.rows, form))
    note(f"{len(found.rows)} proposals")
    if ask and not found.asked:
        note("the marketplace stopped answering: the rest are proposed by name alone")
    for text in found.without[:_MOST_SHOWN]:
        note(f"nothing is like category {text}")


@mapping.command(
    short_help="What is missing, most blocking first.",
    epilog=examples("connector mapping status acme-mkt-1a2b"),
)
@_connection
@json_option
def status(connection_id: str, as_json: bool) -> None:
    """List what is not mapped and how many SKUs it keeps back, most first."""
    shown = with_hub(lambda hub: mapping_status(hub, connection_id))
    if as_json:
        print_json(shown)
        return
    gaps: list[Json] = shown.pop("gaps")
    print_pairs(shown)
    print_table(
        gaps[:_MOST_SHOWN],
        {
            "BLOCKED SKUS": "blocked_skus",
            "INCOMPLETE": "incomplete_skus",
            "WHAT": "lack",
            "MISSING": "text",
            "FOR EXAMPLE": "samples",
        },
        empty="nothing is missing",
    )
    if len(gaps) > _MOST_SHOWN:
        note(f"and {len(gaps) - _MOST_SHOWN} more: --json shows all")


@mapping.command(
    short_help="Register with VTEX Mapper.",
    epilog=examples("connector mapping register acme-mkt-1a2b"),
)
@_connection
@json_option
def register(connection_id: str, as_json: bool) -> None:
    """Give the store VTEX's own page for mapping: register, and send the marketplace's tree.

    What is mapped there arrives as a proposal. Register again after rotating the mapper secret.
    """
    told = with_hub(
        lambda hub: register_mapper(hub, connection_id), Action("mapping register", connection_id)
    )
    if as_json:
        print_json(told)
        return
    note(f"registered as {told['id']}; {told['tree_categories']} categories were sent")


@mapping.command(
    short_help="What VTEX Mapper sent.",
    epilog=examples(
        "connector mapping proposals acme-mkt-1a2b",
        "connector mapping proposals acme-mkt-1a2b --raw 0a1b2c3d",
    ),
)
@_connection
@click.option("--raw", "key", metavar="KEY", help="Print one as it came.")
@json_option
def proposals(connection_id: str, key: str | None, as_json: bool) -> None:
    """List what was mapped on VTEX's page and would change here; nothing is applied by itself."""
    if key is not None:
        click.echo(with_hub(lambda hub: raw_proposal(hub, connection_id, key)))
        return
    rows = with_hub(lambda hub: list_proposals(hub, connection_id))
    if as_json:
        print_json(rows)
        return
    columns: Columns = {
        "KEY": "key",
        "RECEIVED": "received_at",
        "STATE": "state",
        "ROWS": "rows",
        "CHANGES": "changes",
        "PROBLEMS": "problems",
    }
    print_table(rows, columns, empty="VTEX Mapper has sent nothing")


@mapping.command(
    short_help="Apply what VTEX Mapper sent.",
    epilog=examples(
        "connector mapping accept acme-mkt-1a2b 0a1b2c3d --dry-run",
        "connector mapping accept acme-mkt-1a2b 0a1b2c3d --sound-only",
    ),
)
@_connection
@click.argument("key")
@click.option("--sound-only", is_flag=True, help="Leave out what the marketplace does not have.")
@click.option("--dry-run", is_flag=True, help="Say what would change; change nothing.")
@json_option
def accept(connection_id: str, key: str, sound_only: bool, dry_run: bool, as_json: bool) -> None:
    """Put a proposal into the mapping, like an import."""
    changed = with_hub(
        lambda hub: accept_proposal(
            hub, connection_id, key, sound_only=sound_only, dry_run=dry_run
        ),
        None if dry_run else Action("mapping accept", connection_id),
    )
    print_changed(changed, as_json=as_json)


@mapping.command(
    short_help="Look a marketplace category up.",
    epilog=examples(
        'connector mapping find acme-mkt-1a2b "running shoes"',
        "connector mapping find acme-mkt-1a2b 110 --refresh",
    ),
)
@_connection
@click.argument("words")
@click.option("--refresh", is_flag=True, help="Fetch the marketplace's tree anew first.")
@json_option
def find(connection_id: str, words: str, refresh: bool, as_json: bool) -> None:
    """Look a marketplace category up by its id or by words, with the attributes it wants."""
    rows = with_hub(lambda hub: find_categories(hub, connection_id, words, refresh=refresh))
    if as_json:
        print_json(rows)
        return
    columns = {"ID": "id", "CATEGORY": "path", "LEAF": "leaf", "ATTRIBUTES": "attributes"}
    print_table(rows, columns, empty="no category is like that")
