"""Explain a price divergence so that a merchant can act on it (protocol 6.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.domain.money import Money


@dataclass(frozen=True, slots=True)
class Compared:
    """One line, or the freight: what the marketplace charged and what VTEX expects now."""

    name: str
    charged_minor: int
    expected_minor: int

    @property
    def difference(self) -> int:
        """Charged less expected."""
        return self.charged_minor - self.expected_minor


def explain_divergence(
    lines: Sequence[Compared], freight: Compared, currency: str, *, discount_minor: int = 0
) -> str:
    """What was charged and is expected, the difference per line, the cause, the rule to create."""
    everything = [*lines, freight]
    charged = sum(part.charged_minor for part in everything)
    expected = sum(part.expected_minor for part in everything)
    rows = [
        f"{part.name}: charged {_amount(part.charged_minor, currency)}, VTEX expects "
        f"{_amount(part.expected_minor, currency)} ({_amount(part.difference, currency)})"
        for part in everything
        if part.difference
    ]
    summary = (
        f"the marketplace charged {_amount(charged, currency)}, VTEX expects "
        f"{_amount(expected, currency)} now, difference {_amount(charged - expected, currency)}"
    )
    rule = (
        "to accept it, create a price divergence rule in VTEX (Orders > Settings > Order "
        f"authorization) that covers {_percent(charged, expected)} and retry the order"
    )
    cause = f"likely cause: {_cause(lines, freight, discount_minor)}"
    return "; ".join([summary, *rows, cause, rule])


def _cause(lines: Sequence[Compared], freight: Compared, discount: int) -> str:
    goods = sum(line.difference for line in lines)
    if not any(line.difference for line in lines) and not freight.difference:
        return "VTEX's simulation is older than the prices it placed with: retry in ten minutes"
    if not any(line.difference for line in lines):
        return "the freight charged on the marketplace is not the seller's"
    if discount and goods == -discount:
        return "a discount that the marketplace gave and VTEX does not know"
    if goods and all(line.difference <= 0 for line in lines):
        return "the price rose in VTEX, or a promotion ended, after the marketplace sold it"
    if goods and all(line.difference >= 0 for line in lines):
        return "the price fell in VTEX, or a promotion began, after the marketplace sold it"
    return "several prices changed in VTEX after the sale"


def _percent(charged: int, expected: int) -> str:
    if expected <= 0:
        return "up to 100 %"
    percent = abs(charged - expected) * 100 / expected
    return f"at least {percent:.2f} %"


def _amount(minor: int, currency: str) -> str:
    return str(Money(minor, currency))
