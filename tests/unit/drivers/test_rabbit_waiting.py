import pytest

from connector.domain.pending import Context
from connector.drivers.rabbit_waiting import Handled, Waiting
from connector.ports import Turn


def turn(name: str = "a", context: Context = Context.LISTINGS) -> Turn:
    return Turn(name, context, "demo")


def waiting(*, at_once: int = 2) -> tuple[Waiting[int], Handled]:
    handled = Handled(at_once=at_once)
    return Waiting(["listings.demo", "orders.demo"], handled), handled


def taken(desk: Waiting[int], at: float = 0) -> list[int]:
    found = []
    while (one := desk.take(at)) is not None:
        found.append(one[1])
    return found


def test_in_the_order_they_came():
    desk, _ = waiting()
    assert all(desk.offer(turn(str(number)), number) for number in range(5))
    assert taken(desk) == [0, 1, 2, 3, 4]


def test_one_of_a_kind_waits():
    desk, _ = waiting()
    assert desk.offer(turn(), 1)
    assert not desk.offer(turn(), 2)
    assert desk.offer(turn(context=Context.ORDERS), 3)
    assert taken(desk) == [1, 3]
    assert desk.offer(turn(), 4)


def test_queues_are_served_in_turns():
    desk, _ = waiting()
    for number in range(3):
        desk.offer(turn(str(number)), number)
        desk.offer(turn(str(number), Context.ORDERS), 10 + number)
    assert taken(desk) == [0, 10, 1, 11, 2, 12]


def test_who_has_enough_workers_is_passed_over():
    desk, handled = waiting()
    for _ in range(2):
        handled.begin(turn("busy"), 0)
    desk.offer(turn("busy"), 1)
    desk.offer(turn("other"), 2)
    assert taken(desk) == [2]
    handled.end(turn("busy"), 0)
    assert taken(desk) == [1]


def test_one_at_a_time_while_others_have_something_to_do():
    desk, handled = waiting()
    handled.begin(turn("other"), 9.5)
    handled.end(turn("other"), 9.5)
    handled.begin(turn("busy", Context.ORDERS), 10)
    handled.begin(turn("busy"), 10)
    desk.offer(turn("busy"), 1)
    assert taken(desk, at=10.4) == []
    assert taken(desk, at=10.6) == [1]  # the other has been quiet for a second
    handled.begin(turn("busy"), 10.6)
    desk.offer(turn("busy"), 2)
    assert taken(desk, at=30) == []  # two are as many as there may be
    handled.end(turn("busy"), 10.7)
    handled.begin(turn("other"), 10.7)
    assert taken(desk, at=11.5) == []
    handled.end(turn("busy"), 11.5)
    assert taken(desk, at=11.5) == [2]


def test_whoever_is_under_way_for_long_gets_a_second_one_all_the_same():
    desk, handled = waiting()
    handled.begin(turn("other"), 0)
    handled.begin(turn("slow"), 10)
    desk.offer(turn("slow"), 1)
    assert taken(desk, at=10.9) == []  # the other one still has its turn
    assert taken(desk, at=11) == [1]


def test_who_is_behind_and_kept_the_processor_busy_rests_three_times_as_long_in_company():
    desk, handled = waiting()
    for busy_s, rest_s in ((0.04, 0.0), (0.2, 0.6), (7.0, 1.0)):
        handled.begin(turn("busy"), 10.1)
        handled.end(turn("busy"), 10.2, busy_s=busy_s, behind=True)
        handled.begin(turn("other"), 10.2)
        desk.offer(turn("busy"), 1)
        desk.offer(turn("another"), 2)
        assert taken(desk, at=10.2 + rest_s - 0.01) == ([2] if rest_s else [1, 2])
        assert handled.changes_within(10.2) == pytest.approx(rest_s or 1.0)
        assert taken(desk, at=10.2 + rest_s) == ([1] if rest_s else [])
        handled.end(turn("other"), 11)
    handled.begin(turn("busy"), 20)
    handled.end(turn("busy"), 21, busy_s=1, behind=True)
    desk.offer(turn("busy"), 1)
    assert taken(desk, at=21) == [1]  # alone
    handled.begin(turn("other"), 21)
    desk.offer(turn("busy"), 1)
    assert taken(desk, at=21) == []
    assert taken(desk, at=5) == [1]  # the clock was set back since


def test_who_is_not_behind_does_not_rest():
    desk, handled = waiting()
    handled.begin(turn("other"), 10)
    handled.begin(turn("busy"), 10)
    handled.end(turn("busy"), 11, busy_s=1)
    desk.offer(turn("busy"), 1)
    assert taken(desk, at=11) == [1]


def test_nobody_rests_where_all_are_behind():
    desk, handled = waiting()
    for name in ("a", "b"):
        handled.begin(turn(name), 10)
        handled.end(turn(name), 11, busy_s=1, behind=True)
    handled.begin(turn("b"), 11)
    desk.offer(turn("a"), 1)
    assert taken(desk, at=11) == [1]
    handled.begin(turn("a"), 11)
    handled.end(turn("a"), 11.1, busy_s=0.2, behind=True)
    handled.end(turn("b"), 11.1, busy_s=0.1)  # that was the last of it
    desk.offer(turn("a"), 1)
    assert taken(desk, at=11.39) == []
    assert taken(desk, at=11.41) == [1]


def test_a_rest_holds_beside_a_long_turn_of_the_same():
    desk, handled = waiting()
    handled.begin(turn("busy"), 0)
    handled.begin(turn("busy"), 1)
    handled.begin(turn("other"), 2)
    handled.end(turn("busy"), 2, busy_s=1, behind=True)
    desk.offer(turn("busy"), 1)
    assert taken(desk, at=2.9) == []
    assert taken(desk, at=3) == [1]


def test_what_was_computed_for_several_who_are_behind_is_shared():
    desk, handled = waiting()
    for name in ("a", "b", "a", "b"):
        handled.begin(turn(name), 10)
        handled.end(turn(name), 10, busy_s=0.1, behind=True)
    for name in ("a", "b", "other"):
        handled.begin(turn(name), 11)
    handled.end(turn("a"), 11.2, busy_s=0.2, behind=True)
    desk.offer(turn("a"), 1)
    assert taken(desk, at=11.49) == []
    assert taken(desk, at=11.51) == [1]


def test_orders_do_not_rest_and_regular_jobs_do_not_make_anybody_rest():
    desk, handled = waiting()
    handled.begin(turn("other", Context.UPKEEP), 10)
    for context in (Context.ORDERS, Context.LISTINGS):
        handled.begin(turn("busy", context), 10)
        handled.end(turn("busy", context), 11, busy_s=1, behind=True)
    desk.offer(turn("busy"), 1)
    assert taken(desk, at=11) == [1]
    handled.begin(turn("other"), 11)
    desk.offer(turn("busy"), 1)
    desk.offer(turn("busy", Context.ORDERS), 2)
    assert taken(desk, at=11) == [2]


def test_who_was_behind_long_ago_has_a_few_changes_again():
    desk, handled = waiting()
    handled.begin(turn("other"), 10)
    handled.end(turn("other"), 11, busy_s=1, behind=True)
    handled.begin(turn("busy"), 2000)
    handled.begin(turn("other"), 2000)  # what was left then was done elsewhere
    handled.end(turn("busy"), 2001, busy_s=1, behind=True)
    desk.offer(turn("busy"), 1)
    assert taken(desk, at=2001) == []


def test_a_connection_s_orders_do_not_count_for_its_listings():
    desk, handled = waiting(at_once=1)
    handled.begin(turn(context=Context.ORDERS), 0)
    desk.offer(turn(), 1)
    assert taken(desk) == [1]


def test_what_is_not_ours_any_more_is_forgotten():
    desk, _ = waiting()
    desk.offer(turn("a"), 1)
    desk.offer(turn("b", Context.ORDERS), 2)
    desk.forget("listings.demo")
    assert taken(desk) == [2]


def test_when_the_last_one_began_is_known():
    handled = Handled(at_once=1)
    assert not handled.began_after(turn(), 0, now=1)
    handled.begin(turn(), 10)
    handled.end(turn(), 10)
    assert handled.began_after(turn(), 9, now=11)
    assert not handled.began_after(turn(), 10, now=11)
    assert not handled.began_after(turn(), 9, now=5)  # the clock was set back since


def test_memory_is_bounded():
    handled = Handled(at_once=1)
    for number in range(20_000):
        handled.begin(turn(str(number)), number)
        handled.end(turn(str(number)), number, busy_s=1, behind=True)
    assert len(handled._began) <= 10_000
    assert len(handled._rests) <= 10_000
    assert len(handled._behind) <= 10_000
    assert not handled._now
    assert handled.began_after(turn("19999"), 0, now=20_000)
