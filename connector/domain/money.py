"""Money as integer minor units with its currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

_NO_MINOR_UNITS = {"CLP": 0, "PYG": 0, "JPY": 0, "KRW": 0}


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in minor units (cents where the currency has two decimals)."""

    minor: int
    currency: str

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other).minor, self.currency)

    def __mul__(self, quantity: int) -> Money:
        return Money(self.minor * quantity, self.currency)

    def __str__(self) -> str:
        return f"{self.major()} {self.currency}"

    def major(self) -> Decimal:
        """The amount in major units, exactly."""
        return Decimal(self.minor).scaleb(-decimals(self.currency))

    def _same(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise ValueError(f"cannot mix {self.currency} and {other.currency}")
        return other


def decimals(currency: str) -> int:
    """How many decimals the currency's major unit has (ISO 4217)."""
    return _NO_MINOR_UNITS.get(currency, 2)


def from_major(amount: Decimal | str | float, currency: str) -> Money:
    """Money from a decimal in major units, rounded half up to the minor unit."""
    exact = Decimal(str(amount)).scaleb(decimals(currency))
    return Money(int(exact.quantize(Decimal(1), ROUND_HALF_UP)), currency)
