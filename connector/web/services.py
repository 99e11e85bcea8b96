"""The MarketplaceServicesEndpoint: VTEX tells what became of an order (protocol 7)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from connector.domain.connection import Connection, Purpose
from connector.flows.callbacks import (
    take_cancel,
    take_change,
    take_delivery,
    take_invoice,
    take_result,
    take_tracking,
)
from connector.flows.hub import Hub
from connector.flows.intake import NotYours
from connector.vtex.bodies import load_object
from connector.vtex.inbound import BadBody
from connector.vtex.orders import parse_envelope
from connector.vtex.wire import as_text, lowered
from connector.web.errors import Refused, problem, reply
from connector.web.incoming import (
    INVOICE_BODY,
    SMALL_BODY,
    decoded,
    done,
    enter,
    only,
    read_body,
    usable,
)

_INVOICE_KEYS = frozenset({"type", "invoicevalue", "issuancedate", "embeddedinvoice", "items"})
"""What a body about tracking alone does not have (protocol 7.2, 7.3)."""


@dataclass(frozen=True, slots=True)
class Call:
    """One callback: whose, about which order, and what the rest of its path says."""

    hub: Hub
    connection: Connection
    ref: str
    body: bytes
    rest: tuple[str, ...] = ()

    @property
    def number(self) -> str:
        """The invoice number in the path; one with a slash may come unencoded."""
        return "/".join(decoded(part) for part in self.rest)


Take = Callable[[Call], Awaitable[web.Response]]


async def serve(
    hub: Hub, request: web.BaseRequest, connection_id: str, secret: str, rest: Sequence[str]
) -> web.Response:
    """Answer a call below ``{base}/pub/orders`` or ``{base}/pvt/orders``."""
    connection = await enter(hub, connection_id, Purpose.SERVICES, secret)
    if len(rest) < 2:
        raise Refused
    raw_ref, action, *more = rest
    kind = _kind(action, more)
    take, methods, most = _CALLS[kind]
    only(request, *methods)
    body = await read_body(request, most)
    if kind == "delivery":
        more = more[:-1]
    return await take(Call(hub, connection, decoded(raw_ref), body, tuple(more)))


def _kind(action: str, more: Sequence[str]) -> str:
    """Which call a path is.

    Raises:
        Refused: none of ours.
    """
    match action, *more:
        case ["invoice"] | ["cancel"] | ["changes"]:
            return action
        case ["changes", _, "send-agreement"]:
            return "agreement"
        case ["invoice", _, *_, "tracking"]:
            return "delivery"
        case ["invoice", _, *_]:
            return "tracking"
        case _:
            raise Refused


async def _invoice(call: Call) -> web.Response:
    return reply(await take_invoice(call.hub, call.connection, call.ref, call.body))


async def _tracking(call: Call) -> web.Response:
    """Its tracking, or the invoice itself addressed by its number."""
    if _INVOICE_KEYS & lowered(load_object(call.body)).keys():
        told = await take_invoice(call.hub, call.connection, call.ref, call.body, call.number)
    else:
        told = await take_tracking(call.hub, call.connection, call.ref, call.number, call.body)
    return reply(told)


async def _delivery(call: Call) -> web.Response:
    told = await take_delivery(call.hub, call.connection, call.ref, call.number, call.body)
    return reply(told)


async def _cancel(call: Call) -> web.Response:
    usable(call.hub, call.connection)
    answer = await take_cancel(call.hub, call.connection, call.ref, call.body)
    if answer.receipt is None:
        return problem(409, answer.refusal)
    return reply(answer.receipt)


async def _change(call: Call) -> web.Response:
    return reply(await take_change(call.hub, call.connection, call.ref, call.body))


async def _agreement(call: Call) -> web.Response:
    """VTEX asks whether a change was understood; it is put before a person like the change."""
    request_id = decoded(call.rest[0])
    asked = lowered(load_object(call.body)) if call.body.strip() else {}
    asked |= {"requestid": request_id, "reason": as_text(asked.get("agreementtype"))}
    body = json.dumps(asked).encode()
    told = await take_change(call.hub, call.connection, call.ref, body)
    return reply({**told, "changeRequestId": request_id, "agreementType": "Acknowledgment"})


_CALLS: Mapping[str, tuple[Take, tuple[str, ...], int]] = {
    "invoice": (_invoice, ("POST",), INVOICE_BODY),
    "tracking": (_tracking, ("POST", "PUT", "PATCH"), INVOICE_BODY),
    "delivery": (_delivery, ("POST", "PUT"), SMALL_BODY),
    "cancel": (_cancel, ("POST",), SMALL_BODY),
    "changes": (_change, ("POST", "PATCH"), SMALL_BODY),
    "agreement": (_agreement, ("POST",), SMALL_BODY),
}


async def result(
    hub: Hub, request: web.BaseRequest, connection_id: str, secret: str
) -> web.Response:
    """Take what the order integration says about an order it was handed (protocol 6.4)."""
    connection = await enter(hub, connection_id, Purpose.SERVICES, secret)
    only(request, "POST")
    envelope = parse_envelope(await read_body(request))
    if envelope is None:
        raise BadBody("the body is no processing result")
    account = envelope.account.partition(".")[0].lower()
    if account and account != connection.account:
        raise NotYours("the result is about another account")
    await take_result(hub, connection, envelope)
    return done()
