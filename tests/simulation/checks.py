"""What must be true when a day has settled, judged by both sides' own books alone."""

from __future__ import annotations

from collections import Counter

from connector.domain.pending import Context
from tests.simulation.world import World

_OPEN = {"waiting_payment", "pending", "created"}


def listings(world: World) -> list[str]:
    """Every sellable SKU at VTEX's price and stock; nothing else can be bought."""
    wrong = []
    channel = world.vtex_settings.sales_channel
    for sku, truth in world.vtex.truth(channel).items():
        listing = world.market.listings.get(sku)
        record = world.vtex.catalog.skus[int(sku)]
        sellable = truth.sellable and truth.assigned
        offered = listing is not None and not listing.blocked and listing.stock > 0
        if not sellable:
            if offered:
                wrong.append(f"{sku} can be bought but VTEX does not sell it")
        elif listing is None:
            if truth.stock > 0 and record.images:  # without one the marketplace refuses it
                wrong.append(f"{sku} is not listed")
        elif (listing.price_minor, listing.stock) != (truth.price, free(world, sku, truth.stock)):
            there = (listing.price_minor, listing.stock, listing.blocked)
            wrong.append(f"{sku} is {there}, VTEX says {(truth.price, truth.stock)}")
    return wrong


def free(world: World, sku: str, stock: int) -> int:
    """VTEX's stock less what orders that VTEX cannot take (too little stock) still want."""
    return max(
        0, stock - sum(lacking(world).get(key, {}).get(sku, 0) for key in world.market.carts)
    )


def lacking(world: World) -> dict[str, dict[str, int]]:
    """Carts that were sold before VTEX silently lost the stock: nobody can place them."""
    truth = world.vtex.truth(world.vtex_settings.sales_channel)
    placed = {order.marketplace_order_id for order in world.vtex.orders.values()}
    found = {}
    for key, cart in world.market.carts.items():
        if key in placed or cart.status == "cancelled":
            continue
        wanted: Counter[str] = Counter()
        for order in cart.orders:
            for line in order.lines:
                wanted[line.sku] += line.quantity
        if any(not truth[sku].sellable or truth[sku].stock < n for sku, n in wanted.items()):
            found[key] = dict(wanted)
    return found


def orders(world: World) -> list[str]:
    """One VTEX order per paid cart, of the same total; cancelled on both sides or on neither."""
    wrong = [f"doubled: {ref}" for ref in world.vtex.doubled_orders()]
    wrong += [f"{key} created {n} times" for key, n in world.vtex.created.items() if n != 1]
    by_ref = {order.marketplace_order_id: order for order in world.vtex.orders.values()}
    for key, cart in world.market.carts.items():
        order = by_ref.get(key)
        if cart.status == "cancelled":
            if order is not None and order.status != "canceled":
                returned = order.invoiced_value("Input") >= order.invoiced_value("Output") > 0
                partly = order.invoices and not order.fully_invoiced
                if not returned and not partly:
                    wrong.append(f"{key} cancelled there, {order.status} in VTEX")
            continue
        if order is None and key in lacking(world):
            continue
        if order is None:
            wrong.append(f"{key} ({cart.status}) was never placed")
        elif order.value != cart.total_minor:
            wrong.append(f"{key}: VTEX {order.value}, marketplace {cart.total_minor}")
        elif order.status == "canceled" and cart.status not in {"shipped", "delivered"}:
            wrong.append(f"{key} cancelled in VTEX, {cart.status} there")
        elif cart.status == "paid" and not order.approved:
            wrong.append(f"{key} is paid but not authorized ({order.status})")
    return wrong


def papers(world: World) -> list[str]:
    """Every invoice, tracking and delivery arrived, once."""
    wrong = []
    for order in world.vtex.orders.values():
        cart = world.market.carts[order.marketplace_order_id]
        if cart.status == "cancelled" or order.status in {"cancel", "canceled"}:
            continue
        for number, invoice in order.invoices.items():
            if invoice.type != "Output":
                continue
            number = number.strip()  # noqa: PLW2901 - the wire's outer spaces are no part of it
            if number not in cart.invoices:
                wrong.append(f"{order.order_id}: invoice {number} never arrived")
            elif invoice.tracking_number and not order.is_fob and number not in cart.trackings:
                wrong.append(f"{order.order_id}: tracking of {number} never arrived")
    for cart in world.market.carts.values():
        for kind in (cart.invoices, cart.trackings, cart.deliveries):
            wrong += [f"{cart.cart_id}: {n} arrived {r.arrivals} times" for n, r in kind.items()
                      if r.arrivals != 1]  # fmt: skip
    return wrong


async def parked(world: World) -> list[str]:
    """Nothing is parked without a reason."""
    assert world.connection is not None
    wrong = []
    for context in Context:
        rows = await world.store.pending(world.connection.id, context, parked=True)
        wrong += [f"{context} {row.key} is parked for no reason" for row in rows if not row.reasons]
    return wrong


async def all_wrong(world: World) -> list[str]:
    """Everything that is wrong."""
    return [*listings(world), *orders(world), *papers(world), *await parked(world)]


def counts(world: World) -> Counter[str]:
    """What happened, to see that a day was a day."""
    return Counter(row.kind for row in [*world.vtex.ledger, *world.market.ledger])
