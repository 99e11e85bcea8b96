"""The shape of the code base: who may know whom, and how large anything may get."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HUB = sorted((ROOT / "connector").rglob("*.py"))
ADAPTERS = sorted((ROOT / "adapters").rglob("*.py"))
OF_ADAPTERS = [path for path in ADAPTERS if "tests" not in path.parts]
EVERYTHING = [*HUB, *ADAPTERS]

# What each part of the hub may import: parts of the hub by their name, everything else by the
# package's. The standard library is open to all, but for what `_NO_IO` closes below.
ALLOWED: dict[str, set[str]] = {
    "domain": {"domain", "pydantic"},
    "vtex": {"domain", "vtex"},
    "ports": {"domain"},
    "sdk": {"domain", "sdk", "pydantic"},
    "flows": {"domain", "vtex", "sdk", "ports", "flows", "pydantic", "structlog"},
    "drivers": {
        *("domain", "ports", "sdk", "drivers"),
        *("aiohttp", "yarl", "cryptography", "prometheus_client", "structlog", "tenacity"),
        *("aio_pika", "aiormq", "pamqp", "pymongo", "bson"),
    },
    "settings": {"pydantic", "pydantic_settings"},
    "peerbook": {"domain", "vtex", "sdk", "ports", "flows", "pydantic"},
    "web": {
        *("domain", "vtex", "sdk", "ports", "flows", "settings", "web"),
        *("aiohttp", "pydantic", "structlog"),
    },
    "cli": {
        *("domain", "vtex", "sdk", "ports", "flows", "settings", "web", "sandbox", "bootstrap"),
        *("cli", "click", "rich", "pydantic", "structlog"),
    },
    "sandbox": {"domain", "sdk", "sandbox", "connector", "aiohttp", "yarl", "rich", "pydantic"},
    "bootstrap": {
        *("bootstrap", "domain", "sdk", "ports", "flows", "settings", "peerbook", "web", "drivers"),
        *("aiohttp", "structlog"),
    },
    "connector": set(),
}

# Who may look past those lines, at what, and why.
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("connector/cli/running.py", "connector.drivers.logs"): "logs before there is a hub",
    ("connector/cli/sim.py", "connector.drivers.clock"): "a simulator runs on the real clock",
    ("connector/sandbox/demo/stage.py", "connector.drivers.clock"): "so does the demo's",
    ("connector/sandbox/demo/installation.py", "connector.drivers.vault"): "a key for its hub",
    ("connector/sdk/kit/loopback.py", "connector.drivers.http"): "the kit sends as the hub does",
    ("connector/sdk/kit/loopback.py", "connector.sandbox.server"): "to a simulator on loopback",
    ("connector/sdk/kit/pytest.py", "pytest"): "the kit as tests; nobody else imports it",
}

_NO_IO = {
    *("aiohttp", "requests", "httpx", "urllib3", "socket", "ssl", "selectors", "subprocess"),
    *("http.client", "urllib.request", "asyncio", "sqlite3", "pymongo", "motor", "aio_pika"),
    *("bson", "redis", "psycopg", "os", "pathlib", "threading", "multiprocessing"),
}

MOST_LINES = 400
LONG_FILES: dict[str, int] = {}
MOST_FUNCTION_LINES = 50
LONG_FUNCTIONS: dict[tuple[str, str], int] = {}

# Put together from parts, so that this file does not mention what nobody may mention.
_PRIVATE = tuple("/".join(("", *parts)) for parts in (("work", "shared"), ("work", "main")))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(_text(path), str(path))


@functools.cache
def _imports(path: Path) -> list[str]:
    """Every imported name with its full path, wherever in the file it is imported."""
    return list(_each_import(path))


def _each_import(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)}: relative imports hide what they import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _part(dotted: str) -> str:
    """`connector.flows.hub` -> `flows`; anything else -> its package."""
    first, _, rest = dotted.partition(".")
    return rest.partition(".")[0] if first == "connector" and rest else first


def _is_test(path: Path) -> bool:
    return "tests" in path.parts


def _of_tests(dotted: str) -> bool:
    return "tests" in dotted.split(".")


def _within(dotted: str, packages: Collection[str]) -> bool:
    return any(dotted == name or dotted.startswith(f"{name}.") for name in packages)


def _within_any(path: Path, packages: Collection[str]) -> list[str]:
    return [dotted for dotted in _imports(path) if _within(dotted, packages)]


def _asks_the_time(path: Path) -> list[str]:
    told = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    return sorted(told & {"datetime.now", "datetime.utcnow", "time.time", "date.today"})


def _offenders(paths: Iterable[Path], wrong: Callable[[Path], list[Any]]) -> dict[str, list[Any]]:
    """What is wrong, by file."""
    return {_name(path): found for path in paths if (found := wrong(path))}


def _excused(path: Path, dotted: str) -> bool:
    return any(_name(path) == where and _within(dotted, {what}) for where, what in EXCEPTIONS)


def _outside(path: Path) -> list[str]:
    """What a file of the hub imports that its part may not."""
    part = _part(".".join(path.relative_to(ROOT).with_suffix("").parts))
    allowed = ALLOWED["connector" if part == "__init__" else part]
    return [
        dotted
        for dotted in _imports(path)
        if dotted.partition(".")[0] not in sys.stdlib_module_names
        and _part(dotted) not in allowed
        and not _excused(path, dotted)
    ]


# --- who knows whom -------------------------------------------------------------------------------


def test_every_part_of_the_hub_keeps_to_its_neighbours():
    assert _offenders(HUB, _outside) == {}


def test_the_exceptions_are_still_needed():
    unused = [
        where
        for where, what in EXCEPTIONS
        if not any(_within(dotted, {what}) for dotted in _imports(ROOT / where))
    ]
    assert unused == []


def test_only_those_who_put_the_hub_together_know_drivers():
    knowing = {
        _name(path)
        for path in EVERYTHING
        if any(_within(dotted, {"connector.drivers"}) for dotted in _imports(path))
        and "drivers" not in path.parts
        and not _is_test(path)
    }
    bootstrap = {f"connector/bootstrap/{name}.py" for name in ("hub", "keys", "ledger", "process")}
    excused = {where for where, what in EXCEPTIONS if _within(what, {"connector.drivers"})}
    assert knowing == bootstrap | excused


def test_the_domain_has_no_clock_network_or_database():
    domain = [path for path in HUB if "domain" in path.parts]
    assert domain
    assert _offenders(domain, lambda path: _within_any(path, _NO_IO | {"time"})) == {}
    assert _offenders(domain, _asks_the_time) == {}


def test_flows_and_the_vtex_client_reach_the_outside_only_through_ports():
    inner = [path for path in HUB if {"vtex", "flows"} & set(path.parts)]
    assert inner
    doors = _NO_IO - {"asyncio"}
    assert _offenders(inner, lambda path: _within_any(path, doors)) == {}
    assert _offenders(inner, _asks_the_time) == {}


def test_nobody_imports_tests():
    everything = [path for path in EVERYTHING if not _is_test(path)]
    assert _offenders(everything, lambda path: [d for d in _imports(path) if _of_tests(d)]) == {}


def test_the_hub_knows_no_adapter_by_name():
    assert _offenders(HUB, lambda path: _within_any(path, {"adapters"})) == {}


# --- adapters -------------------------------------------------------------------------------------


def test_an_adapter_knows_of_the_hub_only_its_sdk():
    def beyond(path: Path) -> list[str]:
        known = _within_any(path, {"connector"})
        return [dotted for dotted in known if not _within(dotted, {"connector.sdk"})]

    assert _offenders(OF_ADAPTERS, beyond) == {}


def test_an_adapter_opens_nothing_itself():
    assert _offenders(OF_ADAPTERS, lambda path: _within_any(path, _NO_IO)) == {}


def test_an_adapter_knows_no_other_adapter():
    def others(path: Path) -> list[str]:
        own = path.relative_to(ROOT / "adapters").parts[0]
        known = _within_any(path, {"adapters"})
        return [dotted for dotted in known if dotted.split(".")[1] != own]

    assert _offenders(ADAPTERS, others) == {}


def test_an_adapter_needs_nothing_the_hub_does_not_bring():
    brought = {"connector", "adapters", "pydantic"} | sys.stdlib_module_names

    def foreign(path: Path) -> list[str]:
        return [dotted for dotted in _imports(path) if dotted.partition(".")[0] not in brought]

    assert _offenders(OF_ADAPTERS, foreign) == {}


# --- shape ----------------------------------------------------------------------------------------


def test_every_module_says_what_it_is():
    assert [_name(path) for path in EVERYTHING if not ast.get_docstring(_tree(path))] == []


def test_no_file_is_too_long():
    lengths = {_name(path): len(_text(path).splitlines()) for path in EVERYTHING}
    too_long = {name: n for name, n in lengths.items() if n > LONG_FILES.get(name, MOST_LINES)}
    assert too_long == {}


def test_no_function_is_too_long():
    too_long = {
        (_name(path), node.name): lines
        for path in EVERYTHING
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1)
        > LONG_FUNCTIONS.get((_name(path), node.name), MOST_FUNCTION_LINES)
    }
    assert too_long == {}


def test_asserts_decide_nothing():
    """They vanish with -O, and what they say no operator can act on."""

    def asserts(path: Path) -> list[int]:
        return [node.lineno for node in ast.walk(_tree(path)) if isinstance(node, ast.Assert)]

    assert _offenders([path for path in EVERYTHING if not _is_test(path)], asserts) == {}


def test_nothing_mentions_the_place_it_was_written_in():
    kinds = {".py", ".md", ".toml", ".yml", ".yaml", ".txt", ".json", ".cfg", ""}
    folders = ("connector", "adapters", "tests", "docs", "benchmarks", "deploy")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    telling = [
        _name(path)
        for path in [*files, *ROOT.glob("*")]
        if path.is_file() and path.suffix in kinds and "__pycache__" not in path.parts
        if any(private in _text(path) for private in _PRIVATE)
    ]
    assert telling == []
