"""Run the rules and say what came of each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from connector.sdk.kit.bench import in_words, missing_trick, open_bench
from connector.sdk.kit.ladder import BadQualityFile, Level, Quality, Step, ladder
from connector.sdk.kit.report import Report, Row, Verdict
from connector.sdk.kit.rule import Look, Rule, Trouble, meaningless
from connector.sdk.kit.rules import (
    calls,
    declared,
    described,
    listings,
    lots,
    orders,
    reading,
    recorded,
    repeats,
    tokens,
    webhooks,
)
from connector.sdk.kit.subject import NotFound, Subject, find_subject, load_subject
from connector.sdk.testing.tricks import offers

ENOUGH_S = 60.0
"""Real seconds one rule may take."""

_MODULES = (
    declared,
    recorded,
    described,
    calls,
    listings,
    lots,
    repeats,
    orders,
    reading,
    webhooks,
    tokens,
)
RULES: Mapping[str, Rule] = {rule.name: rule for module in _MODULES for rule in module.RULES}


async def check_adapter(name: str, rules: Sequence[str] = (), *, installed: bool = True) -> Report:
    """Measure an adapter with all rules, or with those that are named.

    One that is not ``installed`` is the package of that name, wherever Python finds it.
    """
    try:
        subject = find_subject(name) if installed else load_subject(name, name)
        quality = subject.quality()
    except (NotFound, BadQualityFile) as error:
        return Report(name, Level.BRONZE, broken=(str(error),))
    steps = [step for step in ladder() if not rules or step.rule in rules]
    rows = [await check_rule(subject, step, quality) for step in steps]
    return Report(name, quality.level, tuple(rows))


async def check_rule(subject: Subject, step: Step, quality: Quality) -> Row:
    """Measure an adapter with one rule."""
    rule = RULES[step.rule]
    why_not = meaningless(rule, subject.adapter.capabilities)
    exemption = quality.exemptions.get(step.rule)
    if why_not:
        return Row(step, Verdict.SKIPPED, (why_not,))
    problems = await _problems(subject, rule)
    if exemption is None:
        return Row(step, Verdict.FAILED if problems else Verdict.PASSED, problems)
    if problems:
        return Row(step, Verdict.EXEMPT, (exemption,))
    stale = "quality.toml exempts this rule, but the adapter keeps it: remove the exemption"
    return Row(step, Verdict.FAILED, (stale,))


async def _problems(subject: Subject, rule: Rule) -> tuple[str, ...]:
    try:
        async with asyncio.timeout(ENOUGH_S):
            with in_words("the adapter"):
                if isinstance(rule, Look):
                    return tuple(await rule.check(subject))
                async with open_bench(subject) as bench:
                    lacking = [each for each in rule.tricks if not offers(bench.simulator, each)]
                    if lacking:
                        return tuple(missing_trick(each) for each in lacking)
                    return tuple(await rule.check(bench))
    except Trouble as trouble:
        return (str(trouble),)
    except TimeoutError:
        return (f"this did not come to an end within {ENOUGH_S:g} seconds",)
