"""Make the folder of a new adapter from the template beside this file."""

from __future__ import annotations

import ast
import importlib
import keyword
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from connector.sdk.kit.docs import DOCS_FILE, document
from connector.sdk.kit.subject import known_names
from connector.sdk.kit.template.acme import ADAPTER
from connector.sdk.registry import FOLDER

_TEMPLATE = "connector.sdk.kit.template.acme"
_NAME = re.compile(r"[a-z][a-z0-9_]{1,30}")
_TAKEN = frozenset({"adapters", "connector", "tests"})


class CannotMake(ValueError):
    """The adapter cannot be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Made:
    """What was made. ``hint`` is what other commands need besides the name."""

    package: str
    files: tuple[Path, ...]
    hint: str = ""


def make_adapter(name: str, parent: Path | None = None) -> Made:
    """Make a folder for an adapter, in ``parent`` or in the project's ``adapters``.

    Raises:
        CannotMake: the name will not do, or there is something of that name already.
    """
    own = Path(str(importlib.import_module(FOLDER).__path__[0]))
    inside = parent is None or parent.resolve() == own.resolve()
    where = own if parent is None else parent
    if problem := _why_not(name, where, inside=inside):
        raise CannotMake(problem)
    names = _Names(name, f"{FOLDER}.{name}" if inside else name)
    written = [
        _write(where / name / names.put_in(path), names.put_in(text)) for path, text in _template()
    ]
    docs = names.put_in(document(ADAPTER))
    written.append(_write(where / name / DOCS_FILE, docs))
    return Made(names.package, tuple(written), "" if inside else f" --dir {where}")


def _why_not(name: str, parent: Path, *, inside: bool) -> str:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        return f"{name!r} is no name for an adapter: small letters, digits and _, from a letter on"
    if name in _TAKEN or (not inside and name in sys.stdlib_module_names):
        return f"{name} is the name of something else: choose another"
    if name in known_names():
        return f"there is an adapter {name} already"
    if (parent / name).exists():
        return f"{parent / name} exists already: nothing was written"
    if parent.exists() and not parent.is_dir():
        return f"{parent} is no folder"
    return ""


@dataclass(frozen=True, slots=True)
class _Names:
    name: str
    package: str

    def put_in(self, text: str) -> str:
        """The template's text with the new adapter's names."""
        words = [word.capitalize() for word in self.name.split("_") if word]
        new = {
            _TEMPLATE: self.package,
            "Acme Market": " ".join(words),
            "Acme": "".join(words),
            "acme": self.name,
        }
        # All at once: what was put in may itself contain a word of the template's ("acme2").
        return re.sub("|".join(map(re.escape, new)), lambda found: new[found[0]], text)


def _template() -> Iterator[tuple[str, str]]:
    """Every file of the template by its path."""
    yield from _files(files(_TEMPLATE), "")


def _files(folder: Traversable, below: str) -> Iterator[tuple[str, str]]:
    for each in sorted(folder.iterdir(), key=lambda one: one.name):
        if each.is_dir() and each.name != "__pycache__":
            yield from _files(each, f"{below}{each.name}/")
        elif each.is_file() and not each.name.endswith(".pyc"):
            yield f"{below}{each.name}", each.read_text(encoding="utf-8")


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sorted_imports(text) if path.suffix == ".py" else text, encoding="utf-8")
    return path


def sorted_imports(source: str) -> str:
    """The source with its last block of ``from ... import`` in order: names have changed."""
    tree = ast.parse(source)
    lines = source.splitlines(keepends=True)
    nodes = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    block = [nodes.pop()] if nodes else []
    while nodes and nodes[-1].end_lineno == block[0].lineno - 1:
        block.insert(0, nodes.pop())
    if not block:
        return source
    begin, end = block[0].lineno - 1, block[-1].end_lineno or 0
    parts = [
        (node.module or "", "".join(lines[node.lineno - 1 : node.end_lineno])) for node in block
    ]
    return "".join([*lines[:begin], *(text for _, text in sorted(parts)), *lines[end:]])
