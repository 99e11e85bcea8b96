"""Run a command's work on a hub, and turn what can go wrong into one line and an exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from connector.flows.connections import Refusal, explain
from connector.flows.hub import Hub
from connector.ports import Conflict, StoreUnavailable
from connector.settings import Settings, SettingsError, load_settings

T = TypeVar("T")


class Stop(click.ClickException):
    """What was asked for cannot be done; the message says what to do instead."""

    exit_code = 2


class Failed(click.ClickException):
    """It could have been done, and was not."""

    exit_code = 1


def read_settings(**overrides: Any) -> Settings:
    """The hub's settings from the environment."""
    try:
        return load_settings(**overrides)
    except SettingsError as error:
        raise Stop(f"{error} (see connector settings)") from None


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end.

    Raises:
        Stop: it was refused.
        Failed: somebody was faster, or the ledger is away.
    """
    try:
        return asyncio.run(work)
    except Refusal as refusal:
        raise Stop(str(refusal)) from None
    except ValidationError as error:  # its own text would quote values
        raise Failed(explain(error)) from None
    except ValueError as error:  # a vault key that is not the one secrets were sealed with, say
        raise Failed(str(error)) from None
    except Conflict:
        raise Failed("somebody changed it at the same moment: try again") from None
    except StoreUnavailable as error:
        raise Failed(f"the ledger is not available: {error}") from None


def with_hub(work: Callable[[Hub], Awaitable[T]]) -> T:
    """Open the hub that the settings describe, do the work, close it."""
    settings = read_settings()

    # Imported late: help must not wait for the drivers.
    from connector.bootstrap import StartError, open_hub  # noqa: PLC0415
    from connector.drivers import logs  # noqa: PLC0415

    # Stdout belongs to what the command prints.
    level = "DEBUG" if settings.log_level == "DEBUG" else "WARNING"
    logs.configure(logs.Redactor(settings.secrets()), level=level, stream=sys.stderr, json=False)

    async def opened() -> T:
        try:
            async with open_hub(settings) as hub:
                return await work(hub)
        except StartError as error:
            raise Stop(str(error)) from None

    return run(opened())
