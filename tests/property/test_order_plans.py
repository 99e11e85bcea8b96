"""Whatever happens to an order, in whatever order, with whatever luck: both sides end up agreeing.

The planner alone is tested here: reading and writing are a small model of both sides, in which any
call may fail, be refused, or be carried out without an answer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.marketorder import (
    Delivery,
    Invoice,
    Line,
    MarketOrder,
    MarketStatus,
    Shipment,
    Tracking,
)
from connector.domain.order import (
    Cancellation,
    CancelSide,
    Order,
    Parcel,
    Placement,
    Step,
    VtexView,
)
from connector.domain.order_facts import add_task, parcel_of, put_parcel
from connector.domain.order_planner import OrderView, is_authorized, plan_order, tracking_digest
from connector.domain.order_view import CANCELLING, NOT_YET, Act, Do, MarketAbility, Rest

START = datetime(2026, 3, 2, tzinfo=UTC)
MOST_STEPS = 60
TOTAL = 10_000


DONE, LOST_BEFORE, LOST_AFTER, REFUSED = "done", "lost-before", "lost-after", "refused"


@dataclass
class Sides:
    """What is really so on both sides."""

    delivery: Delivery
    status: MarketStatus = MarketStatus.PENDING
    partly: bool = False
    shipment: Shipment | None = None
    vtex: str = ""
    """Status of VTEX's order, empty while there is none."""
    queued_until: datetime | None = None
    invoices: dict[str, int] = field(default_factory=dict)
    trackings: dict[str, Tracking] = field(default_factory=dict)
    arrived: set[str] = field(default_factory=set)
    returned_minor: int = 0
    approved: bool = False
    created: int = 0

    @property
    def invoiced_minor(self) -> int:
        return sum(self.invoices.values())

    def pass_time(self, now: datetime) -> None:
        if self.queued_until is not None and now >= self.queued_until:
            self.queued_until = None
            self._create()
        if self.vtex == "cancel":
            self.vtex = "canceled"

    def _create(self) -> None:
        if not self.vtex:
            self.vtex, self.created = "waiting-ffmt-authorization", self.created + 1

    def take_order(self, now: datetime, queue_s: int) -> None:
        if queue_s and not self.vtex:
            self.queued_until = self.queued_until or now + timedelta(seconds=queue_s)
        else:
            self._create()

    def cancel_in_vtex(self) -> bool:
        """Whether VTEX accepts to cancel."""
        if self.vtex.startswith("cancel"):
            return True
        if self.invoices:
            return False
        self.vtex = "cancel"
        return True


@dataclass
class Life:
    """One order, the hub's knowledge of it, and everything that was done."""

    sides: Sides
    draw: Any
    order: Order
    can: MarketAbility
    api: Any
    now: datetime = START
    unlucky: bool = True
    acts: list[Do] = field(default_factory=list)
    done: Counter[tuple[Act, str]] = field(default_factory=Counter)

    # --- reading, as the flow does it -------------------------------------------------------------

    def read(self) -> None:
        sides = self.sides
        sides.pass_time(self.now)
        self.order = self.order.model_copy(update={"market": self._market()})
        if sides.status is MarketStatus.CANCELLED:
            self._know_cancelled_there()
        placement = self.order.placement
        waiting = placement in {Placement.SENT, Placement.QUEUED, Placement.PLACED}
        waiting |= self.order.doubt_until is not None
        if (waiting or self.order.cancellation is not None) and sides.vtex:
            self._know_vtex()

    def _market(self) -> MarketOrder:
        return MarketOrder(
            key="C-1",
            status=self.sides.status,
            created_at=START,
            currency="BRL",
            lines=(Line(sku="1", quantity=2, unit_price_minor=5_000),),
            total_minor=TOTAL,
            delivery=self.sides.delivery,
            shipment=self.sides.shipment,
            partly_cancelled=self.sides.partly,
        )

    def _know_cancelled_there(self) -> None:
        known = self.order.cancellation or Cancellation(
            by=CancelSide.MARKETPLACE, asked_at=self.now, confirmed_by_owner=True
        )
        known = known.model_copy(update={"in_market": Step.DONE})
        self.order = self.order.model_copy(update={"cancellation": known})

    def _know_vtex(self) -> None:
        sides, order = self.sides, self.order
        view = VtexView(
            order_id="DMM-C-1",
            status=sides.vtex,
            cancelled=sides.vtex == "canceled",
            invoiced=sides.invoiced_minor >= TOTAL,
            invoiced_minor=sides.invoiced_minor,
            returned_minor=sides.returned_minor,
            read_at=self.now,
        )
        update: dict[str, Any] = {"vtex": view, "placement": Placement.PLACED}
        cancels = view.cancelled or view.status in CANCELLING
        known = order.cancellation
        if cancels and known is None:
            known = Cancellation(by=CancelSide.SELLER, asked_at=self.now)
        if cancels and known is not None:
            known = known.model_copy(update={"confirmed_by_owner": True})
        if view.cancelled and known is not None:
            known = known.model_copy(update={"in_vtex": Step.DONE})
        if is_authorized(view.status):
            update["authorize"] = Step.DONE
        self.order = order.model_copy(update={**update, "cancellation": known})
        for number, value in sides.invoices.items():
            parcel = parcel_of(self.order, number) or Parcel(
                invoice=Invoice(number=number, value_minor=value, currency="BRL")
            )
            parcel = parcel.model_copy(update={"tracking": sides.trackings.get(number)})
            if number in sides.arrived and parcel.delivered_at is None:
                parcel = parcel.model_copy(update={"delivered_at": self.now})
            self.order = put_parcel(self.order, parcel)

    # --- a turn -----------------------------------------------------------------------------------

    def turn(self) -> Rest | None:
        """Read, then act until the order rests; None where a call failed and it is tried later."""
        self.read()
        for _ in range(MOST_STEPS):
            view = OrderView(order=self.order, can=self.can, now=self.now, order_api=self.api)
            decision = plan_order(view)
            if isinstance(decision, Rest):
                assert decision.until >= self.now
                return decision
            if not self._carry_out(decision):
                return None
        raise AssertionError(f"it never rests: {self.acts[-5:]}")

    def _luck(self, *, may_refuse: bool) -> str:
        if not self.unlucky:
            return DONE
        rare = [LOST_BEFORE, LOST_AFTER, *([REFUSED] if may_refuse else [])]
        return self.draw(st.sampled_from([*[DONE] * 6, *rare]))

    def _carry_out(self, do: Do) -> bool:
        """Do one step; False where the turn ends, because nobody knows how it went."""
        self.acts.append(do)
        if do.act is Act.ASK:
            assert do.task is not None
            assert all(task.id != do.task.id for task in self.order.tasks), "asked twice"
            self.order = add_task(self.order, do.task)
            return True
        if do.act in {Act.INVOICE, Act.TRACKING, Act.DELIVERED}:
            return self._tell_market(do)
        return getattr(self, f"_{do.act.name.lower()}")(do)

    def _step(self, **fields: Any) -> None:
        self.order = self.order.model_copy(update=fields)

    def _place(self, do: Do) -> bool:
        assert not self.order.placed, "placed twice"
        doubt = self.now + NOT_YET[self.api]
        self._step(placement=Placement.SENT, placement_since=self.now, doubt_until=doubt)
        luck = self._luck(may_refuse=True)
        queue_s = self.draw(st.sampled_from([0, 30, 600])) if self.api == "integration" else 0
        if luck == REFUSED:
            self._step(placement=Placement.REFUSED)
            return False
        if luck != LOST_BEFORE:
            self.sides.take_order(self.now, queue_s)
        if luck != DONE:
            return False
        placed = self.api == "classic"
        self._step(placement=Placement.PLACED if placed else Placement.QUEUED)
        self.done[do.act, ""] += 1
        return not placed  # the flow reads VTEX's order in its next turn

    def _accept(self, do: Do) -> bool:
        luck = self._luck(may_refuse=True)
        step = {DONE: Step.DONE, REFUSED: Step.REFUSED}.get(luck, Step.SENT)
        self._step(accept=step)
        return step is not Step.SENT

    def _authorize(self, do: Do) -> bool:
        assert self.sides.status is not MarketStatus.PENDING, "authorized before it was paid"
        self._step(authorize=Step.SENT, authorize_since=self.now)
        luck = self._luck(may_refuse=False)
        if luck != LOST_BEFORE and self.sides.vtex == "waiting-ffmt-authorization":
            self.sides.vtex, self.sides.approved = "ready-for-handling", True
        if luck == DONE:
            self._step(authorize=Step.DONE)
        return luck == DONE

    def _tell_market(self, do: Do) -> bool:
        parcel = parcel_of(self.order, do.number)
        assert parcel is not None
        name = {Act.INVOICE: "sent", Act.TRACKING: "tracking_step"}.get(do.act, "delivered_step")
        said = tracking_digest(parcel.tracking) if parcel.tracking else ""
        what = f"{do.number}|{said}" if do.act is Act.TRACKING else do.number
        assert self.done[do.act, what] == 0, f"{do.act} was confirmed already"
        luck = self._luck(may_refuse=True)
        step = {DONE: Step.DONE, REFUSED: Step.REFUSED}.get(luck, Step.SENT)
        update: dict[str, Any] = {name: step}
        if do.act is Act.TRACKING and step is not Step.SENT:
            update["tracking_sent"] = said
        self.done[do.act, what] += luck == DONE
        self.order = put_parcel(self.order, parcel.model_copy(update=update))
        return step is not Step.SENT

    def _cancellation(self, **fields: Any) -> None:
        known = self.order.cancellation
        assert known is not None
        self._step(cancellation=known.model_copy(update=fields))

    def _cancel_market(self, do: Do) -> bool:
        sides = self.sides
        assert sides.vtex in CANCELLING, "nobody cancelled in VTEX"
        late = sides.status in {MarketStatus.SHIPPED, MarketStatus.DELIVERED}
        luck = self._luck(may_refuse=False)
        if luck == LOST_BEFORE:
            self._cancellation(in_market=Step.SENT)
            return False
        if late:
            self._cancellation(in_market=Step.REFUSED)
            return True
        sides.status = MarketStatus.CANCELLED
        self._cancellation(in_market=Step.DONE if luck == DONE else Step.SENT)
        return luck == DONE

    def _cancel_vtex(self, do: Do) -> bool:
        assert self.sides.status is MarketStatus.CANCELLED, "nobody cancelled there"
        self._cancellation(in_vtex=Step.SENT)
        luck = self._luck(may_refuse=False)
        taken = luck != LOST_BEFORE and self.sides.cancel_in_vtex()
        if luck != DONE:
            return False
        if not taken:  # cancel and invoice crossed: what VTEX has now decides
            self._know_vtex()
        step = Step.DONE if taken else Step.NO
        self._cancellation(in_vtex=step, vtex_asked_at=self.now)
        return True

    def _return_invoice(self, do: Do) -> bool:
        assert self.sides.invoiced_minor >= TOTAL, "VTEX returns whole orders only"
        self._cancellation(returned=Step.SENT)
        luck = self._luck(may_refuse=False)
        if luck != LOST_BEFORE:
            self.sides.returned_minor = self.sides.invoiced_minor
        if luck == DONE:
            self._cancellation(returned=Step.DONE)
        return luck == DONE

    def _share_tracking(self, do: Do) -> bool:
        shipment = self.sides.shipment
        assert shipment is not None
        luck = self._luck(may_refuse=False)
        if luck == DONE:
            news = f"{shipment.courier}|{shipment.tracking_number}|{shipment.tracking_url}"
            self._step(fob=self.order.fob.model_copy(update={"tracking": news}))
        return luck == DONE

    def _share_delivered(self, do: Do) -> bool:
        luck = self._luck(may_refuse=False)
        if luck == DONE:
            self._step(fob=self.order.fob.model_copy(update={"delivered_step": Step.DONE}))
        return luck == DONE


# --- what buyers, sellers and carriers do ---------------------------------------------------------


def _pay(life: Life) -> None:
    if life.sides.status is MarketStatus.PENDING:
        life.sides.status = MarketStatus.PAID


def _buyer_cancels(life: Life) -> None:
    if life.sides.status in {MarketStatus.PENDING, MarketStatus.PAID}:
        life.sides.status = MarketStatus.CANCELLED


def _buyer_cancels_part(life: Life) -> None:
    life.sides.partly = life.sides.partly or life.sides.status is MarketStatus.PAID


def _seller_cancels(life: Life) -> None:
    if life.sides.vtex:
        life.sides.cancel_in_vtex()


def _invoice(life: Life, minor: int) -> None:
    sides = life.sides
    if sides.vtex in {"ready-for-handling", "handling"} and sides.invoiced_minor < TOTAL:
        sides.invoices[f"NF-{len(sides.invoices) + 1}"] = minor
        sides.vtex = "invoiced" if sides.invoiced_minor >= TOTAL else "handling"


def _track(life: Life) -> None:
    for number in life.sides.invoices:
        count = len(life.acts)
        life.sides.trackings[number] = Tracking(invoice_number=number, number=f"BR{count}")


def _arrive(life: Life) -> None:
    life.sides.arrived |= set(life.sides.invoices)


def _carrier_ships(life: Life) -> None:
    sides = life.sides
    if sides.status is MarketStatus.PAID and sides.delivery is Delivery.MARKETPLACE:
        sides.status = MarketStatus.SHIPPED
        sides.shipment = Shipment(courier="DX", tracking_number="DX1", shipped_at=life.now)


def _carrier_delivers(life: Life) -> None:
    sides = life.sides
    if sides.status is MarketStatus.SHIPPED and sides.shipment is not None:
        sides.status = MarketStatus.DELIVERED
        sides.shipment = sides.shipment.model_copy(update={"delivered_at": life.now})


def _nothing(life: Life) -> None:
    """Time passes."""


def _invoice_all(life: Life) -> None:
    _invoice(life, TOTAL)


def _invoice_half(life: Life) -> None:
    _invoice(life, TOTAL // 2)


EVENTS = (
    *(_pay, _nothing, _nothing, _buyer_cancels, _buyer_cancels_part, _seller_cancels),
    *(_invoice_all, _invoice_all, _invoice_half, _track, _track, _arrive, _arrive),
    *(_carrier_ships, _carrier_delivers),
)


@st.composite
def abilities(draw: Any) -> MarketAbility:
    often = st.sampled_from([True, True, True, False])
    return MarketAbility(*(draw(often) for _ in range(5)))


def _settle(life: Life, *, turns: int) -> Rest | None:
    """Calm hours in which every call succeeds."""
    life.unlucky, rest = False, None
    for _ in range(turns):
        life.now += timedelta(hours=3)
        rest = life.turn()
        if rest is not None and rest.ended:
            break
    life.unlucky = True
    return rest


def _live(data: st.DataObject) -> tuple[Life, Rest]:
    """Some eventful days, then calm ones in which every call succeeds."""
    delivery = st.sampled_from([Delivery.SELLER, Delivery.MARKETPLACE])
    status = st.sampled_from([MarketStatus.PAID, MarketStatus.PAID, MarketStatus.PENDING])
    life = Life(
        sides=Sides(data.draw(delivery), data.draw(status)),
        draw=data.draw,
        order=Order(connection="c", ref="C-1", key="C-1", first_seen_at=START),
        can=data.draw(abilities()),
        api=data.draw(st.sampled_from(["integration", "classic"])),
    )
    if data.draw(st.booleans()):  # half of the orders are well on their way already
        _settle(life, turns=3)
    for event in data.draw(st.lists(st.sampled_from(EVENTS), min_size=2, max_size=14)):
        event(life)
        for _ in range(data.draw(st.integers(0, 2))):
            life.now += timedelta(seconds=data.draw(st.sampled_from([1, 60, 700, 3_600])))
            rest = life.turn()
            if rest is not None and rest.ended:
                return life, rest
    rest = _settle(life, turns=12)
    assert rest is not None, "it never comes to rest"
    return life, rest


MANY = settings(max_examples=150, deadline=None)


@MANY
@given(st.data())
def test_both_sides_agree_in_the_end_or_a_person_is_asked(data: st.DataObject):
    life, _ = _live(data)
    sides, tasks = life.sides, life.order.tasks
    if sides.queued_until is not None:
        sides.pass_time(sides.queued_until)
    there = sides.status is MarketStatus.CANCELLED
    here = sides.vtex.startswith("cancel")
    returned = sides.returned_minor >= sides.invoiced_minor > 0
    assert sides.created <= 1
    if there:
        assert here or returned or not sides.vtex or tasks
    elif here:
        assert tasks, "cancelled in VTEX only, and nobody is told"
    elif not sides.partly:
        assert sides.vtex or tasks, "sold, and never placed"
        if sides.status is MarketStatus.PAID:
            assert sides.approved


@MANY
@given(st.data())
def test_what_vtex_told_has_reached_the_marketplace_in_the_end(data: st.DataObject):
    life, rest = _live(data)
    sides, can = life.sides, life.can
    if sides.status is MarketStatus.CANCELLED or sides.vtex.startswith("cancel") or rest.ended:
        return
    for number in sides.invoices:
        parcel = parcel_of(life.order, number)
        assert parcel is not None
        if Step.REFUSED in {parcel.sent, parcel.tracking_step, parcel.delivered_step}:
            continue
        assert parcel.sent is Step.DONE or not can.invoice
        if can.tracking and sides.delivery is Delivery.SELLER and parcel.tracking is not None:
            assert parcel.tracking_sent == tracking_digest(parcel.tracking)
        if can.delivered and sides.delivery is Delivery.SELLER and parcel.delivered_at:
            assert parcel.delivered_step is Step.DONE


@MANY
@given(st.data())
def test_an_order_that_has_ended_wants_nothing_more(data: st.DataObject):
    life, rest = _live(data)
    if not rest.ended:
        return
    life.order = life.order.model_copy(update={"ended_at": life.now})
    assert life.turn() is not None
    cancelled = life.sides.status is MarketStatus.CANCELLED
    done = {do.act for do in life.acts}
    assert cancelled or Act.PLACE in done
