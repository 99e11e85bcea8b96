"""What an operator may write about a connection, and what is refused with a word."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connector.domain.connection import (
    Connection,
    ConnectionSpec,
    ConnectionState,
    Purpose,
    Rules,
    UrlSecret,
)
from tests.unit.domain.build import NOW

GOOD: dict[str, Any] = {
    "account": "acme-store",
    "affiliate_id": "MKT",
    "sales_channel": 2,
    "app_key": "vtexappkey-acme",
    "app_token": "s3cr3t-token",
    "adapter": "demo",
}


def _connection(**changes: Any) -> Connection:
    fields: dict[str, Any] = {
        "id": "acme-mkt-1",
        "account": "acme",
        "affiliate_id": "MKT",
        "sales_channel": 2,
        "adapter": "demo",
        "sealed_app_key": "",
        "sealed_app_token": "",
        "sealed_adapter_settings": "",
        "created_at": NOW,
    }
    return Connection(**(fields | changes))


def test_a_good_spec_is_taken_with_sensible_defaults():
    spec = ConnectionSpec.model_validate(GOOD)
    assert (spec.order_api, spec.connector_name, spec.vtex_base_url) == (
        "integration",
        "connector",
        None,
    )
    assert spec.rules == Rules()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account", "Acme"),
        ("account", "acme.store"),
        ("account", ""),
        ("account", "a" * 64),
        ("account", "acme/../x"),
        ("affiliate_id", "MK"),
        ("affiliate_id", "MKTX"),
        ("affiliate_id", "mkt"),
        ("affiliate_id", "AKT"),
        ("affiliate_id", "MET"),
        ("affiliate_id", "M1T"),
        ("sales_channel", 0),
        ("sales_channel", -1),
        ("app_key", ""),
        ("app_token", ""),
        ("adapter", ""),
        ("order_api", "soap"),
        ("connector_name", "has space"),
        ("connector_name", "x" * 65),
        ("connector_name", ""),
        ("vtex_base_url", "ftp://vtex.test"),
        ("vtex_base_url", "https://user:pw@vtex.test"),
        ("vtex_base_url", "https://vtex.test?x=1"),
        ("vtex_base_url", "https://vtex.test#x"),
        ("vtex_base_url", "vtex.test"),
        ("rules", {"stock_buffer": -1}),
        ("unknown_field", 1),
    ],
)
def test_a_bad_spec_is_refused_naming_the_field(field: str, value: Any):
    with pytest.raises(ValidationError) as error:
        ConnectionSpec.model_validate(GOOD | {field: value})
    assert error.value.errors()[0]["loc"][0] == field


@pytest.mark.parametrize("field", sorted(GOOD))
def test_nothing_required_can_be_left_out(field: str):
    with pytest.raises(ValidationError, match=field):
        ConnectionSpec.model_validate({name: GOOD[name] for name in GOOD if name != field})


def test_secrets_do_not_show_when_a_spec_is_printed():
    spec = ConnectionSpec.model_validate(GOOD | {"adapter_settings": {"api_key": "hush"}})
    assert "s3cr3t-token" not in repr(spec)
    assert "hush" not in repr(spec)


def test_a_base_url_loses_its_final_slash():
    spec = ConnectionSpec.model_validate(GOOD | {"vtex_base_url": "http://localhost:8080/"})
    assert spec.vtex_base_url == "http://localhost:8080"


@pytest.mark.parametrize(
    "rules",
    [
        {"stock_buffer": -1},
        {"max_stock": -1},
        {"price_floor": -1},
        {"price_ceiling": 0},
        {"price_floor": 500, "price_ceiling": 499},
        {"max_price_change_pct": 0},
        {"gather_s": 16},
        {"gather_s": -1},
        {"recheck_s": 0},
        {"reads_per_s": 0},
        {"personal_data_days": -1},
        {"sla": "slowest"},
        {"sock_buffer": 1},
    ],
)
def test_rules_that_cannot_work_are_refused(rules: dict[str, Any]):
    with pytest.raises(ValidationError):
        Rules.model_validate(rules)


def test_floor_and_ceiling_may_meet():
    assert Rules(price_floor=500, price_ceiling=500).price_ceiling == 500


def test_the_gathering_of_a_reindex_never_takes_longer_than_15_seconds():
    assert Rules().gather_s <= 15


def test_vtex_url_is_the_accounts_unless_it_is_told():
    assert _connection().vtex_url == "https://acme.vtexcommercestable.com.br"
    assert _connection(vtex_base_url="http://sim:1").vtex_url == "http://sim:1"


def test_the_current_secret_is_the_newest_of_its_purpose():
    secrets = tuple(
        UrlSecret(purpose=purpose, generation=generation, digest="d", sealed="s")
        for purpose, generation in [
            (Purpose.NOTIFY, 1),
            (Purpose.SERVICES, 3),
            (Purpose.NOTIFY, 2),
        ]
    )
    known = _connection(secrets=secrets)
    assert known.current(Purpose.NOTIFY).generation == 2
    assert known.current(Purpose.SERVICES).generation == 3


@pytest.mark.parametrize("state", ConnectionState)
def test_only_a_removed_connection_takes_no_work(state: ConnectionState):
    assert _connection(state=state).takes_work == (state is not ConnectionState.REMOVED)


def test_a_connection_saved_by_another_version_is_still_read():
    text = _connection().model_dump_json()[:-1] + ',"field_of_tomorrow": 1}'
    assert Connection.model_validate_json(text) == _connection()
