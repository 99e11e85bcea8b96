"""The ledger's documents as domain values, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from connector.domain.connection import Connection
from connector.domain.listing import Listing
from connector.domain.offer import Value
from connector.domain.order import Order
from connector.ports import Document, Put, Store

V = TypeVar("V", bound=Value)

CONNECTION, LISTING, ORDER = "connection", "listing", "order"
ALL_CONNECTIONS = ""
"""Connections themselves are kept under no connection."""


@dataclass(frozen=True, slots=True)
class Saved(Generic[V]):
    """A value with the version it was read at, so that a save notices who was faster."""

    value: V
    version: int = 0


async def load_listings(
    store: Store, connection: str, skus: Sequence[str]
) -> dict[str, Saved[Listing]]:
    """The listings of these SKUs; unknown ones begin as new."""
    found = await store.get(LISTING, connection, skus)
    return {
        sku: Saved(Listing.model_validate_json(found[sku].body), found[sku].version)
        if sku in found
        else Saved(Listing(connection=connection, sku=sku))
        for sku in skus
    }


async def load_orders(
    store: Store, connection: str, refs: Sequence[str]
) -> dict[str, Saved[Order]]:
    """The orders with these references that are known."""
    found = await store.get(ORDER, connection, refs)
    return {
        ref: Saved(Order.model_validate_json(document.body), document.version)
        for ref, document in found.items()
    }


def put_listing(saved: Saved[Listing], value: Listing) -> Put:
    """Save a listing over the version it was read at."""
    return Put(
        Document(
            LISTING,
            value.connection,
            value.sku,
            value.model_dump_json(exclude_defaults=True),
            value.state,
            saved.version,
        )
    )


def put_order(saved: Saved[Order], value: Order) -> Put:
    """Save an order over the version it was read at."""
    return Put(
        Document(
            ORDER,
            value.connection,
            value.ref,
            value.model_dump_json(exclude_defaults=True),
            value.state,
            saved.version,
        )
    )


def put_connection(saved: Saved[Connection], value: Connection) -> Put:
    """Save a connection over the version it was read at."""
    return Put(
        Document(
            CONNECTION,
            ALL_CONNECTIONS,
            value.id,
            value.model_dump_json(exclude_defaults=True),
            value.state,
            saved.version,
        )
    )


async def load_connection(store: Store, connection: str) -> Saved[Connection] | None:
    """One connection, or None where there is none of that id."""
    found = await store.get(CONNECTION, ALL_CONNECTIONS, [connection])
    if connection not in found:
        return None
    document = found[connection]
    return Saved(Connection.model_validate_json(document.body), document.version)


async def load_connections(store: Store) -> list[Saved[Connection]]:
    """All connections, by id."""
    result: list[Saved[Connection]] = []
    after = ""
    while page := await store.scan(CONNECTION, ALL_CONNECTIONS, after=after):
        result.extend(Saved(Connection.model_validate_json(row.body), row.version) for row in page)
        after = page[-1].key
    return result
