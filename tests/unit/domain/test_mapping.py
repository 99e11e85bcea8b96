"""Mapping contents: categories, attributes and values, and exactly what is missing."""

from __future__ import annotations

import pytest

from connector.domain.connection import Rules
from connector.domain.mapping import Fill, Filler, Lack, MarketMap, sources
from connector.domain.offer import Attribute, Content, Dimensions, MarketAttribute
from connector.domain.tree import Node, Tree, Values, Wanted

COLOUR = Wanted(
    "colour", "Colour", values=Values((("1", "Blue"), ("2", "Red"), ("3", "Azul-marinho")))
)
SIZE = Wanted("size", "Size", required=True)
PLUG = Wanted(
    "plug", "Plug", required=True, values=Values((("usb-c", "USB-C"), ("m", "Micro USB")))
)
LENGTH = Wanted("length", "Length", units=("cm",))


def content(**changes):
    fields = {
        "sku": "1",
        "product_id": "9",
        "title": "Shirt",
        "brand": "Acme",
        "category_id": "12",
        "category_path": ("Fashion", "Shirts"),
        "attributes": (
            Attribute(name="Tamanho", values=("42",), variation=True),
            Attribute(name="Cor", values=("Azul Marinho",)),
        ),
        "package": Dimensions(height_cm=2.5, weight_g=300),
    }
    return Content(**(fields | changes))


def fill(mapping=None, wanted=(), rules=None, broken=None, **changes):
    filler = Filler(mapping or MarketMap(), rules or Rules(), broken)
    return filler.fill(content(**changes), wanted)


def fills(*, values=None, category="", **by_attribute):
    made = {(category, name): Fill(*each) for name, each in by_attribute.items()}
    return MarketMap({"12": "120"}, made, values or {})


# --- categories -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mapping", "rules", "expected"),
    [
        ({"12": "120"}, {}, "120"),
        ({"12": "120"}, {"categories": {"12": "9"}, "default_category": "8"}, "120"),
        ({"13": "120"}, {"categories": {"12": "9"}, "default_category": "8"}, "9"),
        ({"13": "120"}, {"categories": {"Fashion": "7"}, "default_category": "8"}, "7"),
        ({}, {"default_category": "8"}, "8"),
    ],
)
def test_rules_are_the_lowest_layer(mapping, rules, expected):
    filled = fill(MarketMap(mapping), rules=Rules(**rules))
    assert (filled.content.market_category, filled.missing) == (expected, ())


def test_what_is_not_mapped_is_named():
    filled = fill(MarketMap({"13": "120"}))
    assert filled.content.market_category == ""
    assert filled.reasons == ("category Fashion/Shirts is not mapped",)
    assert [(each.lack, each.subject) for each in filled.missing] == [(Lack.CATEGORY, "12")]


def test_a_mapping_that_was_taken_away_leaves_nothing_behind():
    filled = fill(
        MarketMap(), market_category="120", market_attributes=(MarketAttribute(id="x", values=()),)
    )
    assert (filled.content.market_category, filled.content.market_attributes) == ("", ())


def test_a_category_that_broke_is_as_good_as_none():
    filled = fill(MarketMap({"12": "120"}), broken={"120": "is not in the marketplace's tree"})
    assert filled.content.market_category == ""
    assert filled.reasons == (
        "category Fashion/Shirts is mapped to 120, which is not in the marketplace's tree",
    )


def test_the_same_content_comes_back_where_nothing_changes():
    filler = Filler(fills(colour=("Cor",)), Rules())
    once = filler.fill(content(), (COLOUR,)).content
    assert filler.fill(once, (COLOUR,)).content is once


# --- attributes -----------------------------------------------------------------------------------


def test_a_specification_becomes_an_attribute():
    filled = fill(fills(colour=("cor",), size=("Tamanho",)), (SIZE, COLOUR))
    assert filled.content.market_attributes == (
        MarketAttribute(id="size", values=("42",)),
        MarketAttribute(id="colour", values=("Azul-marinho",), value_ids=("3",)),
    )
    assert filled.missing == ()


def test_what_is_required_and_not_mapped_blocks():
    filled = fill(fills(colour=("Cor",)), (SIZE, PLUG))
    assert [each.blocks for each in filled.missing] == [True, True]
    assert filled.reasons[0] == (
        "Size (size) of marketplace category 120 is required: nothing is mapped to it"
    )


def test_an_empty_source_is_named():
    filled = fill(fills(size=("Numero",)), (SIZE,))
    assert filled.reasons == (
        "Size (size) of marketplace category 120 is required: Numero has no value in VTEX",
    )


def test_attributes_that_are_not_known_are_filled_and_not_checked():
    filled = fill(fills(size=("Numero",), colour=("Cor",)), None)
    assert filled.missing == ()
    assert filled.content.market_attributes == (
        MarketAttribute(id="colour", values=("Azul Marinho",)),
    )


def test_a_rule_for_all_categories_is_left_out_where_the_category_has_no_such_attribute():
    assert fill(fills(size=("Tamanho",)), (COLOUR,)).content.market_attributes == ()


def test_a_categorys_own_rule_counts_before_that_for_all():
    both = MarketMap(
        {"12": "120"}, {("", "size"): Fill("Cor"), ("120", "size"): Fill("Tamanho")}, {}
    )
    assert fill(both, (SIZE,)).content.market_attributes[0].values == ("42",)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (("", "USB-C"), ("USB-C", "usb-c")),
        (("", "m"), ("Micro USB", "m")),
        (("Conector", "m"), ("Micro USB", "m")),
        (("Conector|Cor", ""), None),
    ],
)
def test_fixed_values_are_ids_or_names_and_stand_in_for_empty_sources(rule, expected):
    filled = fill(fills(plug=rule), (PLUG,))
    if expected is None:
        assert "'Azul Marinho' is none of the values" in filled.reasons[0]
    else:
        attribute = filled.content.market_attributes[0]
        assert (attribute.values[0], attribute.value_ids[0]) == expected


def test_units_come_from_the_rule_or_are_the_only_one():
    filled = fill(fills(length=("vtex:height_cm",)), (LENGTH,))
    assert filled.content.market_attributes == (
        MarketAttribute(id="length", values=("2.5",), unit="cm"),
    )
    two = Wanted("length", "Length", units=("cm", "in"))
    assert fill(fills(length=("vtex:height_cm",)), (two,)).content.market_attributes[0].unit == ""
    mapped = fills(length=("vtex:height_cm", "", "in"))
    assert fill(mapped, (two,)).content.market_attributes[0].unit == "in"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("vtex:brand", ("Acme",)),
        ("vtex:title", ("Shirt",)),
        ("vtex:category", ("Shirts",)),
        ("vtex:ean", ()),
        ("vtex:width_cm", ()),
        ("vtex:nothing", ()),
        ("TAMANHO", ("42",)),
        ("Numero|Tamanho", ("42",)),
        ("", ()),
    ],
)
def test_sources(source, expected):
    assert sources(content(), source) == expected


def test_a_specification_may_have_a_bar_in_its_name():
    odd = content(attributes=(Attribute(name="Cor|Tom", values=("Azul",)),))
    assert sources(odd, "Cor|Tom") == ("Azul",)


# --- values ---------------------------------------------------------------------------------------


def test_a_value_in_no_list_blocks_only_where_it_is_required():
    optional = fill(fills(colour=("Tamanho",)), (COLOUR,))
    assert optional.reasons == ()
    assert [(m.lack, m.value, m.blocks) for m in optional.missing] == [(Lack.VALUE, "42", False)]
    needed = Wanted("colour", "Colour", required=True, values=COLOUR.values)
    (reason,) = fill(fills(colour=("Tamanho",)), (needed,)).reasons
    assert reason.startswith("Colour (colour) of marketplace category 120: '42' is none of the")


def test_an_attribute_with_one_known_value_is_not_missing():
    needed = Wanted("colour", "Colour", required=True, values=COLOUR.values)
    filled = fill(
        fills(colour=("Cor",)),
        (needed,),
        attributes=(Attribute(name="Cor", values=("Furta-cor", "red")),),
    )
    assert filled.content.market_attributes[0].value_ids == ("2",)
    assert [each.blocks for each in filled.missing] == [False]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({("", "colour", "Azul Marinho"): "1"}, "1"),
        ({("", "colour", "azul marinho"): "Red"}, "2"),
        ({("120", "colour", "Azul Marinho"): "2", ("", "colour", "Azul Marinho"): "1"}, "2"),
        ({("120", "colour", "AZUL  MARINHO"): "2", ("120", "colour", "Azul Marinho"): "1"}, "1"),
        ({("130", "colour", "Azul Marinho"): "2"}, "3"),
    ],
)
def test_the_most_exact_value_counts(values, expected):
    filled = fill(fills(colour=("Cor",), values=values), (COLOUR,))
    assert filled.content.market_attributes[0].value_ids == (expected,)


def test_a_value_in_vtex_is_never_taken_for_an_id():
    filled = fill(
        fills(colour=("Cor",)), (COLOUR,), attributes=(Attribute(name="Cor", values=("1",)),)
    )
    assert filled.content.market_attributes == ()


def test_text_is_replaced_where_the_marketplace_takes_any():
    mapped = fills(size=("Tamanho",), values={("", "size", "42"): "42 BR"})
    assert fill(mapped, (SIZE,)).content.market_attributes[0] == MarketAttribute(
        id="size", values=("42 BR",)
    )


# --- trees ----------------------------------------------------------------------------------------

TREE = Tree(
    [
        Node("100", "Fashion", "", leaf=False),
        Node("120", "T-shirts", "100"),
        Node("130", "Trousers", "100", leaf=True),
        Node("131", "Jeans", "130"),
        Node("x", "Loop", "y"),
        Node("y", "Pool", "x"),
    ]
)


def test_a_tree_knows_paths_and_leaves():
    assert TREE.path("120") == ("Fashion", "T-shirts")
    assert TREE.shown("120") == "120 (Fashion > T-shirts)"
    assert TREE.shown("9") == "9"
    assert TREE.problem("120") == ""
    assert TREE.problem("130") == "is no leaf of the marketplace's tree"  # whatever it says itself
    assert TREE.problem("9") == "is not in the marketplace's tree"
    assert [leaf.id for leaf in TREE.leaves()] == ["120", "131"]
    assert len(TREE) == 6


def test_a_tree_with_a_loop_ends():
    assert len(TREE.path("x")) == 50


def test_the_first_of_values_with_one_name_counts():
    twice = Wanted("a", "A", values=Values((("1", "Blue"), ("2", "blue"))))
    assert twice.find("BLUE") == ("1", "Blue")
    assert twice.find("2") == ("2", "blue")
    assert twice.find("2", ids=False) is None
