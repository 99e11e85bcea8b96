"""``connector store``: copies of the whole ledger."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from connector.cli.printing import examples, json_option, note, print_json, print_table
from connector.cli.running import Failed, Stop, read_settings, run

_TELL_EVERY = 10_000


@click.group()
def store() -> None:
    """Copy the ledger: into a file, or to a larger database."""


@store.command(
    short_help="Move the embedded ledger to MongoDB.",
    epilog=examples(
        "connector store copy sqlite:///connector.db mongodb://a,b,c/connector?replicaSet=rs0",
        "CONNECTOR_STORE_URL=mongodb://... connector store copy sqlite:///connector.db",
    ),
)
@click.argument("sqlite_url")
@click.argument("mongodb_url", envvar="CONNECTOR_STORE_URL")
@json_option
def copy(sqlite_url: str, mongodb_url: str, as_json: bool) -> None:
    """Copy everything in SQLITE_URL to the empty database MONGODB_URL, and compare both.

    Stop the hub first: the file is locked meanwhile. A copy that was broken off goes on where it
    was when the same command is given again. The file itself stays as it is.

    Where MONGODB_URL is left out, CONNECTOR_STORE_URL is taken: it keeps a password out of the
    shell's history.
    """
    from connector.bootstrap import ledger  # noqa: PLC0415 - help needs no drivers

    async def copied() -> list[ledger.Moved]:
        try:
            return await ledger.copy(sqlite_url, mongodb_url, _Teller())
        except ValueError as error:
            raise Stop(str(error)) from None
        except ledger.Differs as error:
            raise Failed(str(error)) from None

    moved = run(copied())
    rows = [asdict(one) for one in moved]
    if as_json:
        print_json(rows)
    else:
        columns = {"COLLECTION": "collection", "ROWS": "rows", "CHECKSUM": "checksum"}
        print_table(rows, columns, empty="the ledger is empty")
    note("all of it is there, and the same: now set CONNECTOR_STORE_URL for every process")
    if (key := ledger.key_beside(sqlite_url)) is not None:
        note(f"set CONNECTOR_SECRET_KEY, too: secrets open only with the key in {key}")
    note("start no hub on the file again, or every order is placed twice: keep it as a backup")


class _Teller:
    """Says now and then how far it has come."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def __call__(self, name: str, rows: int) -> None:
        if rows - self._told.get(name, -_TELL_EVERY) >= _TELL_EVERY:
            self._told[name] = rows
            note(f"{name}: {rows}")


@store.command(
    short_help="Copy the embedded ledger into a file, while it is used.",
    epilog=examples("connector store backup /backup/hub-monday.db"),
)
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
def backup(path: Path) -> None:
    """Copy the ledger to PATH, consistent and whole, whether or not a hub is running.

    To restore it, stop the hub and put the copy in the ledger's place. A MongoDB ledger is backed
    up with its own tools (mongodump, snapshots).
    """
    from connector.bootstrap import ledger  # noqa: PLC0415 - help needs no drivers

    settings = read_settings()
    if not settings.embedded:
        raise Stop("the ledger is no file: back MongoDB up with mongodump or with snapshots")
    if path.exists():
        raise Stop(f"{path} exists already")

    async def copied() -> None:
        try:
            await ledger.backup(settings.store_url, path)
        except ValueError as error:
            raise Stop(str(error)) from None
        except OSError as error:
            raise Stop(f"{path}: {error.strerror}") from None

    run(copied())
    note(f"{path} is a whole copy of the ledger")
    if (key := ledger.key_beside(settings.store_url)) is not None:
        note(f"its secrets open only with the key in {key}: keep a copy of that one elsewhere")
