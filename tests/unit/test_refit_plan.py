"""How long a refit learns, and the part of a budget that is kept for it."""

import time

import pytest

from raysearch.config.metric_table import metric_of
from raysearch.spec import SearchSpec
from raysearch.trial_records import EpochRecord, TrialRecord, Trials
from raysearch.tuning.budgets import MAX_COPIES, MAX_RESERVE, Budgets
from raysearch.tuning.refit_plan import PARTNER_S, RefitPlan
from raysearch.tuning.tolerance import ValidationNoise


def record(values, seconds=2.0, objective="val_uar"):
    trial = TrialRecord("t", 0, {}, 0.0, status="completed")
    for epoch, value in enumerate(values, start=1):
        trial.epochs[epoch] = EpochRecord(epoch, 1, {objective: value}, seconds, 0.0)
    best = min if objective == "val_loss" else max
    trial.best_metric = best(values)
    trial.best_value = metric_of(objective).signed(trial.best_metric)
    trial.best_epoch = 1 + values.index(trial.best_metric)
    return trial


def plan(counts=(9000, 9000), objective="val_uar", inner_folds=1, **settings):
    given = {"search.objective": objective, **settings}
    spec = SearchSpec.load("cnn", list(given.items()))
    # As many speakers as rows: the rows are independent.
    noise = ValidationNoise((counts,) * inner_folds, (sum(counts),) * inner_folds)
    return RefitPlan(spec, 300, 400, noise)


def test_more_rows_take_as_many_steps():
    assert plan().epochs(record([0.1, 0.2, 0.3, 0.9])) == 3  # 4 epochs of 300 rows, 3 of 400


def test_an_epoch_that_is_worse_by_chance_alone_is_no_reason_to_stop_there():
    curve = record([0.2, 0.62, 0.60, 0.61])
    assert plan(counts=(10, 10)).epochs(curve) == 3
    assert plan(counts=(9000, 9000)).epochs(curve) == 2


def test_a_loss_has_an_error_too():
    curve = record([1.0, 0.5, 0.55, 0.52], objective="val_loss")
    assert plan(counts=(5, 5), objective="val_loss").epochs(curve) == 3
    assert plan(objective="val_loss").epochs(curve) == 2


def test_a_trial_that_was_cut_short_while_it_was_learning_tells_nothing_of_its_end():
    learning, fallen = record([0.1, 0.2, 0.3, 0.9]), record([0.1, 0.9, 0.3, 0.2])
    learning.status = fallen.status = "pruned"
    one = plan(**{"training.epochs": 40})
    assert one.epochs(learning) == 30
    assert one.epochs(fallen) == 2


def test_its_seconds_are_those_of_its_steps():
    curve = record([0.1, 0.2, 0.3, 0.9], seconds=3.0)
    assert plan().net_seconds(curve) == pytest.approx(3 * 3 * 400 / 300)
    assert plan(inner_folds=3).net_seconds(curve) == pytest.approx(3 * 400 / 300)


def test_seeds_are_as_many_as_time_allows():
    curve = record([0.1, 0.9], seconds=3.0)
    net_s = plan().net_seconds(curve)
    assert plan().num_seeds(curve, 2, None) == 4
    assert plan().num_seeds(curve, 2, 2.1 * net_s) == 4
    assert plan().num_seeds(curve, 2, 1.1 * net_s) == 2
    assert plan().num_seeds(curve, 1, 0.0) == 0


def trials_of(*curves):
    trials = Trials()
    trials.records = dict(enumerate(curves))
    return trials


def test_time_is_kept_for_the_dearer_of_the_best_and_the_own_settings():
    best, own = record([0.5, 0.9], seconds=1.0), record([0.4, 0.5], seconds=5.0)
    own.number, one = 1, plan(**{"search.final_seeds": 4})
    cheap = one.seconds(trials_of(best, own), 2)
    assert cheap == pytest.approx(2 * one.net_seconds(best) + PARTNER_S)
    own.details["exempt"] = True
    dear = one.seconds(trials_of(best, own), 2)
    assert dear == pytest.approx(2 * one.net_seconds(own) + PARTNER_S)


@pytest.mark.parametrize(("final", "kept"), [("auto", True), ("refit", True), ("ensemble", False)])
def test_only_what_may_refit_keeps_time(final, kept):
    one = plan(**{"search.final": final})
    assert (one.seconds(trials_of(record([0.5, 0.9])), 2) > 0) == kept
    assert one.seconds(Trials(), 2) == 0.0


def test_a_budget_ends_the_trials_early_enough(monkeypatch):
    search = SearchSpec.load("cnn", [("search.time_budget", "100s")]).search
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    budgets = Budgets(search, reserve=lambda trials: 25.0)
    now[0] = 1.0
    budgets.begin()
    now[0] = 75.0
    assert budgets.spent(Trials()) is None
    now[0] = 77.0
    assert budgets.spent(Trials()) == "time budget"
    assert budgets.left_s() == pytest.approx(24.0)


def test_the_reserve_is_at_most_a_part_of_the_budget(monkeypatch):
    search = SearchSpec.load("cnn", [("search.core_budget", "100s")]).search
    now = [1.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    budgets = Budgets(search, 1.0, lambda: 2, reserve=lambda trials: 1000.0)
    budgets.begin()
    now[0] = 1.0 + 50 * (1 - MAX_RESERVE) - 1
    assert budgets.spent(Trials()) is None
    now[0] += 2
    assert budgets.spent(Trials()) == "core budget"


@pytest.mark.parametrize(
    ("budget", "copies", "over"),
    [(50, MAX_COPIES, True), (50, MAX_COPIES - 1, False), (None, MAX_COPIES, False)],
)
def test_a_space_that_is_exhausted_ends_what_would_end_by_a_budget(budget, copies, over):
    given = [("search.epoch_budget", budget), ("search.trials", 1000)]
    search = SearchSpec.load("cnn", given).search
    trials = trials_of(*(record([0.5]) for _ in range(copies + 3)))
    for number in (1, *range(3, copies + 3)):
        trials.records[number].copied_from = 0
    assert Budgets(search).all_proposed(trials) == over


def test_without_a_budget_nothing_is_reserved():
    budgets = Budgets(SearchSpec.load("cnn").search, reserve=lambda trials: 1e9)
    budgets.begin()
    assert budgets.spent(Trials()) is None
    assert budgets.left_s() is None


@pytest.mark.parametrize(("published", "seconds"), [(True, 12.0), (True, 8.0), (False, 90.0)])
def test_a_rerun_of_published_settings_has_its_part_of_a_budget(published, seconds):
    search = SearchSpec.load("cnn", [("search.core_budget", "200s")]).search
    one = record([0.5], seconds=seconds)
    one.details["published"] = published
    # Of 200 core-seconds on slots of two CPUs a tenth is 10 s of a slot.
    assert Budgets(search, 2.0, lambda: 1).overspent(one) == (published and seconds > 10)
    assert not Budgets(SearchSpec.load("cnn").search, 2.0, lambda: 1).overspent(one)
