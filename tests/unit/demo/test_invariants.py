"""Every invariant holds on good books and fails on doctored ones: a check that cannot is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.domain.marketorder import MarketStatus
from connector.sandbox.demo import invariants as inv
from connector.sandbox.demo.books import Parked, VtexBook, VtexInvoice
from connector.sdk.testing.market import Bought, Paper
from tests.unit.demo.conftest import Desk, at


def test_all_hold_on_good_books(desk: Desk):
    findings = inv.judge(desk.books)
    assert [finding.name for finding in findings if not finding.ok] == []
    assert len({finding.name for finding in findings}) == len(findings) == len(inv.INVARIANTS)


def test_good_books_give_every_invariant_something_to_count(desk: Desk):
    nothing_is_right = {"no-oversell-by-hub", "nothing-unsellable-for-sale", "hub-stayed-up"}
    for finding in inv.judge(desk.books):
        assert (finding.expected == 0) == (finding.name in nothing_is_right), finding


def test_a_finding_as_json(desk: Desk):
    desk.unlist("1")
    assert inv.listed(desk.books).as_json() == {
        "name": "listed-with-price-and-stock",
        "title": "sellable SKUs listed with VTEX's price and stock",
        "ok": False,
        "expected": 2,
        "actual": 1,
        "details": ["1: not listed, VTEX has 7 at 1000"],
    }


class TestListed:
    @pytest.mark.parametrize(
        ("fields", "word"),
        [
            ({"price_minor": 1001}, "price 1001"),
            ({"stock": 6}, "stock 6"),
            ({"stock": 8}, "stock 8"),
            ({"blocked": True}, "stock 0"),
        ],
    )
    def test_a_wrong_listing(self, desk: Desk, fields: dict, word: str):
        desk.item("1", **fields)
        finding = inv.listed(desk.books)
        assert not finding.ok
        assert word in finding.details[0]

    def test_what_is_sold_out_need_not_be_listed_but_must_not_be_shown(self, desk: Desk):
        desk.sku("1", stock=0)
        assert not inv.listed(desk.books).ok
        desk.item("1", stock=0)
        assert inv.listed(desk.books).ok
        desk.unlist("1")
        assert inv.listed(desk.books).ok

    def test_units_on_their_way_to_vtex_are_not_shown(self, desk: Desk):
        desk.lose_order("C-1")
        assert not inv.listed(desk.books).ok
        desk.item("1", stock=6)
        assert inv.listed(desk.books).ok

    def test_what_the_marketplace_does_not_take_is_not_missed(self, desk: Desk):
        assert "4" not in desk.books.shelf
        desk.sku("4", presentable=True)
        assert not inv.listed(desk.books).ok


class TestWithdrawn:
    def test_an_inactive_sku_on_sale(self, desk: Desk):
        desk.item("3", blocked=False)
        assert inv.withdrawn(desk.books).actual == 1

    def test_without_stock_it_cannot_be_bought(self, desk: Desk):
        desk.item("3", blocked=False, stock=0)
        assert inv.withdrawn(desk.books).ok

    def test_a_sku_vtex_never_had(self, desk: Desk):
        desk.change(skus={sku: book for sku, book in desk.books.skus.items() if sku != "1"})
        assert not inv.withdrawn(desk.books).ok


def test_old_content(desk: Desk):
    desk.item("1", text='{"title": "Tênis"}')
    assert not inv.content(desk.books).ok


def test_content_of_what_is_not_sold_does_not_matter(desk: Desk):
    desk.item("1", text="")
    desk.sku("1", sellable=False)
    assert inv.content(desk.books).ok


def test_too_few_orders(desk: Desk):
    desk.change(wanted_orders=4)
    assert not inv.all_sold(desk.books).ok


class TestPlacedOnce:
    def test_a_paid_order_that_is_not_in_vtex(self, desk: Desk):
        desk.lose_order("C-2")
        finding = inv.placed_once(desk.books)
        assert (finding.expected, finding.actual) == (2, 1)

    def test_an_order_made_twice_under_one_id(self, desk: Desk):
        desk.order("C-1", created=2)
        assert not inv.placed_once(desk.books).ok

    def test_an_order_made_twice_under_two_ids(self, desk: Desk):
        desk.add_order(replace(desk.of("C-1"), order_id="DMK-C-1-01"))
        assert not inv.placed_once(desk.books).ok

    def test_a_cancelled_order_made_twice(self, desk: Desk):
        desk.order("C-3", created=2)
        assert not inv.placed_once(desk.books).ok

    def test_a_cancelled_or_unpaid_order_need_not_be_there(self, desk: Desk):
        desk.lose_order("C-3")
        desk.bought("C-1", status=MarketStatus.PENDING)
        desk.lose_order("C-1")
        assert inv.placed_once(desk.books).ok


class TestTotals:
    def test_a_cent_too_much(self, desk: Desk):
        desk.order("C-1", value_minor=1001)
        assert not inv.totals(desk.books).ok

    def test_of_cancelled_orders_too(self, desk: Desk):
        desk.order("C-3", value_minor=999)
        assert not inv.totals(desk.books).ok

    def test_an_order_nobody_bought(self, desk: Desk):
        stray = VtexBook("DMK-X", "X", 5, "handling", approved=True, created_at=at(0))
        desk.add_order(stray)
        assert inv.totals(desk.books).details == ("DMK-X: nobody bought this",)


class TestReleased:
    def test_a_paid_order_that_vtex_still_waits_for(self, desk: Desk):
        desk.order("C-1", approved=False, status="waiting-ffmt-authorization")
        assert not inv.released(desk.books).ok

    def test_an_unpaid_order_that_ships(self, desk: Desk):
        desk.bought("C-1", status=MarketStatus.PENDING, paid=False)
        assert not inv.released(desk.books).ok

    def test_released_and_given_up_without_ever_being_paid(self, desk: Desk):
        desk.bought("C-3", paid=False)
        assert not inv.released(desk.books).ok


class TestCancelled:
    def test_the_buyer_cancelled_and_vtex_ships(self, desk: Desk):
        desk.order("C-3", status="ready-for-handling", cancelled_by=())
        assert not inv.cancelled(desk.books).ok

    def test_vtex_never_got_to_the_end_of_it(self, desk: Desk):
        desk.order("C-3", status="cancel")
        assert not inv.cancelled(desk.books).ok

    def test_the_seller_cancelled_and_the_marketplace_does_not_know(self, desk: Desk):
        desk.order("C-1", status="canceled", cancelled_by=("seller",))
        finding = inv.cancelled(desk.books)
        assert (finding.expected, finding.actual) == (2, 1)

    def test_invoiced_goods_come_back(self, desk: Desk):
        sale, back = VtexInvoice("NF 3", 1000), VtexInvoice("NF 3-R1", 1000, returned=True)
        desk.order("C-3", status="invoiced", cancelled_by=(), invoices=(sale,))
        assert not inv.cancelled(desk.books).ok
        desk.order("C-3", invoices=(sale, replace(back, value_minor=900)))
        assert not inv.cancelled(desk.books).ok
        desk.order("C-3", invoices=(sale, back, replace(back, number="NF 3-R2")))
        assert not inv.cancelled(desk.books).ok
        desk.order("C-3", invoices=(sale, back))
        assert inv.cancelled(desk.books).ok

    def test_cancelled_before_it_was_in_vtex(self, desk: Desk):
        desk.lose_order("C-3")
        assert inv.cancelled(desk.books).ok


class TestInvoices:
    def test_one_that_never_arrived(self, desk: Desk):
        desk.bought("C-1", papers=())
        assert not inv.invoices(desk.books).ok

    def test_one_with_another_value(self, desk: Desk):
        desk.bought("C-1", papers=(Paper("NF 1", 999),))
        assert not inv.invoices(desk.books).ok

    def test_one_that_is_there_twice_under_spellings_of_its_number(self, desk: Desk):
        desk.bought("C-1", papers=(Paper("NF 1", 1000), Paper("NF  1 ", 1000)))
        assert not inv.invoices(desk.books).ok

    def test_blanks_in_its_number_do_not_matter(self, desk: Desk):
        desk.bought("C-1", papers=(Paper("NF  1 ", 1000),))
        assert inv.invoices(desk.books).ok

    def test_one_that_vtex_never_issued(self, desk: Desk):
        desk.bought("C-2", papers=(*desk.books.buys["C-2"].papers, Paper("NF 9", 1)))
        assert not inv.invoices(desk.books).ok

    def test_a_return_is_not_an_invoice(self, desk: Desk):
        back = VtexInvoice("NF 1-R1", 1000, returned=True)
        desk.order("C-1", invoices=(*desk.of("C-1").invoices, back))
        assert inv.invoices(desk.books).ok
        papers = desk.books.buys["C-1"].papers
        desk.bought("C-1", papers=(*papers, Paper("NF 1-R1", 1000)))
        assert not inv.invoices(desk.books).ok

    def test_one_of_an_order_that_is_not_in_vtex(self, desk: Desk):
        desk.lose_order("C-1")
        assert not inv.invoices(desk.books).ok

    def test_one_that_the_cancellation_overtook(self, desk: Desk):
        desk.order("C-3", invoices=(VtexInvoice("NF 3", 1000),))
        assert inv.invoices(desk.books).ok
        desk.bought("C-3", papers=(Paper("NF 3", 1),))
        assert not inv.invoices(desk.books).ok


class TestTrackings:
    def test_one_that_never_arrived(self, desk: Desk):
        desk.bought("C-1", papers=(Paper("NF 1", 1000, delivered=True),))
        assert not inv.trackings(desk.books).ok

    def test_an_old_one(self, desk: Desk):
        desk.bought("C-1", papers=(Paper("NF 1", 1000, tracking_number="BR0"),))
        assert not inv.trackings(desk.books).ok

    def test_one_that_the_seller_never_told(self, desk: Desk):
        desk.order("C-1", invoices=(VtexInvoice("NF 1", 1000, delivered=True),))
        assert not inv.trackings(desk.books).ok


class TestDeliveries:
    def test_one_that_is_not_known(self, desk: Desk):
        desk.bought("C-1", papers=(Paper("NF 1", 1000, tracking_number="BR1"),))
        assert not inv.deliveries(desk.books).ok

    def test_one_that_has_not_happened(self, desk: Desk):
        desk.order("C-1", invoices=(VtexInvoice("NF 1", 1000, tracking_number="BR1"),))
        assert not inv.deliveries(desk.books).ok


class TestCarrier:
    def test_a_parcel_that_vtex_does_not_know(self, desk: Desk):
        desk.order("C-2", invoices=(VtexInvoice("NF 2", 2000, told_delivered=True),))
        finding = inv.carrier_told(desk.books)
        assert (finding.expected, finding.actual) == (2, 1)

    def test_an_arrival_that_vtex_does_not_know(self, desk: Desk):
        desk.order("C-2", invoices=(VtexInvoice("NF 2", 2000, told_tracking="DX2"),))
        assert not inv.carrier_told(desk.books).ok

    def test_an_arrival_that_has_not_happened(self, desk: Desk):
        desk.bought("C-2", arrived=False)
        assert not inv.carrier_told(desk.books).ok

    def test_a_parcel_that_does_not_exist(self, desk: Desk):
        desk.bought("C-2", parcel="")
        assert not inv.carrier_told(desk.books).ok


def test_an_unanswered_call(desk: Desk):
    desk.order("C-1", unanswered=("invoice",))
    finding = inv.answered(desk.books)
    assert (finding.expected, finding.actual) == (5, 4)


def test_a_hub_that_fell_over(desk: Desk):
    desk.change(crashes=("exit code 1",))
    assert not inv.stayed_up(desk.books).ok


@pytest.mark.parametrize("reasons", [(), ("",), ("  ",)])
def test_something_parked_without_a_reason(desk: Desk, reasons: tuple):
    desk.change(parked=[*desk.books.parked, Parked("orders", "C-1", reasons)])
    finding = inv.parked_for_reasons(desk.books)
    assert (finding.expected, finding.actual) == (2, 1)


def test_nothing_at_all_is_not_a_day(desk: Desk):
    desk.change(buys={}, orders=[])
    assert not inv.all_sold(desk.books).ok


def test_odd_keys_are_found_under_their_reference(desk: Desk):
    key = "Ped/ido 1"
    bought: Bought = replace(desk.books.buys["C-1"], key=key)
    desk.change(buys={key: bought}, orders=[], wanted_orders=1)
    assert not inv.placed_once(desk.books).ok
    from connector.domain.order import order_ref

    order = VtexBook("DMK-1", order_ref(key), 1000, "handling", approved=True, created_at=at(5))
    desk.add_order(order)
    assert inv.placed_once(desk.books).ok


def test_an_order_that_something_still_waits_for(desk: Desk):
    desk.change(unfinished=["C-1: plain; delivered"])
    finding = inv.lived(desk.books)
    assert (finding.expected, finding.actual) == (3, 2)
