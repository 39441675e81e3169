"""The one table of metrics: what it says holds for every metric, built in or a user's own."""

import math

import numpy as np
import pytest
import torch

import raysearch
from raysearch.config.metric_table import METRICS, EpochScores, metric_of
from raysearch.config.search import SearchConfig
from raysearch.corpora.utterance import DIMENSIONS
from raysearch.errors import UnknownNameError, UserError
from raysearch.reporting.leaderboard import COLUMNS
from raysearch.training.scoring import objective_value, validation_metrics
from raysearch.training.validation_metrics import ConfusionMetric
from raysearch.trial_records import EpochRecord, TrialRecord

OWN = "test_metric_table:WorstRecall"
TOTALS = torch.tensor([6.0, 10.0, 4, 1, 3, 2]).double()


class WorstRecall(ConfusionMetric):
    key, heading, label = "worst", "val worst recall", "worst recall"

    def of(self, confusion):
        counts = np.asarray(confusion, dtype=np.float64)
        return (np.diagonal(counts, axis1=-2, axis2=-1) / counts.sum(axis=-1)).min(axis=-1)


@pytest.mark.parametrize("name", METRICS.built_in)
def test_a_better_value_is_higher_once_it_is_signed(name):
    metric = metric_of(name)
    assert metric.in_words
    assert metric.label
    perfect = EpochScores(0.0, np.diag([3, 3]), (), 0.0, dict.fromkeys(DIMENSIONS, 1.0))
    poor = EpochScores(2.0, np.array([[1, 2], [2, 1]]), (), 0.8, dict.fromkeys(DIMENSIONS, -0.1))
    assert metric.compute(perfect) == metric.ideal
    values = [metric.signed(metric.compute(scores)) for scores in (poor, perfect)]
    assert values == sorted(values)
    assert metric.variance(values[0], (3, 3)) > 0


def test_an_epoch_has_all_of_the_table_and_the_users_own():
    of_emotions = [name for name in METRICS.built_in if not metric_of(name).of_dimensions]
    plain = [name for name in of_emotions if not metric_of(name).of_votes]
    assert list(validation_metrics(TOTALS)) == plain
    voted = validation_metrics(TOTALS, divergence=torch.tensor([3.0, 10.0]).double())
    assert list(voted) == of_emotions
    assert voted["val_js"] == pytest.approx(0.3)
    assert list(validation_metrics(TOTALS, divergence=torch.zeros(2))) == plain
    found = validation_metrics(TOTALS, [{"val_uar": 0.2}, {"val_uar": 0.4}, {"val_uar": 0.6}], OWN)
    expected = {
        "val_loss": 0.6,
        "val_uar": pytest.approx(0.6),
        "val_wa": 0.6,
        "val_macro_f1": pytest.approx((8 / 12 + 4 / 8) / 2),
        "val_uar_mean3": pytest.approx((0.4 + 0.6 + 0.6) / 3),
        OWN: 0.4,
    }
    assert {name: found[name] for name in expected} == expected
    assert (metric_of(OWN).text(0.4), metric_of(OWN).in_words) == (
        "40.0%",
        "validation worst recall",
    )


@pytest.mark.parametrize("objective", METRICS.built_in)
def test_the_learners_value_is_the_records(objective):
    record = TrialRecord("t", 0, {}, 0.0)
    metrics = [{objective: value} for value in (0.5, 0.2, 0.9)]
    for epoch, one in enumerate(metrics, start=1):
        record.epochs[epoch] = EpochRecord(epoch, 1, one, 1.0, 0.0)
        record._rank(record.epochs[epoch], objective)
    values = [objective_value(one, objective) for one in metrics]
    assert record.best_value == max(values)
    assert record.best_epoch == 1 + values.index(max(values))
    assert record.best_metric == (0.2 if metric_of(objective).lower_is_better else 0.9)
    assert objective_value({objective: math.nan}, objective) == -math.inf


def test_a_search_names_them_or_the_users_own():
    assert SearchConfig(objective=OWN).objective == OWN
    with pytest.raises(ValueError, match=r"unknown metric 'val_lose' \(did you mean 'val_loss'\?"):
        SearchConfig(objective="val_lose")
    with pytest.raises(UnknownNameError, match="not a subclass"):
        metric_of("raysearch.errors:UserError")


def test_leaderboards_have_those_that_are_listed():
    assert [name for name in COLUMNS if name.startswith("val_")] == [
        name
        for name in METRICS.built_in
        if metric_of(name).listed and not metric_of(name).of_dimensions
    ]


class Distance(ConfusionMetric):
    """A share, of which less is better, as an equal error rate."""

    key, heading, label = "eer", "val EER of valence", "EER of valence"
    lower_is_better, ideal = True, 0.0

    def of(self, confusion):
        return np.float64("nan") if np.trace(confusion) == 0 else 1 - np.trace(confusion) / 10


def test_a_share_of_which_less_is_better_varies_by_chance_too():
    metric = metric_of("test_metric_table:Distance")
    assert metric.variance(metric.signed(0.3), (5, 5)) == pytest.approx(0.3 * 0.7 * 0.4 / 4)
    assert metric.in_words == "validation EER of valence"


def test_a_value_that_is_no_number_fails_with_its_metrics_name():
    wrong = torch.tensor([6.0, 10.0, 0, 5, 5, 0]).double()
    with pytest.raises(ValueError, match=r"test_metric_table:Distance: an epoch's value is nan"):
        validation_metrics(wrong, objective="test_metric_table:Distance")


def test_what_a_search_names_is_loaded_before_anything_starts(tmp_path):
    for key in ("search.objective", "search.scheduler"):
        spec = raysearch.load_space("lstm", {key: "no_such_module:Thing"})
        with pytest.raises(UserError, match="no_such_module"):
            raysearch.search(spec, storage=tmp_path / "results")
    assert not (tmp_path / "results").exists()


class Nameless(ConfusionMetric):
    label = "one"


def test_a_metric_that_is_called_nothing_is_refused():
    with pytest.raises(UnknownNameError, match="Nameless' has no heading: write"):
        metric_of(f"{__name__}:Nameless")
