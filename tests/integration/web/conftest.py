"""Fixtures: a hub with two connections, and its public site."""

from __future__ import annotations

import pytest

from tests.integration.web.support import served, world


@pytest.fixture
async def it(tmp_path):
    async with world(tmp_path) as made:
        yield made


@pytest.fixture
async def public(it):
    async with served(it.hub) as client:
        yield client
