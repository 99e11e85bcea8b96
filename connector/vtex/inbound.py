"""What VTEX sends to the hub, read as tolerantly as it is sent (protocol 3, 7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.domain.marketorder import Tracking
from connector.vtex.bodies import BadBody, load, load_object
from connector.vtex.invoices import MOST_NUMBER, ParsedInvoice, read_invoice, read_tracking
from connector.vtex.wire import as_bool, as_int, as_text, lowered, maps, parse_date

__all__ = [
    "BadBody",
    "Change",
    "ChangedItem",
    "Delivered",
    "DeliveryEvent",
    "Notification",
    "ParsedInvoice",
    "StoreConfig",
    "parse_cancel",
    "parse_change",
    "parse_date",
    "parse_delivery",
    "parse_invoice",
    "parse_notifications",
    "parse_store_config",
    "parse_tracking",
]

_SKU = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_CANONICAL = frozenset({
    "IdSku", "ProductId", "An", "IdAffiliate", "DateModified", "IsActive", "StockModified",
    "PriceModified", "HasStockKeepingUnitModified", "HasStockKeepingUnitRemovedFromAffiliate",
    "Version",
})  # fmt: skip
_MOST_NOTIFICATIONS = 10_000
_MOST_REASON = 500


@dataclass(frozen=True, slots=True)
class Notification:
    """A catalog notification: a hint to look at a SKU; None means it was not said."""

    sku: str
    account: str = ""
    affiliate: str = ""
    product_id: str = ""
    modified_at: datetime | None = None
    active: bool | None = None
    stock: bool | None = None
    price: bool | None = None
    content: bool | None = None
    removed: bool | None = None

    @property
    def all_false(self) -> bool:
        """Nothing in particular is said: look at everything again (protocol 3.4, row 6)."""
        return not (
            self.stock or self.price or self.content or self.removed or self.active is False
        )


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """The seller's configuration page was saved (protocol 3.6)."""

    account: str
    active: bool | None
    affiliate: str
    sales_channel: int | None
    email: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)
    allow_franchises: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """Something that happened to a parcel."""

    description: str
    city: str = ""
    state: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """How far a parcel is (protocol 7.3)."""

    is_delivered: bool
    at: datetime | None = None
    events: tuple[DeliveryEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangedItem:
    """An item added to or removed from an order."""

    sku: str
    quantity: int
    price_minor: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """The seller changed an order (protocol 7.5): a person has to do the same."""

    reason: str = ""
    discount_minor: int = 0
    increment_minor: int = 0
    removed: tuple[ChangedItem, ...] = ()
    added: tuple[ChangedItem, ...] = ()
    request_id: str = ""


def parse_notifications(body: bytes) -> list[Notification]:
    """The SKUs a catalog notification is about; usually one (protocol 3.1, 3.2).

    Raises:
        BadBody: it is no JSON, or no SKU id can be found in it.
    """
    value = load(body)
    if isinstance(value, dict):
        return [_notification(value)]
    rows = maps(value)
    if not rows:
        raise BadBody("the body is neither a notification nor a list of them")
    if len(rows) > _MOST_NOTIFICATIONS:
        raise BadBody(f"more than {_MOST_NOTIFICATIONS} notifications at once")
    found, problem = [], None
    for row in rows:
        try:
            found.append(_notification(row))
        except BadBody as error:
            problem = error
    if not found and problem is not None:
        raise problem
    return found


def parse_store_config(body: bytes) -> StoreConfig:
    """Read a store configuration.

    Raises:
        BadBody: it is no JSON object.
    """
    row = lowered(load_object(body))
    known = {
        "accountname", "active", "affiliateid", "saleschannel", "email", "cookie",
        "allowfranchiseaccounts",
    }  # fmt: skip
    return StoreConfig(
        account=_account(row.get("accountname")),
        active=as_bool(row.get("active")),
        affiliate=as_text(row.get("affiliateid")).upper(),
        sales_channel=as_int(row.get("saleschannel")),
        email=as_text(row.get("email")),
        cookie=as_text(row.get("cookie")),
        allow_franchises=as_bool(row.get("allowfranchiseaccounts")) or False,
        extra={key: item for key, item in row.items() if key not in known},
    )


def parse_invoice(body: bytes, currency: str, path_number: str | None = None) -> ParsedInvoice:
    """An invoice callback, with the tracking that came along (protocol 7.2).

    ``path_number`` is the invoice number in the path, where the body need not repeat it.

    Raises:
        BadBody: it is no JSON object, or its number or value cannot be used.
    """
    return read_invoice(lowered(load_object(body)), currency, path_number or "")


def parse_tracking(body: bytes, number: str) -> Tracking | None:
    """A tracking callback for one invoice; None where it tells neither number nor link.

    Raises:
        BadBody: it is no JSON object, or there is no invoice number.
    """
    if not number.strip() or len(number) > MOST_NUMBER:
        raise BadBody("the invoice number is missing or too long")
    return read_tracking(lowered(load_object(body)), number)


def parse_delivery(body: bytes) -> Delivered:
    """A tracking-events callback (protocol 7.3).

    Raises:
        BadBody: it is no JSON object.
    """
    row = lowered(load_object(body))
    events = tuple(
        DeliveryEvent(
            description=as_text(each.get("description"))[:_MOST_REASON],
            city=as_text(each.get("city")),
            state=as_text(each.get("state")),
            at=parse_date(each.get("date")),
        )
        for each in map(lowered, maps(row.get("events")))
    )
    return Delivered(
        is_delivered=as_bool(row.get("isdelivered")) is True,
        at=parse_date(row.get("delivereddate")),
        events=events,
    )


def parse_cancel(body: bytes) -> str:
    """Why VTEX cancels; empty where it does not say: older accounts send no body (protocol 7.4).

    Nothing is refused here: an error would block the seller's order for ever (KI 1198719).
    """
    try:
        row = lowered(load(body))
    except BadBody:
        return ""
    return as_text(row.get("reason"))[:_MOST_REASON]


def parse_change(body: bytes) -> Change:
    """A change of an order (protocol 7.5).

    Raises:
        BadBody: it is no JSON object.
    """
    row = lowered(load_object(body))
    return Change(
        reason=as_text(row.get("reason"))[:_MOST_REASON],
        discount_minor=as_int(row.get("discountvalue")) or 0,
        increment_minor=as_int(row.get("incrementvalue")) or 0,
        removed=_changed(row.get("itemsremoved")),
        added=_changed(row.get("itemsadded")),
        request_id=as_text(row.get("requestid")),
    )


def _notification(row: dict[str, Any]) -> Notification:
    if row.keys() <= _CANONICAL:
        product = row.get("ProductId")
        return Notification(
            _sku(row.get("IdSku")),
            _account(row.get("An")),
            as_text(row.get("IdAffiliate")).upper(),
            "" if product is None else as_text(product),
            parse_date(row.get("DateModified")),
            as_bool(row.get("IsActive")),
            as_bool(row.get("StockModified")),
            as_bool(row.get("PriceModified")),
            as_bool(row.get("HasStockKeepingUnitModified")),
            as_bool(row.get("HasStockKeepingUnitRemovedFromAffiliate")),
        )
    low = lowered(row)
    active = low.get("isactive")
    return Notification(
        sku=_sku(low.get("idsku")),
        account=_account(low.get("an")),
        affiliate=as_text(low.get("idaffiliate")).upper(),
        product_id=as_text(low.get("productid")) or as_text(low.get("idproduct")),
        modified_at=parse_date(low.get("datemodified")),
        active=as_bool(low.get("active") if active is None else active),
        stock=as_bool(low.get("stockmodified")),
        price=as_bool(low.get("pricemodified")),
        content=as_bool(low.get("hasstockkeepingunitmodified")),
        removed=as_bool(low.get("hasstockkeepingunitremovedfromaffiliate")),
    )


def _sku(value: Any) -> str:
    if isinstance(value, str) and len(value) < 20 and value.isascii() and value.isdigit():
        return value
    sku = as_text(value)
    if not sku:
        raise BadBody("IdSku is missing")
    if not _SKU.fullmatch(sku):
        raise BadBody("IdSku is no SKU id")
    return sku


def _account(value: Any) -> str:
    """An account name; seen once with its domain (protocol 3.2)."""
    return as_text(value).partition(".")[0].lower()


def _changed(value: Any) -> tuple[ChangedItem, ...]:
    return tuple(
        ChangedItem(
            sku=as_text(each.get("selleritemid")) or as_text(each.get("id")),
            quantity=as_int(each.get("quantity")) or 0,
            price_minor=as_int(each.get("price")) or 0,
        )
        for each in map(lowered, maps(value))
    )
