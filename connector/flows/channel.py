"""The connection's sales channel: the currency of every amount, and whether it still sells."""

from __future__ import annotations

from connector.domain.connection import Connection
from connector.domain.entries import Direction, Entry, Operation, Status
from connector.domain.pending import Context
from connector.flows.documents import load_connection
from connector.flows.hub import Hub
from connector.ports import Conflict
from connector.vtex.catalog import SalesChannel, sales_channel


async def with_currency(hub: Hub, connection: Connection) -> Connection:
    """The connection with its currency known: without it no amount means anything."""
    if connection.currency:
        return connection
    return await refresh_channel(hub, connection)


async def refresh_channel(hub: Hub, connection: Connection) -> Connection:
    """Read the sales channel (protocol 4.10) and keep its currency."""
    channel = await sales_channel(hub.peers.of(connection, Context.UPKEEP).vtex)
    if not channel.active:
        await hub.store.commit([_inactive(hub, connection, channel)])
    if connection.currency == channel.currency:
        return connection
    saved = await load_connection(hub.store, connection.id)
    if saved is not None and saved.value.currency != channel.currency:
        try:
            changed = saved.value.model_copy(update={"currency": channel.currency})
            await hub.book.save(saved, changed)
        except Conflict:
            pass  # whoever was faster has read the same channel, or the next round does
    return connection.model_copy(update={"currency": channel.currency})


def _inactive(hub: Hub, connection: Connection, channel: SalesChannel) -> Entry:
    return Entry(
        connection=connection.id,
        at=hub.now(),
        subject=connection.id,
        operation=Operation.CATALOG_CHANGE,
        direction=Direction.TO_MARKETPLACE,
        status=Status.WARNING,
        message=f"trade policy {channel.id} is inactive in VTEX: no new products are listed",
    )
