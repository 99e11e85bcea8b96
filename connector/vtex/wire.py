"""Tolerant readers of single JSON values as VTEX writes them (protocol 0.3)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

MAX_INTEGER = 10**15
"""Amounts and ids beyond this are nonsense; databases could not keep them either."""

_INTEGER = re.compile(r"-?\d{1,18}(?:\.0{1,18})?", re.ASCII)
_DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?"
    r"[ ]?([Zz]|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
_TRUE = frozenset({"true", "1", "yes"})
_FALSE = frozenset({"false", "0", "no"})
_NOTHING: Mapping[str, Any] = {}


def as_text(value: Any) -> str:
    """A string or number as trimmed text; an empty string for anything else."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ""
    whole = as_int(value)
    if whole is not None:
        return str(whole)
    return str(value) if isinstance(value, float) and math.isfinite(value) else ""


def as_int(value: Any) -> int | None:
    """An integer, also from ``"12"``, ``"12.0"`` and ``12.0``; None where it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        if not _INTEGER.fullmatch(text):
            return None
        value = int(text.partition(".")[0])
    if isinstance(value, float):
        if not value.is_integer():
            return None
        value = int(value)
    if not isinstance(value, int):
        return None
    return value if -MAX_INTEGER <= value <= MAX_INTEGER else None


def as_number(value: Any) -> float | None:
    """A finite number, also from text; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) <= MAX_INTEGER else None


def as_bool(value: Any) -> bool | None:
    """A boolean, also from ``"true"``, ``"True"``, 0 and 1 (protocol 3.2); None where unknown."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return bool(value) if value in {0, 1} else None
    if isinstance(value, str):
        text = value.strip().lower()
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
    return None


def as_map(value: Any) -> Mapping[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else _NOTHING


def as_list(value: Any) -> list[Any]:
    """A JSON array; an empty one for anything else."""
    return value if isinstance(value, list) else []


def maps(value: Any) -> list[dict[str, Any]]:
    """The objects of a JSON array; other elements are dropped."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def lowered(value: Any) -> dict[str, Any]:
    """An object with its own keys in lower case: VTEX's casing varies (protocol 0.3)."""
    if not isinstance(value, dict):
        return {}
    return {key.lower(): item for key, item in value.items()}


def parse_date(value: Any) -> datetime | None:
    """A moment in UTC from any date VTEX writes; None where it is none.

    Seven decimals are cut to six, a date without zone is taken as UTC (protocol 0.3).
    """
    if not isinstance(value, str):
        return None
    if len(value) == 28 and value[-1] == "Z":
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return None
    match = _DATE.fullmatch(value.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    stamp = f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}"
    stamp += f".{(fraction or '0')[:6]:0<6}"
    offset = "+00:00" if zone is None or zone in "zZ" else zone
    try:
        return datetime.fromisoformat(stamp + offset).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def times(minor: int, multiplier: float) -> int:
    """Minor units times a unit multiplier, rounded half up to the minor unit."""
    if multiplier == 1:
        return minor
    return int((Decimal(minor) * Decimal(str(multiplier))).quantize(Decimal(1), ROUND_HALF_UP))


def share(minor: int, parts: int) -> int:
    """One of ``parts`` equal parts of an amount, rounded half up."""
    if parts == 1:
        return minor
    return int((Decimal(minor) / parts).quantize(Decimal(1), ROUND_HALF_UP))


def iso(moment: datetime) -> str:
    """A moment as VTEX takes it: UTC, seven decimals, Z."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def share_exact(minor: int, multiplier: float) -> int:
    """What one measurement unit costs when ``multiplier`` of them cost ``minor``, rounded."""
    exact = Decimal(minor) / Decimal(str(multiplier))
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))
