"""The adapter alone: recorded exchanges, rules, signatures, and what it declares."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.demo import ADAPTER, SIMULATOR, DemoAdapter, DemoMarketSimulator, cart, wire
from adapters.demo.adapter import DemoAppSettings
from connector.sdk import (
    AdapterSettings,
    AppCall,
    BadWebhook,
    Capability,
    MarketStatus,
    Rejected,
    Request,
    from_major,
)
from connector.sdk.testing.replay import ReplayHttp

SETTINGS = {
    "base_url": "https://api.demo-market.example",
    "seller_id": "seller-1",
    "api_key": "demo-key",
    "webhook_secret": "demo-webhook-secret",
}
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
APP = DemoAppSettings.model_validate({"webhook_secret": "demo-app-secret"})


def test_demo_market_has_keys_and_no_consent():
    assert set(Capability) - DemoAdapter.capabilities == {Capability.TOKENS}


def test_package_offers_adapter_and_simulator():
    assert ADAPTER is DemoAdapter
    assert SIMULATOR is DemoMarketSimulator


def test_secrets_do_not_show():
    shown = repr(DemoAdapter.settings_model.model_validate(SETTINGS)) + repr(APP)
    assert "demo-key" not in shown
    assert "secret" not in shown.replace("webhook_secret", "")


# --- rules --------------------------------------------------------------------------------------


def rules(make, **changes):
    adapter = DemoAdapter(make.settings(), ReplayHttp([]), None)
    return adapter.validate(make.offer("1", **changes))


def test_good_offer_breaks_no_rule(make):
    assert rules(make) == []
    assert rules(make, eans=()) == []
    assert rules(make, title="x" * 120) == []


def test_all_broken_rules_are_told_at_once(make):
    broken = rules(make, title="", images=(), price=0, eans=("7891234567890",), market_category="")
    assert len(broken) == 5
    assert any("7891234567890" in words for words in broken)


def test_long_title_is_told_with_its_length(make):
    assert rules(make, title="x" * 121) == ["the title has 121 characters, at most 120 are allowed"]


@given(st.text("0123456789", min_size=7, max_size=13))
def test_a_gtin_has_exactly_one_check_digit(body):
    valid = [digit for digit in "0123456789" if wire.ean_is_valid(body + digit)]
    assert len(valid) == (1 if len(body) in (7, 11, 12, 13) else 0)


@pytest.mark.parametrize("ean", ["96385074", "036000291452", "4006381333931", "10012345000017"])
def test_known_gtins_are_valid(ean):
    assert wire.ean_is_valid(ean)


def test_description_loses_its_tags():
    assert wire.plain_text("<p>a&nbsp;&lt;b</p><br/><b>c</b>") == "a <b c"


# --- money, status, cursor ----------------------------------------------------------------------


@given(st.integers(0, 10**12), st.sampled_from(["BRL", "CLP", "USD"]))
def test_money_survives_the_wire_exactly(minor, currency):
    text = wire.major(minor, currency)
    assert from_major(text, currency).minor == minor
    assert "E" not in text


@pytest.mark.parametrize("bad", ["1.234,56", "1,234.56", "NaN", "Infinity", "a lot", True, [], {}])
def test_doubtful_money_is_refused(bad):
    with pytest.raises(Rejected, match="total cannot be read"):
        cart.read_cart(
            {
                "cart_id": "C",
                "orders": [
                    {
                        "order_id": "O",
                        "created_at": "2026-01-01T00:00:00Z",
                        "currency": "BRL",
                        "lines": [],
                        "total": bad,
                    }
                ],
            }
        )


def test_a_cart_without_orders_is_refused():
    with pytest.raises(Rejected, match="no orders"):
        cart.read_cart({"cart_id": "C", "orders": []})


def test_money_may_have_a_decimal_comma():
    assert wire._told_amount("199,90") == Decimal("199.90")


@pytest.mark.parametrize(
    ("statuses", "together"),
    [
        (["paid", "paid"], MarketStatus.PAID),
        (["paid", "waiting_payment"], MarketStatus.PENDING),
        (["delivered", "shipped"], MarketStatus.SHIPPED),
        (["cancelled", "delivered"], MarketStatus.DELIVERED),
        (["cancelled", "cancelled"], MarketStatus.CANCELLED),
        (["delivered", "who knows"], MarketStatus.PENDING),
        ([], MarketStatus.CANCELLED),
    ],
)
def test_a_cart_is_as_far_as_its_slowest_living_order(statuses, together):
    found = [cart.STATUSES.get(status, MarketStatus.PENDING) for status in statuses]
    assert cart.cart_status(found) is together


@given(st.text(max_size=40))
def test_any_cursor_can_be_read(text):
    assert isinstance(wire.Cursor.parse(text).query(), dict)


def test_an_unreadable_time_does_not_stop_polling():
    place = wire.Cursor.parse("").advance(["2026-01-01T00:00:00Z", "soon", None, ""], page="")
    assert json.loads(str(place)) == {
        "newest": "2026-01-01T00:00:00Z",
        "since": "2026-01-01T00:00:00Z",
    }


def test_a_page_that_repeats_ends_the_poll():
    place = wire.Cursor(page="7").advance([], page="7")
    assert place.page == ""


# --- webhooks -----------------------------------------------------------------------------------


def webhook(
    *, secret="demo-app-secret", at=NOW, body=None, seller="seller-1", carts=("C-1",), **headers
):
    if body is None:
        events = [{"seller_id": seller, "cart_id": key} for key in carts]
        body = json.dumps({"events": events}).encode()
    timestamp = str(int(at.timestamp()))
    signed = {
        "X-Demo-Timestamp": timestamp,
        "X-Demo-Signature": wire.sign(secret, timestamp, body),
        **headers,
    }
    return Request("POST", "/hook", headers=signed, body=body)


def test_app_webhook_tells_whose_orders_changed():
    request = webhook(seller="seller-7", carts=("C-1", "C-2", "C-1"))
    calls = DemoAdapter.app_webhook(APP, request, NOW)
    assert calls == [AppCall("seller-7", "C-1"), AppCall("seller-7", "C-2")]


def test_tenant_is_the_seller(make):
    assert DemoAdapter.tenant(make.settings(seller_id="seller-7")) == "seller-7"


def test_app_webhook_is_not_signed_with_a_connections_secret():
    with pytest.raises(BadWebhook):
        DemoAdapter.app_webhook(APP, webhook(secret="demo-webhook-secret"), NOW)


@pytest.mark.parametrize("settings", [None, AdapterSettings()])
def test_app_webhook_needs_its_secret(settings):
    with pytest.raises(BadWebhook, match="no application webhook secret"):
        DemoAdapter.app_webhook(settings, webhook(), NOW)


def test_app_webhook_without_a_seller_is_nobodys():
    assert DemoAdapter.app_webhook(APP, webhook(seller=""), NOW) == []


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"X-Demo-Signature": ""}, 0),
        ({"X-Demo-Signature": "sha256=ünsigned"}, 0),
        ({"X-Demo-Timestamp": ""}, 0),
        ({"X-Demo-Timestamp": "1767268801"}, 0),
        ({"X-Demo-Timestamp": "soon"}, 0),
        ({"body": b"not json"}, 0),
        ({"body": b"[]"}, 0),
        ({"body": b'{"events":{}}'}, 0),
        ({"body": b'{"events":["C-1"]}'}, 0),
        ({}, 301),
        ({}, -301),
    ],
)
def test_bad_webhooks_are_refused(changes, seconds):
    at = datetime.fromtimestamp(NOW.timestamp() + seconds, UTC)
    with pytest.raises(BadWebhook):
        DemoAdapter.app_webhook(APP, webhook(at=at, **changes), NOW)


@pytest.mark.parametrize("seconds", [300, -300])
def test_a_webhook_may_be_five_minutes_off(seconds):
    at = datetime.fromtimestamp(NOW.timestamp() + seconds, UTC)
    assert DemoAdapter.app_webhook(APP, webhook(at=at), NOW)


def test_events_about_no_cart_are_passed_over():
    body = json.dumps({"events": [{"type": "ping", "seller_id": "seller-1"}]}).encode()
    assert DemoAdapter.app_webhook(APP, webhook(body=body), NOW) == []
