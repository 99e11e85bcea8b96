"""Money is whole minor units; currencies never mix and nothing is rounded silently."""

from __future__ import annotations

from decimal import Decimal

import pytest

from connector.domain.money import Money, decimals, from_major


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("199.90", "BRL", 19_990),
        (199.9, "BRL", 19_990),
        (0.1 + 0.2, "BRL", 30),
        (Decimal("0.005"), "BRL", 1),
        (Decimal("0.004"), "BRL", 0),
        ("1990", "CLP", 1_990),
        ("1990.5", "JPY", 1_991),
        ("-0.005", "BRL", -1),
        (1e7, "BRL", 1_000_000_000),
    ],
)
def test_from_major(amount: Decimal | str | float, currency: str, minor: int):
    assert from_major(amount, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(19_990, "BRL"), "199.90 BRL"),
        (Money(5, "BRL"), "0.05 BRL"),
        (Money(0, "BRL"), "0.00 BRL"),
        (Money(-101, "BRL"), "-1.01 BRL"),
        (Money(1_990, "CLP"), "1990 CLP"),
    ],
)
def test_money_reads_like_money(money: Money, text: str):
    assert str(money) == text


def test_arithmetic_stays_exact():
    total = Money(3_333, "BRL") * 3 + Money(1, "BRL") - Money(5_000, "BRL")
    assert total == Money(5_000, "BRL")


@pytest.mark.parametrize("operation", ["__add__", "__sub__"])
def test_currencies_do_not_mix(operation: str):
    with pytest.raises(ValueError, match="BRL and CLP"):
        getattr(Money(1, "BRL"), operation)(Money(1, "CLP"))


def test_an_unknown_currency_has_two_decimals():
    assert (decimals("XTS"), decimals("CLP")) == (2, 0)


@pytest.mark.parametrize("currency", ["BRL", "CLP"])
def test_major_and_back_is_the_same(currency: str):
    for minor in (0, 1, 99, 100, 12_345_678):
        assert from_major(Money(minor, currency).major(), currency).minor == minor
