"""``connector serve`` and ``connector settings``."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Literal

import click

from connector.cli.printing import examples, json_option, print_json
from connector.cli.running import read_settings
from connector.settings import PREFIX, Settings, reference_markdown

ROLES = ("all", "web", "worker")


@click.command(
    short_help="Run the hub until SIGTERM.",
    epilog=examples(
        "connector serve",
        "connector serve --role worker --adapter mercadolivre --adapter demo",
    ),
)
@click.option("--role", type=click.Choice(ROLES), default="all", show_default=True,
              help="Take calls (web), do the work (worker), or both.")  # fmt: skip
@click.option("--adapter", "adapters", multiple=True, metavar="NAME",
              help="A worker of only these marketplaces; may be repeated.")  # fmt: skip
def serve(role: Literal["all", "web", "worker"], adapters: tuple[str, ...]) -> None:
    """Run the hub until SIGTERM; what was begun is finished first.

    Everything else is set by environment variables: see connector settings.
    """
    from connector.bootstrap import serve as run_hub  # noqa: PLC0415 - help needs no drivers

    settings = read_settings()
    sys.exit(asyncio.run(run_hub(settings, role=role, adapters=adapters or None)))


@click.command(
    "settings",
    short_help="Print the reference of all settings.",
    epilog=examples("connector settings", "connector settings --new-key"),
)
@click.option("--new-key", is_flag=True, help="Only make a new key for CONNECTOR_SECRET_KEY.")
@json_option
def settings_(as_json: bool, new_key: bool) -> None:
    """Print every setting of the hub: its environment variable, default and meaning."""
    if new_key:
        from connector.bootstrap import generate_key  # noqa: PLC0415 - help needs no drivers

        click.echo(generate_key())
        return
    if not as_json:
        click.echo(reference_markdown())
        return
    print_json(
        [
            {
                "variable": f"{PREFIX}{name.upper()}",
                "default": _plain(field.get_default(call_default_factory=True, validated_data={})),
                "meaning": field.description or "",
            }
            for name, field in Settings.model_fields.items()
        ]
    )


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
