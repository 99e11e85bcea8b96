"""Application settings of adapters: what an operator set for all connections of a marketplace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from connector.flows.connections import explain
from connector.sdk import AdapterSettings, Capability
from connector.sdk.registry import AdapterRegistry


def read_app_settings(
    registry: AdapterRegistry, given: Mapping[str, Mapping[str, Any]]
) -> dict[str, AdapterSettings]:
    """The application settings of every adapter that has some; a broken adapter has none.

    Raises:
        ValueError: naming the adapter and what is wrong, never a value.
    """
    read = {}
    for name, values in given.items():
        if name in registry.broken:
            continue
        adapter = registry.found.get(name)
        model = adapter.app_settings_model if adapter is not None else None
        if adapter is None or (
            model is None and Capability.APP_WEBHOOK not in adapter.capabilities
        ):
            raise ValueError(f"{name} is no adapter with application settings")
        if model is None:
            if values:
                raise ValueError(f"{name}: the adapter has no application settings of its own")
            continue
        try:
            read[name] = model.model_validate(dict(values))
        except ValidationError as error:
            raise ValueError(explain(error, name)) from None
    return read
