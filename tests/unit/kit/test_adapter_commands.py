"""``connector adapter check``, ``docs``, ``table`` and ``new``, as an author sees them."""

import json

import pytest
from click.testing import CliRunner

from connector.cli import adapter_kit
from connector.cli.adapter import adapter


def command(*words):
    return CliRunner().invoke(adapter, list(words))


def test_check_tells_every_rule_and_the_level():
    told = command("check", "demo")
    assert told.exit_code == 0, told.output
    assert "demo declares gold and keeps it; it reaches gold." in told.stdout
    assert "gold    webhook-forged" in told.stdout
    assert "the marketplace has no auth.tokens" in told.stdout


def test_check_can_be_asked_for_single_rules_and_for_json():
    told = command("check", "demo", "-r", "readme", "--json")
    [row] = json.loads(told.stdout)["rules"]
    assert (row["rule"], row["result"], row["says"]) == ("readme", "passed", [])


def test_check_of_nothing_says_what_there_is():
    told = command("check", "nowhere")
    assert told.exit_code == 1
    assert "there is no adapter nowhere; found: " in told.stdout
    told = command("check", "demo", "-r", "flying")
    assert told.exit_code == 2
    assert "there is no rule flying; there are: package" in told.stderr


def test_check_of_what_cannot_be_imported_says_why(tmp_path):
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn/__init__.py").write_text("import nothing_of_that_name\n")
    told = command("check", "torn", "--dir", str(tmp_path))
    assert told.exit_code == 1
    assert "torn cannot be imported: ModuleNotFoundError" in told.stdout


def test_docs_prints_what_it_would_write():
    told = command("docs", "demo")
    assert told.exit_code == 0
    assert told.stdout.startswith("# Demo Market: what the adapter does\n")
    assert command("docs", "nowhere").exit_code == 2


def test_docs_writes_into_the_adapters_folder(tmp_path, monkeypatch):
    assert command("new", "shop", "--dir", str(tmp_path)).exit_code == 0
    path = tmp_path / "shop/DOCS.md"
    path.unlink()
    monkeypatch.syspath_prepend(tmp_path)
    from connector.sdk.kit.subject import load_subject

    monkeypatch.setattr(adapter_kit, "find_subject", lambda name: load_subject(name, name))
    assert command("docs", "shop", "--write").exit_code == 0
    assert path.read_text().startswith("# Shop: what the adapter does\n")


def test_new_refuses_what_it_cannot_make(tmp_path):
    told = command("new", "my-shop", "--dir", str(tmp_path))
    assert told.exit_code == 2
    assert "'my-shop' is no name for an adapter" in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_new_says_what_to_do_next(tmp_path):
    told = command("new", "shop", "--dir", str(tmp_path))
    assert f"connector adapter check shop --dir {tmp_path}" in told.stderr
    assert str(tmp_path / "shop/adapter.py") in told.stdout


def test_table_is_printed_and_written(tmp_path, monkeypatch):
    assert "| [demo](demo/README.md) |" in command("table").stdout
    path = tmp_path / "README.md"
    marks = "<!-- written by: connector adapter table --write -->\n<!-- end -->"
    path.write_text(f"# Adapters\n\n{marks}\n")
    monkeypatch.setattr(adapter_kit, "readme_file", lambda: path)
    assert command("table", "--write").exit_code == 0
    assert "| [demo](demo/README.md) |" in path.read_text()


@pytest.mark.parametrize("name", ["new", "check", "docs", "table"])
def test_every_command_explains_itself(name):
    told = command(name, "--help")
    assert told.exit_code == 0
    assert len(told.stdout.splitlines()) > 5
