"""Thin events: webhooks of the application and those it missed (page "Notificaciones").

Nothing signs them. They only point at something that is read again with the seller's own token, so
all that is checked is whose application and whose account they name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import Field, ValidationError

from adapters.mercadolivre.api import MaybeMoment, Text, Wire
from adapters.mercadolivre.settings import MercadoLivreApp
from connector.sdk import AdapterSettings, AppCall, BadWebhook, Request

# What an event's resource is to the hub. Payments are left alone: whatever a payment changes, the
# order's own event tells, and an answer that names a payment's order is on no official page.
_RESOURCES = (
    ({"orders_v2", "orders"}, re.compile(r"^/orders/(\d+)$"), "order"),
    ({"shipments"}, re.compile(r"^/shipments/(\d+)$"), "shipment"),
    (
        {"post_purchase", "claims", "claims_actions"},
        re.compile(r"^/post-purchase/v\d+/claims/(\d+)$"),
        "claim",
    ),
    ({"orders feedback", "orders_feedback"}, re.compile(r"^/orders/(\d+)/feedback$"), "order"),
)


class WireEvent(Wire):
    """One event, however it is spelt."""

    resource: Text = ""
    user_id: Text = ""
    topic: Text = ""
    application_id: Text = ""
    id: Text = Field("", alias="_id")
    received: MaybeMoment = None

    @property
    def key(self) -> str:
        """What ``order`` finds the order by; empty where no order is concerned."""
        for topics, pattern, kind in _RESOURCES:
            found = pattern.match(self.resource.rstrip("/"))
            if self.topic in topics and found:
                return f"{kind}:{found[1]}"
        return ""


def read_event(payload: Any) -> WireEvent:
    """Read one event.

    Raises:
        BadWebhook: it is none.
    """
    if not isinstance(payload, dict) or not payload.get("topic"):
        raise BadWebhook("the webhook is no event of Mercado Livre's")
    told = {
        "_id": payload.get("_id") or payload.get("id"),
        "received": payload.get("received") or payload.get("recieved"),
        **{name: payload.get(name) for name in ("resource", "user_id", "topic", "application_id")},
    }
    try:
        return WireEvent.model_validate(told)
    except ValidationError:
        # When it was received does not matter enough to lose it.
        return WireEvent.model_validate(told | {"received": None})


def app_calls(settings: AdapterSettings | None, request: Request) -> list[AppCall]:
    """Whose orders a webhook speaks of; none for topics that concern no order."""
    if not isinstance(settings, MercadoLivreApp):
        raise BadWebhook("the application's id is not set")
    event = read_event(request.json())
    if event.application_id != settings.client_id:
        raise BadWebhook("the webhook is of another application")
    if not event.user_id:
        raise BadWebhook("the webhook names no account")
    return [AppCall(event.user_id, event.key)] if event.key else []


def missed_events(rows: Iterable[Any], user_id: str) -> list[WireEvent]:
    """The events among missed ones that are about this account's orders."""
    events = []
    for row in rows:
        try:
            event = read_event(row)
        except BadWebhook:
            continue
        if event.user_id == user_id and event.key:
            events.append(event)
    return events
