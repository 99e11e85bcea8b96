from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.pending import Context
from connector.drivers.rabbit_ringing import Pace, Ringing
from connector.ports import Turn


def turn(name: str = "a") -> Turn:
    return Turn(name, Context.LISTINGS, "demo")


def sent(ringing: Ringing, now: float) -> list[str]:
    """What goes out now."""
    names = []
    while (one := ringing.take(now)) is not None:
        names.append(one.connection)
    return names


@pytest.fixture
def ringing() -> Ringing:
    return made()


def made() -> Ringing:
    return Ringing(news=Pace(1, 8), repeated=Pace(3, 24))


def test_the_first_ring_goes_out_at_once(ringing):
    ringing.ask(turn(), 100)
    assert ringing.next_at() == 100
    assert sent(ringing, 100) == ["a"]
    assert ringing.next_at() is None
    assert not len(ringing)


def test_rings_within_its_window_become_one_at_its_end(ringing):
    ringing.ask(turn(), 0)
    assert sent(ringing, 0) == ["a"]
    for tenth in range(1, 10):
        ringing.ask(turn(), tenth / 10)
        assert sent(ringing, tenth / 10) == []
    assert ringing.next_at() == 1
    assert sent(ringing, 1) == ["a"]
    assert sent(ringing, 100) == []


def test_windows_grow_while_nobody_here_handles_it(ringing):
    """Notifications twice a second for a minute, of a merchant whom others work on."""
    times = []
    for half in range(120):
        ringing.ask(turn(), half / 2)
        times += [half / 2] * len(sent(ringing, half / 2))
    assert times == [0, 1, 3, 7, 15, 23, 31, 39, 47, 55]


def test_who_repeats_itself_is_held_back_for_longer(ringing):
    """A sweeper that asks twice a second for a minute."""
    times = []
    for half in range(160):
        ringing.ask(turn(), half / 2, repeated=True)
        times += [half / 2] * len(sent(ringing, half / 2))
    assert times == [0, 3, 9, 21, 45, 69]


@pytest.mark.parametrize("repeated", [False, True])
def test_windows_grow_at_any_time_of_day(repeated):
    for start in (0.1, 1234.567, 86_400.3):
        ringing, times = Ringing(news=Pace(0.1, 8), repeated=Pace(0.1, 8)), []
        for step in range(1000):
            now = start + step / 47
            ringing.ask(turn(), now, repeated=repeated)
            times += [now] * len(sent(ringing, now))
        assert len(times) < 10


def test_news_does_not_wait_for_what_is_only_repeated(ringing):
    ringing.ask(turn(), 0, repeated=True)
    assert sent(ringing, 0) == ["a"]
    ringing.ask(turn(), 0.1, repeated=True)
    assert ringing.next_at() == 3
    ringing.ask(turn(), 0.2)
    ringing.ask(turn(), 0.3, repeated=True)
    assert ringing.next_at() == 1
    assert sent(ringing, 1) == ["a"]
    assert sent(ringing, 100) == []  # it was what the sweeper had asked for, too


def test_sweepers_are_quick_again_after_news(ringing):
    for tenth in range(600):
        ringing.ask(turn(), tenth / 10, repeated=True)
        sent(ringing, tenth / 10)
    for at in (60, 80):
        ringing.ask(turn(), at)
        sent(ringing, at)
    ringing.ask(turn(), 81, repeated=True)
    assert ringing.next_at() == 83


def test_after_a_window_without_rings_it_goes_out_at_once_again(ringing):
    for now in (0, 0.5, 1.5):
        ringing.ask(turn(), now)
    assert sent(ringing, 1.5) == ["a"]
    ringing.ask(turn(), 2)
    assert sent(ringing, 2.5) == ["a"]  # after waiting: a window of two seconds
    ringing.ask(turn(), 4.6)
    assert sent(ringing, 4.6) == ["a"]
    ringing.ask(turn(), 4.7)
    assert ringing.next_at() == 5.6


def test_what_changes_now_and_then_never_waits(ringing):
    for now in range(0, 60, 2):
        ringing.ask(turn(), now)
        assert sent(ringing, now) == ["a"]


def test_single_changes_after_a_wave_soon_go_out_at_once_again(ringing):
    for tenth in range(200):
        ringing.ask(turn(), tenth / 10)
        sent(ringing, tenth / 10)
    assert ringing._sent[turn()].news.length == 8
    waited = []
    for number in range(20):
        now = 20 + number * 1.9
        ringing.ask(turn(), now)
        waited.append(not sent(ringing, now))
    assert any(waited)
    assert not any(waited[8:])


def test_being_served_here_answers_what_was_asked(ringing):
    ringing.ask(turn(), 0)
    assert sent(ringing, 0) == ["a"]
    ringing.ask(turn(), 0.1)
    ringing.served(turn())
    assert sent(ringing, 50) == []
    ringing.ask(turn(), 50)
    assert sent(ringing, 50) == ["a"]


def test_served_then_asked_goes_out_at_once(ringing):
    ringing.ask(turn(), 0)
    assert sent(ringing, 0) == ["a"]
    ringing.served(turn())
    ringing.ask(turn(), 0.01)
    assert sent(ringing, 0.01) == ["a"]


def test_one_that_failed_need_not_wait(ringing):
    ringing.ask(turn(), 0)
    assert sent(ringing, 0) == ["a"]
    ringing.failed(turn())
    ringing.ask(turn(), 0.1)
    assert sent(ringing, 0.1) == ["a"]


def test_turns_do_not_wait_for_each_other(ringing):
    for name in "abc":
        ringing.ask(turn(name), 0)
    assert sent(ringing, 0) == ["a", "b", "c"]
    ringing.ask(turn("b"), 0.5)
    ringing.ask(turn("d"), 0.5)
    assert sent(ringing, 0.5) == ["d"]


def test_who_is_about_to_end_sends_everything(ringing):
    for _ in range(2):
        ringing.ask(turn(), 0)
        assert sent(ringing, 0) in (["a"], [])
    ringing.hurry(0.2)
    assert sent(ringing, 0.2) == ["a"]
    assert sent(ringing, 100) == []


def test_a_window_outlives_a_crowd_of_others(ringing):
    for tenth in range(200):
        ringing.ask(turn(), tenth / 10)
        sent(ringing, tenth / 10)
    for number in range(3_000):
        ringing.ask(turn(str(number)), 20)
        assert sent(ringing, 20) == [str(number)]
    ringing.ask(turn(), 20)
    assert ringing.next_at() == 23  # the last left at 15, for eight seconds


def test_turns_of_long_ago_are_not_remembered(ringing):
    for number in range(5_000):
        ringing.ask(turn(str(number)), number)
        sent(ringing, number)
    assert len(ringing._sent) < 2_000


@given(
    st.lists(
        st.tuples(
            st.floats(0, 3),
            st.sampled_from("abc"),
            st.sampled_from(["ask", "ask", "repeat", "served", "failed"]),
        ),
        max_size=60,
    )
)
def test_nothing_that_was_asked_for_is_forgotten_or_doubled(steps):
    ringing = made()
    now = 0.0
    open_asks: dict[str, float] = {}
    last_sent: dict[str, float] = {}
    counts: Counter[str] = Counter()
    for wait, name, what in steps:
        now += wait
        for one in sent(ringing, now):
            assert one in open_asks, "nobody asked"
            del open_asks[one]
            counts[one] += 1
            last_sent[one] = now
        if what in {"ask", "repeat"}:
            open_asks.setdefault(name, now)
            ringing.ask(turn(name), now, repeated=what == "repeat")
        elif what == "served":
            open_asks.pop(name, None)
            ringing.served(turn(name))
        else:
            ringing.failed(turn(name))
        assert len(ringing) == len(open_asks)
    assert set(sent(ringing, now + 24)) == set(open_asks)
