"""When VTEX does not take an order: how long it is left alone, and when a person must know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NoReturn

from connector.domain.order import Placement
from connector.domain.retry import LADDER_S
from connector.flows.orderwork import OrderWork
from connector.flows.setbacks import Again, Stuck

_PATIENCE = 5
"""How often an order that VTEX cannot deliver now is tried again before a person is asked."""
_REPLACE_AFTER = timedelta(minutes=30)
"""A refused order is sent again by itself no sooner, then after twice that, and so on."""
_SHORT_WAIT = timedelta(minutes=15)
"""A longer one is shown as parked."""


def not_too_often(work: OrderWork) -> None:
    """Whoever mentions a refused order again does not make VTEX like it better."""
    order, again = work.order, work.order.placement_retry_at
    if order.placement is not Placement.REFUSED or again is None or work.claim.hint.recheck:
        return
    rest = again - work.hub.now()
    if rest > _SHORT_WAIT:
        raise Stuck(*order.reasons, until=again)
    if rest > timedelta(0):
        raise Again(*order.reasons, after_s=rest.total_seconds())


def count_attempt(work: OrderWork) -> None:
    """An attempt that ended before anything was sent; calls that merely failed do not count."""
    work.update(placement_attempts=work.order.placement_attempts + 1)


def hold_off(work: OrderWork, reasons: Sequence[str]) -> None:
    """Stock and delivery may come back by themselves for a while; then a person must know."""
    work.update(
        placement=Placement.REFUSED,
        placement_since=work.hub.now(),
        reasons=tuple(reasons),
    )
    if work.order.placement_attempts >= _PATIENCE:
        stuck(work, *reasons)
    wait = wait_s(work)
    work.update(placement_retry_at=work.hub.now() + timedelta(seconds=wait))
    raise Again(*reasons, after_s=wait)


def stuck(work: OrderWork, *reasons: str) -> NoReturn:
    """Park it; the wait doubles with every refusal, up to most of a day."""
    again = work.hub.now() + _REPLACE_AFTER * 2 ** min(work.order.placement_attempts, 6) / 2
    work.update(placement_retry_at=again)
    raise Stuck(*reasons, until=again)


def wait_s(work: OrderWork) -> float:
    """By the order's own count: a result that arrives later has ended the key's failures."""
    return LADDER_S[min(work.order.placement_attempts, len(LADDER_S) - 1)]
