"""VTEX's calls on the MarketplaceServicesEndpoint: a fact, a mark, a receipt (protocol 7)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from connector.domain.connection import Connection
from connector.domain.marketorder import MarketStatus
from connector.domain.offer import Value
from connector.domain.order import CancelSide, Order
from connector.domain.order_facts import (
    CancelTold,
    ChangeTold,
    DeliveredTold,
    FactKind,
    InvoiceTold,
    ResultTold,
    TrackingTold,
)
from connector.domain.order_view import CANCELLING
from connector.domain.pending import Context
from connector.flows.documents import load_orders
from connector.flows.hub import Hub
from connector.flows.intake import order_mark
from connector.flows.setbacks import PEER_ERRORS
from connector.ports import Fact, Json
from connector.vtex.inbound import (
    BadBody,
    parse_cancel,
    parse_change,
    parse_delivery,
    parse_invoice,
    parse_tracking,
)
from connector.vtex.oms import read_order, vtex_order_id
from connector.vtex.orders import Envelope

_REF = re.compile(r"^[A-Za-z0-9_-]{1,80}$")


class Undecided(Exception):
    """VTEX could not be asked whether it really cancels: let it call again."""


@dataclass(frozen=True, slots=True)
class CancelAnswer:
    """What VTEX is told: a receipt, or why not."""

    receipt: Json | None
    refusal: str = ""


async def resolve_ref(hub: Hub, connection: Connection, raw: str) -> str:
    """Our order reference behind the id in the path, with or without the affiliate's prefix (7.1).

    Raises:
        BadBody: no reference of ours looks like this.
    """
    if not _REF.fullmatch(raw):
        raise BadBody("this is no order id that the hub ever gave to VTEX")
    prefix = f"{connection.affiliate_id}-"
    if not raw.upper().startswith(prefix):
        return raw
    known = await hub.store.get("order", connection.id, [raw])
    return raw if raw in known else raw[len(prefix) :]


async def take_invoice(
    hub: Hub, connection: Connection, raw_ref: str, body: bytes, number: str = ""
) -> Json:
    """An invoice, a return, or a second call that carries only its tracking (7.2)."""
    ref = await resolve_ref(hub, connection, raw_ref)
    parsed = parse_invoice(body, connection.currency, number or None)
    told = InvoiceTold(invoice=parsed.invoice, returned=parsed.returned, tracking=parsed.tracking)
    return await _save(hub, connection, ref, FactKind.INVOICE, told)


async def take_tracking(
    hub: Hub, connection: Connection, raw_ref: str, number: str, body: bytes
) -> Json:
    """The tracking of one invoice (7.3)."""
    ref = await resolve_ref(hub, connection, raw_ref)
    tracking = parse_tracking(body, number)
    if tracking is None:
        return receipt(hub, connection, ref, f"no-tracking-{number}")
    return await _save(hub, connection, ref, FactKind.TRACKING, TrackingTold(tracking=tracking))


async def take_delivery(
    hub: Hub, connection: Connection, raw_ref: str, number: str, body: bytes
) -> Json:
    """Tracking events; only an arrival is passed on (7.3)."""
    ref = await resolve_ref(hub, connection, raw_ref)
    delivered = parse_delivery(body)
    if not delivered.is_delivered:
        return receipt(hub, connection, ref, f"events-{number}-{hashlib.sha1(body).hexdigest()}")  # noqa: S324 - names a receipt, protects nothing
    told = DeliveredTold(invoice_number=number, delivered_at=delivered.at)
    return await _save(hub, connection, ref, FactKind.DELIVERED, told)


async def take_change(hub: Hub, connection: Connection, raw_ref: str, body: bytes) -> Json:
    """A change of the order: acknowledged, and put before a person (7.5)."""
    ref = await resolve_ref(hub, connection, raw_ref)
    change = parse_change(body)
    moved = [f"-{item.quantity} {item.sku}" for item in change.removed]
    moved += [f"+{item.quantity} {item.sku}" for item in change.added]
    amounts = f"discount {change.discount_minor}, increment {change.increment_minor}"
    told = ChangeTold(summary="; ".join([change.reason or "no reason given", *moved, amounts]))
    return await _save(hub, connection, ref, FactKind.CHANGE, told)


async def take_result(hub: Hub, connection: Connection, envelope: Envelope) -> None:
    """A result of the order integration (6.4)."""
    told = ResultTold(
        flow=envelope.flow,
        success=envelope.success,
        code=envelope.code,
        codes=tuple(error.code for error in envelope.errors),
        messages=tuple(error.message for error in envelope.errors),
        main_order_id=envelope.main_order_id,
    )
    ref = await resolve_ref(hub, connection, envelope.ref)
    fact = _fact(hub, connection, ref, FactKind.RESULT, told, unique=envelope.operation_id)
    await hub.store.commit([fact, order_mark(hub, connection, ref)])
    hub.ring(connection, Context.ORDERS)


async def take_cancel(hub: Hub, connection: Connection, raw_ref: str, body: bytes) -> CancelAnswer:
    """VTEX cancels, or confirms a cancellation of ours (7.4).

    A repeated call is answered like the first: an error would block the seller's order for ever
    (KI 1198719). A marketplace that has shipped is not cancelled, unless it lets
    the seller give all the money back: 409, and a person is asked.

    Raises:
        Undecided: VTEX's own order could not be read now.
    """
    ref = await resolve_ref(hub, connection, raw_ref)
    reason = parse_cancel(body)
    order = await _order(hub, connection, ref)
    if order is not None and _shipped(order) and not _refunds(hub, connection):
        await _save(hub, connection, ref, FactKind.CANCEL, CancelTold(reason=reason, refused=True))
        return CancelAnswer(None, "the marketplace has already shipped this order")
    asked_by_us = order is not None and order.cancellation is not None
    if not asked_by_us and not await _vtex_cancels(hub, connection, ref):
        return CancelAnswer(None, "VTEX's own order does not say that it is being cancelled")
    told = CancelTold(reason=reason)
    return CancelAnswer(await _save(hub, connection, ref, FactKind.CANCEL, told))


def _shipped(order: Order) -> bool:
    """Whether the marketplace is known to have shipped, and nobody had agreed to cancel before."""
    if order.market is None:
        return False
    gone = order.market.status in {MarketStatus.SHIPPED, MarketStatus.DELIVERED}
    agreed = order.cancellation is not None and (
        order.cancellation.by is CancelSide.MARKETPLACE or order.cancellation.confirmed_by_owner
    )
    return gone and not agreed


def _refunds(hub: Hub, connection: Connection) -> bool:
    adapter = hub.registry.found.get(connection.adapter)
    return adapter is not None and adapter.refunds_shipped


async def _vtex_cancels(hub: Hub, connection: Connection, ref: str) -> bool:
    """Ask VTEX itself: a forged call must not cancel anything."""
    peers = hub.peers.of(connection, Context.ORDERS)
    order_id = vtex_order_id(connection.affiliate_id, ref)
    try:
        found = await read_order(peers.vtex, order_id, hub.now())
    except PEER_ERRORS as error:
        raise Undecided("VTEX's order cannot be read now") from error
    return found is not None and (found.view.cancelled or found.view.status in CANCELLING)


async def _order(hub: Hub, connection: Connection, ref: str) -> Order | None:
    found = await load_orders(hub.store, connection.id, [ref])
    return found[ref].value if ref in found else None


async def _save(hub: Hub, connection: Connection, ref: str, kind: FactKind, told: Value) -> Json:
    """Save the fact and the mark in one commit; the same call again is the same fact."""
    fact = _fact(hub, connection, ref, kind, told)
    await hub.store.commit([fact, order_mark(hub, connection, ref)])
    hub.metrics.count("callbacks_total", kind=kind)
    hub.ring(connection, Context.ORDERS)
    return receipt(hub, connection, ref, fact.id)


def _fact(
    hub: Hub, connection: Connection, ref: str, kind: FactKind, told: Value, *, unique: str = ""
) -> Fact:
    body = told.model_dump_json()
    digest = hashlib.blake2b(f"{kind}|{unique}|{body}".encode(), digest_size=16).hexdigest()
    return Fact(connection.id, ref, kind, digest, body, hub.now())


def receipt(hub: Hub, connection: Connection, ref: str, fact_id: str) -> Json:
    """The answer VTEX needs: the same for the same call (7.2)."""
    digest = hashlib.blake2b(f"{connection.id}|{ref}|{fact_id}".encode(), digest_size=16)
    return {
        "date": hub.now().isoformat().replace("+00:00", "Z"),
        "orderId": vtex_order_id(connection.affiliate_id, ref),
        "receipt": digest.hexdigest(),
    }
