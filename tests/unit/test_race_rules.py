"""Who stays in a race: values, their noise, and the budget."""

import math
from dataclasses import replace
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysearch.race.budget_amounts import (
    granted,
    in_all_turns,
    in_words,
    left,
    most_trials,
    of_search,
    part,
    share_of,
)
from raysearch.race.driver import _as_kept
from raysearch.race.verdicts import (
    LEVEL,
    MIN_TRIALS,
    Gap,
    Standing,
    decide,
    num_rounds,
    order,
    round_share,
    verdict,
)
from raysearch.spec import SearchSpec
from raysearch.tuning.tuner import Sitting, Watcher


def names(standings):
    return [standing.system for standing in standings]


def four(cost):
    return [Standing(name, 1.0 - i, cost=cost) for i, name in enumerate("abcd")]


@pytest.mark.parametrize(
    ("systems", "rounds"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (8, 4), (9, 5)]
)
def test_a_round_of_own_settings_then_as_many_as_halving_takes(systems, rounds):
    assert num_rounds(systems) == rounds


def test_later_rounds_share_what_own_settings_leave():
    left_over, taken = 1.0, []
    for number in (1, 2, 3):
        taken.append(left_over * round_share(number, 3))
        left_over -= taken[-1]
    assert taken == [0.5, 0.25, 0.25]
    assert round_share(1, 1) == 1.0


def test_the_best_come_first_and_those_without_a_score_last():
    standings = [Standing("a", None), Standing("b", 0.5), Standing("c", 0.7), Standing("d", 0.5)]
    assert names(order(standings)) == ["c", "b", "d", "a"]


def test_behind_is_who_is_further_off_than_the_luckiest_of_equals():
    errors = NormalDist().inv_cdf(1 - LEVEL / 7)
    one = Standing("a", 0.6)
    assert verdict(one, Gap(1.01 * errors * 0.02, 0.02), 8) == "behind"
    assert verdict(one, Gap(0.99 * errors * 0.02, 0.02), 8) == "not distinguished"
    # Of two, less luck is needed to be the better one.
    assert verdict(one, Gap(0.99 * errors * 0.02, 0.02), 2) == "behind"


def test_what_was_cut_off_is_not_judged_and_what_has_no_score_is_out():
    assert verdict(Standing("a", 0.1, judged=False), Gap(0.5, 0.01), 3) == "not judged"
    assert verdict(Standing("a", None), None, 3) == "no score"
    assert verdict(Standing("a", 0.1), None, 3) == "best"


def test_nobody_leaves_within_noise_while_the_budget_reaches():
    standings = four(cost=0.01)
    said = dict.fromkeys("bcd", "not distinguished") | {"a": "best"}
    assert decide(standings, said, rounds_left=2) == ["a", "b", "c", "d"]
    assert decide(standings, said | {"c": "behind"}, rounds_left=2) == ["a", "b", "d"]


def test_the_worst_leave_where_it_does_not_reach_for_all():
    standings = four(cost=0.1)
    said = dict.fromkeys("bcd", "not distinguished") | {"a": "best"}
    # Two trials each of two systems are 0.4 of what is left; of three they are 0.6.
    assert decide(standings, said, rounds_left=2) == ["a", "b"]
    dear = [Standing("a", 4, cost=3.0), Standing("b", 3, cost=0.01)]
    assert decide(dear, {"a": "best", "b": "not distinguished"}, rounds_left=1) == ["a"]


VERDICTS = st.sampled_from(["behind", "not distinguished", "not judged", "no score"])


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 2), VERDICTS), min_size=1, max_size=9),
    st.integers(1, 5),
)
def test_whatever_is_measured_the_best_stay_and_as_many_as_the_budget_reaches_for(
    found, rounds_left
):
    standings = [
        Standing(f"s{i}", None if said == "no score" else value, cost=cost)
        for i, (value, cost, said) in enumerate(found)
    ]
    said = {f"s{i}": one for i, (_, _, one) in enumerate(found)}
    best = order(standings)[0]
    if best.value is not None:
        said[best.system] = "best"
    stay = decide(standings, said, rounds_left=rounds_left)
    near = {name for name, one in said.items() if one not in ("behind", "no score")}
    assert near.issuperset(stay)
    cut = [s.system for s in order(standings) if s.system in near.difference(stay)]
    assert best.value is None or stay[0] == best.system
    costs = {s.system: s.cost for s in standings}
    needed = MIN_TRIALS * sum(costs[name] for name in stay)
    assert len(stay) <= 1 or needed <= 1 / rounds_left
    if cut:  # not one more would have fitted
        assert needed + MIN_TRIALS * costs[cut[0]] > 1 / rounds_left
    values = {s.system: s.value for s in standings}
    assert all(values[kept] >= values[name] for kept in stay for name in cut)


def test_amounts_of_what_is_limited_only():
    spec = SearchSpec.load("cnn", ["search.core_budget=30m", "search.epoch_budget=90"])
    total = of_search(spec.search, frozenset({"search.core_budget", "search.epoch_budget"}))
    assert total == {"core_s": 1800.0, "epochs": 90.0}
    assert left(total, {"core_s": 600.0, "epochs": 100.0, "trials": 3.0}) == {
        "core_s": 1200.0,
        "epochs": 0.0,
    }
    assert part(total, 0.5) == {"core_s": 900.0, "epochs": 45.0}
    assert share_of({"core_s": 450.0, "epochs": 45.0, "trials": 1.0}, total) == 0.5
    assert share_of({"core_s": 1.0}, {"core_s": 0.0}) == math.inf
    assert share_of({"core_s": 1.0}, {}) == 0.0
    assert in_words(total) == "30.0 core-minutes, 90 epochs"


def test_a_grant_is_counted_as_the_search_counts_it():
    search = SearchSpec.load("cnn").search
    used = {"core_s": 60.0, "epochs": 30.0, "trials": 1.0, "wall_s": 500.0}
    fields = granted(search, {"core_s": 30.0, "wall_s": 10.0, "epochs": 7.9, "trials": 0.2}, used)
    assert fields == {
        "core_budget": "90.000s",
        "time_budget": "10.000s",
        "epoch_budget": 37,
        "trials": 1,
    }
    changed = SearchSpec.load("cnn").search.model_copy(update=fields)
    assert (changed.core_budget_s, changed.time_budget_s) == (90.0, 10.0)


def test_nothing_is_granted_of_what_is_spent_but_for_a_first_trial():
    search = SearchSpec.load("cnn").search
    nothing = {"epochs": 0.0, "trials": 0.0}
    spent = granted(search, nothing, {"epochs": 40.0, "trials": 12.0})
    assert spent == {"epoch_budget": 40, "trials": 12}
    assert granted(search, nothing, {}) == {"epoch_budget": 1, "trials": 1}


def test_a_run_s_file_has_its_space_s_trials_unless_they_are_a_budget():
    own = SearchSpec.load("cnn", ["search.trials=20"])
    turn = replace(own, search=own.search.model_copy(update={"trials": 1820, "epoch_budget": 7}))
    kept = _as_kept(turn, own, {"epochs": 5.0}).search
    assert (kept.trials, kept.epoch_budget) == (20, 7)
    assert _as_kept(turn, own, {"trials": 1820.0}) is turn


@pytest.mark.parametrize(
    ("total", "expected", "startup"),
    [({"core_s": 1800.0}, 20, 5), ({"trials": 90.0}, 30, 7), ({"trials": 2.0}, 1, 4)],
)
def test_what_the_sampler_begins_with_is_of_the_whole_race_not_of_a_first_turn(
    total, expected, startup
):
    spec = SearchSpec.load("cnn", ["search.trials=20"])
    assert in_all_turns(spec.search, total, 3) == expected
    turn = replace(spec, search=spec.search.model_copy(update={"trials": 1}))
    sitting = Sitting(turn, None, None, None, None, Watcher(print, print), expected)
    assert sitting.num_startup == startup
    assert Sitting(spec, None, None, None, None, Watcher(print, print)).num_startup == 5


@pytest.mark.parametrize(
    ("grant", "most"),
    [
        ({"core_s": 840.0}, 860),
        ({"wall_s": 60.0}, 140),
        ({"core_s": 840.0, "epochs": 12.0}, 32),
        ({"core_s": 840.0, "trials": 3.0}, 23),
        ({"core_s": 0.0}, 20),
    ],
)
def test_a_winner_has_the_trials_that_its_budget_has_room_for(grant, most):
    assert most_trials(grant, {"trials": 20.0, "core_s": 900.0}, num_cpus=2.0) == most
    assert most_trials({"epochs": 0.0}, {}, num_cpus=2.0) == 1  # a search of none cannot be


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_grant_is_a_budget_that_a_search_takes(grant, used):
    fields = granted(SearchSpec.load("cnn").search, {"core_s": grant}, {"core_s": used})
    given_back = SearchSpec.load("cnn", [("search.core_budget", fields["core_budget"])])
    assert given_back.search.core_budget_s == pytest.approx(max(0.001, grant + used), abs=1e-3)
