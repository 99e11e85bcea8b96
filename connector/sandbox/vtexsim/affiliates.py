"""The affiliates API (protocol 2.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from connector.domain.http import Response, json_response
from connector.sandbox.vtexsim.core import VtexCore
from connector.sandbox.vtexsim.state import Affiliate
from connector.sdk.testing.simulator import route

if TYPE_CHECKING:
    from connector.domain.http import Request

_BASE = "/api/fulfillment/pvt/affiliates"
_VERSION = re.compile(r"^\d+\.(x|\d+)\.(x|\d+)$")


class AffiliateRoom(VtexCore):
    """Keeps the seller's records of marketplaces."""

    def add_affiliate(
        self, affiliate_id: str, *, search_uri: str | None = None, sales_channel: int | None = None
    ) -> Affiliate:
        """Register a marketplace as the seller would in the admin."""
        channel = self.settings.sales_channel if sales_channel is None else sales_channel
        affiliate = Affiliate(affiliate_id, f"Affiliate {affiliate_id}", channel, search_uri)
        self.affiliates[affiliate_id] = affiliate
        self.record("affiliate.saved", affiliate=affiliate_id, search_uri=search_uri)
        return affiliate

    @route("GET", _BASE)
    async def list_affiliates(self, request: Request) -> Response:
        """All affiliates."""
        del request
        return json_response([_as_json(each) for each in self.affiliates.values()])

    @route("GET", _BASE + "/{affiliate_id}")
    async def get_affiliate(self, request: Request, affiliate_id: str) -> Response:
        """One affiliate; 404 where the id is free."""
        del request
        affiliate = self.affiliates.get(affiliate_id.upper())
        if affiliate is None:
            return self.refuse("FMT0021", affiliate_id, status=404)
        return json_response(_as_json(affiliate))

    @route("PUT", _BASE + "/{affiliate_id}")
    async def put_affiliate(self, request: Request, affiliate_id: str) -> Response:
        """Create or replace an affiliate; keys are read whatever their letter case."""
        payload = request.json()
        values = {k.lower(): v for k, v in payload.items()} if isinstance(payload, dict) else {}
        own = affiliate_id.upper()
        fault = self._fault(own, values)
        if fault:
            return self.refuse(fault)
        self.affiliates[own] = Affiliate(
            id=own,
            name=values["name"],
            sales_channel=int(values["saleschannel"]),
            search_uri=values.get("searchuriendpoint") or None,
            follow_up_email=values.get("followupemail") or "",
            version=values.get("searchuriendpointversion") or "1.x.x",
            versions=tuple(values.get("searchuriendpointavailableversions") or ("1.x.x",)),
            minimum=values.get("minimumvalueaccumulated"),
            seller_payment=bool(values.get("usesellerpaymentmethod")),
        )
        self.record("affiliate.saved", affiliate=own, search_uri=self.affiliates[own].search_uri)
        return Response(204)

    @route("DELETE", _BASE + "/{affiliate_id}")
    async def delete_affiliate(self, request: Request, affiliate_id: str) -> Response:
        """Forget an affiliate."""
        del request
        if self.affiliates.pop(affiliate_id.upper(), None) is None:
            return self.refuse("FMT0021", affiliate_id, status=404)
        self.record("affiliate.deleted", affiliate=affiliate_id.upper())
        return Response(204)

    def _fault(self, affiliate_id: str, values: dict[str, Any]) -> str | None:
        name, email = values.get("name"), values.get("followupemail")
        channel = str(values.get("saleschannel") or "")
        taken = {each.name for each in self.affiliates.values() if each.id != affiliate_id}
        checks = (
            ("FMT0031", bool(re.fullmatch(r"[A-Z]{3}", affiliate_id))),
            ("FMT0034", isinstance(name, str) and bool(name.strip())),
            ("FMT0035", name not in taken),
            ("FMT0032", email in {None, "", "null"} or "@" in str(email)),
            ("FMT0036", channel.isdigit() and int(channel) in self.catalog.policies),
            ("FMT0029", _VERSION.match(values.get("searchuriendpointversion") or "1.x.x")),
        )
        return next((code for code, fine in checks if not fine), None)


def _as_json(affiliate: Affiliate) -> dict[str, Any]:
    return {
        "id": affiliate.id,
        "followUpEmail": affiliate.follow_up_email,
        "useSellerPaymentMethod": affiliate.seller_payment,
        "name": affiliate.name,
        "salesChannel": str(affiliate.sales_channel),
        "searchURIEndpoint": affiliate.search_uri,
        "searchURIEndpointVersion": affiliate.version,
        "searchURIEndpointAvailableVersions": list(affiliate.versions),
        "minimumValueAccumulated": affiliate.minimum,
    }
