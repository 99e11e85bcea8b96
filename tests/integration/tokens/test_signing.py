"""Who gets the token: the marketplace, and nobody a file's address may lead to."""

from __future__ import annotations

import pytest

from connector.domain.http import NotSent, Request, json_response
from connector.flows.app_settings import read_app_settings
from connector.flows.tokens import Current
from connector.peerbook import Signed
from connector.sdk import Adapter, Token
from connector.sdk.registry import AdapterRegistry
from connector.settings import Settings, SettingsError
from connector.web.webhooks import app_doors
from tests.integration.tokens.oauth_market import APP, REGISTRY, OauthAdapter, OauthApp

BASE = "https://api.market.example/v1"


class Wire:
    """Remembers what it was given and answers from a list."""

    def __init__(self, *statuses):
        self.seen, self.statuses = [], list(statuses)

    async def send(self, request):
        self.seen.append(request)
        return json_response({}, self.statuses.pop(0) if self.statuses else 200)


class Tokens:
    """A grant with one token, and one more."""

    def __init__(self, *after):
        self.after = list(after)

    @staticmethod
    def made(number):
        return Current(Token(access=f"token-{number}", expires_in_s=60), number)

    async def current(self):
        return self.made(1)

    async def after_401(self, used):
        assert used.generation == 1
        newer = self.after.pop(0) if self.after else None
        if isinstance(newer, Exception):
            raise newer
        return newer


def bearer(request):
    return request.headers.get("authorization", "")


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        ("/items", True),
        ("items?x=https://other.example", True),
        (f"{BASE}/items", True),
        ("https://api.market.example/elsewhere", True),
        ("https://api.market.example.evil.example/v1", False),
        ("http://api.market.example/v1", False),
        ("https://files.example/report.csv", False),
        ("https://api.market.example@evil.example/", False),
    ],
)
async def test_only_the_marketplace_itself_is_given_the_token(url, signed):
    wire = Wire()
    await Signed(wire, Tokens(), Adapter, BASE).send(Request("GET", url))
    assert (bearer(wire.seen[0]) == "Bearer token-1") is signed
    assert bool(bearer(wire.seen[0])) is signed


async def test_a_401_is_sent_once_more_with_a_newer_token_and_not_again():
    wire = Wire(401, 401)
    newer = Tokens.made(2)
    response = await Signed(wire, Tokens(newer), Adapter, BASE).send(Request("POST", "/x"))
    assert response.status == 401
    assert [bearer(request) for request in wire.seen] == ["Bearer token-1", "Bearer token-2"]


async def test_other_answers_are_not_sent_again():
    for status in (200, 403, 404, 429, 500):
        wire = Wire(status)
        signed = Signed(wire, Tokens(), Adapter, BASE)
        assert (await signed.send(Request("POST", "/x"))).status == status
        assert len(wire.seen) == 1


async def test_what_met_a_401_was_not_acted_on():
    wire = Wire(401)
    signed = Signed(wire, Tokens(NotSent("no token now")), Adapter, BASE)
    with pytest.raises(NotSent):
        await signed.send(Request("POST", "/x"))
    assert len(wire.seen) == 1


# --- application settings -------------------------------------------------------------------------


async def test_an_adapter_is_given_its_applications_settings(one, connection):
    adapter = one.peers(connection).adapter
    assert isinstance(adapter.app, OauthApp)
    assert adapter.app.client_id == "app-1"


def test_settings_of_every_adapter_that_has_some_are_taken():
    read = read_app_settings(REGISTRY, APP)
    assert list(read) == ["oauthy"]
    assert app_doors(REGISTRY, APP) == {}
    broken = AdapterRegistry({}, {"oauthy": "does not import"})
    assert read_app_settings(broken, APP) == {}


class Bare(OauthAdapter):
    """An adapter without an application."""

    name = "bare"
    app_settings_model = None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"nobody": {}}, "nobody is no adapter"),
        ({"bare": {}}, "bare is no adapter"),
        ({"oauthy": {"client_id": "x"}}, "oauthy.client_secret"),
        ({"oauthy": {**APP["oauthy"], "other": "S3CRET"}}, "oauthy.other"),
    ],
)
def test_settings_that_fit_no_adapter_are_refused_without_their_values(given, told):
    registry = AdapterRegistry({"oauthy": OauthAdapter, "bare": Bare})
    with pytest.raises(ValueError, match=told) as caught:
        read_app_settings(registry, given)
    assert "S3CRET" not in str(caught.value)


def test_a_webhooks_secret_needs_an_application_webhook():
    given = {"oauthy": {**APP["oauthy"], "webhook_path_secret": "x" * 20}}
    with pytest.raises(SettingsError, match="no adapter with an application webhook"):
        app_doors(REGISTRY, given)
    own = Settings(adapter_app_settings=given).own_app_settings()
    assert own == APP
