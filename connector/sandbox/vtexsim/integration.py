"""The asynchronous order-integration API (protocol 6.3, 6.4, 6.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.domain.http import Response, json_response
from connector.sandbox.vtexsim.core import query
from connector.sandbox.vtexsim.drafts import Draft, DraftError, endpoint_fault, read_new
from connector.sandbox.vtexsim.errors import error_text
from connector.sandbox.vtexsim.order_state import MANUAL, WAITING
from connector.sandbox.vtexsim.placement import Kind, PlacementRoom, Verdict
from connector.sdk.testing.simulator import route

if TYPE_CHECKING:
    from connector.domain.http import Request
    from connector.sandbox.vtexsim.state import Affiliate

_BASE = "/api/order-integration/orders"
_CODES = {
    Kind.FINE: "SOI001",
    Kind.MANUAL: "SOI001",
    Kind.UNKNOWN_SKU: "EOI004",
    Kind.UNAVAILABLE: "EOI002",
    Kind.BAD_SUM: "EOI001",
    Kind.NO_RULE: "EOI003",
    Kind.DENIED: "EOI001",
    Kind.DUPLICATE: "EOI007",
    Kind.CANCELED: "EOI001",
}
_MESSAGES = {
    "SOI001": "Order integrated",
    "SOI002": "Order approved",
    "SOI003": "Order successfully enqueued",
    "EOI000": "Unknown error",
    "EOI001": "Unmapped error",
    "EOI002": "Items or delivery not available",
    "EOI003": "Prices differ and no rule says what to do",
    "EOI004": "Invalid cart",
    "EOI005": "Validation error",
    "EOI006": "Internal instability",
    "EOI007": "Duplicate order",
    "EOI008": "Order is not integrated yet",
    "EOI009": "Order cannot be approved in its status",
    "EOI010": "Timed out",
    "EOI011": "Waiting for manual authorization",
}
PLACE, APPROVE = "PlaceOrder", "ApproveOrder"


class IntegrationRoom(PlacementRoom):
    """Queues orders and tells the connector afterwards what became of them."""

    @route("POST", _BASE)
    async def enqueue_order(self, request: Request) -> Response:
        """Take an order in; the outcome is told later to the connector's endpoint."""
        body = request.json()
        body = body if isinstance(body, dict) else {}
        if fault := endpoint_fault(body.get("connectorEndpoint"), allow_query=False):
            errors = [self._error("Order Integration", fault)]
            return json_response(self._envelope(PLACE, "EOI005", errors=errors), 400)
        affiliate = self.affiliates.get(query(request, "affiliateId").upper())
        if affiliate is None:
            errors = [self._error("Fulfillment", "FMT0021", query(request, "affiliateId"))]
            return json_response(self._envelope(PLACE, "EOI005", errors=errors), 400)
        self.record("order.enqueued", order=f"{affiliate.id}-{body.get('marketplaceOrderId')}")
        self.spawn(self._integrate_later(body, affiliate))
        if self.chance(self.settings.error_after_create):
            return self.broken()
        account = self.settings.account if self.chance(0.5) else None
        return json_response(self._envelope(PLACE, "SOI003", account=account))

    @route("PUT", _BASE + "/status")
    async def enqueue_status(self, request: Request) -> Response:
        """Take an approval in; the outcome is told later."""
        body = request.json()
        names = ("marketplaceOrderId", "connectorName", "connectorEndpoint")
        fine = isinstance(body, dict) and all(body.get(name) for name in names)
        if not fine or str(body.get("marketplaceOrderStatus", "")).lower() != "approved":
            return json_response(self._envelope(APPROVE, "EOI005"), 400)
        own_id = str(body["marketplaceOrderId"])
        self.record("order.approval_enqueued", order=own_id)
        self.spawn(self._approve_later(own_id, str(body["connectorEndpoint"])))
        return json_response(self._envelope(APPROVE, "SOI003", own_id))

    # --- processing ----------------------------------------------------------------

    async def _integrate_later(self, body: dict[str, Any], affiliate: Affiliate) -> None:
        await self.clock.sleep(self.settings.processing_delay_s)
        operation = self.token()
        own_id = str(body.get("marketplaceOrderId"))
        code, errors = self._integrate(body, affiliate)
        main = f"{affiliate.id}-{own_id}"
        if self.settings.processing_tell_delay_s:
            await self.clock.sleep(self.settings.processing_tell_delay_s)
        envelope = self._envelope(
            PLACE,
            code,
            own_id,
            operation=operation,
            errors=errors,
            main_id=main if code == "SOI001" else None,
            account=self.settings.account,
        )
        await self._tell(str(body["connectorEndpoint"]), envelope)
        if code == "SOI001" and str(body["marketplaceOrderStatus"]).lower() == "approved":
            await self._approve(main, own_id, str(body["connectorEndpoint"]), operation)

    def _integrate(
        self, body: dict[str, Any], affiliate: Affiliate
    ) -> tuple[str, list[dict[str, Any]]]:
        if self.chance(self.settings.processing_instability):
            return "EOI006", []
        try:
            draft = read_new(body)
        except DraftError as error:
            return "EOI005", [
                self._error("Order Integration", code, *values) for code, values in error.codes
            ]
        if self.chance(self.settings.processing_timeout):
            # The outcome of a time-out is open: half of those orders do exist afterwards.
            if self.chance(0.5):
                self.place(draft, affiliate)
            return "EOI010", []
        return self._outcome(draft, affiliate)

    def _outcome(self, draft: Draft, affiliate: Affiliate) -> tuple[str, list[dict[str, Any]]]:
        verdict: Verdict = self.place(draft, affiliate)
        code = _CODES[verdict.kind]
        if code.startswith("S"):
            return code, []
        source = "Checkout" if verdict.code.startswith("ORD") else "Fulfillment"
        return code, [self._error(source, verdict.code, *verdict.values)]

    async def _approve_later(self, own_id: str, endpoint: str) -> None:
        await self.clock.sleep(self.settings.processing_delay_s)
        found = [each for each in self.orders.values() if each.marketplace_order_id == own_id]
        main = next((each.order_id for each in found if each.endpoint == endpoint.rstrip("/")), "")
        await self._approve(main or (found[0].order_id if found else ""), own_id, endpoint, None)

    async def _approve(
        self, order_id: str, own_id: str, endpoint: str, operation: str | None
    ) -> None:
        code = self._approve_now(order_id)
        self.record("order.approval", order=order_id or own_id, code=code)
        envelope = self._envelope(
            APPROVE,
            code,
            own_id,
            operation=operation or self.token(),
            main_id=order_id if code == "SOI002" else None,
            account=self.settings.account,
        )
        await self._tell(endpoint, envelope)

    def _approve_now(self, order_id: str) -> str:
        order = self.orders.get(order_id)
        if order is None:
            return "EOI008"
        if order.status == MANUAL:
            return "EOI011"
        if order.status == WAITING:
            self.authorize(order)
            return "SOI002"
        ended = order.status.startswith("cancel")
        return "SOI002" if order.approved and self.settings.approve_repeat_ok and not ended else (
            "EOI009"
        )  # fmt: skip

    async def _tell(self, endpoint: str, envelope: dict[str, Any]) -> None:
        settings = self.settings
        told = {"order": envelope["marketplaceOrderId"], "code": envelope["code"]}
        if self.chance(settings.processing_loss):
            self.record("processing.lost", **told)
            return
        url = f"{endpoint.rstrip('/')}/order-integration/notification/processing-result"
        for copy in range(2 if self.chance(settings.processing_duplicate) else 1):
            for attempt in range(settings.processing_retries + 1):
                answer = await self.post_out(
                    url, envelope, "vtex.processing-result", {"an": settings.account}
                )
                if answer is not None and answer.ok:
                    self.record("processing.delivered", **told, copy=copy, attempt=attempt)
                    break
                await self.clock.sleep(settings.processing_retry_s * 2**attempt)
            else:
                self.record("processing.lost", **told)

    # --- the envelope ----------------------------------------------------------------

    def _envelope(
        self,
        flow: str,
        code: str,
        own_id: str | None = None,
        *,
        operation: str | None = None,
        errors: list[dict[str, Any]] | None = None,
        main_id: str | None = None,
        account: str | None = None,
    ) -> dict[str, Any]:
        return {
            "accountName": account,
            "success": code.startswith("S"),
            "flow": flow,
            "operationId": operation,
            "marketplaceOrderId": own_id,
            "code": code,
            "message": _MESSAGES[code],
            "errors": errors or None,
            "fields": {"mainOrderId": main_id, "franchiseOrderId": None} if main_id else None,
        }

    def _error(self, source: str, code: str, *values: object) -> dict[str, Any]:
        description = error_text(code, self.settings.locale, *values)
        return {"source": source, "code": code, "description": description}
