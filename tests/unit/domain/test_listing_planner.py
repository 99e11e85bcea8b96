"""What a listing needs: every row of the decision, and never more than the difference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connector.domain.connection import Rules
from connector.domain.listing import Action, Intent, ListingState, Lot
from connector.domain.listing_planner import (
    Market,
    mapped,
    plan_listing,
    publishable_stock,
    with_category,
)
from tests.unit.domain.build import (
    NOW,
    commercial,
    confirmed,
    content,
    listed,
    listing,
    record,
    view,
)

# What rules a SKU out, the code the log knows it by, and a word of the reason.
_UNSELLABLE: dict[str, tuple[dict[str, Any], str, str]] = {
    "inactive": ({"active": False}, "A2", "inactive"),
    "product inactive": ({"product_active": False}, "A2", "product is inactive"),
    "not in policy": ({"in_policy": False}, "A1", "trade policy"),
    "another seller's": ({"own_seller": False}, "A1", "another seller"),
    "needs attachment": ({"needs_attachment": True}, "E1", "attachment"),
    "gift card": ({"gift_card": True}, "E1", "gift card"),
    "unknown to VTEX": ({"unknown": True, "content": None}, "A1", "does not know"),
}


def _codes(plan: Any) -> list[str]:
    return [reason.code for reason in plan.reasons]


def _texts(plan: Any) -> str:
    return "\n".join(reason.text for reason in plan.reasons)


# --- not listed yet -------------------------------------------------------------------------------


def test_a_sellable_sku_is_created_with_content_price_and_stock():
    plan = plan_listing(view(listing()))
    assert plan.steps == (Action.CREATE,)
    assert plan.state is ListingState.CREATING
    assert plan.offer is not None
    assert (plan.offer.terms.price_minor, plan.offer.terms.list_price_minor) == (10_000, 12_000)
    assert (plan.offer.terms.stock, plan.offer.terms.currency) == (10, "BRL")
    assert plan.target is not None
    assert plan.target.content_digest == content().digest()


@pytest.mark.parametrize("why", _UNSELLABLE)
def test_an_unsellable_sku_is_not_created_and_the_reason_is_told(why: str):
    changes, code, word = _UNSELLABLE[why]
    plan = plan_listing(view(listing(record=record(**changes))))
    assert plan.steps == ()
    assert _codes(plan) == [code]
    assert word in _texts(plan)


def test_every_reason_is_told_at_once():
    """Activity, policy, marketplace rules, category, price guard and stock in one plan."""
    of = listing(
        record=record(active=False, in_policy=False, content=content(market_category="")),
        commercial=commercial(price_minor=100, stock=0),
    )
    plan = plan_listing(view(of, rules=Rules(price_floor=500), invalid=("title too long",)))
    assert plan.steps == ()
    assert _codes(plan) == ["A2", "A1", "E4", "E1", "E1", "A1"]
    for word in ("inactive", "trade policy", "title too long", "not mapped", "floor", "no stock"):
        assert word in _texts(plan)


def test_the_unmapped_category_names_path_title_and_sku():
    plan = plan_listing(view(listing(record=record(content=content(market_category="")))))
    assert _codes(plan) == ["E4"]
    for part in ("3/5/7", "Tênis Trilha Azul 38", "1001"):
        assert part in plan.reasons[0].text


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"record": record(content=content(market_category=""))}, "E4"),
        ({"commercial": commercial(price_minor=100)}, "E1"),
    ],
    ids=["category", "price guard"],
)
def test_what_a_person_must_mend_is_parked(changes: dict[str, Any], code: str):
    plan = plan_listing(view(listing(**changes), rules=Rules(price_floor=500)))
    assert plan.steps == (Action.PARK,)
    assert plan.ask
    assert plan.state is ListingState.PARKED
    assert code in _codes(plan)


@pytest.mark.parametrize(
    "terms",
    [None, commercial(missing=True), commercial(stock=0), commercial(price_minor=0, stock=0)],
    ids=["not simulated", "missing", "no stock", "no price"],
)
def test_what_vtex_may_bring_by_itself_waits_without_a_person(terms: Any):
    plan = plan_listing(view(listing(commercial=terms)))
    assert plan.steps == ()
    assert not plan.ask
    assert plan.state is ListingState.NEW
    assert set(_codes(plan)) == {"A1"}


def test_an_unsellable_sku_asks_nobody_about_its_category():
    of = listing(record=record(active=False, content=content(market_category="")))
    plan = plan_listing(view(of))
    assert not plan.ask
    assert plan.state is ListingState.NEW
    assert _codes(plan) == ["A2", "E4"]


@pytest.mark.parametrize(
    "changes",
    [{"record": None}, {"record": record(unknown=True, content=None)}],
    ids=["never read", "unknown"],
)
def test_a_sku_nobody_knows_is_gone(changes: dict[str, Any]):
    plan = plan_listing(view(listing(**changes)))
    assert (plan.steps, plan.state) == ((), ListingState.GONE)


def test_nothing_is_created_on_a_disabled_connection():
    plan = plan_listing(view(listing(), wanted=False))
    assert (plan.steps, plan.state) == ((), ListingState.GONE)
    assert "disabled" in _texts(plan)


def test_held_units_can_leave_nothing_to_create():
    plan = plan_listing(view(listing(commercial=commercial(stock=3)), held=3))
    assert plan.steps == ()
    assert "no stock" in _texts(plan)


# --- listed and up to date ------------------------------------------------------------------------


def test_nothing_is_sent_where_nothing_differs():
    plan = plan_listing(view(listed()))
    assert (plan.steps, plan.state, plan.reasons) == ((), ListingState.LISTED, ())


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"price_minor": 9_000}, (9_000, 12_000, 10)),
        ({"list_price_minor": 13_000}, (10_000, 13_000, 10)),
        ({"list_price_minor": 1}, (10_000, 10_000, 10)),
        ({"stock": 3}, (10_000, 12_000, 3)),
        ({"price_minor": 9_000, "stock": 3}, (9_000, 12_000, 3)),
    ],
    ids=["price", "list price", "list price below price", "stock", "both"],
)
def test_price_and_stock_go_without_content(terms: dict[str, int], expected: tuple[int, ...]):
    plan = plan_listing(view(listed(commercial=commercial(**terms))))
    assert plan.steps == (Action.PRICE_STOCK,)
    assert plan.terms is not None
    sent = (plan.terms.price_minor, plan.terms.list_price_minor, plan.terms.stock)
    assert sent == expected
    assert plan.terms.market_id == "DM-1"


def test_changed_content_goes_alone():
    changed = record(content=content(title="Tênis Trilha Verde 38"))
    plan = plan_listing(view(listed(record=changed)))
    assert plan.steps == (Action.CONTENT,)
    assert plan.target is not None
    assert plan.target.content_digest == changed.content.digest()


def test_stock_goes_before_content():
    of = listed(record=record(content=content(title="Neu")), commercial=commercial(stock=0))
    plan = plan_listing(view(of))
    assert plan.steps == (Action.PRICE_STOCK, Action.CONTENT)


def test_a_marketplace_without_content_updates_gets_none():
    of = listed(record=record(content=content(title="Neu")))
    assert plan_listing(view(of, market=Market(content=False))).steps == ()


@pytest.mark.parametrize("of_stock", [0, 10])
def test_a_blocked_listing_that_is_sellable_again_comes_back(of_stock: int):
    plan = plan_listing(view(listed(confirmed=confirmed(blocked=True, stock=of_stock))))
    assert plan.steps == (Action.PRICE_STOCK,)
    assert plan.state is ListingState.LISTED
    assert plan.target is not None
    assert (plan.target.blocked, plan.target.stock) == (False, 10)


def test_stock_to_zero_is_urgent_and_other_changes_are_not():
    assert plan_listing(view(listed(commercial=commercial(stock=0)))).urgent
    assert not plan_listing(view(listed(commercial=commercial(stock=1)))).urgent
    zero = listed(commercial=commercial(stock=0), confirmed=confirmed(stock=0))
    assert not plan_listing(view(zero)).urgent


def test_missing_from_the_simulation_means_stock_zero_and_keeps_the_price():
    of = listed(commercial=commercial(missing=True, price_minor=0, list_price_minor=0, stock=0))
    plan = plan_listing(view(of))
    assert plan.steps == (Action.PRICE_STOCK,)
    assert plan.urgent
    assert plan.target is not None
    sent = (plan.target.price_minor, plan.target.list_price_minor, plan.target.stock)
    assert sent == (10_000, 12_000, 0)
    assert _codes(plan) == ["A1"]


def test_a_missing_sku_with_no_stock_there_needs_nothing():
    of = listed(commercial=commercial(missing=True), confirmed=confirmed(stock=0))
    assert plan_listing(view(of)).steps == ()


def test_without_a_price_the_stock_is_zero():
    of = listed(commercial=commercial(price_minor=0, list_price_minor=0, stock=10))
    plan = plan_listing(view(of))
    assert plan.target is not None
    assert (plan.target.price_minor, plan.target.stock) == (10_000, 0)


# --- stock that may be published ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stock", "held", "rules", "published"),
    [
        (10, 0, Rules(), 10),
        (10, 4, Rules(), 6),
        (10, 0, Rules(stock_buffer=3), 7),
        (10, 4, Rules(stock_buffer=3), 3),
        (10, 4, Rules(stock_buffer=3, max_stock=2), 2),
        (10, 20, Rules(), 0),
        (2, 0, Rules(stock_buffer=5), 0),
        (1_000_000, 0, Rules(), 99),
        (10, 0, Rules(max_stock=0), 0),
    ],
)
def test_publishable_stock(stock: int, held: int, rules: Rules, published: int):
    """The marketplace itself takes 99 at most."""
    assert publishable_stock(commercial(stock=stock), held, rules, 99) == published


def test_held_units_are_taken_off_a_listing():
    plan = plan_listing(view(listed(), held=4))
    assert plan.steps == (Action.PRICE_STOCK,)
    assert plan.terms is not None
    assert plan.terms.stock == 6


# --- price guards and approvals -------------------------------------------------------------------

_GUARDS = {
    "floor": (Rules(price_floor=9_000), 8_000),
    "ceiling": (Rules(price_ceiling=11_000), 12_000),
    "change": (Rules(max_price_change_pct=30), 5_000),
}


@pytest.mark.parametrize("guard", _GUARDS)
def test_a_guarded_price_is_not_published_and_a_person_is_asked(guard: str):
    rules, price = _GUARDS[guard]
    plan = plan_listing(view(listed(commercial=commercial(price_minor=price)), rules=rules))
    assert plan.steps == (Action.PARK,)
    assert plan.ask
    assert plan.target is not None
    assert plan.target.price_minor == 10_000
    assert str(price) in _texts(plan) or guard == "change"


@pytest.mark.parametrize("guard", _GUARDS)
def test_stock_stays_true_while_a_price_waits_for_a_person(guard: str):
    rules, price = _GUARDS[guard]
    of = listed(commercial=commercial(price_minor=price, stock=0))
    plan = plan_listing(view(of, rules=rules))
    assert plan.steps == (Action.PRICE_STOCK, Action.PARK)
    assert plan.urgent
    assert plan.terms is not None
    assert (plan.terms.price_minor, plan.terms.stock) == (10_000, 0)


@pytest.mark.parametrize("guard", _GUARDS)
def test_an_approved_price_passes_and_no_other(guard: str):
    rules, price = _GUARDS[guard]
    of = listed(commercial=commercial(price_minor=price), approved_price_minor=price)
    plan = plan_listing(view(of, rules=rules))
    assert plan.steps == (Action.PRICE_STOCK,)
    assert plan.target is not None
    assert plan.target.price_minor == price
    other = of.model_copy(update={"approved_price_minor": price + 1})
    assert plan_listing(view(other, rules=rules)).ask


@pytest.mark.parametrize(
    ("rules", "price"),
    [
        (Rules(price_floor=9_000), 9_000),
        (Rules(price_ceiling=11_000), 11_000),
        (Rules(max_price_change_pct=30), 13_000),
        (Rules(max_price_change_pct=30), 7_000),
    ],
)
def test_guards_let_their_own_limit_pass(rules: Rules, price: int):
    plan = plan_listing(view(listed(commercial=commercial(price_minor=price)), rules=rules))
    assert plan.steps == (Action.PRICE_STOCK,)


def test_all_broken_guards_are_told_together():
    rules = Rules(price_floor=9_000, max_price_change_pct=30)
    plan = plan_listing(view(listed(commercial=commercial(price_minor=100)), rules=rules))
    assert _codes(plan) == ["E1", "E1"]
    assert "floor" in _texts(plan)
    assert "approve it" in _texts(plan)


def test_a_first_price_has_nothing_to_change_from():
    plan = plan_listing(view(listing(), rules=Rules(max_price_change_pct=1)))
    assert plan.steps == (Action.CREATE,)


def test_broken_marketplace_rules_stop_content_but_not_stock():
    of = listed(record=record(content=content(title="x" * 200)), commercial=commercial(stock=2))
    plan = plan_listing(view(of, invalid=("the title is too long",)))
    assert plan.steps == (Action.PRICE_STOCK, Action.PARK)
    assert plan.target is not None
    assert plan.target.content_digest == confirmed().content_digest


# --- withdrawal -----------------------------------------------------------------------------------


@pytest.mark.parametrize("why", _UNSELLABLE)
def test_a_listed_sku_that_must_not_be_sold_is_blocked_at_once(why: str):
    changes, code, _ = _UNSELLABLE[why]
    plan = plan_listing(view(listed(record=record(**changes))))
    assert plan.steps == (Action.BLOCK,)
    assert plan.urgent
    assert plan.state is ListingState.BLOCKED
    assert _codes(plan) == [code]
    assert plan.target is not None
    assert (plan.target.blocked, plan.target.stock) == (True, 0)


def test_disabling_blocks_what_is_listed():
    plan = plan_listing(view(listed(), wanted=False))
    assert plan.steps == (Action.BLOCK,)
    assert plan.urgent


@pytest.mark.parametrize(
    ("market", "step", "state"),
    [
        (Market(), Action.BLOCK, ListingState.BLOCKED),
        (Market(block=False), Action.DELETE, ListingState.GONE),
        (Market(block=False, delete=False), Action.PRICE_STOCK, ListingState.BLOCKED),
    ],
    ids=["block", "delete", "zero"],
)
def test_withdrawal_takes_what_the_marketplace_can(
    market: Market, step: Action, state: ListingState
):
    plan = plan_listing(view(listed(record=record(active=False)), market=market))
    assert (plan.steps, plan.state) == ((step,), state)
    assert plan.terms is not None
    assert plan.terms.stock == 0
    assert plan.target is not None
    assert plan.target.stock == 0


@pytest.mark.parametrize(
    ("market", "there"),
    [
        (Market(), confirmed(blocked=True, stock=0)),
        (Market(block=False, delete=False), confirmed(stock=0)),
    ],
    ids=["blocked", "zero"],
)
def test_what_is_withdrawn_already_is_left_alone(market: Market, there: Any):
    plan = plan_listing(view(listed(record=record(active=False), confirmed=there), market=market))
    assert (plan.steps, plan.state) == ((), ListingState.BLOCKED)


def test_a_deleted_listing_is_created_anew_when_it_sells_again():
    """Deletion forgot what was confirmed, so it begins from the beginning."""
    plan = plan_listing(view(listing(state=ListingState.GONE)))
    assert plan.steps == (Action.CREATE,)


# --- lots, intents and doubts ---------------------------------------------------------------------


def _intent(action: Action = Action.PRICE_STOCK) -> Intent:
    return Intent(action=action, at=NOW, target=confirmed(stock=7))


@pytest.mark.parametrize("of", [listing(), listed(), listed(record=record(active=False))])
def test_nothing_is_sent_while_a_lot_is_open(of: Any):
    lot = Lot(id="L", action=Action.CREATE, since=NOW, target=confirmed())
    assert plan_listing(view(of.model_copy(update={"lot": lot}))).steps == ()


@pytest.mark.parametrize("of", [listing(), listed(), listed(record=record(active=False))])
def test_after_an_unknown_outcome_the_marketplace_is_asked_first(of: Any):
    doubtful = of.model_copy(update={"intent": _intent()})
    assert plan_listing(view(doubtful)).steps == (Action.FIND,)


def test_a_marketplace_that_cannot_be_asked_gets_everything_again():
    plan = plan_listing(view(listed(intent=_intent()), market=Market(find=False)))
    assert plan.steps == (Action.PRICE_STOCK, Action.CONTENT)


def test_a_doubtful_creation_is_repeated_where_nobody_can_be_asked():
    doubtful = listing(intent=_intent(Action.CREATE))
    assert plan_listing(view(doubtful, market=Market(find=False))).steps == (Action.CREATE,)


@pytest.mark.parametrize(
    ("market", "there", "step"),
    [
        (Market(find=False), confirmed(blocked=True, stock=0), Action.BLOCK),
        (
            Market(find=False, block=False, delete=False),
            confirmed(stock=0),
            Action.PRICE_STOCK,
        ),
    ],
    ids=["block", "zero"],
)
def test_a_doubtful_return_to_sale_is_withdrawn_again(market: Market, there: Any, step: Action):
    """The lost write may have made it sellable: believing the old confirmation would oversell."""
    doubtful = listed(record=record(active=False), confirmed=there, intent=_intent())
    assert plan_listing(view(doubtful, market=market)).steps == (step,)


_UNKNOWN_THERE = confirmed(price_minor=-1, list_price_minor=-1, stock=-1)


@pytest.mark.parametrize(
    ("of", "market"),
    [
        (listed(confirmed=_UNKNOWN_THERE, commercial=commercial(missing=True)), Market()),
        (
            listed(
                confirmed=_UNKNOWN_THERE,
                commercial=commercial(missing=True, price_minor=0, list_price_minor=0, stock=0),
            ),
            Market(),
        ),
        (
            listed(confirmed=_UNKNOWN_THERE, record=record(active=False)),
            Market(block=False, delete=False),
        ),
        (listed(confirmed=confirmed(list_price_minor=-1), commercial=commercial(missing=True)),
         Market()),
        (listed(confirmed=_UNKNOWN_THERE, commercial=commercial(price_minor=1)), Market()),
    ],
    ids=["missing", "missing without price", "inactive", "only list price unknown", "guarded"],
)  # fmt: skip
def test_an_unknown_price_is_never_sent_as_an_amount(of: Any, market: Market):
    """A marketplace that does not tell its price leaves -1 in the books; it is no amount."""
    plan = plan_listing(view(of, market=market, rules=Rules(price_floor=500)))
    if Action.PRICE_STOCK in plan.steps:
        assert plan.terms is not None
        assert plan.terms.price_minor >= 0
        assert plan.terms.list_price_minor >= plan.terms.price_minor


def test_unknown_stock_counts_as_stock_when_it_must_become_zero():
    of = listed(confirmed=confirmed(stock=-1), commercial=commercial(stock=0))
    plan = plan_listing(view(of))
    assert plan.steps == (Action.PRICE_STOCK,)
    assert plan.urgent


# --- categories -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("categories", "default", "expected"),
    [
        ({"7": "leaf", "5": "middle", "3": "root"}, "rest", "leaf"),
        ({"5": "middle", "3": "root"}, "rest", "middle"),
        ({"3": "root"}, "rest", "root"),
        ({"99": "other"}, "rest", "rest"),
        ({}, "", ""),
    ],
)
def test_the_nearest_mapped_category_wins(categories: dict[str, str], default: str, expected: str):
    rules = Rules(categories=categories, default_category=default)
    assert with_category(content(market_category=""), rules).market_category == expected


def test_mapping_a_record_without_content_changes_nothing():
    bare = record(content=None)
    assert mapped(bare, Rules(default_category="110")) == bare


def test_a_changed_mapping_is_changed_content():
    of = listed(record=mapped(record(), Rules(default_category="220")))
    assert plan_listing(view(of)).steps == (Action.CONTENT,)


def test_plans_depend_on_nothing_but_the_view():
    one = view(listed(commercial=commercial(stock=1)))
    assert plan_listing(one) == plan_listing(replace(one))
