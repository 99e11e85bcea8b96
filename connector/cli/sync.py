"""``connector sync``: load a connection's whole sales channel and watch it happen."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Any

import click

from connector.cli.printing import examples, json_option, note, print_json
from connector.cli.running import Action, with_hub
from connector.domain.http import parse_json
from connector.domain.pending import Context
from connector.flows.connections import start_sync
from connector.flows.hub import Hub
from connector.flows.views import counts, progress_document
from connector.ports import Json

_LOOK_S = 0.5
_SILENT_S = 30.0
"""Nothing happened for so long: probably no worker runs."""


@click.command(
    short_help="Load a store's whole sales channel.",
    epilog=examples("connector sync acme-mkt-1a2b", "connector sync acme-mkt-1a2b --follow"),
)
@click.argument("connection_id", metavar="CONNECTION")
@click.option("--follow", is_flag=True, help="Wait for the end; Ctrl-C stops only the waiting.")
@json_option
def sync(connection_id: str, follow: bool, as_json: bool) -> None:
    """Load the whole sales channel of a connection, again if need be.

    A worker does it: see connector serve. Listings appear while it goes on.
    """

    async def work(hub: Hub) -> Json:
        before = await progress_document(hub.store, connection_id)
        await start_sync(hub, connection_id)
        if not follow:
            return {"state": "asked"}
        return await _follow(hub, connection_id, before.version if before else 0)

    progress = with_hub(work, Action("sync", connection_id))
    if as_json:
        print_json(progress)
    elif not follow:
        note(f"asked for; connector listings {connection_id} shows what has come")


async def _follow(hub: Hub, connection_id: str, known: int) -> Json:
    """Tell every change of the progress until it has an end."""
    silent_since = time.monotonic()
    warned = False
    while True:
        document = await progress_document(hub.store, connection_id)
        if document is not None and document.version > known:
            known, silent_since = document.version, time.monotonic()
            progress = parse_json(document.body.encode()) or {}
            note(told(progress, hub.now()))
            if progress.get("finished_at"):
                return {**progress, "listings_due": await _follow_looks(hub, connection_id)}
        if not warned and time.monotonic() - silent_since > _SILENT_S:
            warned = True
            note("nothing happens: does a worker run? (connector serve)")
        await asyncio.sleep(_LOOK_S)


async def _follow_looks(hub: Hub, connection_id: str) -> int:
    """Tell how many listed SKUs were not looked at yet, until none is left or nothing moves."""
    last, moved_at, began = -1, time.monotonic(), time.monotonic()
    first = 0
    while True:
        pending = (await counts(hub, connection_id))["pending"].get(Context.LISTINGS, {})
        left = int(pending.get("due", 0)) + int(pending.get("leased", 0))
        first = max(first, left)
        if left != last:
            last, moved_at = left, time.monotonic()
            rate = (first - left) / max(0.1, moved_at - began)
            note(f"{left} SKUs are still to be looked at, {rate:.0f} per second")
        if left == 0 or time.monotonic() - moved_at > _SILENT_S:
            return left
        await asyncio.sleep(_LOOK_S)


def told(progress: Json, now: datetime) -> str:
    """One line about how far it is and how fast it goes."""
    seen = int(progress.get("seen") or 0)
    text = f"{progress.get('state', '?')}: {seen} SKUs, page {progress.get('page', '?')}"
    started = _moment(progress.get("started_at"))
    if started is None:
        return text
    elapsed = ((_moment(progress.get("finished_at")) or now) - started).total_seconds()
    return f"{text}, {seen / elapsed:.0f} per second" if elapsed > 0 else text


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
