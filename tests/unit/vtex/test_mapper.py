"""VTEX Mapper: the tree it takes, and mappings read out of whatever it sends."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.tree import Node, Tree, Values, Wanted
from connector.vtex.mapper import Told, read_mapping, tree_body, zipped

TREE = Tree(
    [
        Node("1", "Appliances", "", leaf=False),
        Node("1a", "Kitchen", "1", leaf=False),
        Node("1b", "Silverware ✨", "1a"),
        Node("2", "Books", ""),
        Node("3", "Orphan", "gone"),
    ]
)
COLOUR = Wanted("c", "Color", required=True, values=Values((("r", "Red"), ("b", "Blue"))))


def test_a_tree_as_mapper_takes_it():
    body = tree_body(TREE, {"1b": (COLOUR,)})
    assert body == {
        "categories": [
            {
                "id": "1",
                "name": "Appliances",
                "children": [
                    {
                        "id": "1a",
                        "name": "Kitchen",
                        "children": [
                            {
                                "id": "1b",
                                "name": "Silverware ✨",
                                "specifications": [
                                    {
                                        "attributeName": "Color",
                                        "required": True,
                                        "attributeValues": [
                                            {"valueName": "Red"},
                                            {"valueName": "Blue"},
                                        ],
                                    }
                                ],
                                "children": [],
                            }
                        ],
                    }
                ],
            },
            {"id": "2", "name": "Books", "children": []},
            {"id": "3", "name": "Orphan", "children": []},
        ]
    }
    assert json.loads(gzip.decompress(zipped(body))) == body
    assert zipped(body) == zipped(tree_body(TREE, {"1b": (COLOUR,)}))


@pytest.mark.parametrize(
    "payload",
    [
        [{"vtexCategoryId": 12, "marketplaceCategoryId": "120"}],
        {"mappings": [{"CategoryId": "12", "MappedCategoryId": "120"}]},
        {"data": {"items": {"x": {"sellerCategoryId": "12", "marketplaceId": 120}}}},
        {"categories": [{"id": "12", "marketplaceCategoryId": "120", "name": "Shirts"}]},
    ],
)
def test_categories_in_any_of_their_shapes(payload):
    assert read_mapping(payload) == [Told("120", vtex_category="12")]


def test_attributes_and_values_belong_to_what_they_are_in():
    payload = {
        "categoryMapping": [
            {
                "vtexCategoryId": "12",
                "marketplaceCategoryId": "120",
                "attributes": [
                    {
                        "vtexAttributeName": "Cor",
                        "attributeName": "Color",
                        "values": [
                            {"vtexValue": "Vermelho", "marketplaceValue": "Red"},
                            {"value": "Azul", "valueName": "Blue"},
                        ],
                    },
                    {"specificationName": "Marca", "marketplaceAttributeName": "Brand"},
                ],
            },
            {"vtexCategoryId": "13", "marketplaceCategoryId": "120"},
        ]
    }
    assert read_mapping(payload) == [
        Told("120", vtex_category="12"),
        Told("120", attribute="Color", source="Cor"),
        Told("120", attribute="Color", vtex_value="Vermelho", market_value="Red"),
        Told("120", attribute="Color", vtex_value="Azul", market_value="Blue"),
        Told("120", attribute="Brand", source="Marca"),
        Told("120", vtex_category="13"),
    ]


@pytest.mark.parametrize(
    "payload", [None, 1, "x", [], {}, [[[[]]]], {"id": "12"}, {"a": {"id": 1}}]
)
def test_what_is_no_mapping_says_nothing(payload):
    assert read_mapping(payload) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "name", "value", "vtexCategoryId", "marketplaceCategoryId"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)


@given(JSON)
def test_anything_can_be_read(payload):
    for told in read_mapping(payload):
        assert told.market_category
        assert told.vtex_category or told.attribute


def test_depth_costs_no_stack():
    payload: object = {"vtexCategoryId": "1", "marketplaceCategoryId": "2"}
    for _ in range(5_000):
        payload = [payload]
    assert read_mapping(payload) == [Told("2", vtex_category="1")]
