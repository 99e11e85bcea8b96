"""VTEX Mapper's calls: it asks for the tree, sends mappings, tells what became of a tree (9.1)."""

from __future__ import annotations

from aiohttp import web

from connector.domain.connection import Purpose
from connector.flows.connections import Refusal
from connector.flows.hub import Hub
from connector.flows.mapper import mapper_tree, take_mapping, take_processed
from connector.web.errors import HEADERS, Answer, Refused
from connector.web.incoming import SMALL_BODY, done, enter, look, only, read_body

MAPPING_BODY = 4 * 1024 * 1024
"""Bytes of one mapping: tens of thousands of categories."""


async def mapper(
    hub: Hub, request: web.BaseRequest, connection_id: str, secret: str, what: str
) -> web.Response:
    """Answer one of Mapper's calls."""
    connection = await enter(hub, connection_id, Purpose.MAPPER, secret)
    match what:
        case "categories":
            only(request, "GET", "HEAD")
            try:
                body = await mapper_tree(hub, connection)
            except Refusal as error:
                raise Answer(503, str(error), headers={"Retry-After": "60"}) from None
            return web.Response(body=body, headers={**HEADERS, "Content-Encoding": "gzip"})
        case "mapping":
            seen = look(request)
            if seen is None:
                await take_mapping(hub, connection, await read_body(request, MAPPING_BODY))
            return seen or done()
        case "processed":
            seen = look(request)
            if seen is None:
                await take_processed(hub, connection, await read_body(request, SMALL_BODY))
            return seen or done()
        case _:
            raise Refused
