"""The template itself, and the folders that ``connector adapter new`` makes of it."""

import ast
import importlib
import sys

import pytest

from connector.sdk.kit import check_rule, new
from connector.sdk.kit.ladder import Quality, ladder
from connector.sdk.kit.new import CannotMake, make_adapter, sorted_imports
from connector.sdk.kit.subject import load_subject

TEMPLATE = load_subject("acme", "connector.sdk.kit.template.acme")


# DOCS.md is made together with a folder; the template has none.
STEPS = [step for step in ladder() if step.rule != "docs-current"]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.rule)
async def test_the_template_breaks_no_rule(step):
    row = await check_rule(TEMPLATE, step, Quality())
    assert row.verdict in {"passed", "skipped"}, row.says


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A package that stands for the project's adapters folder."""
    (tmp_path / "stalls").mkdir()
    (tmp_path / "stalls/__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(new, "FOLDER", "stalls")
    yield tmp_path / "stalls"
    for name in [name for name in sys.modules if name.partition(".")[0] == "stalls"]:
        del sys.modules[name]


def test_a_new_adapter_goes_into_the_projects_folder(home):
    made = make_adapter("corner_shop")
    assert (made.package, made.hint) == ("stalls.corner_shop", "")
    module = importlib.import_module("stalls.corner_shop")
    assert module.ADAPTER.name == "corner_shop"
    assert module.ADAPTER.title == "Corner Shop"
    assert module.ADAPTER.__name__ == "CornerShopAdapter"
    assert (home / "corner_shop/tests/test_corner_shop_conformance.py") in made.files


@pytest.mark.parametrize("name", ["acme2", "my_acme", "acme_market"])
def test_a_name_may_contain_the_templates_own(home, name):
    make_adapter(name)
    module = importlib.import_module(f"stalls.{name}")
    assert (module.ADAPTER.name, module.SIMULATOR is not None) == (name, True)


def test_nothing_of_the_template_is_left(home):
    made = make_adapter("corner_shop")
    texts = {path: path.read_text(encoding="utf-8").lower() for path in made.files}
    assert [path for path, text in texts.items() if "acme" in text or "template" in text] == []


def test_lines_stay_short_enough(home):
    made = make_adapter("corner_shop")
    sources = [path.read_text() for path in made.files if path.suffix == ".py"]
    assert max(len(line) for source in sources for line in source.splitlines()) <= 100


@pytest.mark.parametrize(
    "name",
    ["", "A", "a", "Shop", "2shop", "my-shop", "my shop", "class", "../shop", "x" * 40, "é1"],
)
def test_bad_names_are_refused(home, name):
    with pytest.raises(CannotMake, match="is no name for an adapter"):
        make_adapter(name)
    assert sorted(path.name for path in home.iterdir() if path.name != "__pycache__") == [
        "__init__.py"
    ]


def test_names_that_mean_something_else_are_refused(tmp_path, home):
    with pytest.raises(CannotMake, match="name of something else"):
        make_adapter("connector")
    with pytest.raises(CannotMake, match="name of something else"):
        make_adapter("json", tmp_path)
    with pytest.raises(CannotMake, match="there is an adapter demo already"):
        make_adapter("demo", tmp_path)


def test_what_is_there_is_not_touched(tmp_path):
    (tmp_path / "shop").mkdir()
    with pytest.raises(CannotMake, match="exists already: nothing was written"):
        make_adapter("shop", tmp_path)
    assert list((tmp_path / "shop").iterdir()) == []


def test_the_place_must_be_a_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CannotMake, match="is no folder"):
        make_adapter("shop", tmp_path / "file")
    assert make_adapter("shop", tmp_path / "new/place").hint == f" --dir {tmp_path / 'new/place'}"


def test_imports_are_put_in_order():
    head, abc = "from typing import Any\n\n", "from abc import b\n"
    zoo = "from zoo import (\n    a,\n)\n"
    source, wanted = f"{head}{zoo}{abc}\nx = 1\n", f"{head}{abc}{zoo}\nx = 1\n"
    assert sorted_imports(source) == wanted
    assert sorted_imports("x = 1\n") == "x = 1\n"
    ast.parse(sorted_imports(source))
