"""Values on their way to and from Mirakl: files, prices, reports, amounts, places in a list."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mirakl.imports import Kind, Lot
from adapters.mirakl.offers import ean_is_valid, offer_to_wire, price_file, stock_file
from adapters.mirakl.orders import read_order, to_market
from adapters.mirakl.people import split_street
from adapters.mirakl.polling import OVERLAP, Cursor
from adapters.mirakl.products import product_file, report
from adapters.mirakl.settings import MiraklSettings
from adapters.mirakl.sheet import invoice_sheet, pdf
from adapters.mirakl.wire import csv_rows, multipart, told_amount
from connector.sdk import Invoice, MarketAttribute, Rejected

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def settings(**changes):
    told = {"base_url": "https://north.mirakl.example", "api_key": "mirakl-key", **changes}
    return MiraklSettings.model_validate(told)


# --- offers ---------------------------------------------------------------------------------------


def test_a_whole_offer_says_all_that_is_set(make):
    own = settings(
        leadtime_to_ship=0,
        logistic_class="M",
        min_quantity_alert=2,
        product_tax_code="T",
        offer_fields={"ecotax": "20"},
        offer_text="full",
    )
    assert offer_to_wire(make.offer("1", price=19990, stock=0), own) == {
        "shop_sku": "1",
        "product_id": make.ean(10),
        "product_id_type": "EAN",
        "state_code": "11",
        "price": 199.9,
        "quantity": 0,
        "update_delete": "update",
        "description": "Tênis 1\nLeve",
        "leadtime_to_ship": 0,
        "logistic_class": "M",
        "min_quantity_alert": 2,
        "product_tax_code": "T",
        "offer_additional_fields": [{"code": "ecotax", "value": "20"}],
    }


def test_the_list_price_shows_only_where_it_is_wanted_and_higher(make):
    offer = make.offer("1", price=800, list_price=1000)
    assert offer_to_wire(offer, settings())["price"] == 8
    shown = offer_to_wire(offer, settings(show_list_price=True, channels=["US"]))
    assert (shown["price"], shown["discount"]) == (10, {"price": 8})
    prices = {"unit_origin_price": 10, "unit_discount_price": 8}
    assert shown["all_prices"] == [
        {"channel_code": None, **prices},
        {"channel_code": "US", **prices},
    ]
    same = make.offer("1", price=800, list_price=800)
    assert "discount" not in offer_to_wire(same, settings(show_list_price=True))


def test_price_files_name_every_price_there_is(make):
    lines = price_file([make.terms("1", price=1234)], settings()).decode().splitlines()
    assert lines[1] == '"1";"12.34";"";"";""'
    own = settings(show_list_price=True, channels=["US", "CA"])
    rows = csv_rows(price_file([make.terms("1", price=900, list_price=1000)], own))
    assert [(row["price"], row["discount-price"], row["channels"]) for row in rows] == [
        ("10.00", "9.00", ""),
        ("10.00", "9.00", "US|CA"),
    ]


def test_currencies_without_cents_have_none(make):
    lines = price_file([make.terms("1", price=1500, currency="CLP")], settings()).decode()
    assert '"1";"1500";' in lines


def test_stock_files_name_the_warehouse(make):
    content = stock_file([("1", 7)], settings(warehouse_code="W1")).decode()
    assert content.splitlines() == [
        '"offer-sku";"quantity";"warehouse-code";"update-delete"',
        '"1";"7";"W1";""',
    ]


@given(st.text("0123456789", min_size=7, max_size=13))
def test_a_gtin_has_exactly_one_check_digit(body):
    valid = [digit for digit in "0123456789" if ean_is_valid(body + digit)]
    assert len(valid) == (1 if len(body) in (7, 11, 12, 13) else 0)


# --- products and reports -------------------------------------------------------------------------


def test_a_product_file_has_the_operators_columns(make):
    own = settings(
        product_columns={"title": "name", "group": "", "image": "media", "brand": "marca"}
    )
    mapped = (
        MarketAttribute(id="colour", values=("Red", "Blue"), value_ids=("RED", "BLU")),
        MarketAttribute(id="sole", values=('Rubber; "soft"',)),
        MarketAttribute(id="marca", values=("Other",)),
    )
    content = make.offer("1", market_attributes=mapped, brand="Ñandú").content
    (row,) = csv_rows(product_file([content], own))
    assert row == {
        "category": "N11",
        "shop_sku": "1",
        "name": "Tênis 1",
        "description": "Leve",
        "marca": "Other",
        "ean": make.ean(10),
        "media": "https://img.example/1.jpg",
        "media_2": "https://img.example/2.jpg",
        "colour": "RED|BLU",
        "sole": 'Rubber; "soft"',
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('sku;price;error-line;error-message\n1;5;2;"No; never"', {"1": ("No; never",)}),
        (
            "line,reason,offer-sku,price\n3,Too cheap,1,5\n4,Too dear,2,9",
            {"1": ("Too cheap",), "2": ("Too dear",)},
        ),
        ("\ufeffline;what;offer-sku\n3;Too cheap;1\n", {"1": ("Too cheap",)}),
        ("shop_sku|errors|warnings\n1|Bad title|\n1|Bad image|", {"1": ("Bad title", "Bad image")}),
        ("sku;price\n1;5", {"1": ("Mirakl refused the line and gave no reason",)}),
        ("<xml>\n<line/>", None),
        ("", {}),
    ],
)
def test_reports_are_read_line_by_line(text, found):
    assert report(text.encode(), settings()) == found


def test_forms_carry_files_as_they_are():
    content = b'a;"b"\r\n\x00\xff'
    headers, body = multipart([("file", "x.csv", "text/csv", content)], {"flag": "true"})
    boundary = headers["content-type"].partition("boundary=")[2].encode()
    parts = body.split(b"--" + boundary)
    assert parts[-1] == b"--\r\n"
    assert parts[2].endswith(b"\r\n\r\n" + content + b"\r\n")


# --- amounts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "abc", "NaN", "1.234,56", True, None])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError, match="no amount"):
        told_amount(text)


def test_amounts_come_as_numbers_or_text():
    assert [told_amount(each) for each in (8, 8.1, "8.10", "8,10")] == [
        Decimal(each) for each in ("8", "8.1", "8.10", "8.10")
    ]


def line(number, unit, quantity, off=0, shipping=0, tax=0):  # noqa: PLR0917 - a row
    return {
        "order_line_id": f"A-{number}",
        "offer_sku": str(number),
        "quantity": quantity,
        "price_unit": unit / 100,
        "price": str(Decimal(unit * quantity - off) / 100),
        "shipping_price": shipping / 100,
        "total_price": (unit * quantity - off + shipping) / 100,
        "taxes": [{"code": "VAT", "amount": tax / 100}],
        "shipping_taxes": None,
    }


LINES = st.tuples(
    st.integers(2, 100_000), st.integers(1, 9), st.integers(0, 1), st.integers(0, 5_000),
    st.integers(0, 9_999),
)  # fmt: skip


@given(st.lists(LINES, min_size=1, max_size=5), st.booleans(), st.integers(0, 1))
def test_every_order_adds_up_to_what_the_buyer_pays(rows, taxed, deduced):
    lines = [line(number, *row) for number, row in enumerate(rows)]
    prices = sum(round(float(each["total_price"]) * 100) for each in lines) - deduced
    order = {
        "order_id": "A",
        "order_state": "SHIPPING",
        "created_date": "2026-01-01T12:00:00Z",
        "currency_iso_code": "EUR",
        "order_tax_mode": "TAX_EXCLUDED" if taxed else "TAX_INCLUDED",
        "order_lines": lines,
        "total_price": prices / 100,
        "promotions": {"total_deduced_amount": deduced / 100},
    }
    read = to_market(read_order(order), settings())
    told = sum(
        each.unit_price_minor * each.quantity
        - each.discount_minor
        + each.shipping_minor
        + each.tax_minor
        for each in read.lines
    )
    assert told - read.discount_minor == read.total_minor
    assert read.total_minor == prices + (sum(row[4] for row in rows) if taxed else 0)


def order(**changes):
    return {
        "order_id": "A",
        "order_state": "SHIPPING",
        "created_date": "2026-01-01T12:00:00Z",
        "currency_iso_code": "EUR",
        "order_lines": [line(1, 1000, 2)],
        "total_price": 20,
        **changes,
    }


def test_taxes_that_are_told_for_the_order_alone_count_once():
    lines = [line(1, 1000, 2) | {"taxes": []}]
    told = order(
        order_lines=lines, order_tax_mode="TAX_EXCLUDED", order_taxes=[{"total_amount": 3.5}]
    )
    read = to_market(read_order(told), settings())
    assert (read.total_minor, read.lines[0].tax_minor) == (2350, 350)


def test_a_unit_price_that_was_rounded_down_is_made_up_for():
    lines = [{**line(1, 333, 3), "price": 10, "total_price": 10}]
    read = to_market(read_order(order(order_lines=lines, total_price=10)), settings())
    assert (read.lines[0].unit_price_minor, read.lines[0].discount_minor) == (334, 2)


def test_who_bought_is_read_from_wherever_it_stands():
    company = {"name": "Padaria", "tax_identification_number": "FR123"}
    customer = {"firstname": "Zoë", "lastname": None, "organization": company,
                "billing_address": {"lastname": "Łuczak", "phone": "1"},
                "shipping_address": {"street_1": "12 rue de la Paix", "zip_code": "75001",
                                     "street_2": "Centro", "additional_info": "3rd floor",
                                     "country_iso_code": "FRA"}}  # fmt: skip
    fields = [{"code": "cpf", "value": "529.982.247-25"}]
    told = order(customer=customer, order_additional_fields=fields)
    own = settings(document_field="cpf", neighborhood_line="street_2")
    read = to_market(read_order(told), own)
    assert (read.buyer.first_name, read.buyer.last_name, read.buyer.phone) == ("Zoë", "Łuczak", "1")
    assert (read.buyer.document, read.buyer.document_type) == ("52998224725", "cpf")
    assert (read.buyer.company_name, read.buyer.company_document) == ("Padaria", "FR123")
    assert (read.address.street, read.address.number) == ("12 rue de la Paix", "")
    assert (read.address.neighborhood, read.address.complement) == ("Centro", "3rd floor")
    fields[0]["value"] = 11222333000181
    assert to_market(read_order(told), own).buyer.document == ""


def test_an_order_of_the_operators_warehouse_is_the_operators_to_ship():
    lines = [line(1, 1000, 2) | {"received_date": "2026-01-05T10:00:00+01:00"}]
    told = order(
        order_lines=lines,
        order_state="RECEIVED",
        fulfillment={"center": {"code": "FBM"}},
        shipping_tracking="T1",
    )
    assert to_market(read_order(told), settings()).delivery == "seller"
    read = to_market(read_order(told), settings(operator_warehouses={"FBM": "W9"}))
    assert (read.delivery, read.warehouse_id) == ("marketplace-stock", "W9")
    assert (read.shipment.tracking_number, read.shipment.delivered_at.hour) == ("T1", 9)


def test_a_line_without_units_is_refused_by_name():
    lines = [line(1, 1000, 1) | {"quantity": 0}]
    with pytest.raises(Rejected, match="quantity cannot be read"):
        to_market(read_order(order(order_lines=lines)), settings())


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Rua São João, 10", ("Rua São João", "10")),
        ("Av. Paulista, nº 1000-B", ("Av. Paulista", "1000-B")),
        ("12 rue de la Paix", ("12 rue de la Paix", "")),
        ("Hauptstraße 5", ("Hauptstraße 5", "")),
        ("Rua A, Bloco B", ("Rua A, Bloco B", "")),
        ("", ("", "")),
    ],
)
def test_only_a_number_behind_a_comma_is_the_houses(text, parts):
    assert split_street(text) == parts


# --- places ---------------------------------------------------------------------------------------


def row(key, at):
    return {"order_id": key, "last_updated_date": at.isoformat()}


def test_polling_never_begins_later_than_the_poll_before_it():
    began = NOW
    first = Cursor().advance([row("A", NOW - timedelta(hours=1))], 2, began)
    assert first.more
    late = Cursor.parse(first.cursor).advance(
        [row("B", NOW + timedelta(minutes=30))], 2, NOW + timedelta(hours=1)
    )
    assert not late.more
    following = Cursor.parse(late.cursor)
    assert following.since == began
    asked = datetime.fromisoformat(following.query()["start_update_date"])
    assert asked == began - OVERLAP


@pytest.mark.parametrize("leaving", [0, 3, 15, 70, 140, 250])
def test_the_first_poll_misses_no_order_while_others_leave_its_list(leaving):
    """Orders that are shipped leave the list of open ones; what follows them moves up."""
    listed, seen, cursor, calls = [f"O{number}" for number in range(250)], set(), "", 0
    gone: list[str] = []
    while True:
        calls += 1
        at = Cursor.parse(cursor).offset
        page = [row(key, NOW - timedelta(days=2)) for key in listed[at : at + 100]]
        answer = Cursor.parse(cursor).advance(page, len(listed), NOW)
        seen |= set(answer.keys)
        cursor = answer.cursor
        if not answer.more:
            break
        if not gone:
            gone, listed = listed[:leaving], listed[leaving:]
    assert set(listed) <= seen
    assert calls <= 6


def test_a_poll_that_brings_nothing_stays_where_it_is():
    page = Cursor(since=NOW).advance([], 0, NOW + timedelta(days=1))
    assert (page.keys, page.more, Cursor.parse(page.cursor).since) == ((), False, NOW)


def test_an_unreadable_cursor_or_time_starts_over():
    assert Cursor.parse("{odd") == Cursor()
    page = Cursor().advance([{"order_id": "A", "last_updated_date": "soon"}, {}], 2, NOW)
    assert (page.keys, Cursor.parse(page.cursor).since) == (("A",), None)


@given(st.lists(st.tuples(st.sampled_from(Kind), st.from_regex(r"[0-9a-f-]{1,36}", fullmatch=True)),
                min_size=1, max_size=3), st.integers(0, 2**40))  # fmt: skip
def test_lot_ids_carry_all_there_is_to_know(parts, since):
    lot = Lot(tuple(parts), since)
    assert Lot.parse(str(lot)) == lot


@pytest.mark.parametrize("text", ["", "OF24:1", "OF24:1@x", "XX:1@1", "OF24:@1", "@1"])
def test_foreign_lot_ids_are_nobodys(text):
    assert Lot.parse(text) is None


# --- papers ---------------------------------------------------------------------------------------


def test_a_sheet_says_that_it_is_not_the_invoice():
    invoice = Invoice(number="NF (1)", value_minor=12345, currency="BRL", issued_at=NOW, key="35")
    text = invoice_sheet(invoice).decode("latin-1")
    assert r"(Invoice number: NF \(1\)) Tj" in text
    assert "(Value: 123.45 BRL) Tj" in text
    assert "not the invoice itself" in text
    assert "Document" not in text


@given(st.lists(st.text(max_size=200), max_size=60))
def test_every_page_is_a_pdf_whose_table_is_right(lines):
    page = pdf(lines)
    assert page.startswith(b"%PDF-1.4")
    start = int(re.search(rb"startxref\n(\d+)\n", page)[1])
    assert page[start:].startswith(b"xref\n0 6\n")
    for number, place in enumerate(re.findall(rb"(\d{10}) 00000 n", page), 1):
        assert page[int(place) :].startswith(b"%d 0 obj" % number)
