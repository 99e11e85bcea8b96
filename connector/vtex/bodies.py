"""Reading bodies that strangers send: whatever is in them, only ``BadBody`` comes out."""

from __future__ import annotations

import json
from typing import Any


class BadBody(ValueError):
    """A body that cannot be used; the message may be told to the sender."""


def _no_constant(name: str) -> Any:
    raise BadBody(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def load(body: bytes) -> Any:
    """JSON from a stranger: UTF-8, without NUL characters, half characters, NaN or endless depth.

    Raises:
        BadBody: it is anything else.
    """
    try:
        value = _DECODER.decode(body.removeprefix(b"\xef\xbb\xbf").decode())
    except UnicodeDecodeError as error:
        raise BadBody("the body is not UTF-8") from error
    except RecursionError as error:
        raise BadBody("the body is nested too deeply") from error
    except BadBody:
        raise
    except ValueError as error:
        raise BadBody("the body is not JSON" if body.strip() else "the body is empty") from error
    if b"\\u" in body:
        _check_escapes(body, value)
    return value


def load_object(body: bytes) -> dict[str, Any]:
    """A JSON object from a stranger.

    Raises:
        BadBody: it is none.
    """
    value = load(body)
    if not isinstance(value, dict):
        raise BadBody("the body is not a JSON object")
    return value


def _check_escapes(body: bytes, value: Any) -> None:
    """Refuse characters that only escapes can bring in and no database can keep."""
    if b"\\u0000" in body:
        raise BadBody("the body has NUL characters")
    if b"\\ud" not in body and b"\\uD" not in body:
        return
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise BadBody("the body has half a character") from error
    except RecursionError as error:
        raise BadBody("the body is nested too deeply") from error
