"""Mapping files: CSV for spreadsheets, JSON for programs; the same rows in both. Pure."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Literal

from connector.domain.mapping_rows import COLUMNS, Problem, Row, unsound

Format = Literal["csv", "json"]
MOST_ROWS = 500_000
_MOST_PROBLEMS = 200
"""Beyond that a file is of another kind: the first ones tell."""

# A spreadsheet would run cells that begin like a formula: they get an apostrophe before them.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_QUOTED = re.compile(r"'+[=+\-@\t\r]")

Lined = list[tuple[int, Row]]


def write(rows: Iterable[Row], form: Format) -> str:
    """Rows as a file's text."""
    return _write_json(rows) if form == "json" else _write_csv(rows)


def read(body: bytes) -> tuple[Lined, list[Problem]]:
    """Rows with their lines, and everything that is wrong with them; JSON where it begins so."""
    try:
        text = body.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        return [], [Problem(line, "is not UTF-8: save the file as CSV UTF-8")]
    lined, problems = _read_json(text) if text.lstrip()[:1] in ("[", "{") else _read_csv(text)
    if len(lined) > MOST_ROWS:
        return [], [Problem(0, f"more than {MOST_ROWS} rows: split the file")]
    if not lined and not problems:
        problems = [Problem(0, "there are no rows in it")]
    problems = sorted([*problems, *unsound(lined)], key=lambda problem: problem.line)
    return lined, problems[:_MOST_PROBLEMS]


# --- CSV ------------------------------------------------------------------------------------------


def _write_csv(rows: Iterable[Row]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_guarded(str(cell)) for cell in asdict(row).values()])
    return out.getvalue()


def _guarded(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if _QUOTED.match(cell) else cell


def _read_csv(text: str) -> tuple[Lined, list[Problem]]:
    head = text.partition("\n")[0]
    delimiter = max((",", ";", "\t"), key=head.count)  # spreadsheets in Brazil and Europe write ;
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lined: Lined = []
    problems: list[Problem] = []
    columns: list[str] | None = None
    begins = 1
    try:
        for cells in reader:
            line, begins = begins, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = [cell.strip().lower() for cell in cells]
                problems = [Problem(line, wrong) for wrong in _wrong_columns(columns)]
                if problems:
                    return [], problems
            elif len(cells) != len(columns):
                told = f"has {len(cells)} cells, the first line has {len(columns)}"
                problems.append(Problem(line, told))
            else:
                lined.append((line, _row(dict(zip(columns, map(_cell, cells), strict=True)))))
    except csv.Error as error:
        problems.append(Problem(begins, f"is no CSV: {error}"))
    return lined, problems


def _cell(cell: str) -> str:
    return _unguarded(cell.strip())


def _wrong_columns(columns: Sequence[str]) -> Iterable[str]:
    for name in dict.fromkeys(columns):
        if name not in COLUMNS:
            yield f"there is no column {name!r}: the columns are {', '.join(COLUMNS)}"
        elif columns.count(name) > 1:
            yield f"the column {name} is there more than once"
    if "kind" not in columns:
        yield f"the column kind is missing: the columns are {', '.join(COLUMNS)}"


def _row(cells: dict[str, str]) -> Row:
    return Row(**{"kind": "", **cells})


# --- JSON -----------------------------------------------------------------------------------------


def _write_json(rows: Iterable[Row]) -> str:
    """One row on a line, so that line numbers mean something."""
    lines = (
        json.dumps({name: cell for name, cell in asdict(row).items() if cell}, ensure_ascii=False)
        for row in rows
    )
    body = ",\n".join(lines)
    return f"[\n{body}\n]\n"


def _read_json(text: str) -> tuple[Lined, list[Problem]]:
    """A JSON array of rows, read one by one, so that every row knows its line."""
    decoder = json.JSONDecoder(object_pairs_hook=_once)
    lined: Lined = []
    problems: list[Problem] = []
    at = _next(text, 0)
    if text[at] != "[":
        return [], [Problem(1, "the file must be a JSON array of rows")]
    at, line, counted = _next(text, at + 1), 1, 0
    while text[at : at + 1] != "]":
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            return lined, [*problems, Problem(line, f"is no JSON: {_told(error)}")]
        row = _object(value)
        if isinstance(row, Row):
            lined.append((line, row))
        else:
            problems.extend(Problem(line, wrong) for wrong in row)
        at = _next(text, at)
        if text[at : at + 1] == ",":
            at = _next(text, at + 1)
        elif text[at : at + 1] != "]":
            return lined, [*problems, Problem(line, "is not followed by a comma or the end")]
    if text[at + 1 :].strip():
        problems.append(Problem(line, "something follows the end of the array"))
    return lined, problems


def _next(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there more than once")
    return found


def _told(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error) or "too deep"


def _object(value: Any) -> Row | list[str]:
    """A row, or what is wrong with it."""
    if not isinstance(value, dict):
        return ["a row must be an object"]
    strange = sorted(str(name) for name in value.keys() - set(COLUMNS))
    wrong = [f"there is no column {name!r}" for name in strange]
    cells = {name: cell for name, cell in value.items() if name in COLUMNS}
    wrong += [f"{name} must be text" for name, cell in cells.items() if not isinstance(cell, str)]
    return wrong or _row({name: cell.strip() for name, cell in cells.items()})
