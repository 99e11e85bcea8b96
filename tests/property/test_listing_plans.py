"""Whatever a listing, its rules and its marketplace are like: plans converge and never oversell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.connection import Rules
from connector.domain.listing import (
    Action,
    Commercial,
    Confirmed,
    Intent,
    Listing,
    SkuRecord,
)
from connector.domain.listing_planner import Market, Plan, View, plan_listing
from connector.domain.offer import Content, PriceStock

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ROUNDS = 3


def _content(title: str) -> Content:
    return Content(sku="1", product_id="1", title=title, market_category="110")


DIGESTS = [_content(title).digest() for title in ("old", "new")]
prices = st.sampled_from([1, 400, 500, 999, 1_000, 1_500, 5_000])
stocks = st.sampled_from([0, 1, 5, 50, 1_000_000])


@dataclass
class There:
    """What the marketplace really shows."""

    price: int
    list_price: int
    stock: int
    digest: str
    blocked: bool = False

    @property
    def sellable(self) -> bool:
        return not self.blocked and self.stock > 0


@st.composite
def records(draw: Any) -> SkuRecord | None:
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([None, SkuRecord(sku="1", unknown=True, read_at=NOW)]))
    content = _content(draw(st.sampled_from(["old", "new"])))
    if draw(st.integers(0, 4)) == 0:
        content = content.model_copy(update={"market_category": ""})
    good, bad = st.sampled_from([True] * 9 + [False]), st.sampled_from([False] * 9 + [True])
    return SkuRecord(
        sku="1",
        content=content,
        active=draw(good),
        product_active=draw(good),
        in_policy=draw(good),
        own_seller=draw(good),
        needs_attachment=draw(bad),
        gift_card=draw(bad),
        read_at=NOW,
    )


@st.composite
def commercials(draw: Any) -> Commercial | None:
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return None
    if kind == 1:
        return Commercial(missing=True, read_at=NOW)
    price = draw(st.just(0) | prices)
    return Commercial(
        price_minor=price,
        list_price_minor=draw(st.just(0) | prices),
        currency="BRL",
        stock=draw(stocks),
        read_at=NOW,
    )


@st.composite
def rules(draw: Any) -> Rules:
    floor = draw(st.none() | st.sampled_from([1, 500, 1_000]))
    ceiling = draw(st.none() | st.sampled_from([1_000, 1_500, 9_000]))
    return Rules(
        stock_buffer=draw(st.sampled_from([0, 0, 2])),
        max_stock=draw(st.none() | st.sampled_from([0, 3, 100])),
        price_floor=floor,
        price_ceiling=ceiling,
        max_price_change_pct=draw(st.none() | st.sampled_from([10.0, 60.0])),
    )


@st.composite
def theres(draw: Any) -> There:
    price = draw(prices)
    return There(
        price=price,
        list_price=max(price, draw(prices)),
        stock=draw(stocks),
        digest=draw(st.sampled_from(DIGESTS)),
        blocked=draw(st.booleans()),
    )


def _confirmed(there: There) -> Confirmed:
    return Confirmed(
        price_minor=there.price,
        list_price_minor=there.list_price,
        stock=there.stock,
        content_digest=there.digest,
        blocked=there.blocked,
        at=NOW,
    )


@dataclass
class Case:
    """A view, and what the marketplace really has: what is confirmed, unless a write is open."""

    view: View
    there: There | None
    tells_terms: bool


@st.composite
def cases(draw: Any) -> Case:
    there = draw(st.none() | theres())
    listing = Listing(
        connection="c",
        sku="1",
        record=draw(records()),
        commercial=draw(commercials()),
        confirmed=_confirmed(there) if there else None,
        approved_price_minor=draw(st.none() | prices),
        market_id="DM-1" if there else "",
    )
    market = Market(
        block=draw(st.booleans()),
        delete=draw(st.booleans()),
        content=draw(st.booleans()),
        find=draw(st.booleans()),
        max_stock=draw(st.sampled_from([100, 1_000_000])),
    )
    if draw(st.integers(0, 3)) == 0:  # a write whose outcome is unknown, done or not
        target = draw(theres())
        if there is None or target.blocked:
            action = Action.BLOCK if there else Action.CREATE
        else:
            action = Action.PRICE_STOCK
        target = replace(target, blocked=action is Action.BLOCK)
        listing = listing.model_copy(
            update={"intent": Intent(action=action, at=NOW, target=_confirmed(target))}
        )
        there = draw(st.sampled_from([there, target]))
    view = View(
        listing=listing,
        rules=draw(rules()),
        market=market,
        now=NOW,
        held=draw(st.sampled_from([0, 0, 1, 7])),
        wanted=draw(st.sampled_from([True] * 9 + [False])),
    )
    return Case(view, there, tells_terms=draw(st.booleans()))


# --- a marketplace that does what it is told ------------------------------------------------------


def _take_over(case: Case, listing: Listing) -> Listing:
    """The marketplace was asked what it has."""
    found, before = case.there, listing.confirmed
    if found is None:
        return listing.model_copy(update={"intent": None, "confirmed": None, "market_id": ""})
    content_open = listing.intent is None or listing.intent.action is Action.CREATE
    confirmed = Confirmed(
        price_minor=found.price if case.tells_terms else -1,
        list_price_minor=-1,
        stock=found.stock if case.tells_terms else -1,
        content_digest="" if content_open or before is None else before.content_digest,
        blocked=found.blocked,
        at=NOW,
    )
    return listing.model_copy(update={"intent": None, "confirmed": confirmed, "market_id": "DM-1"})


def _terms_sent(case: Case, terms: PriceStock, digest: str) -> There:
    blocked = case.there.blocked if case.there else False
    return There(
        price=terms.price_minor,
        list_price=terms.list_price_minor,
        stock=terms.stock,
        digest=digest,
        blocked=blocked and terms.stock == 0,
    )


def _done(case: Case, plan: Plan, action: Action) -> Case:
    """One step carried out and confirmed."""
    view, there = case.view, case.there
    listing = view.listing
    if action is Action.FIND:
        return replace(case, view=replace(view, listing=_take_over(case, listing)))
    assert plan.target is not None
    assert plan.terms is not None
    before = listing.confirmed
    confirmed: Confirmed | None = plan.target
    if action is Action.CREATE:
        there = _terms_sent(case, plan.terms, plan.target.content_digest)
    elif action is Action.DELETE:
        there, confirmed = None, None
    elif action is Action.CONTENT:
        there = replace(there, digest=plan.target.content_digest) if there else None
        assert before is not None
        confirmed = before.model_copy(update={"content_digest": plan.target.content_digest})
    else:
        # Without anything confirmed this takes back a creation that may have arrived.
        digest = before.content_digest if before else plan.target.content_digest
        confirmed = plan.target.model_copy(update={"content_digest": digest})
        if there is None:  # a lost creation on a marketplace that cannot be asked
            there = _terms_sent(case, plan.terms, digest)
        elif action is Action.BLOCK:
            there = replace(there, blocked=True)
        else:
            there = _terms_sent(case, plan.terms, there.digest)
    listing = listing.model_copy(update={"intent": None, "confirmed": confirmed})
    return replace(case, view=replace(view, listing=listing), there=there)


def _carry_out(case: Case) -> list[tuple[Plan, Action, Case, Case]]:
    """Everything that is done until nothing is left to do: (plan, step, before, after)."""
    history = []
    for _ in range(ROUNDS):
        plan = plan_listing(case.view)
        steps = [step for step in plan.steps if step is not Action.PARK]
        if not steps:
            break
        for step in steps:
            after = _done(case, plan, step)
            history.append((plan, step, case, after))
            case = after
    return history


def _end(case: Case) -> Case:
    history = _carry_out(case)
    return history[-1][3] if history else case


def _unsellable(view: View) -> bool:
    record = view.listing.record
    return (
        not view.wanted
        or record is None
        or record.unknown
        or not (record.active and record.product_active and record.in_policy)
        or not record.own_seller
        or record.needs_attachment
        or record.gift_card
    )


def _publishable(view: View) -> int:
    commercial = view.listing.commercial
    if commercial is None or commercial.missing or commercial.price_minor <= 0:
        return 0
    most = view.market.max_stock
    if view.rules.max_stock is not None:
        most = min(most, view.rules.max_stock)
    return max(0, min(commercial.stock - view.held - view.rules.stock_buffer, most))


def _guarded(view: View, price: int) -> bool:
    floor, ceiling = view.rules.price_floor, view.rules.price_ceiling
    return (floor is not None and price < floor) or (ceiling is not None and price > ceiling)


MANY = settings(max_examples=80, deadline=None)


@MANY
@given(cases())
def test_a_perfect_marketplace_has_nothing_left_to_do_after_three_rounds(case: Case):
    end = _end(case)
    assert [s for s in plan_listing(end.view).steps if s is not Action.PARK] == []


@MANY
@given(cases())
def test_what_cannot_be_sold_is_not_on_sale(case: Case):
    end = _end(case)
    assert not (_unsellable(end.view) and end.there is not None and end.there.sellable)


@MANY
@given(cases())
def test_never_more_is_published_than_vtex_has_free(case: Case):
    for plan, step, before, _ in _carry_out(case):
        if step in {Action.CREATE, Action.PRICE_STOCK}:
            assert plan.terms is not None
            assert plan.terms.stock <= _publishable(before.view)


@MANY
@given(cases())
def test_what_is_on_sale_in_the_end_is_what_vtex_has_free(case: Case):
    end = _end(case)
    if end.there is None or end.view.listing.commercial is None:
        return
    published = 0 if end.there.blocked else end.there.stock
    assert published <= _publishable(end.view)
    open_price = plan_listing(end.view).ask
    if not _unsellable(end.view) and not open_price:
        assert published == _publishable(end.view)


@MANY
@given(cases())
def test_a_price_outside_floor_and_ceiling_is_published_only_when_approved(case: Case):
    for plan, step, before, _ in _carry_out(case):
        if step not in {Action.CREATE, Action.PRICE_STOCK}:
            continue
        assert plan.terms is not None
        price, listing = plan.terms.price_minor, before.view.listing
        kept = listing.confirmed is not None and listing.confirmed.price_minor == price
        approved = listing.approved_price_minor == price
        on_sale = plan.terms.stock > 0
        assert kept or approved or not on_sale or not _guarded(before.view, price)


@MANY
@given(cases())
def test_every_amount_that_is_sent_is_an_amount(case: Case):
    for plan, step, _, _ in _carry_out(case):
        if step in {Action.CREATE, Action.PRICE_STOCK}:
            assert plan.terms is not None
            assert plan.terms.price_minor >= 0
            assert plan.terms.list_price_minor >= plan.terms.price_minor


@MANY
@given(cases())
def test_an_offer_on_sale_has_a_price(case: Case):
    for plan, step, _, _ in _carry_out(case):
        if step in {Action.CREATE, Action.PRICE_STOCK}:
            assert plan.terms is not None
            assert plan.terms.stock == 0 or plan.terms.price_minor > 0


@MANY
@given(cases())
def test_price_and_stock_alone_never_resend_content(case: Case):
    """Where the content is confirmed and its outcome certain, it is not sent."""
    listing = case.view.listing
    plan = plan_listing(case.view)
    same = (
        listing.confirmed is not None
        and listing.record is not None
        and listing.record.content is not None
        and listing.confirmed.content_digest == listing.record.content.digest()
    )
    if same and listing.intent is None:
        assert Action.CONTENT not in plan.steps
        assert Action.CREATE not in plan.steps


@MANY
@given(cases())
def test_stock_and_blocks_go_before_content(case: Case):
    steps = plan_listing(case.view).steps
    if Action.CONTENT in steps:
        others = {Action.PRICE_STOCK, Action.BLOCK} & set(steps)
        assert all(steps.index(other) < steps.index(Action.CONTENT) for other in others)


@MANY
@given(cases())
def test_whoever_is_asked_is_told_why(case: Case):
    plan = plan_listing(case.view)
    assert bool(plan.reasons) or not plan.ask
    assert (Action.PARK in plan.steps) == plan.ask
