"""VTEX Mapper: the mapping page inside the seller's admin (protocol 9.1).

VTEX publishes the shape of the tree it takes, and neither the answer to a registration nor the
mapping it sends: the first is searched for an id, the second read as tolerantly as can be.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from connector.domain.http import Request, json_request
from connector.domain.tree import Tree, Wanted
from connector.vtex.session import Session
from connector.vtex.wire import as_text, lowered

PORTAL = "https://portal.vtexcommercestable.com.br"
_BASE = "/api/mkp-category-mapper"
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MOST_NODES = 2_000_000
"""JSON values looked at in one mapping."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where Mapper asks for the tree, sends the mapping, and tells how a tree was processed."""

    categories: str
    mapping: str
    processed: str


# --- calls ----------------------------------------------------------------------------------------


async def register(
    session: Session, name: str, endpoints: Endpoints, *, portal: str = PORTAL
) -> tuple[str, str]:
    """Register the connector for an account; returns its id (empty: none found) and the answer.

    ``portal`` empty: the session's own host (a simulator). It may be called again.

    Raises:
        VtexError, HttpFailure: VTEX did not take it.
    """
    body = {
        "displayName": name,
        "categoryTreeEndPoint": endpoints.categories,
        "mappingEndPoint": endpoints.mapping,
        "properties": {"allowsRemap": True},
        "CategoryTreeProcessingNotificationEndpoint": endpoints.processed,
    }
    request = json_request(
        "POST",
        f"{portal}{_BASE}/connector/register",
        body,
        query={"an": session.account},
        operation="vtex.mapper-register",
    )
    answer = (await session.call(request)).text
    found = _GUID.search(answer)
    return found.group() if found else "", answer


async def send_tree(session: Session, mapper_id: str, tree: bytes, *, portal: str = PORTAL) -> None:
    """Send the whole tree, gzipped; what became of it comes later to ``Endpoints.processed``.

    Raises:
        VtexError, HttpFailure: VTEX did not take it.
    """
    request = Request(
        "POST",
        f"{portal}{_BASE}/categories/marketplace/{quote(mapper_id, safe='')}",
        query={"an": session.account},
        headers={"content-type": "application/json", "content-encoding": "gzip"},
        body=tree,
        operation="vtex.mapper-tree",
        timeout_s=60,
    )
    await session.call(request)


# --- the tree -------------------------------------------------------------------------------------


def tree_body(tree: Tree, attributes: Mapping[str, Sequence[Wanted]]) -> dict[str, Any]:
    """The tree as Mapper takes it; ``attributes`` of the categories they are known of."""
    children: dict[str, list[str]] = defaultdict(list)
    for node in tree.nodes.values():
        children[node.parent if node.parent in tree.nodes else ""].append(node.id)
    made = {
        node.id: {
            "id": node.id,
            "name": node.name,
            **_specifications(attributes.get(node.id, ())),
            "children": [],
        }
        for node in tree.nodes.values()
    }
    for parent, own in children.items():
        if parent:
            made[parent]["children"] = [made[child] for child in own]
    return {"categories": [made[top] for top in children[""]]}


def zipped(body: Mapping[str, Any]) -> bytes:
    """A tree as it is sent: the same bytes for the same tree."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return gzip.compress(text.encode(), 6, mtime=0)


def _specifications(wanted: Sequence[Wanted]) -> dict[str, Any]:
    if not wanted:
        return {}
    return {
        "specifications": [
            {
                "attributeName": each.name,
                "required": each.required,
                "attributeValues": [{"valueName": name} for _, name in each.values],
            }
            for each in wanted
        ]
    }


# --- the mapping ----------------------------------------------------------------------------------

_OURS = ("vtexcategoryid", "sellercategoryid", "sourcecategoryid", "categoryid", "id")
_THEIRS = (
    *("marketplacecategoryid", "mappedcategoryid", "connectorcategoryid"),
    *("targetcategoryid", "marketplaceid"),
)
_OUR_NAMES = (
    *("vtexattributename", "vtexspecificationname", "sellerattributename"),
    *("vtexattribute", "specificationname", "fieldname", "name"),
)
_THEIR_NAMES = (
    *("marketplaceattributename", "mappedattributename", "connectorattributename"),
    *("marketplaceattributeid", "mappedattributeid", "marketplaceattribute", "attributename"),
)
_OUR_VALUES = ("vtexvalue", "vtexvaluename", "sellervalue", "sourcevalue", "value", "name")
_THEIR_VALUES = (
    *("marketplacevalue", "marketplacevaluename", "mappedvalue", "connectorvalue"),
    *("targetvalue", "valuename"),
)


@dataclass(frozen=True, slots=True)
class Told:
    """One thing read out of a mapping; attributes and values by whatever Mapper calls them.

    Only ``vtex_category``: a category. With ``attribute``: where it comes from (``source``). With
    ``vtex_value``: what that value is on the marketplace.
    """

    market_category: str
    vtex_category: str = ""
    attribute: str = ""
    source: str = ""
    vtex_value: str = ""
    market_value: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    category: str = ""
    attribute: str = ""


def read_mapping(payload: Any) -> list[Told]:
    """Whatever looks like a mapping in what Mapper sent, each thing once, in order."""
    return list(dict.fromkeys(_walk(payload)))


def _walk(payload: Any) -> Iterator[Told]:
    """Look into everything without going deeper in the stack: strangers nest as they like."""
    waiting: list[tuple[Any, _Place]] = [(payload, _Place())]
    seen = 0
    while waiting and seen < _MOST_NODES:
        value, place = waiting.pop()
        seen += 1
        if isinstance(value, dict):
            row = lowered(value)
            told = _told(row, place)
            if told is not None:
                yield told
                if told.vtex_category:
                    place = _Place(told.market_category)
                elif told.source:
                    place = _Place(place.category, told.attribute)
            elif not place.category:
                place = _Place(_first(row, _THEIRS))
            value = list(row.values())
        if isinstance(value, list):
            waiting.extend(
                (each, place) for each in reversed(value) if isinstance(each, dict | list)
            )


def _told(row: Mapping[str, Any], place: _Place) -> Told | None:
    """What one object says, given the objects it is in."""
    ours, theirs = _first(row, _OURS), _first(row, _THEIRS)
    if ours and theirs:
        return Told(theirs, vtex_category=ours)
    ours, theirs = _first(row, _OUR_NAMES), _first(row, _THEIR_NAMES)
    if place.category and ours and theirs:
        return Told(place.category, attribute=theirs, source=ours)
    ours, theirs = _first(row, _OUR_VALUES), _first(row, _THEIR_VALUES)
    if place.attribute and ours and theirs:
        return Told(place.category, attribute=place.attribute, vtex_value=ours, market_value=theirs)
    return None


def _first(row: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((text for name in names if (text := as_text(row.get(name)))), "")
