"""Mirakl's wire: scalars, files and answers, whatever they are about."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from html import unescape
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from connector.sdk import Money, Response, RetryLater, from_major

# --- scalars ------------------------------------------------------------------------------------


def _amount(value: object) -> Decimal:
    """An amount in major units; it is told as a number or as text, and null means none."""
    if value is None or value == "":
        return Decimal(0)
    return told_amount(value)


def told_amount(value: object) -> Decimal:
    """An amount that must be there; raises rather than guesses: it is someone's money."""
    text = str(value).strip()
    if re.fullmatch(r"-?\d+,\d{1,2}", text):
        text = text.replace(",", ".")
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError("is no amount") from None
    if isinstance(value, bool) or not amount.is_finite():
        raise ValueError("is no amount")
    return amount


def moment(value: object) -> datetime:
    """A moment from ISO 8601, UTC where no zone is told."""
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _maybe(value: object) -> datetime | None:
    return moment(value) if value else None


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _blank(value: object) -> object:
    return {} if value is None else value


def _rows(value: object) -> object:
    return () if value is None else value


Amount = Annotated[Decimal, BeforeValidator(_amount)]
ToldAmount = Annotated[Decimal, BeforeValidator(told_amount)]
Moment = Annotated[datetime, BeforeValidator(moment)]
MaybeMoment = Annotated[datetime | None, BeforeValidator(_maybe)]
Text = Annotated[str, BeforeValidator(_text)]
Rows = BeforeValidator(_rows)
"""Of a list that may be null."""
Blank = BeforeValidator(_blank)
"""Of an object that may be null."""


class Wire(BaseModel):
    """Something Mirakl says; what it says beyond that is ignored, as Mirakl asks for."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def major(minor: int, currency: str) -> str:
    """Minor units as decimal text: ``19990`` -> ``"199.90"``."""
    return str(Money(minor, currency).major())


def number(minor: int, currency: str) -> float:
    """Minor units as a JSON number: ``19990`` -> ``199.9``."""
    return float(Money(minor, currency).major())


def minor(amount: Decimal, currency: str) -> int:
    """Major units as minor units, rounded half up."""
    return from_major(amount, currency).minor


def plain_text(html: str, most: int) -> str:
    """A description without tags."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())[:most]


# --- answers ------------------------------------------------------------------------------------


def object_of(response: Response) -> dict[str, Any]:
    """The JSON object of a good answer; anything else (a proxy's page, say) is worth a retry."""
    payload = response.json()
    if not isinstance(payload, dict):
        raise RetryLater("Mirakl's answer cannot be read", detail=response.text[:300])
    return payload


def rows_of(response: Response, name: str) -> list[dict[str, Any]]:
    """The objects of a list of a good answer."""
    rows = object_of(response).get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RetryLater("Mirakl's answer cannot be read", detail=response.text[:300])
    return rows


def total_of(response: Response) -> int:
    """How many rows a list has in all; 0 where that is not told."""
    told = object_of(response).get("total_count")
    try:
        return int(told or 0)
    except (TypeError, ValueError):
        raise RetryLater("Mirakl's answer cannot be read", detail=response.text[:300]) from None


def object_in(value: object) -> dict[str, Any]:
    """An object inside of an answer; an empty one where there is none."""
    return value if isinstance(value, dict) else {}


def objects_in(value: object) -> list[dict[str, Any]]:
    """The objects of a list inside of an answer; none where there is no list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def import_id_of(response: Response) -> str:
    """The id that a good answer to an import names."""
    told = object_of(response).get("import_id")
    if told in (None, ""):
        raise RetryLater("Mirakl took an import but named no id", detail=response.text[:300])
    return str(told)


# --- files --------------------------------------------------------------------------------------


def csv_file(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A CSV file as Mirakl's imports take it: semicolons, quotes, UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()


def csv_rows(body: bytes) -> list[dict[str, str]]:
    """The rows of a report by lower-case column; its separator is the operator's choice."""
    text = body.decode("utf-8-sig", "replace")
    head = text.split("\n", 1)[0]
    separator = max((";", ",", "\t", "|"), key=head.count)
    reader = csv.DictReader(io.StringIO(text), delimiter=separator, restkey="")
    try:
        return [
            {str(name or "").strip().lower(): _text(value) for name, value in row.items()}
            for row in reader
        ]
    except csv.Error:
        return []


_BOUNDARY = "----vtex-connector-7d1f0c5a9b3e"


def multipart(
    files: Sequence[tuple[str, str, str, bytes]], fields: Mapping[str, str]
) -> tuple[dict[str, str], bytes]:
    """Headers and body of ``multipart/form-data``; files are (field, name, type, content)."""
    parts = []
    for name, value in fields.items():
        head = f'Content-Disposition: form-data; name="{name}"\r\n'
        if value.startswith("{"):
            head += "Content-Type: application/json\r\n"
        parts.append(f"--{_BOUNDARY}\r\n{head}\r\n{value}\r\n".encode())
    for field, name, kind, content in files:
        head = f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        parts.append(f"--{_BOUNDARY}\r\n{head}Content-Type: {kind}\r\n\r\n".encode())
        parts.append(content + b"\r\n")
    parts.append(f"--{_BOUNDARY}--\r\n".encode())
    return {"content-type": f"multipart/form-data; boundary={_BOUNDARY}"}, b"".join(parts)
