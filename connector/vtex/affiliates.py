"""The seller's record of our marketplace (protocol 2.2)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from connector.domain.http import Request, json_request
from connector.domain.offer import Value
from connector.vtex.errors import Missing, nonsense
from connector.vtex.session import Session
from connector.vtex.wire import as_bool, as_int, as_list, as_text, lowered

SEARCH_VERSION = "1.x.x"
"""The only version of search endpoints there is (protocol 2.1)."""


class Affiliate(Value):
    """One affiliate; ``search_url`` receives catalog notifications."""

    id: str
    name: str
    sales_channel: str
    email: str = ""
    search_url: str = ""
    search_version: str = SEARCH_VERSION
    search_versions: tuple[str, ...] = (SEARCH_VERSION,)
    use_seller_payment: bool = False
    minimum_minor: int | None = None
    """Smallest total an order may have."""


async def get_affiliate(session: Session, affiliate_id: str) -> Affiliate | None:
    """The affiliate, or None where the id is free."""
    request = Request("GET", _path(affiliate_id), operation="vtex.affiliate-read")
    try:
        response = await session.call(request)
    except Missing:
        return None
    body = response.json()
    if not isinstance(body, dict):
        raise nonsense(request.operation, response)
    return parse_affiliate(body, affiliate_id)


async def put_affiliate(session: Session, affiliate: Affiliate) -> None:
    """Create the affiliate, or replace what it says."""
    await session.call(
        json_request(
            "PUT",
            _path(affiliate.id),
            affiliate_body(affiliate),
            operation="vtex.affiliate-write",
        )
    )


def parse_affiliate(body: dict[str, Any], affiliate_id: str) -> Affiliate:
    """Read an affiliate; the e-mail may literally be ``"null"``."""
    row = lowered(body)
    email = as_text(row.get("followupemail"))
    versions = tuple(
        as_text(each) for each in as_list(row.get("searchuriendpointavailableversions"))
    )
    return Affiliate(
        id=as_text(row.get("id")) or affiliate_id,
        name=as_text(row.get("name")),
        sales_channel=as_text(row.get("saleschannel")),
        email="" if email == "null" else email,
        search_url=as_text(row.get("searchuriendpoint")),
        search_version=as_text(row.get("searchuriendpointversion")) or SEARCH_VERSION,
        search_versions=versions or (SEARCH_VERSION,),
        use_seller_payment=as_bool(row.get("usesellerpaymentmethod")) or False,
        minimum_minor=as_int(row.get("minimumvalueaccumulated")),
    )


def affiliate_body(affiliate: Affiliate) -> dict[str, Any]:
    """An affiliate as VTEX takes it."""
    return {
        "id": affiliate.id,
        "name": affiliate.name,
        "followUpEmail": affiliate.email,
        "salesChannel": affiliate.sales_channel,
        "searchURIEndpoint": affiliate.search_url or None,
        "searchURIEndpointVersion": affiliate.search_version,
        "searchURIEndpointAvailableVersions": list(affiliate.search_versions),
        "useSellerPaymentMethod": affiliate.use_seller_payment,
        "minimumValueAccumulated": affiliate.minimum_minor,
    }


def _path(affiliate_id: str) -> str:
    return f"/api/fulfillment/pvt/affiliates/{quote(affiliate_id, safe='')}"
