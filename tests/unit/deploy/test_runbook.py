"""Commands that the runbook and deploy/README.md quote can be called like that."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from connector.cli.main import cli
from tests.unit.deploy.files import DEPLOY, ROOT

PAGES = [
    ROOT / "docs/runbook.md",
    DEPLOY / "README.md",
    DEPLOY / "kubernetes/base/worker-demo.yaml",
]


def commands(page: Path) -> list[str]:
    said = re.sub(r"\s+", " ", page.read_text(encoding="utf-8").replace("```", "\n`"))
    quoted = re.findall(r"`connector ([^`]+)`", said)
    lines = re.findall(r"exec \w+ connector ([a-z ]+)", page.read_text(encoding="utf-8"))
    return sorted({one.strip() for one in [*quoted, *lines] if "..." not in one})


def resolve(line: str) -> click.Command:
    """The command, after its arguments were parsed.

    Raises:
        click.ClickException: there is no such command, or it does not take that.
    """
    command: click.Command = cli
    context = click.Context(cli)
    words = shlex.split(line)
    while isinstance(command, click.Group):
        name = words.pop(0) if words else ""
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"no command {name!r} in {line!r}")
        command = found
    command.make_context(line, words)
    return command


@pytest.mark.parametrize("line", sorted({line for page in PAGES for line in commands(page)}))
def test_the_command_exists(line):
    resolve(line)


def test_there_are_commands_and_wrong_ones_are_noticed():
    assert len(commands(PAGES[0])) >= 12
    with pytest.raises(click.ClickException):
        resolve("parked repair ID")
    with pytest.raises(click.ClickException):
        resolve("connection show")
    with pytest.raises(click.ClickException):
        resolve("connection rotate ID --soon")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_files_of_the_table_exist():
    page = (DEPLOY / "README.md").read_text(encoding="utf-8")
    table = page.partition("## What is here")[2].partition("##")[0]
    named = {
        name
        for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", row)
    }
    assert len(named) >= 12
    for name in named:
        assert [*DEPLOY.glob(name), *(DEPLOY / "nginx").glob(name)], name
