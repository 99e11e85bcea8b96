"""Take what outsiders say: saved before they are answered, believed after reading the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from connector.domain.connection import Connection
from connector.domain.http import Request
from connector.domain.order import Order, OrderState, order_ref
from connector.domain.pending import Context, Hint, Mark, Priority
from connector.flows.documents import Saved, load_orders, put_order
from connector.flows.hub import Hub
from connector.ports import Conflict, StoreUnavailable, Write
from connector.vtex.inbound import Notification, parse_notifications


class NotYours(Exception):
    """The message names another account or affiliate than the URL it was sent to."""


async def take_notifications(hub: Hub, connection: Connection, body: bytes) -> int:
    """Save what an affiliate notification says; returns how many SKUs it named (protocol 3).

    Raises:
        BadBody: no SKU id can be found in it.
        NotYours: it is about another account or affiliate.
    """
    notifications = parse_notifications(body)
    for notification in notifications:
        check_addressee(connection, notification)
    await save_notifications(hub, connection, notifications)
    return len(notifications)


def check_addressee(connection: Connection, notification: Notification) -> None:
    """Account and affiliate, where they are named, are the connection's own."""
    account, affiliate = notification.account, notification.affiliate
    if account and account.split(".")[0].lower() != connection.account:
        raise NotYours("the notification is about another account")
    if affiliate and affiliate.upper() != connection.affiliate_id:
        raise NotYours("the notification is about another affiliate")


async def save_notifications(
    hub: Hub, connection: Connection, notifications: Sequence[Notification]
) -> None:
    """Mark every SKU and ask for a turn if anything is due at once."""
    marks = [mark_of(hub, connection, notification) for notification in notifications]
    await hub.store.commit(marks)
    hub.metrics.count("notifications_total", len(marks), connection=connection.id)
    if any(mark.hint.recheck is False for mark in marks):
        hub.ring(connection, Context.LISTINGS)


def mark_of(hub: Hub, connection: Connection, notification: Notification) -> Mark:
    """How urgently a notification asks to look (protocol 3.4); reindexes are gathered first."""
    now = hub.now()
    hint = Hint(
        content=bool(notification.content),
        price=bool(notification.price),
        stock=bool(notification.stock),
        recheck=notification.all_false,
        active=notification.active,
        removed=notification.removed,
    )
    if notification.active is False or notification.removed:
        priority = Priority.URGENT
    elif notification.all_false:
        gather = timedelta(seconds=connection.rules.gather_s)
        due = now + gather
        return Mark(connection.id, Context.LISTINGS, notification.sku, due, Priority.ECHO, hint)
    else:
        priority = Priority.CHANGE
    return Mark(connection.id, Context.LISTINGS, notification.sku, now, priority, hint)


async def take_webhook(hub: Hub, connection: Connection, request: Request) -> int:
    """Save which orders a marketplace's webhook speaks of; returns how many.

    Raises:
        BadWebhook: the adapter does not recognise it as its marketplace's.
    """
    peers = hub.peers.of(connection, Context.ORDERS)
    keys = peers.adapter.webhook(request, hub.now())
    await save_order_keys(hub, connection, keys)
    hub.metrics.count("webhooks_total", adapter=connection.adapter, connection=connection.id)
    return len(keys)


async def save_order_keys(
    hub: Hub,
    connection: Connection,
    keys: Sequence[str],
    *,
    known_priority: Priority = Priority.URGENT,
) -> None:
    """Mark the orders behind these keys, remembering keys that were never seen.

    ``known_priority`` is for orders that are known: a poll repeats itself, which is no news.
    """
    if not keys:
        return
    refs = {order_ref(key): key for key in keys}
    for _ in range(3):
        known = await load_orders(hub.store, connection.id, list(refs))
        writes: list[Write] = [
            put_order(Saved(order), order)
            for ref, key in refs.items()
            if ref not in known
            for order in [first_seen(hub, connection, ref, key)]
        ]
        for ref in refs:
            mark = order_mark(hub, connection, ref)
            writes.append(replace(mark, priority=known_priority) if ref in known else mark)
        try:
            await hub.store.commit(writes)
        except Conflict:
            continue  # another process saw one of them first
        hub.ring(connection, Context.ORDERS)
        return
    raise StoreUnavailable("the same new orders are being saved by others over and over")


def first_seen(hub: Hub, connection: Connection, ref: str, key: str) -> Order:
    """An order of which nothing but its key is known."""
    return Order(
        connection=connection.id,
        ref=ref,
        key=key,
        state=OrderState.SEEN,
        first_seen_at=hub.now(),
    )


def order_mark(hub: Hub, connection: Connection, ref: str) -> Mark:
    """Look at this order now."""
    return Mark(connection.id, Context.ORDERS, ref, hub.now(), Priority.URGENT)
