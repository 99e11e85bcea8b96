"""Rules about what is told to merchants: mapping, mandatory data, known errors, DOCS.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from connector.domain.offer import Dimensions, Offer
from connector.sdk.adapter import Adapter
from connector.sdk.describe import SOURCES, FieldRule, Need, source_of
from connector.sdk.kit.bench import Bench
from connector.sdk.kit.docs import DOCS_FILE, document
from connector.sdk.kit.rule import Look, Try
from connector.sdk.kit.rules.recorded import cases_of
from connector.sdk.kit.subject import Subject
from connector.sdk.values import Capability

_LISTS = (Capability.CREATE, Capability.CONTENT)
_KEPT = frozenset({"content.sku", "terms.sku", "terms.currency", "terms.stock", "terms.market_id"})
"""Without these an offer is none, or zero means something."""
_EXPECTED = {
    Capability.CREATE: ("content.title", "terms.price_minor", "terms.stock"),
    Capability.PRICE_STOCK: ("terms.price_minor", "terms.stock"),
    Capability.INVOICE: ("invoice.number",),
    Capability.TRACKING: ("tracking.number",),
}


async def documented(bench: Bench) -> Iterable[str]:
    """Rows that can be read, for every field that matters, and known errors."""
    adapter = bench.subject.adapter
    rows = {rule.field: rule for rule in adapter.fields}
    wanted = [
        field
        for capability, fields in _EXPECTED.items()
        if capability in adapter.capabilities
        for field in fields
    ]
    problems = [
        f"fields has no FieldRule for {field}: which field of the marketplace does it become?"
        for field in dict.fromkeys(wanted)
        if field not in rows
    ]
    problems += [words for rule in adapter.fields for words in _of_row(adapter, rule)]
    if bench.has(Capability.CREATE):
        problems += [
            f"validate() refuses an offer without {field}, but fields has no mandatory row for it"
            for field in _insisted(bench)
            if field not in rows or rows[field].need not in {Need.MANDATORY, Need.BY_CATEGORY}
        ]
    if not adapter.errors:
        problems.append("errors is empty: which errors does the marketplace give most often?")
    problems += [
        f"the known error {known.error!r} must say what it means and what the merchant does"
        for known in adapter.errors
        if not (known.error.strip() and known.means.strip() and known.do.strip())
    ]
    return problems


def _of_row(adapter: type[Adapter[Any]], rule: FieldRule) -> Iterator[str]:
    group, _, name = rule.field.partition(".")
    if group == "settings":
        if name not in adapter.settings_model.model_fields:
            yield f"fields tells of {rule.field}, but there is no such setting"
    elif rule.field not in SOURCES:
        yield f"fields tells of {rule.field}, which the hub has not: see connector.sdk.describe"
    source = source_of(rule)
    if not all((rule.market.strip(), rule.transformation.strip(), source.vtex, source.how)):
        yield f"the row of {rule.field} has empty columns"


async def mandatory(bench: Bench) -> Iterable[str]:
    """What the table calls mandatory is what validate() insists on."""
    insisted = set(_insisted(bench))
    rows = {rule.field: rule.need for rule in bench.adapter.fields}
    tried = set(_blanks(bench.offer("kit-1")))
    return [
        *(
            f"fields calls {field} mandatory, but validate() takes an offer without it"
            for field, need in rows.items()
            if need is Need.MANDATORY and field in tried - insisted
        ),
        *(
            f"fields calls {field} {need}, but validate() refuses every offer without it"
            for field, need in rows.items()
            if need in {Need.OPTIONAL, Need.RECOMMENDED} and field in insisted
        ),
    ]


def _insisted(bench: Bench) -> list[str]:
    """The fields without which validate() refuses the offer."""
    blanks = _blanks(bench.offer("kit-1"))
    return [field for field, offer in blanks.items() if bench.adapter.validate(offer)]


def _blanks(offer: Offer) -> dict[str, Offer]:
    """The offer without each of its fields in turn."""
    made = {}
    for group in ("content", "terms"):
        part = getattr(offer, group)
        for name, value in part:
            field = f"{group}.{name}"
            if field in SOURCES and field not in _KEPT and value:
                less = part.model_copy(update={name: _nothing(value)})
                made[field] = offer.model_copy(update={group: less})
    return made


def _nothing(value: Any) -> Any:
    return Dimensions() if isinstance(value, Dimensions) else type(value)()


async def explained(subject: Subject) -> Iterable[str]:
    """Every refusal on record is in the table."""
    cases, _ = cases_of(subject)
    patterns = [known.error.casefold() for known in subject.adapter.errors]
    reasons = {reason: case for case in cases for reason in _reasons(case.output)}
    return [
        f"{case} is refused with {reason!r}, which no KnownError matches"
        for reason, case in reasons.items()
        if not any(_fits(reason.casefold(), pattern) for pattern in patterns)
    ]


def _fits(reason: str, pattern: str) -> bool:
    escaped = re.sub(r"[\[\]?]", "?", pattern)
    return fnmatchcase(reason, f"*{escaped}*")


def _reasons(told: Any) -> Iterator[str]:
    if isinstance(told, dict):
        yield from (str(reason) for reason in told.get("reasons") or ())
        for value in told.values():
            yield from _reasons(value)


async def current(subject: Subject) -> Iterable[str]:
    """The generated file is what would be generated now."""
    path = subject.folder / DOCS_FILE
    there = path.read_text(encoding="utf-8") if path.exists() else ""
    if there == document(subject.adapter):
        return []
    return [f"{DOCS_FILE} is not up to date: run connector adapter docs {subject.name} --write"]


RULES = (
    Try("documented", documented),
    Try("mandatory-enforced", mandatory, needs=(Capability.CREATE,)),
    Look("errors-explained", explained),
    Look("docs-current", current),
)
