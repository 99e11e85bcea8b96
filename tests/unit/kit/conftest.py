"""An adapter with a fault put in, as the kit sees it."""

from types import SimpleNamespace

import pytest

from adapters import demo
from connector.sdk.kit import Subject, check_rule, find_subject
from connector.sdk.kit.ladder import Quality, ladder

STEPS = {step.rule: step for step in ladder()}


@pytest.fixture
def measure():
    """Measure the demo adapter, or a faulty one, with one rule."""

    async def one(rule, *, adapter=demo.DemoAdapter, simulator=demo.DemoMarketSimulator, **more):
        told = {"name": "demo", "folder": find_subject("demo").folder, **more}
        quality = told.pop("quality", Quality())
        subject = Subject(module=SimpleNamespace(SIMULATOR=simulator), adapter=adapter, **told)
        return await check_rule(subject, STEPS[rule], quality)

    return one
