"""Marketplaces' category trees and attributes in the ledger: one copy for all who share them.

A tree belongs to a *site*: an adapter and what ``Adapter.tree_scope`` says, so that merchants of
one marketplace read it once. It is kept as a head (which list, which version, since when) and the
list itself (see ``bundles``); attributes are kept by category, for categories that are mapped.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from connector.domain.offer import Value
from connector.domain.tree import Node, Tree, Wanted
from connector.flows.bundles import (
    Bundle,
    drop_bundle,
    load_bundle,
    pack,
    save_bundle,
    unpack,
)
from connector.flows.setbacks import Again
from connector.ports import Conflict, Document, Put, Store
from connector.sdk import Capability

if TYPE_CHECKING:
    from connector.flows.hub import Hub, Peers

TREE, TREE_PART, ATTRIBUTES = "tree", "tree-part", "attributes"
HEAD = "head"
FRESH = timedelta(hours=23)
"""A tree younger than this is not fetched again: about daily, however many connections share it."""
_DOUBT_S = 3_600.0
_TRIES = 3


class TreeHead(Value):
    """Which tree a site has: ``number`` grows with every change."""

    adapter: str
    number: int = 0
    bundle: Bundle = Bundle()
    previous: Bundle = Bundle()
    """Kept for those who are reading it."""
    fetched_at: datetime
    changed_at: datetime
    doubted: str = ""
    """Digest of a tree that was so much smaller that it is believed only if it comes again."""


class Known(Value):
    """What is known of one category's attributes; ``packed`` holds them compressed."""

    digest: str
    fetched_at: datetime
    packed: str = ""

    def wanted(self) -> tuple[Wanted, ...]:
        """The attributes."""
        return tuple(_wanted(each) for each in json.loads(unpack(self.packed)))


def site_of(peers: Peers) -> str:
    """The owner under which a connection's tree is kept."""
    adapter = peers.adapter
    scope = type(adapter).tree_scope(adapter.settings)
    digest = hashlib.blake2b(scope.encode(), digest_size=8).hexdigest()
    return f"site:{adapter.name}:{digest}"


# --- trees ----------------------------------------------------------------------------------------


async def tree_head(store: Store, site: str) -> tuple[TreeHead | None, int]:
    """A site's head and the version it is saved at; None where its tree was never fetched."""
    found = await store.get(TREE, site, [HEAD])
    if HEAD not in found:
        return None, 0
    return TreeHead.model_validate_json(found[HEAD].body), found[HEAD].version


async def load_tree(store: Store, site: str) -> tuple[TreeHead, Tree] | None:
    """A site's tree as it was last fetched; None where it never was."""
    for attempt in range(_TRIES):
        head, _ = await tree_head(store, site)
        if head is None:
            return None
        try:
            rows = await load_bundle(store, TREE_PART, site, head.bundle)
        except Conflict:
            if attempt == _TRIES - 1:
                raise
            continue
        return head, Tree(Node(*row) for row in rows)
    return None


async def refresh_tree(hub: Hub, peers: Peers, *, force: bool = False) -> TreeHead:
    """The site's head, its tree fetched anew where it is old.

    Raises:
        AdapterError, HttpFailure: the marketplace could not be asked.
        Again: it answered with nothing, or with so little that it is asked once more.
        Conflict: another process fetched it at the same moment.
    """
    store, site, now = hub.store, site_of(peers), hub.now()
    head, version = await tree_head(store, site)
    if head is not None and not force and now - head.fetched_at < FRESH:
        return head
    rows = [
        [_clean(each.id), _clean(each.name), _clean(each.parent_id), each.leaf]
        for each in await peers.adapter.categories()
        if each.id
    ]
    if not rows:
        raise Again("the marketplace answered with an empty category tree", after_s=_DOUBT_S)
    bundle = await save_bundle(store, TREE_PART, site, rows)
    if head is None:
        head = TreeHead(adapter=peers.adapter.name, fetched_at=now, changed_at=now)
    if bundle.rows * 2 < head.bundle.rows and head.doubted != bundle.digest:
        await _save(store, site, head.model_copy(update={"doubted": bundle.digest}), version)
        text = f"the category tree shrank from {head.bundle.rows} to {bundle.rows}: asked again"
        raise Again(text, after_s=_DOUBT_S)
    after = head.model_copy(update={"fetched_at": now, "doubted": ""})
    if bundle.digest != head.bundle.digest:
        news = {"number": head.number + 1, "changed_at": now}
        after = after.model_copy(update={**news, "bundle": bundle, "previous": head.bundle})
        hub.metrics.count("category_trees_changed_total", adapter=peers.adapter.name)
    await _save(store, site, after, version)
    if after.previous != head.previous and head.previous.digest:
        keep = (after.bundle, after.previous)
        await store.commit(drop_bundle(TREE_PART, site, head.previous, keep))
    return after


async def _save(store: Store, site: str, head: TreeHead, version: int) -> None:
    body = head.model_dump_json()
    await store.commit([Put(Document(TREE, site, HEAD, body, version=version))])


# --- attributes -----------------------------------------------------------------------------------


async def known_attributes(
    store: Store, site: str, categories: Sequence[str]
) -> dict[str, tuple[Known, int]]:
    """What is known of these categories' attributes, with the versions it is saved at."""
    found = await store.get(ATTRIBUTES, site, list(categories))
    return {
        category: (Known.model_validate_json(document.body), document.version)
        for category, document in found.items()
    }


async def all_attributes(store: Store, site: str) -> dict[str, tuple[Wanted, ...]]:
    """Everything that is known of a site's attributes, by category."""
    found: dict[str, tuple[Wanted, ...]] = {}
    after = ""
    while rows := await store.scan(ATTRIBUTES, site, after=after, limit=200):
        found |= {row.key: Known.model_validate_json(row.body).wanted() for row in rows}
        after = rows[-1].key
    return found


async def refresh_attributes(
    hub: Hub, peers: Peers, category: str, *, force: bool = False
) -> tuple[Known | None, bool]:
    """One category's attributes, fetched anew where they are old, and whether they were fetched.

    None where the adapter knows of none at all.

    Raises:
        AdapterError, HttpFailure: the marketplace could not be asked.
    """
    if Capability.ATTRIBUTES not in peers.adapter.capabilities:
        return None, False
    store, site, now = hub.store, site_of(peers), hub.now()
    found = (await known_attributes(store, site, [category])).get(category)
    if found is not None and not force and now - found[0].fetched_at < FRESH:
        return found[0], False
    rows = [_plain(each) for each in await peers.adapter.attributes(category)]
    text = json.dumps(rows, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
    known = Known(digest=digest, fetched_at=now, packed=pack(text))
    version = found[1] if found is not None else 0
    document = Document(ATTRIBUTES, site, category, known.model_dump_json(), version=version)
    with contextlib.suppress(Conflict):  # another connection of the site has just fetched the same
        await store.commit([Put(document)])
    return known, True


def _plain(attribute: Any) -> dict[str, Any]:
    """An adapter's attribute as JSON, without the fields that say nothing."""
    told = {name: value for name, value in asdict(attribute).items() if value}
    told["id"], told["name"] = _clean(attribute.id), _clean(attribute.name)
    told["units"] = [_clean(unit) for unit in attribute.units]
    told["values"] = [[_clean(own), _clean(name)] for own, name in attribute.values]
    return told


def _wanted(told: dict[str, Any]) -> Wanted:
    values = tuple((own, name) for own, name in told.pop("values", ()))
    return Wanted(**{**told, "units": tuple(told.get("units", ())), "values": values})


def _clean(text: str) -> str:
    """A text that can be saved: half characters cannot."""
    return str(text).encode("utf-8", "replace").decode().strip()
