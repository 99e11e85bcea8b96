"""Long lists in the ledger: compressed, in portions, found by what is in them.

A portion's key begins with the digest of the whole list, so that a list is written once however
often it is saved, a broken-off save is simply done again, and readers of the old list are not
disturbed while a new one is written. Whoever refers to a list keeps its ``Bundle``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from connector.domain.offer import Value
from connector.ports import Conflict, Document, Drop, Put, Store, Write

_PORTION = 512 * 1024
"""Bytes of JSON in one portion: a twentieth of that once compressed, far below what any store
takes in a document."""


class Bundle(Value):
    """A list that was saved: ``digest`` of its content, and in how many portions."""

    digest: str = ""
    portions: int = 0
    rows: int = 0


async def save_bundle(store: Store, kind: str, owner: str, rows: Sequence[Any]) -> Bundle:
    """Save a list of JSON values; nothing is written of one that is there already."""
    lines = [json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in rows]
    whole = hashlib.blake2b(digest_size=12)
    for line in lines:
        whole.update(line.encode() + b"\n")
    texts = list(_portions(lines))
    bundle = Bundle(digest=whole.hexdigest(), portions=len(texts), rows=len(rows))
    known = await store.get(kind, owner, _keys(bundle))
    for key, text in zip(_keys(bundle), texts, strict=True):
        if key in known:
            continue
        try:
            await store.commit([Put(Document(kind, owner, key, pack(text)))])
        except Conflict:
            continue  # somebody else saves the very same list
    return bundle


async def load_bundle(store: Store, kind: str, owner: str, bundle: Bundle) -> list[Any]:
    """The list that was saved.

    Raises:
        Conflict: it was replaced meanwhile and is gone: read again what refers to it.
    """
    keys = _keys(bundle)
    rows: list[Any] = []
    for key in keys:  # one by one: a document at a time is enough to hold
        found = await store.get(kind, owner, [key])
        if key not in found:
            raise Conflict(f"a portion of {kind} was replaced")
        rows.extend(json.loads(unpack(found[key].body)))
    return rows


def drop_bundle(kind: str, owner: str, bundle: Bundle, keep: Sequence[Bundle]) -> list[Write]:
    """Forget a list that nothing refers to any more; ``keep`` are those in use."""
    if bundle.digest in {each.digest for each in keep}:
        return []
    return [Drop(kind, owner, key) for key in _keys(bundle)]


def pack(text: str) -> str:
    """A text, compressed so that it can be part of a JSON document."""
    return base64.b64encode(zlib.compress(text.encode(), 6)).decode("ascii")


def unpack(body: str) -> str:
    """What was packed."""
    return zlib.decompress(base64.b64decode(body)).decode()


def _keys(bundle: Bundle) -> list[str]:
    return [f"{bundle.digest}-{number:05}" for number in range(bundle.portions)]


def _portions(lines: Sequence[str]) -> Iterator[str]:
    portion: list[str] = []
    size = 0
    for line in lines:
        if portion and size + len(line) > _PORTION:
            yield f"[{','.join(portion)}]"
            portion, size = [], 0
        portion.append(line)
        size += len(line)
    if portion:
        yield f"[{','.join(portion)}]"
