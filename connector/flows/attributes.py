"""What marketplaces want to know of products, category by category, in the ledger.

Kept for categories that something is mapped to, once per site (see ``trees``). Long lists of values
are kept apart, by what is in them: the same brands are asked for in a thousand categories.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from connector.domain.offer import Value
from connector.domain.tree import Values, Wanted
from connector.flows.bundles import pack, unpack
from connector.flows.trees import FRESH, clean, site_of
from connector.ports import Conflict, Document, Drop, Put, Store, Write
from connector.sdk import Capability, CategoryAttribute

if TYPE_CHECKING:
    from connector.flows.hub import Hub, Peers

ATTRIBUTES, LIST = "attributes", "value-list"
_LONG = 50
"""Lists of more values are kept apart."""
_MOST_LISTS = 300
_TOUCHED = timedelta(days=1)
_UNUSED = timedelta(days=3)
"""A list that nothing refers to is dropped so long after it was last saved: what refers to it may
still be on its way."""
_FORGOTTEN = timedelta(days=60)
"""Attributes that nobody fetched for so long are of categories that nothing is mapped to."""


class Known(Value):
    """What is known of one category's attributes; ``lists`` are the lists they refer to."""

    digest: str
    fetched_at: datetime
    packed: str = ""
    lists: tuple[str, ...] = ()


class _SavedList(Value):
    saved_at: datetime
    packed: str


class ValueLists:
    """Lists of values, remembered by what is in them: all who use one share it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Values] = OrderedDict()

    async def get(self, store: Store, site: str, digests: Iterable[str]) -> dict[str, Values]:
        """The lists with these digests.

        Raises:
            Conflict: one was dropped meanwhile: read again what refers to it.
        """
        found: dict[str, Values] = {}
        for digest in digests:
            key = (site, digest)
            if key not in self._kept:
                self._kept[key] = await _load_list(store, site, digest)
                while len(self._kept) > _MOST_LISTS:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            found[digest] = self._kept[key]
        return found


# --- reading --------------------------------------------------------------------------------------


async def read_attributes(
    store: Store, site: str, categories: Sequence[str], lists: ValueLists
) -> dict[str, tuple[Wanted, ...]]:
    """The attributes of those of these categories of which they are known."""
    found = await store.get(ATTRIBUTES, site, list(categories))
    return {
        category: await _unpacked(store, site, document, lists)
        for category, document in found.items()
    }


async def all_attributes(store: Store, site: str) -> dict[str, tuple[Wanted, ...]]:
    """Everything that is known of a site's attributes, by category."""
    found: dict[str, tuple[Wanted, ...]] = {}
    lists = ValueLists()
    after = ""
    while rows := await store.scan(ATTRIBUTES, site, after=after, limit=200):
        for row in rows:
            found[row.key] = await _unpacked(store, site, row, lists)
        after = rows[-1].key
    return found


async def _unpacked(
    store: Store, site: str, document: Document, lists: ValueLists
) -> tuple[Wanted, ...]:
    known = Known.model_validate_json(document.body)
    long = await lists.get(store, site, known.lists)
    return tuple(_wanted(told, long) for told in json.loads(unpack(known.packed)))


def _wanted(told: dict[str, Any], long: dict[str, Values]) -> Wanted:
    digest = told.pop("list", "")
    values = long[digest] if digest else _values(told["values"])
    return Wanted(**{**told, "units": tuple(told["units"]), "values": values})


async def _load_list(store: Store, site: str, digest: str) -> Values:
    document = (await store.get(LIST, site, [digest])).get(digest)
    if document is None:
        raise Conflict("a list of values was dropped")
    rows = json.loads(unpack(_SavedList.model_validate_json(document.body).packed))
    return _values(rows)


def _values(rows: Sequence[Sequence[str]]) -> Values:
    return Values(tuple((own, name) for own, name in rows))


# --- fetching -------------------------------------------------------------------------------------


async def refresh_attributes(hub: Hub, peers: Peers, category: str) -> tuple[str, bool]:
    """Fetch one category's attributes anew where they are old; returns their digest (empty: the
    adapter knows of none at all), and whether they were fetched.

    Raises:
        AdapterError, HttpFailure: the marketplace could not be asked.
    """
    if Capability.ATTRIBUTES not in peers.adapter.capabilities:
        return "", False
    store, site, now = hub.store, site_of(peers), hub.now()
    document = (await store.get(ATTRIBUTES, site, [category])).get(category)
    if document is not None:
        before = Known.model_validate_json(document.body)
        if now - before.fetched_at < FRESH:
            return before.digest, False
    rows: list[dict[str, Any]] = []
    lists: dict[str, str] = {}
    for attribute in await peers.adapter.attributes(category):
        row, values = _plain(attribute)
        rows.append(row)
        lists |= values
    for digest, text in lists.items():
        await _save_list(store, site, digest, text, now)
    text = json.dumps(rows, separators=(",", ":"), ensure_ascii=False)
    known = Known(
        digest=_digest(text), fetched_at=now, packed=pack(text), lists=tuple(sorted(lists))
    )
    version = document.version if document is not None else 0
    body = known.model_dump_json()
    with contextlib.suppress(Conflict):  # another connection of the site has just fetched the same
        await store.commit([Put(Document(ATTRIBUTES, site, category, body, version=version))])
    return known.digest, True


def _plain(attribute: CategoryAttribute) -> tuple[dict[str, Any], dict[str, str]]:
    """An adapter's attribute as JSON, and its list of values where that is kept apart."""
    told = asdict(attribute)
    told["id"], told["name"] = clean(attribute.id), clean(attribute.name)
    told["units"] = [clean(unit) for unit in attribute.units]
    values = [[clean(own), clean(name)] for own, name in attribute.values]
    if len(values) <= _LONG:
        return told | {"values": values}, {}
    del told["values"]
    text = json.dumps(values, separators=(",", ":"), ensure_ascii=False)
    return told | {"list": _digest(text)}, {_digest(text): text}


async def _save_list(store: Store, site: str, digest: str, text: str, now: datetime) -> None:
    """Save a list, or say that it is still in use."""
    document = (await store.get(LIST, site, [digest])).get(digest)
    if document is not None:
        saved = _SavedList.model_validate_json(document.body)
        if now - saved.saved_at < _TOUCHED:
            return
    body = _SavedList(saved_at=now, packed=pack(text)).model_dump_json()
    version = document.version if document is not None else 0
    with contextlib.suppress(Conflict):  # somebody else saves the very same list
        await store.commit([Put(Document(LIST, site, digest, body, version=version))])


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


# --- forgetting -----------------------------------------------------------------------------------


async def sweep_attributes(hub: Hub, site: str) -> None:
    """Forget attributes nobody asked for in a long time, and lists that nothing refers to."""
    store, now = hub.store, hub.now()
    used: set[str] = set()
    writes: list[Write] = []
    after = ""
    while rows := await store.scan(ATTRIBUTES, site, after=after, limit=200):
        for row in rows:
            known = Known.model_validate_json(row.body)
            if now - known.fetched_at > _FORGOTTEN:
                writes.append(Drop(ATTRIBUTES, site, row.key))
            else:
                used.update(known.lists)
        after = rows[-1].key
    after = ""
    while rows := await store.scan(LIST, site, after=after, limit=50):
        for row in rows:
            saved = _SavedList.model_validate_json(row.body)
            if row.key not in used and now - saved.saved_at > _UNUSED:
                writes.append(Drop(LIST, site, row.key))
        after = rows[-1].key
    if writes:
        await store.commit(writes)
