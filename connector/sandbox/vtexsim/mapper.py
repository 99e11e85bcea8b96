"""VTEX Mapper: takes trees, and sends what the seller maps (protocol 9.1)."""

from __future__ import annotations

import functools
import gzip
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connector.domain.http import Response, json_response
from connector.sandbox.vtexsim.core import VtexCore
from connector.sdk.testing.simulator import route

if TYPE_CHECKING:
    from connector.domain.http import Request

_BASE = "/api/mkp-category-mapper"


@dataclass
class SimMapper:
    """One registered connector, and the trees it sent."""

    id: str
    name: str
    mapping_url: str
    processed_url: str
    trees: list[dict[str, Any]] = field(default_factory=list)


class MapperRoom(VtexCore):
    """The mapping page of the seller's admin, as a connector meets it."""

    @functools.cached_property
    def mappers(self) -> dict[str, SimMapper]:
        """Registered connectors by id."""
        return {}

    @route("POST", _BASE + "/connector/register")
    async def register_mapper(self, request: Request) -> Response:
        """Register a connector; a second time with the same name gives the same id."""
        body = request.json()
        told = body if isinstance(body, dict) else {}
        urls = [told.get(name) for name in ("categoryTreeEndPoint", "mappingEndPoint")]
        if not told.get("displayName") or not all(isinstance(url, str) and url for url in urls):
            return json_response({"message": "displayName and endpoints are needed"}, 400)
        name = str(told["displayName"])
        own = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.settings.account}/{name}"))
        processed = str(told.get("CategoryTreeProcessingNotificationEndpoint") or "")
        known = self.mappers.get(own)
        trees = known.trees if known else []
        self.mappers[own] = SimMapper(own, name, str(urls[1]), processed, trees)
        self.record("mapper.registered", mapper=own, name=name)
        return json_response({"id": own, "displayName": name})

    @route("POST", _BASE + "/categories/marketplace/{mapper_id}")
    async def take_tree(self, request: Request, mapper_id: str) -> Response:
        """Take a gzipped tree; what became of it is told later."""
        mapper = self.mappers.get(mapper_id)
        if mapper is None:
            return json_response({"message": "unknown mapper"}, 404)
        tree = _unzipped(request)
        fine = tree is not None and isinstance(tree.get("categories"), list)
        if tree is None or not fine:
            return json_response({"message": "a gzipped tree is expected"}, 400)
        mapper.trees.append(tree)
        self.record("mapper.tree", mapper=mapper_id, top=len(tree["categories"]))
        if mapper.processed_url:
            told = {"id": mapper_id, "success": True, "message": "processed"}
            self.spawn(self._tell_processed(mapper.processed_url, told))
        return Response(204)

    async def map_categories(self, mapper_id: str, payload: Any) -> int:
        """The seller saves the mapping page: ``payload`` is sent as it is; returns the answer."""
        url = self.mappers[mapper_id].mapping_url
        answer = await self.post_out(url, payload, "vtexsim.mapping")
        return answer.status if answer is not None else 0

    @route("POST", "/_sim/mappers/{mapper_id}/mapping")
    async def sim_map(self, request: Request, mapper_id: str) -> Response:
        """The seller saves the mapping page; the body is what Mapper sends."""
        if mapper_id not in self.mappers:
            return json_response({"message": "unknown mapper"}, 404)
        return json_response({"status": await self.map_categories(mapper_id, request.json())})

    async def _tell_processed(self, url: str, told: dict[str, Any]) -> None:
        await self.post_out(url, told, "vtexsim.mapper-processed")


def _unzipped(request: Request) -> dict[str, Any] | None:
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        zipped = headers.get("content-encoding") == "gzip"
        # A server in front of the simulator may have unzipped it already.
        body = request.body if request.body[:1] == b"{" else gzip.decompress(request.body)
        tree = json.loads(body)
    except (ValueError, OSError, EOFError):
        return None
    return tree if zipped and isinstance(tree, dict) else None
