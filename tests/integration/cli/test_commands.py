"""The command line on a ledger in a file: what it prints, refuses, and never tells."""

from __future__ import annotations

import json

import pytest

from connector.domain.entries import Direction, Entry, Operation, Status
from connector.domain.pending import Context
from connector.flows.documents import load_connection, load_listings
from connector.flows.views import progress_document
from connector.ports import Document, Put
from tests.integration.cli.support import KEY, SPEC, TOKEN, URL_KEYS, on_hub
from tests.unit.flows.operator_hub import a_listing, an_order

pytestmark = pytest.mark.usefixtures("place")


def connection_of(hub, added):
    return load_connection(hub.store, added["id"])


# --- connections ---


def test_add_prints_exactly_the_urls(added):
    assert set(added) == URL_KEYS
    for name in URL_KEYS - {"id"}:
        assert added[name].startswith("https://hub.example.com/")
        assert added["id"] in added[name]


def test_a_new_key_is_told_on_stderr(run, monkeypatch):
    monkeypatch.delenv("CONNECTOR_SECRET_KEY")
    result = run("connection", "add", "--file", "-", stdin=json.dumps(SPEC))
    assert "keep a copy" in result.stderr
    assert set(json.loads(result.stdout)) == URL_KEYS


def test_a_waiting_install_is_approved_by_adding(run):
    install = {"account": "simstore", "affiliate_id": "MKT", "told_at": "2026-01-01T00:00:00Z"}
    body = json.dumps(install)
    waiting = Document("app-install", "", "simstore-mkt", body, "waiting")
    on_hub(lambda hub: hub.store.commit([Put(waiting)]))
    (row,) = json.loads(run("connection", "list", "--json").stdout)
    assert (row["id"], row["state"]) == ("simstore-mkt", "waiting")
    assert "waiting" in run("connection", "list").stdout
    run("connection", "add", "--file", "-", stdin=json.dumps(SPEC))
    (row,) = json.loads(run("connection", "list", "--json").stdout)
    assert row["state"] == "active"


def test_a_connection_from_file_to_removal(run, place):
    (place / "spec.json").write_text(json.dumps(SPEC))
    connection = json.loads(run("connection", "add", "--file", "spec.json").stdout)["id"]

    (row,) = json.loads(run("connection", "list", "--json").stdout)
    assert (row["id"], row["state"]) == (connection, "active")
    shown = json.loads(run("connection", "show", connection, "--json").stdout)
    assert shown["rules"]["stock_buffer"] == 1
    assert shown["adapter_settings"]["api_key"] == "**********"
    rotated = json.loads(run("connection", "rotate", connection).stdout)
    assert set(rotated) == URL_KEYS
    assert connection in run("connection", "list").stdout
    assert "stock_buffer" in run("connection", "show", connection).stdout

    for command, state in (
        ("pause", "paused"),
        ("resume", "active"),
        ("disable", "disabled"),
        ("enable", "active"),
        ("disable", "disabled"),
    ):
        assert f"is now {state}" in run("connection", command, connection).stderr
    assert "already disabled" in run("connection", "disable", connection).stderr
    run("connection", "remove", connection)
    assert json.loads(run("connection", "list", "--json").stdout) == []
    assert "no connection" in run("connection", "show", connection, code=2).stderr


def test_states_that_do_not_follow_say_what_to_do(run, added):
    assert "disable the connection first" in run("connection", "remove", added["id"], code=2).stderr
    run("connection", "pause", added["id"])
    assert "resume it" in run("connection", "enable", added["id"], code=2).stderr
    run("connection", "disable", added["id"])
    assert "enable it" in run("connection", "resume", added["id"], code=2).stderr
    assert "enable it first" in run("connection", "pause", added["id"], code=2).stderr


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("not json", "JSON object"),
        ("[]", "JSON object"),
        ({**SPEC, "affiliate_id": "ABC"}, "affiliate_id"),
        ({**SPEC, "nonsense": TOKEN}, "nonsense"),
        ({**SPEC, "adapter": "nope"}, "no adapter nope"),
        ({**SPEC, "adapter_settings": {"api_key": [KEY]}}, "adapter_settings.api_key"),
        ({**SPEC, "app_token": {"leak": TOKEN}}, "app_token"),
    ],
)
def test_a_bad_description_is_refused_in_one_line(run, spec, told):
    text = spec if isinstance(spec, str) else json.dumps(spec)
    result = run("connection", "add", "--file", "-", stdin=text, code=2)
    assert told in result.stderr
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1


def test_one_affiliate_is_connected_once(run, added):
    text = json.dumps(SPEC)
    assert added["id"] in run("connection", "add", "--file", "-", stdin=text, code=2).stderr


def test_set_takes_json_text_and_unseen_secrets(run, added):
    result = run(
        "connection",
        "set",
        added["id"],
        "rules.stock_buffer=2",
        "rules.price_floor=null",
        'rules.categories={"12": "110"}',
        "rules.default_category=110",
        "sales_channel=3",
        "adapter_settings.seller_id=12345",
        "app_token=-",
        "adapter_settings.api_key=-",
        "--json",
        stdin=f"{TOKEN}-2\n{KEY}-2\n",
    )
    shown = json.loads(result.stdout)
    assert shown["rules"]["stock_buffer"] == 2
    assert shown["rules"]["categories"] == {"12": "110"}
    assert shown["rules"]["default_category"] == "110"
    assert shown["sales_channel"] == 3

    async def secrets(hub):
        found = (await connection_of(hub, added)).value
        place = f"{found.id}|app_token"
        token = hub.vault.open(found.sealed_app_token, bound_to=place)
        place = f"{found.id}|adapter_settings"
        return token, json.loads(hub.vault.open(found.sealed_adapter_settings, bound_to=place))

    token, settings = on_hub(secrets)
    assert token == f"{TOKEN}-2"
    assert (settings["api_key"], settings["seller_id"]) == (f"{KEY}-2", "12345")


@pytest.mark.parametrize(
    ("pair", "told"),
    [
        ("rules.stock_buffer=-1", "stock_buffer"),
        ("rules.stock_buffer=many", "stock_buffer"),
        ("rules.nope=1", "nope"),
        ("nope=1", "no setting nope"),
        ("account=other", "no setting account"),
        ("adapter_settings.nope=1", "nope"),
        ("stock_buffer", "NAME=VALUE"),
        ("=1", "NAME=VALUE"),
        ("app_token=", "must not be empty"),
        ("order_api=none", "order_api"),
    ],
)
def test_set_refuses_what_makes_no_sense(run, added, pair, told):
    assert told in run("connection", "set", added["id"], pair, code=2).stderr


def test_show_tells_urls_only_when_asked(run, added):
    secret = added["notification_url"].split("/")[6]
    assert secret not in run("connection", "show", added["id"], "--json").output
    shown = json.loads(run("connection", "show", added["id"], "--urls", "--json").stdout)
    assert shown["urls"]["notification_url"] == added["notification_url"]


def test_rotate_some_or_now(run, added):
    new = json.loads(run("connection", "rotate", added["id"], "--purpose", "notify").stdout)
    assert new["notification_url"] != added["notification_url"]
    assert new["services_endpoint"] == added["services_endpoint"]
    run("connection", "rotate", added["id"], "--now", "--purpose", "logs")
    shown = json.loads(run("connection", "show", added["id"], "--json").stdout)
    generations = [s["generation"] for s in shown["secrets"] if s["purpose"] == "logs"]
    assert max(generations) == 2
    run("connection", "rotate", added["id"], "--purpose", "nope", code=2)


def test_check_fails_with_1_and_says_what_to_do(run, added):
    run("connection", "set", added["id"], "vtex_base_url=http://127.0.0.1:1")
    result = run("connection", "check", added["id"], "--json", code=1)
    found = {row["name"]: row for row in json.loads(result.stdout)}
    assert found["account"]["ok"] is False
    assert "CONNECTOR_ALLOW_HOSTS" in found["account"]["fix"]
    assert "failed: account, marketplace" in result.stderr
    assert "FAIL" in run("connection", "check", added["id"], code=1).stdout


# --- rows ---


@pytest.fixture
def filled(added):
    async def fill(hub):
        from connector.domain.pending import Mark, Parked
        from connector.flows.documents import Saved, put_listing, put_order
        from connector.ports import Settle

        connection = (await connection_of(hub, added)).value
        now = hub.now()
        listing, order = a_listing(connection, "1001"), an_order(connection, "MP-1")
        entry = Entry(
            connection=connection.id,
            at=now,
            subject="1001",
            operation=Operation.PRICE_UPDATE,
            direction=Direction.TO_MARKETPLACE,
            status=Status.WARNING,
            code="E1",
            message="price [jumps]",
        )
        await hub.store.commit(
            [
                put_listing(Saved(listing), listing),
                put_order(Saved(order), order),
                Mark(connection.id, Context.LISTINGS, "1001", now),
                entry,
            ]
        )
        later = now.replace(year=now.year + 1)
        (claim,) = await hub.store.claim(
            connection.id, Context.LISTINGS, limit=9, now=hub.now(), lease_until=later
        )
        await hub.store.commit([Settle(claim, Parked(later, ("price jumps",)))])

    on_hub(fill)
    return added["id"]


def test_listings_orders_and_logs(run, filled):
    (listing,) = json.loads(run("listings", filled, "--json", "--state", "parked").stdout)
    assert listing["sku"] == "1001"
    assert "Shirt [new]" in run("listings", filled).stdout
    (order,) = json.loads(run("orders", filled, "--json").stdout)
    assert order["buyer"] == "Z*** Á***"
    assert "MP-1" in run("orders", filled).stdout
    assert "52998224725" not in run("orders", filled).output
    (entry,) = json.loads(run("logs", filled, "--json", "--status", "alert").stdout)
    assert entry["message"] == "price [jumps]"
    assert "price [jumps]" in run("logs", filled, "--date", entry["at"][:10]).stdout
    assert json.loads(run("logs", filled, "--json", "--status", "error").stdout) == []
    assert json.loads(run("logs", filled, "--json", "--date", "2020-01-31").stdout) == []
    assert json.loads(run("logs", filled, "--json", "--subject", "7").stdout) == []


def test_nothing_there_is_said_on_stderr(run, added):
    for words in (("listings",), ("orders",), ("logs",)):
        result = run(*words, added["id"])
        assert result.stdout == ""
        assert "no " in result.stderr
        assert json.loads(run(*words, added["id"], "--json").stdout) == []
    assert "nothing is parked" in run("parked", "list").stderr


@pytest.mark.parametrize("command", ["listings", "orders", "logs"])
def test_an_unknown_connection_is_refused(run, command):
    assert "connector connection list" in run(command, "nope", code=2).stderr


def test_parked_list_show_and_retry(run, filled):
    row, task = json.loads(run("parked", "list", "--json").stdout)
    assert (row["key"], row["reasons"]) == ("1001", ["price jumps"])
    assert task["key"] == "MP-1"
    assert task["reasons"][0].startswith("task: ")
    assert "price jumps" in run("parked", "list", filled).stdout
    shown = json.loads(run("parked", "show", filled, "1001", "--json").stdout)
    assert "E4: category is not mapped" in shown["reasons"]
    assert "category is not mapped" in run("parked", "show", filled, "1001").stdout
    order = run("parked", "show", filled, "MP-1", "--context", "orders").stdout
    assert "zoe@example.com" not in order

    assert "--all" in run("parked", "retry", filled, code=2).stderr
    assert "--all" in run("parked", "retry", filled, "1001", "--all", code=2).stderr
    assert "does not wait" in run("parked", "retry", filled, "7", code=2).stderr
    result = run("parked", "retry", filled, "1001", "--approve-price", "--json")
    assert json.loads(result.stdout) == {"retried": 1}

    async def approved(hub):
        return (await load_listings(hub.store, filled, ["1001"]))["1001"].value

    assert on_hub(approved).approved_price_minor == 20_000
    assert [row["key"] for row in json.loads(run("parked", "list", "--json").stdout)] == ["MP-1"]
    assert json.loads(run("parked", "retry", filled, "--all", "--json").stdout) == {"retried": 0}
    run("parked", "retry", filled, "MP-1")
    assert json.loads(run("parked", "list", "--json").stdout) == []


def test_sync_asks_for_a_backfill(run, added):
    assert "connector listings" in run("sync", added["id"]).stderr

    async def pending(hub):
        return await hub.store.pending(added["id"], Context.UPKEEP, parked=False)

    assert "backfill" in {row.key for row in on_hub(pending)}
    assert "no connection" in run("sync", "nope", code=2).stderr


def test_sync_follows_to_the_end(run, added, monkeypatch):
    """Progress of an earlier run is not taken for this one's."""
    pages = iter(
        [
            {
                "state": "running",
                "page": 1,
                "seen": 1000,
                "started_at": "2026-01-01T00:00:00+00:00",
            },
            {
                "state": "done",
                "page": 2,
                "seen": 1500,
                "started_at": "2026-01-01T00:00:00+00:00",
                "finished_at": "2026-01-01T00:00:10+00:00",
            },
        ]
    )
    old = Document("progress", added["id"], "backfill", '{"state": "done", "finished_at": "x"}')
    on_hub(lambda hub: hub.store.commit([Put(old)]))

    async def worked(store, connection_id):
        found = await progress_document(store, connection_id)
        if found is not None and (page := next(pages, None)) and worked.begun:
            await store.commit(
                [Put(Document("progress", connection_id, "backfill", json.dumps(page), "",
                              found.version))]
            )  # fmt: skip
        worked.begun = True
        return found

    worked.begun = False
    pages = iter([None, *pages])
    monkeypatch.setattr("connector.cli.sync.progress_document", worked)
    monkeypatch.setattr("connector.cli.sync._LOOK_S", 0)
    result = run("sync", added["id"], "--follow", "--json")
    assert json.loads(result.stdout)["seen"] == 1500
    assert "running: 1000 SKUs, page 1" in result.stderr
    assert "150 per second" in result.stderr
