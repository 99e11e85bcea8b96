"""Consent over real HTTP: the URL, the way back, once, in time, by the right account."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from connector.cli.main import cli
from connector.drivers.clock import SystemClock
from connector.flows import consent
from connector.flows.checkup import check_connection
from connector.flows.connections import ConnectionState, Refusal, set_state
from connector.flows.consent import Progress
from connector.flows.tokenbook import TokenBook
from connector.flows.views import connection_details
from tests.integration.tokens.oauth_market import APP, REGISTRY, connect, form_of, grant, until
from tests.integration.web.support import call, served

BACK = "/marketplace/v1/oauth/oauthy/callback"


class Late(SystemClock):
    """A clock that can be put forward."""

    def __init__(self):
        super().__init__()
        self.ahead = timedelta(0)

    def now(self):
        return super().now() + self.ahead


@pytest.fixture
async def public(two):
    """The web process: another one than the shell's."""
    async with served(two.hub, app_settings=APP) as client:
        yield client


async def asked(side, connection, market):
    """Begin a consent; returns the way back that the marketplace would send the browser."""
    form = form_of(await consent.begin(side.hub, connection.id))
    assert form["code_challenge_method"] == "S256"
    assert form["redirect_uri"] == f"https://hub.example{BACK}"
    code = market.consent(form["code_challenge"], form["redirect_uri"])
    return f"{BACK}?code={code}&state={form['state']}", form["state"]


async def test_consent_gives_a_token_that_works(one, public, connection, market):
    way, _ = await asked(one, connection, market)
    assert await consent.progress(one.hub, connection.id) == (Progress.WAITING, "")
    status, page, headers = await call(public, "GET", way)
    assert status == 200
    assert b"gave access" in page
    assert b"CANARY" not in page
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert await consent.progress(one.hub, connection.id) == (Progress.DONE, "")
    assert await one.call(connection) == "ACME"
    details = await connection_details(one.hub, connection.id)
    assert (details["token"]["state"], details["token"]["account"]) == ("works", "468424240")
    assert "CANARY" not in json.dumps(details)


async def test_a_state_opens_once(one, public, connection, market):
    way, _ = await asked(one, connection, market)
    answers = await asyncio.gather(*(call(public, "GET", way) for _ in range(10)))
    assert sorted(answer[0] for answer in answers) == [200] + [400] * 9
    assert market.counts["authorization_code"] == 1


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?code=x",
        "?code=x&state=",
        "?code=x&state=simstore-xpt-000000.abc",
        "?state=..%2F&code=x",
    ],
)
async def test_a_wrong_state_opens_nothing(one, public, connection, market, query):
    await asked(one, connection, market)
    status, page, _ = await call(public, "GET", f"{BACK}{query}")
    assert status == 400
    assert b"Access was not given" in page
    assert market.counts["authorization_code"] == 0
    assert (await consent.progress(one.hub, connection.id))[0] is Progress.WAITING


async def test_another_adapters_address_and_other_methods_open_nothing(
    one, public, connection, market
):
    way, _ = await asked(one, connection, market)
    assert (await call(public, "GET", way.replace("/oauthy/", "/demo/")))[0] == 400
    assert (await call(public, "POST", way))[0] == 405
    assert (await call(public, "GET", way.replace("callback", "else")))[0] == 404
    assert market.counts["authorization_code"] == 0


async def test_a_new_consent_makes_the_one_before_void(one, public, connection, market):
    old, _ = await asked(one, connection, market)
    new, _ = await asked(one, connection, market)
    assert (await call(public, "GET", old))[0] == 400
    assert (await call(public, "GET", new))[0] == 200


async def test_a_consent_that_is_replaced_while_its_code_is_traded_is_void(
    one, public, connection, market, monkeypatch
):
    way, _ = await asked(one, connection, market)
    trade = consent._trade

    async def slowly(hub, under_way, code):
        token = await trade(hub, under_way, code)
        await consent.begin(one.hub, connection.id)
        return token

    monkeypatch.setattr(consent, "_trade", slowly)
    status, page, _ = await call(public, "GET", way)
    assert (status, b"begin again" in page) == (400, True)
    assert await consent.progress(one.hub, connection.id) == (Progress.WAITING, "")


async def test_a_consent_is_too_old_after_a_quarter_of_an_hour(another, server, market):
    clock = Late()
    async with another(clock=clock) as side, served(side.hub, app_settings=APP) as public:
        connection = await connect(side.hub, server)
        way, _ = await asked(side, connection, market)
        clock.ahead = timedelta(minutes=16)
        assert (await call(public, "GET", way))[0] == 400
        assert (await consent.progress(side.hub, connection.id))[0] is Progress.FAILED
        assert market.counts["authorization_code"] == 0


async def test_consent_that_is_not_given_is_told(one, public, connection, market):
    _, state = await asked(one, connection, market)
    status, page, _ = await call(public, "GET", f"{BACK}?error=access_denied&state={state}")
    assert status == 400
    assert b"consent was not given" in page
    progress, why = await consent.progress(one.hub, connection.id)
    assert progress is Progress.FAILED
    assert "not given" in why


async def test_a_code_that_is_not_accepted_is_told(one, public, connection, market):
    way, _ = await asked(one, connection, market)
    market.codes.clear()
    status, page, _ = await call(public, "GET", way)
    assert (status, b"does not accept the code" in page) == (400, True)
    assert (await consent.progress(one.hub, connection.id))[0] is Progress.FAILED


async def test_consent_of_another_account_is_refused(one, public, connection, market):
    way, _ = await asked(one, connection, market)
    market.account = "999"
    status, page, _ = await call(public, "GET", way)
    assert (status, b"another account" in page) == (400, True)
    saved = await TokenBook(one.hub.store, one.hub.vault, connection.id).read()
    assert saved.kept.sealed == ""


async def test_by_hand_with_a_code_or_with_the_address(one, connection, market):
    way, state = await asked(one, connection, market)
    code = form_of(way)["code"]
    with pytest.raises(Refusal, match="begin again"):
        await consent.by_hand(one.hub, connection.id, code, "another-state")
    await consent.by_hand(one.hub, connection.id, code, state)
    assert await one.call(connection) == "ACME"
    with pytest.raises(Refusal, match="begin again"):
        await consent.by_hand(one.hub, connection.id, code)


async def test_the_checkup_says_whether_the_token_works(one, connection, market):
    async def token_line():
        rows = await check_connection(one.hub, connection.id)
        return next(row for row in rows if row["name"] == "token")

    row = await token_line()
    assert (row["ok"], row["fix"]) == (False, f"connector connection authorize {connection.id}")
    await grant(one.hub, connection, market)

    async def works():
        return "works until" in (await token_line())["detail"]

    await until(works)


async def test_a_removed_connection_keeps_no_token(one, connection, market):
    await grant(one.hub, connection, market)
    await set_state(one.hub, connection.id, ConnectionState.DISABLED)
    await set_state(one.hub, connection.id, ConnectionState.REMOVED, force=True)
    saved = await TokenBook(one.hub.store, one.hub.vault, connection.id).read()
    assert saved.version == 0


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch, tmp_path, server, key):
    """The command line on the same ledger, in a thread of its own: it has a loop of its own."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "CONNECTOR_STORE_URL": f"sqlite:///{tmp_path}/hub.db",
        "CONNECTOR_PUBLIC_URL": "https://hub.example",
        "CONNECTOR_SECRET_KEY": key,
        "CONNECTOR_ALLOW_HOSTS": f"{server.host}:{server.port}",
        "CONNECTOR_ADAPTER_APP_SETTINGS": json.dumps(APP),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("connector.bootstrap.hub.discover", lambda: REGISTRY)

    async def run(*words, code=0):
        result = await asyncio.to_thread(CliRunner().invoke, cli, ["connection", *words])
        assert result.exit_code == code, (result.output, result.exception)
        assert "CANARY" not in result.output
        return result

    return run


async def test_authorize_prints_the_url_and_waits_for_the_way_back(
    run, one, public, connection, market
):
    waiting = asyncio.create_task(run("authorize", connection.id))

    async def begun():
        return (await consent.progress(one.hub, connection.id))[0] is Progress.WAITING

    await until(begun)
    # The shell's own state is known to the shell alone: another consent takes its place.
    way, _ = await asked(one, connection, market)
    assert (await call(public, "GET", way))[0] == 200
    result = await waiting
    assert "/authorization?" in result.stdout
    assert "gave access" in result.stderr


async def test_authorize_by_hand(run, one, connection, market):
    result = await run("authorize", connection.id, "--no-wait")
    form = form_of(result.stdout.strip())
    code = market.consent(form["code_challenge"], form["redirect_uri"])
    way = f"https://hub.example{BACK}?code={code}&state={form['state']}"
    await run("authorize", connection.id, "--redirected", f"https://hub.example{BACK}", code=2)
    await run("authorize", connection.id, "--redirected", way, "--code", "x", code=2)
    await run("authorize", connection.id, "--redirected", way)
    await run("authorize", connection.id, "--redirected", way, code=2)
    shown = json.loads((await run("show", connection.id, "--json")).stdout)
    assert shown["token"]["state"] == "works"
    assert await one.call(connection) == "ACME"


async def test_authorize_says_what_is_missing(run, connection, monkeypatch):
    monkeypatch.setenv("CONNECTOR_ADAPTER_APP_SETTINGS", "{}")
    result = await run("authorize", connection.id, code=2)
    assert "CONNECTOR_ADAPTER_APP_SETTINGS" in result.stderr
    monkeypatch.setenv("CONNECTOR_ADAPTER_APP_SETTINGS", '{"oauthy": {"client_id": "x"}}')
    result = await run("authorize", connection.id, code=2)
    assert "oauthy.client_secret" in result.stderr
    result = await run("authorize", "nobody", code=2)
