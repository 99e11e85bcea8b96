"""Place an order in VTEX exactly once: check, price, save the intent, send, judge the answer."""

from __future__ import annotations

from connector.domain.connection import Purpose
from connector.domain.divergence import Compared, explain_divergence
from connector.domain.entries import Status
from connector.domain.http import NotSent
from connector.domain.order import Placement, Step, Task, VtexView
from connector.domain.order_facts import ResultTold, add_task
from connector.domain.order_view import CARRIED_BY_MARKET, NOT_YET
from connector.domain.pricing import freight_total
from connector.flows.composing import (
    PAID,
    choose_sla,
    compose,
    fitting_slas,
    preflight,
    readable_market,
    simulate,
)
from connector.flows.orderwork import OrderWork
from connector.flows.refusals import hold_off, not_too_often, stuck, wait_s
from connector.flows.setbacks import Again
from connector.vtex.errors import Denied, ErrorDetail, Throttled, normalise_code
from connector.vtex.orders import (
    PlacementAnswer,
    PlaceOrder,
    place_classic,
    place_integration,
)
from connector.vtex.reactions import ReactionKind, Verdict, react
from connector.vtex.simulation import OrderSimulation


async def place(work: OrderWork) -> None:
    """Send the order to VTEX once everything about it holds.

    Raises:
        Again: VTEX cannot take it now.
        Stuck: somebody must mend something first; every reason is named.
    """
    not_too_often(work)
    market = readable_market(work)
    simulated = await preflight(work, market)
    order = compose(work, market, simulated)
    before = work.order.doubt_until
    placing = {
        "doubt_until": work.hub.now() + NOT_YET[work.connection.order_api],
        "placement": Placement.SENT,
        "placement_since": work.hub.now(),
        "placement_attempts": work.order.placement_attempts + 1,
        "services_generation": work.connection.current(Purpose.SERVICES).generation,
        "placed_total_minor": order.total_minor,
    }
    work.update(**placing)
    await work.save()
    try:
        answer = await _send(work, order)
    except (Throttled, Denied, NotSent):
        # VTEX did not look at it: what an earlier attempt left open stays open.
        work.update(placement=Placement.NO, doubt_until=before)
        raise
    await _judge(work, answer, simulated, paid=order.paid)


async def _send(work: OrderWork, order: PlaceOrder) -> PlacementAnswer:
    if work.connection.order_api == "classic":
        return await place_classic(work.peers.vtex, order)
    return await place_integration(work.peers.vtex, order)


# --- judging --------------------------------------------------------------------------------------


async def _judge(
    work: OrderWork, answer: PlacementAnswer, simulated: OrderSimulation, *, paid: bool
) -> None:
    """What VTEX's immediate answer means."""
    if answer.kind is ReactionKind.OK:
        _placed(work, answer.vtex_order_id)
    elif answer.kind in {ReactionKind.QUEUED, ReactionKind.EXISTS, ReactionKind.WAIT}:
        work.update(placement=Placement.QUEUED)
        if paid and work.connection.order_api == "integration":
            work.update(authorize=Step.SENT, authorize_since=work.hub.now())
    elif answer.kind is ReactionKind.RETRY:
        # It may have been created all the same: the intent stays, VTEX is asked first.
        raise Again(*answer.verdict.reasons)
    else:
        await refuse(work, answer.verdict, simulated)


async def absorb_result(work: OrderWork, result: ResultTold) -> None:
    """What the order integration reported later (protocol 6.4)."""
    details = [ErrorDetail(normalise_code(code)) for code in (result.code, *result.codes)]
    verdict = react(200, details)
    if result.flow.lower() == "approveorder":
        _approved(work, verdict, success=result.success)
    elif result.success and not work.order.placed:
        # Anybody could say so: VTEX's own order, read before this, is what counts.
        raise Again("VTEX reports the order but does not show it yet", after_s=_SHOW_AFTER_S)
    elif work.order.placed or work.order.placement is Placement.CANCELLED_BEFORE:
        return  # a late or repeated report about what is settled already
    elif verdict.kind in {ReactionKind.EXISTS, ReactionKind.WAIT}:
        work.update(placement=Placement.QUEUED)
    elif verdict.kind in {ReactionKind.RETRY, ReactionKind.NOT_YET}:
        # "Timed out" may mean that it exists all the same: VTEX is read before it is sent again.
        now = work.hub.now()
        doubt = now + NOT_YET["classic"]
        work.update(placement=Placement.SENT, placement_since=now, doubt_until=doubt)
        raise Again(*verdict.reasons, after_s=wait_s(work))
    else:
        await refuse(work, verdict, None)


def _approved(work: OrderWork, verdict: Verdict, *, success: bool) -> None:
    if success:
        return  # the status of VTEX's own order says so as well, or soon will
    if work.order.authorize is Step.SENT and verdict.kind is not ReactionKind.WAIT:
        work.update(authorize=Step.NO)


async def refuse(work: OrderWork, verdict: Verdict, simulated: OrderSimulation | None) -> None:
    """VTEX does not take the order: keep it, say why, and what helps.

    Raises:
        Again: stock or delivery, which may come back by itself.
        Stuck: everything else.
    """
    reasons = verdict.reasons or tuple(verdict.codes) or ("VTEX refused the order",)
    if verdict.kind is ReactionKind.CANCELLED_BEFORE:
        work.update(placement=Placement.CANCELLED_BEFORE, reasons=reasons)
        work.tell("; ".join(reasons), code="G", status=Status.ERROR, once="G")
        return
    work.update(placement=Placement.REFUSED, reasons=reasons, authorize=Step.NO)
    if work.order.placement_attempts <= 1:
        work.update(doubt_until=None)  # the only attempt there was
    if verdict.kind is ReactionKind.DIVERGENCE:
        now = simulated or await simulate(work, readable_market(work))
        text = divergence(work, now)
        work.update(divergence=text)
        work.update(reasons=(text,))
        work.tell(text, status=Status.ERROR, once="divergence")
        stuck(work, text)
    if verdict.kind is ReactionKind.ASK_PERSON:
        task = Task(
            id="placing",
            what="VTEX does not take the order; look at its reasons",
            why="; ".join(reasons),
            since=work.hub.now(),
        )
        work.order = add_task(work.order, task)
    work.tell("; ".join(reasons), code="D", status=Status.ERROR, once=f"refused-{verdict.codes}")
    if any(code in _AVAILABILITY for code in verdict.codes):
        hold_off(work, reasons)
    stuck(work, *reasons)


_SHOW_AFTER_S = 5.0
_AVAILABILITY = frozenset({"EOI002", "FMT003", "FMT005", "FMT010", "ORD027", "ORD028", "CHK0246"})


def _placed(work: OrderWork, order_id: str) -> None:
    first = not work.order.placed
    affiliate = work.connection.affiliate_id
    work.update(
        placement=Placement.PLACED,
        placed_at=work.order.placed_at or work.hub.now(),
        vtex_order_id=order_id if _is_ours(work, order_id) else f"{affiliate}-{work.order.ref}",
        reasons=(),
        divergence="",
        doubt_until=None,
    )
    if not first:
        return
    if work.connection.order_api == "integration" and work.order.authorize is Step.NO:
        market = work.order.market
        if market is not None and market.status in PAID and work.order.placement_since:
            work.update(authorize=Step.SENT, authorize_since=work.order.placement_since)
    text = f"order {work.order.key} was created in VTEX as {work.order.vtex_order_id}"
    work.tell(text, code="A", once="A")


def _is_ours(work: OrderWork, order_id: str) -> bool:
    """VTEX's ids carry our own: anything else would be somebody else's order (protocol 6)."""
    ours = f"{work.connection.affiliate_id}-{work.order.ref}"
    return order_id == ours or order_id.startswith(f"{ours}-")


def found_in_vtex(work: OrderWork, view: VtexView) -> None:
    """VTEX has the order: whatever we knew of sending it, it is placed. Its total is checked."""
    if not work.order.placed:
        _placed(work, view.order_id)
    expected = work.order.placed_total_minor
    if expected and view.value_minor and view.value_minor != expected:
        task = Task(
            id="total-differs",
            what="VTEX's total is not the marketplace's: correct it by hand",
            why=f"VTEX {view.value_minor}, marketplace {expected} (minor units)",
            since=work.hub.now(),
        )
        work.order = add_task(work.order, task)


def divergence(work: OrderWork, simulated: OrderSimulation) -> str:
    """The explanation a merchant gets (protocol 6.7)."""
    market = readable_market(work)
    lines = []
    expected_freight = 0
    for line in market.lines:
        item = simulated.items.get(line.sku)
        charged = line.unit_price_minor * line.quantity - line.discount_minor
        expected = item.price_minor * line.quantity if item is not None else 0
        lines.append(Compared(f"SKU {line.sku} x {line.quantity}", charged, expected))
        if item is not None and market.delivery not in CARRIED_BY_MARKET:
            chosen = choose_sla(fitting_slas(item, market), work.connection.rules, market.sla)
            expected_freight += chosen.price_minor if chosen is not None else 0
    freight = Compared("freight", freight_total(market), expected_freight)
    discount = market.discount_minor + sum(line.discount_minor for line in market.lines)
    return explain_divergence(lines, freight, market.currency, discount_minor=discount)
