"""Rules about declarations and records: what each finds in a package that breaks it."""

import json
import shutil
from types import SimpleNamespace

import pytest
from pydantic import Field, SecretStr

from adapters import demo
from connector.sdk import (
    Adapter,
    AdapterSettings,
    Capability,
    FieldRule,
    KnownError,
    Limit,
    Need,
    Scope,
)
from connector.sdk.kit import find_subject

Demo = demo.DemoAdapter


class Loose(AdapterSettings):
    api_key: str = Field(title="Key", description="Somewhere.")
    shop: str


class LooseApp(AdapterSettings):
    app_token: SecretStr


class Bare(Adapter):
    name = "demo"
    capabilities = frozenset({Capability.LOTS, Capability.APP_WEBHOOK, Capability.TOKENS})

    async def block(self, terms):
        return {}


def changed(**members):
    return type("Changed", (Demo,), members)


@pytest.mark.parametrize(
    ("rule", "adapter", "says"),
    [
        ("package", changed(name="two words"), "must be a plain word"),
        ("package", changed(name="other"), "call both the same"),
        ("package", changed(title=" "), "has no title"),
        ("capabilities", Bare, "has block() but does not declare"),
        ("capabilities", Bare, "declares listings.lots but has no lot()"),
        ("capabilities", Bare, "check() is missing"),
        ("capabilities", Bare, "tokens need authorize_url, exchange_code, refresh_token"),
        ("capabilities", Bare, "tokens need app_settings_model"),
        ("capabilities", Bare, "needs tenant(settings)"),
        ("capabilities", Bare, "nothing that creates listings"),
        ("capabilities", changed(capabilities=frozenset()), "nothing tells the hub of new orders"),
        ("settings", changed(settings_model=Loose), "settings_model.api_key looks like a secret"),
        ("settings", changed(settings_model=Loose), "settings_model.shop has no title"),
        ("settings", changed(app_settings_model=LooseApp), "app_token has no description"),
        ("limits", changed(limits=()), "no limits are declared"),
        ("limits", changed(limits=(Limit(Scope.ACCOUNT, rate=0),)), "lets nothing through"),
        ("limits", changed(limits=(Limit(Scope.OPERATION, rate=1),)), "is named for"),
        (
            "limits",
            changed(limits=(Limit(Scope.OPERATION, rate=1, operation="listing.create"),)),
            "'listing.create', which no request is called",
        ),
        ("limits", changed(batch_size=0), "at least 1"),
        ("documented", changed(fields=()), "no FieldRule for content.title"),
        ("documented", changed(errors=()), "errors is empty"),
        (
            "documented",
            changed(fields=(*Demo.fields, FieldRule(field="content.colour", market="x"))),
            "content.colour, which the hub has not",
        ),
        (
            "documented",
            changed(fields=(*Demo.fields, FieldRule(field="settings.shop", market="x"))),
            "there is no such setting",
        ),
        (
            "documented",
            changed(fields=(*Demo.fields, FieldRule(field="content.brand", market=""))),
            "has empty columns",
        ),
        (
            "documented",
            changed(errors=(KnownError(error="x", means="y", do=""),)),
            "what the merchant does",
        ),
        (
            "mandatory-enforced",
            changed(
                fields=(FieldRule(field="content.brand", market="brand", need=Need.MANDATORY),)
            ),
            "fields calls content.brand mandatory, but validate() takes",
        ),
        ("errors-explained", changed(errors=()), "which no KnownError matches"),
        ("docs-current", changed(title="Another title"), "connector adapter docs demo --write"),
        ("recorded-operations", changed(), ""),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
async def test_what_is_declared_badly_is_told(measure, rule, adapter, says):
    row = await measure(rule, adapter=adapter)
    assert row.verdict == ("FAILED" if says else "passed"), row
    assert says in "\n".join(row.says)


# --- folders --------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """A copy of the demo adapter's folder, to break."""
    copy = tmp_path / "demo"
    shutil.copytree(find_subject("demo").folder, copy, ignore=shutil.ignore_patterns("tests"))
    return copy


def write(folder, path, text):
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("from connector.flows.hub import Hub", "only connector.sdk"),
        ("import aiohttp", "send requests with self.http"),
        ("from urllib.request import urlopen", "opens nothing itself"),
        ("import time", "time comes from self.clock"),
        ("def broken(:", "is no Python"),
    ],
)
async def test_forbidden_imports_are_told_with_the_reason(measure, folder, source, says):
    write(folder, "extra.py", source)
    row = await measure("imports", folder=folder)
    assert row.verdict == "FAILED"
    assert "extra.py" in row.says[0]
    assert says in row.says[0]


async def test_tests_may_import_what_they_like(measure, folder):
    write(folder, "tests/test_x.py", "import aiohttp")
    assert (await measure("imports", folder=folder)).verdict == "passed"


async def test_a_package_without_readme(measure, folder):
    (folder / "README.md").unlink()
    assert "there is no README.md" in (await measure("readme", folder=folder)).says[0]


async def test_a_package_without_fixtures(measure, folder):
    shutil.rmtree(folder / "fixtures")
    row = await measure("recorded", folder=folder)
    assert "there are no recorded exchanges" in row.says[0]


async def test_fixtures_without_settings(measure, folder):
    (folder / "fixtures/settings.json").unlink()
    row = await measure("recorded", folder=folder)
    assert "fixtures/settings.json cannot be read" in row.says[0]


@pytest.mark.parametrize("part", ["exchange", "output"])
async def test_a_record_that_cannot_be_read(measure, folder, part):
    write(folder, f"fixtures/check/good/{part}.json", "{")
    row = await measure("recorded", folder=folder)
    assert f"a recorded exchange cannot be read: check/good/{part}.json" in row.says[0]


async def test_a_record_of_something_else(measure, folder):
    output = json.dumps({"returns": "Somebody Else"})
    write(folder, "fixtures/check/good/output.json", output)
    row = await measure("recorded", folder=folder)
    assert row.says == ('check-good: returns is "Demo Seller", recorded "Somebody Else"',)


async def test_a_record_of_another_call(measure, folder):
    path = folder / "fixtures/check/good/exchange.json"
    path.write_text(path.read_text().replace("/v1/account", "/v2/account"))
    row = await measure("recorded", folder=folder)
    assert "sends something else than was recorded" in row.says[0]


async def test_a_record_of_no_operation(measure, folder):
    (folder / "fixtures/check").rename(folder / "fixtures/chekc")
    row = await measure("recorded", folder=folder)
    assert "there is no operation chekc" in row.says[0]
    row = await measure("recorded-operations", folder=folder)
    assert "check has no recorded exchange" in row.says[0]


async def test_writes_need_a_failing_case(measure, folder):
    shutil.rmtree(folder / "fixtures/delete/gateway-page")
    row = await measure("failing-cases", folder=folder)
    assert "no recorded case of delete fails" in row.says[0]


async def test_missing_docs(measure, folder):
    (folder / "DOCS.md").unlink()
    assert (await measure("docs-current", folder=folder)).verdict == "FAILED"


# --- simulators -----------------------------------------------------------------------------------


async def test_a_package_without_simulator(measure):
    row = await measure("simulator", simulator=None)
    assert "the package has no SIMULATOR" in row.says[0]


async def test_a_simulator_that_is_none(measure):
    row = await measure("simulator", simulator=SimpleNamespace)
    assert row.verdict == "FAILED"


async def test_a_simulator_that_lacks_a_trick(measure):
    class Plain(demo.DemoMarketSimulator):
        refuse = None

    row = await measure("partial-failure", simulator=Plain)
    assert "the simulator has no refuse()" in row.says[0]
    assert "connector.sdk.testing.tricks" in row.says[0]


async def test_a_simulator_whose_settings_do_not_fit(measure):
    class Odd(demo.DemoMarketSimulator):
        def seller_settings(self, base_url):
            return {"url": base_url}

    row = await measure("simulator", simulator=Odd)
    assert "do not fit the adapter's: ['api_key'" in row.says[0]


async def test_a_sample_offer_that_does_not_fit(measure):
    class Choosy(Demo):
        def validate(self, offer):
            return ["the colour is missing"]

    row = await measure("listing-life", adapter=Choosy)
    assert "give the simulator a dress(offer)" in row.says[0]
