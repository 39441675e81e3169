"""When the trials end: by a budget, by an estimate that says so, or nobody can tell."""

import pytest

from raysearch.ledger import Event
from raysearch.reporting.time_left import TimeLeft, clock, epochs_to_come, time_left
from raysearch.trial_records import Trials
from raysearch.tuning.budgets import Account


def trials_of(*epochs, running=()):
    """Trials that ended after so many epochs, then some that run."""
    trials, seq = Trials(), iter(range(1, 1000))
    for number, last in enumerate((*epochs, *running)):

        def tell(kind, data, number=number):
            trials.apply(Event(kind, next(seq), f"t{number}", number, 1, 1, 1.0, 0, data))

        tell("started", {"config": {}})
        for epoch in range(1, last + 1):
            tell("epoch", {"epoch": epoch, "metrics": {"val_uar": 0.5}, "train_s": 1.0})
        if number < len(epochs):
            tell("completed", {})
    return trials


def test_trials_to_come_take_what_others_took_and_who_runs_goes_as_far_as_those_that_went_further():
    assert epochs_to_come(trials_of(2, 4, 9), 5, 10) == 2 * 5
    assert epochs_to_come(trials_of(2, 4, 9, running=[3]), 4, 10) == 6.5 - 3
    assert epochs_to_come(trials_of(2, 4, 9, running=[9]), 4, 10) == 10 - 9
    assert epochs_to_come(trials_of(2, 4, 9), 3, 10) == 0


def test_of_two_trials_nobody_can_tell():
    assert epochs_to_come(trials_of(2, 4, running=[1]), 9, 10) is None


@pytest.mark.parametrize(
    ("epochs", "account", "told"),
    [
        (None, None, ""),
        (None, Account(9.0), ""),
        (120, None, "trials end in about 2 min (estimate)"),
        (
            120,
            Account(9.0, left_s=300, budget="time budget"),
            "trials end in about 2 min (estimate)",
        ),
        (
            120,
            Account(9.0, left_s=61, budget="core budget"),
            "trials end within 1:01 (core budget)",
        ),
        (
            None,
            Account(9.0, left_s=61, budget="time budget"),
            "trials end within 1:01 (time budget)",
        ),
        (120, Account(9.0, epochs_left=30), "trials end in about 30 s (estimate)"),
        (None, Account(9.0, epochs_left=30), "trials end in about 30 s (estimate)"),
    ],
)
def test_the_first_of_what_is_known_ends_them(epochs, account, told):
    found = time_left(epochs, 1.0, account)
    assert (found.after(0) if found else "") == told


def test_without_an_epoch_there_is_no_rate():
    assert time_left(120, 0.0, None) is None


def test_it_counts_down_and_what_is_over_is_not_said():
    left = TimeLeft(100, "time budget")
    assert left.after(40) == "trials end within 1:00 (time budget)"
    assert left.after(100) == ""
    assert TimeLeft(30).after(31) == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3, "10 s"),
        (44, "40 s"),
        (50, "1 min"),
        (3599, "60 min"),
        (6000, "1 h 40 min"),
        (7190, "2 h"),
        (90000, "25 h"),
    ],
)
def test_an_estimate_is_no_finer_than_it_can_be(seconds, words):
    assert TimeLeft(seconds).after(0) == f"trials end in about {words} (estimate)"


def test_a_clock():
    assert [clock(s) for s in (0, 61, 3661)] == ["0:00", "1:01", "1:01:01"]
