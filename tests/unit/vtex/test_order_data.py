from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.marketorder import Address, Buyer, TrackingHint
from connector.vtex.orders import (
    PlaceLine,
    PlaceOrder,
    check_order,
    classic_body,
    fill_gaps,
    integration_body,
)
from connector.vtex.sanitise import FORBIDDEN, country_code, digits, plain, state_code

ENDPOINT = "https://hub.example/vtex/v1/t1/s3cr3t"
BUYER = Buyer(
    first_name="Ana",
    last_name="Souza",
    email="buyer@example.com",
    phone="11 99999-9999",
    document="52998224725",
    document_type="CPF",
)
ADDRESS = Address(
    receiver="Ana Souza",
    street="Rua A",
    number="10",
    neighborhood="Centro",
    city="São Paulo",
    state="SP",
    country="BRA",
    postal_code="12345-000",
)
LINE = PlaceLine(
    sku="1001",
    quantity=1,
    price_minor=19990,
    shipping_minor=1500,
    sla="Normal",
    lock_ttl="10d",
    estimate="3bd",
)
ORDER = PlaceOrder(
    ref="MP-778899",
    lines=(LINE,),
    buyer=BUYER,
    address=ADDRESS,
    total_minor=21490,
    endpoint=ENDPOINT,
    connector_name="hub",
    payment_methods=("creditCardPaymentGroup",),
    paid=True,
)


@given(st.text(max_size=80))
def test_plain_text_has_nothing_forbidden(text):
    cleaned = plain(text)
    assert not set(FORBIDDEN) & set(cleaned)
    assert cleaned.isprintable()
    assert cleaned == plain(cleaned)


def test_forbidden_characters_vanish_everywhere():
    nasty = '<A>?+";%'
    order = replace(
        ORDER,
        buyer=Buyer(first_name=nasty, last_name=nasty, email=" a+b@c.d ", document=nasty),
        address=Address(receiver=nasty, street=nasty, city=nasty, postal_code=nasty, country="BR"),
    )
    for body in (integration_body(order), classic_body(order)[0]):
        address = body["shippingData"]["selectedAddresses"][0]
        assert address["receiverName"] == address["street"] == address["postalCode"] == "A"
        assert body["clientProfileData"]["firstName"] == "A"
        # A plus is part of the mailbox: the address would be another one without it.
        assert body["clientProfileData"]["email"] == "a+b@c.d"


@pytest.mark.parametrize(
    ("state", "country", "expected"),
    [("São Paulo", "BRA", "SP"), ("sp", "BRA", "SP"), ("BR-RJ", "BRA", "RJ"), ("PARÁ", "BRA", "PA"),
     ("Rio Grande do Sul", "BRA", "RS"), ("Córdoba", "ARG", "Córdoba"), ("", "BRA", ""),
     ("rm", "CHL", "RM"), ("Atlantis", "BRA", "Atlantis")],
)  # fmt: skip
def test_states(state, country, expected):
    assert state_code(state, country) == expected


def test_countries_and_phones():
    assert country_code("br") == country_code("BRA") == "BRA"
    assert country_code("DEU") == "DEU"
    assert digits("+55 (11) 9-9") == "551199"


def test_a_company_buys():
    buyer = BUYER.model_copy(
        update={"company_name": "Acme", "company_document": "00.000.000/0001-91",
                "document": "00000000000191", "document_type": "", "state_registration": "123"}
    )  # fmt: skip
    order = replace(ORDER, buyer=buyer)
    profile = integration_body(order)["clientProfileData"]
    assert profile["corporateName"] == profile["tradeName"] == "Acme"
    assert profile["corporateDocument"] == "00.000.000/0001-91"
    assert profile["corporatePhone"] == "11999999999"
    assert profile["stateInscription"] == "123"
    classic = classic_body(order)[0]["clientProfileData"]
    assert classic["isCorporate"] is True
    assert classic["documentType"] == "cnpj"


def test_gaps_are_filled_and_told():
    order = replace(
        ORDER,
        buyer=Buyer(email="a@b.c", document="1"),
        address=ADDRESS.model_copy(
            update={"number": "", "neighborhood": "", "receiver": "Zé Lima"}
        ),
    )
    filled, told = fill_gaps(order)
    assert (filled.buyer.first_name, filled.buyer.last_name) == ("Zé", "Lima")
    assert (filled.address.number, filled.address.neighborhood) == ("S/N", "-")
    assert told == ("number=S/N", "neighborhood=-")
    assert check_order(filled) == ()


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [("Ana", "", ("Ana", "-")), ("Ana Maria Souza", "", ("Ana", "Maria Souza")),
     ("", "Souza", ("Souza", "-")), ("Ana", "Souza", ("Ana", "Souza")), ("", "", ("", ""))],
)  # fmt: skip
def test_names_are_filled(first, last, expected):
    buyer = Buyer(first_name=first, last_name=last)
    filled, told = fill_gaps(replace(ORDER, buyer=buyer, address=Address()))
    assert (filled.buyer.first_name, filled.buyer.last_name) == expected
    assert ("lastName=-" in told) == (expected[1] == "-")


def test_a_complete_order_has_no_gaps():
    assert fill_gaps(ORDER) == (ORDER, ())


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"ref": "a b"}, "reference"),
        ({"endpoint": ENDPOINT + "?x=1"}, "address"),
        ({"endpoint": ENDPOINT + "/"}, "address"),
        ({"endpoint": "ftp://x"}, "address"),
        ({"lines": ()}, "no lines"),
        ({"total_minor": 1}, "21490"),
        ({"lines": (replace(LINE, quantity=0),)}, "quantity"),
        ({"lines": (replace(LINE, price_minor=-1),)}, "negative"),
        ({"lines": (replace(LINE, lock_ttl="ten"),)}, "lock time"),
        ({"lines": (replace(LINE, estimate="soon"),)}, "estimate"),
        ({"pickup": True}, "pickup point's id"),
        ({"pickup": True, "fob": True}, "either"),
        ({"marketplace_fulfillment": True}, "stock"),
        ({"address": Address(country="BRA")}, "postal code"),
        ({"address": Address(postal_code="1")}, "country"),
        ({"tracking_hints": (TrackingHint(tracking_id="", courier=""),)}, "label"),
        ({"buyer": Buyer(first_name="A", last_name="B", document="1")}, "e-mail"),
        ({"buyer": Buyer(email="a@b")}, "first name"),
    ],
)
def test_everything_wrong_is_told_before_vtex_is_asked(changes, word):
    assert any(word in problem for problem in check_order(replace(ORDER, **changes)))


def test_nothing_personal_is_shown():
    shown = repr(ORDER)
    assert "Ana" not in shown
    assert "Rua A" not in shown
    assert "s3cr3t" not in shown


def test_a_document_may_stand_for_those_that_buyers_are_not_asked_for():
    unknown = replace(ORDER, buyer=ORDER.buyer.model_copy(update={"document": " "}))
    assert "the buyer's document is missing" in check_order(fill_gaps(unknown)[0])
    filled, told = fill_gaps(unknown, document="00000000000")
    assert (filled.buyer.document, told) == ("00000000000", ("document=00000000000",))
    assert not check_order(filled)
    assert fill_gaps(ORDER, document="00000000000") == (ORDER, ())
