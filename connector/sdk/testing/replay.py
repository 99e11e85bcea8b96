"""Replay of recorded exchanges: an adapter's calls are checked, its answers come from files."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import partial
from inspect import getattr_static, signature
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel, SecretStr, TypeAdapter

from connector.domain.http import Http, NoAnswer, NotSent, Request, Response, parse_json
from connector.sdk.adapter import Adapter
from connector.sdk.errors import AdapterError

_NOTHING = object()
_NOT_DONE = ("Refused", "TryAgain", "Gone")
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
    ``settings.json``, where there is one, replaces settings of the connection for this case.
    """

    operation: str
    name: str
    input: dict[str, Any]
    exchanges: list[dict[str, Any]]
    output: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def fails(self) -> bool:
        """Whether it records that something goes wrong: an error, or an item that is not done."""
        told = json.dumps(self.output)
        return "raises" in self.output or any(f'"{end}"' in told for end in _NOT_DONE)

    def __str__(self) -> str:
        return f"{self.operation}-{self.name}"


def load_cases(folder: Path) -> list[Case]:
    """Every case below a ``fixtures`` folder, in order of its path.

    Raises:
        OSError, ValueError: a file is missing or is no JSON; the message names it.
    """
    return [
        Case(
            operation=path.parent.parent.name,
            name=path.parent.name,
            input=_read(path),
            exchanges=_read(path.with_name("exchange.json")),
            output=_read(path.with_name("output.json")),
            settings=_read_or(path.with_name("settings.json"), {}),
        )
        for path in sorted(folder.glob("*/*/input.json"))
    ]


@dataclass(frozen=True)
class Setup:
    """``fixtures/settings.json``: what all cases are replayed with.

    ``settings`` of the connection, ``app`` of the application where the adapter has any, ``now``
    as ISO 8601 where the moment matters.
    """

    settings: Mapping[str, Any]
    app: Mapping[str, Any] | None = None
    now: str = ""


def load_setup(folder: Path) -> Setup:
    """What the cases below a ``fixtures`` folder are replayed with.

    Raises:
        FileNotFoundError: there is no ``settings.json`` in it.
    """
    return Setup(**_read(folder / "settings.json"))


async def replay(
    adapter: type[Adapter[Any]],
    settings: Mapping[str, Any],
    case: Case,
    app: Mapping[str, Any] | None = None,
    now: str = "",
) -> Any:
    """Run a case's operation against its exchanges; returns what ``output.json`` should say."""
    return (await replayed(adapter, case, Setup(settings, app, now)))[0]


async def replayed(
    adapter: type[Adapter[Any]], case: Case, setup: Setup
) -> tuple[Any, Sequence[Request]]:
    """Run a case; what it came to, and the requests that were sent.

    Raises:
        ReplayError: something else was sent than was recorded.
    """
    http = ReplayHttp(case.exchanges)
    settings = {**setup.settings, **case.settings}
    call = _bound(adapter, case, Setup(settings, setup.app, setup.now), http)
    # The hints of the contract, so that an adapter may import its types as it likes.
    hints = get_type_hints(getattr(Adapter, case.operation))
    arguments = {
        name: TypeAdapter(hints[name]).validate_python(value) for name, value in case.input.items()
    }
    try:
        answer = call(**arguments)
        answer = await answer if hasattr(answer, "__await__") else answer
        result = {"returns": plain(answer, case.output.get("returns"))}
    except (AdapterError, NoAnswer, NotSent) as error:
        result = {"raises": plain(error, case.output.get("raises"))}
    http.finish()
    return result, http.sent


def _bound(adapter: type[Adapter[Any]], case: Case, setup: Setup, http: Http) -> Callable[..., Any]:
    """The operation with everything that is not in ``input.json``."""
    own = adapter.settings_model.model_validate(setup.settings)
    app, now = setup.app, setup.now
    model = adapter.app_settings_model
    apps = model.model_validate(app) if model is not None and app is not None else None
    if not isinstance(getattr_static(Adapter, case.operation), classmethod):
        clock = FixedClock(datetime.fromisoformat(now)) if now else FixedClock()
        return getattr(adapter(own, http, clock, apps), case.operation)  # type: ignore[no-any-return]
    # An application's webhook is read before anybody knows whose it is: its settings are the app's.
    given = {"app": apps, "settings": own, "http": http}
    if case.operation == "app_webhook":
        given["settings"] = apps
    wanted = signature(getattr(Adapter, case.operation)).parameters
    return partial(
        getattr(adapter, case.operation),
        **{name: value for name, value in given.items() if name in wanted},
    )


def differences(recorded: Any, told: Any, at: str = "") -> list[str]:
    """Where an outcome is not what was recorded, each place in words."""
    if isinstance(recorded, dict) and isinstance(told, dict):
        names = dict.fromkeys([*recorded, *told])
        return [
            words
            for name in names
            for words in differences(
                recorded.get(name, _NOTHING), told.get(name, _NOTHING), f"{at}.{name}".strip(".")
            )
        ]
    if isinstance(recorded, list) and isinstance(told, list) and len(recorded) == len(told):
        pairs = enumerate(zip(recorded, told, strict=True))
        return [
            words for n, (one, other) in pairs for words in differences(one, other, f"{at}.{n}")
        ]
    if recorded == told:
        return []
    return [f"{at or 'the outcome'} is {_shown(told)}, recorded {_shown(recorded)}"]


def _shown(value: Any) -> str:
    return "missing" if value is _NOTHING else json.dumps(value, ensure_ascii=False)


def plain(value: Any, like: Any = None) -> Any:
    """A value as JSON: dataclasses and errors name their type, and models tell what is no default.

    ``like`` is a record to compare with: a default that it tells is told, too. So a record may
    leave defaults out, and stays right when the contract grows a field.
    """
    if isinstance(value, BaseModel):
        every = _dumped(value)
        short = value.model_dump(mode="json", exclude_defaults=True)
        return _as_told(every, short, like)
    if isinstance(value, Exception):
        return {"type": type(value).__name__, **plain(_told(value), like)}
    if is_dataclass(value) and not isinstance(value, type):
        told = {
            each.name: plain(getattr(value, each.name), _member(like, each.name))
            for each in fields(value)
            if not _is_default(value, each) or each.name in _names(like)
        }
        return {"type": type(value).__name__, **told}
    if isinstance(value, Mapping):
        return {str(key): plain(one, _member(like, str(key))) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one, _member(like, place)) for place, one in enumerate(value)]
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, datetime) else value


def _dumped(value: BaseModel) -> dict[str, Any]:
    """All of a model; the secrets of a recorded token open nothing."""
    secrets = {name: told for name, told in value if isinstance(told, SecretStr)}
    opened = {name: told.get_secret_value() for name, told in secrets.items()}
    return {**value.model_dump(mode="json"), **opened}


def _is_default(value: Any, each: Field[Any]) -> bool:
    made = each.default_factory() if each.default_factory is not MISSING else each.default
    return bool(getattr(value, each.name) == made)


def _as_told(every: Any, short: Any, like: Any) -> Any:
    """What ``short`` tells, with those members of ``every`` that ``like`` tells besides."""
    if isinstance(every, dict):
        names = [name for name in every if name in _names(short) or name in _names(like)]
        return {
            name: _as_told(every[name], _member(short, name), _member(like, name)) for name in names
        }
    if isinstance(every, list):
        return [
            _as_told(one, _member(short, place), _member(like, place))
            for place, one in enumerate(every)
        ]
    return every


def _names(value: Any) -> Collection[str]:
    return value.keys() if isinstance(value, Mapping) else ()


def _member(value: Any, at: str | int) -> Any:
    if isinstance(value, Mapping):
        return value.get(str(at))
    if isinstance(value, list) and isinstance(at, int) and at < len(value):
        return value[at]
    return None


def _told(error: Exception) -> dict[str, Any]:
    """What an error tells beyond its type; details are for operators and may change."""
    return {name: value for name, value in vars(error).items() if name != "detail"}


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{'/'.join(path.parts[-3:])}: {error}") from error


def _read_or(path: Path, otherwise: Any) -> Any:
    return _read(path) if path.exists() else otherwise
