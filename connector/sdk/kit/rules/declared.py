"""Rules about what the package declares: names, capabilities, settings, limits, imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from inspect import getattr_static
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from connector.sdk.adapter import Adapter, capability_gaps
from connector.sdk.kit.rule import Look, Trouble
from connector.sdk.kit.rules.recorded import sent_operations
from connector.sdk.kit.subject import Subject
from connector.sdk.values import AdapterSettings, Capability, Scope

_SECRET_NAME = re.compile(r"(^|_)(key|secret|token|password|passphrase)$")
_ALWAYS = ("base_url", "check", "order")
_TOKENS = ("authorize_url", "exchange_code", "refresh_token")
_DOORS = frozenset(
    (
        *("aiohttp", "requests", "httpx", "urllib3", "socket", "ssl", "selectors", "subprocess"),
        *("http.client", "urllib.request", "asyncio", "threading", "multiprocessing", "sqlite3"),
    )
)


async def package(subject: Subject) -> Iterable[str]:
    """ADAPTER with a name and a title."""
    adapter = subject.adapter
    name = getattr(adapter, "name", "")
    problems = []
    if not name.isidentifier():
        problems.append(f"the adapter's name {name!r} must be a plain word: it is in URLs and rows")
    elif name != subject.name:
        problems.append(
            f"the adapter is called {name}, its folder or entry point {subject.name}: call both the"
            " same"
        )
    if not adapter.title.strip():
        problems.append("the adapter has no title: merchants read it, write the marketplace's name")
    return problems


async def capabilities(subject: Subject) -> Iterable[str]:
    """Declared equals implemented, and what belongs together is there together."""
    adapter = subject.adapter
    declared = adapter.capabilities
    return [
        *(f"the adapter {gap}" for gap in capability_gaps(adapter)),
        *(
            f"{name}() is missing: every adapter needs it"
            for name in _ALWAYS
            if not _has(adapter, name)
        ),
        *_tokens(adapter),
        *_orders(adapter),
        *(
            f"declares {lots} but nothing that creates listings"
            for lots in declared & {Capability.LOTS}
            if not declared & {Capability.CREATE, Capability.CONTENT, Capability.PRICE_STOCK}
        ),
    ]


def _tokens(adapter: type[Adapter[Any]]) -> Iterator[str]:
    written = [name for name in _TOKENS if _has(adapter, name)]
    if Capability.TOKENS in adapter.capabilities or written:
        for name in _TOKENS:
            if name not in written:
                yield f"{name}() is missing: tokens need {', '.join(_TOKENS)}, all three"
        if adapter.app_settings_model is None:
            yield "tokens need app_settings_model: the application's id and secret"


def _orders(adapter: type[Adapter[Any]]) -> Iterator[str]:
    hears = {Capability.WEBHOOK, Capability.APP_WEBHOOK, Capability.POLLING}
    if not adapter.capabilities & hears:
        yield "nothing tells the hub of new orders: declare polling or a webhook"
    if Capability.APP_WEBHOOK in adapter.capabilities and not _has(adapter, "tenant"):
        yield "an application-wide webhook needs tenant(settings): whose connection it speaks of"


def _has(adapter: type[Adapter[Any]], method: str) -> bool:
    return getattr_static(adapter, method) is not getattr_static(Adapter, method)


async def settings(subject: Subject) -> Iterable[str]:
    """Titles, descriptions, secrets."""
    adapter = subject.adapter
    models = [("settings_model", adapter.settings_model)]
    if adapter.app_settings_model is not None:
        models.append(("app_settings_model", adapter.app_settings_model))
    return [problem for where, model in models for problem in _of_model(where, model)]


def _of_model(where: str, model: type[AdapterSettings]) -> Iterator[str]:
    if model.model_config.get("extra") != "forbid" or not model.model_config.get("frozen"):
        yield f"{where} must stay frozen and forbid unknown settings"
    for name, field in model.model_fields.items():
        if not field.title:
            yield f"{where}.{name} has no title: Field(title=...)"
        if not field.description:
            yield f"{where}.{name} has no description: say where a merchant finds it"
        if _SECRET_NAME.search(name) and SecretStr not in _types(field.annotation):
            yield f"{where}.{name} looks like a secret: make it a SecretStr, so that it is sealed"


def _types(annotation: Any) -> tuple[Any, ...]:
    return (annotation, *getattr(annotation, "__args__", ()))


async def limits(subject: Subject) -> Iterable[str]:
    """Rates that are possible, and operations that exist."""
    adapter = subject.adapter
    problems = []
    if not adapter.limits:
        problems.append("no limits are declared: what the marketplace publishes, a little below it")
    for limit in adapter.limits:
        if limit.rate <= 0 or limit.per_s <= 0 or limit.burst < 1:
            problems.append(f"{limit} lets nothing through: rate and per_s above 0, burst from 1")
        if (limit.scope is Scope.OPERATION) != bool(limit.operation):
            problems.append(f"{limit}: an operation is named for Scope.OPERATION, and only there")
    if adapter.batch_size < 1:
        problems.append("batch_size must be at least 1")
    return problems + await _unused(subject)


async def _unused(subject: Subject) -> list[str]:
    """Operations that are limited, but that nothing seems to send."""
    named = {limit.operation for limit in subject.adapter.limits if limit.operation}
    words = _texts(subject.folder)
    # Named in the declaration, and once more where the request is made; or a constant of both.
    doubtful = {name for name in named if words.count(name) < 2}
    if doubtful:
        doubtful -= await sent_operations(subject)
    return [
        f"a limit is declared for the operation {name!r}, which no request is called: compare"
        " Request(operation=...)"
        for name in sorted(doubtful)
    ]


def _texts(folder: Path) -> list[str]:
    return [
        node.value
        for path in _sources(folder)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


async def imports(subject: Subject) -> Iterable[str]:
    """Of the hub only its SDK; nothing that opens connections."""
    return [
        f"{path.relative_to(subject.folder).as_posix()} imports {dotted}: {why}"
        for path in _sources(subject.folder)
        for dotted in _imports(path)
        if (why := _forbidden(dotted))
    ]


def _forbidden(dotted: str) -> str:
    if dotted.partition(".")[0] == "connector" and not _below(dotted, "connector.sdk"):
        return "an adapter knows of the hub only connector.sdk"
    if any(_below(dotted, door) for door in _DOORS):
        return "an adapter opens nothing itself: send requests with self.http"
    if dotted.partition(".")[0] == "time":
        return "time comes from self.clock, so that it can be moved"
    return ""


def _below(dotted: str, package: str) -> bool:
    return dotted == package or dotted.startswith(f"{package}.")


def _sources(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.rglob("*.py"))
        if "tests" not in path.relative_to(folder).parts
    ]


def _imports(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except SyntaxError as error:
        raise Trouble(f"{path.name} is no Python: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


async def readme(subject: Subject) -> Iterable[str]:
    """There is something to read."""
    path = subject.folder / "README.md"
    if not path.exists() or not path.read_text(encoding="utf-8").strip():
        return ["there is no README.md: how the marketplace works, and what the adapter decides"]
    return []


RULES = (
    Look("package", package),
    Look("capabilities", capabilities),
    Look("settings", settings),
    Look("limits", limits),
    Look("imports", imports),
    Look("readme", readme),
)
