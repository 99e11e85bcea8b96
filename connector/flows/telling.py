"""Tell in the user-readable log what happened to a listing (protocol 10.5)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from connector.domain.entries import Direction, Entry, Operation, Status
from connector.domain.listing import Action, Confirmed, Reason
from connector.flows.hub import Hub
from connector.flows.look import Look

_WARNINGS = frozenset({"A1", "A2", "A3"})


def tell_done(hub: Hub, look: Look, action: Action, target: Confirmed) -> Iterable[Entry]:
    """One entry per thing that changed on the marketplace."""
    before = look.listing.confirmed
    if action is Action.CREATE:
        yield _entry(hub, look, Operation.OFFER_CREATION, f"{_name(look)} was listed", code="S1")
        yield from _defaults(hub, look)
        return
    if action in {Action.BLOCK, Action.DELETE}:
        what = "blocked" if action is Action.BLOCK else "deleted"
        why = _text(look.plan.reasons) if look.plan else ""
        yield _entry(hub, look, Operation.CATALOG_CHANGE, f"{_name(look)} was {what}: {why}")
        return
    if action is Action.CONTENT:
        yield _entry(hub, look, Operation.CATALOG_CHANGE, f"content of {_name(look)} was updated")
        return
    if before is None or before.price_minor != target.price_minor:
        was = f" (was {before.price_minor})" if before and before.price_minor >= 0 else ""
        text = f"price of {_name(look)} is now {target.price_minor}{was}"
        yield _entry(hub, look, Operation.PRICE_UPDATE, text)
    if before is None or before.stock != target.stock or before.blocked:
        was = f" (was {before.stock})" if before and before.stock >= 0 else ""
        text = f"stock of {_name(look)} is now {target.stock}{was}"
        yield _entry(hub, look, Operation.INVENTORY_UPDATE, text)


def tell_refused(hub: Hub, look: Look, action: Action, reasons: Sequence[str]) -> Entry:
    """The marketplace rejected the data; all its reasons at once (E3)."""
    text = f"the marketplace rejected {_name(look)} ({action}): {'; '.join(reasons)}"
    return _entry(hub, look, _operation(action), text, code="E3", status=Status.ERROR)


def tell_gone(hub: Hub, look: Look, reason: str) -> Entry:
    """The marketplace no longer has a listing that it had confirmed."""
    text = f"the marketplace no longer has {_name(look)}: {reason or 'no reason given'}"
    return _entry(hub, look, Operation.CATALOG_CHANGE, text, status=Status.WARNING)


def tell_setback(hub: Hub, look: Look, reasons: Sequence[str]) -> Entry:
    """A step failed and is tried again (E2)."""
    text = f"{_name(look)}: {'; '.join(reasons)}; it is tried again"
    operation = Operation.CATALOG_CHANGE
    return _entry(hub, look, operation, text, code="E2", status=Status.PENDING)


def tell_reasons(hub: Hub, look: Look, reasons: Sequence[Reason]) -> list[Entry]:
    """Why it is not (wholly) published: every reason, told once until the reasons change."""
    text = "|".join(f"{reason.code}{reason.text}" for reason in reasons)
    told = hashlib.blake2b(text.encode(), digest_size=8).hexdigest() if reasons else ""
    if told == look.listing.told:
        return []
    look.update(told=told)
    return [
        _entry(
            hub,
            look,
            Operation.CATALOG_CHANGE,
            f"{_name(look)}: {reason.text}",
            code=reason.code,
            status=Status.WARNING if reason.code in _WARNINGS else Status.ERROR,
        )
        for reason in reasons
    ]


def _defaults(hub: Hub, look: Look) -> Iterable[Entry]:
    record = look.listing.record
    if record is not None and record.defaults:
        text = f"{_name(look)}: default values were used: {', '.join(record.defaults)}"
        yield _entry(hub, look, Operation.OFFER_CREATION, text, code="A3", status=Status.WARNING)


def _operation(action: Action) -> Operation:
    if action is Action.CREATE:
        return Operation.OFFER_CREATION
    return Operation.INVENTORY_UPDATE if action is Action.PRICE_STOCK else Operation.CATALOG_CHANGE


def _text(reasons: Sequence[Reason]) -> str:
    return "; ".join(reason.text for reason in reasons) or "no longer offered"


def _name(look: Look) -> str:
    record = look.listing.record
    title = record.content.title if record and record.content else ""
    market = f", {look.listing.market_id}" if look.listing.market_id else ""
    return f"{title} (SKU {look.sku}{market})" if title else f"SKU {look.sku}"


def _entry(
    hub: Hub,
    look: Look,
    operation: Operation,
    message: str,
    *,
    code: str = "",
    status: Status = Status.SUCCESS,
) -> Entry:
    plan = look.plan
    return Entry(
        connection=look.listing.connection,
        at=hub.now(),
        subject=look.sku,
        operation=operation,
        direction=Direction.TO_MARKETPLACE,
        status=status,
        code=code,
        message=message,
        source=look.listing.commercial.model_dump_json() if look.listing.commercial else "",
        translated=plan.terms.model_dump_json() if plan and plan.terms else "",
        destination=look.listing.market_id,
    )
