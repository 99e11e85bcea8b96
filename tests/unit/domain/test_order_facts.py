"""Facts about an order: told twice or out of order, they make the same order."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest

from connector.domain.marketorder import Invoice
from connector.domain.order import CancelSide, Order, Step
from connector.domain.order_facts import (
    CancelTold,
    ChangeTold,
    DeliveredTold,
    FactKind,
    InvoiceTold,
    ResultTold,
    Told,
    fold_facts,
    learn_parcel,
    merge_tracking,
    number_key,
    open_step,
    parcel_of,
    put_parcel,
    sendable,
)
from tests.unit.domain.build import (
    NOW,
    invoice,
    invoice_told,
    order,
    parcel,
    placed,
    told,
    tracking,
    tracking_told,
)


def fold(*facts: Told, onto: Order | None = None) -> Order:
    return fold_facts(onto or placed(), facts)[0]


def delivered_told(seq: int, number: str = "NF-1") -> Told:
    return told(seq, FactKind.DELIVERED, DeliveredTold(invoice_number=number, delivered_at=NOW))


# --- folding once ---------------------------------------------------------------------------------


def test_a_fact_is_folded_once():
    facts = (invoice_told(1), tracking_told(2), delivered_told(3))
    once = fold(*facts)
    assert once.facts_seen == 3
    assert fold(*facts, onto=once) == once


def test_folding_in_two_parts_is_folding_at_once():
    facts = [invoice_told(1), tracking_told(2), invoice_told(3, "NF-2"), delivered_told(4)]
    whole = fold(*facts)
    for cut in range(len(facts)):
        assert fold(*facts[cut:], onto=fold(*facts[:cut])) == whole


def test_a_fact_of_tomorrows_kind_is_passed_over():
    strange = Told(1, "hologram", "{}", NOW)
    assert fold(strange).facts_seen == 1
    assert fold(strange).parcels == ()


@pytest.mark.parametrize("way", list(itertools.permutations(range(3))))
def test_invoice_tracking_and_delivery_make_the_same_parcel_in_any_order(way: tuple[int, ...]):
    makers = [invoice_told, tracking_told, delivered_told]
    facts = [makers[index](seq + 1) for seq, index in enumerate(way)]
    (one,) = fold(*facts).parcels
    assert one.invoice.value_minor == 10_000
    assert one.tracking is not None
    assert one.tracking.number == "BR1"
    assert one.delivered_at == NOW


# --- invoices -------------------------------------------------------------------------------------


def test_the_same_invoice_twice_is_one_parcel():
    assert len(fold(invoice_told(1), invoice_told(2)).parcels) == 1


@pytest.mark.parametrize("again", [" NF-1", "NF-1 ", "nf-1", "NF-1\n"])
def test_a_number_is_the_same_with_other_spaces_and_case(again: str):
    assert len(fold(invoice_told(1), invoice_told(2, again)).parcels) == 1
    assert number_key(again) == number_key("NF-1")


def test_different_numbers_are_different_parcels():
    partial = fold(
        invoice_told(1, "NF-1", value_minor=4_000, items=(("1001", 1),)),
        invoice_told(2, "NF-2", value_minor=6_000, items=(("1001", 1),)),
        tracking_told(3, "NF-2"),
    )
    assert [one.invoice.value_minor for one in partial.parcels] == [4_000, 6_000]
    assert [one.tracking is not None for one in partial.parcels] == [False, True]


def test_a_second_call_fills_gaps_and_changes_nothing_known():
    first = invoice_told(1, key="K", items=(("1001", 2),))
    second = invoice_told(2, key="OTHER", url="https://nf.example", value_minor=1)
    (one,) = fold(first, second).parcels
    assert one.invoice.key == "K"
    assert one.invoice.url == "https://nf.example"
    assert one.invoice.value_minor == 10_000
    assert one.invoice.items == (("1001", 2),)


def test_an_invoice_may_bring_its_tracking_along():
    (one,) = fold(invoice_told(1, tracking=tracking())).parcels
    assert one.tracking == tracking()


def test_a_document_stays_in_its_fact_and_is_remembered():
    known = fold(invoice_told(1, xml="<NFe/>"), invoice_told(2))
    (one,) = known.parcels
    assert one.has_xml
    assert one.invoice.xml == ""
    assert "<NFe" not in known.model_dump_json()


def test_a_return_is_marked_as_one():
    (one,) = fold(invoice_told(1, returned=True)).parcels
    assert one.returned
    assert not sendable(one)


def test_what_was_sent_already_stays_sent_when_the_invoice_is_told_again():
    sent = placed(parcels=(parcel(sent=Step.DONE, delivered_step=Step.DONE),))
    (one,) = fold(invoice_told(1), tracking_told(2), onto=sent).parcels
    assert (one.sent, one.delivered_step) == (Step.DONE, Step.DONE)


def test_learning_from_vtex_own_order_is_learning_from_a_callback():
    (called,) = fold(invoice_told(1, tracking=tracking())).parcels
    told_too = InvoiceTold(invoice=invoice(), tracking=tracking())
    (seen,) = learn_parcel(placed(), told_too).parcels
    assert (called.invoice, called.tracking, called.sent) == (
        seen.invoice,
        seen.tracking,
        seen.sent,
    )


# --- tracking and delivery ------------------------------------------------------------------------


def test_tracking_before_its_invoice_is_kept_until_the_invoice_comes():
    early = fold(tracking_told(1))
    (one,) = early.parcels
    assert one.tracking == tracking()
    assert not sendable(one)
    (both,) = fold(invoice_told(2), onto=early).parcels
    assert both.tracking == tracking()
    assert sendable(both)


def test_an_invoice_after_its_tracking_keeps_all_it_says():
    """The placeholder knew only the number: currency, key and lines come with the invoice."""
    bare = order(market=None)
    full = invoice_told(2, "NF-1", currency="BRL", key="K", issued_at=NOW, items=(("1001", 2),))
    (one,) = fold(tracking_told(1), full, onto=bare).parcels
    assert (one.invoice.key, one.invoice.issued_at, one.invoice.items) == (
        "K",
        NOW,
        (("1001", 2),),
    )
    assert one.invoice.currency == "BRL"


def test_a_return_told_after_its_tracking_is_still_a_return():
    (one,) = fold(tracking_told(1, "NF-9"), invoice_told(2, "NF-9", returned=True)).parcels
    assert one.returned


def test_newer_tracking_wins_field_by_field():
    old = tracking(number="BR1", url="u1", courier="Correios")
    merged = merge_tracking(old, tracking(number="BR2", courier=""))
    assert merged is not None
    assert (merged.number, merged.url, merged.courier) == ("BR2", "u1", "Correios")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [(None, tracking(), tracking()), (tracking(), None, tracking()), (None, None, None)],
)
def test_no_tracking_never_wipes_one(old: Any, new: Any, expected: Any):
    assert merge_tracking(old, new) == expected


def test_the_first_arrival_counts():
    later = told(
        2,
        FactKind.DELIVERED,
        DeliveredTold(invoice_number="NF-1", delivered_at=NOW + timedelta(days=1)),
    )
    (one,) = fold(delivered_told(1), later).parcels
    assert one.delivered_at == NOW


def test_facts_about_other_spellings_of_a_number_meet():
    (one,) = fold(invoice_told(1, "NF 7"), tracking_told(2, " nf  7 "), delivered_told(3, "NF 7"))\
        .parcels  # fmt: skip
    assert one.tracking is not None
    assert one.delivered_at == NOW


# --- cancellations, changes, results --------------------------------------------------------------


def test_a_cancellation_of_the_seller_waits_for_its_proof():
    known = fold(told(1, FactKind.CANCEL, CancelTold(reason="no stock")))
    assert known.cancellation is not None
    assert known.cancellation.by is CancelSide.SELLER
    assert not known.cancellation.confirmed_by_owner
    assert known.cancellation.reason == "no stock"


def test_a_second_cancellation_does_not_replace_the_first():
    known = fold(
        told(1, FactKind.CANCEL, CancelTold(reason="first")),
        told(2, FactKind.CANCEL, CancelTold(reason="second")),
    )
    assert known.cancellation is not None
    assert known.cancellation.reason == "first"


def test_a_refused_cancellation_asks_a_person_once_and_cancels_nothing():
    refused = CancelTold(reason="too late", refused=True)
    known = fold(told(1, FactKind.CANCEL, refused), told(2, FactKind.CANCEL, refused))
    assert known.cancellation is None
    assert [task.id for task in known.tasks] == ["cancel-after-shipping"]
    assert "too late" in known.tasks[0].why


def test_every_change_is_put_before_a_person():
    known = fold(
        told(1, FactKind.CHANGE, ChangeTold(summary="-1 1001")),
        told(2, FactKind.CHANGE, ChangeTold(summary="-1 1002")),
    )
    assert [task.why for task in known.tasks] == ["-1 1001", "-1 1002"]


def test_results_of_placing_are_handed_on_once_and_in_order():
    results = [
        ResultTold(flow="PlaceOrder", success=False, code="EOI006"),
        ResultTold(flow="PlaceOrder", success=True, code="SOI001", main_order_id="DMM-C-1"),
    ]
    facts = [told(seq, FactKind.RESULT, result) for seq, result in enumerate(results, 1)]
    known, handed = fold_facts(placed(), facts)
    assert list(handed) == results
    assert fold_facts(known, facts)[1] == ()


# --- small tools ----------------------------------------------------------------------------------


def test_put_parcel_replaces_in_place():
    of = placed(parcels=(parcel("NF-1"), parcel("NF-2")))
    changed = put_parcel(of, parcel("nf-1 ", sent=Step.DONE))
    assert [one.sent for one in changed.parcels] == [Step.DONE, Step.NO]
    found = parcel_of(changed, " NF-1")
    assert found is not None
    assert found.sent is Step.DONE
    assert parcel_of(changed, "NF-3") is None


@pytest.mark.parametrize("step", Step)
def test_open_steps(step: Step):
    assert open_step(step) == (step in {Step.NO, Step.SENT})


def test_an_invoice_without_a_value_cannot_be_sent():
    assert not sendable(parcel(invoice=Invoice(number="NF-1", value_minor=0, currency="BRL")))
    assert sendable(parcel())
