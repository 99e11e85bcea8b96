"""What VTEX's catalog says of a SKU, of the SKU list and of the trade policy (protocol 4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from connector.domain.http import Request
from connector.domain.listing import SkuRecord
from connector.vtex.errors import Denied, Missing, nonsense
from connector.vtex.session import Session
from connector.vtex.sku import Gaps, parse_sku, secure, valid_gtins
from connector.vtex.wire import as_bool, as_int, as_list, as_map, as_text, maps

__all__ = ["SalesChannel", "list_skus", "parse_sku", "read_sku", "sales_channel"]

_SYSTEM = "/api/catalog_system"
_CATALOG = "/api/catalog/pvt"


@dataclass(frozen=True, slots=True)
class SalesChannel:
    """A trade policy of the store (protocol 4.10)."""

    id: int
    active: bool
    currency: str
    country: str
    """ISO 3166 alpha-3."""
    name: str


async def read_sku(session: Session, sku: str, now: datetime) -> SkuRecord:
    """Everything the catalog says of a SKU: one call, and another per gap it leaves."""
    request = Request(
        "GET",
        f"{_SYSTEM}/pvt/sku/stockkeepingunitbyid/{quote(sku, safe='')}",
        query={"sc": str(session.sales_channel)},
        operation="vtex.sku-read",
    )
    try:
        response = await session.call(request)
    except Missing:
        return SkuRecord(sku=sku, unknown=True, read_at=now)
    body = response.json()
    if not isinstance(body, dict):
        raise nonsense(request.operation, response)
    gaps = await _fill(session, sku, body)
    return parse_sku(body, sku, session.sales_channel, now, gaps=gaps)


async def list_skus(session: Session, page: int, size: int = 1000) -> list[str]:
    """One page of the trade policy's SKU ids, from page 1; empty after the last (protocol 4.1)."""
    request = Request(
        "GET",
        f"{_SYSTEM}/pvt/sku/stockkeepingunitidsbysaleschannel",
        query={"sc": str(session.sales_channel), "page": str(page), "pageSize": str(size)},
        operation="vtex.sku-list",
    )
    response = await session.call(request)
    body = response.json()
    if not isinstance(body, list):
        raise nonsense(request.operation, response)
    return [sku for each in body if (sku := as_text(each))]


async def sales_channel(session: Session) -> SalesChannel:
    """The session's trade policy."""
    request = Request(
        "GET",
        f"{_SYSTEM}/pub/saleschannel/{session.sales_channel}",
        operation="vtex.sales-channel-read",
    )
    response = await session.call(request)
    body = response.json()
    if not isinstance(body, dict):
        raise nonsense(request.operation, response)
    number = as_int(body.get("Id"))
    return SalesChannel(
        id=session.sales_channel if number is None else number,
        active=as_bool(body.get("IsActive")) is not False,
        currency=as_text(body.get("CurrencyCode")).upper(),
        country=as_text(body.get("CountryCode")).upper(),
        name=as_text(body.get("Name")),
    )


async def _fill(session: Session, sku: str, body: dict[str, Any]) -> Gaps:
    """Ask the endpoints of protocol 4.2 for what the main read left out."""
    eans: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    if not valid_gtins([as_map(body.get("AlternateIds")).get("Ean")]):
        found = await _optional(session, f"{_CATALOG}/stockkeepingunit/{sku}/ean", "sku-eans")
        eans = valid_gtins(as_list(found))
    if not maps(body.get("Images")):
        found = await _optional(session, f"{_CATALOG}/stockkeepingunit/{sku}/file", "sku-images")
        images = _file_urls(found)
    product, active, policies = as_text(body.get("ProductId")), None, None
    if product and as_bool(body.get("IsProductActive")) is None:
        found = await _optional(session, f"{_CATALOG}/product/{product}", "product-read")
        active = as_bool(as_map(found).get("IsActive"))
    if product and not isinstance(body.get("SalesChannels"), list):
        path = f"{_SYSTEM}/pvt/products/productget/{product}"
        found = await _optional(session, path, "product-policies-read")
        policies = frozenset(as_text(each) for each in as_list(as_map(found).get("ListStoreId")))
    return Gaps(eans=eans, images=images, product_active=active, policies=policies)


async def _optional(session: Session, path: str, operation: str) -> Any:
    """A fall-back's JSON; None where VTEX has none or the key has no permission for it."""
    try:
        response = await session.call(Request("GET", path, operation=f"vtex.{operation}"))
    except (Missing, Denied):
        return None
    return response.json()


def _file_urls(body: Any) -> tuple[str, ...]:
    rows = sorted(maps(body), key=lambda row: as_int(row.get("Position")) or 0)
    urls = (as_text(row.get("Url")) or as_text(row.get("FileLocation")) for row in rows)
    return tuple(dict.fromkeys(secure(url) for url in urls if url))
