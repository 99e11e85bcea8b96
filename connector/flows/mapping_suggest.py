"""Propose a mapping: similar names, what the marketplace knows by EAN, and its own predictor.

Nothing here changes anything: proposals are rows with a score and a reason, for a person to edit
and import.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from connector.domain.connection import Connection
from connector.domain.mapping import FIELD, FIELDS, Lack, MarketMap
from connector.domain.mapping_rows import Kind, Row
from connector.domain.matching import (
    KNOWN,
    PREDICTED,
    Proposal,
    closest,
    combined,
    votes,
)
from connector.domain.offer import Content
from connector.domain.tree import Tree, Wanted
from connector.domain.words import folded
from connector.flows.attributes import ValueLists, read_attributes, refresh_attributes
from connector.flows.connections import Refusal, find
from connector.flows.hub import Hub, Peers
from connector.flows.mapping_job import contents, listing_pages
from connector.flows.mapping_market import Market, matcher_of, read_market
from connector.flows.mapping_store import load_map
from connector.flows.setbacks import PEER_ERRORS
from connector.flows.trees import site_of
from connector.sdk import Capability, CategoryGuess, Rejected

_SAMPLES = 3
"""Products of a category that the marketplace is asked about."""
_MOST_ASKED = 300
"""Categories the marketplace is asked about: those with most SKUs."""
_LEAST = 0.25
"""A proposal that is less sure than this helps nobody."""
_LIKE = 0.6
"""How similar an attribute's or a value's name must be."""
_MOST_VALUES = 300


@dataclass
class Group:
    """The SKUs of one VTEX category, and what they have in common."""

    id: str
    path: tuple[str, ...]
    skus: int = 0
    samples: list[Content] = field(default_factory=list)
    values: dict[str, Counter[str]] = field(default_factory=dict)
    """How many SKUs have which value, by specification."""

    def add(self, content: Content) -> None:
        """Count one SKU."""
        self.skus += 1
        if len(self.samples) < _SAMPLES:
            self.samples.append(content)
        for each in content.attributes:
            known = self.values.setdefault(each.name, Counter())
            known.update(value for value in each.values if len(known) < _MOST_VALUES)


@dataclass(frozen=True)
class Suggested:
    """Rows to import, and VTEX categories nothing was found for."""

    rows: Sequence[Row]
    without: Sequence[str]
    asked: bool
    """Whether the marketplace answered what it was asked."""


async def suggest(
    hub: Hub, connection_id: str, *, everything: bool = False, ask: bool = True
) -> Suggested:
    """Propose rows for what is not mapped.

    ``everything``: also for categories that only the connection's rules map (its default category,
    say). ``ask`` the marketplace about single products, where it can tell.

    Raises:
        Refusal: there is no tree to propose from.
    """
    connection = (await find(hub, connection_id)).value
    market = await read_market(hub, connection)
    if market.tree is None:
        raise Refusal(f"the adapter {connection.adapter} cannot read the marketplace's categories")
    mapping = (await load_map(hub.store, connection.id)).mapping
    unmapped, mapped = await _groups(hub, connection, market, mapping, everything=everything)
    asker = _Asker(market.peers, ask=ask)
    rows, without = await _categories(market.tree, unmapped, asker)
    rows += await _attributes(hub, market, mapping, mapped)
    return Suggested(rows, without, ask and asker.answered)


async def _groups(
    hub: Hub, connection: Connection, market: Market, mapping: MarketMap, *, everything: bool
) -> tuple[list[Group], dict[str, list[Group]]]:
    """VTEX categories that want a row, and the others by the marketplace category they have."""
    groups: dict[str, Group] = {}
    homes: dict[str, str] = {}
    async for page in listing_pages(hub, connection):
        known = [each for each in contents(page) if each.category_id]
        filling = await hub.mappings.filling(connection, market.peers, known)
        for content in known:
            own = content.category_id
            groups.setdefault(own, Group(own, content.category_path)).add(content)
            if own not in homes:
                lacks = {each.lack for each in filling(content).missing}
                home = filling.filler.category(content)
                ruled = everything and own not in mapping.categories
                homes[own] = "" if Lack.CATEGORY in lacks or ruled else home
    by_size = sorted(groups.values(), key=lambda group: (-group.skus, group.id))
    mapped: dict[str, list[Group]] = {}
    for group in by_size:
        if homes[group.id]:
            mapped.setdefault(homes[group.id], []).append(group)
    return [group for group in by_size if not homes[group.id]], mapped


# --- categories -----------------------------------------------------------------------------------


class _Asker:
    """Asks the marketplace about single products until it does not answer any more."""

    def __init__(self, peers: Peers, *, ask: bool) -> None:
        self._adapter = peers.adapter
        self._left = _MOST_ASKED if ask else 0
        can = peers.adapter.capabilities
        self._by_ean = Capability.BY_EAN in can
        self._predicts = Capability.PREDICT in can
        self.answered = True

    async def about(self, group: Group) -> list[Proposal]:
        """What the marketplace makes of a category's sample products."""
        if self._left <= 0:
            return []
        self._left -= 1
        eans = [content.ean for content in group.samples if content.ean]
        titles = [content.title for content in group.samples]
        found: list[Proposal] = []
        try:
            if self._by_ean and eans:
                found += votes([await self._adapter.category_by_ean(e) for e in eans], KNOWN, "EAN")
            if self._predicts:
                guesses = [await self._guess(title) for title in titles]
                found += votes(guesses, PREDICTED, "predictor")
        except PEER_ERRORS:
            self._left, self.answered = 0, False
        return found

    async def _guess(self, title: str) -> str:
        try:
            guesses: Sequence[CategoryGuess] = await self._adapter.predict_category(title)
        except Rejected:
            return ""
        return guesses[0].category_id if guesses else ""


async def _categories(
    tree: Tree, groups: Sequence[Group], asker: _Asker
) -> tuple[list[Row], list[str]]:
    if not groups:
        return [], []
    matcher = await matcher_of(tree)
    rows: list[Row] = []
    without: list[str] = []
    for group in groups:
        asked = [each for each in await asker.about(group) if not tree.problem(each.id)]
        similar = matcher.best(group.path)
        await asyncio.sleep(0)
        found = [each for each in combined([*asked, *similar]) if each.score >= _LEAST]
        if found:
            rows.append(_category_row(tree, group, found))
        else:
            without.append(f"{group.id} ({'/'.join(group.path)})")
    return rows, without


def _category_row(tree: Tree, group: Group, found: Sequence[Proposal]) -> Row:
    best, *others = found
    also = "".join(f"; also {tree.shown(each.id)} {each.score:.2f}" for each in others[:2])
    here, there = "/".join(group.path), " > ".join(tree.path(best.id))
    return Row(
        Kind.CATEGORY,
        vtex_category=group.id,
        market_category=best.id,
        note=f"{here} = {there}, {group.skus} SKUs",
        score=f"{best.score:.2f}",
        reason=f"{best.reason}{also}",
    )


# --- attributes and values ------------------------------------------------------------------------


async def _attributes(
    hub: Hub, market: Market, mapping: MarketMap, mapped: dict[str, list[Group]]
) -> list[Row]:
    """Rows for the attributes of categories that are mapped already."""
    rows: list[Row] = []
    lists, asking = ValueLists(), True
    for category, groups in sorted(mapped.items()):
        if asking:
            try:
                await refresh_attributes(hub, market.peers, category)
            except PEER_ERRORS:
                asking = False  # go on with what is known
        known = await read_attributes(hub.store, site_of(market.peers), [category], lists)
        for wanted in known.get(category, ()):
            rows.extend(_about(category, wanted, mapping, groups))
        await asyncio.sleep(0)
    return rows


def _about(category: str, wanted: Wanted, mapping: MarketMap, groups: Sequence[Group]) -> list[Row]:
    """Rows for one attribute: where it comes from, and which values mean which."""
    fill = mapping.fills.get((category, wanted.id)) or mapping.fills.get(("", wanted.id))
    names = {name: name for group in groups for name in group.values}
    names |= {f"{FIELD}{name}": name for name in FIELDS}
    if fill is None:
        best = closest(wanted.name, names, _LIKE)
        if best is None:
            return []
        row = Row(
            Kind.ATTRIBUTE,
            market_category=category,
            attribute=wanted.id,
            source=best.id,
            note=f"{wanted.name}{', required' if wanted.required else ''}",
            score=f"{best.score:.2f}",
            reason=best.reason,
        )
        return [row, *_values(category, wanted, mapping, groups, best.id)]
    return _values(category, wanted, mapping, groups, fill.source)


def _values(
    category: str, wanted: Wanted, mapping: MarketMap, groups: Sequence[Group], source: str
) -> list[Row]:
    """Rows for values in VTEX that the marketplace does not take as they are."""
    if not wanted.values or not source:
        return []
    sources = {folded(name) for name in source.split("|")}
    counted: Counter[str] = Counter()
    for group in groups:
        for name, values in group.values.items():
            if folded(name) in sources:
                counted.update(values)
    rows = []
    for text, count in counted.most_common():
        told = [(place, wanted.id, text) in mapping.values for place in (category, "")]
        if any(told) or wanted.find(text, ids=False) is not None or not text.isprintable():
            continue
        best = closest(text, wanted.values.by_id, _LIKE)
        if best is not None:
            rows.append(
                Row(
                    Kind.VALUE,
                    market_category=category,
                    attribute=wanted.id,
                    vtex_value=text,
                    market_value=best.id,
                    note=f"{wanted.name}: {wanted.values.by_id[best.id]}, {count} SKUs",
                    score=f"{best.score:.2f}",
                    reason=best.reason,
                )
            )
    return rows
