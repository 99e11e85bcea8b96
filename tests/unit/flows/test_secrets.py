"""Secrets in URLs: unguessable, each for one door, replaced without anybody locked out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.domain.connection import Connection, Purpose
from connector.domain.order import Order, OrderState
from connector.domain.pending import Context, Mark
from connector.drivers.memory_store import MemoryStore
from connector.drivers.vault import AesVault, generate_key
from connector.flows import connections
from connector.flows.documents import Saved, put_order
from connector.flows.secrets import (
    bound_to,
    carried_generations,
    digest,
    make_secret,
    opens,
    prune,
    reveal,
    rotated,
    services_endpoint,
)
from connector.flows.upkeep_jobs import Job
from tests.unit.domain.build import DAY, HOUR, NOW
from tests.unit.flows.stage import Stage, staged, virtual
from tests.unit.vtexsim.support import FakeClock

WEEK = timedelta(days=7)


@pytest.fixture
def vault() -> AesVault:
    return AesVault([generate_key()])


@pytest.fixture
def connection(vault: AesVault) -> Connection:
    return Connection(
        id="acme-mkt-1",
        account="acme",
        affiliate_id="MKT",
        sales_channel=2,
        adapter="demo",
        sealed_app_key="",
        sealed_app_token="",
        sealed_adapter_settings="",
        secrets=tuple(make_secret(vault, "acme-mkt-1", purpose, 1) for purpose in Purpose),
        created_at=NOW,
    )


def _plain(vault: AesVault, connection: Connection, purpose: Purpose, generation: int) -> str:
    (found,) = [s for s in connection.secrets if (s.purpose, s.generation) == (purpose, generation)]
    return vault.open(found.sealed, bound_to=bound_to(connection.id, purpose, generation))


# --- doors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", Purpose)
@pytest.mark.parametrize("key", Purpose)
def test_a_secret_opens_its_own_door_and_no_other(
    vault: AesVault, connection: Connection, key: Purpose, door: Purpose
):
    secret = reveal(vault, connection, key)
    assert opens(connection, door, secret, NOW) == (key is door)


@pytest.mark.parametrize("secret", ["", "x", "\ud800", "é" * 40, "0" * 43])
def test_a_wrong_secret_opens_nothing(connection: Connection, secret: str):
    assert not opens(connection, Purpose.NOTIFY, secret, NOW)


def test_the_digest_itself_is_no_secret(vault: AesVault, connection: Connection):
    stored = connection.current(Purpose.NOTIFY).digest
    assert stored == digest(reveal(vault, connection, Purpose.NOTIFY))
    assert not opens(connection, Purpose.NOTIFY, stored, NOW)


def test_where_there_is_no_connection_nothing_opens():
    assert not opens(None, Purpose.NOTIFY, "anything", NOW)


def test_secrets_are_long_and_never_the_same(vault: AesVault):
    plain = {
        vault.open(
            make_secret(vault, "c", Purpose.NOTIFY, n).sealed, bound_to=bound_to("c", "notify", n)
        )
        for n in range(50)
    }
    assert len(plain) == 50
    assert min(map(len, plain)) >= 43


@pytest.mark.parametrize(
    "place",
    [
        bound_to("other", Purpose.NOTIFY, 1),
        bound_to("acme-mkt-1", Purpose.SERVICES, 1),
        bound_to("acme-mkt-1", Purpose.NOTIFY, 2),
    ],
)
def test_a_sealed_secret_does_not_open_elsewhere(
    vault: AesVault, connection: Connection, place: str
):
    with pytest.raises(ValueError):  # noqa: PT011 - what it says is the vault's own affair
        vault.open(connection.current(Purpose.NOTIFY).sealed, bound_to=place)


def test_the_services_endpoint_is_a_path_and_nothing_more(vault: AesVault, connection: Connection):
    url = services_endpoint(vault, "https://hub.example", connection)
    secret = reveal(vault, connection, Purpose.SERVICES)
    assert url == f"https://hub.example/vtex/v1/acme-mkt-1/{secret}"


# --- rotation -------------------------------------------------------------------------------------


def test_after_rotation_old_and_new_open_until_the_old_retires(
    vault: AesVault, connection: Connection
):
    old = reveal(vault, connection, Purpose.NOTIFY)
    after = rotated(vault, connection, Purpose.NOTIFY, NOW, overlap=WEEK)
    new = reveal(vault, after, Purpose.NOTIFY)
    assert new != old
    assert opens(after, Purpose.NOTIFY, old, NOW + WEEK - HOUR)
    assert not opens(after, Purpose.NOTIFY, old, NOW + WEEK)
    assert opens(after, Purpose.NOTIFY, new, NOW + 100 * WEEK)


def test_rotating_one_purpose_leaves_the_others_alone(vault: AesVault, connection: Connection):
    after = rotated(vault, connection, Purpose.NOTIFY, NOW, overlap=timedelta(0))
    for purpose in set(Purpose) - {Purpose.NOTIFY}:
        assert after.current(purpose) == connection.current(purpose)
        assert opens(after, purpose, reveal(vault, connection, purpose), NOW + WEEK)


def test_rotating_twice_does_not_prolong_the_first(vault: AesVault, connection: Connection):
    first = rotated(vault, connection, Purpose.NOTIFY, NOW, overlap=WEEK)
    second = rotated(vault, first, Purpose.NOTIFY, NOW + DAY, overlap=WEEK)
    old = reveal(vault, connection, Purpose.NOTIFY)
    assert not opens(second, Purpose.NOTIFY, old, NOW + WEEK)
    assert second.current(Purpose.NOTIFY).generation == 3


# --- retiring -------------------------------------------------------------------------------------


async def _store(*orders: tuple[str, OrderState, int]) -> MemoryStore:
    store = MemoryStore(FakeClock())
    for ref, state, generation in orders:
        of = Order(connection="acme-mkt-1", ref=ref, key=ref, state=state,
                   services_generation=generation, first_seen_at=NOW)  # fmt: skip
        await store.commit([put_order(Saved(of), of)])
    return store


async def test_only_open_orders_carry_a_secret(connection: Connection):
    store = await _store(
        ("A", OrderState.PLACED, 1), ("B", OrderState.DELIVERED, 2), ("C", OrderState.CANCELLED, 3)
    )
    assert await carried_generations(store, connection) == {1}


async def test_a_retired_secret_is_dropped(vault: AesVault, connection: Connection):
    after = rotated(vault, connection, Purpose.NOTIFY, NOW, overlap=WEEK)
    kept = await prune(await _store(), after, NOW + WEEK)
    assert [s.generation for s in kept.secrets if s.purpose is Purpose.NOTIFY] == [2]
    assert await prune(await _store(), after, NOW + DAY) == after


async def test_a_services_secret_lives_on_while_an_open_order_carries_it(
    vault: AesVault, connection: Connection
):
    """Looked after about once a day, it opens at every moment in between."""
    store = await _store(("A", OrderState.PLACED, 1))
    old = reveal(vault, connection, Purpose.SERVICES)
    known = rotated(vault, connection, Purpose.SERVICES, NOW, overlap=WEEK)
    now, end = NOW, NOW + 5 * WEEK
    while now < end:
        known = await prune(store, known, now)
        for hours in range(29):  # housekeeping comes up to a fifth late
            assert opens(known, Purpose.SERVICES, old, now + hours * HOUR)
        now += 29 * HOUR


async def test_and_no_longer(vault: AesVault, connection: Connection):
    store = await _store(("A", OrderState.DELIVERED, 1))
    old = reveal(vault, connection, Purpose.SERVICES)
    known = rotated(vault, connection, Purpose.SERVICES, NOW, overlap=WEEK)
    known = await prune(store, known, NOW + WEEK)
    assert not opens(known, Purpose.SERVICES, old, NOW + WEEK)


async def test_other_secrets_are_carried_by_nobody(vault: AesVault, connection: Connection):
    store = await _store(("A", OrderState.PLACED, 1))
    known = rotated(vault, connection, Purpose.NOTIFY, NOW, overlap=timedelta(hours=1))
    known = await prune(store, known, NOW + DAY)
    assert [s.generation for s in known.secrets if s.purpose is Purpose.NOTIFY] == [2]


async def _rotated_stage(stage: Stage, overlap: timedelta) -> tuple[str, str]:
    ref = stage.sell(2)
    await stage.settle(240)
    old = reveal(stage.vault, stage.joined, Purpose.SERVICES)
    await connections.rotate(stage.up, stage.joined.id, [Purpose.SERVICES], overlap=overlap)
    return ref, old


_QUIET = {
    "poll_s": 6 * 3_600,
    "watch_s": 6 * 3_600,
    "relist_s": 30 * 86_400,
    "recheck_s": 30 * 86_400,
    "best_seller_recheck_s": 30 * 86_400,
}


@pytest.mark.parametrize("overlap", [3 * DAY, HOUR], ids=["days", "hour"])
@virtual
async def test_vtex_reaches_the_hub_about_orders_placed_before_the_rotation(overlap: timedelta):
    async with staged(rules=_QUIET) as stage:
        ref, old = await _rotated_stage(stage, overlap)
        for _ in range(6):
            assert opens(await stage.fresh(), Purpose.SERVICES, old, stage.clock.now())
            await stage.settle(18 * 3_600)
        stage.vtex.invoice_order(f"DMM-{ref}")
        await stage.settle(120)
        assert len(stage.market.carts[ref].invoices) == 1


@virtual
async def test_new_orders_carry_the_new_secret():
    async with staged() as stage:
        _, old = await _rotated_stage(stage, WEEK)
        await stage.settle(5)
        second = stage.sell(1)
        await stage.settle(60)
        assert (await stage.order(second)).services_generation == 2
        assert old not in stage.in_vtex(second).endpoint


@virtual
async def test_housekeeping_forgets_what_has_retired():
    async with staged(load=False) as stage:
        await connections.rotate(
            stage.up, stage.joined.id, list(Purpose), overlap=timedelta(hours=1)
        )
        assert len((await stage.fresh()).secrets) == 2 * len(Purpose)
        await stage.settle(2 * 3_600)
        now = stage.clock.now()
        await stage.store.commit([Mark(stage.joined.id, Context.UPKEEP, Job.HOUSEKEEPING, now)])
        await stage.settle(10)
        assert [s.generation for s in (await stage.fresh()).secrets] == [2] * len(Purpose)
