"""Who goes on from a rung: against the algorithm of the paper, followed literally."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysearch.tuning.promotion import Promotion


def rule(max_epochs=9, first=1, factor=3, tolerance=lambda value, cutoff: 0.0):
    return Promotion(
        max_epochs=max_epochs, first=first, reduction_factor=factor, tolerance=tolerance
    )


def reach(promotion, values, epoch=1, first=0):
    """Whether each trial pauses at ``epoch``."""
    return [promotion.take(n, epoch, value) for n, value in enumerate(values, start=first)]


def test_one_in_so_many_goes_on_rounded_down():
    promotion = rule()
    # None of two, one of three to five, two of six.
    assert reach(promotion, [0.5, 0.6, 0.7, 0.65, 0.75, 0.74]) == [1, 1, 0, 1, 0, 0]


def test_a_trial_that_paused_is_promoted_once_enough_are_worse():
    promotion = rule()
    assert reach(promotion, [0.9, 0.1]) == [True, True]
    assert promotion.next({0, 1}, last=False) is None
    assert promotion.take(2, 1, 0.2)
    assert promotion.next({0, 1, 2}, last=False) == 0
    assert promotion.next({1, 2}, last=False) is None, "the place is taken"


def test_trials_rank_in_a_rung_by_what_is_expected_and_over_rungs_by_what_they_have():
    promotion = rule()
    for number, (value, expected) in enumerate([(0.5, 0.6), (0.4, 0.9), (0.3, 0.3)]):
        promotion.take(number, 1, value, expected)
    assert promotion.next({0, 1, 2}, last=False) == 1
    assert promotion.by_promise({0, 1, 2}) == [0, 1, 2]


def test_the_highest_rung_comes_first():
    promotion = rule()
    reach(promotion, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    reach(promotion, [0.9, 0.8, 0.7], epoch=2)
    assert promotion.next({0, 1, 2, 3}, last=False) == 0
    assert promotion.next({1, 2, 3}, last=False) is None
    reach(promotion, [0.1] * 6, first=6)
    assert promotion.next({1, 2, 3}, last=False) == 3


def test_nothing_is_decided_between_the_rungs():
    promotion = rule(max_epochs=9, first=2)
    assert [epoch for epoch in range(1, 10) if promotion.take(0, epoch, 0.5)] == [2, 4, 8]


def test_of_equal_values_the_lower_number_is_the_better():
    promotion = rule()
    reach(promotion, [0.5] * 6)
    assert promotion.next({1, 3, 4, 5}, last=False) == 1
    assert promotion.next({3, 4, 5}, last=False) is None
    assert promotion.by_promise({5, 3, 4}) == [3, 4, 5]


def test_what_lies_behind_by_less_than_the_tolerance_goes_on():
    promotion = rule(tolerance=lambda value, cutoff: 0.125)
    assert reach(promotion, [0.5, 0.75, 0.625, 0.65, 0.5, 0.6]) == [1, 1, 1, 0, 1, 0]
    assert promotion.next({0, 2, 4}, last=False) == 2
    assert promotion.next({0, 4}, last=False) is None
    assert reach(rule(tolerance=lambda value, cutoff: 0.1), [0.5, 0.5]) == [1, 1], "none of two"


def test_a_trial_without_a_score_is_behind_all():
    promotion = rule()
    nothing = float("-inf")
    assert reach(promotion, [nothing, nothing, 0.1]) == [True, True, False]
    assert promotion.next({0, 1}, last=True) is None
    assert promotion.by_promise({0, 1, 7}) == [0, 1, 7]


def test_the_least_promising_has_the_lowest_value_and_came_least_far_of_equals():
    promotion = rule()
    reach(promotion, [0.5, 0.6, 0.7])
    reach(promotion, [0.6], epoch=2)
    assert promotion.by_promise({0, 1, 2}) == [2, 0, 1]


def test_where_a_trial_that_never_pauses_would_have_paused():
    promotion = rule()
    reach(promotion, [0.9, 0.1, 0.2])
    assert [promotion.held(number) for number in (0, 1, 2, 3)] == [None, 1, 1, None]
    reach(promotion, [0.9], epoch=2)
    assert promotion.held(0) == 2, "alone in its rung"


VALUES = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), min_size=3, max_size=3)


class Paper:
    """Algorithm 2 of Li et al. 2020, ``get_job``; rung k lasts 2 ** k epochs."""

    def __init__(self, factor):
        self.factor, self.rungs, self.promoted = factor, [{}, {}, {}], [set(), set(), set()]

    def candidates(self, k):
        best = sorted(self.rungs[k], key=lambda trial: (-self.rungs[k][trial], trial))
        return best[: len(best) // self.factor]

    def get_job(self):
        for k in (2, 1, 0):
            promotable = [t for t in self.candidates(k) if t not in self.promoted[k]]
            if promotable:
                self.promoted[k].add(promotable[0])
                return promotable[0], k + 1
        return None


@given(st.lists(VALUES, min_size=1, max_size=30), st.sampled_from([2, 3, 4]))
def test_it_promotes_whom_the_paper_promotes(curves, factor):
    """One slot; a job runs to the next rung, and on if the trial is at once promotable there."""
    paper, ours, paused = Paper(factor), rule(factor=factor), set()
    new = iter(range(len(curves)))
    while True:
        job = paper.get_job()
        assert ours.next(paused, last=False) == (job and job[0])
        trial, k = job or (next(new, None), 0)
        if trial is None:
            break
        paused.discard(trial)
        goes_on = True
        while goes_on and k < 3:
            value = max(curves[trial][: k + 1])
            paper.rungs[k][trial] = value
            goes_on = trial in paper.candidates(k)
            assert ours.take(trial, 2**k, value) is not goes_on
            if goes_on:
                paper.promoted[k].add(trial)
                k += 1
        if not goes_on:
            paused.add(trial)


@given(st.lists(VALUES, min_size=1, max_size=30), st.sampled_from([2, 3, 4]))
def test_once_no_trial_is_to_come_somebody_reaches_the_end(curves, factor):
    promotion, ended = rule(max_epochs=8, factor=factor), set()
    paused = {n for n, curve in enumerate(curves) if promotion.take(n, 1, curve[0])}
    at = dict.fromkeys(range(len(curves)), 0)
    runs = [n for n in at if n not in paused]
    while runs or (promoted := promotion.next(paused, last=True)) is not None:
        trial = runs.pop() if runs else promoted
        paused.discard(trial)
        at[trial] += 1
        if at[trial] == 3:
            ended.add(trial)
        elif promotion.take(trial, 2 ** at[trial], max(curves[trial][: at[trial] + 1])):
            paused.add(trial)
        else:
            runs.append(trial)
    assert ended


@pytest.mark.parametrize(("max_epochs", "first", "num"), [(30, 6, 3), (8, 3, 2), (2, 2, 0)])
def test_rungs_double_below_the_end(max_epochs, first, num):
    promotion = rule(max_epochs=max_epochs, first=first)
    assert sum(promotion.take(0, epoch, 0.5) for epoch in range(1, max_epochs + 1)) == num
