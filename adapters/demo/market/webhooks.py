"""The simulated Demo Market's webhooks: signed, repeated until taken, unreliable as asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.demo.market.base import Market
from adapters.demo.market.state import SimOrder, stamp
from adapters.demo.wire import sign
from connector.sdk import Request, json_request

_LONGEST_WAIT_S = 600.0


@dataclass
class WebhookCounts:
    """What became of the webhooks so far."""

    events: int = 0
    lost: int = 0
    duplicated: int = 0
    late: int = 0
    attempts: int = 0
    delivered: int = 0
    given_up: int = 0


class WebhookSide(Market):
    """Tells the hub that an order changed, at the connection's address and the application's."""

    def __init__(self, **everything: Any) -> None:
        super().__init__(**everything)
        self.webhooks = WebhookCounts()
        self.told: dict[str, datetime] = {}
        """When the seller first heard of each cart: a webhook was taken, or the cart was read."""

    def announce(self, kind: str, order: SimOrder) -> None:
        """Send one event to every address that is set."""
        settings = self.settings
        event = {
            "event_id": self.next_id("EV"),
            "type": kind,
            "seller_id": settings.seller_id,
            "cart_id": order.cart_id,
            "order_id": order.order_id,
            "occurred_at": stamp(self.now()),
        }
        for url, secret in (
            (settings.webhook_url, settings.webhook_secret),
            (settings.app_webhook_url, settings.app_webhook_secret),
        ):
            if url:
                self._send(url, secret, event)

    def _send(self, url: str, secret: str, event: dict[str, Any]) -> None:
        self.webhooks.events += 1
        if self.chance(self.settings.webhook_loss):
            self.webhooks.lost += 1
            self.record("webhook.lost", event_id=event["event_id"])
            return
        copies = 1
        if self.chance(self.settings.webhook_duplicate):
            self.webhooks.duplicated += 1
            copies = 2
        delay = 0.0
        if self.chance(self.settings.webhook_late):
            self.webhooks.late += 1
            delay = self.settings.webhook_late_s
        for _ in range(copies):
            self.spawn(self._deliver(url, secret, event, delay))

    async def _deliver(self, url: str, secret: str, event: dict[str, Any], delay: float) -> None:
        """Try until the hub says 2xx, waiting longer each time."""
        if delay:
            await self.clock.sleep(delay)
        wait = self.settings.webhook_retry_s
        for _ in range(self.settings.webhook_tries):
            self.webhooks.attempts += 1
            response = await self.call_out(self.signed(url, secret, [event]))
            status = response.status if response else 0
            self.record("webhook.sent", event_id=event["event_id"], status=status)
            if response is not None and response.ok:
                self.webhooks.delivered += 1
                self.told.setdefault(event["cart_id"], self.now())
                return
            await self.clock.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_S)
        self.webhooks.given_up += 1
        self.record("webhook.given-up", event_id=event["event_id"])

    def signed(self, url: str, secret: str, events: list[dict[str, Any]]) -> Request:
        """A webhook as it leaves, signed with this moment's timestamp."""
        request = json_request("POST", url, {"events": events}, operation="webhook")
        timestamp = str(int(self.now().timestamp()))
        signature = {
            "x-demo-timestamp": timestamp,
            "x-demo-signature": sign(secret, timestamp, request.body),
        }
        return Request(
            method="POST",
            url=url,
            headers={**request.headers, **signature},
            body=request.body,
            operation="webhook",
        )
