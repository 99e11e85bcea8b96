"""What VTEX can answer instead of what was asked for, and how to read it (protocol 1.6).

VtexError
├── Throttled   429: stop, nobody calls before ``after_s``
├── Unwell      5xx, a time-out told in a body, an answer that makes no sense: try again later
├── Denied      401 or 403: the key is wrong or lacks a permission
├── Missing     404: there is no such thing
└── Refused     any other refusal: ``codes`` say why

Calls that brought no answer at all raise ``domain.http.HttpFailure`` instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NewType

from connector.domain.http import Response
from connector.vtex.wire import as_list, as_number, as_text, lowered

Code = NewType("Code", str)
"""An error code in its official spelling, see ``normalise_code``."""

DEFAULT_WAIT_S = 60.0
"""How long to stop after a 429 without Retry-After (protocol 1.4)."""

_CODE = re.compile(
    r"(SOI|EOI|FMT|CHK|ORDER|ORD|OMS|PRT)[-_ ]?0*(\d{1,6})((?:\.\d{1,3})?)", re.IGNORECASE
)
_UNWELL_CODES = frozenset({"CHK00310", "CHK00311", "ORD021.3", "CHK0290.4"})
_DENIED_CODES = frozenset({"CHK003", "CHK00317", "ORD062"})
_TIMEOUT = re.compile(
    r"operation was cancell?ed|task was cancell?ed|timed? ?out|opera\w+ foi canc", re.IGNORECASE
)
_HTML_TITLE = re.compile(r"<title[^<>]*>([^<>]{0,200})<", re.IGNORECASE)
_MOST_DETAILS = 50
_MOST_CHARS = 500


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """One reason VTEX gave; ``message`` is in the store's language: never decide by it."""

    code: Code
    message: str = ""
    source: str = ""


class VtexError(Exception):
    """VTEX answered, but not with what was asked for."""

    def __init__(self, operation: str, status: int, details: tuple[ErrorDetail, ...] = ()) -> None:
        told = "; ".join(f"{each.code} {each.message}".strip() for each in details)
        super().__init__(f"{operation or 'VTEX'}: HTTP {status}" + (f": {told}" if told else ""))
        self.operation = operation
        self.status = status
        self.details = details

    @property
    def codes(self) -> tuple[Code, ...]:
        """The codes VTEX gave, normalised."""
        return tuple(each.code for each in self.details if each.code)

    @property
    def messages(self) -> tuple[str, ...]:
        """What VTEX said, in the store's language."""
        return tuple(each.message for each in self.details if each.message)


class Throttled(VtexError):
    """VTEX said stop (429)."""

    def __init__(
        self,
        operation: str,
        status: int,
        details: tuple[ErrorDetail, ...] = (),
        *,
        after_s: float = DEFAULT_WAIT_S,
    ) -> None:
        super().__init__(operation, status, details)
        self.after_s = after_s


class Unwell(VtexError):
    """VTEX is not able to answer now; the outcome of a write is unknown."""


class Denied(VtexError):
    """The credentials are wrong, expired, or lack a permission (protocol 1.3)."""


class Missing(VtexError):
    """VTEX knows no such thing."""


class Refused(VtexError):
    """VTEX understood and refused."""


def normalise_code(text: str) -> Code:
    """A code in the spelling of VTEX's own list: FMT0007 is FMT007, ORDER027 is ORD027."""
    match = _CODE.fullmatch(text.strip())
    if match is None:
        return Code(text.strip()[:80])
    family, number = match[1].upper(), int(match[2])
    family = "ORD" if family == "ORDER" else family
    width = 3
    if family == "FMT" and number > 17:
        width = 4
    elif family == "CHK" and number >= 10:
        width = 4 if number <= 292 else 5
    return Code(f"{family}{number:0{width}d}{match[3]}")


def parse_error(response: Response) -> tuple[ErrorDetail, ...]:
    """Every reason in an answer, whatever its shape (protocol 1.6); never raises."""
    body = response.json()
    if body is None:
        return _from_page(response.text)
    details = (each for each in _from_json(body) if each.code or each.message)
    return tuple(each for each, _ in zip(details, range(_MOST_DETAILS), strict=False))


def failure(response: Response, operation: str) -> VtexError | None:
    """The error an answer stands for; None where it is a success."""
    if response.ok and not response.body.startswith(b'{"error"'):
        return None
    details = parse_error(response)
    if response.ok and not any(each.code for each in details):
        return None
    status = response.status
    codes = {each.code for each in details}
    if status == 429:
        return Throttled(operation, status, details, after_s=_wait(response.headers))
    if status >= 500 or status == 408 or codes & _UNWELL_CODES or _is_timeout(details):
        return Unwell(operation, status, details)
    if status in {401, 403} or codes & _DENIED_CODES:
        return Denied(operation, status, details)
    if status == 404:
        return Missing(operation, status, details)
    if 300 <= status < 400:
        return Unwell(operation, status, details)
    return Refused(operation, status, details)


def nonsense(operation: str, response: Response) -> Unwell:
    """The error for a success whose body is not what it has to be."""
    said = ErrorDetail(Code(""), f"unexpected body: {response.text[:120]}")
    return Unwell(operation, response.status, (said,))


def _is_timeout(details: tuple[ErrorDetail, ...]) -> bool:
    # A last resort: such bodies carry only the generic code "1".
    return any(each.code in {"", "1"} and _TIMEOUT.search(each.message) for each in details)


def _wait(headers: Mapping[str, str]) -> float:
    for name in ("retry-after", "ratelimit-reset", "x-ratelimit-reset"):
        seconds = as_number(headers.get(name))
        if seconds is not None and 0 <= seconds <= 86_400:
            return seconds
    return DEFAULT_WAIT_S


def _detail(code: Any, message: Any, source: Any = "") -> ErrorDetail:
    return ErrorDetail(
        normalise_code(as_text(code)), as_text(message)[:_MOST_CHARS], as_text(source)[:80]
    )


def _from_json(body: Any) -> Iterator[ErrorDetail]:
    if isinstance(body, str):
        yield _detail("", body)
        return
    for each in as_list(body):
        yield from _from_object(lowered(each))
    if isinstance(body, dict):
        yield from _from_object(lowered(body))


def _from_object(body: Mapping[str, Any]) -> Iterator[ErrorDetail]:
    inner = lowered(body.get("error"))
    if inner:
        yield _detail(inner.get("code"), inner.get("message"))
    elif isinstance(body.get("error"), str):
        yield _detail("", body["error"])
    message = body.get("message") or body.get("description") or body.get("detail")
    message = message or body.get("title")
    if body.get("code") or message:
        yield _detail(body.get("code"), message, body.get("source"))
    yield from _from_errors(body.get("errors"))


def _from_errors(errors: Any) -> Iterator[ErrorDetail]:
    for each in as_list(errors):
        if isinstance(each, str):
            yield _detail("", each)
            continue
        row = lowered(each)
        said = row.get("description") or row.get("message")
        yield _detail(row.get("code"), said, row.get("source"))
    if isinstance(errors, dict):
        for name, said in errors.items():
            texts = [as_text(each) for each in (said if isinstance(said, list) else [said])]
            yield _detail("", f"{name}: {', '.join(texts)}")


def _from_page(text: str) -> tuple[ErrorDetail, ...]:
    if not text.strip():
        return ()
    title = _HTML_TITLE.search(text[:4000])
    if title is not None:
        return (ErrorDetail(Code(""), title[1].strip()),)
    return (ErrorDetail(Code(""), "an HTML page" if "<" in text[:200] else text.strip()[:200]),)
