"""Marketplaces' category trees in the ledger: one copy for all who share them.

A tree belongs to a *site*: an adapter and what ``Adapter.tree_scope`` says, so that merchants of
one marketplace read it once. It is kept as a head (which list, which version, since when) and the
list itself (see ``bundles``).
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connector.domain.offer import Value
from connector.domain.tree import Node, Tree
from connector.flows.bundles import (
    Bundle,
    drop_bundle,
    load_bundle,
    save_bundle,
)
from connector.flows.setbacks import Again
from connector.ports import Conflict, Document, Put, Store

if TYPE_CHECKING:
    from connector.flows.hub import Hub, Peers

TREE, TREE_PART = "tree", "tree-part"
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
        [clean(each.id), clean(each.name), clean(each.parent_id), each.leaf]
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


def clean(text: str) -> str:
    """A text that any store keeps: half characters and NULs are none."""
    return str(text).encode("utf-8", "replace").decode().replace("\0", "").strip()
