"""Mirakl's calls and how often each may be made, as published in its seller API specification.

Every operation of that specification states a maximum usage. Those in numbers are kept on our
side; what is allowed "at each event" needs no limit.
"""

from __future__ import annotations

from connector.sdk import Limit, Scope

MINUTE, QUARTER, HOUR, DAY = 60.0, 900.0, 3_600.0, 86_400.0

# Operation -> seconds between two calls. The name begins with Mirakl's own.
CEILINGS: dict[str, float] = {
    "OF24.offers": MINUTE,
    "OF02.offers-status": MINUTE,
    "OF03.offers-errors": MINUTE,
    "PRI01.prices": MINUTE,
    "PRI02.prices-status": MINUTE,
    "PRI03.prices-errors": MINUTE,
    "STO01.stock": MINUTE,
    "STO02.stock-status": 15.0,
    "STO03.stock-errors": MINUTE,
    "P41.products": QUARTER,
    "P42.products-status": MINUTE,
    "OR11.orders-poll": MINUTE,
    "OR31.order-fields": 0.2,
    "H11.categories": HOUR,
    # An hour for the same category, which the hub remembers; a minute between two of them.
    "PM11.attributes": MINUTE,
    "VL11.values": MINUTE,
    "A01.account": DAY,
    "DO01.document-types": DAY,
    "OF61.conditions": DAY,
    "SH21.carriers": DAY,
}

LIMITS = tuple(
    Limit(Scope.OPERATION, rate=1, per_s=seconds, operation=name)
    for name, seconds in CEILINGS.items()
)
