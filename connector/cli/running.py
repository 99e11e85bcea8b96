"""Run a command's work on a hub, and turn what can go wrong into one line and an exit code."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from connector.flows.audit import Record, audited
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


@dataclass(frozen=True)
class Action:
    """What an operator changes, for the record; ``names`` are fields, never their values."""

    what: str
    connection_id: str = ""
    names: tuple[str, ...] = ()


def with_hub(work: Callable[[Hub], Awaitable[T]], action: Action | None = None) -> T:
    """Open the hub that the settings describe, do the work, close it; on record if it changes."""
    settings = read_settings()

    # Imported late: help must not wait for the drivers.
    from connector.bootstrap import StartError, open_hub  # noqa: PLC0415
    from connector.drivers import logs  # noqa: PLC0415

    # Stdout belongs to what the command prints.
    level = "DEBUG" if settings.log_level == "DEBUG" else "WARNING"
    logs.configure(logs.Redactor(settings.secrets()), level=level, stream=sys.stderr, json=False)

    async def opened() -> T:
        try:
            async with open_hub(settings, quiet=True) as hub:
                if action is None:
                    return await work(hub)
                async with audited(
                    hub,
                    who=f"cli:{_user()}",
                    role="shell",
                    what=action.what,
                    connection_id=action.connection_id,
                    names=action.names,
                    record=Record(),
                ):
                    return await work(hub)
        except StartError as error:
            raise Stop(str(error)) from None

    return run(opened())


def _user() -> str:
    """Who is at the shell, as far as the system tells."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
