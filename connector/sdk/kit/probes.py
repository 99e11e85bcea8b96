"""Every call of an adapter, ready to be made while the marketplace misbehaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connector.sdk.adapter import Adapter
from connector.sdk.kit import sample
from connector.sdk.kit.bench import Bench
from connector.sdk.kit.shelf import sell_one
from connector.sdk.values import METHODS, Capability, Done, Gone, Outcome, Refused

_ARRIVED = datetime(2026, 1, 5, tzinfo=UTC)
LISTING = ("create", "update_content", "update_price_stock", "block", "delete")
SILENT = ("accept", "cancel", "send_invoice", "send_tracking", "send_delivered")
"""Operations whose answer nobody needs to read."""


@dataclass(frozen=True)
class Answer:
    """What a call came to: ``raised``, or ``returned``."""

    operation: str
    raised: Exception | None = None
    returned: Any = None

    @property
    def outcomes(self) -> Mapping[str, Outcome] | None:
        """The outcomes per SKU, where it is a listing call that returned."""
        listing = self.operation in LISTING and self.raised is None
        return self.returned if listing else None

    @property
    def settled(self) -> bool:
        """Whether something was said to be done, refused or gone."""
        return any(isinstance(end, Done | Refused | Gone) for end in (self.outcomes or {}).values())

    def __str__(self) -> str:
        if self.raised is not None:
            return f"{self.operation}() raised {type(self.raised).__name__}: {self.raised}"
        return f"{self.operation}() returned {self.returned!r}"


Call = Callable[[Adapter[Any]], Awaitable[Any]]


@dataclass(frozen=True)
class Probes:
    """Every declared call of an adapter, about things that exist on the bench."""

    bench: Bench
    calls: Mapping[str, Call]

    def only(self, operation: str) -> Probes:
        """One call alone."""
        return Probes(self.bench, {operation: self.calls[operation]})

    async def make(self, adapter: Adapter[Any] | None = None) -> list[Answer]:
        """Make every call once; those that send nothing are left out."""
        answers = []
        for operation, call in self.calls.items():
            before = len(self.bench.door.seen)
            try:
                answer = Answer(operation, returned=await call(adapter or self.bench.adapter))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
                answer = Answer(operation, raised=error)
            if len(self.bench.door.seen) > before:
                answers.append(answer)
        return answers


async def probes(bench: Bench) -> Probes:
    """List and sell something while all is well; then every call has something to speak of."""
    offer, new = bench.offer("probe-1"), bench.offer("probe-2")
    terms, key = offer.terms, "probe-order"
    if bench.has(Capability.CREATE):
        order = await sell_one(bench, "probe-1")
        key = order.key
        terms = offer.terms.model_copy(update={"market_id": await _market_id(bench, "probe-1")})
    invoice = sample.invoice("1", 100, terms.currency, offer.sku, 1)
    category, title = bench.simulator.some_category(), offer.content.title
    calls: dict[str, Call] = {
        "check": lambda it: it.check(),
        "order": lambda it: it.order(key),
        "orders_since": lambda it: it.orders_since(""),
        "find": lambda it: it.find([offer.sku]),
        "categories": lambda it: it.categories(),
        "attributes": lambda it: it.attributes(category),
        "category_by_ean": lambda it: it.category_by_ean(offer.content.ean),
        "predict_category": lambda it: it.predict_category(title),
        "create": lambda it: it.create([new]),
        "update_content": lambda it: it.update_content([offer.model_copy(update={"terms": terms})]),
        "update_price_stock": lambda it: it.update_price_stock([terms]),
        "block": lambda it: it.block([terms]),
        "delete": lambda it: it.delete([terms]),
        "accept": lambda it: it.accept(key),
        "cancel": lambda it: it.cancel(key, "out of stock"),
        "send_invoice": lambda it: it.send_invoice(key, invoice),
        "send_tracking": lambda it: it.send_tracking(key, sample.tracking("1")),
        "send_delivered": lambda it: it.send_delivered(key, "1", _ARRIVED),
    }
    declared = {METHODS[each] for each in bench.adapter.capabilities} | {"check", "order"}
    return Probes(bench, {name: call for name, call in calls.items() if name in declared})


async def _market_id(bench: Bench, sku: str) -> str:
    if not bench.has(Capability.FIND):
        return ""
    found = await bench.adapter.find([sku])
    return found[sku].market_id if sku in found else ""
