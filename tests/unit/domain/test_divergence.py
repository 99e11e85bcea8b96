"""A price divergence is explained so that a merchant knows what happened and what to do."""

from __future__ import annotations

import pytest

from connector.domain.divergence import Compared, explain_divergence


def _explain(
    lines: list[tuple[int, int]], freight: tuple[int, int] = (0, 0), discount: int = 0
) -> str:
    compared = [Compared(f"SKU 100{at}", *amounts) for at, amounts in enumerate(lines, 1)]
    return explain_divergence(
        compared, Compared("freight", *freight), "BRL", discount_minor=discount
    )


def test_it_names_both_totals_every_differing_part_and_the_rule_to_create():
    text = _explain([(10_000, 12_000), (5_000, 5_000)], freight=(900, 700))
    assert "charged 159.00 BRL" in text
    assert "expects 177.00 BRL" in text
    assert "difference -18.00 BRL" in text
    assert "SKU 1001: charged 100.00 BRL, VTEX expects 120.00 BRL (-20.00 BRL)" in text
    assert "freight: charged 9.00 BRL, VTEX expects 7.00 BRL (2.00 BRL)" in text
    assert "SKU 1002" not in text
    assert "price divergence rule" in text
    assert "10.17 %" in text


@pytest.mark.parametrize(
    ("lines", "freight", "discount", "cause"),
    [
        ([(10_000, 12_000)], (0, 0), 0, "the price rose"),
        ([(10_000, 8_000)], (0, 0), 0, "the price fell"),
        ([(10_000, 12_000), (5_000, 4_000)], (0, 0), 0, "several prices"),
        ([(10_000, 10_000)], (0, 990), 0, "freight"),
        ([(9_000, 10_000)], (0, 0), 1_000, "a discount"),
        ([(10_000, 10_000)], (0, 0), 0, "older than the prices"),
    ],
)
def test_the_likely_cause(
    lines: list[tuple[int, int]], freight: tuple[int, int], discount: int, cause: str
):
    assert cause in _explain(lines, freight, discount)


def test_nothing_expected_is_a_whole_difference():
    assert "up to 100 %" in _explain([(10_000, 0)])


def test_changes_that_cancel_each_other_out_are_still_price_changes():
    """The goods' sum is the same, the lines are not: that is no stale simulation."""
    text = _explain([(10_000, 12_000), (12_000, 10_000)])
    assert "several prices" in text
