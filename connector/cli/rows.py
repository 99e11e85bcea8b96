"""``connector listings``, ``orders`` and ``logs``: what the ledger knows, as rows."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from connector.cli.printing import Columns, amount, examples, json_option, print_json, print_table
from connector.cli.running import with_hub
from connector.domain.entries import Status
from connector.domain.listing import ListingState
from connector.domain.order import OrderState
from connector.flows.logs import day_bounds, log_rows, parse_statuses
from connector.flows.views import listing_rows, order_rows
from connector.ports import Json

_LIMIT = click.IntRange(min=1, max=100_000)


@click.command(
    short_help="What VTEX says and the marketplace has.",
    epilog=examples(
        "connector listings acme-mkt-1a2b --state parked",
        "connector listings acme-mkt-1a2b --json --limit 5000",
    ),
)
@click.argument("connection_id", metavar="CONNECTION")
@click.option("--state", type=click.Choice([state.value for state in ListingState]), default=None)
@click.option("--after", default="", metavar="SKU", help="Begin behind this SKU.")
@click.option("--limit", type=_LIMIT, default=200, show_default=True)
@json_option
def listings(connection_id: str, state: str | None, after: str, limit: int, as_json: bool) -> None:
    """List a connection's SKUs: what VTEX says and what the marketplace has."""
    rows = with_hub(
        lambda hub: listing_rows(hub, connection_id, state=state or "", after=after, limit=limit)
    )
    if as_json:
        print_json(rows)
        return
    columns: Columns = {
        "SKU": "sku",
        "STATE": "state",
        "LISTING": "market_id",
        "PRICE": lambda row: _pair(row, "price_minor"),
        "STOCK": _stock,
        "TITLE": "title",
        "REASONS": lambda row: [reason["text"] for reason in row["reasons"]],
    }
    print_table(rows, columns, empty="no listings")


@click.command(
    epilog=examples(
        "connector orders acme-mkt-1a2b --state parked", "connector orders acme-mkt-1a2b --json"
    )
)
@click.argument("connection_id", metavar="CONNECTION")
@click.option("--state", type=click.Choice([state.value for state in OrderState]), default=None)
@click.option("--after", default="", metavar="REF", help="Begin behind this order.")
@click.option("--limit", type=_LIMIT, default=200, show_default=True)
@json_option
def orders(connection_id: str, state: str | None, after: str, limit: int, as_json: bool) -> None:
    """List a connection's orders; buyers are masked."""
    rows = with_hub(
        lambda hub: order_rows(hub, connection_id, state=state or "", after=after, limit=limit)
    )
    if as_json:
        print_json(rows)
        return
    columns: Columns = {
        "ORDER": "ref",
        "STATE": "state",
        "MARKETPLACE": "market_status",
        "VTEX": lambda row: f"{row['vtex_order_id']} {row['vtex_status']}".strip(),
        "TOTAL": lambda row: amount(row["total_minor"], row["currency"]),
        "CREATED": "created_at",
        "TASKS": "tasks",
        "REASONS": "reasons",
    }
    print_table(rows, columns, empty="no orders")


@click.command(
    epilog=examples(
        "connector logs acme-mkt-1a2b --status error --status alert",
        "connector logs acme-mkt-1a2b --date 2026-01-31 --subject 4711",
    )
)
@click.argument("connection_id", metavar="CONNECTION")
@click.option(
    "--date", "day", type=click.DateTime(["%Y-%m-%d"]), default=None, help="One day, UTC."
)
@click.option(
    "--status", "statuses", multiple=True,
    type=click.Choice([*(status.value for status in Status), "alert", "all"]),
    help="May be repeated; alert and warning are the same.",
)  # fmt: skip
@click.option("--subject", default="", help="One SKU or order reference.")
@click.option("--limit", type=_LIMIT, default=200, show_default=True)
@json_option
def logs(  # noqa: PLR0917 - click passes them by keyword
    connection_id: str,
    day: datetime | None,
    statuses: tuple[str, ...],
    subject: str,
    limit: int,
    as_json: bool,
) -> None:
    """Print what happened, newest first, in a merchant's words."""
    since, until = day_bounds(day.replace(tzinfo=UTC).date()) if day else (None, None)
    wanted = tuple(sorted(parse_statuses(",".join(statuses)))) if statuses else ()
    rows = with_hub(
        lambda hub: log_rows(
            hub,
            connection_id,
            since=since,
            until=until,
            statuses=wanted,
            subject=subject,
            limit=limit,
        )
    )
    if as_json:
        print_json(rows)
        return
    columns: Columns = {
        "AT": "at",
        "STATUS": "status",
        "CODE": "code",
        "SUBJECT": "subject",
        "OPERATION": "operation",
        "MESSAGE": "message",
    }
    print_table(rows, columns, empty="no log entries")


def _pair(row: Json, field: str) -> str:
    """What the marketplace has, and what VTEX says where that differs."""
    has, says = row[field], row[f"vtex_{field}"]
    shown = amount(has, row["currency"])
    return shown if has == says or says is None else f"{shown} (VTEX {says})".strip()


def _stock(row: Json) -> str:
    blocked = " blocked" if row["blocked"] else ""
    return _pair({**row, "currency": ""}, "stock") + blocked
