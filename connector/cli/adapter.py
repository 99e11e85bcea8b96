"""``connector adapter``: which marketplaces can be connected, and what each needs."""

from __future__ import annotations

from typing import Any

import click
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from connector.cli import adapter_kit
from connector.cli.printing import (
    Columns,
    examples,
    json_option,
    print_json,
    print_pairs,
    print_table,
)
from connector.cli.running import Stop
from connector.ports import Json
from connector.sdk import Adapter, AdapterSettings
from connector.sdk.registry import AdapterRegistry, discover


@click.group(short_help="Marketplaces that can be connected.")
def adapter() -> None:
    """See which marketplaces can be connected, and what each needs to know."""


@adapter.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the adapters that were found, and why broken ones are left out."""
    rows = adapter_rows(discover())
    if as_json:
        print_json(rows)
        return
    columns: Columns = {
        "NAME": "name",
        "MARKETPLACE": "title",
        "WORKS": "ok",
        "PROBLEM": "problem",
    }
    print_table(rows, columns, empty="no adapter was found")


@adapter.command(epilog=examples("connector adapter show demo"))
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show what an adapter can do, its limits, and the settings a connection needs."""
    try:
        found = discover().get(name)
    except LookupError as error:
        raise Stop(str(error)) from None
    details = adapter_details(found)
    if as_json:
        print_json(details)
        return
    settings = details.pop("settings")
    application = details.pop("application_settings")
    print_pairs(details)
    columns: Columns = {
        "SETTING": "name",
        "REQUIRED": "required",
        "SECRET": "secret",
        "TYPE": "type",
        "DEFAULT": "default",
        "MEANING": "meaning",
    }
    click.echo("\nadapter_settings of a connection:")
    print_table(settings, columns, empty="none")
    if application:
        click.echo("\nsettings of the application, shared by all connections:")
        print_table(application, columns, empty="none")


for command in (adapter_kit.new, adapter_kit.check, adapter_kit.docs, adapter_kit.table):
    adapter.add_command(command)


def adapter_rows(registry: AdapterRegistry) -> list[Json]:
    """Every adapter, working or not."""
    rows = [
        {"name": name, "title": each.title or name, "ok": True, "problem": ""}
        for name, each in registry.found.items()
    ]
    rows += [
        {"name": name, "title": "", "ok": False, "problem": why}
        for name, why in registry.broken.items()
    ]
    return sorted(rows, key=lambda row: str(row["name"]))


def adapter_details(found: type[Adapter[Any]]) -> Json:
    """What an adapter declares."""
    return {
        "name": found.name,
        "title": found.title or found.name,
        "capabilities": sorted(found.capabilities),
        "limits": [
            f"{limit.rate:g} per {limit.per_s:g} s, {limit.burst} at once, per {limit.scope}"
            + (f" ({limit.operation})" if limit.operation else "")
            for limit in found.limits
        ],
        "batch_size": found.batch_size,
        "max_stock": found.max_stock,
        "poll_every_s": found.poll_every_s,
        "settings": _fields(found.settings_model),
        "application_settings": _fields(found.app_settings_model),
    }


def _fields(model: type[AdapterSettings] | None) -> list[Json]:
    if model is None:
        return []
    return [
        {
            "name": name,
            "required": field.is_required(),
            "secret": field.annotation is SecretStr,
            "type": _type(field),
            "default": None if field.is_required() else _default(field),
            "meaning": " - ".join(part for part in (field.title, field.description) if part),
        }
        for name, field in model.model_fields.items()
    ]


def _type(field: FieldInfo) -> str:
    if field.annotation is SecretStr:
        return "text"
    return getattr(field.annotation, "__name__", str(field.annotation))


def _default(field: FieldInfo) -> str:
    return str(field.get_default(call_default_factory=True, validated_data={}))
