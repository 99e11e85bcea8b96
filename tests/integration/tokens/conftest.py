"""Fixtures: a marketplace with OAuth, and two hubs on one ledger."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestServer

from connector.drivers.vault import generate_key
from tests.integration.tokens.oauth_market import Market, a_hub, connect


@pytest.fixture
def market():
    return Market()


@pytest.fixture
async def server(market):
    async with TestServer(market.app()) as running:
        yield running


@pytest.fixture
def key():
    return generate_key()


@pytest.fixture
def another(tmp_path, server, key):
    """Makes one more hub on the same ledger."""
    return lambda **options: a_hub(tmp_path, server, key, **options)


@pytest.fixture
async def one(another):
    async with another() as side:
        yield side


@pytest.fixture
async def two(another, one):
    async with another() as side:
        yield side


@pytest.fixture
async def connection(one, server):
    return await connect(one.hub, server)
