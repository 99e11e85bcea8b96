"""The ``connector`` command."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import click

from connector.cli.adapter import adapter
from connector.cli.connection import connection
from connector.cli.demo import demo
from connector.cli.mapping import mapping
from connector.cli.parked import parked
from connector.cli.printing import examples
from connector.cli.rows import listings, logs, orders
from connector.cli.serve import serve, settings_
from connector.cli.sim import sim
from connector.cli.store import store
from connector.cli.sync import sync


def _version() -> str:
    try:
        return version("vtex-marketplace-hub")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"


@click.group(
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


for command in (
    adapter,
    connection,
    demo,
    listings,
    logs,
    mapping,
    orders,
    parked,
    serve,
    settings_,
    sim,
    store,
    sync,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line."""
    cli(prog_name="connector")


if __name__ == "__main__":
    main()
