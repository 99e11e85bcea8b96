"""How a rule of the kit is written down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector.sdk.values import Capability

if TYPE_CHECKING:
    from connector.sdk.kit.bench import Bench
    from connector.sdk.kit.subject import Subject

LookCheck = Callable[["Subject"], Awaitable[Iterable[str]]]
TryCheck = Callable[["Bench"], Awaitable[Iterable[str]]]


class Trouble(Exception):
    """A rule cannot go on; the message says in plain words what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Look:
    """A rule about the package itself and its recorded exchanges."""

    name: str
    check: LookCheck
    needs: tuple[Capability, ...] = ()
    any_of: tuple[Capability, ...] = ()


@dataclass(frozen=True, slots=True)
class Try:
    """A rule that is tried out against the adapter's simulator over real HTTP.

    ``needs`` are capabilities without all of which it means nothing, ``any_of`` those of which one
    is enough; ``tricks`` is what the simulator must be able to do.
    """

    name: str
    check: TryCheck
    needs: tuple[Capability, ...] = ()
    any_of: tuple[Capability, ...] = ()
    tricks: tuple[str, ...] = ()


Rule = Look | Try


def meaningless(rule: Rule, capabilities: Iterable[Capability]) -> str:
    """Why the rule says nothing about an adapter of these capabilities; empty where it does."""
    declared = set(capabilities)
    missing = [each for each in rule.needs if each not in declared]
    if missing:
        return f"the marketplace has no {', '.join(missing)}"
    if rule.any_of and not declared & set(rule.any_of):
        return f"the marketplace has none of {', '.join(rule.any_of)}"
    return ""
