"""Fold a marketplace order's discounts into prices, so that VTEX's total is exact to the cent.

VTEX has no discount fields: prices are per unit, after discount (protocol 6.5, scenario 4). What a
unit price cannot express goes to the freight, else the line is split in two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from connector.domain.marketorder import Delivery, Line, MarketOrder


class DoesNotAddUp(ValueError):
    """The marketplace's own amounts contradict each other, or no exact split exists."""


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A line as VTEX takes it; ``price_minor`` is per sold unit, shipping for the whole line."""

    sku: str
    quantity: int
    price_minor: int
    shipping_minor: int = 0
    tax_minor: int = 0

    @property
    def total_minor(self) -> int:
        """What the goods of this line cost."""
        return self.price_minor * self.quantity


def allocate(amount: int, weights: Sequence[int]) -> list[int]:
    """Split ``amount`` by ``weights`` into whole numbers that sum to it (largest remainder)."""
    total = sum(weights)
    if total <= 0:
        parts = [0] * len(weights)
        if parts and amount:
            parts[0] = amount
        return parts
    exact = [amount * weight for weight in weights]
    parts = [share // total for share in exact]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(exact[i] % total), i))
    for index in by_remainder[: amount - sum(parts)]:
        parts[index] += 1
    return parts


def fold(order: MarketOrder) -> tuple[PricedLine, ...]:
    """The order's lines with every discount inside prices and freight; the sum equals the total.

    Raises:
        DoesNotAddUp: with the amounts that contradict each other.
    """
    expected = goods_total(order) + freight_total(order) + tax_total(order) + order.interest_minor
    if expected != order.total_minor:
        raise DoesNotAddUp(
            f"lines {goods_total(order)} + shipping {freight_total(order)} + tax "
            f"{tax_total(order)} + interest {order.interest_minor} = {expected}, but the "
            f"marketplace says {order.total_minor} (minor units)"
        )
    lines = _merged(order.lines)
    goods = [line.unit_price_minor * line.quantity - line.discount_minor for line in lines]
    goods = _take_off(goods, lines, order.discount_minor)
    if min(goods, default=0) < 0:
        raise DoesNotAddUp("a discount is larger than what it is taken off")
    freight = allocate(order.shipping_minor, goods)
    carries_freight = order.delivery in {Delivery.SELLER, Delivery.PICKUP}
    folded: list[PricedLine] = []
    for line, total, share in zip(lines, goods, freight, strict=True):
        folded.extend(_price_line(line, total, share, carries_freight=carries_freight))
    _verify(folded, order)
    return tuple(folded)


def goods_total(order: MarketOrder) -> int:
    """What the buyer pays for the goods, after all discounts."""
    lines = sum(line.unit_price_minor * line.quantity - line.discount_minor for line in order.lines)
    return lines - order.discount_minor


def freight_total(order: MarketOrder) -> int:
    """What the buyer pays for shipping."""
    return order.shipping_minor + sum(line.shipping_minor for line in order.lines)


def tax_total(order: MarketOrder) -> int:
    """Taxes on top of the prices."""
    return sum(line.tax_minor for line in order.lines)


def _merged(lines: Sequence[Line]) -> list[Line]:
    """Lines of one SKU at one price become one: VTEX misreads repeated SKUs (KI 732529)."""
    merged: dict[tuple[str, int], Line] = {}
    for line in lines:
        key = (line.sku, line.unit_price_minor)
        if (seen := merged.get(key)) is None:
            merged[key] = line
            continue
        merged[key] = seen.model_copy(
            update={
                "quantity": seen.quantity + line.quantity,
                "discount_minor": seen.discount_minor + line.discount_minor,
                "shipping_minor": seen.shipping_minor + line.shipping_minor,
                "tax_minor": seen.tax_minor + line.tax_minor,
            }
        )
    return list(merged.values())


def _take_off(goods: list[int], lines: Sequence[Line], discount: int) -> list[int]:
    """Take an order's discount off its lines so that as few as possible become indivisible.

    After the proportional split, each line that does not divide gives its residue to a line of one
    unit, which can carry any amount.
    """
    after = [have - part for have, part in zip(goods, allocate(discount, goods), strict=True)]
    if not discount:
        return after
    single = next((i for i, line in enumerate(lines) if line.quantity == 1), None)
    if single is None:
        return after
    for i, line in enumerate(lines):
        residue = after[i] % line.quantity
        after[i] -= residue
        after[single] += residue
    return after


def _price_line(line: Line, total: int, share: int, *, carries_freight: bool) -> list[PricedLine]:
    unit, residue = divmod(total, line.quantity)
    priced = PricedLine(
        sku=line.sku,
        quantity=line.quantity,
        price_minor=unit,
        shipping_minor=line.shipping_minor + share,
        tax_minor=line.tax_minor,
    )
    if residue == 0:
        return [priced]
    if carries_freight:
        return [replace(priced, shipping_minor=priced.shipping_minor + residue)]
    dearer = PricedLine(sku=line.sku, quantity=residue, price_minor=unit + 1)
    return [replace(priced, quantity=line.quantity - residue), dearer]


def _verify(lines: Sequence[PricedLine], order: MarketOrder) -> None:
    total = sum(line.total_minor + line.shipping_minor + line.tax_minor for line in lines)
    if total + order.interest_minor != order.total_minor:
        raise DoesNotAddUp(f"folded total {total} is not the marketplace's {order.total_minor}")
