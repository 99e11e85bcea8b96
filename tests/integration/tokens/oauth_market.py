"""A marketplace with OAuth on a real socket: every refresh token is good for one use."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connector.bootstrap import open_hub
from connector.domain.clock import Clock
from connector.domain.connection import Connection, ConnectionSpec
from connector.domain.http import Http, Request
from connector.domain.pending import Context
from connector.drivers.clock import SystemClock
from connector.drivers.vault import AesVault
from connector.flows.connections import add
from connector.flows.hub import Hub, Peers
from connector.flows.tokenbook import TokenBook
from connector.ports import Store
from connector.sdk import (
    Adapter,
    AdapterSettings,
    AuthExpired,
    Capability,
    Consent,
    Token,
    expect,
)
from connector.sdk.registry import AdapterRegistry
from connector.settings import Settings
from tests.integration.web.support import Recorder

CLIENT, CLIENT_SECRET = "app-1", "CANARY-client-secret"
ACCOUNT = "468424240"


class Market:
    """The marketplace's side; faults are switched by its fields."""

    def __init__(self) -> None:
        self.serial = 0
        self.life_s = 10_800.0
        self.access: set[str] = set()
        self.refresh = ""
        self.codes: dict[str, tuple[str, str]] = {}
        self.counts: Counter[str] = Counter()
        self.refreshed_with: list[str] = []
        self.account = ACCOUNT
        self.refuse = False
        self.always_401 = False
        self.drop = 0
        self.block: asyncio.Event | None = None
        self.reached = asyncio.Event()

    def give(self) -> dict[str, Any]:
        """A new pair of tokens; the old refresh token is used up."""
        self.serial += 1
        token = f"CANARY-access-{self.serial}"
        self.access.add(token)
        self.refresh = f"CANARY-refresh-{self.serial}"
        return {
            "access_token": token,
            "expires_in": self.life_s,
            "refresh_token": self.refresh,
            "user_id": self.account,
        }

    def consent(self, challenge: str, redirect_uri: str) -> str:
        code = f"CANARY-code-{len(self.codes)}"
        self.codes[code] = challenge, redirect_uri
        return code

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/oauth/token", self._token)
        app.router.add_get("/me", self._me)
        return app

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = dict(await request.post())
        self.counts[str(form["grant_type"])] += 1
        self.reached.set()
        if (form["client_id"], form["client_secret"]) != (CLIENT, CLIENT_SECRET):
            return web.json_response({"error": "invalid_client"}, status=400)
        if form["grant_type"] == "authorization_code":
            return self._first(form)
        self.refreshed_with.append(str(form["refresh_token"]))
        if self.block is not None:
            await self.block.wait()
        if self.drop:
            self.drop -= 1
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        await asyncio.sleep(0.05)
        if self.refuse or form["refresh_token"] != self.refresh:
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response(self.give())

    def _first(self, form: dict[str, Any]) -> web.Response:
        challenge, redirect_uri = self.codes.pop(str(form["code"]), ("", ""))
        proof = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        proven = base64.urlsafe_b64encode(proof).rstrip(b"=").decode()
        if proven != challenge or form["redirect_uri"] != redirect_uri:
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response(self.give())

    async def _me(self, request: web.Request) -> web.Response:
        self.counts["me"] += 1
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.always_401 or token not in self.access:
            self.counts["401"] += 1
            return web.json_response({"message": "invalid access token"}, status=401)
        return web.json_response({"nickname": "ACME"})


class OauthSettings(AdapterSettings):
    """One seller."""

    base_url: str
    user_id: str = ACCOUNT


class OauthApp(AdapterSettings):
    """The application."""

    client_id: str
    client_secret: SecretStr


class OauthAdapter(Adapter[OauthSettings]):
    """As little of an adapter as can have tokens."""

    name = "oauthy"
    title = "OAuth Market"
    settings_model = OauthSettings
    app_settings_model = OauthApp
    capabilities = frozenset({Capability.TOKENS})

    @classmethod
    def base_url(cls, settings: OauthSettings) -> str:
        return settings.base_url

    @classmethod
    def tenant(cls, settings: OauthSettings) -> str:
        return settings.user_id

    async def check(self) -> str:
        request = Request("GET", "/me", operation="account.read")
        return str(expect(await self.http.send(request)).json()["nickname"])

    @classmethod
    def authorize_url(cls, app: Any, settings: OauthSettings, consent: Consent) -> str:
        query = {
            "client_id": app.client_id,
            "redirect_uri": consent.redirect_uri,
            "state": consent.state,
            "code_challenge": consent.challenge,
            "code_challenge_method": "S256",
        }
        return f"{settings.base_url}/authorization?{urlencode(query)}"

    @classmethod
    async def exchange_code(
        cls, app: Any, settings: OauthSettings, http: Http, code: str, consent: Consent
    ) -> Token:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": consent.redirect_uri,
            "code_verifier": consent.verifier,
        }
        return await cls._ask(app, http, form)

    @classmethod
    async def refresh_token(
        cls, app: Any, settings: OauthSettings, http: Http, token: Token
    ) -> Token:
        refresh = token.refresh.get_secret_value()
        return await cls._ask(app, http, {"grant_type": "refresh_token", "refresh_token": refresh})

    @classmethod
    async def _ask(cls, app: Any, http: Http, form: dict[str, str]) -> Token:
        known = {"client_id": app.client_id, "client_secret": app.client_secret.get_secret_value()}
        headers = {"content-type": "application/x-www-form-urlencoded"}
        body = urlencode(form | known).encode()
        request = Request("POST", "/oauth/token", {}, headers, body, operation="token")
        response = expect(await http.send(request), ok=(400,))
        if response.status == 400:
            raise AuthExpired(f"the marketplace says {response.json()['error']}")
        found = response.json()
        return Token(
            access=SecretStr(found["access_token"]),
            refresh=SecretStr(found["refresh_token"]),
            expires_in_s=found["expires_in"],
            account=found["user_id"],
        )


REGISTRY = AdapterRegistry({"oauthy": OauthAdapter})
APP = {"oauthy": {"client_id": CLIENT, "client_secret": CLIENT_SECRET}}


class Side:
    """One process's hub, as far as a test tells it apart."""

    def __init__(self, hub: Hub, metrics: Recorder) -> None:
        self.hub, self.metrics = hub, metrics

    def peers(self, connection: Connection, context: Context = Context.ORDERS) -> Peers:
        return self.hub.peers.of(connection, context)

    async def call(self, connection: Connection, context: Context = Context.ORDERS) -> str:
        return await self.peers(connection, context).adapter.check()


@asynccontextmanager
async def a_hub(
    tmp_path: Any,
    server: TestServer,
    key: str,
    *,
    clock: Clock | None = None,
    store: Store | None = None,
) -> AsyncIterator[Side]:
    """A hub on the test's ledger; several may share it, like processes do."""
    settings = Settings(
        store_url=f"sqlite:///{tmp_path}/hub.db",
        public_url="https://hub.example",
        allow_hosts=(f"{server.host}:{server.port}",),
        adapter_app_settings=APP,
    )
    metrics = Recorder()
    async with open_hub(
        settings,
        store=store,
        clock=clock or SystemClock(),
        vault=AesVault([key]),
        metrics=metrics,
        registry=REGISTRY,
    ) as hub:
        yield Side(hub, metrics)


async def connect(hub: Hub, server: TestServer, **settings: Any) -> Connection:
    spec = ConnectionSpec(
        account="simstore",
        affiliate_id="XPT",
        sales_channel=2,
        app_key="key",
        app_token="token",
        adapter="oauthy",
        adapter_settings={"base_url": str(server.make_url("")).rstrip("/"), **settings},
    )
    connection, _ = await add(hub, spec)
    return connection


async def grant(hub: Hub, connection: Connection, market: Market, *, age_s: float = 0) -> None:
    """Give the connection a token, as if consent had been given ``age_s`` ago."""
    given = market.give()
    token = Token(
        access=SecretStr(given["access_token"]),
        refresh=SecretStr(given["refresh_token"]),
        expires_in_s=given["expires_in"],
        account=given["user_id"],
    )
    book = TokenBook(hub.store, hub.vault, connection.id)
    await book.keep(await book.read(), token, hub.now() - timedelta(seconds=age_s))


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds; 20 seconds at most."""
    for _ in range(400):
        if await holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come to hold in time")


def form_of(url: str) -> dict[str, str]:
    """The query of a URL."""
    return dict(parse_qsl(url.partition("?")[2]))
