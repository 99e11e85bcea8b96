"""``connector adapter new``, ``check``, ``docs`` and ``table``: for those who write adapters."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from connector.cli.printing import Columns, examples, json_option, note, print_json, print_table
from connector.cli.running import Failed, Stop
from connector.ports import Json
from connector.sdk.kit import RULES, Report, Row, Verdict, check_adapter, find_subject
from connector.sdk.kit.docs import DOCS_FILE, document
from connector.sdk.kit.new import CannotMake, make_adapter
from connector.sdk.kit.subject import NotFound
from connector.sdk.kit.table import own_subjects, quality_table, readme_file, renewed

_folder = click.Path(file_okay=False, path_type=Path)


@click.command(epilog=examples("connector adapter new acme", "connector adapter new acme --dir ."))
@click.argument("name")
@click.option(
    "--dir", "parent", type=_folder, help="Where the folder is made; adapters by default."
)
def new(name: str, parent: Path | None) -> None:
    """Make the folder of a new adapter: small, working, and of the first level at once."""
    try:
        made = make_adapter(name, parent)
    except CannotMake as error:
        raise Stop(str(error)) from None
    for path in made.files:
        click.echo(str(path))
    note(f"\n{made.package} works already: it speaks to a marketplace that its simulator makes up.")
    note("Fill in adapter.py, and see what is still missing:")
    note(f"  connector adapter check {name}{made.hint}")


@click.command(
    epilog=examples("connector adapter check demo", "connector adapter check acme -r text")
)
@click.argument("name")
@click.option("-r", "--rule", "rules", multiple=True, help="Only this rule; may be repeated.")
@click.option("--dir", "parent", type=_folder, help="Look for the package in this folder, too.")
@json_option
def check(name: str, rules: tuple[str, ...], parent: Path | None, as_json: bool) -> None:
    """Measure an adapter: what is wrong, in plain words, and what to do about it.

    Ends with 1 where a rule of the level that it declares in quality.toml is broken.
    """
    unknown = sorted(set(rules) - set(RULES))
    if unknown:
        raise Stop(f"there is no rule {', '.join(unknown)}; there are: {', '.join(RULES)}")
    if parent is not None:
        sys.path.insert(0, str(parent.resolve()))
    report = asyncio.run(check_adapter(name, rules, installed=parent is None))
    if as_json:
        print_json(_as_json(report))
    elif report.broken:
        click.echo("\n".join(report.broken))
    else:
        columns: Columns = {
            "LEVEL": "level",
            "RULE": "rule",
            "RESULT": "result",
            "IN WORDS": _words,
        }
        print_table([_cells(report, row) for row in report.rows], columns, empty="no such rule")
        if not rules:
            click.echo(f"\n{_summary(report)}")
    if report.broken:
        raise Failed(f"{name} could not be checked")
    if not report.ok:
        raise Failed(f"{name} does not keep what it declares")


@click.command(
    epilog=examples("connector adapter docs demo", "connector adapter docs demo --write")
)
@click.argument("name")
@click.option("--write", is_flag=True, help=f"Write it to {DOCS_FILE} in the adapter's folder.")
def docs(name: str, write: bool) -> None:
    """Print an adapter's documentation, made from what it declares."""
    try:
        subject = find_subject(name)
    except NotFound as error:
        raise Stop(str(error)) from None
    text = document(subject.adapter)
    if not write:
        click.echo(text, nl=False)
        return
    path = subject.folder / DOCS_FILE
    path.write_text(text, encoding="utf-8")
    note(f"wrote {path}")


@click.command()
@click.option("--write", is_flag=True, help="Write it into adapters/README.md.")
def table(write: bool) -> None:
    """Print the table of all adapters of this project and their levels."""
    try:
        content = quality_table(own_subjects())
    except NotFound as error:
        raise Stop(str(error)) from None
    if not write:
        click.echo(content)
        return
    path = readme_file()
    path.write_text(renewed(path.read_text(encoding="utf-8"), content), encoding="utf-8")
    note(f"wrote {path}")


def _cells(report: Report, row: Row) -> Json:
    late = row.verdict is Verdict.FAILED and row.step.level > report.declared
    return {
        "level": str(row.step.level),
        "rule": row.step.rule,
        "result": "not yet" if late else str(row.verdict),
        "asks": row.step.asks,
        "says": list(row.says),
    }


def _words(row: Json) -> str:
    if not row["says"]:
        return str(row["asks"])
    if row["result"] in {Verdict.SKIPPED, Verdict.EXEMPT}:
        return "; ".join(row["says"])
    return "\n".join([row["asks"], *(f"* {words}" for words in row["says"])])


def _summary(report: Report) -> str:
    reached = str(report.reached) if report.reached else "no level yet"
    if report.ok:
        return f"{report.name} declares {report.declared} and keeps it; it reaches {reached}."
    failures = len(report.failures())
    return (
        f"{report.name} declares {report.declared}, but {failures} of its rules"
        f" {'is' if failures == 1 else 'are'} broken; it reaches {reached}."
    )


def _as_json(report: Report) -> Json:
    return {
        "name": report.name,
        "ok": report.ok,
        "declared": str(report.declared),
        "reached": str(report.reached) if report.reached else None,
        "broken": list(report.broken),
        "rules": [_cells(report, row) for row in report.rows],
    }
