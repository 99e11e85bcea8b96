"""A third marketplace from ``adapter new`` and a handful of lines: what an author needs to do.

Bazaar is invented. It differs from what the template speaks in its paths, its header, its words for
statuses, and in having acceptance and cancellation. The changes below are all there is to do.
"""

from __future__ import annotations

import json
import shutil
import sys
from importlib.metadata import EntryPoint

import pytest
from click.testing import CliRunner

from connector.cli.adapter import adapter
from connector.sdk import registry
from connector.sdk.kit import subject as subjects

CANCEL = '''    async def cancel(self, key: str, reason: str) -> None:
        """Give the money back."""
        path = f"/v2/sales/{quote(key, safe='')}/refund"
        await self._send(path, {"why": reason}, "orders.cancel")

'''
WORDS = """    words = PlainMarket.words | {"paid": "to-ship", "cancelled": "void"}

"""
REFUND = '''    @route("POST", "/v2/sales/{key}/refund")
    async def refund(self, request: Request, key: str) -> Response:
        """The seller cancels."""
        self.cancelled(self.orders[key], "seller", str(request.json()))
        return json_response({})

'''
CHANGES = {
    "adapter.py": [
        ("Capability.POLLING}", "Capability.POLLING, Capability.CANCEL}"),
        ('"/account"', '"/v2/me"'),
        ('f"/orders/{', 'f"/v2/sales/{'),
        ('{"authorization": f"Bearer {', '{"x-bazaar-key": f"{'),
        ("    # --- calls -", f"{CANCEL}    # --- calls -"),
    ],
    "wire.py": [('"paid": Market', '"to-ship": Market'), ('"cancelled": Market', '"void": Market')],
    "simulator.py": [
        ("    def seller_settings", f"{WORDS}    def seller_settings"),
        ('"/account"', '"/v2/me"'),
        ('"/orders/{key}"', '"/v2/sales/{key}"'),
        ('headers.get("authorization") == f"Bearer {_KEY}"', 'headers.get("x-bazaar-key") == _KEY'),
        ('    @route("GET", "/orders")', f'{REFUND}    @route("GET", "/orders")'),
    ],
}
RECORDS = [
    ('"/account"', '"/v2/me"'),
    ('"/orders/O', '"/v2/sales/O'),
    ('"authorization": "Bearer recorded-key"', '"x-bazaar-key": "recorded-key"'),
    ('"status": "paid",\n', '"status": "to-ship",\n'),
]
RECORDED = {
    "input.json": {"key": "O-000001", "reason": "out of stock"},
    "exchange.json": [
        {
            "request": {
                "method": "POST",
                "url": "/v2/sales/O-000001/refund",
                "json": {"why": "out of stock"},
            },
            "response": {"status": 200, "json": {}},
        }
    ],
    "output.json": {"returns": None},
}


def edit(path, changes):
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, (path.name, old)
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def command(*words):
    return CliRunner().invoke(adapter, [*map(str, words)])


@pytest.fixture
def parent(tmp_path, monkeypatch):
    """A folder that Python looks for packages in; what was imported from it is forgotten."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    forget()


def forget():
    for name in [name for name in sys.modules if name.partition(".")[0] == "bazaar"]:
        del sys.modules[name]


@pytest.fixture
def installed(monkeypatch):
    """As if a package with an entry point had been installed."""
    entry = EntryPoint("bazaar", "bazaar", registry.GROUP)
    for module in (registry, subjects):
        monkeypatch.setattr(module, "entry_points", lambda group: [entry])


@pytest.fixture
def bazaar(parent):
    """The adapter of Bazaar, made from the template."""
    made = command("new", "bazaar", "--dir", parent)
    assert made.exit_code == 0, made.output
    folder = parent / "bazaar"
    for name, changes in CHANGES.items():
        edit(folder / name, changes)
    for path in folder.glob("fixtures/*/*/exchange.json"):
        text = path.read_text(encoding="utf-8")
        for old, new in RECORDS:
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    case = folder / "fixtures/cancel/refunded"
    case.mkdir(parents=True)
    for name, content in RECORDED.items():
        (case / name).write_text(json.dumps(content), encoding="utf-8")
    paid = folder / "fixtures/order/paid/output.json"
    edit(paid, [('"raw_status": "paid"', '"raw_status": "to-ship"')])
    return folder


def results(told):
    return {row["rule"]: (row["result"], row["says"]) for row in json.loads(told.stdout)["rules"]}


def test_what_new_makes_keeps_the_first_level_at_once(parent):
    assert command("new", "bazaar", "--dir", parent).exit_code == 0
    told = command("check", "bazaar", "--dir", parent)
    assert told.exit_code == 0, told.output
    assert "bazaar declares bronze and keeps it" in told.output


def test_a_handful_of_lines_makes_another_marketplace(bazaar, installed):
    edit(bazaar / "quality.toml", [('level = "bronze"', 'level = "silver"')])
    assert command("docs", "bazaar", "--write").exit_code == 0
    told = command("check", "bazaar", "--json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["declared"] == "silver"
    assert results(told)["order-life"] == ("passed", [])
    assert registry.discover().get("bazaar").title == "Bazaar"


def test_that_is_a_handful_of_lines():
    changed = [new for changes in CHANGES.values() for _, new in changes]
    assert sum(new.count("\n") + 1 for new in changed) < 40


@pytest.mark.parametrize(
    ("bug", "rule", "says"),
    [
        (
            ("wire.py", '"to-ship": MarketStatus.PAID', '"to-send": MarketStatus.PAID'),
            "order-money",
            "order() must map that status to MarketStatus.PAID",
        ),
        (
            ("wire.py", "MarketStatus.PENDING),", "MarketStatus.PAID),"),
            "order-unknown-status",
            "was read as paid, it must be PENDING",
        ),
        (
            (
                "wire.py",
                "str(Money(terms.price_minor, terms.currency).major())",
                "str(round(terms.price_minor / 100))",
            ),
            "listing-money",
            "price and stock should be (101, 10), the marketplace shows (100, 10)",
        ),
        (
            (
                "adapter.py",
                "        return expect(await self.http.send(request))",
                "        return await self.http.send(request)",
            ),
            "throttled-with-time",
            "raise RateLimited(..., after_s=...)",
        ),
        (
            ("settings.py", "api_key: SecretStr", "api_key: str"),
            "settings",
            "settings_model.api_key looks like a secret: make it a SecretStr",
        ),
        (
            ("adapter.py", ", Capability.CANCEL}", "}"),
            "capabilities",
            "the adapter has cancel() but does not declare orders.cancel",
        ),
    ],
    ids=lambda each: each[0] if isinstance(each, tuple) else "",
)
def test_a_bug_is_told_in_plain_words(bazaar, parent, bug, rule, says):
    file, old, new = bug
    edit(bazaar / file, [(old, new)])
    told = command("check", "bazaar", "--dir", parent, "--json", "--rule", rule)
    verdict, words = results(told)[rule]
    assert verdict in {"FAILED", "not yet"}, told.output
    assert says in "\n".join(words)


def test_a_broken_first_level_ends_with_an_error(bazaar, parent):
    shutil.rmtree(bazaar / "fixtures/check")
    told = command("check", "bazaar", "--dir", parent)
    assert told.exit_code == 1
    assert "check has no recorded exchange: add a folder fixtures/check/<case>/" in told.output
    assert "bazaar declares bronze, but 1 of its rules is broken" in told.output
