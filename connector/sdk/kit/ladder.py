"""The quality ladder as data, and how far an adapter says it has climbed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from importlib.resources import files
from pathlib import Path

QUALITY_FILE = "quality.toml"


class Level(IntEnum):
    """A step of the ladder; each has the rules of those below it, too."""

    BRONZE = 1
    SILVER = 2
    GOLD = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Step:
    """One rule's place on the ladder, and what it asks."""

    rule: str
    level: Level
    asks: str


@cache
def ladder() -> tuple[Step, ...]:
    """All rules, from the bottom up."""
    text = files("connector.sdk.kit").joinpath("ladder.toml").read_text(encoding="utf-8")
    told = tomllib.loads(text)
    return tuple(
        Step(rule, level, asks) for level in Level for rule, asks in told[str(level)].items()
    )


class BadQualityFile(ValueError):
    """``quality.toml`` is missing or says something that cannot be; the message says what."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What an adapter says of itself: its level, and rules it is exempt from, with the reason."""

    level: Level = Level.BRONZE
    exemptions: Mapping[str, str] = field(default_factory=dict)


def read_quality(folder: Path) -> Quality:
    """Read an adapter's ``quality.toml``.

    Raises:
        BadQualityFile: it is missing, or names unknown levels or rules, or no reason.
    """
    path = folder / QUALITY_FILE
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadQualityFile(f'there is no {QUALITY_FILE}: write level = "bronze" in it') from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadQualityFile(f"{QUALITY_FILE} cannot be read: {error}") from None
    return _quality(told)


def _quality(told: Mapping[str, object]) -> Quality:
    strange = set(told) - {"level", "exemptions"}
    level = {str(each): each for each in Level}.get(str(told.get("level")))
    exemptions = told.get("exemptions", {})
    if strange:
        raise BadQualityFile(f"{QUALITY_FILE} knows level and exemptions, not {sorted(strange)}")
    if level is None:
        raise BadQualityFile(f"level in {QUALITY_FILE} must be bronze, silver or gold")
    if not isinstance(exemptions, dict):
        raise BadQualityFile(f"exemptions in {QUALITY_FILE} must be a table of rules and reasons")
    unknown = set(exemptions) - {step.rule for step in ladder()}
    if unknown:
        raise BadQualityFile(f"{QUALITY_FILE} exempts rules that do not exist: {sorted(unknown)}")
    bare = [rule for rule, why in exemptions.items() if not (isinstance(why, str) and why.strip())]
    if bare:
        raise BadQualityFile(f"{QUALITY_FILE} exempts {sorted(bare)} without a reason")
    return Quality(level, exemptions)
