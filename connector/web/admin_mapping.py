"""The mapping's verbs of the admin API, the same as ``connector mapping``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import Field

from connector.domain.mapping_file import MOST_ROWS
from connector.domain.mapping_rows import Row, unsound
from connector.flows.mapper import accept_proposal, list_proposals, register_mapper
from connector.flows.mapping import WrongRows, change_mapping, export_rows
from connector.flows.mapping_market import find_categories
from connector.flows.mapping_status import mapping_status
from connector.flows.mapping_suggest import suggest
from connector.settings import Role
from connector.web.admin_api import Asked, Call, Nothing, Route

MOST_BODY = 8 * 1024 * 1024
"""Bytes of an import, some fifty thousand rows; the command line takes more."""


class AskedRow(Asked):
    """One row, as files have it."""

    kind: str
    vtex_category: str = ""
    market_category: str = ""
    attribute: str = ""
    source: str = ""
    vtex_value: str = ""
    market_value: str = ""
    unit: str = ""
    note: str = ""
    score: str = ""
    reason: str = ""


class Import(Asked):
    """Rows to put into the mapping; problems name them by their number, from 1."""

    rows: tuple[AskedRow, ...] = Field(min_length=1, max_length=MOST_ROWS)
    replace: bool = False
    dry_run: bool = False


class Suggest(Asked):
    """What to propose for, and whether the marketplace may be asked."""

    everything: bool = False
    ask: bool = True


class Accept(Asked):
    """How to take a proposal."""

    sound_only: bool = False
    dry_run: bool = False


class Words(Asked):
    """What to look for."""

    words: str = Field(min_length=1, max_length=200)


async def export_mapping(call: Call) -> Any:
    """The mapping's rows."""
    return {"rows": _plain(await export_rows(call.hub, call.connection))}


async def import_mapping(call: Call) -> Any:
    """Put rows into the mapping, all of them or none."""
    asked: Import = call.asked
    lined = [(at, Row(**row.model_dump())) for at, row in enumerate(asked.rows, 1)]
    problems = unsound(lined)
    if problems:
        raise WrongRows(problems)
    changed = await change_mapping(
        call.hub, call.connection, lined, replace=asked.replace, dry_run=asked.dry_run
    )
    return changed.shown()


async def show_status(call: Call) -> Any:
    """What is missing, and how many SKUs it keeps back."""
    return await mapping_status(call.hub, call.connection)


async def propose(call: Call) -> Any:
    """Rows for what is not mapped; nothing is changed."""
    asked: Suggest = call.asked
    found = await suggest(call.hub, call.connection, everything=asked.everything, ask=asked.ask)
    return {"rows": _plain(found.rows), "without": list(found.without), "asked": found.asked}


async def find_category(call: Call) -> Any:
    """Marketplace categories by id or words."""
    return await find_categories(call.hub, call.connection, call.asked.words)


async def register(call: Call) -> Any:
    """Register with VTEX Mapper and send it the tree."""
    return await register_mapper(call.hub, call.connection)


async def show_proposals(call: Call) -> Any:
    """What VTEX Mapper sent, and what it would change."""
    return await list_proposals(call.hub, call.connection)


async def accept(call: Call) -> Any:
    """Put a proposal into the mapping."""
    asked: Accept = call.asked
    changed = await accept_proposal(
        call.hub,
        call.connection,
        call.parts["key"],
        sound_only=asked.sound_only,
        dry_run=asked.dry_run,
    )
    return changed.shown()


def _plain(rows: Any) -> list[dict[str, str]]:
    return [{name: cell for name, cell in asdict(row).items() if cell} for row in rows]


_MAPPING = "/connections/{connection}/mapping"
_V, _O = Role.VIEWER, Role.OPERATOR

MAPPING_ROUTES: tuple[Route, ...] = (
    Route("GET", _MAPPING, _V, export_mapping, refusal=404),
    Route(
        "POST",
        _MAPPING,
        _O,
        import_mapping,
        Import,
        "mapping import",
        refusal=422,
        most=MOST_BODY,
    ),
    Route("GET", f"{_MAPPING}/status", _V, show_status, Nothing),
    Route("POST", f"{_MAPPING}/suggest", _O, propose, Suggest),
    Route("GET", f"{_MAPPING}/find", _V, find_category, Words),
    Route("POST", f"{_MAPPING}/register", _O, register, audit="mapping register"),
    Route("GET", f"{_MAPPING}/proposals", _V, show_proposals),
    Route(
        "POST",
        f"{_MAPPING}/proposals/{{key}}/accept",
        _O,
        accept,
        Accept,
        "mapping accept",
        refusal=422,
    ),
)
