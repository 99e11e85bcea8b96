"""Connections, listings and orders as rows a person or a program can read; buyers are masked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from connector.domain.connection import Connection
from connector.domain.http import parse_json
from connector.domain.listing import Listing
from connector.domain.marketorder import Buyer, MarketOrder
from connector.domain.order import Order
from connector.domain.personal import without_personal
from connector.flows.connections import find
from connector.flows.documents import LISTING, ORDER
from connector.flows.hub import Hub
from connector.flows.tokenbook import TokenBook, token_status
from connector.ports import Document, Json, PendingStats, Store
from connector.sdk import Capability

PROGRESS, BACKFILL = "progress", "backfill"
APP_INSTALL, WAITING = "app-install", "waiting"
_INSTALL_FIELDS = ("account", "affiliate_id", "sales_channel", "active", "told_at")
"""Shorter personal values (a house number) would mask half of every text."""


# --- rows -----------------------------------------------------------------------------------------


async def connection_rows(hub: Hub) -> list[Json]:
    """Every connection with what it has and what waits, then installs that wait for approval."""
    pending = await hub.store.pending_stats(hub.now())
    rows = []
    for connection in await hub.book.all():
        own = [stats for stats in pending if stats.connection == connection.id]
        rows.append({**_connection_row(hub, connection), **await _counts(hub, connection.id, own)})
    return [*rows, *await _waiting_installs(hub.store)]


async def connection_details(hub: Hub, connection_id: str) -> Json:
    """One connection with its rules, secrets' ages, counts and backfill; nothing secret.

    Raises:
        Refusal: there is none.
    """
    connection = (await find(hub, connection_id)).value
    secrets = [
        {
            "purpose": secret.purpose,
            "generation": secret.generation,
            "retires_at": _moment(secret.retires_at),
        }
        for secret in connection.secrets
    ]
    return {
        **_connection_row(hub, connection),
        "connector_name": connection.connector_name,
        "rules": connection.rules.model_dump(mode="json"),
        "secrets": secrets,
        "token": await _token(hub, connection),
        "backfill": await backfill_progress(hub.store, connection.id),
        **await counts(hub, connection.id),
    }


async def listing_rows(
    hub: Hub, connection_id: str, *, state: str = "", after: str = "", limit: int = 200
) -> list[Json]:
    """Listings by SKU, starting behind ``after``."""
    await find(hub, connection_id)
    found = await _documents(
        hub.store, LISTING, connection_id, state=state, after=after, limit=limit
    )
    return [listing_row(Listing.model_validate_json(each.body)) for each in found]


async def order_rows(
    hub: Hub, connection_id: str, *, state: str = "", after: str = "", limit: int = 200
) -> list[Json]:
    """Orders by reference, starting behind ``after``."""
    await find(hub, connection_id)
    found = await _documents(hub.store, ORDER, connection_id, state=state, after=after, limit=limit)
    return [order_row(Order.model_validate_json(each.body)) for each in found]


async def counts(hub: Hub, connection_id: str) -> Json:
    """Listings and orders by state; per context how many keys wait, and since when."""
    pending = await hub.store.pending_stats(hub.now())
    own = [stats for stats in pending if stats.connection == connection_id]
    return await _counts(hub, connection_id, own)


async def backfill_progress(store: Store, connection_id: str) -> Json | None:
    """How far loading the whole sales channel is; None where it never began."""
    document = await progress_document(store, connection_id)
    return None if document is None else _object(document.body)


async def progress_document(store: Store, connection_id: str) -> Document | None:
    """The backfill's progress with its version, which grows with every page."""
    return (await store.get(PROGRESS, connection_id, [BACKFILL])).get(BACKFILL)


# --- one thing each -------------------------------------------------------------------------------


def listing_row(listing: Listing) -> Json:
    """A listing in short."""
    record, commercial, confirmed = listing.record, listing.commercial, listing.confirmed
    content = record.content if record else None
    return {
        "sku": listing.sku,
        "title": content.title if content else "",
        "state": listing.state,
        "market_id": listing.market_id,
        "url": listing.url,
        "currency": commercial.currency if commercial else "",
        "vtex_price_minor": commercial.price_minor if commercial else None,
        "vtex_stock": commercial.stock if commercial else None,
        "price_minor": confirmed.price_minor if confirmed else None,
        "stock": confirmed.stock if confirmed else None,
        "blocked": confirmed.blocked if confirmed else None,
        "confirmed_at": _moment(confirmed.at) if confirmed else None,
        "reasons": [reason.model_dump() for reason in listing.reasons],
    }


def listing_details(listing: Listing) -> Json:
    """Everything a person may want to know of a listing but its description and images."""
    record = listing.record
    facts: Json = {}
    if record is not None:
        facts = record.model_dump(mode="json", exclude={"content", "sku"})
        if record.content is not None:
            keep = {"product_id", "brand", "eans", "category_path", "market_category"}
            facts |= record.content.model_dump(mode="json", include=keep)
    return {
        **listing_row(listing),
        "catalog": facts,
        "simulation": _dumped(listing.commercial),
        "confirmed": _dumped(listing.confirmed),
        "approved_price_minor": listing.approved_price_minor,
        "lot": _dumped(listing.lot),
        "unknown_outcome_of": listing.intent.action if listing.intent else None,
        "looks_promised_at": [_moment(second.at) for second in listing.second_looks],
        "sold_at": _moment(listing.sold_at),
    }


def order_row(order: Order) -> Json:
    """An order in short; the buyer is masked."""
    market, vtex = order.market, order.vtex
    return {
        "ref": order.ref,
        "key": order.key,
        "state": order.state,
        "market_status": market.status if market else "",
        "vtex_order_id": order.vtex_order_id,
        "vtex_status": vtex.status if vtex else "",
        "total_minor": market.total_minor if market else None,
        "currency": market.currency if market else "",
        "buyer": masked_buyer(market.buyer) if market else "",
        "created_at": _moment(market.created_at if market else order.first_seen_at),
        "open_tasks": sum(not task.done for task in order.tasks),
        "tasks": [without_personal(task.what, market) for task in order.tasks if not task.done],
        "reasons": [without_personal(text, market) for text in order.reasons],
        "divergence": without_personal(order.divergence, market),
    }


def order_details(order: Order) -> Json:
    """Everything a person may want to know of an order; the buyer is masked, no address."""
    market = order.market
    details: Json = {
        **order_row(order),
        "market_raw_status": market.raw_status if market else "",
        "complete": market.complete if market else None,
        "lines": [line.model_dump(mode="json") for line in market.lines] if market else [],
        "delivery": market.delivery if market else "",
        "placement": order.placement,
        "placement_attempts": order.placement_attempts,
        "authorize": order.authorize,
        "tasks": [task.model_dump(mode="json") for task in order.tasks],
        "cancellation": _dumped(order.cancellation),
        "parcels": [_parcel(parcel.model_dump(mode="json")) for parcel in order.parcels],
        "divergence": explain_divergence(order),
        "first_seen_at": _moment(order.first_seen_at),
        "ended_at": _moment(order.ended_at),
        "erased": order.erased,
    }
    masked: Json = _masked(details, market)
    return masked


def explain_divergence(order: Order) -> Json | None:
    """How far the totals of both sides are apart, and why; None where they agree."""
    total = order.market.total_minor if order.market else 0
    others = [order.vtex.value_minor if order.vtex else 0, order.placed_total_minor]
    theirs = next((amount for amount in others if amount), 0)
    difference = total - theirs if theirs else 0
    if not order.divergence and not difference:
        return None
    text = order.divergence
    if difference:
        text = f"{text}: " if text else ""
        text += (
            f"the buyer paid {total}, VTEX's order is over {theirs} minor units: "
            f"{abs(difference)} {'more' if difference > 0 else 'less'} on the marketplace"
        )
    return {
        "text": text,
        "market_total_minor": total,
        "vtex_total_minor": theirs,
        "difference_minor": difference,
        "difference_pct": round(difference * 100 / theirs, 2) if theirs else None,
    }


# --- masking --------------------------------------------------------------------------------------


def masked_buyer(buyer: Buyer) -> str:
    """Enough of a name to recognise an order by, not enough to know who it was."""
    parts = f"{buyer.first_name} {buyer.last_name}".split() or buyer.company_name.split()
    return " ".join(f"{part[0]}***" for part in parts)


def _masked(value: Any, market: MarketOrder | None) -> Any:
    if isinstance(value, str):
        return without_personal(value, market)
    if isinstance(value, dict):
        # What identifies the order itself stays, even where a name happens to be part of it.
        kept = {"ref", "key", "vtex_order_id", "buyer", "sku"}
        return {k: v if k in kept else _masked(v, market) for k, v in value.items()}
    if isinstance(value, list):
        return [_masked(each, market) for each in value]
    return value


# --- parts ----------------------------------------------------------------------------------------


def _connection_row(hub: Hub, connection: Connection) -> Json:
    broken = hub.registry.broken.get(connection.adapter, "")
    if not broken and connection.adapter not in hub.registry.found:
        broken = "this adapter is not installed"
    return {
        "id": connection.id,
        "state": connection.state,
        "account": connection.account,
        "affiliate_id": connection.affiliate_id,
        "sales_channel": connection.sales_channel,
        "currency": connection.currency,
        "adapter": connection.adapter,
        "adapter_problem": broken,
        "order_api": connection.order_api,
        "vtex_url": connection.vtex_url,
        "created_at": _moment(connection.created_at),
    }


async def _counts(hub: Hub, connection_id: str, pending: Sequence[PendingStats]) -> Json:
    now = hub.now()
    return {
        "listings": await hub.store.count(LISTING, connection_id),
        "orders": await hub.store.count(ORDER, connection_id),
        "pending": {
            str(stats.context): {
                "due": stats.due,
                "waiting": stats.waiting,
                "parked": stats.parked,
                "leased": stats.leased,
                "oldest_due_s": _age_s(stats.oldest_due, now),
            }
            for stats in pending
        },
    }


async def _waiting_installs(store: Store) -> list[Json]:
    """Merchants who installed the template app and wait for an operator (never their tokens)."""
    rows: list[Json] = []
    after = ""
    while page := await store.scan(APP_INSTALL, None, state=WAITING, after=after):
        for document in page:
            body = _object(document.body)
            known = {name: body[name] for name in _INSTALL_FIELDS if name in body}
            rows.append({"id": document.key, "state": WAITING, **known})
        after = f"{page[-1].connection}/{page[-1].key}"
    return rows


async def _documents(
    store: Store, kind: str, connection: str, *, state: str, after: str, limit: int
) -> list[Document]:
    """Up to ``limit`` documents, page by page."""
    found: list[Document] = []
    while len(found) < limit:
        size = min(500, limit - len(found))
        page = await store.scan(kind, connection, state=state or None, after=after, limit=size)
        found.extend(page)
        if len(page) < size:
            break
        after = page[-1].key
    return found


async def _token(hub: Hub, connection: Connection) -> Json | None:
    """Whether the marketplace's token works and until when; None where it gives none."""
    adapter = hub.registry.found.get(connection.adapter)
    if adapter is None or Capability.TOKENS not in adapter.capabilities:
        return None
    saved = await TokenBook(hub.store, hub.vault, connection.id).read()
    return token_status(saved.kept, hub.now())


def _parcel(parcel: Json) -> Json:
    parcel["invoice"].pop("xml", None)
    return parcel


def _dumped(value: Any) -> Any:
    return None if value is None else value.model_dump(mode="json")


def _object(body: str) -> Json:
    parsed = parse_json(body.encode())
    return parsed if isinstance(parsed, dict) else {}


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _age_s(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else round(max(0.0, (now - moment).total_seconds()), 1)
