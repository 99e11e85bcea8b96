"""HTTP as plain values, and the one way out that everything else is given."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    ``url`` is absolute, or a path that the client's base URL is put in front of. Path parts are
    already percent-encoded. ``operation`` names the call for limits, metrics and logs; it must
    never carry personal data.
    """

    method: str
    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    operation: str = ""
    timeout_s: float | None = None

    def json(self) -> Any:
        """The body as JSON, or None where it is empty or not JSON."""
        return parse_json(self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as text; undecodable bytes are replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON, or None where it is empty or not JSON (an HTML error page, say)."""
        return parse_json(self.body)


def parse_json(body: bytes) -> Any:
    """Parse JSON bytes; None for anything that is not JSON."""
    if not body:
        return None
    try:
        return jsonlib.loads(body)
    except (ValueError, RecursionError):
        return None


def json_request(
    method: str,
    url: str,
    payload: Any,
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] = _NO_HEADERS,
    operation: str = "",
    timeout_s: float | None = None,
) -> Request:
    """Build a request that carries a JSON body."""
    return Request(
        method=method,
        url=url,
        query=query or {},
        headers={"content-type": "application/json", **headers},
        body=jsonlib.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode(),
        operation=operation,
        timeout_s=timeout_s,
    )


def json_response(
    payload: Any, status: int = 200, headers: Mapping[str, str] = _NO_HEADERS
) -> Response:
    """Build an answer that carries a JSON body."""
    return Response(
        status=status,
        headers={"content-type": "application/json; charset=utf-8", **headers},
        body=jsonlib.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode(),
    )


class HttpFailure(Exception):
    """A call that brought no answer.

    HttpFailure
    ├── NotSent        the peer cannot have acted on it
    │   └── Held       we held it back ourselves, until a known moment
    └── NoAnswer       the peer may or may not have acted on it
    """


class NotSent(HttpFailure):
    """The request did not reach the peer: no connection, or refused by our own guard."""


class Held(NotSent):
    """Our own limiter or breaker held the request back until ``until``."""

    def __init__(self, message: str, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class NoAnswer(HttpFailure):
    """The request left, the answer never came: the outcome is unknown."""


class Http(Protocol):
    """The only way out of the hub; given to every client and adapter, never built by them."""

    async def send(self, request: Request) -> Response:
        """Send one request; any status is an answer.

        Raises:
            NotSent: the peer cannot have acted.
            NoAnswer: the outcome is unknown.
        """
        ...
