"""``connector connection pause``, ``resume``, ``disable``, ``enable`` and ``remove``."""

from __future__ import annotations

import click

from connector.cli.printing import note
from connector.cli.running import Action, with_hub
from connector.domain.connection import ConnectionState
from connector.flows import connections
from connector.flows.connections import Refusal
from connector.flows.hub import Hub


@click.command()
@click.argument("connection_id", metavar="CONNECTION")
def pause(connection_id: str) -> None:
    """Leave listings as they are; take in what is told, serve orders."""
    _move(connection_id, ConnectionState.PAUSED, {ConnectionState.ACTIVE}, "enable it first")


@click.command(short_help="Keep listings true again.")
@click.argument("connection_id", metavar="CONNECTION")
def resume(connection_id: str) -> None:
    """Go on after a pause; whatever was told meanwhile is caught up with."""
    _move(connection_id, ConnectionState.ACTIVE, {ConnectionState.PAUSED}, "enable it")


@click.command(short_help="Block its listings; serve open orders.")
@click.argument("connection_id", metavar="CONNECTION")
def disable(connection_id: str) -> None:
    """Block all listings on the marketplace; open orders are still served."""
    allowed = {ConnectionState.ACTIVE, ConnectionState.PAUSED}
    _move(connection_id, ConnectionState.DISABLED, allowed, "")


@click.command()
@click.argument("connection_id", metavar="CONNECTION")
def enable(connection_id: str) -> None:
    """Bring a disabled connection and its listings back."""
    _move(connection_id, ConnectionState.ACTIVE, {ConnectionState.DISABLED}, "resume it")


@click.command(short_help="Remove a disabled connection.")
@click.argument("connection_id", metavar="CONNECTION")
@click.option("--force", is_flag=True, help="Give up on open orders and unblocked listings.")
def remove(connection_id: str, force: bool) -> None:
    """Remove a disabled connection: from now on it refuses everything.

    Refused while a listing can still be bought or an order is open.
    """
    allowed = set(ConnectionState)
    _move(connection_id, ConnectionState.REMOVED, allowed, "", force=force)


def _move(
    connection_id: str,
    target: ConnectionState,
    allowed: set[ConnectionState],
    instead: str,
    *,
    force: bool = False,
) -> None:
    async def work(hub: Hub) -> bool:
        state = (await connections.find(hub, connection_id)).value.state
        if state is target:
            return False
        if state not in allowed:
            raise Refusal(f"{connection_id} is {state}: {instead}")
        await connections.set_state(hub, connection_id, target, force=force)
        return True

    moved = with_hub(work, Action(f"connection {target}", connection_id))
    note(f"{connection_id} is {'now' if moved else 'already'} {target}")


STATES = (pause, resume, disable, enable, remove)
