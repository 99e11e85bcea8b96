"""The simulated Mercado Livre's thin events: retried for an hour, then among the missed ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from adapters.mercadolivre.market.base import Market, problem
from adapters.mercadolivre.market.state import stamp
from connector.sdk import Request, Response, json_request, json_response
from connector.sdk.testing.simulator import route

_KEPT = timedelta(days=2)


@dataclass(slots=True)
class Missed:
    """An event nobody took in time."""

    body: dict[str, Any]
    at: datetime
    http_code: int


@dataclass
class EventCounts:
    """What became of the events so far."""

    events: int = 0
    lost: int = 0
    duplicated: int = 0
    late: int = 0
    attempts: int = 0
    taken: int = 0
    missed: int = 0


class EventSide(Market):
    """Tells the application that something changed, and what it missed."""

    def __init__(self, **everything: Any) -> None:
        super().__init__(**everything)
        self.counts = EventCounts()
        self.missed: list[Missed] = []
        self.told: dict[str, datetime] = {}
        """When the seller first heard of each sale."""

    def announce(self, topic: str, resource: str, key: str) -> None:
        """Send an event about a sale."""
        settings = self.settings
        if not settings.webhook_url:
            return
        self.counts.events += 1
        if self.chance(settings.webhook_loss):
            self.counts.lost += 1
            return
        copies = 1
        if self.chance(settings.webhook_duplicate):
            self.counts.duplicated += 1
            copies = 2
        late = self.chance(settings.webhook_late)
        self.counts.late += late
        for _ in range(copies):
            body = self.event(topic, resource)
            self.spawn(self._deliver(body, key, settings.webhook_late_s if late else 0.0))

    def event(self, topic: str, resource: str) -> dict[str, Any]:
        """An event, spelt as variously as the real ones."""
        user_id = self.settings.user_id
        now = stamp(self.now())
        ident = f"{self.rng.randrange(16**24):024x}"
        return {
            ("_id" if self.chance(0.7) else "id"): ident,
            "resource": resource,
            "user_id": user_id if self.chance(0.3) else int(user_id),
            "topic": topic,
            "application_id": int(self.settings.client_id),
            "attempts": 1,
            "sent": now,
            ("recieved" if self.chance(0.2) else "received"): now,
        }

    async def _deliver(self, body: dict[str, Any], key: str, delay: float) -> None:
        """Try until a 200 comes in time; eight attempts over an hour, then it is missed."""
        if delay:
            await self.clock.sleep(delay)
        code = 0
        for attempt, wait in enumerate((*self.settings.webhook_waits, 0.0), 1):
            self.counts.attempts += 1
            body["attempts"] = attempt
            request = json_request(
                "POST",
                self.settings.webhook_url,
                body,
                operation="webhook",
                timeout_s=self.settings.webhook_timeout_s,
            )
            response = await self.call_out(request)
            code = response.status if response is not None else 0
            self.record("webhook.sent", topic=body["topic"], attempt=attempt, status=code)
            if code == 200:
                self.counts.taken += 1
                self.told.setdefault(key, self.now())
                return
            if wait:
                await self.clock.sleep(wait)
        self.counts.missed += 1
        self.missed.append(Missed(body, self.now(), code))
        self.record("webhook.missed", topic=body["topic"], resource=body["resource"])

    @route("GET", "/missed_feeds")
    async def missed_feeds(self, request: Request) -> Response:
        """The events of the last two days that nobody took."""
        query = request.query
        if query.get("app_id") != self.settings.client_id:
            return problem(403, "forbidden", "the application is another one")
        since = self.now() - _KEPT
        rows = [
            {
                **each.body,
                "request": {"url": self.settings.webhook_url, "headers": {}, "data": ""},
                "response": {"req_time": 500, "http_code": each.http_code, "body": ""},
            }
            for each in self.missed
            if each.at > since and query.get("topic") in (None, each.body["topic"])
        ]
        start, limit = whole(query.get("offset"), 0), whole(query.get("limit"), 10)
        limit = min(limit, self.settings.page_size)
        return json_response({"messages": rows[start : start + limit]})


def whole(text: str | None, otherwise: int) -> int:
    """A number out of a query."""
    return int(text) if text and text.isdecimal() else otherwise
