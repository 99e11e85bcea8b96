"""The id VTEX gets for an order: stable, safe in a URL, different for different orders."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from connector.domain.order import order_ref


@pytest.mark.parametrize("key", ["C-000001", "a", "2000_77-X", "x" * 60])
def test_a_safe_key_stays_as_it_is(key: str):
    assert order_ref(key) == key


@pytest.mark.parametrize("key", ["", "a b", "a/b", "é", "x" * 61, "a:b", "../../etc", "a\n", "💥"])
def test_any_other_key_becomes_safe_and_stays_the_same(key: str):
    ref = order_ref(key)
    assert ref == order_ref(key)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,60}", ref)
    assert quote(ref, safe="") == ref


@pytest.mark.parametrize(("one", "other"), [("a b", "a.b"), ("x" * 61, "x" * 62), ("é", "è")])
def test_keys_that_look_alike_do_not_collide(one: str, other: str):
    assert order_ref(one) != order_ref(other)


def test_a_reference_of_a_reference_is_itself():
    for key in ("a b", "ü" * 80, "ok"):
        assert order_ref(order_ref(key)) == order_ref(key)
