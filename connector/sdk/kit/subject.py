"""The adapter under test: its class, its folder, its simulator, and what it says of itself."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from connector.sdk.adapter import Adapter
from connector.sdk.kit.ladder import Quality, read_quality
from connector.sdk.registry import FOLDER, GROUP
from connector.sdk.testing.replay import Case, Setup, load_cases, load_setup


class NotFound(LookupError):
    """There is no such adapter, or nothing of it can be loaded; the message says which."""


@dataclass(frozen=True)
class Subject:
    """An adapter with everything the kit looks at. ``name`` is the package's, not the class's."""

    name: str
    module: ModuleType
    adapter: type[Adapter[Any]]
    folder: Path

    @property
    def simulator(self) -> Any:
        """The simulator's class, None where there is none."""
        return getattr(self.module, "SIMULATOR", None)

    @property
    def fixtures(self) -> Path:
        """Where the recorded exchanges are."""
        return self.folder / "fixtures"

    def cases(self) -> list[Case]:
        """All recorded exchanges.

        Raises:
            OSError, ValueError: a file is missing or unreadable.
        """
        return load_cases(self.fixtures)

    def setup(self) -> Setup:
        """What recorded exchanges are replayed with.

        Raises:
            OSError, ValueError, TypeError: the file is missing or unreadable.
        """
        return load_setup(self.fixtures)

    def quality(self) -> Quality:
        """What the adapter says of itself.

        Raises:
            BadQualityFile: it says nothing that can be understood.
        """
        return read_quality(self.folder)


def find_subject(name: str) -> Subject:
    """Load an adapter, also one that the registry would refuse: its faults are to be told.

    Raises:
        NotFound: there is none of that name, or it cannot even be imported.
    """
    module_name = dict(_candidates()).get(name)
    if module_name is None:
        known = ", ".join(known_names()) or "none"
        raise NotFound(f"there is no adapter {name}; found: {known}")
    return load_subject(name, module_name)


def load_subject(name: str, module_name: str) -> Subject:
    """Load an adapter from its package.

    Raises:
        NotFound: it cannot be imported, or offers no adapter.
    """
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise NotFound(
            f"the package {module_name} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    adapter = getattr(module, "ADAPTER", None)
    if not (isinstance(adapter, type) and issubclass(adapter, Adapter)):
        raise NotFound(f"{module_name} has no ADAPTER: write ADAPTER = YourAdapter in __init__.py")
    return Subject(name, module, adapter, Path(str(module.__file__)).parent)


def names_in(folder: str) -> list[str]:
    """The packages below a package."""
    path = importlib.import_module(folder).__path__
    return sorted(info.name for info in pkgutil.iter_modules(path) if info.ispkg)


def known_names() -> list[str]:
    """The names of all adapters that are found, working or not."""
    return sorted(name for name, _ in _candidates())


def _candidates() -> list[tuple[str, str]]:
    found = [(name, f"{FOLDER}.{name}") for name in names_in(FOLDER)]
    return found + [(entry.name, entry.module) for entry in entry_points(group=GROUP)]
