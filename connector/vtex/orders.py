"""Placing and authorising orders through either of VTEX's order APIs (protocol 6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote

from connector.domain.http import Request, Response, json_request, parse_json
from connector.vtex.errors import (
    Code,
    Denied,
    ErrorDetail,
    Throttled,
    failure,
    normalise_code,
    parse_error,
)
from connector.vtex.order_bodies import classic_body, integration_body
from connector.vtex.placing import PlaceLine, PlaceOrder, check_order, fill_gaps
from connector.vtex.reactions import ReactionKind, Verdict, react
from connector.vtex.session import Session
from connector.vtex.wire import as_bool, as_text, lowered, maps

__all__ = [
    "Envelope",
    "PlaceLine",
    "PlaceOrder",
    "PlacementAnswer",
    "authorize_classic",
    "authorize_integration",
    "check_order",
    "classic_body",
    "fill_gaps",
    "integration_body",
    "judge",
    "parse_envelope",
    "place_classic",
    "place_integration",
    "vtex_order_id",
]

_DONE = frozenset({ReactionKind.OK, ReactionKind.QUEUED})


@dataclass(frozen=True, slots=True)
class Envelope:
    """What order integration says, in an answer or in a notification (protocol 6.4)."""

    account: str
    success: bool
    flow: str
    """``PlaceOrder``, ``ApproveOrder`` or ``Unknown``."""
    operation_id: str
    ref: str
    """The marketplaceOrderId; empty in some answers."""
    code: Code
    message: str
    errors: tuple[ErrorDetail, ...] = ()
    main_order_id: str = ""

    @property
    def approves(self) -> bool:
        """Whether it is about a payment approval."""
        return self.flow.lower() == "approveorder"

    @property
    def details(self) -> tuple[ErrorDetail, ...]:
        """Its own code first, then the reasons below it."""
        message = "" if self.success else self.message
        return (ErrorDetail(self.code, message, "Order Integration"), *self.errors)


@dataclass(frozen=True, slots=True)
class PlacementAnswer:
    """What became of placing or authorising an order."""

    kind: ReactionKind
    verdict: Verdict
    vtex_order_id: str = ""
    """Where VTEX has the order now."""


def vtex_order_id(affiliate_id: str, ref: str) -> str:
    """VTEX's id of an order placed through an affiliate (protocol 6)."""
    return f"{affiliate_id}-{ref}"


def parse_envelope(body: bytes) -> Envelope | None:
    """Read an envelope; None for anything that is none. Never raises."""
    row = lowered(parse_json(body))
    code = normalise_code(as_text(row.get("code")))
    if not code or "success" not in row:
        return None
    fields = lowered(row.get("fields"))
    errors = (lowered(each) for each in maps(row.get("errors")))
    return Envelope(
        account=as_text(row.get("accountname")),
        success=as_bool(row.get("success")) is True,
        flow=as_text(row.get("flow")),
        operation_id=as_text(row.get("operationid")),
        ref=as_text(row.get("marketplaceorderid")),
        code=code,
        message=as_text(row.get("message"))[:500],
        errors=tuple(
            ErrorDetail(
                normalise_code(as_text(each.get("code"))),
                as_text(each.get("description") or each.get("message"))[:500],
                as_text(each.get("source"))[:80],
            )
            for each in errors
        ),
        main_order_id=as_text(fields.get("mainorderid")),
    )


def judge(envelope: Envelope, status: int = 200) -> Verdict:
    """What an envelope comes to; its own success flag decides where its code is unknown."""
    verdict = react(status, envelope.details)
    if envelope.success and verdict.kind not in _DONE:
        return Verdict(ReactionKind.OK, verdict.codes)
    if not envelope.success and verdict.kind in _DONE:
        return replace(
            verdict, kind=ReactionKind.ASK_PERSON, reasons=(envelope.message or envelope.code,)
        )
    return verdict


async def place_integration(session: Session, order: PlaceOrder) -> PlacementAnswer:
    """Hand an order to the asynchronous API; what becomes of it is told later (protocol 6.3).

    Raises:
        Throttled, Denied: VTEX did not look at it.
        HttpFailure: no answer came.
    """
    request = json_request(
        "POST",
        "/api/order-integration/orders",
        integration_body(order),
        query={"affiliateId": session.affiliate_id},
        operation="vtex.order-place",
    )
    return _enqueued(session, await _send(session, request), order.ref)


async def authorize_integration(
    session: Session, ref: str, connector_name: str, endpoint: str
) -> PlacementAnswer:
    """Tell the asynchronous API that an order is paid (protocol 6.6)."""
    request = json_request(
        "PUT",
        "/api/order-integration/orders/status",
        {
            "marketplaceOrderId": ref,
            "marketplaceOrderStatus": "approved",
            "connectorName": connector_name,
            "connectorEndpoint": endpoint,
        },
        operation="vtex.order-authorize",
    )
    return _enqueued(session, await _send(session, request), ref)


async def place_classic(session: Session, order: PlaceOrder) -> PlacementAnswer:
    """Place an order through the synchronous API (protocol 6.1)."""
    request = json_request(
        "POST",
        "/api/fulfillment/pvt/orders",
        classic_body(order),
        query=session.trade_policy(),
        operation="vtex.order-place",
    )
    response = await _send(session, request)
    return _answer(session, response, order.ref, _placed_id(response))


async def authorize_classic(session: Session, ref: str) -> PlacementAnswer:
    """Tell the synchronous API that an order is paid (protocol 6.2)."""
    order_id = vtex_order_id(session.affiliate_id, ref)
    request = json_request(
        "POST",
        f"/api/fulfillment/pvt/orders/{quote(order_id, safe='')}/fulfill",
        {"marketplaceOrderId": ref},
        query=session.trade_policy(),
        operation="vtex.order-authorize",
    )
    response = await _send(session, request)
    answer = _answer(session, response, ref, order_id)
    if response.status == 404 and not _has_code(answer.verdict):
        verdict = replace(answer.verdict, kind=ReactionKind.NOT_YET)
        return PlacementAnswer(verdict.kind, verdict)
    return answer


def _has_code(verdict: Verdict) -> bool:
    """Whether a verdict rests on a code of its own rather than on the HTTP status."""
    return any(code not in {"", "1"} for code in verdict.codes)


async def _send(session: Session, request: Request) -> Response:
    response = await session.send(request)
    error = failure(response, request.operation)
    if isinstance(error, (Throttled, Denied)):
        raise error
    return response


def _enqueued(session: Session, response: Response, ref: str) -> PlacementAnswer:
    """An envelope is read on any status: which one VTEX uses for refusals is not published."""
    envelope = parse_envelope(response.body)
    if envelope is None:
        verdict = react(response.status, parse_error(response))
        if verdict.kind is ReactionKind.OK:
            verdict = Verdict(ReactionKind.QUEUED)
        return _finished(session, verdict, ref, "")
    verdict = judge(envelope, response.status)
    return _finished(session, verdict, ref, envelope.main_order_id)


def _answer(session: Session, response: Response, ref: str, order_id: str) -> PlacementAnswer:
    details = () if response.ok and failure(response, "") is None else parse_error(response)
    return _finished(session, react(response.status, details), ref, order_id)


def _finished(session: Session, verdict: Verdict, ref: str, order_id: str) -> PlacementAnswer:
    known = ""
    if verdict.kind in {ReactionKind.OK, ReactionKind.EXISTS}:
        known = order_id or vtex_order_id(session.affiliate_id, ref)
    return PlacementAnswer(verdict.kind, verdict, known)


def _placed_id(response: Response) -> str:
    """The order's id wherever it stands: the answer is an array or an object (protocol 6.1)."""
    body = response.json()
    rows = maps(body) or maps([body])
    return next((found for row in rows if (found := as_text(lowered(row).get("orderid")))), "")
