"""Place an order in VTEX exactly once: check, price, save the intent, send, judge the answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import NoReturn

from connector.domain.connection import Purpose, Rules, Sla
from connector.domain.divergence import Compared, explain_divergence
from connector.domain.entries import Status
from connector.domain.http import NotSent
from connector.domain.marketorder import Delivery, MarketOrder, MarketStatus
from connector.domain.order import Placement, Step, Task, VtexView
from connector.domain.order_facts import ResultTold, add_task
from connector.domain.order_view import NOT_YET
from connector.domain.pricing import DoesNotAddUp, PricedLine, fold, freight_total
from connector.domain.retry import LADDER_S
from connector.flows.orderwork import OrderWork
from connector.flows.secrets import services_endpoint
from connector.flows.setbacks import Again, Stuck
from connector.vtex import simulation
from connector.vtex.catalog import read_sku
from connector.vtex.errors import Denied, ErrorDetail, Throttled, normalise_code
from connector.vtex.orders import (
    PlaceLine,
    PlacementAnswer,
    PlaceOrder,
    check_order,
    fill_gaps,
    place_classic,
    place_integration,
)
from connector.vtex.reactions import ReactionKind, Verdict, react
from connector.vtex.simulation import OrderSimulation, SimItem, SimulatedItem, estimate_hours

_PATIENCE = 5
"""How often an order that VTEX cannot deliver now is tried again before a person is asked."""
_FOB = frozenset({Delivery.MARKETPLACE, Delivery.MARKETPLACE_STOCK})
_PAID = frozenset({MarketStatus.PAID, MarketStatus.SHIPPED, MarketStatus.DELIVERED})


_REPLACE_AFTER = timedelta(minutes=30)
"""A refused order is sent again by itself no sooner, then after twice that, and so on."""


_SHORT_WAIT = timedelta(minutes=15)
"""A longer one is shown as parked."""


async def place(work: OrderWork) -> None:
    """Send the order to VTEX once everything about it holds.

    Raises:
        Again: VTEX cannot take it now.
        Stuck: somebody must mend something first; every reason is named.
    """
    _not_too_often(work)
    market = _market(work)
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


def _not_too_often(work: OrderWork) -> None:
    """Whoever mentions a refused order again does not make VTEX like it better."""
    order, again = work.order, work.order.placement_retry_at
    if order.placement is not Placement.REFUSED or again is None or work.claim.hint.recheck:
        return
    rest = again - work.hub.now()
    if rest > _SHORT_WAIT:
        raise Stuck(*order.reasons, until=again)
    if rest > timedelta(0):
        raise Again(*order.reasons, after_s=rest.total_seconds())


async def _send(work: OrderWork, order: PlaceOrder) -> PlacementAnswer:
    if work.connection.order_api == "classic":
        return await place_classic(work.peers.vtex, order)
    return await place_integration(work.peers.vtex, order)


def _market(work: OrderWork) -> MarketOrder:
    market = work.order.market
    if market is None:
        raise Stuck("the marketplace's order was not read")
    currency = work.connection.currency
    if currency and market.currency != currency:
        raise Stuck(f"the order is in {market.currency}, the trade policy sells in {currency}")
    return market


# --- checks before anything is sent ---------------------------------------------------------------


async def preflight(work: OrderWork, market: MarketOrder) -> OrderSimulation:
    """Simulate with the buyer's address and read every SKU (H-ORD-02); all problems at once."""
    skus = tuple(dict.fromkeys(line.sku for line in market.lines))
    problems: list[str] = []
    reading = asyncio.gather(*(read_sku(work.peers.vtex, sku, work.hub.now()) for sku in skus))
    simulated, records = await asyncio.gather(_simulate(work, market), reading)
    for record in records:
        if record.unknown:
            problems.append(f"SKU {record.sku} does not exist in VTEX")
        elif not (record.active and record.product_active):
            problems.append(f"SKU {record.sku} is inactive in VTEX")
        elif not record.in_policy:
            problems.append(f"SKU {record.sku} is not in the trade policy")
    inactive = bool(problems)
    problems.extend(simulated.problems)
    if problems:
        code = "F" if inactive else "D"
        text = f"order {work.order.key} cannot be placed now: {'; '.join(problems)}"
        work.tell(text, code=code, status=Status.WARNING, once=f"preflight-{code}")
        _count_attempt(work)
        _hold_off(work, problems)
    return simulated


async def _simulate(work: OrderWork, market: MarketOrder) -> OrderSimulation:
    try:
        return await _simulate_once(work, market)
    except simulation.SimulationTooLarge as error:
        # An order cannot be halved: mostly it was only slow.
        raise Again("VTEX could not simulate the order in time") from error


async def _simulate_once(work: OrderWork, market: MarketOrder) -> OrderSimulation:
    items = [SimItem(line.sku, line.quantity) for line in market.lines]
    address = market.address
    if market.delivery in _FOB:
        return await simulation.simulate_order(work.peers.vtex, items)
    geo = None
    if address.longitude is not None and address.latitude is not None:
        geo = (address.longitude, address.latitude)
    return await simulation.simulate_order(
        work.peers.vtex,
        items,
        country=address.country,
        postal_code=address.postal_code,
        geo=geo if market.delivery is Delivery.PICKUP else None,
    )


def _count_attempt(work: OrderWork) -> None:
    """An attempt that ended before anything was sent; calls that merely failed do not count."""
    work.update(placement_attempts=work.order.placement_attempts + 1)


def _hold_off(work: OrderWork, reasons: Sequence[str]) -> None:
    """Stock and delivery may come back by themselves for a while; then a person must know."""
    work.update(
        placement=Placement.REFUSED,
        placement_since=work.hub.now(),
        reasons=tuple(reasons),
    )
    if work.order.placement_attempts >= _PATIENCE:
        _stuck(work, *reasons)
    wait = _wait_s(work)
    work.update(placement_retry_at=work.hub.now() + timedelta(seconds=wait))
    raise Again(*reasons, after_s=wait)


def _stuck(work: OrderWork, *reasons: str) -> NoReturn:
    """Park it; the wait doubles with every refusal, up to most of a day."""
    again = work.hub.now() + _REPLACE_AFTER * 2 ** min(work.order.placement_attempts, 6) / 2
    work.update(placement_retry_at=again)
    raise Stuck(*reasons, until=again)


def _wait_s(work: OrderWork) -> float:
    """By the order's own count: a result that arrives later has ended the key's failures."""
    return LADDER_S[min(work.order.placement_attempts, len(LADDER_S) - 1)]


# --- composing ------------------------------------------------------------------------------------


def compose(work: OrderWork, market: MarketOrder, simulated: OrderSimulation) -> PlaceOrder:
    """The order as VTEX takes it: discounts folded, delivery chosen, gaps filled, checked."""
    try:
        priced = fold(market)
    except DoesNotAddUp as error:
        work.tell(f"order {work.order.key}: {error}", code="I", status=Status.ERROR, once="I")
        raise Stuck(str(error)) from error
    lines = tuple(_line(work, market, line, simulated.items[line.sku]) for line in priced)
    order = PlaceOrder(
        ref=work.order.ref,
        lines=lines,
        buyer=market.buyer,
        address=market.address,
        total_minor=market.total_minor,
        endpoint=services_endpoint(work.hub.vault, work.hub.public_url, work.connection),
        connector_name=work.connection.connector_name,
        interest_minor=market.interest_minor,
        taxes=_taxes(priced),
        fob=market.delivery in _FOB,
        marketplace_fulfillment=market.delivery is Delivery.MARKETPLACE_STOCK,
        pickup=market.delivery is Delivery.PICKUP,
        tracking_hints=market.tracking_hints,
        payment_methods=market.payment_methods,
        paid=market.status in _PAID,
    )
    order, filled = fill_gaps(order)
    if filled:
        text = f"order {work.order.key}: default values were used: {', '.join(filled)}"
        work.tell(text, code="H", status=Status.WARNING, once="H")
    problems = check_order(order, classic=work.connection.order_api == "classic")
    if problems:
        text = f"order {work.order.key} cannot be placed: {'; '.join(problems)}"
        work.tell(text, code="I", status=Status.ERROR, once="I")
        raise Stuck(*problems)
    return order


def _taxes(lines: Sequence[PricedLine]) -> tuple[tuple[str, int], ...]:
    """One amount per SKU (protocol 6.3)."""
    taxes: Counter[str] = Counter()
    for line in lines:
        taxes[line.sku] += line.tax_minor
    return tuple((sku, amount) for sku, amount in taxes.items() if amount)


def _line(work: OrderWork, market: MarketOrder, line: PricedLine, item: SimulatedItem) -> PlaceLine:
    base = PlaceLine(
        sku=line.sku,
        quantity=line.quantity,
        price_minor=line.price_minor,
        shipping_minor=line.shipping_minor,
        unit_multiplier=item.unit_multiplier,
        measurement_unit=item.measurement_unit,
    )
    if market.delivery is Delivery.MARKETPLACE_STOCK and market.warehouse_id:
        warehouse = simulation.DeliveryId(warehouse_id=market.warehouse_id)
        return _with(base, delivery_ids=(warehouse,))
    if market.delivery in _FOB:
        return base
    pickup = market.delivery is Delivery.PICKUP
    chosen = choose_sla(fitting_slas(item, market), work.connection.rules, market.sla)
    if chosen is None:
        _count_attempt(work)
        _hold_off(work, [f"SKU {line.sku}: no delivery option fits the order and the rules"])
        return base
    return _with(
        base,
        sla="" if pickup else chosen.id,
        channel=chosen.channel,
        lock_ttl=chosen.lock_ttl,
        estimate=chosen.estimate,
        delivery_ids=chosen.delivery_ids,
    )


def _with(line: PlaceLine, **fields: object) -> PlaceLine:
    values = {name: getattr(line, name) for name in PlaceLine.__slots__}
    return PlaceLine(**(values | fields))


def fitting_slas(item: SimulatedItem, market: MarketOrder) -> list[simulation.Sla]:
    """The options of the kind the buyer chose: delivered, or picked up at that very point."""
    pickup = market.delivery is Delivery.PICKUP
    slas = [sla for sla in item.slas if sla.is_pickup == pickup]
    if not pickup:
        return slas
    wanted = market.address.pickup_point_id
    return [sla for sla in slas if sla.pickup_point_id in {wanted, ""}] or slas


def choose_sla(slas: Sequence[simulation.Sla], rules: Rules, bought: str) -> simulation.Sla | None:
    """The delivery option: the one the buyer chose, else by the connection's rule."""
    for sla in slas:
        if bought and bought in {sla.id, sla.name}:
            return sla
    if rules.sla is Sla.NAMED:
        return next((sla for sla in slas if rules.sla_name in {sla.id, sla.name}), None)
    if not slas:
        return None
    if rules.sla is Sla.FASTEST:
        return min(slas, key=lambda sla: (estimate_hours(sla.estimate), sla.price_minor, sla.id))
    return min(slas, key=lambda sla: (sla.price_minor, estimate_hours(sla.estimate), sla.id))


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
        raise Again(*verdict.reasons, after_s=_wait_s(work))
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
        now = simulated or await _simulate(work, _market(work))
        text = divergence(work, now)
        work.update(divergence=text)
        work.update(reasons=(text,))
        work.tell(text, status=Status.ERROR, once="divergence")
        _stuck(work, text)
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
        _hold_off(work, reasons)
    _stuck(work, *reasons)


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
        if market is not None and market.status in _PAID and work.order.placement_since:
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
    market = _market(work)
    lines = []
    expected_freight = 0
    for line in market.lines:
        item = simulated.items.get(line.sku)
        charged = line.unit_price_minor * line.quantity - line.discount_minor
        expected = item.price_minor * line.quantity if item is not None else 0
        lines.append(Compared(f"SKU {line.sku} x {line.quantity}", charged, expected))
        if item is not None and market.delivery not in _FOB:
            chosen = choose_sla(fitting_slas(item, market), work.connection.rules, market.sla)
            expected_freight += chosen.price_minor if chosen is not None else 0
    freight = Compared("freight", freight_total(market), expected_freight)
    discount = market.discount_minor + sum(line.discount_minor for line in market.lines)
    return explain_divergence(lines, freight, market.currency, discount_minor=discount)
