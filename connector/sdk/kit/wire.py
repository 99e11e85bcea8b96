"""The adapter's way out: keeps the declared limits in the clock's own time, and remembers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connector.domain.http import Http, Request, Response
from connector.sdk.kit.clock import StepClock
from connector.sdk.values import Limit, Scope


class Wire:
    """An ``Http`` that lets calls go as fast as the declared limits allow, as the hub does."""

    def __init__(self, inner: Http, clock: StepClock, limits: Sequence[Limit]) -> None:
        self.sent: list[Request] = []
        self.answers: list[Response] = []
        self._inner = inner
        self._clock = clock
        self._buckets = [_Bucket(limit, clock.now()) for limit in limits]

    async def send(self, request: Request) -> Response:
        """Send one request once the limits allow it."""
        for bucket in self._buckets:
            if bucket.counts(request):
                await self._clock.advance(bucket.take(self._clock.now()))
        self.sent.append(request)
        response = await self._inner.send(request)
        self.answers.append(response)
        return response


class _Bucket:
    def __init__(self, limit: Limit, now: datetime) -> None:
        self._limit = limit
        self._tokens = float(limit.burst)
        self._at = now

    def counts(self, request: Request) -> bool:
        """Whether the limit is one for this call."""
        return self._limit.scope is not Scope.OPERATION or (
            self._limit.operation == request.operation
        )

    def take(self, now: datetime) -> float:
        """Take a token; returns the seconds until it is there."""
        rate = self._limit.rate / self._limit.per_s
        gained = (now - self._at).total_seconds() * rate
        self._tokens = min(float(self._limit.burst), self._tokens + gained) - 1
        self._at = now
        return max(0.0, -self._tokens / rate)
