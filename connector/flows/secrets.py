"""Secrets in URLs: made, compared, replaced."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from connector.domain.connection import Connection, Purpose, UrlSecret
from connector.domain.order import ENDED, Order
from connector.flows.documents import ORDER
from connector.ports import Store, Vault

OVERLAP = timedelta(days=7)
"""How long a replaced secret still opens its door, so that a merchant can paste the new URL."""


def make_secret(vault: Vault, connection_id: str, purpose: Purpose, generation: int) -> UrlSecret:
    """A new unguessable secret (256 bits)."""
    secret = secrets.token_urlsafe(32)
    return UrlSecret(
        purpose=purpose,
        generation=generation,
        digest=digest(secret),
        sealed=vault.seal(secret, bound_to=bound_to(connection_id, purpose, generation)),
    )


def reveal(vault: Vault, connection: Connection, purpose: Purpose) -> str:
    """The newest secret itself, for composing a URL."""
    current = connection.current(purpose)
    place = bound_to(connection.id, purpose, current.generation)
    return vault.open(current.sealed, bound_to=place)


def services_endpoint(vault: Vault, public_url: str, connection: Connection) -> str:
    """Where VTEX calls back about orders: path only, no query, no final slash (protocol 7.1)."""
    return f"{public_url}/vtex/v1/{connection.id}/{reveal(vault, connection, Purpose.SERVICES)}"


def bound_to(connection_id: str, purpose: Purpose, generation: int) -> str:
    """Where a sealed secret belongs: moved elsewhere, it does not open."""
    return f"{connection_id}|url-secret|{purpose}|{generation}"


def digest(secret: str) -> str:
    """What is stored to compare with."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def opens(connection: Connection | None, purpose: Purpose, secret: str, now: datetime) -> bool:
    """Whether the secret opens this door. Takes the same time whatever is wrong with it."""
    given = digest(secret)
    known = connection.secrets if connection is not None else ()
    good = False
    for candidate in known:
        same = hmac.compare_digest(candidate.digest, given)
        alive = candidate.retires_at is None or now < candidate.retires_at
        good |= same and alive and candidate.purpose is purpose
    return good


def rotated(
    vault: Vault, connection: Connection, purpose: Purpose, now: datetime, *, overlap: timedelta
) -> Connection:
    """The connection with a new secret for a purpose; the old one retires after ``overlap``."""
    old = connection.current(purpose)
    kept = tuple(
        secret.model_copy(update={"retires_at": now + overlap})
        if secret.purpose is purpose and secret.retires_at is None
        else secret
        for secret in connection.secrets
    )
    new = make_secret(vault, connection.id, purpose, old.generation + 1)
    return connection.model_copy(update={"secrets": (*kept, new)})


_EXTEND_BEFORE = timedelta(days=3)


def _is_carried(secret: UrlSecret, carried: set[int]) -> bool:
    return secret.purpose is Purpose.SERVICES and secret.generation in carried


async def carried_generations(store: Store, connection: Connection) -> set[int]:
    """Generations of the services secret that open orders still carry."""
    carried: set[int] = set()
    after = ""
    while page := await store.scan(ORDER, connection.id, after=after):
        for row in page:
            if row.state not in ENDED:
                carried.add(Order.model_validate_json(row.body).services_generation)
        after = page[-1].key
    return carried


async def prune(store: Store, connection: Connection, now: datetime) -> Connection:
    """Drop secrets whose time is over; a services secret lives on while open orders carry it.

    That one is extended well before it would retire: this runs about once a day.
    """
    soon = now + _EXTEND_BEFORE
    ending = [s for s in connection.secrets if s.retires_at is not None and s.retires_at <= soon]
    if not ending:
        return connection
    carried = await carried_generations(store, connection)
    kept = []
    for secret in connection.secrets:
        retires_at = secret.retires_at
        if secret in ending and _is_carried(secret, carried):
            kept.append(secret.model_copy(update={"retires_at": soon + _EXTEND_BEFORE}))
        elif retires_at is None or retires_at > now:
            kept.append(secret)
    return connection.model_copy(update={"secrets": tuple(kept)})
