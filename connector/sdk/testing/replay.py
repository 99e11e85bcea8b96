"""Replay of recorded exchanges: an adapter's calls are checked, its answers come from files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel, TypeAdapter

from connector.domain.http import Http, NoAnswer, NotSent, Request, Response, parse_json
from connector.sdk.adapter import Adapter
from connector.sdk.errors import AdapterError

_FAILURES = {"no-answer": NoAnswer, "not-sent": NotSent}


class ReplayError(AssertionError):
    """The adapter asked something else than was recorded."""


class ReplayHttp:
    """An ``Http`` that asserts each request and feeds the recorded response.

    An exchange is ``{"request": {...}, "response": {...}}``. The request tells ``method``, ``url``
    and, where they matter, ``query``, ``headers`` (a subset), ``json`` or ``body``, ``operation``.
    The response tells ``status``, ``headers`` and ``json`` or ``body``; ``{"fails": "no-answer"}``
    and ``{"fails": "not-sent"}`` stand for calls that brought none.
    """

    def __init__(self, exchanges: Sequence[Mapping[str, Any]]) -> None:
        self._left = list(exchanges)
        self.sent: list[Request] = []

    async def send(self, request: Request) -> Response:
        """Check the request against the next exchange and answer what it recorded."""
        self.sent.append(request)
        if not self._left:
            raise ReplayError(f"unexpected call: {request.method} {request.url}")
        exchange = self._left.pop(0)
        wrong = _differences(exchange["request"], request)
        if wrong:
            raise ReplayError(f"call {len(self.sent)} differs: " + "; ".join(wrong))
        return _response(exchange["response"])

    def finish(self) -> None:
        """Assert that every recorded call was made."""
        if self._left:
            missing = [f"{e['request']['method']} {e['request']['url']}" for e in self._left]
            raise ReplayError(f"calls never made: {missing}")


def _differences(wanted: Mapping[str, Any], request: Request) -> list[str]:
    sent: dict[str, Any] = {
        "method": request.method,
        "url": request.url,
        "query": dict(request.query),
        "json": parse_json(request.body),
        "body": request.body.decode("utf-8", "replace"),
        "operation": request.operation,
    }
    expected = {"query": {}, **wanted}
    headers = {name.lower(): value for name, value in request.headers.items()}
    wrong = [
        f"header {name} is {headers.get(name.lower())!r}, recorded {value!r}"
        for name, value in expected.pop("headers", {}).items()
        if headers.get(name.lower()) != value
    ]
    if "json" not in wanted and "body" not in wanted:
        expected["body"] = ""
    return wrong + [
        f"{name} is {sent.get(name)!r}, recorded {value!r}"
        for name, value in expected.items()
        if sent.get(name) != value
    ]


def _response(recorded: Mapping[str, Any]) -> Response:
    if "fails" in recorded:
        raise _FAILURES[recorded["fails"]](recorded["fails"])
    body = str(recorded.get("body", "")).encode()
    if "json" in recorded:
        body = json.dumps(recorded["json"]).encode()
    headers = {name.lower(): value for name, value in recorded.get("headers", {}).items()}
    return Response(int(recorded["status"]), headers, body)


@dataclass
class FixedClock:
    """A clock that stands still, but for those who sleep."""

    at: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        """The moment it stands at."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.at += timedelta(seconds=seconds)

    def wall(self, seconds: float) -> timedelta:
        """One to one."""
        return timedelta(seconds=seconds)


# --- cases as folders -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One folder ``<operation>/<case>`` of fixtures.

    ``input.json`` has the operation's arguments by name, ``exchange.json`` the list of exchanges,
    ``output.json`` either ``{"returns": ...}`` or ``{"raises": ...}`` as ``plain`` writes them.
    """

    operation: str
    name: str
    input: dict[str, Any]
    exchanges: list[dict[str, Any]]
    output: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.operation}-{self.name}"


def load_cases(folder: Path) -> list[Case]:
    """Every case below a ``fixtures`` folder, in order of its path."""
    return [
        Case(
            operation=path.parent.parent.name,
            name=path.parent.name,
            input=_read(path),
            exchanges=_read(path.with_name("exchange.json")),
            output=_read(path.with_name("output.json")),
        )
        for path in sorted(folder.glob("*/*/input.json"))
    ]


async def replay(adapter: type[Adapter[Any]], settings: Mapping[str, Any], case: Case) -> Any:
    """Run a case's operation against its exchanges; returns what ``output.json`` should say."""
    http = ReplayHttp(case.exchanges)
    peer: Http = http
    made = adapter(adapter.settings_model.model_validate(settings), peer, FixedClock())
    # The hints of the contract, so that an adapter may import its types as it likes.
    hints = get_type_hints(getattr(Adapter, case.operation))
    arguments = {
        name: TypeAdapter(hints[name]).validate_python(value) for name, value in case.input.items()
    }
    try:
        answer = getattr(made, case.operation)(**arguments)
        result = {"returns": plain(await answer if hasattr(answer, "__await__") else answer)}
    except (AdapterError, NoAnswer, NotSent) as error:
        result = {"raises": plain(error)}
    http.finish()
    return result


def plain(value: Any) -> Any:
    """A value as JSON: dataclasses and errors name their type, models tell what is no default."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, Exception):
        return {"type": type(value).__name__, **plain(_told(value))}
    if is_dataclass(value) and not isinstance(value, type):
        members = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        return {"type": type(value).__name__, **members}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, datetime) else value


def _told(error: Exception) -> dict[str, Any]:
    """What an error tells beyond its type; details are for operators and may change."""
    return {name: value for name, value in vars(error).items() if name != "detail"}


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
