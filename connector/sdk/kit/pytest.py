"""The kit in pytest, in one line: ``test_conformance = conformance("acme")``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from connector.sdk.kit.ladder import Step, ladder
from connector.sdk.kit.report import Verdict
from connector.sdk.kit.runner import check_rule
from connector.sdk.kit.subject import Subject, find_subject


def conformance(adapter: str | Subject) -> Callable[..., Any]:
    """A test for every rule of the level that the adapter declares, and of those below it."""
    subject = adapter if isinstance(adapter, Subject) else find_subject(adapter)
    quality = subject.quality()
    steps = [step for step in ladder() if step.level <= quality.level]

    @pytest.mark.parametrize("step", steps, ids=lambda step: f"{step.level}-{step.rule}")
    def test_conformance(step: Step) -> None:
        # A loop of its own: authors need no plugin for asynchronous tests.
        row = asyncio.run(check_rule(subject, step, quality))
        if row.verdict is Verdict.FAILED:
            pytest.fail(
                "\n".join([step.asks, *(f"* {words}" for words in row.says)]), pytrace=False
            )
        if row.verdict is not Verdict.PASSED:
            pytest.skip(f"{row.verdict}: {'; '.join(row.says)}")

    return test_conformance
