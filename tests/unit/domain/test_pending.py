"""Hints are merged so that nothing anybody said is lost."""

from __future__ import annotations

import itertools

import pytest

from connector.domain.pending import NO_HINT, Hint, Priority

_FLAGS = ("content", "price", "stock", "recheck", "sold")


@pytest.mark.parametrize("flag", _FLAGS)
@pytest.mark.parametrize("newer_first", [False, True])
def test_a_flag_once_said_stays(flag: str, newer_first: bool):
    said, nothing = Hint(**{flag: True}), Hint()
    merged = nothing.merged(said) if newer_first else said.merged(nothing)
    assert getattr(merged, flag)


@pytest.mark.parametrize("field", ["active", "removed"])
def test_the_newest_word_on_a_state_wins_and_silence_changes_nothing(field: str):
    for old, new in itertools.product((None, True, False), repeat=2):
        merged = Hint(**{field: old}).merged(Hint(**{field: new}))
        assert getattr(merged, field) is (old if new is None else new)


def test_merging_is_associative():
    hints = [
        Hint(content=True, active=False),
        Hint(price=True),
        Hint(stock=True, active=True, removed=False),
    ]
    first, second, third = hints
    assert first.merged(second).merged(third) == first.merged(second.merged(third))


def test_no_hint_is_neutral():
    hint = Hint(price=True, active=False)
    assert NO_HINT.merged(hint) == hint == hint.merged(NO_HINT)


def test_urgent_goes_first_and_sweeps_last():
    order = sorted(Priority)
    assert order == [Priority.URGENT, Priority.CHANGE, Priority.ECHO, Priority.SWEEP]
