"""Where the keys come from that seal secrets."""

from __future__ import annotations

import os
from pathlib import Path

import structlog

from connector.drivers.sqlite_schema import path_of
from connector.drivers.vault import AesVault, generate_key
from connector.ports import Vault
from connector.settings import Settings

_log = structlog.get_logger(__name__)


__all__ = ["StartError", "generate_key", "key_file", "open_vault", "vault_keys"]


class StartError(Exception):
    """The hub cannot start; the message says why and what to do."""


def open_vault(settings: Settings) -> Vault:
    """The vault that the settings describe.

    Raises:
        StartError: its keys are missing or unusable.
    """
    try:
        return AesVault(vault_keys(settings))
    except (ValueError, OSError) as error:
        raise StartError(f"CONNECTOR_SECRET_KEY: {error}") from error


def vault_keys(settings: Settings) -> list[str]:
    """The keys that seal secrets; where none is set, those of a file beside the store.

    Raises:
        StartError: the file is lost, or others may read it.
    """
    if settings.secret_key is not None:
        keys = settings.secret_key.get_secret_value().split(",")
        return [key.strip() for key in keys if key.strip()]
    if not settings.embedded:
        raise StartError(
            "CONNECTOR_SECRET_KEY is not set: a ledger that is no file has no place for a key"
            " beside it; make one with: connector settings --new-key"
        )
    store = path_of(settings.store_url)
    place = key_file(store)
    used = store.exists() and store.stat().st_size > 0  # asked first: another process may start now
    if not place.exists():
        if used:
            raise StartError(
                f"{store} exists but its key does not: put {place} back, or set"
                " CONNECTOR_SECRET_KEY to the key it was used with"
            )
        _make_key(place)
    if place.stat().st_mode & 0o077:
        raise StartError(f"others may read {place}: run chmod 600 {place}")
    return place.read_text(encoding="ascii").split()


def key_file(store: Path) -> Path:
    """Where the key of an embedded store is kept."""
    return store.with_name(f"{store.name}.key")


def _make_key(place: Path) -> None:
    """Make a key; of two processes that do so at once, one wins and both use its key."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f"{place.name}.{os.getpid()}")
    part.touch(0o600)
    part.write_text(f"{generate_key()}\n", encoding="ascii")
    try:
        os.link(part, place)  # whole or not at all, and never over another one
    except FileExistsError:
        return
    finally:
        part.unlink()
    _log.warning(
        "secret_key_made",
        file=str(place),
        note="CONNECTOR_SECRET_KEY is not set: keep a copy of this file, no secret opens without",
    )
