"""Invoices as VTEX tells them, in callbacks and in orders (protocol 7.2, 8.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.domain.marketorder import Invoice, Tracking
from connector.vtex.bodies import BadBody
from connector.vtex.wire import as_int, as_text, lowered, maps, parse_date

MOST_NUMBER = 200
"""Longest invoice number taken."""


@dataclass(frozen=True, slots=True)
class ParsedInvoice:
    """One invoice; ``returned`` when goods came back (type Input)."""

    invoice: Invoice
    returned: bool = False
    tracking: Tracking | None = None


def read_invoice(row: Mapping[str, Any], currency: str, number: str) -> ParsedInvoice:
    """An invoice from a callback's object, its keys in lower case.

    Raises:
        BadBody: its number or value cannot be used.
    """
    known = as_text(row.get("invoicenumber")) or number.strip()
    if not known:
        raise BadBody("invoiceNumber is missing")
    if len(known) > MOST_NUMBER:
        raise BadBody("invoiceNumber is too long")
    rows = [lowered(each) for each in maps(row.get("items"))]
    return ParsedInvoice(
        invoice=Invoice(
            number=known,
            value_minor=_value(row.get("invoicevalue"), rows),
            currency=currency,
            issued_at=parse_date(row.get("issuancedate")),
            key=as_text(row.get("invoicekey")),
            url=as_text(row.get("invoiceurl")),
            xml=as_text(row.get("embeddedinvoice")),
            items=_items(rows),
        ),
        returned=as_text(row.get("type")).lower() == "input",
        tracking=read_tracking(row, known),
    )


def read_tracking(row: Mapping[str, Any], number: str) -> Tracking | None:
    """How the parcel travels; None while there is neither number nor link (protocol 7.2)."""
    tracking = as_text(row.get("trackingnumber"))
    url = as_text(row.get("trackingurl"))
    if not tracking and not url:
        return None
    return Tracking(
        invoice_number=number.strip(),
        courier=as_text(row.get("courier")) or as_text(row.get("carrier")),
        number=tracking,
        url=url,
        dispatched_at=as_text(row.get("dispatcheddate")),
    )


def _value(value: Any, rows: Sequence[Mapping[str, Any]]) -> int:
    if value is None or value == "":
        return sum(
            (as_int(row.get("price")) or 0) * (as_int(row.get("quantity")) or 0) for row in rows
        )
    minor = as_int(value)
    if minor is None or minor < 0:
        raise BadBody("invoiceValue is not a whole number of cents")
    return minor


def _items(rows: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, int], ...]:
    """Quantities by SKU: a SKU may come in several lines (KI 1008459).

    Lines without a price only repeat others of the same SKU (KI 387933).
    """
    priced = {as_text(row.get("id")) for row in rows if as_int(row.get("price"))}
    found: dict[str, int] = {}
    for row in rows:
        sku, quantity = as_text(row.get("id")), as_int(row.get("quantity")) or 0
        if not sku or quantity <= 0 or (sku in priced and not as_int(row.get("price"))):
            continue
        found[sku] = found.get(sku, 0) + quantity
    return tuple(found.items())
