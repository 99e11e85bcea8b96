"""The table of all adapters and how far each has climbed, in ``adapters/README.md``."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

from connector.sdk.kit.docs import DOCS_FILE, table
from connector.sdk.kit.ladder import BadQualityFile, Level, ladder
from connector.sdk.kit.subject import Subject, load_subject, names_in
from connector.sdk.registry import FOLDER

_BEGIN = "<!-- written by: connector adapter table --write -->"
_END = "<!-- end -->"


def own_subjects() -> list[Subject]:
    """The adapters of the ``adapters`` folder."""
    return [load_subject(name, f"{FOLDER}.{name}") for name in names_in(FOLDER)]


def _quality(subject: Subject) -> tuple[str, str]:
    """The level, and what the adapter is exempt from."""
    try:
        quality = subject.quality()
    except BadQualityFile as error:
        return "none", str(error)
    exempt = "; ".join(f"`{rule}`: {why}" for rule, why in sorted(quality.exemptions.items()))
    return str(quality.level), exempt or "nothing"


def readme_file() -> Path:
    """Where the table is kept."""
    return Path(str(importlib.import_module(FOLDER).__path__[0])) / "README.md"


def quality_table(subjects: Sequence[Subject]) -> str:
    """Every adapter with its level, what it does, and what it is exempt from."""
    rows = []
    for subject in subjects:
        level, exempt = _quality(subject)
        rows.append(
            (
                f"[{subject.name}]({subject.name}/README.md)",
                subject.adapter.title,
                level,
                len(subject.adapter.capabilities),
                exempt,
                f"[{DOCS_FILE}]({subject.name}/{DOCS_FILE})",
            )
        )
    counts = ", ".join(
        f"{level} {sum(step.level <= level for step in ladder())} rules" for level in Level
    )
    head = ("adapter", "marketplace", "level", "capabilities", "exempt from", "documentation")
    return f"{table(head, rows)}\n\nThe levels: {counts}."


def renewed(text: str, content: str) -> str:
    """The README with a new table between its marks.

    Raises:
        ValueError: the marks are missing.
    """
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"the marks {_BEGIN} and {_END} are missing")
    return f"{before}{_BEGIN}\n\n{content}\n\n{_END}{after}"
