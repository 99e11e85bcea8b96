"""How the demo makes the hub known to a marketplace: settings, address, consent."""

import asyncio
import json
from contextlib import suppress

from connector.sandbox.demo import application
from connector.sandbox.demo.application import (
    application_environment,
    introduce,
    keep_access,
    takes_parts,
    wants_documents,
)
from connector.sandbox.server import serve_simulator
from connector.sdk import Response

PUBLIC = "http://hub.example"
URLS = {"id": "shop-1", "webhook_url": f"{PUBLIC}/marketplace/v1/shop-1/secret"}


class Plain:
    """A marketplace with keys and a webhook per connection."""

    called = ""

    def call_back(self, url):
        self.called = url


class WithConsent(Plain):
    """A marketplace that asks for consent and knows one address per application."""

    def app_settings(self, base_url):
        return {"client_id": "1", "seen_at": base_url}

    def takes_parts(self):
        return False

    def wants_documents(self):
        return True


class Browser:
    """Both ends of a consent: the page, and where it sends the browser."""

    def __init__(self):
        self.seen = []
        self.url = ""

    async def handle(self, request):
        self.seen.append(request.url)
        there = {"location": f"{self.url}/callback?code=1"} if request.url == "/page" else {}
        return Response(302 if there else 200, there)


class Hub:
    """Prints the address of the consent page."""

    def __init__(self, url=""):
        self.url, self.ran = url, []

    async def run(self, *arguments):
        self.ran.append(arguments)
        return f"{self.url}\n"


def test_a_marketplace_without_an_application_needs_no_settings():
    assert application_environment("demo", Plain(), "http://m.example") == {}
    assert takes_parts(Plain())
    assert not wants_documents(Plain())


def test_an_applications_settings_come_with_the_secret_of_its_address():
    told = application_environment("acme", WithConsent(), "http://m.example")
    (own,) = json.loads(told["CONNECTOR_ADAPTER_APP_SETTINGS"]).values()
    assert own["seen_at"] == "http://m.example"
    assert own["webhook_path_secret"]
    assert not takes_parts(WithConsent())
    assert wants_documents(WithConsent())


async def test_a_connections_own_webhook_is_preferred():
    hub, market = Hub(), Plain()
    await introduce(hub, "demo", market, URLS)
    assert market.called == URLS["webhook_url"]
    assert hub.ran == []


async def test_the_merchant_opens_the_page_and_follows_it_back():
    browser, market = Browser(), WithConsent()
    runner, browser.url = await serve_simulator(browser)
    hub = Hub(f"{browser.url}/page")
    try:
        await introduce(hub, "mercadolivre", market, URLS)
    finally:
        await runner.cleanup()
    assert hub.ran == [("connection", "authorize", "shop-1", "--no-wait")]
    assert browser.seen == ["/page", "/callback"]
    assert market.called.startswith(f"{PUBLIC}/marketplace/v1/app/mercadolivre/")


async def test_the_merchant_agrees_again_when_the_grant_was_lost(monkeypatch):
    monkeypatch.setattr(application, "_LOOK_S", 0)
    browser, lost = Browser(), [True, False]

    class Market(WithConsent):
        def grant_lost(self):
            if not lost:
                asyncio.current_task().cancel()
            return bool(lost) and lost.pop(0)

    runner, browser.url = await serve_simulator(browser)
    hub = Hub(f"{browser.url}/page")
    try:
        with suppress(asyncio.CancelledError):
            await asyncio.create_task(keep_access(hub, Market(), "shop-1"))
    finally:
        await runner.cleanup()
    assert hub.ran == [("connection", "authorize", "shop-1", "--no-wait")]
    assert browser.seen == ["/page", "/callback"]
