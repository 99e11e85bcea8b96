"""The ``connector`` command."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from pkgutil import resolve_name

import click

from connector.cli.printing import examples

_COMMANDS = {
    "adapter": "adapter:adapter",
    "connection": "connection:connection",
    "demo": "demo:demo",
    "listings": "rows:listings",
    "logs": "rows:logs",
    "mapping": "mapping:mapping",
    "orders": "rows:orders",
    "parked": "parked:parked",
    "serve": "serve:serve",
    "settings": "serve:settings_",
    "sim": "sim:sim",
    "store": "store:store",
    "sync": "sync:sync",
}
"""Where each command is, in this package."""


class _Commands(click.Group):
    """Loads what is asked for and no more: a hub that starts has no use for simulators."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        command: click.Command = resolve_name(f"connector.cli.{place}")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and name[:1].isalpha():
            near = ", ".join(get_close_matches(name, _COMMANDS))
            ctx.fail(f"No such command {name!r}." + (f" Did you mean {near}?" if near else ""))
        return super().resolve_command(ctx, args)


def _version() -> str:
    try:
        return version("vtex-marketplace-hub")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "connector demo                                   see it work, on this machine",
        "connector connection add --file acme.json        connect a store to a marketplace",
        "connector connection check ID --fix              try it, and register it with VTEX",
        "connector serve                                  run it",
        "connector sync ID --follow                       load the store's products",
        "connector parked list                            what waits for a person",
    ),
)
@click.version_option(_version(), prog_name="connector")
def cli() -> None:
    """Connect VTEX stores to marketplaces outside VTEX.

    Commands work on the ledger directly, whether or not a hub is running. They exit with 0 when
    all is well, 1 when a check failed, and 2 when what was asked for cannot be done.
    """


def main() -> None:
    """Run the command line."""
    cli(prog_name="connector")


if __name__ == "__main__":
    main()
