"""``connector parked``: what waits for a person."""

from __future__ import annotations

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
from connector.cli.running import Action, Stop, with_hub
from connector.domain.pending import Context
from connector.flows.parked import list_parked, retry_parked, show_parked

_CONTEXTS = click.Choice([context.value for context in Context])


@click.group()
def parked() -> None:
    """See what waits for a person, why, and try it again."""


@parked.command("list", epilog=examples("connector parked list", "connector parked list --json"))
@click.argument("connection_id", metavar="[CONNECTION]", required=False)
@json_option
def list_(connection_id: str | None, as_json: bool) -> None:
    """List parked listings, orders and jobs with all their reasons."""
    rows = with_hub(lambda hub: list_parked(hub, connection_id))
    if as_json:
        print_json(rows)
        return
    columns: Columns = {
        "CONNECTION": "connection",
        "KIND": "context",
        "KEY": "key",
        "SINCE": "waiting_since",
        "NEXT TRY": "next_try_at",
        "REASONS": "reasons",
    }
    print_table(rows, columns, empty="nothing is parked")


@parked.command(
    epilog=examples(
        "connector parked show acme-mkt-1a2b 4711",
        "connector parked show acme-mkt-1a2b DM-000017 --context orders",
    )
)
@click.argument("connection_id", metavar="CONNECTION")
@click.argument("key")
@click.option(
    "--context", type=_CONTEXTS,
    help="What KEY is: a SKU (listings), an order reference (orders) or a job (upkeep).",
)  # fmt: skip
@json_option
def show(connection_id: str, key: str, context: str | None, as_json: bool) -> None:
    """Show everything known about one key, buyers masked."""
    wanted = Context(context) if context else None
    shown = with_hub(lambda hub: show_parked(hub, connection_id, wanted, key))
    if as_json:
        print_json(shown)
        return
    details = {**shown.pop("listing", {}), **shown.pop("order", {})}
    print_pairs({**details, **shown})


@parked.command(
    epilog=examples(
        "connector parked retry acme-mkt-1a2b 4711",
        "connector parked retry acme-mkt-1a2b 4711 --approve-price",
        "connector parked retry acme-mkt-1a2b --all --context orders",
    )
)
@click.argument("connection_id", metavar="CONNECTION")
@click.argument("key", required=False)
@click.option("--all", "every", is_flag=True, help="Everything that is parked.")
@click.option("--context", type=_CONTEXTS, help="Only listings, orders or upkeep.")
@click.option(
    "--approve-price", is_flag=True, help="Let VTEX's present price pass the price guard."
)
@json_option
def retry(  # noqa: PLR0917 - click passes them by keyword
    connection_id: str,
    key: str | None,
    every: bool,
    context: str | None,
    approve_price: bool,
    as_json: bool,
) -> None:
    """Try a parked key again now, after its reason was mended."""
    if (key is None) != every:
        raise Stop("name one KEY, or use --all")
    count = with_hub(
        lambda hub: retry_parked(
            hub,
            connection_id,
            context=Context(context) if context else None,
            key=key,
            approve_price=approve_price,
        ),
        Action("parked retry", connection_id, ("approve-price",) if approve_price else ()),
    )
    if as_json:
        print_json({"retried": count})
    note(f"{count} tried again as soon as a worker is free")
