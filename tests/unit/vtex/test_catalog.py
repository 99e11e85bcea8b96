import copy
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.http import Response
from connector.domain.offer import Attribute, Dimensions
from connector.vtex.catalog import list_skus, parse_sku, read_sku, sales_channel
from connector.vtex.errors import Denied, Throttled, Unwell
from connector.vtex.sku import Gaps, is_gtin, plain_text, resized, secure

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
SKU_PATH = "/pvt/sku/stockkeepingunitbyid/1001"


async def test_a_common_sku_costs_one_call(vtex, session, sku_body, now):
    vtex.on("GET", SKU_PATH, sku_body)
    record = await read_sku(session, "1001", now)
    assert len(vtex.asked) == 1
    assert vtex.last.query == {"sc": "2"}
    assert record.active
    assert record.product_active
    assert record.in_policy
    assert record.own_seller
    assert not record.unknown
    assert not record.needs_attachment
    assert record.defaults == ()
    assert record.release_at == datetime(2024, 1, 6, tzinfo=UTC)
    assert record.read_at == now


async def test_content_of_a_common_sku(vtex, session, sku_body, now):
    vtex.on("GET", SKU_PATH, sku_body)
    content = (await read_sku(session, "1001", now)).content
    assert content.product_id == "501"
    assert content.title == "Trail Shoe Blue 42"
    assert content.description == "Light shoe"
    assert content.brand == "Acme"
    assert content.eans == ("7891234567895",)
    assert content.reference == "TS-1-BL-42"
    assert content.images == ("https://simstore.vteximg.com.br/arquivos/ids/900/ts.jpg",)
    assert content.category_path == ("Footwear", "Running")
    assert content.category_id == "12"
    assert content.package == Dimensions(height_cm=12, width_cm=22, length_cm=33, weight_g=850)
    assert content.attributes == (
        Attribute(name="Size", values=("42",), variation=True),
        Attribute(name="Material", values=("Mesh",)),
    )
    assert (content.measurement_unit, content.unit_multiplier) == ("un", 1.0)


async def test_an_unknown_sku_is_a_record_of_its_own(vtex, session, now):
    vtex.on("GET", SKU_PATH, "SKU not found.", 404)
    record = await read_sku(session, "1001", now)
    assert record.unknown
    assert record.content is None
    assert record.read_at == now


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (Response(429), Throttled),
        (Response(403), Denied),
        (Response(500), Unwell),
        (Response(200, body=b"[]"), Unwell),
        (Response(200), Unwell),
    ],
)
async def test_trouble_is_never_an_unknown_sku(vtex, session, now, response, error):
    vtex.on("GET", SKU_PATH, response)
    with pytest.raises(error):
        await read_sku(session, "1001", now)


@pytest.mark.parametrize("codes", [{}, {"Ean": ""}, {"Ean": "ABC17"}, {"Ean": "7891234567890"}])
async def test_missing_or_wrong_ean_is_looked_up(vtex, session, sku_body, now, codes):
    sku_body["AlternateIds"] = {**codes, "RefId": "R"}
    vtex.on("GET", SKU_PATH, sku_body)
    vtex.on("GET", "/1001/ean", ["ABC17", "7891234567895", "96385074", "7891234567895"])
    record = await read_sku(session, "1001", now)
    assert record.content.eans == ("7891234567895", "96385074")
    assert len(vtex.asked) == 2


@pytest.mark.parametrize(
    "answer", [Response(404), Response(403), Response(200), Response(200, body=b"{}")]
)
async def test_no_ean_anywhere_is_no_trouble(vtex, session, sku_body, now, answer):
    sku_body["AlternateIds"] = {}
    vtex.on("GET", SKU_PATH, sku_body)
    vtex.on("GET", "/1001/ean", answer)
    record = await read_sku(session, "1001", now)
    assert record.content.eans == ()
    assert record.content.reference == "1001"
    assert record.defaults == ("reference=1001",)


async def test_a_fall_back_that_is_unwell_stops_the_read(vtex, session, sku_body, now):
    sku_body["AlternateIds"] = {}
    vtex.on("GET", SKU_PATH, sku_body)
    vtex.on("GET", "/1001/ean", Response(500))
    with pytest.raises(Unwell):
        await read_sku(session, "1001", now)


async def test_missing_images_come_from_the_files(vtex, session, sku_body, now):
    sku_body["Images"] = []
    vtex.on("GET", SKU_PATH, sku_body)
    vtex.on("GET", "/1001/file", [
        {"Id": 2, "Url": "http://a/ids/2/b.jpg", "IsMain": False, "Position": 1},
        {"Id": 1, "Url": None, "FileLocation": "a/ids/1/a.jpg", "Position": 0},
        {"Id": 3, "Url": "", "Position": 2},
    ])  # fmt: skip
    record = await read_sku(session, "1001", now)
    assert record.content.images == ("https://a/ids/1/a.jpg", "https://a/ids/2/b.jpg")


@pytest.mark.parametrize(("said", "expected"), [(True, True), (False, False), (None, True)])
async def test_missing_product_state_comes_from_the_product(
    vtex, session, sku_body, said, expected
):
    del sku_body["IsProductActive"]
    vtex.on("GET", SKU_PATH, sku_body)
    vtex.on("GET", "/api/catalog/pvt/product/501", {"Id": 501, "IsActive": said})
    assert (await read_sku(session, "1001", NOW)).product_active is expected


async def test_missing_trade_policies_come_from_the_product(vtex, session, sku_body, now):
    sku_body["SalesChannels"] = None
    vtex.on("GET", SKU_PATH, sku_body)
    vtex.on("GET", "/products/productget/501", {"ListStoreId": [1, 2]})
    assert (await read_sku(session, "1001", now)).in_policy
    vtex.on("GET", "/products/productget/501", {"ListStoreId": [1]})
    assert not (await read_sku(session, "1001", now)).in_policy
    vtex.on("GET", "/products/productget/501", Response(404))
    assert not (await read_sku(session, "1001", now)).in_policy


def parsed(body, **changes):
    return parse_sku({**body, **changes}, "1001", 2, NOW)


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"IsActive": False}, "active", False),
        ({"IsActive": "true"}, "active", True),
        ({"IsProductActive": False}, "product_active", False),
        ({"IsBrandActive": False}, "product_active", False),
        ({"IsDirectCategoryActive": False}, "product_active", False),
        ({"SalesChannels": [1]}, "in_policy", False),
        ({"SalesChannels": ["2"]}, "in_policy", True),
        ({"IsGiftCardRecharge": True}, "gift_card", True),
        ({"Attachments": [{"Name": "x", "IsRequired": True, "IsActive": True}]},
         "needs_attachment", True),
        ({"Attachments": [{"Name": "x", "IsRequired": True, "IsActive": False}]},
         "needs_attachment", False),
        ({"Attachments": [{"Name": "x", "IsRequired": False}]}, "needs_attachment", False),
        ({"SkuSellers": [{"SellerId": "franchise"}]}, "own_seller", False),
        ({"SkuSellers": [{"SellerId": "franchise"}, {"SellerId": "1"}]}, "own_seller", True),
        ({"SkuSellers": []}, "own_seller", True),
        ({"ReleaseDate": None}, "release_at", None),
    ],
)  # fmt: skip
def test_states_of_a_sku(sku_body, changes, field, expected):
    assert getattr(parsed(sku_body, **changes), field) == expected


def test_kits_are_read_like_any_other_sku(sku_body):
    for parts in ([{"Id": 5, "Amount": 2}], ["5"], None):
        record = parsed(sku_body, IsKit=True, KitItems=parts)
        assert record.content.title == "Trail Shoe Blue 42"


def test_what_vtex_does_not_say_gets_a_default_that_is_told(sku_body):
    record = parsed(
        sku_body, BrandName=None, ProductDescription="", MeasurementUnit=None, UnitMultiplier=0,
        NameComplete=None,
        Dimension={"height": 0, "width": 22.0, "length": 33, "weight": None},
        RealDimension={"realHeight": 10.5, "realWeight": 0},
    )  # fmt: skip
    assert record.content.title == "Trail Shoe Blue 42"
    assert record.content.description == record.content.title
    assert record.content.package == Dimensions(height_cm=10.5, width_cm=22, length_cm=33)
    assert set(record.defaults) == {
        "brand=Generic", "description=Trail Shoe Blue 42", "unit=un", "unit_multiplier=1",
        "package.height=10.5",
    }  # fmt: skip


def test_an_empty_context_is_still_a_record():
    record = parse_sku({}, "7", 2, NOW)
    assert record.content.title == "SKU 7"
    assert not record.active
    assert not record.in_policy


def test_categories_are_ordered_by_their_ids(sku_body):
    record = parsed(sku_body, ProductCategoryIds="/3/1/2/", ProductCategories={"2": "C", "3": "A"})
    assert record.content.category_path == ("A", "1", "C")
    assert record.content.category_id == "2"


def test_gaps_fill_only_what_is_missing(sku_body):
    gaps = Gaps(eans=("96385074",), images=("https://x/1.jpg",), product_active=False)
    record = parse_sku(sku_body, "1001", 2, NOW, gaps=gaps)
    assert record.content.eans == ("7891234567895",)
    assert record.content.images[0].endswith("ts.jpg")
    assert record.product_active


def test_parsing_is_quick(sku_body):
    best = min(_seconds(sku_body) for _ in range(20))
    assert best < 500e-6  # 150 us on a calm machine


def _seconds(body):
    start = time.perf_counter()
    parse_sku(body, "1001", 2, NOW)
    return time.perf_counter() - start


WEIRD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


KEYS = [
    "ProductId",
    "NameComplete",
    "ProductName",
    "SkuName",
    "ProductDescription",
    "BrandName",
    "IsActive",
    "AlternateIds",
    "Dimension",
    "RealDimension",
    "Images",
    "SkuSpecifications",
    "ProductSpecifications",
    "SalesChannels",
    "SkuSellers",
    "Attachments",
    "ProductCategoryIds",
    "ProductCategories",
    "MeasurementUnit",
    "UnitMultiplier",
    "IsProductActive",
    "IsBrandActive",
    "ReleaseDate",
    "IsGiftCardRecharge",
]


@given(st.dictionaries(st.sampled_from(KEYS), WEIRD))
def test_no_value_of_any_field_breaks_the_reader(body):
    record = parse_sku(copy.deepcopy(body), "1001", 2, NOW)
    assert record.content.title
    assert record.content.unit_multiplier > 0


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Light shoe</p>", "Light shoe"),
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("A<br>B<br/>C", "A\nB\nC"),
        ("<p>Has <b>bold</b>\n words</p><ul><li>x</li><li>y</li></ul>",
         "Has bold words\n\n- x\n\n- y"),
        ("caf&eacute; &amp; ch&aacute; &lt;3", "café & chá <3"),
        ("<script>alert('x')</script>ok<style>p{}</style>", "ok"),
        ("<SCRIPT src=x>evil()", ""),
        ("a<!-- hidden --> b", "a b"),
        ("2 < 3 and 5 > 4", "2 < 3 and 5 > 4"),
        ("plain\ntext", "plain\ntext"),
        ("<div></div>", ""),
        ("x\x00y", "xy"),
    ],
)  # fmt: skip
def test_descriptions_become_text(html, text):
    assert plain_text(html) == text


@given(st.text(max_size=300))
def test_any_description_becomes_text(html):
    text = plain_text(html)
    assert text == text.strip()
    assert "\n\n\n" not in text


@pytest.mark.parametrize("html", ["<" * 60_000, "<p" * 40_000, "<script" * 20_000, "<!--" * 20_000])
def test_hostile_descriptions_take_no_time(html):
    start = time.perf_counter()
    plain_text(html)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("7891234567895", True), ("96385074", True), ("036000291452", True), ("10614141000415", True),
     ("7891234567890", False), ("", False), ("0000000000000", False), ("ABC1234567890", False),
     ("٧٨٩١٢٣٤٥٦٧٨٩٥", False), ("789123456789", False)],
)  # fmt: skip
def test_gtins(text, expected):
    assert is_gtin(text) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://a/b.jpg?v=1", "https://a/b.jpg?v=1"), ("https://a/b", "https://a/b"),
     ("//a/b", "https://a/b"), ("a/b.jpg", "https://a/b.jpg"), ("HTTP://a/b", "https://a/b")],
)  # fmt: skip
def test_images_are_secure(url, expected):
    assert secure(url) == expected


def test_images_can_be_resized():
    url = "https://a.vteximg.com.br/arquivos/ids/900/ts.jpg?v=1"
    assert resized(url, 1000) == "https://a.vteximg.com.br/arquivos/ids/900-1000-1000/ts.jpg?v=1"
    assert resized(resized(url, 55), 1000) == resized(url, 1000)
    assert resized("https://cdn/x.jpg", 1000) == "https://cdn/x.jpg"


async def test_skus_are_listed_by_page(vtex, session):
    vtex.on("GET", "/stockkeepingunitidsbysaleschannel", [405380, 405381, "7", None])
    assert await list_skus(session, 3, 50) == ["405380", "405381", "7"]
    assert vtex.last.query == {"sc": "2", "page": "3", "pageSize": "50"}
    vtex.on("GET", "/stockkeepingunitidsbysaleschannel", [])
    assert await list_skus(session, 4) == []
    vtex.on("GET", "/stockkeepingunitidsbysaleschannel", {"odd": 1})
    with pytest.raises(Unwell):
        await list_skus(session, 1)


async def test_the_sales_channel_is_read(vtex, session):
    vtex.on("GET", "/api/catalog_system/pub/saleschannel/2", {
        "Id": 2, "Name": "Market", "IsActive": True, "CountryCode": "BRA", "CurrencyCode": "BRL",
    })  # fmt: skip
    found = await sales_channel(session)
    assert (found.id, found.active, found.currency, found.country, found.name) == (
        2, True, "BRL", "BRA", "Market",
    )  # fmt: skip
    vtex.on("GET", "/saleschannel/2", {"Id": 2, "IsActive": False})
    assert not (await sales_channel(session)).active
