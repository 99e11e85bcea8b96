"""Imports: what a lot's id says, and how far Mirakl is with each of its parts.

A lot is one import, or two that belong together (the stock and the prices of the same offers).
Its id tells all that has to be known to ask about it: ``STO01:<id>+PRI01:<id>@<seconds>``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

from adapters.mirakl.client import Mirakl, part
from adapters.mirakl.looking import find
from adapters.mirakl.products import report
from adapters.mirakl.wire import Text, Wire, object_of, rows_of
from connector.sdk import (
    Done,
    LotStatus,
    Outcome,
    Proceed,
    Refused,
    Response,
    RetryLater,
    TryAgain,
)

FIRST_LOOK_S = 45.0
STOCK_FIRST_LOOK_S = 15.0
"""Asking sooner would mostly waste one of the few questions there are."""
AGAIN_S = 60.0
STOCK_AGAIN_S = 15.0
SENT_AGAIN_S = 300.0
"""A file that waits for the operator's people may do so for days."""
GIVEN_UP_S = 21_600.0
"""An import of offers that is not done after six hours is not believed in any more."""
FAILED_AGAIN_S = 300.0
_FINISHED = frozenset({"COMPLETE", "FAILED"})
_PRODUCTS_OVER = frozenset({"COMPLETE", "CANCELLED", "FAILED", "TRANSFORMATION_FAILED"})


class Kind(StrEnum):
    """What an import is of."""

    OFFERS = "OF24"
    DELETIONS = "OF24D"
    STOCK = "STO01"
    PRICES = "PRI01"
    PRODUCTS = "P41"
    CHANGED = "P41U"
    """Products that the operator has already: whatever becomes of it, offers go on."""


@dataclass(frozen=True, slots=True)
class Lot:
    """The imports of a lot, and when they were handed in (seconds since 1970)."""

    parts: tuple[tuple[Kind, str], ...]
    since: int

    @property
    def first_look_s(self) -> float:
        """How long after it was handed in it is asked about for the first time."""
        stock = all(kind is Kind.STOCK for kind, _ in self.parts)
        return STOCK_FIRST_LOOK_S if stock else FIRST_LOOK_S

    def __str__(self) -> str:
        return "+".join(f"{kind}:{number}" for kind, number in self.parts) + f"@{self.since}"

    @classmethod
    def parse(cls, text: str) -> Lot | None:
        """Read a lot's id; None for one that is not ours."""
        told, _, since = text.rpartition("@")
        parts = [each.partition(":") for each in told.split("+")]
        kinds = set(Kind)
        if not since.isdecimal() or any(kind not in kinds or not n for kind, _, n in parts):
            return None
        return cls(tuple((Kind(kind), number) for kind, _, number in parts), int(since))


class WireImport(Wire):
    """How far an import is (OF02, STO02, PRI02, P42). A state nobody knows is not finished."""

    status: Text = ""
    import_status: Text = ""
    lines_in_error: int | None = 0
    transform_lines_in_error: int | None = 0
    has_error_report: bool | None = False
    has_new_product_report: bool | None = False
    has_transformation_error_report: bool | None = False
    integration_details: Mapping[str, int | None] | None = None
    reason_status: Text = ""

    @property
    def troubled(self) -> bool:
        """Whether anything in it went wrong."""
        details = self.integration_details or {}
        failed = (count or 0 for name, count in details.items() if name != _GOOD)
        flags = (self.has_error_report, self.has_transformation_error_report)
        return any((*flags, self.lines_in_error, self.transform_lines_in_error, *failed))


_GOOD = "products_successfully_synchronized"


@dataclass(frozen=True, slots=True)
class _Found:
    """Where one import stands; ``told`` None: Mirakl has forgotten it."""

    kind: Kind
    number: str
    told: WireImport | None

    @property
    def finished(self) -> bool:
        if self.told is None:
            return True
        if self.kind is Kind.CHANGED and self.told.import_status == "SENT":
            return True
        if self.kind in (Kind.PRODUCTS, Kind.CHANGED):
            return self.told.import_status in _PRODUCTS_OVER
        return self.told.status in _FINISHED

    @property
    def after_s(self) -> float:
        if self.told is not None and self.told.import_status == "SENT":
            return SENT_AGAIN_S
        return STOCK_AGAIN_S if self.kind is Kind.STOCK else AGAIN_S


@dataclass(frozen=True, slots=True)
class _Ended:
    """What came of one import: what went wrong by SKU, and what holds for all others."""

    outcomes: Mapping[str, Outcome]
    rest: Outcome | None


async def lot_status(mirakl: Mirakl, lot_id: str) -> LotStatus:
    """Ask how far a lot is; errors are read once all of it is over."""
    lot = Lot.parse(lot_id)
    if lot is None:
        return LotStatus(finished=True, outcomes={})
    age = mirakl.clock.now().timestamp() - lot.since
    if age < lot.first_look_s:
        return LotStatus(finished=False, outcomes={}, after_s=lot.first_look_s - max(0.0, age))
    found = [await _ask(mirakl, kind, number) for kind, number in lot.parts]
    open_ = [one for one in found if not one.finished]
    if not open_:
        return _together([await _ended(mirakl, one) for one in found])
    if age > GIVEN_UP_S and all(one.kind is not Kind.PRODUCTS for one in open_):
        return LotStatus(finished=True, outcomes={})
    return LotStatus(finished=False, outcomes={}, after_s=max(one.after_s for one in open_))


def _together(ended: Sequence[_Ended]) -> LotStatus:
    """A SKU is as well off as in the worst of its imports."""
    refused: dict[str, list[str]] = {}
    outcomes: dict[str, Outcome] = {}
    for one in ended:
        for sku, outcome in one.outcomes.items():
            outcomes[sku] = outcome
            if isinstance(outcome, Refused):
                refused.setdefault(sku, []).extend(outcome.reasons)
    outcomes |= {sku: Refused(tuple(dict.fromkeys(why))) for sku, why in refused.items()}
    worst = [one.rest for one in ended if not isinstance(one.rest, Done)]
    return LotStatus(finished=True, outcomes=outcomes, rest=worst[0] if worst else Done())


# --- asking ---------------------------------------------------------------------------------------


async def _ask(mirakl: Mirakl, kind: Kind, number: str) -> _Found:
    match kind:
        case Kind.OFFERS | Kind.DELETIONS:
            path, operation = f"/api/offers/imports/{part(number)}", "OF02.offers-status"
        case Kind.STOCK:
            path = f"/api/offers/stock/imports/{part(number)}/status"
            operation = "STO02.stock-status"
        case Kind.PRICES:
            return await _ask_prices(mirakl, number)
        case _:
            path, operation = f"/api/products/imports/{part(number)}", "P42.products-status"
    response = await mirakl.get(path, operation, ok=(404,))
    told = None if response.status == 404 else _read(object_of(response))
    return _Found(kind, number, told)


async def _ask_prices(mirakl: Mirakl, number: str) -> _Found:
    query = {"import_id": number}
    response = await mirakl.get(
        "/api/offers/pricing/imports", "PRI02.prices-status", query=query, ok=(404,)
    )
    rows = [] if response.status == 404 else rows_of(response, "data")
    told = [_read(row) for row in rows if str(row.get("import_id")) == number]
    return _Found(Kind.PRICES, number, told[0] if told else None)


def _read(payload: Mapping[str, object]) -> WireImport:
    try:
        return WireImport.model_validate(payload)
    except ValidationError:
        raise RetryLater("Mirakl's answer about an import cannot be read") from None


# --- endings --------------------------------------------------------------------------------------


async def _ended(mirakl: Mirakl, found: _Found) -> _Ended:
    if found.told is None:
        return _Ended({}, None)
    if found.kind in (Kind.PRODUCTS, Kind.CHANGED):
        return await _products_ended(mirakl, found, found.told)
    return await _offers_ended(mirakl, found, found.told)


async def _offers_ended(mirakl: Mirakl, found: _Found, told: WireImport) -> _Ended:
    if told.status == "FAILED":
        return _Ended({}, TryAgain(told.reason_status or "the import failed", FAILED_AGAIN_S))
    if not told.troubled:
        return _Ended({}, Done())
    if not told.has_error_report:
        return _Ended({}, None)
    number = part(found.number)
    path, operation = {
        Kind.OFFERS: (f"/api/offers/imports/{number}/error_report", "OF03.offers-errors"),
        Kind.DELETIONS: (f"/api/offers/imports/{number}/error_report", "OF03.offers-errors"),
        Kind.STOCK: (f"/api/offers/stock/imports/{number}/error_report", "STO03.stock-errors"),
        Kind.PRICES: (f"/api/offers/pricing/imports/{number}/error_report", "PRI03.prices-errors"),
    }[found.kind]
    errors = report((await _file(mirakl, path, operation)).body, mirakl.settings)
    if errors is None:
        return _Ended({}, None)
    if found.kind is Kind.DELETIONS:
        # What was not there to be deleted is as gone as it was asked to be.
        there = await find(mirakl, list(errors))
        errors = {sku: reasons for sku, reasons in errors.items() if sku in there}
    return _Ended({sku: Refused(reasons) for sku, reasons in errors.items()}, Done())


async def _products_ended(mirakl: Mirakl, found: _Found, told: WireImport) -> _Ended:
    """Products in an error report are refused; the others are known, or were never looked at."""
    refused: dict[str, Outcome] = {}
    unreadable = False
    reports = (
        (told.has_transformation_error_report, "transformation_error_report", "P47.errors"),
        (told.has_error_report, "error_report", "P44.errors"),
    )
    for there, name, operation in reports:
        if there:
            errors = report((await _product_file(mirakl, found, name, operation)).body,
                            mirakl.settings)  # fmt: skip
            unreadable |= errors is None
            refused |= {sku: Refused(reasons) for sku, reasons in (errors or {}).items()}
    good: Outcome = Done() if found.kind is Kind.CHANGED else Proceed("the product is known now")
    if told.import_status not in ("COMPLETE", "SENT"):
        why = told.reason_status or f"the product import ended as {told.import_status}"
        return _Ended(refused, TryAgain(why, FAILED_AGAIN_S))
    if not unreadable:
        return _Ended(refused, good)
    if told.has_new_product_report:
        added = await _product_file(mirakl, found, "new_product_report", "P45.added")
        refused |= dict.fromkeys(report(added.body, mirakl.settings) or {}, good)
    why = f"the report of product import {found.number} can only be read in the back office"
    return _Ended(refused, Refused((why,)))


async def _product_file(mirakl: Mirakl, found: _Found, name: str, operation: str) -> Response:
    path = f"/api/products/imports/{part(found.number)}/{name}"
    return await _file(mirakl, path, operation)


async def _file(mirakl: Mirakl, path: str, operation: str) -> Response:
    return await mirakl.get(path, operation, accept="*/*")
