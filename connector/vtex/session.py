"""One VTEX account as one connection calls it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from connector.domain.http import Http, Request, Response
from connector.vtex.errors import failure

_NEEDS_ACCOUNT = ("/api/order-integration/", "/api/vtexid/")
"""Routes that also want the account as a query value (protocol 1.1)."""


@dataclass(frozen=True, slots=True)
class Session:
    """Credentials and identity of a connection; ``http`` already knows the account's host."""

    http: Http = field(repr=False)
    account: str
    affiliate_id: str
    sales_channel: int
    app_key: str
    app_token: str = field(repr=False)

    async def call(self, request: Request, *, public: bool = False) -> Response:
        """Send a request and return its success.

        Raises:
            VtexError: VTEX answered with anything else.
            HttpFailure: no answer came.
        """
        response = await self.send(request, public=public)
        error = failure(response, request.operation)
        if error is not None:
            raise error
        return response

    async def send(self, request: Request, *, public: bool = False) -> Response:
        """Send a request and return whatever VTEX answers; ``public`` leaves the key out."""
        headers = {"accept": "application/json", "content-type": "application/json"}
        if not public:
            headers["x-vtex-api-appkey"] = self.app_key
            headers["x-vtex-api-apptoken"] = self.app_token
        query = dict(request.query)
        if request.url.startswith(_NEEDS_ACCOUNT):
            query.setdefault("an", self.account)
        return await self.http.send(
            replace(request, query=query, headers={**headers, **request.headers})
        )

    def trade_policy(self) -> dict[str, str]:
        """The query that names the sales channel and the affiliate (protocol 5.1)."""
        return {"sc": str(self.sales_channel), "affiliateId": self.affiliate_id}
