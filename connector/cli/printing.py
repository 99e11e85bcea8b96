"""What commands print: JSON or tables on stdout, words about it on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connector.domain.money import Money
from connector.ports import Json

_PIPE_WIDTH = 240
"""Columns where nobody looks: programs that read tables want whole lines."""

Columns = Mapping[str, str | Callable[[Json], Any]]
"""A table's columns: title, and a row's key or how the cell is made from the row."""

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for programs, and nothing else, on stdout."
)


def examples(*lines: str) -> str:
    """An epilog of example command lines."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def print_json(value: Any) -> None:
    """A value as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def note(text: str) -> None:
    """Something for the person at the terminal, not for the program that reads stdout."""
    click.echo(text, err=True)


def print_table(rows: Sequence[Json], columns: Columns, *, empty: str) -> None:
    """Rows as a table; ``empty`` is said where there are none."""
    if not rows:
        note(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in columns:
        table.add_column(title, overflow="fold")
    for row in rows:
        cells = (
            column(row) if callable(column) else row.get(column) for column in columns.values()
        )
        # Text, not markup: titles and messages come from outside.
        table.add_row(*(Text(_cell(cell)) for cell in cells))
    _console().print(table)


def print_pairs(value: Mapping[str, Any]) -> None:
    """One thing's fields, a line each."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, content in _lines("", value):
        table.add_row(Text(name), Text(content))
    _console().print(table)


def _lines(prefix: str, value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every field of a thing and of the things in it; what is empty is left out."""
    for name, content in value.items():
        if isinstance(content, dict):
            yield from _lines(f"{prefix}{name}.", content)
        elif isinstance(content, list) and any(isinstance(each, dict) for each in content):
            for number, each in enumerate(content, 1):
                yield f"{prefix}{name} {number}", _cell(each)
        elif content not in (None, "", []):
            yield f"{prefix}{name}", _cell(content)


def amount(minor: int | None, currency: str) -> str:
    """Money for people; empty where it is not known."""
    if minor is None:
        return ""
    return str(Money(minor, currency)) if currency else str(minor)


def tally(counts: Mapping[str, int]) -> str:
    """Counts by state on one line."""
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, dict):
        known = {name: _cell(each) for name, each in value.items()}
        return ", ".join(f"{name}={text}" for name, text in known.items() if text)
    if isinstance(value, list | tuple):
        return "; ".join(_cell(each) for each in value)
    return str(value)


def _console() -> Console:
    # Made anew each time: stdout may have been replaced since the last one.
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, soft_wrap=False)
