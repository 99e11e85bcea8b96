"""The application that a marketplace knows the hub as: its settings, its address, its consent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from connector.domain.http import HttpFailure, Request
from connector.sandbox.demo.supervised import HubError
from connector.sandbox.server import OutboundHttp
from connector.sdk import Capability
from connector.sdk.registry import discover
from connector.sdk.testing.market import MarketSimulator
from connector.sdk.testing.tricks import offers

_PATH_SECRET = "secret-of-the-demo-application"  # noqa: S105 - of a hub that lives for minutes

_LOOK_S = 0.5
"""Real seconds between two looks at whether the grant was lost."""


class CommandLine(Protocol):
    """The hub's command line."""

    async def run(self, *arguments: str) -> str:
        """Run one command; returns what it prints."""
        ...


def takes_parts(market: MarketSimulator) -> bool:
    """Whether the marketplace takes several invoices of one order."""
    return _says(market, "takes_parts", otherwise=True)


def wants_documents(market: MarketSimulator) -> bool:
    """Whether the marketplace takes invoices with their fiscal document alone."""
    return _says(market, "wants_documents", otherwise=False)


def _says(market: MarketSimulator, trick: str, *, otherwise: bool) -> bool:
    return bool(getattr(market, trick)()) if offers(market, trick) else otherwise


def application_environment(
    adapter: str, market: MarketSimulator, market_url: str
) -> dict[str, str]:
    """The hub's settings of the application; empty where the marketplace knows none."""
    if not offers(market, "app_settings"):
        return {}
    own: Mapping[str, Any] = market.app_settings(market_url)  # type: ignore[attr-defined]
    told = {adapter: {"webhook_path_secret": _PATH_SECRET, **own}}
    return {"CONNECTOR_ADAPTER_APP_SETTINGS": json.dumps(told)}


async def introduce(
    hub: CommandLine, adapter: str, market: MarketSimulator, urls: Mapping[str, str]
) -> None:
    """Tell the marketplace where to call; where it wants consent, let the merchant give it."""
    capabilities = discover().get(adapter).capabilities
    webhook = urls["webhook_url"]
    if Capability.WEBHOOK not in capabilities:
        public = webhook.partition("/marketplace/")[0]
        webhook = f"{public}/marketplace/v1/app/{adapter}/{_PATH_SECRET}"
    market.call_back(webhook)
    if Capability.TOKENS in capabilities:
        await _authorize(hub, urls["id"])


async def keep_access(hub: CommandLine, market: MarketSimulator, connection_id: str) -> None:
    """Let the merchant agree again, for ever, whenever the hub has lost its access.

    A refresh token that works once is wasted when its answer is lost, or the hub is killed before
    it is saved: nobody but the merchant can mend that.
    """
    while True:
        await asyncio.sleep(_LOOK_S)
        if _says(market, "grant_lost", otherwise=False):
            with suppress(HubError, HttpFailure, KeyError):
                await _authorize(hub, connection_id)


async def _authorize(hub: CommandLine, connection_id: str) -> None:
    """Open the consent page as the merchant, and go where it sends the browser."""
    told = await hub.run("connection", "authorize", connection_id, "--no-wait")
    url = told.split()[-1]
    http = OutboundHttp()
    try:
        page = await http.send(Request("GET", url))
        await http.send(Request("GET", page.headers["location"]))
    finally:
        await http.close()
