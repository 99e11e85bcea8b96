"""What will happen in the day, drawn from the seed before it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random
from types import MappingProxyType
from typing import Any

from connector.domain.marketorder import Delivery

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Fate(StrEnum):
    """What becomes of an order."""

    DELIVERED = "delivered"
    SHIPPED = "shipped, not arrived yet"
    PARTED = "invoiced in two parts"
    WAITING = "not invoiced yet"
    ABANDONED = "never paid, given up"
    CANCELLED_EARLY = "cancelled by the buyer at once"
    CANCELLED_LATE = "cancelled by the buyer once it was in VTEX"
    CANCELLED_INVOICED = "cancelled by the buyer once it was invoiced"
    CROSSED = "cancelled by the buyer while the seller invoices"
    CANCELLED_BY_SELLER = "cancelled by the seller"
    CANCELLED_BY_BOTH = "cancelled by both at once"


class Kind(StrEnum):
    """How an order is bought."""

    PLAIN = "plain"
    PENDING = "paid later"
    DISCOUNT = "odd discount"
    COSTS = "shipping, interest and tax"
    CART = "cart of several orders"
    PICKUP = "picked up at the store"
    FOB = "brought by the marketplace"
    HINTS = "labels made by the marketplace"
    ACCEPTANCE = "seller has to accept"
    COMPANY = "bought by a company"
    LINES = "several products"


_FATES = (
    *(Fate.DELIVERED,) * 4,
    Fate.CANCELLED_LATE,
    Fate.PARTED,
    Fate.CANCELLED_BY_SELLER,
    Fate.SHIPPED,
    Fate.CANCELLED_INVOICED,
    Fate.CANCELLED_EARLY,
    Fate.DELIVERED,
    Fate.PARTED,
    Fate.WAITING,
    Fate.CROSSED,
    Fate.ABANDONED,
    Fate.CANCELLED_BY_BOTH,
    Fate.SHIPPED,
)
_RUSH = 0.4
"""Share of the buyers who go for what is nearly sold out."""
_LOW_AT = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8)
"""Shares of the day at which something runs low."""
_RUSH_S = (750.0, 1_250.0)
"""How long after that the buyers come: the marketplace shows by then how little is left."""
_TRACKINGS = ("same", "second", "by-number", "same")
_CARRIED = frozenset({Kind.FOB, Kind.HINTS})
_PEOPLE = (
    {"first_name": "Zoë", "last_name": "d'Ávila-Łuczak 李"},
    {"first_name": "José", "last_name": "Peña Muñoz"},
    {"first_name": "Şükrü", "last_name": "Çelik ✨"},
    {"first_name": "Maria das Dores", "last_name": "O'Brien & Filhos <teste>"},
    {"first_name": "Иван", "last_name": "Петров"},
    {"first_name": "Ana", "last_name": ""},
)
_COMPANY = {
    "first_name": "Émile",
    "last_name": "Brandão",
    "company_name": "Padaria São João Ltda. «A Boa»",
    "company_document": "11222333000181",
    "state_registration": "110042490114",
}


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """One order: when and how it is bought, and what becomes of it.

    ``options`` are those of ``Sale`` besides its lines; ``pauses`` the waits of its life.
    """

    number: int
    at_s: float
    kind: Kind
    fate: Fate
    quantities: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    tracking: str = "none"
    last_units: bool = False
    pauses: tuple[float, float, float] = (60.0, 60.0, 60.0)


@dataclass(frozen=True, slots=True)
class Deed:
    """Something the merchant does: the name of a method of ``Merchant`` and a number to pick by."""

    at_s: float
    name: str
    silent: bool = False


def plan_orders(
    count: int, day_s: float, rng: Random, *, taxes: bool, parts: bool = True
) -> list[OrderPlan]:
    """All orders of the day; every kind and fate comes up as often as the count allows.

    ``taxes``: VTEX's order API takes taxes on top of prices; the old one does not. ``parts``: the
    marketplace takes several invoices of one order.
    """
    kinds = _spread(tuple(Kind), count, rng)
    fates = _spread(_FATES, count, rng)
    rushes = [rng.random() < _RUSH for _ in range(count)]
    plans = [_plan_order(number, kinds[number], fates[number], rng) for number in range(count)]
    plans = [
        replace(plan, last_units=rush, at_s=_moment(day_s, rng, rush=rush))
        for plan, rush in zip(plans, rushes, strict=True)
    ]
    plans = plans if parts else [_whole(plan) for plan in plans]
    return plans if taxes else [_untaxed(plan) for plan in plans]


def _moment(day_s: float, rng: Random, *, rush: bool) -> float:
    if rush:
        return rng.choice(_LOW_AT) * day_s + rng.uniform(*_RUSH_S)
    return rng.uniform(0.02, 0.93) * day_s


def _whole(plan: OrderPlan) -> OrderPlan:
    return replace(plan, fate=Fate.DELIVERED) if plan.fate is Fate.PARTED else plan


def _untaxed(plan: OrderPlan) -> OrderPlan:
    return replace(plan, options={**plan.options, "line_tax_minor": 0})


def _spread(choices: Sequence[Any], count: int, rng: Random) -> list[Any]:
    repeated = [choices[at % len(choices)] for at in range(count)]
    rng.shuffle(repeated)
    return repeated


def _plan_order(number: int, kind: Kind, fate: Fate, rng: Random) -> OrderPlan:
    quantities: tuple[int, ...] = (rng.choice((1, 1, 1, 2, 3)),)
    if kind in {Kind.LINES, Kind.CART}:
        quantities = tuple(rng.randint(1, 3) for _ in range(rng.randint(2, 3)))
    if kind is Kind.DISCOUNT:
        quantities = (rng.choice((2, 3, 3)), *quantities)
    if fate is Fate.PARTED and sum(quantities) == 1:
        quantities = (2,)
    options = _options(kind, fate, rng)
    carried = kind in _CARRIED
    return OrderPlan(
        number=number,
        at_s=0.0,
        kind=kind,
        fate=fate,
        quantities=quantities,
        options=options,
        tracking="none" if carried or kind is Kind.PICKUP else rng.choice(_TRACKINGS),
        pauses=(rng.uniform(5, 300), rng.uniform(30, 400), rng.uniform(30, 400)),
    )


def _options(kind: Kind, fate: Fate, rng: Random) -> dict[str, Any]:
    options: dict[str, Any] = {"buyer": rng.choice(_PEOPLE)}
    match kind:
        case Kind.PENDING:
            options["pay_after_s"] = rng.uniform(120, 900)
        case Kind.DISCOUNT:
            options["discount_minor"] = rng.randrange(101, 700, 2)
            options["shipping_minor"] = rng.choice((0, 1290))
        case Kind.COSTS:
            options |= {"shipping_minor": rng.randrange(500, 4000), "interest_minor": 137}
            options["line_tax_minor"] = rng.choice((0, 89))
        case Kind.CART:
            options |= {"orders": rng.randint(2, 3), "arrive_every_s": rng.choice((0.0, 45.0))}
        case Kind.PICKUP:
            options |= {"delivery": Delivery.PICKUP, "pickup_point_id": "1_P01"}
        case Kind.FOB | Kind.HINTS:
            options["delivery"] = Delivery.MARKETPLACE
            options["labels"] = 1 if kind is Kind.HINTS else 0
        case Kind.ACCEPTANCE:
            options["accept_first"] = True
        case Kind.COMPANY:
            options["buyer"] = _COMPANY
        case _:
            pass
    if fate is Fate.ABANDONED:
        options["pay_after_s"] = None
    return options


def plan_deeds(skus: int, day_s: float, rng: Random) -> list[Deed]:
    """What the merchant changes over the day, more in larger shops."""
    counts = {
        "change_price": skus // 6 + 2,
        "change_stock": skus // 6 + 2,
        "edit_content": skus // 40 + 2,
        "deactivate": skus // 50 + 1,
        "activate": skus // 50 + 1,
        "deactivate_product": skus // 150 + 1,
        "activate_product": skus // 150 + 1,
        "leave_policy": skus // 60 + 1,
        "join_policy": skus // 100 + 1,
        "start_promotion": skus // 100 + 2,
        "take_price_away": skus // 200 + 1,
        "create_product": skus // 150 + 1,
    }
    deeds = [
        Deed(rng.uniform(0.0, 0.97) * day_s, name, silent=rng.random() < 0.15)
        for name, count in counts.items()
        for _ in range(count)
    ]
    deeds += [Deed(share * day_s, "reindex") for share in (0.3, 0.75)]
    deeds += [Deed(share * day_s, "run_low") for share in _LOW_AT]
    return sorted(deeds, key=lambda deed: deed.at_s)
