"""Whatever order facts arrive in, and however often: the parcels are the same."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.marketorder import Invoice, Tracking
from connector.domain.offer import Value
from connector.domain.order import Order
from connector.domain.order_facts import (
    DeliveredTold,
    FactKind,
    InvoiceTold,
    Told,
    TrackingTold,
    fold_facts,
    number_key,
)

NOW = datetime(2026, 3, 2, tzinfo=UTC)
NUMBERS = ["NF-1", "nf-1 ", "NF 2", "NF  2", "3"]
MANY = settings(max_examples=80, deadline=None)

ORDER = Order(connection="c", ref="C-1", key="C-1", first_seen_at=NOW)


def _returned(number: str) -> bool:
    return number_key(number) == "3"


def _tracking(number: str) -> Tracking:
    return Tracking(invoice_number=number, courier="Correios", number=f"BR-{number_key(number)}")


@st.composite
def bodies(draw: Any) -> tuple[FactKind, Value]:
    """What is true of a parcel is always the same; which of it is told, and how, is not."""
    number = draw(st.sampled_from(NUMBERS))
    kind = draw(st.sampled_from(["invoice", "invoice", "tracking", "delivered"]))
    if kind == "tracking":
        return FactKind.TRACKING, TrackingTold(tracking=_tracking(number))
    if kind == "delivered":
        return FactKind.DELIVERED, DeliveredTold(invoice_number=number, delivered_at=NOW)
    invoice = Invoice(
        number=number,
        value_minor=100,
        currency="BRL",
        key=draw(st.sampled_from(["", "K"])),
        xml=draw(st.sampled_from(["", "<x/>"])),
    )
    with_tracking = _tracking(number) if draw(st.booleans()) else None
    told = InvoiceTold(invoice=invoice, returned=_returned(number), tracking=with_tracking)
    return FactKind.INVOICE, told


facts = st.lists(bodies(), max_size=8)


def _told(contents: list[tuple[FactKind, Value]]) -> list[Told]:
    return [
        Told(seq, kind, body.model_dump_json(), NOW) for seq, (kind, body) in enumerate(contents, 1)
    ]


def _essence(order: Order) -> list[tuple[Any, ...]]:
    """What matters of the parcels, whatever spelling of the number came first."""
    return sorted(
        (
            number_key(parcel.invoice.number),
            parcel.invoice.value_minor,
            parcel.invoice.currency,
            parcel.invoice.key,
            parcel.returned,
            parcel.tracking.number if parcel.tracking else "",
            parcel.delivered_at is not None,
            parcel.has_xml,
        )
        for parcel in order.parcels
    )


@MANY
@given(facts, st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_parcels(
    contents: list[tuple[FactKind, Value]], rng: random.Random
):
    other = list(contents)
    rng.shuffle(other)
    one, two = (fold_facts(ORDER, _told(each))[0] for each in (contents, other))
    assert _essence(one) == _essence(two)


@MANY
@given(facts, st.data())
def test_telling_something_twice_changes_nothing(
    contents: list[tuple[FactKind, Value]], data: st.DataObject
):
    again = data.draw(st.lists(st.sampled_from(contents), max_size=4)) if contents else []
    once, twice = (fold_facts(ORDER, _told(each))[0] for each in (contents, contents + again))
    assert _essence(once) == _essence(twice)


@MANY
@given(facts, st.data())
def test_folding_may_stop_anywhere_and_begin_again(
    contents: list[tuple[FactKind, Value]], data: st.DataObject
):
    """A crash between two facts: those folded before are not folded again."""
    told = _told(contents)
    cut = data.draw(st.integers(0, len(told)))
    first = fold_facts(ORDER, told[:cut])[0]
    assert fold_facts(first, told)[0] == fold_facts(ORDER, told)[0]


@MANY
@given(facts)
def test_there_is_one_parcel_per_number_and_no_document_in_it(
    contents: list[tuple[FactKind, Value]],
):
    order = fold_facts(ORDER, _told(contents))[0]
    keys = [number_key(parcel.invoice.number) for parcel in order.parcels]
    assert len(keys) == len(set(keys))
    assert all(parcel.invoice.xml == "" for parcel in order.parcels)
