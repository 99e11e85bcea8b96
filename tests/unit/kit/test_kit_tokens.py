"""Tokens: one refresh among many callers, and what faulty adapters do instead."""

import asyncio
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from connector.sdk import (
    AdapterSettings,
    AuthExpired,
    Capability,
    Rejected,
    Token,
    expect,
    json_request,
    json_response,
)
from connector.sdk.kit import Subject, check_rule, find_subject
from connector.sdk.kit.ladder import Quality, ladder
from connector.sdk.kit.template.acme import AcmeAdapter, AcmeSimulator
from connector.sdk.testing.simulator import route

STEPS = {step.rule: step for step in ladder()}


class App(AdapterSettings):
    client_id: str
    client_secret: SecretStr


class Market(AcmeSimulator):
    """Acme Market with OAuth: refresh tokens work once."""

    def __init__(self, **everything):
        super().__init__(**everything)
        self.valid, self.refresh, self.given = "", "", 0

    def app_settings(self, base_url):
        return {"client_id": "hub", "client_secret": "hub-secret"}

    def consent(self, url):
        asked = parse_qs(urlsplit(url).query)
        assert asked["code_challenge_method"] == ["S256"]
        return "code-1"

    def expire_tokens(self):
        self.valid = ""

    def refreshes(self):
        return self.given - 1

    def refuse_unauthorized(self, request):
        headers = {name.lower(): value for name, value in request.headers.items()}
        open_to_all = request.url == "/token"
        if open_to_all or (self.valid and headers.get("authorization") == f"Bearer {self.valid}"):
            return None
        return json_response({"message": "expired"}, 401)

    @route("POST", "/token")
    async def token(self, request):
        body = request.json()
        if body.get("code") != "code-1" and body.get("refresh") != self.refresh:
            return json_response({"error": "invalid_grant"}, 400)
        self.given += 1
        self.valid, self.refresh = f"access-{self.given}", f"refresh-{self.given}"
        await asyncio.sleep(0)
        return json_response({"access": self.valid, "refresh": self.refresh})


class OAuthAdapter(AcmeAdapter):
    capabilities = AcmeAdapter.capabilities | {Capability.TOKENS}
    app_settings_model = App

    def _headers(self):
        return {}

    @classmethod
    def authorize_url(cls, app, settings, consent):
        told = f"client_id={app.client_id}&code_challenge={consent.challenge}"
        return f"https://acme.example/authorize?{told}&code_challenge_method=S256"

    @classmethod
    async def exchange_code(cls, app, settings, http, code, consent):
        return await cls.trade(http, {"code": code, "verifier": consent.verifier})

    @classmethod
    async def refresh_token(cls, app, settings, http, token):
        return await cls.trade(http, {"refresh": token.refresh.get_secret_value()})

    @classmethod
    async def trade(cls, http, body):
        response = await http.send(json_request("POST", "/token", body))
        if response.status == 400:
            raise AuthExpired("the grant is over")
        told = expect(response).json()
        return Token(access=told["access"], refresh=told["refresh"], expires_in_s=3600)


class KeepsTheFirstRefreshToken(OAuthAdapter):
    @classmethod
    async def refresh_token(cls, app, settings, http, token):
        new = await super().refresh_token(app, settings, http, token)
        return new.model_copy(update={"refresh": token.refresh})


class KeepsTheOldAccess(OAuthAdapter):
    @classmethod
    async def refresh_token(cls, app, settings, http, token):
        await super().refresh_token(app, settings, http, token)
        return token


class TakesAnEndForARefusal(OAuthAdapter):
    @classmethod
    async def refresh_token(cls, app, settings, http, token):
        try:
            return await super().refresh_token(app, settings, http, token)
        except AuthExpired as error:
            raise Rejected([error.public]) from error


class SignsByItself(OAuthAdapter):
    @classmethod
    def signed(cls, request, token):
        return request


async def measured(rule, adapter, market=Market):
    subject = Subject(
        "acme", SimpleNamespace(SIMULATOR=market), adapter, find_subject("demo").folder
    )
    return await check_rule(subject, STEPS[rule], Quality())


@pytest.mark.parametrize("rule", ["token-refresh", "token-over", "simulator", "secrets"])
async def test_a_good_adapter_keeps_the_rules(rule):
    row = await measured(rule, OAuthAdapter)
    assert (row.verdict, row.says) == ("passed", ())


@pytest.mark.parametrize(
    ("rule", "faulty", "says"),
    [
        ("token-refresh", KeepsTheFirstRefreshToken, "AuthExpired: the grant is over"),
        ("token-refresh", KeepsTheOldAccess, "returned the old access token"),
        ("token-over", TakesAnEndForARefusal, "raised Rejected"),
        ("simulator", SignsByItself, "AuthExpired"),
    ],
)
async def test_a_fault_is_found_and_told(rule, faulty, says):
    row = await measured(rule, faulty)
    assert row.verdict == "FAILED"
    assert says in "\n".join(row.says)


async def test_a_simulator_without_consent_is_told_so():
    row = await measured("simulator", OAuthAdapter, AcmeSimulator)
    assert row.verdict == "FAILED"
    assert "the simulator has no app_settings()" in row.says[0]


async def test_without_tokens_the_rules_mean_nothing():
    row = await measured("token-refresh", AcmeAdapter)
    assert (row.verdict, row.says) == ("skipped", ("the marketplace has no auth.tokens",))
