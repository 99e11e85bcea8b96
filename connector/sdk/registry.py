"""Find adapters: in the ``adapters`` folder and behind the entry point group of the same name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from connector.sdk.adapter import Adapter, capability_gaps

GROUP = "connector.adapters"
FOLDER = "adapters"


@dataclass(frozen=True, slots=True)
class AdapterRegistry:
    """The adapters that work, and why the others do not. A broken one never stops the hub."""

    found: Mapping[str, type[Adapter[Any]]] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    modules: Mapping[str, ModuleType] = field(default_factory=dict)

    def get(self, name: str) -> type[Adapter[Any]]:
        """The adapter class of that name.

        Raises:
            LookupError: there is none, or it is broken; the message says which and why.
        """
        if name in self.found:
            return self.found[name]
        if name in self.broken:
            raise LookupError(f"adapter {name} is broken: {self.broken[name]}")
        known = ", ".join(sorted(self.found)) or "none"
        raise LookupError(f"there is no adapter {name}; found: {known}")


def discover() -> AdapterRegistry:
    """Import every adapter and check its declaration."""
    found: dict[str, type[Adapter[Any]]] = {}
    broken: dict[str, str] = {}
    modules: dict[str, ModuleType] = {}
    for label, module_name in _candidates():
        try:
            module = importlib.import_module(module_name)
            adapter = _checked(module, taken=found)
        except Exception as error:  # noqa: BLE001 - a plugin may fail in any way; it stays out
            broken[label] = f"{type(error).__name__}: {error}"
            continue
        found[adapter.name] = adapter
        modules[adapter.name] = module
    return AdapterRegistry(found, broken, modules)


def _candidates() -> Iterator[tuple[str, str]]:
    folder = importlib.import_module(FOLDER)
    for info in pkgutil.iter_modules(folder.__path__):
        if info.ispkg:
            yield info.name, f"{FOLDER}.{info.name}"
    for entry in entry_points(group=GROUP):
        yield entry.name, entry.module


def _checked(module: ModuleType, taken: Collection[str]) -> type[Adapter[Any]]:
    adapter = getattr(module, "ADAPTER", None)
    if not (isinstance(adapter, type) and issubclass(adapter, Adapter)):
        raise TypeError("the package has no ADAPTER that is a subclass of connector.sdk.Adapter")
    if not getattr(adapter, "name", "").isidentifier():
        raise TypeError("the adapter's name must be a plain word")
    if adapter.name in taken:
        raise TypeError(f"another adapter is called {adapter.name} already")
    gaps = capability_gaps(adapter)
    if gaps:
        raise TypeError("; ".join(gaps))
    return adapter
