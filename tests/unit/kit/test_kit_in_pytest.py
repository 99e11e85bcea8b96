"""The one line that makes tests of all rules of an adapter's level."""

import shutil
from types import SimpleNamespace

import pytest

from adapters import demo
from connector.sdk.kit import Subject, find_subject
from connector.sdk.kit.ladder import BadQualityFile, Level, ladder
from connector.sdk.kit.pytest import conformance

STEPS = {step.rule: step for step in ladder()}


@pytest.fixture
def folder(tmp_path):
    copy = tmp_path / "demo"
    shutil.copytree(find_subject("demo").folder, copy, ignore=shutil.ignore_patterns("tests"))
    (copy / "quality.toml").write_text(
        'level = "bronze"\n[exemptions]\nsettings = "they are another team\'s"\n'
    )
    return copy


def made(folder, adapter=demo.DemoAdapter):
    module = SimpleNamespace(SIMULATOR=demo.DemoMarketSimulator)
    return conformance(Subject("demo", module, adapter, folder))


def test_there_is_a_test_for_every_rule_of_the_level(folder):
    [mark] = made(folder).pytestmark
    assert [step.rule for step in mark.args[1]] == [
        step.rule for step in ladder() if step.level is Level.BRONZE
    ]


def test_what_is_broken_fails_in_plain_words(folder):
    (folder / "README.md").unlink()
    with pytest.raises(pytest.fail.Exception, match=r"\* there is no README.md"):
        made(folder)(STEPS["readme"])


def test_what_is_kept_passes_and_what_does_not_count_is_skipped(folder):
    made(folder)(STEPS["package"])
    with pytest.raises(pytest.skip.Exception, match="the marketplace has no auth"):
        made(folder)(STEPS["token-over"])
    with pytest.raises(pytest.fail.Exception, match="remove the exemption"):
        made(folder)(STEPS["settings"])


def test_an_adapter_that_says_nothing_of_its_level_has_no_tests(folder):
    (folder / "quality.toml").unlink()
    with pytest.raises(BadQualityFile, match="there is no quality"):
        made(folder)
