"""When the trials end: by a budget, by an estimate that says so, or nobody can tell."""

import pytest

from raysearch.ledger import Event
from raysearch.reporting.time_left import Pace, TimeLeft, Work, clock, time_left, work_to_come
from raysearch.trial_records import Trials
from raysearch.tuning.budgets import Account

PACE = Pace(elapsed_s=100, epochs=100, train_s=200)


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


def test_trials_to_come_take_what_others_took():
    assert work_to_come(trials_of(4, 4, 4, 4, 4), 8, 10) == Work(12, 12)
    assert work_to_come(trials_of(4, 4, 4, 4, 4), 5, 10) == Work(0, 0)
    unlike = work_to_come(trials_of(2, 3, 4, 5, 6), 8, 10)
    assert 4 <= unlike.least_s < 12 < unlike.most_s < 24


def test_who_runs_goes_as_far_as_those_that_went_further():
    assert work_to_come(trials_of(4, 4, 4, 4, 6, running=[3]), 6, 10).most_s == pytest.approx(1.4)
    assert work_to_come(trials_of(4, 4, 4, 4, 6, running=[9]), 6, 10) == Work(1, 1)
    assert work_to_come(trials_of(4, 4, 4, 4, 4, running=[0]), 6, 10) == Work(4, 4)


def test_of_four_trials_nobody_can_tell():
    assert work_to_come(trials_of(2, 4, 2, 4, running=[1]), 9, 10) is None


@pytest.mark.parametrize(
    ("work", "account", "told"),
    [
        (None, None, ""),
        (None, Account(9.0), ""),
        (Work(240, 240), None, "trials end in about 2 min (estimate)"),
        (Work(60, 480), None, "trials end in 30 s to 4 min (estimate)"),
        (
            Work(60, 480),
            Account(9, left_s=300, budget="x"),
            "trials end in 30 s to 4 min (estimate)",
        ),
        (
            Work(60, 480),
            Account(9, left_s=61, budget="core budget"),
            "trials end within 1:01 (core budget)",
        ),
        (None, Account(9, left_s=61, budget="time budget"), "trials end within 1:01 (time budget)"),
        (Work(60, 480), Account(9, epochs_left=40), "trials end in 30 s to 40 s (estimate)"),
        (None, Account(9, epochs_left=30), "trials end in about 30 s (estimate)"),
    ],
)
def test_the_first_of_what_is_known_ends_them(work, account, told):
    found = time_left(work, PACE, account)
    assert (found.after(0) if found else "") == told


def test_without_an_epoch_there_is_no_pace():
    assert time_left(Work(9, 9), Pace(100, 0, 0.0), Account(9, epochs_left=30)) is None


def test_it_counts_down_and_what_is_over_is_not_said():
    left = TimeLeft(0, 100, "time budget")
    assert left.after(40) == "trials end within 1:00 (time budget)"
    assert left.after(100) == ""
    assert TimeLeft(10, 30).after(31) == ""
    assert TimeLeft(10, 600).after(31) == "trials end in 10 s to 9 min (estimate)"


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
    assert TimeLeft(seconds, seconds).after(0) == f"trials end in about {words} (estimate)"


def test_a_clock():
    assert [clock(s) for s in (0, 61, 3661)] == ["0:00", "1:01", "1:01:01"]
