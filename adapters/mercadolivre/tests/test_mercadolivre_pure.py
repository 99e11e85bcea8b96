"""The adapter's decisions: titles, texts, money, statuses, cursors, events."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mercadolivre import ADAPTER, SIMULATOR, MercadoLivreAdapter, MercadoLivreSimulator
from adapters.mercadolivre.api import plain_text, reasons
from adapters.mercadolivre.events import app_calls
from adapters.mercadolivre.items import (
    FROM_CONTENT,
    attributes,
    best,
    broken_rules,
    cut,
    gtin_is_valid,
    number,
    sale_terms,
)
from adapters.mercadolivre.listings import read_item
from adapters.mercadolivre.orders import WireOrder, WirePack, WirePayment
from adapters.mercadolivre.papers import file_name, invoice_numbers, multipart
from adapters.mercadolivre.polling import Cursor
from adapters.mercadolivre.reading import Bundle, compose
from adapters.mercadolivre.settings import SITES, MercadoLivreApp, MercadoLivreSettings
from adapters.mercadolivre.shipping import WireShipment
from adapters.mercadolivre.telling import cancel_reason
from connector.sdk import (
    BadWebhook,
    Capability,
    Content,
    Delivery,
    Dimensions,
    MarketAttribute,
    MarketStatus,
    Rejected,
    Request,
    Response,
    from_major,
)
from connector.sdk.kit import sample

SETTINGS = MercadoLivreSettings(user_id="468424240")
APP = MercadoLivreApp(client_id="5503910054141466", client_secret="hush-hush")


def test_package_offers_adapter_and_simulator():
    assert ADAPTER is MercadoLivreAdapter
    assert SIMULATOR is MercadoLivreSimulator


def test_what_mercado_livre_has_not():
    missing = {Capability.LOTS, Capability.WEBHOOK, Capability.ACCEPT, Capability.BY_EAN}
    assert set(Capability) - MercadoLivreAdapter.capabilities == missing


def test_secrets_do_not_show():
    assert "hush-hush" not in repr(APP)


@pytest.mark.parametrize("wrong", [{"user_id": "x"}, {"site": "MXX"}, {"cancel_reason": "no!"}])
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MercadoLivreSettings.model_validate({"user_id": "1", **wrong})


# --- listings -----------------------------------------------------------------------------------


def test_all_broken_rules_are_told_at_once():
    offer = sample.offer("1", title=" ", images=(), eans=("789",), market_category="")
    free = offer.terms.model_copy(update={"price_minor": 0, "currency": "USD"})
    broken = broken_rules(offer.model_copy(update={"terms": free}), SETTINGS)
    assert len(broken) == 6
    assert "the price is in USD, the site sells in BRL" in broken
    assert broken_rules(sample.offer("1", market_category="MLB1"), SETTINGS) == []


@given(st.text(max_size=200), st.integers(10, 120))
def test_a_title_never_gets_longer_than_it_may(title, most):
    short = cut(title, most)
    assert len(short) <= most
    assert short == short.strip()
    assert " ".join(title.split()).startswith(short)


def test_a_title_is_cut_between_words():
    assert cut("Panela de Pressão  Inox", 18) == "Panela de Pressão"
    assert cut("Otorrinolaringologista", 10) == "Otorrinola"


@given(st.text("0123456789", min_size=7, max_size=13))
def test_a_gtin_has_exactly_one_check_digit(body):
    valid = [digit for digit in "0123456789" if gtin_is_valid(body + digit)]
    assert len(valid) == (1 if len(body) in (7, 11, 12, 13) else 0)


@given(st.text())
def test_descriptions_are_plain(text):
    plain = plain_text(text, 1000)
    assert len(plain) <= 1000
    assert not any(ord(each) > 0xFFFF for each in plain)


def test_a_description_keeps_its_lines():
    assert plain_text("<p>a&nbsp;&amp; b</p><ul><li>c 🎉</li></ul>d<br>e", 99) == "a & b\nc\nd\ne"


@given(st.integers(1, 10**10), st.sampled_from(sorted({s.currency for s in SITES.values()})))
def test_money_survives_the_wire_exactly(minor, currency):
    told = json.loads(json.dumps(number(minor, currency)))
    assert from_major(told, currency).minor == minor


def test_attributes_are_filled_from_content_and_mapping():
    content = Content(
        sku="11",
        product_id="1",
        title="x",
        brand="VTEX's",
        package=Dimensions(height_cm=9.1, weight_g=850),
        market_attributes=(
            MarketAttribute(id="BRAND", values=("Mapped",), value_ids=("9",)),
            MarketAttribute(id="SELLER_SKU", values=("another",)),
            MarketAttribute(id="EMPTY", values=()),
            MarketAttribute(id="MANY", values=("a", "b"), value_ids=("1", "")),
            MarketAttribute(id="LENGTH", values=("3",), unit="m"),
        ),
    )
    told = {each["id"]: each for each in attributes(content)}
    assert told["SELLER_SKU"]["value_name"] == "11"
    assert told["BRAND"] == {"id": "BRAND", "value_id": "9", "value_name": "Mapped"}
    assert told["SELLER_PACKAGE_HEIGHT"]["value_name"] == "10 cm"
    assert told["SELLER_PACKAGE_WEIGHT"]["value_name"] == "850 g"
    assert told["MANY"]["values"] == [{"id": "1", "name": "a"}, {"name": "b"}]
    assert told["LENGTH"]["value_name"] == "3 m"
    assert not {"EMPTY", "GTIN", "SELLER_PACKAGE_WIDTH"} & told.keys()
    assert told.keys() & FROM_CONTENT


def test_sale_terms_speak_the_sites_language():
    made = SETTINGS.model_copy(update={"manufacturing_days": 5})
    assert sale_terms(SETTINGS) == []
    assert sale_terms(made) == [{"id": "MANUFACTURING_TIME", "value_name": "5 dias"}]
    there = made.model_copy(update={"site": "MLA"})
    assert sale_terms(there)[0]["value_name"] == "5 días"


def test_the_same_listing_stands_for_a_sku_every_time():
    rows = [
        {"id": "MLB1", "status": "closed", "listing_type_id": "gold_special"},
        {"id": "MLB30", "status": "active", "listing_type_id": "gold_special"},
        {"id": "MLB4", "status": "paused", "listing_type_id": "gold_special"},
        {"id": "MLB5", "status": "active", "listing_type_id": "gold_pro"},
    ]
    listings = [read_item(row) for row in rows]
    assert best(listings, "gold_special").id == "MLB30"
    assert best(reversed(listings), "gold_special").id == "MLB30"
    assert best(listings, "gold_pro").id == "MLB5"
    assert best(listings[:1], "gold_special") is None


def test_every_reason_is_told_and_no_warning():
    body = {
        "message": "Validation error",
        "error": "validation_error",
        "status": 400,
        "cause": [
            {"type": "error", "code": "a", "message": "first"},
            {"type": "warning", "code": "b", "message": "never mind"},
            {"type": "error", "cause_id": 147, "message": "second"},
        ],
    }
    assert reasons(Response(400, {}, json.dumps(body).encode())) == ["a: first", "147: second"]
    assert reasons(Response(400, {}, b"<html>")) == ["Mercado Livre refused (HTTP 400)"]


# --- orders -------------------------------------------------------------------------------------


def order(**fields):
    return WireOrder.model_validate(
        {
            "id": 1,
            "status": "paid",
            "date_created": "2026-01-01T08:00:00.000-04:00",
            "currency_id": "BRL",
            "total_amount": 30,
            "order_items": [{"item": {"seller_sku": "11"}, "quantity": 3, "unit_price": 10}],
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ("confirmed", "pending"),
        ("payment_required", "pending"),
        ("payment_in_process", "pending"),
        ("partially_paid", "pending"),
        ("pending_cancel", "pending"),
        ("paid", "paid"),
        ("partially_refunded", "paid"),
        ("cancelled", "cancelled"),
        ("invalid", "cancelled"),
        ("PAID", "paid"),
        ("shipped", "pending"),  # no status of an order
        ("", "pending"),
    ],
)
def test_statuses(status, wanted):
    assert order(status=status).status_here == wanted


@given(st.text())
def test_a_status_nobody_documented_is_pending(word):
    known = {"paid", "partially_refunded", "cancelled", "invalid"}
    if word.strip().lower() not in known:
        assert order(status=word).status_here is MarketStatus.PENDING


def test_unfulfilled_is_cancelled_only_once_the_money_is_back():
    paid = {"status": "approved", "date_approved": "2026-01-01T00:00:00Z"}
    waits = order(tags=["unfulfilled"], payments=[paid])
    assert waits.status_here is MarketStatus.PAID
    assert "is not refunded" in waits.troubles()[0]
    back = order(tags=["unfulfilled"], payments=[{**paid, "status": "refunded"}])
    assert back.status_here is MarketStatus.CANCELLED
    assert back.troubles() == []


def test_instalments_cost_what_nothing_else_explains():
    payment = {
        "installments": 3,
        "transaction_amount": 100,
        "shipping_cost": 20,
        "coupon_amount": 5,
        "taxes_amount": 1,
        "total_paid_amount": 121.5,
    }
    assert WirePayment.model_validate(payment).fee == Decimal("5.5")
    assert WirePayment.model_validate(payment | {"installments": 1}).fee == 0
    assert WirePayment.model_validate(payment | {"total_paid_amount": 90}).fee == 0


def test_amounts_that_contradict_each_other_are_not_made_to_fit():
    paid = {"status": "approved", "transaction_amount": 30, "total_paid_amount": 35}
    market = compose(Bundle("1", (order(payments=[paid], tags=["no_shipping"]),)), SETTINGS)
    assert (market.total_minor, market.interest_minor) == (3500, 0)
    assert sum(each.unit_price_minor * each.quantity for each in market.lines) == 3000


def test_two_currencies_in_a_pack_are_refused():
    orders = (order(), order(id=2, currency_id="ARS"))
    with pytest.raises(Rejected, match="mixes currencies"):
        compose(Bundle("9", orders), SETTINGS)


def test_a_pack_in_trouble_asks_for_a_person():
    pack = WirePack.model_validate({"id": 9, "status": "pending_cancel", "orders": [{"id": 1}]})
    lost = WireShipment.model_validate({"id": 5, "status": "not_delivered", "substatus": "stolen"})
    market = compose(Bundle("9", (order(tags=["claim_opened"]),), 1, pack, (lost,)), SETTINGS)
    assert market.attention == (
        "pack 9 is being cancelled",
        "shipment 5 is not_delivered (stolen)",
        "a claim was opened on order 1",
    )


@pytest.mark.parametrize(
    ("mode", "kind", "delivery", "nfe"),
    [
        ("me2", "cross_docking", Delivery.MARKETPLACE, True),
        ("me2", "drop_off", Delivery.MARKETPLACE, True),
        ("me2", "xd_drop_off", Delivery.MARKETPLACE, True),
        ("me2", "self_service", Delivery.MARKETPLACE, False),
        ("me2", "fulfillment", Delivery.MARKETPLACE_STOCK, False),
        ("me1", "default", Delivery.SELLER, False),
        ("custom", "custom", Delivery.SELLER, False),
        ("", "", Delivery.SELLER, False),
    ],
)
def test_logistics(mode, kind, delivery, nfe):
    shipment = WireShipment.model_validate({"id": 1, "logistic": {"mode": mode, "type": kind}})
    assert (shipment.delivery, shipment.needs_nfe) == (delivery, nfe)


@given(st.text(min_size=1, max_size=40))
def test_an_invoices_number_is_read_back_from_its_documents_name(number):
    name = file_name(number)
    assert name.isascii()
    assert not set(name) & set('"\r\n/\\ ')
    rows = [{"filename": name}, {"filename": "danfe.pdf"}, {"filename": None}, None]
    assert invoice_numbers({"fiscal_documents": rows}) == (number,)


def test_a_form_is_the_same_for_the_same_document():
    assert multipart("a.xml", b"<x/>", "application/xml") == multipart(
        "a.xml", b"<x/>", "application/xml"
    )


def test_reasons_for_cancelling_are_chosen_by_words():
    chosen = SETTINGS.model_copy(update={"cancel_reasons": {"Endereço": "WRONG_RECEIVER_ADDRESS"}})
    assert cancel_reason("ENDEREÇO errado", chosen) == "WRONG_RECEIVER_ADDRESS"
    assert cancel_reason("sem estoque", chosen) == "OUT_OF_STOCK"


# --- polling and events -------------------------------------------------------------------------


@given(st.text())
def test_a_cursor_that_cannot_be_read_starts_over(text):
    assert isinstance(Cursor.parse(text), Cursor)
    assert Cursor.parse("{") == Cursor()


def test_a_cursor_says_no_more_than_it_must():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    cursor = Cursor(newest=at, since=at, offset=50)
    assert Cursor.parse(str(cursor)) == cursor
    assert "feed" not in str(cursor)


@pytest.mark.parametrize(
    "body",
    [
        {"topic": "orders_v2", "resource": "/orders/1", "user_id": 1},
        {"topic": "orders_v2", "resource": "/orders/1", "application_id": 5503910054141466},
        {"resource": "/orders/1", "application_id": 5503910054141466, "user_id": 1},
        [],
    ],
)
def test_events_that_are_not_ours_are_refused(body):
    with pytest.raises(BadWebhook):
        app_calls(APP, Request("POST", "/", body=json.dumps(body).encode()))


@given(
    st.dictionaries(
        st.sampled_from(["_id", "id", "resource", "user_id", "topic", "application_id", "sent"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers()),
    )
)
def test_whatever_comes_is_an_event_or_bad(body):
    request = Request("POST", "/", body=json.dumps(body).encode())
    try:
        calls = app_calls(APP, request)
    except BadWebhook:
        return
    assert all(call.tenant and call.key for call in calls)
