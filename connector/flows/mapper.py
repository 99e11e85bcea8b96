"""VTEX Mapper's side of a connection: registered, given the tree, its mappings kept and proposed.

What Mapper sends is saved as it came and never applied by itself (protocol 9.1).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from connector.domain.connection import Connection, Purpose
from connector.domain.entries import Direction, Entry, Operation, Status
from connector.domain.mapping_rows import Kind, Row, changes, mapping_of, unknown, unsound
from connector.domain.offer import Value
from connector.domain.tree import Tree, Wanted
from connector.flows.attributes import all_attributes
from connector.flows.bundles import pack, unpack
from connector.flows.connections import Refusal, find
from connector.flows.hub import Hub
from connector.flows.mapping import Changed, WrongRows, change_mapping
from connector.flows.mapping_market import Market, peers_of, read_market
from connector.flows.mapping_store import load_map, load_mapper, put_mapper
from connector.flows.secrets import make_secret, reveal
from connector.flows.setbacks import PEER_ERRORS, setback
from connector.flows.trees import load_tree, site_of
from connector.ports import Conflict, Document, Drop, Json, Put, StoreUnavailable, Write
from connector.vtex.bodies import load
from connector.vtex.mapper import (
    PORTAL,
    Endpoints,
    Told,
    read_mapping,
    register,
    send_tree,
    tree_body,
    zipped,
)

RECEIVED, RECEIVED_BODY = "mapper-mapping", "mapper-mapping-body"
NEW, ACCEPTED = "new", "accepted"
MOST_KEPT = 5
"""Mappings kept: each one is the whole of it, so only the newest matter."""
_MOST_PROCESSED = 2_000
_TRIES = 3


class Received(Value):
    """A mapping that Mapper sent; its body is a document of its own, under the same key."""

    at: datetime
    size: int


# --- registering ----------------------------------------------------------------------------------


async def register_mapper(hub: Hub, connection_id: str) -> Json:
    """Register a connection with Mapper (again, if need be) and send it the tree.

    Raises:
        Refusal: there is no tree, or VTEX does not take it.
    """
    connection = await _with_secret(hub, (await find(hub, connection_id)).value.id)
    market = await read_market(hub, connection)
    if market.tree is None:
        raise Refusal(f"the adapter {connection.adapter} cannot read the marketplace's categories")
    title = type(market.peers.adapter).title or connection.adapter
    portal = portal_of(connection)
    try:
        own, answer = await register(
            market.peers.vtex, title, endpoints(hub, connection), portal=portal
        )
    except PEER_ERRORS as error:
        await _tell_unavailable(hub, connection, error)
        raise Refusal(f"VTEX Mapper: {'; '.join(setback(error).reasons)}") from None
    known, version = await load_mapper(hub.store, connection.id)
    after = known.model_copy(
        update={"id": own, "answer": answer[:20_000], "registered_at": hub.now(), "tree": ""}
    )
    await hub.store.commit([put_mapper(connection.id, after, version)])
    if not own:
        raise Refusal("VTEX Mapper's answer has no id in it: ask VTEX for the mapper's id")
    try:
        await send_to_mapper(hub, connection)
    except PEER_ERRORS as error:
        raise Refusal(f"registered as {own}; the tree: {setback(error).reasons[0]}") from None
    return {"id": own, "tree_categories": len(market.tree)}


async def send_to_mapper(hub: Hub, connection: Connection) -> bool:
    """Send the tree if it is not what Mapper has; False where there is nothing to send.

    Raises:
        VtexError, HttpFailure: VTEX could not be asked now; that is told in the log (E5).
    """
    mapper, _ = await load_mapper(hub.store, connection.id)
    if not mapper.id:
        return False
    body = await mapper_tree(hub, connection)
    digest = hashlib.blake2b(body, digest_size=12).hexdigest()
    if digest == mapper.tree:
        return False
    vtex = peers_of(hub, connection).vtex
    try:
        await send_tree(vtex, mapper.id, body, portal=portal_of(connection))
    except PEER_ERRORS as error:
        await _tell_unavailable(hub, connection, error)
        raise
    await _note(hub, connection, {"tree": digest, "sent_at": hub.now()})
    return True


async def mapper_tree(hub: Hub, connection: Connection) -> bytes:
    """The tree as Mapper takes it, gzipped, with the attributes that are known.

    Raises:
        Refusal: there is none yet.
    """
    site = site_of(peers_of(hub, connection))
    loaded = await load_tree(hub.store, site)
    if loaded is None:
        raise Refusal("the marketplace's category tree was not read yet")
    return zipped(tree_body(loaded[1], await all_attributes(hub.store, site)))


def endpoints(hub: Hub, connection: Connection) -> Endpoints:
    """Where Mapper calls back; the paths carry a secret of their own."""
    secret = reveal(hub.vault, connection, Purpose.MAPPER)
    base = f"{hub.public_url}/vtex/v1/{connection.id}/{secret}/mapper"
    return Endpoints(f"{base}/categories", f"{base}/mapping", f"{base}/processed")


def portal_of(connection: Connection) -> str:
    """Where Mapper's API is; a connection with an address of its own has it there, too."""
    return "" if connection.vtex_base_url else PORTAL


async def _with_secret(hub: Hub, connection_id: str) -> Connection:
    """The connection with a secret for Mapper's URLs, made where it was added before there was."""
    saved = await find(hub, connection_id)
    if any(secret.purpose is Purpose.MAPPER for secret in saved.value.secrets):
        return saved.value
    made = make_secret(hub.vault, connection_id, Purpose.MAPPER, 1)
    after = saved.value.model_copy(update={"secrets": (*saved.value.secrets, made)})
    await hub.book.save(saved, after)
    return after


async def _tell_unavailable(hub: Hub, connection: Connection, error: Exception) -> None:
    text = f"VTEX Mapper could not be reached: {'; '.join(setback(error).reasons)}"
    await hub.store.commit([_entry(hub, connection, text, Status.ERROR, "E5")])


# --- what it sends --------------------------------------------------------------------------------


async def take_mapping(hub: Hub, connection: Connection, body: bytes) -> None:
    """Save a mapping as it came; the same one again is only newer than it was.

    Raises:
        BadBody: it is no JSON.
        StoreUnavailable: it is not saved.
    """
    load(body)
    key = hashlib.blake2b(body, digest_size=12).hexdigest()
    known = (await hub.store.get(RECEIVED, connection.id, [key])).get(key)
    received = Received(at=hub.now(), size=len(body)).model_dump_json()
    packed = pack(body.decode("utf-8-sig"))
    kept = await hub.store.scan(RECEIVED, connection.id, limit=2 * MOST_KEPT)
    if known is not None:
        again = Document(RECEIVED, connection.id, key, received, known.state, known.version)
        with contextlib.suppress(Conflict):  # it has just come once more
            await hub.store.commit([Put(again)])
        return
    by_age = sorted(kept, key=lambda each: Received.model_validate_json(each.body).at)
    surplus = by_age[: max(0, len(kept) + 1 - MOST_KEPT)]
    text = f"VTEX Mapper sent a mapping: see connector mapping proposals {connection.id}"
    writes: list[Write] = [
        Put(Document(RECEIVED, connection.id, key, received, NEW)),
        Put(Document(RECEIVED_BODY, connection.id, key, packed)),
        _entry(hub, connection, text, Status.PENDING),
    ]
    for each in surplus:
        writes += [Drop(kind, connection.id, each.key) for kind in (RECEIVED, RECEIVED_BODY)]
    try:
        await hub.store.commit(writes)
    except Conflict:
        if not await hub.store.get(RECEIVED, connection.id, [key]):
            raise StoreUnavailable("the mapping was not saved") from None


async def take_processed(hub: Hub, connection: Connection, body: bytes) -> None:
    """Note what Mapper says became of a tree; the shape is not published.

    Raises:
        StoreUnavailable: it is not saved.
    """
    text = body[:_MOST_PROCESSED].decode("utf-8", "replace").replace("\0", "")
    await _note(hub, connection, {"processed": text, "processed_at": hub.now()})


async def _note(hub: Hub, connection: Connection, news: Json) -> None:
    """Note something about the registration: Mapper may tell of a tree before it has taken it."""
    for _ in range(_TRIES):
        mapper, version = await load_mapper(hub.store, connection.id)
        after = mapper.model_copy(update=news)
        try:
            await hub.store.commit([put_mapper(connection.id, after, version)])
        except Conflict:
            continue
        return
    raise StoreUnavailable("the registration is being written all the time")


# --- proposing it ---------------------------------------------------------------------------------


async def list_proposals(hub: Hub, connection_id: str) -> list[Json]:
    """What Mapper sent, newest first: what accepting it would change, and what is wrong with it.

    Raises:
        Refusal: there is no such connection.
    """
    connection = (await find(hub, connection_id)).value
    documents = await hub.store.scan(RECEIVED, connection.id, limit=2 * MOST_KEPT)
    if not documents:
        return []
    market = await read_market(hub, connection)
    saved = await load_map(hub.store, connection.id)
    shown = []
    for document in documents:
        received = Received.model_validate_json(document.body)
        rows = await _rows(hub, connection, market.tree, document.key)
        lined = list(enumerate(rows, 1))
        named = await read_market(hub, connection, rows)
        problems = [*unsound(lined), *unknown(lined, market.tree, named.attributes.get)]
        wrong = {problem.line for problem in problems}
        good = [row for at, row in lined if at not in wrong]
        diff = changes(saved.mapping, mapping_of(good, saved.mapping))
        shown.append(
            {
                "key": document.key,
                "state": document.state,
                "received_at": received.at.isoformat(),
                "bytes": received.size,
                "rows": len(rows),
                "changes": [each.shown(market.tree) for each in diff],
                "problems": [f"row {each.line}: {each.text}" for each in problems],
            }
        )
    return sorted(shown, key=lambda each: str(each["received_at"]), reverse=True)


async def accept_proposal(
    hub: Hub, connection_id: str, key: str, *, sound_only: bool = False, dry_run: bool = False
) -> Changed:
    """Put what Mapper sent into the mapping; ``sound_only`` leaves out rows that are wrong.

    Raises:
        Refusal: there is no such proposal, or nothing can be read out of it.
        WrongRows: some rows are wrong; nothing was done.
    """
    connection = (await find(hub, connection_id)).value
    document = (await hub.store.get(RECEIVED, connection.id, [key])).get(key)
    if document is None:
        raise Refusal(f"there is no proposal {key}: see connector mapping proposals")
    market = await read_market(hub, connection)
    lined = list(enumerate(await _rows(hub, connection, market.tree, key), 1))
    named = await read_market(hub, connection, [row for _, row in lined])
    problems = [*unsound(lined), *unknown(lined, market.tree, named.attributes.get)]
    if problems and not sound_only:
        raise WrongRows(problems)
    wrong = {problem.line for problem in problems}
    good = [(at, row) for at, row in lined if at not in wrong]
    if not good:
        raise Refusal("nothing that could be applied was found in it")
    done = Put(Document(RECEIVED, connection.id, key, document.body, ACCEPTED, document.version))
    return await change_mapping(hub, connection_id, good, dry_run=dry_run, more=[done])


async def raw_proposal(hub: Hub, connection_id: str, key: str) -> str:
    """What Mapper sent, as it came.

    Raises:
        Refusal: there is no such proposal.
    """
    connection = (await find(hub, connection_id)).value
    document = (await hub.store.get(RECEIVED_BODY, connection.id, [key])).get(key)
    if document is None:
        raise Refusal(f"there is no proposal {key}: see connector mapping proposals")
    return unpack(document.body)


async def _rows(hub: Hub, connection: Connection, tree: Tree | None, key: str) -> list[Row]:
    """Rows of what was read out of a mapping; Mapper knows attributes and values by their names."""
    told = read_mapping(json.loads(await raw_proposal(hub, connection.id, key)))
    ids = sorted({each.market_category for each in told if each.attribute})
    real = [each for each in ids if tree is None or not tree.problem(each)]
    named = [Row(Kind.ATTRIBUTE, market_category=each) for each in real]
    market: Market = await read_market(hub, connection, named)
    rows = (_row(each, market.attributes.get(each.market_category, ())) for each in told)
    return list(dict.fromkeys(rows))


def _row(told: Told, attributes: Sequence[Wanted]) -> Row:
    if told.vtex_category:
        return Row(
            Kind.CATEGORY, vtex_category=told.vtex_category, market_category=told.market_category
        )
    by_name = {each.name: each.id for each in reversed(attributes)}
    attribute = by_name.get(told.attribute, told.attribute)
    if told.source:
        return Row(
            Kind.ATTRIBUTE,
            market_category=told.market_category,
            attribute=attribute,
            source=told.source,
        )
    return Row(
        Kind.VALUE,
        market_category=told.market_category,
        attribute=attribute,
        vtex_value=told.vtex_value,
        market_value=told.market_value,
    )


def _entry(hub: Hub, connection: Connection, text: str, status: Status, code: str = "") -> Entry:
    return Entry(
        connection=connection.id,
        at=hub.now(),
        subject=connection.id,
        operation=Operation.CATALOG_CHANGE,
        direction=Direction.TO_VTEX,
        status=status,
        code=code,
        message=text,
    )
