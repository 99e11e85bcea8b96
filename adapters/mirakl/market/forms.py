"""Reads what was uploaded: multipart forms and CSV files."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from connector.sdk import Request


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a form, or a file."""

    name: str
    filename: str
    content: bytes


def form_parts(request: Request) -> list[Part]:
    """The parts of a multipart request; none of anything else."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    found = re.search(r"boundary=\"?([^\";]+)", headers.get("content-type", ""))
    if not found:
        return []
    parts = []
    for piece in request.body.split(b"--" + found[1].encode())[1:-1]:
        head, _, content = piece.strip(b"\r\n").partition(b"\r\n\r\n")
        text = head.decode("utf-8", "replace")
        name = re.search(r'name="([^"]*)"', text)
        file = re.search(r'filename="([^"]*)"', text)
        parts.append(Part(name[1] if name else "", file[1] if file else "", content))
    return parts


def uploaded(request: Request) -> bytes | None:
    """The file of a form, None where there is none."""
    return next((part.content for part in form_parts(request) if part.name == "file"), None)


def rows_of_csv(content: bytes) -> list[dict[str, str]]:
    """The lines of a file with semicolons."""
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig", "replace")), delimiter=";")
    return [{str(key): value or "" for key, value in row.items()} for row in reader]


def csv_of_rows(header: list[str], rows: list[list[str]]) -> bytes:
    """A report."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([header, *rows])
    return out.getvalue().encode()
