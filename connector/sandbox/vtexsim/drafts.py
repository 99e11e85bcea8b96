"""Order requests of both generations, read into one shape or refused (protocol 6.1, 6.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_DURATION = re.compile(r"^\d+(bd|d|h|m)$")
_PROFILE = ("email", "firstName", "lastName", "document")


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One wanted item and how it is to be delivered; prices in cents."""

    sku_id: str
    quantity: int
    price: int
    freight: int
    sla: str | None
    channel: str


@dataclass(frozen=True, slots=True)
class Draft:
    """An order as a marketplace wants it placed."""

    marketplace_order_id: str
    endpoint: str
    lines: list[DraftLine]
    payment_value: int
    address: dict[str, Any]
    body: dict[str, Any]
    generation: str
    interest: int = 0
    taxes: int = 0
    is_fob: bool = False
    divergence_allowed: bool = True
    allowance: float = 0.0


@dataclass
class DraftError(ValueError):
    """The request is not a valid order; carries VTEX codes and the values they speak of."""

    codes: list[tuple[str, tuple[object, ...]]] = field(default_factory=list)


def read_new(body: dict[str, Any]) -> Draft:
    """Read an order-integration request.

    Raises:
        DraftError: with every code that applies.
    """
    codes = [
        *_head_codes(body, "connectorEndpoint", allow_query=False),
        *_item_codes(body.get("items"), sellers=False),
        *_profile_codes(body.get("clientProfileData")),
        *_shipping_codes(body, indexed=False),
    ]
    if str(body.get("marketplaceOrderStatus", "")).lower() not in {"new", "approved"}:
        codes.append(("1", ()))
    if not body.get("connectorName"):
        codes.append(("1", ()))
    if codes:
        raise DraftError(codes)
    shipping = body["shippingData"]
    return Draft(
        marketplace_order_id=str(body["marketplaceOrderId"]),
        endpoint=str(body["connectorEndpoint"]).rstrip("/"),
        lines=_lines(body["items"], shipping["logisticsInfo"]),
        payment_value=body["marketplacePaymentValue"],
        address=shipping["selectedAddresses"][0],
        body=body,
        generation="new",
        interest=body.get("marketplaceInterestValue") or 0,
        taxes=sum(int(tax.get("value") or 0) for tax in body.get("taxData") or ()),
        is_fob=bool(shipping.get("isFob")),
        allowance=float(body.get("priceDivergenceAllowanceRate") or 0),
    )


def read_classic(body: dict[str, Any]) -> Draft:
    """Read one element of a classic request.

    Raises:
        DraftError: with every code that applies.
    """
    codes = [
        *_head_codes(body, "marketplaceServicesEndpoint", allow_query=True),
        *_item_codes(body.get("items"), sellers=True),
        *_profile_codes(body.get("clientProfileData")),
        *_shipping_codes(body, indexed=True),
    ]
    if codes:
        raise DraftError(codes)
    shipping = body["shippingData"]
    routes = sorted(shipping["logisticsInfo"], key=lambda row: int(row["itemIndex"]))
    addresses = shipping.get("selectedAddresses") or [shipping["address"]]
    value = body["marketplacePaymentValue"]
    reference = body.get("marketplacePaymentReferenceValue")
    return Draft(
        marketplace_order_id=str(body["marketplaceOrderId"]),
        endpoint=str(body["marketplaceServicesEndpoint"]).rstrip("/"),
        lines=_lines(body["items"], routes),
        payment_value=value,
        address=addresses[0],
        body=body,
        generation="classic",
        # Interest is told as what the order would cost without it.
        interest=max(0, value - reference) if is_cents(reference) else 0,
        is_fob=bool(shipping.get("isFob", shipping.get("isFOB"))),
        divergence_allowed=body.get("isCreatedAsync") is True,
    )


def is_cents(value: object, least: int = 0) -> bool:
    """Whether a value is a whole number of cents."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def endpoint_fault(endpoint: object, *, allow_query: bool) -> str | None:
    """The code that refuses an endpoint; None where it will do."""
    if not endpoint:
        return "FMT0070"
    parts = urlsplit(str(endpoint))
    fine = parts.scheme in {"http", "https"} and parts.netloc and (allow_query or not parts.query)
    return None if fine else "CHK0146"


_Codes = list[tuple[str, tuple[object, ...]]]


def _head_codes(body: dict[str, Any], endpoint_name: str, *, allow_query: bool) -> _Codes:
    codes: _Codes = []
    if not body.get("marketplaceOrderId"):
        codes.append(("FMT015", ()))
    if fault := endpoint_fault(body.get(endpoint_name), allow_query=allow_query):
        codes.append((fault, ()))
    if not is_cents(body.get("marketplacePaymentValue")):
        codes.append(("FMT0042", ()))
    return codes


def _item_codes(items: object, *, sellers: bool) -> _Codes:
    if not isinstance(items, list) or not items:
        return [("FMT0026", ())]
    if not all(isinstance(item, dict) for item in items):
        return [("FMT0039", ())]
    codes: _Codes = []
    for item in items:
        if not item.get("id"):
            codes.append(("FMT0039", ()))
        if not is_cents(item.get("quantity"), 1):
            codes.append(("FMT0038", ()))
        if not is_cents(item.get("price")):
            codes.append(("FMT0041", ()))
        if sellers and str(item.get("seller")) != "1":
            codes.append(("FMT0040", ()))
    return codes


def _profile_codes(profile: object) -> _Codes:
    if not isinstance(profile, dict):
        return [("FMT0045", ())]
    given = {name.lower(): value for name, value in profile.items()}
    missing = [name for name in _PROFILE if not given.get(name.lower())]
    codes: _Codes = [("ORD007", (name,)) for name in missing]
    if "email" not in missing and "@" not in str(given["email"]):
        codes.append(("ORD007", ("email",)))
    return codes


def _shipping_codes(body: dict[str, Any], *, indexed: bool) -> _Codes:
    shipping = body.get("shippingData")
    items = body.get("items") if isinstance(body.get("items"), list) else []
    if not isinstance(shipping, dict):
        return [("FMT001", ())]
    addresses = shipping.get("selectedAddresses") or []
    if indexed and not addresses and isinstance(shipping.get("address"), dict):
        addresses = [shipping["address"]]
    codes = _address_codes(addresses)
    routes = shipping.get("logisticsInfo")
    rows_fine = isinstance(routes, list) and all(isinstance(row, dict) for row in routes)
    if not isinstance(routes, list) or not rows_fine or len(routes) != len(items or ()):
        return [*codes, ("FMT001", ())]
    if indexed and sorted(str(row.get("itemIndex")) for row in routes) != sorted(
        str(at) for at in range(len(routes))
    ):
        codes.append(("FMT0089", ()))
    fob = bool(shipping.get("isFob", shipping.get("isFOB")))
    for row in routes:
        codes += _route_codes(row, need_ttl=indexed and not fob, fob=fob)
    for hint in shipping.get("trackingHints") or ():
        if not hint.get("trackingId") or not hint.get("courierName"):
            codes.append(("FMT0096", ()))
    return codes


def _address_codes(addresses: list[dict[str, Any]]) -> _Codes:
    if not addresses or not isinstance(addresses[0], dict):
        return [("FMT001", ())]
    if len(addresses) > 1:
        return [("FMT0072", ())]
    address = addresses[0]
    code = str(address.get("postalCode") or "")
    if not code and not address.get("geoCoordinates"):
        return [("FMT0074", ())]
    return [("CHK0040", ("postalCode",))] if set('<>?+";%') & set(code) else []


def _route_codes(row: dict[str, Any], *, need_ttl: bool, fob: bool) -> _Codes:
    codes: _Codes = []
    ttl, estimate, sla = row.get("lockTTL"), row.get("shippingEstimate"), row.get("selectedSla")
    if need_ttl and not ttl:
        codes.append(("FMT017", ()))
    if ttl and not _DURATION.match(str(ttl)):
        codes.append(("FMT0077", (ttl,)))
    if estimate and not _DURATION.match(str(estimate)):
        codes.append(("FMT0079", (estimate,)))
    if not is_cents(row.get("price")):
        codes.append(("FMT0041", ()))
    if fob and sla and not str(sla).startswith("vtex:fob_"):
        codes.append(("FMT010", (sla,)))
    return codes


def _lines(items: list[dict[str, Any]], routes: list[dict[str, Any]]) -> list[DraftLine]:
    return [
        DraftLine(
            sku_id=str(item["id"]),
            quantity=item["quantity"],
            price=item["price"],
            freight=row["price"],
            sla=row.get("selectedSla") or None,
            channel=row.get("selectedDeliveryChannel") or "delivery",
        )
        for item, row in zip(items, routes, strict=True)
    ]
