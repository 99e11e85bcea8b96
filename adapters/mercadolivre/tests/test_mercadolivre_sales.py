"""Orders of the simulated Mercado Livre over real HTTP: shipments, packs, claims, invoices."""

import pytest

from connector.sdk import Delivery, MarketStatus, Rejected
from connector.sdk.testing.market import Sale

# --- 7 and 8: shipments -----------------------------------------------------------------------


async def test_nothing_is_placed_before_the_shipment_is_known(bench, market, seller):
    market.settings.shipping_late_s = 45.0
    key = await seller.sell()
    order = await bench.adapter.order(key)
    assert (order.status, order.complete) == (MarketStatus.PAID, False)
    await bench.clock.advance(60)
    order = await bench.adapter.order(key)
    assert order.complete
    assert order.address.city == "São Paulo"


async def test_an_unpaid_order_hides_its_address_and_ends_by_itself(bench, market, seller):
    key = await seller.sell(pay_after_s=None)
    order = await bench.adapter.order(key)
    assert (order.status, order.complete, order.address.street) == ("pending", False, "")
    await bench.clock.advance(1000)
    assert (await bench.adapter.order(key)).status is MarketStatus.CANCELLED
    assert not market.buys()[key].paid


async def test_an_nfe_unlocks_the_label(bench, market, seller):
    key = await seller.sell(delivery=Delivery.MARKETPLACE)
    order = await bench.adapter.order(key)
    assert order.delivery is Delivery.MARKETPLACE
    assert order.tracking_hints == ()
    with pytest.raises(Rejected, match="without its XML"):
        await bench.adapter.send_invoice(
            key, bench.invoice("1", order).model_copy(update={"xml": ""})
        )
    await bench.adapter.send_invoice(key, bench.invoice("1", order))
    assert market.sales[key].shipment.substatus == "ready_to_print"
    (hint,) = (await bench.adapter.order(key)).tracking_hints
    assert hint.tracking_id == market.sales[key].shipment.tracking_number
    assert (hint.url, hint.label) == ("", "")  # a label wants a token: it has no address
    market.collect(key)
    order = await bench.adapter.order(key)
    assert (order.status, order.shipment.delivered_at) == (MarketStatus.SHIPPED, None)
    market.hand_over(key)
    assert (await bench.adapter.order(key)).shipment.delivered_at is not None


async def test_a_label_of_the_sellers_own_rounds_is_there_at_once(bench, seller):
    key = await seller.sell(delivery=Delivery.MARKETPLACE, labels=1)
    (hint,) = (await bench.adapter.order(key)).tracking_hints
    assert hint.courier == "Mercado Envios"


async def test_a_pack_arrives_order_by_order(bench, market, seller):
    await seller.list()
    await seller.list("12")
    key = bench.buy(Sale(lines=(("11", 2), ("12", 1)), orders=2, arrive_every_s=45))
    order = await bench.adapter.order(key)
    assert (order.complete, order.key) == (False, key)
    await bench.clock.advance(60)
    order = await bench.adapter.order(key)
    assert order.complete
    assert {line.sku: line.quantity for line in order.lines} == {"11": 2, "12": 1}
    assert set(order.members) == {each.id for each in market.sales[key].orders}
    part = market.sales[key].orders[1].id
    assert (await bench.adapter.order(f"order:{part}")).key == key


async def test_a_claim_asks_for_a_person(bench, market, seller):
    key = await seller.sell()
    ident = market.open_claim(key)
    order = await bench.adapter.order(f"claim:{ident}")
    assert order.key == key
    (text,) = order.attention
    assert f"claim {ident}" in text
    assert "send_message_to_complainant by" in text


# --- what the seller does ---------------------------------------------------------------------


async def test_one_xml_per_order(bench, market, seller):
    key = await seller.sell()
    order = await bench.adapter.order(key)
    await bench.adapter.send_invoice(key, bench.invoice("NFe 1/A", order))
    assert (await bench.adapter.order(key)).known_invoices == ("NFe 1/A",)
    with pytest.raises(Rejected, match="one XML per order"):
        await bench.adapter.send_invoice(key, bench.invoice("2", order))
    assert [paper.number for paper in market.buys()[key].papers] == ["NFe 1/A"]


async def test_the_tree_is_read_to_its_leaves(bench, market):
    tree = {node.id: node for node in await bench.adapter.categories()}
    assert tree["MLB1613"].leaf
    assert not tree["MLB1592"].leaf
    assert tree["MLB1592"].parent_id == "MLB1574"
    wanted = {each.id: each for each in await bench.adapter.attributes("MLB23332")}
    assert wanted["SIZE"].required
    assert "BRAND" not in wanted
    guesses = await bench.adapter.predict_category("Panelas grandes")
    assert guesses[0].category_id == "MLB1613"


@pytest.mark.parametrize(
    ("title", "wanted"),
    [
        ("Panela de Pressão Inox 6 L", ["MLB1613"]),
        ("TENIS de corrida 41", ["MLB23332"]),
        ("Celular com capa", ["MLB1055"]),
        ("Camiseta para panelas", ["MLB31447", "MLB1613"]),
        ("Smartphones e celulares, panela grátis", ["MLB1055", "MLB1613"]),
        ("Guarda-chuva", []),
        ("Capa e fita", []),
        ("", []),
    ],
)
async def test_the_predictor_names_what_fits_the_words_and_nothing_else(bench, title, wanted):
    guesses = await bench.adapter.predict_category(title)
    assert [guess.category_id for guess in guesses] == wanted
