"""An order as VTEX takes it: simulated and checked, discounts folded, delivery chosen."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from connector.domain.connection import Rules, Sla
from connector.domain.entries import Status
from connector.domain.marketorder import Delivery, MarketOrder, MarketStatus
from connector.domain.order_view import CARRIED_BY_MARKET
from connector.domain.pricing import DoesNotAddUp, PricedLine, fold
from connector.flows.orderwork import OrderWork
from connector.flows.refusals import count_attempt, hold_off
from connector.flows.secrets import services_endpoint
from connector.flows.setbacks import Again, Stuck
from connector.vtex import simulation
from connector.vtex.catalog import read_sku
from connector.vtex.orders import (
    PlaceLine,
    PlaceOrder,
    check_order,
    fill_gaps,
)
from connector.vtex.simulation import OrderSimulation, SimItem, SimulatedItem, estimate_hours

PAID = frozenset({MarketStatus.PAID, MarketStatus.SHIPPED, MarketStatus.DELIVERED})


def readable_market(work: OrderWork) -> MarketOrder:
    """The marketplace's order, in the currency the trade policy sells in."""
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
    simulated, records = await asyncio.gather(simulate(work, market), reading)
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
        count_attempt(work)
        hold_off(work, problems)
    return simulated


async def simulate(work: OrderWork, market: MarketOrder) -> OrderSimulation:
    """What VTEX says of the order's items, for the buyer's address."""
    try:
        return await _simulate_once(work, market)
    except simulation.SimulationTooLarge as error:
        # An order cannot be halved: mostly it was only slow.
        raise Again("VTEX could not simulate the order in time") from error


async def _simulate_once(work: OrderWork, market: MarketOrder) -> OrderSimulation:
    items = [SimItem(line.sku, line.quantity) for line in market.lines]
    address = market.address
    if market.delivery in CARRIED_BY_MARKET:
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
        fob=market.delivery in CARRIED_BY_MARKET,
        marketplace_fulfillment=market.delivery is Delivery.MARKETPLACE_STOCK,
        pickup=market.delivery is Delivery.PICKUP,
        tracking_hints=market.tracking_hints,
        payment_methods=market.payment_methods,
        paid=market.status in PAID,
    )
    order, filled = fill_gaps(order, document=work.connection.rules.default_document)
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
    if market.delivery in CARRIED_BY_MARKET:
        return base
    pickup = market.delivery is Delivery.PICKUP
    chosen = choose_sla(fitting_slas(item, market), work.connection.rules, market.sla)
    if chosen is None:
        count_attempt(work)
        hold_off(work, [f"SKU {line.sku}: no delivery option fits the order and the rules"])
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
