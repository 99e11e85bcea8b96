"""``connector demo``: the whole hub between two simulators, on this machine."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from connector.cli.printing import examples
from connector.sandbox.server import FAULT_LEVELS


@click.command(
    short_help="See it work between two simulators.",
    epilog=examples(
        "connector demo",
        "connector demo --skus 2000 --orders 200 --faults hard --seed 7",
        "connector demo --json report.json --keep ./demo-run",
        "connector demo --web 2 --workers 3 --store mongodb://... --broker amqp://...",
    ),
)
@click.option("--skus", type=click.IntRange(min=1), default=300, show_default=True,
              help="SKUs in the simulated store.")  # fmt: skip
@click.option("--orders", type=click.IntRange(min=0), default=60, show_default=True,
              help="Orders that buyers place on the simulated marketplace.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same events.")
@click.option("--faults", type=click.Choice(FAULT_LEVELS), default="normal", show_default=True,
              help="How often both sides fail, time out and repeat themselves.")  # fmt: skip
@click.option("--time-scale", type=click.FloatRange(min=0, min_open=True), default=300.0,
              show_default=True, help="How much faster than the wall time passes.")  # fmt: skip
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Keep ledger and logs there.")  # fmt: skip
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path),
              metavar="FILE", help="Also write the report there.")  # fmt: skip
@click.option("--adapter", default="demo", show_default=True,
              help="Any adapter that brings a simulator.")  # fmt: skip
@click.option("--kill-every", type=click.FloatRange(min=0.5), default=4.0, show_default=True,
              help="Seconds between kills, with --faults hard.")  # fmt: skip
@click.option("--web", type=click.IntRange(min=0), default=0, show_default=True,
              help="Web processes; 0: one process does everything.")  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True,
              help="Worker processes, with --web.")  # fmt: skip
@click.option("--store", "store_url", default="", metavar="URL",
              help="An empty MongoDB database, in place of the embedded ledger.")  # fmt: skip
@click.option("--broker", "broker_url", default="", metavar="URL",
              help="A RabbitMQ vhost, in place of the embedded broker.")  # fmt: skip
def demo(  # noqa: PLR0917 - click passes them by keyword
    skus: int,
    orders: int,
    seed: int,
    faults: str,
    time_scale: float,
    keep: Path | None,
    json_file: Path | None,
    adapter: str,
    kill_every: float,
    web: int,
    workers: int,
    store_url: str,
    broker_url: str,
) -> None:
    """Run a store, a marketplace and the hub between them, break things, and report.

    Nothing leaves this machine. Exits with 1 if anything was lost, doubled or wrong.
    """
    from connector.sandbox.demo import DemoOptions, run_demo  # noqa: PLC0415 - brings the drivers

    options = DemoOptions(
        skus=skus,
        orders=orders,
        seed=seed,
        faults=faults,
        time_scale=time_scale,
        keep=keep,
        json_file=json_file,
        adapter=adapter,
        kill_every_s=kill_every,
        web=web,
        workers=workers,
        store_url=store_url,
        broker_url=broker_url,
    )
    sys.exit(asyncio.run(run_demo(options)))
