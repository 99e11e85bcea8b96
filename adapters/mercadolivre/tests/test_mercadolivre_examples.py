"""Examples of the official documentation, read without loss. Which ones are not read, and why."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatch

import pytest

from adapters.mercadolivre import MercadoLivreAdapter, items, oauth, papers, telling
from adapters.mercadolivre.api import (
    Api,
    barred,
    causes,
    forbidden,
    plain_text,
    read_error,
    reasons,
)
from adapters.mercadolivre.catalog import _attribute
from adapters.mercadolivre.events import missed_events, read_event
from adapters.mercadolivre.listings import Listings, read_item
from adapters.mercadolivre.orders import WireOrder, WirePack
from adapters.mercadolivre.reading import Bundle, compose
from adapters.mercadolivre.settings import MercadoLivreApp, MercadoLivreSettings
from adapters.mercadolivre.shipping import WireShipment, read_billing
from adapters.mercadolivre.tests.official import (
    BILLING,
    ERRORS,
    EVENTS,
    ITEMS,
    NOT_READ,
    READ,
    SEARCHES,
    example,
    names,
    needs_examples,
)
from connector.sdk import (
    AdapterError,
    AuthExpired,
    Content,
    MarketStatus,
    Misconfigured,
    Offer,
    PriceStock,
    RateLimited,
    Rejected,
    Request,
    Response,
    Tracking,
)

pytestmark = needs_examples
SETTINGS = MercadoLivreSettings(user_id="779432305")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Answers:
    """Answers every call with the same."""

    def __init__(self, body, **headers):
        self.body, self.headers, self.sent = body, headers, []

    async def send(self, request):
        self.sent.append(request)
        return Response(200, self.headers, json.dumps(self.body).encode())


def test_every_example_is_read_or_it_is_said_why_not():
    silent = [
        name
        for name in names()
        if name not in READ
        and name not in ERRORS
        and not any(fnmatch(name, pattern) for pattern in NOT_READ)
    ]
    assert silent == []
    assert set(names()) >= READ


# --- account, errors, events ------------------------------------------------------------------


def test_token():
    told = example("autenticacion-y-autorizacion-01")
    token = oauth.WireToken.model_validate(told).token()
    assert token.access.get_secret_value() == told["access_token"]
    assert token.refresh.get_secret_value() == told["refresh_token"]
    assert token.expires_in_s == told["expires_in"]
    assert token.account == str(told["user_id"])
    assert token.scopes == ("offline_access", "read", "write")


async def test_account():
    told = example("producto-consulta-usuarios-01")
    settings = MercadoLivreSettings(user_id=str(told["id"]), site=told["site_id"])
    assert await MercadoLivreAdapter(settings, Answers(told), None).check() == told["nickname"]


@pytest.mark.parametrize("name", ERRORS)
def test_errors_keep_their_words(name):
    told = example(name)
    response = Response(told["status"], {}, json.dumps(told).encode())
    words = " ".join(reasons(response))
    wanted = [row["message"] for row in causes(told) if row.get("message")]
    assert all(text in words for text in wanted or [told.get("message") or told["error"]])
    error = read_error(response)
    assert error is None or isinstance(error, AdapterError)
    assert isinstance(error, RateLimited) == (told["status"] == 429)


def test_missing_permission():
    told = example("error-403-01")
    error = barred(Response(403, {}, json.dumps(told).encode()), "orders.claim")
    assert isinstance(error, Misconfigured)
    assert "orders.claim" in error.public


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("error-403-01", Misconfigured),
        ("cargar-factura-31", AuthExpired),
        ("cargar-factura-13", Rejected),
        ("cargar-factura-32", Rejected),
        ("errores-01", Rejected),
    ],
)
def test_a_403_stops_all_calls_only_where_it_is_about_all_of_them(name, wanted):
    response = Response(403, {}, json.dumps(example(name)).encode())
    assert type(forbidden(response, Request("PUT", "/items/1"))) is wanted


@pytest.mark.parametrize("name", EVENTS)
def test_events(name):
    told = example(name)
    event = read_event(told)
    assert event.topic == told["topic"]
    assert event.resource == told["resource"]
    assert event.user_id == str(told["user_id"])
    assert event.application_id == str(told["application_id"])
    assert event.received is not None
    about = told["resource"].rpartition("/")[2]
    assert event.key == (f"shipment:{about}" if told["topic"] == "shipments" else "")


def test_missed_events():
    messages = example("missed-feeds-repaired")["messages"]
    assert [read_event(row).resource for row in messages] == [row["resource"] for row in messages]
    turned = [{**row, "topic": "orders_v2", "resource": "/orders/1"} for row in messages]
    assert [e.key for e in missed_events(turned, "468424240")] == ["order:1"]


# --- listings ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ITEMS)
def test_items(name):
    told = example(name)
    item = read_item(told)
    assert item.id == told["id"]
    assert item.title == told["title"]
    assert item.price == Decimal(str(told["price"]))
    assert item.available_quantity == told["available_quantity"]
    assert item.currency_id == told["currency_id"]
    assert item.status == (told.get("status") or "")
    assert item.permalink == (told.get("permalink") or "")
    assert item.user_product_id == (told.get("user_product_id") or "")
    assert item.found().stock == told["available_quantity"]


@pytest.mark.parametrize("name", SEARCHES)
async def test_searches(name):
    told = example(name)
    listings = Listings(Api(Answers(told)), SETTINGS)
    assert await listings._search("X") == told["results"]


def test_attributes():
    rows = {row["id"]: row for row in example("producto-sincroniza-modifica-publicaciones-07")}
    read = {name: _attribute(row) for name, row in rows.items()}
    invoice = rows["INVOICE"]
    assert read["INVOICE"].name == invoice["name"]
    assert read["INVOICE"].kind == invoice["value_type"]
    assert read["INVOICE"].values == tuple((v["id"], v["name"]) for v in invoice["values"])
    assert read["PRICE_SUBSCRIPTION"].units == ("USD", "UVA", "ARS")
    assert read["PRICE_SUBSCRIPTION"].max_length == 255


def offer(stock=3):
    content = Content(
        sku="11",
        product_id="1",
        title="Panela",
        images=("https://img.example/1.jpg",),
        market_category="MLB1613",
    )
    terms = PriceStock(
        sku="11", price_minor=1000, list_price_minor=1000, currency="BRL", stock=stock
    )
    return Offer(content=content, terms=terms)


def kinds(value):
    """The type of every member, numbers being one type."""
    if isinstance(value, dict):
        return {name: kinds(each) for name, each in value.items()}
    if isinstance(value, list):
        return [kinds(value[0])] if value else []
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return "number" if number else type(value).__name__


@pytest.mark.parametrize(
    "name", ["publica-productos-03", "producto-sincroniza-modifica-publicaciones-08"]
)
def test_a_new_item_is_shaped_like_the_official_one(name):
    settings = SETTINGS.model_copy(update={"warranty_type": "x", "manufacturing_days": 20})
    ours = items.new_item(offer(), settings, items.WireCategory(), family=False)
    theirs = example(name)
    shared = ours.keys() & theirs.keys()
    assert shared >= {
        *("title", "category_id", "price", "currency_id", "available_quantity", "buying_mode"),
        *("condition", "listing_type_id", "sale_terms", "pictures"),
    }
    assert {n: kinds(ours[n]) for n in shared} == {n: kinds(theirs[n]) for n in shared}
    made = example("producto-sincroniza-modifica-publicaciones-09")["sale_terms"][0]
    days = settings.model_copy(update={"site": "MLA", "manufacturing_days": 30})
    assert made in items.sale_terms(days)


async def test_closing_deleting_and_describing_send_what_the_pages_show():
    http = Answers({"id": "MLB1", "status": "active"})
    listings = Listings(Api(http), SETTINGS)
    await listings.delete([offer().terms.model_copy(update={"market_id": "MLB1"})])
    paused = example("producto-sincroniza-modifica-publicaciones-03")
    deleted = example("producto-sincroniza-modifica-publicaciones-05")
    sent = [request.json() for request in http.sent[1:]]
    assert sent == [{**paused, "status": "closed"}, deleted]
    described = example("descripcion-de-articulos-02")
    text = described["plain_text"]
    changed = offer().model_copy(
        update={"content": offer().content.model_copy(update={"description": text})}
    )
    await listings._describe(changed, read_item({"id": "MLB1"}), fresh=True)
    assert http.sent[-1].json() == described


def test_what_the_description_page_refuses_is_taken_out():
    refused = example("descripcion-de-articulos-05")["plain_text"]
    assert not any(ord(each) > 0xFFFF for each in plain_text(refused, 1000))


def test_stock_at_origins_is_shaped_like_the_official_one():
    settings = SETTINGS.model_copy(update={"store_id": "1", "network_node_id": "2"})
    theirs = example("stock-multi-origen-03")["locations"]
    assert kinds([items.origin(10, settings)]) == kinds(theirs)


# --- orders -----------------------------------------------------------------------------------


def test_order():
    told = example("order-detail-with-pack-repaired")
    order = WireOrder.model_validate(told)
    line, payment = told["order_items"][0], told["payments"][0]
    assert order.id == str(told["id"])
    assert order.key == str(told["pack_id"])
    assert order.status_here is MarketStatus.PAID
    assert order.total_amount == Decimal(str(told["total_amount"]))
    assert order.shipping.id == str(told["shipping"]["id"])
    assert order.tags == tuple(told["tags"])
    assert order.seller.id == str(told["seller"]["id"])
    assert order.date_created == datetime.fromisoformat(told["date_created"])
    assert order.order_items[0].sku == line["item"]["seller_sku"]
    assert order.paid[0].payment_method_id == payment["payment_method_id"]
    bundle = Bundle(order.key, (order,), shipments=(WireShipment(id=order.shipping.id),))
    market = compose(bundle, SETTINGS)
    assert market.complete
    assert market.total_minor == 12592
    assert [(each.quantity, each.unit_price_minor) for each in market.lines] == [(2, 6296)]
    assert market.payment_methods == ("account_money",)


def test_pack():
    told = example("gestion-packs-01")
    pack = WirePack.model_validate(told)
    assert pack.id == str(told["id"])
    assert [ref.id for ref in pack.orders] == [str(row["id"]) for row in told["orders"]]
    assert pack.shipment.id == str(told["shipment"]["id"])
    assert pack.troubles() == []


@pytest.mark.parametrize(("name", "wanted"), BILLING.items())
def test_billing_data_of_people(name, wanted):
    buyer = read_billing(example(name)).buyer()
    told = (buyer.first_name, buyer.last_name, buyer.document_type, buyer.document)
    assert told == wanted


def test_billing_data_of_a_company():
    buyer = read_billing(example("facturacion-03")).buyer()
    assert buyer.company_name == "Apple Brasil"
    assert buyer.company_document == "326594309119203"
    assert buyer.state_registration == "30703088534"


def test_billing_data_of_every_country_has_a_document():
    told = example("facturacion-06")["buyer"]["billing_info"]["identification"]
    assert read_billing(example("facturacion-06")).identification.number == str(told["number"])


async def test_notices_are_shaped_like_the_official_ones():
    http = Answers({"status": 200})
    settings = MercadoLivreSettings(user_id="1", site="MLA")
    teller = telling.Teller(Api(http), settings, NOW)
    own = WireShipment.model_validate({"id": 1, "logistic": {"mode": "me1"}})
    order = WireOrder(id="1")
    parcel = Tracking(invoice_number="1", courier="C", number="N", url="http://u.example")
    await teller.tracking([order], [own], parcel)
    await teller.delivered([order], [own], NOW)
    await teller.cancel([order], "Operation not completed")
    shipped, delivered, feedback = (
        example(name)
        for name in (
            "estados-de-ordenes-me1-01",
            "estados-de-ordenes-me1-04",
            "feedback-sobre-venta-01",
        )
    )
    sent = [request.json() for request in http.sent]
    assert [kinds(body) for body in sent] == [kinds(shipped), kinds(delivered), kinds(feedback)]
    assert sent[0]["payload"]["service_id"] == shipped["payload"]["service_id"]
    assert [body["substatus"] for body in sent[:2]] == [shipped["substatus"]] * 2
    assert sent[2] == feedback


async def test_an_attached_document_is_answered_with_its_ids():
    told = example("cargar-factura-02")
    http = Answers(told)
    paper = papers.Papers(Api(http), SETTINGS)
    invoice = {"number": "1", "value_minor": 1, "currency": "BRL", "xml": "<nfeProc/>"}
    await paper.send("1", papers.Invoice(**invoice), (), ())
    assert http.sent[0].url == "/packs/1/fiscal_documents"


def test_the_application_is_told_apart():
    app = MercadoLivreApp(client_id="3486171129139063", client_secret="x")
    rows = example("missed-feeds-repaired")["messages"]
    assert all(read_event(row).application_id == app.client_id for row in rows)
