"""The application that a marketplace knows the hub as: its settings, its address, its consent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from connector.domain.http import Request
from connector.sandbox.server import OutboundHttp
from connector.sdk import Capability
from connector.sdk.registry import discover
from connector.sdk.testing.market import MarketSimulator
from connector.sdk.testing.tricks import offers

_PATH_SECRET = "secret-of-the-demo-application"  # noqa: S105 - of a hub that lives for minutes


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
        told = await hub.run("connection", "authorize", urls["id"], "--no-wait")
        await _agree(told.split()[-1])


async def _agree(url: str) -> None:
    """Open the consent page as the merchant, and go where it sends the browser."""
    http = OutboundHttp()
    try:
        page = await http.send(Request("GET", url))
        await http.send(Request("GET", page.headers["location"]))
    finally:
        await http.close()
