"""Rules about recorded exchanges: ``fixtures/<operation>/<case>/``."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from connector.sdk.adapter import Adapter
from connector.sdk.kit.rule import Look, Trouble
from connector.sdk.kit.subject import Subject
from connector.sdk.testing.replay import Case, ReplayError, Setup, differences, replayed
from connector.sdk.values import METHODS, Capability

_READ_OPERATIONS = ("check", "order")
_WRITES = (
    *(Capability.CREATE, Capability.CONTENT, Capability.PRICE_STOCK, Capability.BLOCK),
    *(Capability.DELETE, Capability.LOTS, Capability.ACCEPT, Capability.CANCEL),
    *(Capability.INVOICE, Capability.TRACKING, Capability.DELIVERED),
)


def cases_of(subject: Subject) -> tuple[list[Case], Setup]:
    """The recorded exchanges, and what they are replayed with.

    Raises:
        Trouble: files are missing or cannot be read.
    """
    try:
        cases = subject.cases()
    except (OSError, ValueError) as error:
        raise Trouble(f"a recorded exchange cannot be read: {error}") from error
    if not cases:
        raise Trouble(
            "there are no recorded exchanges: fixtures/<operation>/<case>/ with input.json,"
            " exchange.json and output.json"
        )
    try:
        return cases, subject.setup()
    except (OSError, ValueError, TypeError) as error:
        raise Trouble(
            'fixtures/settings.json cannot be read: write {"settings": {...}} with settings of a'
            f' connection, and "app": {{...}} where the application has some ({error})'
        ) from error


async def recorded(subject: Subject) -> Iterable[str]:
    """Replay them all."""
    cases, setup = cases_of(subject)
    problems = []
    for case in cases:
        problems += [f"{case}: {words}" for words in await _replayed(subject, case, setup)]
    return problems


async def _replayed(subject: Subject, case: Case, setup: Setup) -> list[str]:
    if not hasattr(Adapter, case.operation):
        return [f"there is no operation {case.operation}: name the folder after the method"]
    try:
        told, _ = await replayed(subject.adapter, case, setup)
    except ReplayError as error:
        return [f"{error} - the adapter sends something else than was recorded"]
    except Exception as error:  # noqa: BLE001 - an adapter may fail in any way; that is the finding
        return [f"it raised {type(error).__name__}: {error}"]
    return differences(case.output, told)


async def sent_operations(subject: Subject) -> set[str]:
    """What the requests of the recorded exchanges are called."""
    cases, setup = cases_of(subject)
    names: set[str] = set()
    for case in cases:
        with suppress(Exception):  # what does not replay is told by its own rule
            _, sent = await replayed(subject.adapter, case, setup)
            names |= {request.operation for request in sent}
    return names


async def operations(subject: Subject) -> Iterable[str]:
    """One at least for every operation."""
    cases, _ = cases_of(subject)
    seen = {case.operation for case in cases}
    wanted = [*_READ_OPERATIONS, *(METHODS[each] for each in sorted(subject.adapter.capabilities))]
    return [
        f"{name} has no recorded exchange: add a folder fixtures/{name}/<case>/"
        for name in dict.fromkeys(wanted)
        if name not in seen
    ]


async def failing(subject: Subject) -> Iterable[str]:
    """What fails is recorded, too."""
    cases, _ = cases_of(subject)
    fails = {case.operation for case in cases if case.fails}
    return [
        f"no recorded case of {METHODS[each]} fails: add one whose output.json raises, or refuses"
        for each in _WRITES
        if each in subject.adapter.capabilities and METHODS[each] not in fails
    ]


RULES = (
    Look("recorded", recorded),
    Look("recorded-operations", operations),
    Look("failing-cases", failing),
)
