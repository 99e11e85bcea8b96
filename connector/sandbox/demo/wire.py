"""The wires between hub and simulators, which count what passes and break now and then."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

from connector.domain.http import Http, NoAnswer, NotSent, Request, Response
from connector.sandbox.server import Handles
from connector.sdk.testing.simulator import Dropped


class Tap:
    """Stands between a socket and a simulator; counts calls and what was thrown at the hub."""

    def __init__(self, inner: Handles, name: str, faults: Counter[str]) -> None:
        self._inner = inner
        self._name = name
        self._faults = faults
        self.calls = 0

    async def handle(self, request: Request) -> Response:
        """Answer one request, or raise Dropped."""
        self.calls += 1
        try:
            response = await self._inner.handle(request)
        except Dropped as lost:
            self._faults[f"{self._name}: {lost}"] += 1
            raise
        if response.status == 429:
            self._faults[f"{self._name}: 429"] += 1
        elif response.status >= 500:
            self._faults[f"{self._name}: 5xx"] += 1
        return response


class ShakyHttp:
    """The simulators' way to the hub: calls get lost, answers get lost, some are slow."""

    def __init__(self, inner: Http, rng: Random, faults: Counter[str]) -> None:
        self.share = 0.0
        self._inner = inner
        self._rng = rng
        self._faults = faults
        self.calls = 0
        self.unanswered = 0

    async def send(self, request: Request) -> Response:
        """Send one request.

        Raises:
            NotSent: it was lost on its way, or the hub is down.
            NoAnswer: its answer was lost.
        """
        self.calls += 1
        dice = self._rng.random() / self.share if self.share else 1.0
        if dice < 0.35:
            self._faults["to the hub: call lost"] += 1
            raise NotSent("lost on its way to the hub")
        if 0.75 <= dice < 1:
            self._faults["to the hub: slow"] += 1
            await asyncio.sleep(self._rng.uniform(0.05, 0.4))
        try:
            response = await self._inner.send(request)
        except (NotSent, NoAnswer):
            self.unanswered += 1
            raise
        if dice < 0.75:
            self._faults["to the hub: answer lost"] += 1
            raise NoAnswer("the hub's answer was lost")
        return response
