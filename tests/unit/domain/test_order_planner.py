"""What an order needs next: every rule, every act, and the races between both sides."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector.domain.marketorder import Delivery, MarketStatus, Shipment
from connector.domain.order import (
    Cancellation,
    CancelSide,
    OrderState,
    Placement,
    Shared,
    Step,
    Task,
)
from connector.domain.order_planner import is_authorized, order_state, plan_order, tracking_digest
from connector.domain.order_view import (
    ASK_AGAIN,
    CANCELLING,
    FORGET_AFTER,
    MANUAL_AUTHORIZATION,
    NEEDS_AUTHORIZATION,
    Act,
    Do,
    MarketAbility,
    Rest,
)
from tests.unit.domain.build import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    at_rest,
    market_order,
    order,
    order_view,
    parcel,
    placed,
    tracking,
    vtex_view,
)

SECOND = timedelta(seconds=1)
WATCH = 2 * HOUR


def plan(of: Any, **changes: Any) -> Do | Rest:
    return plan_order(order_view(of, **changes))


def act(of: Any, **changes: Any) -> Act:
    decision = plan(of, **changes)
    assert isinstance(decision, Do), decision
    return decision.act


def asked(of: Any, **changes: Any) -> str:
    """The id of what a person is asked; it is asked once, then the order rests or goes on."""
    decision = plan(of, **changes)
    assert isinstance(decision, Do), decision
    assert decision.act is Act.ASK
    assert decision.task is not None
    again = plan(of.model_copy(update={"tasks": (*of.tasks, decision.task)}), **changes)
    assert not (isinstance(again, Do) and again.task and again.task.id == decision.task.id)
    return decision.task.id


def cancellation(by: CancelSide, **changes: Any) -> Cancellation:
    return Cancellation(**({"by": by, "reason": "no stock", "asked_at": NOW} | changes))


def cancelled_there(**changes: Any) -> Any:
    """The marketplace cancelled an order that VTEX has."""
    by_market = cancellation(CancelSide.MARKETPLACE, confirmed_by_owner=True, in_market=Step.DONE)
    fields: dict[str, Any] = {
        "market": market_order(status=MarketStatus.CANCELLED),
        "cancellation": by_market,
    }
    return placed(**(fields | changes))


def cancelled_by_seller(**changes: Any) -> Any:
    """VTEX's order says that the seller cancels."""
    by_seller = cancellation(CancelSide.SELLER, confirmed_by_owner=True)
    return placed(**({"cancellation": by_seller, "vtex": vtex_view(status="cancel")} | changes))


# --- nothing known, nothing to do -----------------------------------------------------------------


def test_an_order_the_marketplace_was_not_read_for_waits():
    assert at_rest(plan(order(market=None))).until == NOW + WATCH


def test_a_settled_order_is_watched():
    decision = at_rest(plan(placed()))
    assert (decision.until, decision.ended) == (NOW + WATCH, False)
    assert at_rest(plan(placed(), watch=HOUR)).until == NOW + HOUR


# --- placing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [MarketStatus.PENDING, MarketStatus.PAID, MarketStatus.SHIPPED])
def test_an_order_is_placed_whatever_became_of_its_payment(status: MarketStatus):
    assert act(order(market=market_order(status=status))) is Act.PLACE


def test_a_refused_order_is_placed_again_when_it_is_looked_at():
    assert act(order(placement=Placement.REFUSED)) is Act.PLACE


def test_an_incomplete_cart_waits():
    decision = at_rest(plan(order(market=market_order(complete=False))))
    assert decision.until == NOW + ASK_AGAIN


@pytest.mark.parametrize("accept", [Step.NO, Step.SENT])
def test_acceptance_goes_before_placing_where_the_marketplace_wants_it(accept: Step):
    assert act(order(market=market_order(needs_acceptance=True), accept=accept)) is Act.ACCEPT
    assert act(order(accept=accept)) is Act.PLACE


def test_what_the_marketplace_has_not_released_is_not_placed():
    at_rest(plan(order(market=market_order(needs_acceptance=True), accept=Step.DONE)))


@pytest.mark.parametrize("accept", [Step.REFUSED, Step.UNSUPPORTED])
def test_what_cannot_be_accepted_is_a_persons_business(accept: Step):
    waiting = order(market=market_order(needs_acceptance=True), accept=accept)
    assert asked(waiting) == "accept-by-hand"


@pytest.mark.parametrize("placement", [Placement.SENT, Placement.QUEUED])
def test_while_the_outcome_may_still_show_a_404_means_not_yet(placement: Placement):
    """And after that it means never: the order is sent again."""
    until = NOW + 15 * MINUTE
    sent = order(placement=placement, doubt_until=until)
    assert at_rest(plan(sent)).until == until
    assert at_rest(plan(sent, now=until - SECOND)).until == until
    assert act(sent, now=until) is Act.PLACE


def test_what_vtex_cancelled_before_is_a_persons_business():
    before = order(placement=Placement.CANCELLED_BEFORE)
    assert asked(before) == "cancelled-before"


# --- accepting and authorizing --------------------------------------------------------------------


@pytest.mark.parametrize("status", [MarketStatus.PENDING, MarketStatus.PAID])
@pytest.mark.parametrize("accept", [Step.NO, Step.SENT])
def test_a_placed_order_is_accepted(status: MarketStatus, accept: Step):
    assert act(placed(market=market_order(status=status), accept=accept)) is Act.ACCEPT


@pytest.mark.parametrize(
    ("changes", "can"),
    [
        ({"accept": Step.DONE}, True),
        ({"accept": Step.REFUSED}, True),
        ({"accept": Step.NO}, False),
        ({"accept": Step.NO, "market": market_order(status=MarketStatus.SHIPPED)}, True),
    ],
    ids=["done", "refused", "cannot", "shipped"],
)
def test_acceptance_is_not_sent_where_it_means_nothing(changes: dict[str, Any], can: bool):
    at_rest(plan(placed(**changes), can=MarketAbility(accept=can)))


@pytest.mark.parametrize("status", sorted(NEEDS_AUTHORIZATION))
def test_a_paid_order_is_authorized_while_vtex_waits_for_it(status: str):
    waiting = placed(authorize=Step.NO, vtex=vtex_view(status=status))
    assert act(waiting) is Act.AUTHORIZE


def test_an_unpaid_order_is_never_authorized():
    waiting = placed(
        authorize=Step.NO,
        market=market_order(status=MarketStatus.PENDING),
        vtex=vtex_view(status="waiting-ffmt-authorization"),
    )
    at_rest(plan(waiting))


@pytest.mark.parametrize("status", ["handling", "invoiced", "window-to-cancel", "of-tomorrow"])
def test_vtex_that_has_moved_on_is_not_authorized_again(status: str):
    at_rest(plan(placed(authorize=Step.NO, vtex=vtex_view(status=status))))


def test_an_authorization_on_its_way_is_repeated_only_after_a_while():
    sent = placed(
        authorize=Step.SENT,
        authorize_since=NOW,
        vtex=vtex_view(status="waiting-ffmt-authorization"),
    )
    assert at_rest(plan(sent)).until == NOW + ASK_AGAIN
    assert act(sent, now=NOW + ASK_AGAIN) is Act.AUTHORIZE


def test_without_vtex_own_order_nothing_is_authorized_and_it_is_soon_read():
    assert at_rest(plan(placed(authorize=Step.NO, vtex=None))).until <= NOW + MINUTE


def test_a_manual_authorization_is_asked_of_a_person_and_never_forced():
    waiting = placed(authorize=Step.NO, vtex=vtex_view(status=MANUAL_AUTHORIZATION))
    assert asked(waiting) == "manual-authorization"


@pytest.mark.parametrize("status", [*sorted(NEEDS_AUTHORIZATION | CANCELLING), ""])
def test_statuses_that_do_not_prove_an_authorization(status: str):
    assert not is_authorized(status)
    assert not is_authorized(MANUAL_AUTHORIZATION)


@pytest.mark.parametrize("status", ["authorize-fulfillment", "handling", "invoiced", "unheard-of"])
def test_statuses_past_the_authorization(status: str):
    assert is_authorized(status)


# --- invoices, tracking, delivery -----------------------------------------------------------------


def test_invoice_tracking_and_delivery_go_out_in_this_order():
    one = parcel(tracking=tracking(), delivered_at=NOW)
    known = tracking_digest(one.tracking)
    assert act(placed(parcels=(one,))) is Act.INVOICE
    one = one.model_copy(update={"sent": Step.DONE})
    assert act(placed(parcels=(one,))) is Act.TRACKING
    one = one.model_copy(update={"tracking_sent": known, "tracking_step": Step.DONE})
    assert act(placed(parcels=(one,))) is Act.DELIVERED
    one = one.model_copy(update={"delivered_step": Step.DONE})
    at_rest(plan(placed(parcels=(one,))))


def test_each_parcel_gets_its_own_number():
    first = parcel("NF-1", sent=Step.DONE)
    decision = plan(placed(parcels=(first, parcel("NF-2"))))
    assert decision == Do(Act.INVOICE, "NF-2")


def test_tracking_without_its_invoice_waits_for_the_invoice():
    early = parcel(invoice=parcel().invoice.model_copy(update={"value_minor": 0}),
                   tracking=tracking())  # fmt: skip
    at_rest(plan(placed(parcels=(early,))))


def test_a_parcel_that_waits_does_not_hold_up_the_next():
    early = parcel(invoice=parcel().invoice.model_copy(update={"value_minor": 0}))
    assert plan(placed(parcels=(early, parcel("NF-2")))) == Do(Act.INVOICE, "NF-2")


def test_corrected_tracking_is_sent_again_and_the_same_is_not():
    sent = parcel(sent=Step.DONE, tracking=tracking(), tracking_step=Step.DONE,
                  tracking_sent=tracking_digest(tracking()))  # fmt: skip
    at_rest(plan(placed(parcels=(sent,))))
    corrected = sent.model_copy(update={"tracking": tracking(number="BR2")})
    assert act(placed(parcels=(corrected,))) is Act.TRACKING


def test_tracking_that_tells_nothing_is_not_sent():
    bare = parcel(sent=Step.DONE, tracking=tracking(number="", url=""))
    at_rest(plan(placed(parcels=(bare,))))


def test_a_return_is_never_sent_as_an_invoice():
    back = parcel("NF-9", returned=True)
    assert asked(placed(parcels=(back,))) == "returned-NF-9"


@pytest.mark.parametrize(
    ("can", "expected"),
    [
        (MarketAbility(invoice=False), Act.TRACKING),
        (MarketAbility(invoice=False, tracking=False), Act.DELIVERED),
    ],
)
def test_what_the_marketplace_cannot_be_told_is_left_out(can: MarketAbility, expected: Act):
    one = parcel(tracking=tracking(), delivered_at=NOW)
    assert act(placed(parcels=(one,)), can=can) is expected


def test_a_marketplace_that_can_be_told_nothing_is_told_nothing():
    one = parcel(tracking=tracking(), delivered_at=NOW)
    at_rest(plan(placed(parcels=(one,)),
                 can=MarketAbility(invoice=False, tracking=False, delivered=False)))  # fmt: skip


@pytest.mark.parametrize(
    ("refused", "left"),
    [
        ({"sent": Step.REFUSED}, None),
        ({"sent": Step.DONE, "tracking_step": Step.REFUSED}, Act.DELIVERED),
        ({"sent": Step.DONE, "delivered_step": Step.REFUSED}, Act.TRACKING),
    ],
    ids=["invoice", "tracking", "delivery"],
)
def test_what_the_marketplace_refused_is_not_sent_again(refused: Any, left: Act | None):
    of = placed(parcels=(parcel(tracking=tracking(), delivered_at=NOW, **refused),))
    if left is None:
        at_rest(plan(of))
    else:
        assert act(of) is left


def test_what_the_marketplace_has_no_way_to_take_does_not_stop_the_rest():
    one = parcel(sent=Step.UNSUPPORTED, tracking=tracking())
    assert act(placed(parcels=(one,))) is Act.TRACKING


@pytest.mark.parametrize("step", [Step.NO, Step.SENT])
def test_an_unknown_outcome_is_done_again(step: Step):
    assert act(placed(parcels=(parcel(sent=step),))) is Act.INVOICE


# --- the marketplace cancels ----------------------------------------------------------------------


@pytest.mark.parametrize("placement", [Placement.NO, Placement.REFUSED, Placement.CANCELLED_BEFORE])
def test_cancelled_before_it_was_placed_it_has_ended(placement: Placement):
    of = order(market=market_order(status=MarketStatus.CANCELLED), placement=placement)
    assert at_rest(plan(of)).ended


@pytest.mark.parametrize(
    "placement", [Placement.NO, Placement.SENT, Placement.QUEUED, Placement.REFUSED]
)
def test_cancelled_after_it_was_sent_it_waits_as_long_as_vtex_may_take(placement: Placement):
    """Ending it sooner would leave an order in VTEX that nobody cancels."""
    until = NOW + 15 * MINUTE
    market = market_order(status=MarketStatus.CANCELLED)
    of = order(market=market, placement=placement, doubt_until=until)
    waiting = at_rest(plan(of, now=until - SECOND))
    assert (waiting.ended, waiting.until) == (False, until)
    assert at_rest(plan(of, now=until)).ended


def test_cancelled_there_vtex_is_asked_to_cancel():
    assert act(cancelled_there()) is Act.CANCEL_VTEX


def test_vtex_is_asked_again_only_after_a_while():
    """It answered, and its order is still not cancelled."""
    by_market = cancellation(
        CancelSide.MARKETPLACE, in_market=Step.DONE, in_vtex=Step.DONE, vtex_asked_at=NOW
    )
    of = cancelled_there(cancellation=by_market)
    assert at_rest(plan(of)).until == NOW + ASK_AGAIN
    assert act(of, now=NOW + ASK_AGAIN) is Act.CANCEL_VTEX


def test_a_refused_cancellation_is_a_persons_business():
    by_market = cancellation(CancelSide.MARKETPLACE, in_vtex=Step.REFUSED)
    assert asked(cancelled_there(cancellation=by_market)) == "cancel-refused"


def test_both_sides_cancelled_is_the_end():
    of = cancelled_there(vtex=vtex_view(status="canceled", cancelled=True))
    assert at_rest(plan(of)).ended


def test_invoiced_goods_come_back_by_a_return_invoice():
    of = cancelled_there(vtex=vtex_view(status="invoiced", invoiced=True, invoiced_minor=10_000))
    assert act(of) is Act.RETURN_INVOICE


def test_a_refused_cancellation_that_lost_to_the_invoice_becomes_a_return():
    """Cancel and invoice crossed: the invoice won, and what VTEX has now decides."""
    by_market = cancellation(CancelSide.MARKETPLACE, in_vtex=Step.REFUSED)
    vtex = vtex_view(status="invoiced", invoiced=True, invoiced_minor=10_000)
    assert act(cancelled_there(cancellation=by_market, vtex=vtex)) is Act.RETURN_INVOICE


@pytest.mark.parametrize(
    ("returned", "returned_minor"), [(Step.DONE, 0), (Step.NO, 10_000), (Step.SENT, 12_000)]
)
def test_returned_goods_are_the_end(returned: Step, returned_minor: int):
    by_market = cancellation(CancelSide.MARKETPLACE, returned=returned)
    vtex = vtex_view(invoiced=True, invoiced_minor=10_000, returned_minor=returned_minor)
    assert at_rest(plan(cancelled_there(cancellation=by_market, vtex=vtex))).ended


def test_an_order_invoiced_in_part_can_neither_be_cancelled_nor_returned():
    vtex = vtex_view(status="handling", invoiced=False, invoiced_minor=4_000)
    assert asked(cancelled_there(vtex=vtex)) == "cancel-part-invoiced"


def test_nothing_more_is_sent_to_a_marketplace_that_cancelled():
    of = cancelled_there(parcels=(parcel(tracking=tracking()),))
    assert act(of) is Act.CANCEL_VTEX


@pytest.mark.parametrize("changes", [{"vtex": None}, {"cancellation": None}])
def test_a_cancellation_waits_until_vtex_own_order_is_read(changes: dict[str, Any]):
    assert at_rest(plan(cancelled_there(**changes))).until == NOW + ASK_AGAIN


# --- the seller cancels ---------------------------------------------------------------------------


@pytest.mark.parametrize("step", [Step.NO, Step.SENT])
def test_cancelled_in_vtex_the_marketplace_follows(step: Step):
    by_seller = cancellation(CancelSide.SELLER, confirmed_by_owner=True, in_market=step)
    assert act(cancelled_by_seller(cancellation=by_seller)) is Act.CANCEL_MARKET


def test_a_call_alone_cancels_nothing():
    """VTEX's own order does not say so: the order goes on as if nobody had called."""
    unproven = cancellation(CancelSide.SELLER)
    of = placed(cancellation=unproven, parcels=(parcel(),))
    assert act(of) is Act.INVOICE


@pytest.mark.parametrize("status", [MarketStatus.SHIPPED, MarketStatus.DELIVERED])
def test_what_has_been_shipped_is_not_cancelled_there(status: MarketStatus):
    of = cancelled_by_seller(market=market_order(status=status, raw_status="on its way"))
    assert asked(of) == "cancel-after-shipping"


@pytest.mark.parametrize("status", [MarketStatus.SHIPPED, MarketStatus.DELIVERED])
def test_where_the_seller_may_refund_what_was_shipped_is_given_up_too(status: MarketStatus):
    can = MarketAbility(refund=True)
    shipped = market_order(status=status, raw_status="on its way")
    assert act(cancelled_by_seller(market=shipped), can=can) is Act.CANCEL_MARKET
    done = cancellation(CancelSide.SELLER, confirmed_by_owner=True, in_market=Step.DONE)
    of = cancelled_by_seller(market=shipped, cancellation=done)
    assert isinstance(plan(of, can=can), Rest)
    refused = cancellation(CancelSide.SELLER, confirmed_by_owner=True, in_market=Step.REFUSED)
    of = cancelled_by_seller(market=shipped, cancellation=refused)
    assert asked(of, can=can) == "cancel-refused-there"


def test_a_marketplace_that_cannot_be_told_is_cancelled_by_hand():
    assert asked(cancelled_by_seller(), can=MarketAbility(cancel=False)) == "cancel-by-hand"


def test_a_marketplace_that_refuses_is_a_persons_business():
    by_seller = cancellation(CancelSide.SELLER, confirmed_by_owner=True, in_market=Step.REFUSED)
    assert asked(cancelled_by_seller(cancellation=by_seller)) == "cancel-refused-there"


@pytest.mark.parametrize(("cancelled", "ended"), [(True, True), (False, False)])
def test_after_the_marketplace_followed_only_vtex_is_waited_for(cancelled: bool, ended: bool):
    by_seller = cancellation(CancelSide.SELLER, confirmed_by_owner=True, in_market=Step.DONE)
    of = cancelled_by_seller(cancellation=by_seller, vtex=vtex_view(cancelled=cancelled))
    assert at_rest(plan(of)).ended is ended


def test_a_cancellation_of_the_seller_stops_everything_else():
    of = cancelled_by_seller(parcels=(parcel(),), authorize=Step.NO)
    assert act(of) is Act.CANCEL_MARKET


def test_both_cancel_at_the_same_time_and_both_end():
    by_seller = cancellation(CancelSide.SELLER, confirmed_by_owner=True)
    both = {"market": market_order(status=MarketStatus.CANCELLED), "cancellation": by_seller}
    assert act(placed(**both)) is Act.CANCEL_VTEX
    assert at_rest(plan(placed(**both, vtex=vtex_view(cancelled=True)))).ended


# --- partial cancellation -------------------------------------------------------------------------


def _partly(**changes: Any) -> Any:
    return {"market": market_order(partly_cancelled=True)} | changes


@pytest.mark.parametrize("placement", [Placement.NO, Placement.REFUSED])
def test_a_partly_cancelled_order_is_not_placed_but_put_before_a_person(placement: Placement):
    of = order(**_partly(placement=placement))
    assert asked(of) == "partly-cancelled"
    task = Task(id="partly-cancelled", what="", why="", since=NOW)
    at_rest(plan(of.model_copy(update={"tasks": (task,)})))


def test_a_placed_order_that_is_partly_cancelled_goes_on_after_asking():
    of = placed(**_partly(parcels=(parcel(),)))
    assert asked(of) == "partly-cancelled"
    task = Task(id="partly-cancelled", what="", why="", since=NOW)
    assert act(of.model_copy(update={"tasks": (task,)})) is Act.INVOICE


def test_a_wholly_cancelled_order_is_not_partly_cancelled():
    market = market_order(status=MarketStatus.CANCELLED, partly_cancelled=True)
    assert act(cancelled_there(market=market)) is Act.CANCEL_VTEX


# --- returns by the seller ------------------------------------------------------------------------


def test_our_own_return_invoice_asks_nobody():
    ours = parcel("NF-1-R1", returned=True)
    of = placed(parcels=(ours,), vtex=vtex_view(return_numbers=("NF-1-R1",)))
    at_rest(plan(of))


def test_a_return_is_asked_about_without_holding_up_the_invoice():
    back = parcel("NF-9", returned=True)
    assert act(placed(parcels=(back, parcel("NF-1")))) is Act.INVOICE


def test_every_return_is_asked_about():
    both = (parcel("NF-8", returned=True), parcel("NF-9", returned=True))
    of = placed(parcels=both)
    first = Task(id="returned-NF-8", what="", why="", since=NOW)
    assert asked(of) == "returned-NF-8"
    assert asked(of.model_copy(update={"tasks": (first,)})) == "returned-NF-9"


# --- the marketplace delivers (FOB) ---------------------------------------------------------------


def _fob(shipment: Shipment | None, **changes: Any) -> Any:
    market = market_order(
        status=MarketStatus.SHIPPED, delivery=Delivery.MARKETPLACE, shipment=shipment
    )
    fields: dict[str, Any] = {"market": market, "parcels": (parcel(sent=Step.DONE),)}
    return placed(**(fields | changes))


SHIPPED = Shipment(courier="DX", tracking_number="DX1", tracking_url="u", shipped_at=NOW)
NEWS = "DX|DX1|u"


def test_the_carriers_news_goes_to_vtex_under_the_invoice():
    assert plan(_fob(SHIPPED)) == Do(Act.SHARE_TRACKING, "NF-1")


def test_the_same_news_is_told_once_and_new_news_again():
    at_rest(plan(_fob(SHIPPED, fob=Shared(tracking=NEWS))))
    moved = SHIPPED.model_copy(update={"tracking_number": "DX2"})
    assert act(_fob(moved, fob=Shared(tracking=NEWS))) is Act.SHARE_TRACKING


def test_the_arrival_follows_the_tracking():
    arrived = SHIPPED.model_copy(update={"delivered_at": NOW})
    assert act(_fob(arrived)) is Act.SHARE_TRACKING
    told = Shared(tracking=NEWS)
    assert plan(_fob(arrived, fob=told)) == Do(Act.SHARE_DELIVERED, "NF-1")
    done = told.model_copy(update={"delivered_step": Step.DONE})
    at_rest(plan(_fob(arrived, fob=done)))


@pytest.mark.parametrize("parcels", [(), (parcel("NF-9", returned=True),)])
def test_without_an_invoice_there_is_nothing_to_hang_the_news_on(parcels: Any):
    decision = plan(_fob(SHIPPED, parcels=parcels))
    assert not (isinstance(decision, Do) and decision.act is Act.SHARE_TRACKING)


@pytest.mark.parametrize("kind", [Delivery.MARKETPLACE, Delivery.MARKETPLACE_STOCK])
def test_the_marketplace_is_not_told_of_its_own_carrier(kind: Delivery):
    one = parcel(sent=Step.DONE, tracking=tracking(), delivered_at=NOW)
    at_rest(plan(placed(market=market_order(delivery=kind), parcels=(one,))))


# --- the end --------------------------------------------------------------------------------------


def _delivered(**changes: Any) -> Any:
    one = parcel(sent=Step.DONE, delivered_at=NOW, delivered_step=Step.DONE)
    fields: dict[str, Any] = {
        "parcels": (one,),
        "vtex": vtex_view(status="invoiced", invoiced=True, invoiced_minor=10_000),
    }
    return placed(**(fields | changes))


def test_when_everything_was_told_the_order_has_ended():
    assert at_rest(plan(_delivered())).ended


@pytest.mark.parametrize(
    "changes",
    [
        {"vtex": vtex_view(status="handling", invoiced=False)},
        {"parcels": ()},
        {"parcels": (parcel(sent=Step.DONE, delivered_step=Step.DONE),
                     parcel("NF-2", sent=Step.DONE))},
        {"vtex": None},
    ],
    ids=["partly invoiced", "no invoice", "one parcel on its way", "VTEX unread"],
)  # fmt: skip
def test_an_order_with_something_open_has_not_ended(changes: dict[str, Any]):
    assert not at_rest(plan(_delivered(**changes))).ended


def test_a_marketplace_that_says_delivered_ends_it_too():
    one = parcel(sent=Step.DONE)
    of = _delivered(parcels=(one,), market=market_order(status=MarketStatus.DELIVERED))
    assert at_rest(plan(of)).ended


def test_an_order_nothing_happens_to_is_forgotten_after_long():
    old = placed(first_seen_at=NOW - FORGET_AFTER)
    assert not at_rest(plan(old)).ended
    assert at_rest(plan(old, now=NOW + SECOND)).ended


# --- the state people see -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "parked", "state"),
    [
        (order(market=None), False, OrderState.SEEN),
        (order(), False, OrderState.WAITING),
        (order(placement=Placement.REFUSED), False, OrderState.WAITING),
        (order(placement=Placement.REFUSED), True, OrderState.PARKED),
        (order(placement=Placement.SENT), False, OrderState.PLACING),
        (order(placement=Placement.QUEUED), False, OrderState.PLACING),
        (placed(authorize=Step.NO), False, OrderState.PLACED),
        (placed(), False, OrderState.AUTHORIZED),
        (placed(parcels=(parcel(sent=Step.DONE),)), False, OrderState.INVOICED),
        (placed(), True, OrderState.PARKED),
        (placed(ended_at=NOW), False, OrderState.DELIVERED),
        (cancelled_there(ended_at=NOW), True, OrderState.CANCELLED),
    ],
)
def test_order_state(of: Any, parked: bool, state: OrderState):
    assert order_state(of, parked=parked) is state


def test_a_cancellation_nobody_proved_does_not_make_a_delivered_order_cancelled():
    unproven = cancellation(CancelSide.SELLER)
    assert order_state(_delivered(cancellation=unproven, ended_at=NOW)) is OrderState.DELIVERED


def test_a_rest_is_never_in_the_past():
    for of in (order(), placed(), cancelled_there(), cancelled_by_seller(), _delivered()):
        decision = plan(of, now=NOW + DAY + MINUTE)
        assert isinstance(decision, Do) or decision.until >= NOW + DAY + MINUTE
