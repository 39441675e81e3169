"""All final models of one small search, on real worker groups, and how they are evaluated."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from final_models import METHODS, use

from raysearch.evaluation import evaluate as evaluation
from raysearch.evaluation.evaluate import best_record, evaluate, final_arm
from raysearch.evaluation.experiment import plan_experiment
from raysearch.evaluation.final_model import ALL_ROWS
from raysearch.evaluation.other_models import OWN
from raysearch.evaluation.predict import mean_probabilities, row_table
from raysearch.evaluation.run_arms import run_arms
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.sweep_axes import points_of, read_axis
from raysearch.evaluation.winner_folds import winner_configs
from raysearch.features.audio import read_waveform
from raysearch.inference.emotion_model import load
from raysearch.reporting.best_model import write_best
from raysearch.reporting.leaderboard import leaderboard_rows
from raysearch.run_lease import RunLease
from raysearch.training.checkpoint import load_tensors
from raysearch.training.inputs import load_inputs
from raysearch.tuning.tuner import Watcher

pytestmark = pytest.mark.ray

QUIET = Watcher(lambda line: None, lambda *counts: None)


@pytest.fixture
def run(finals):
    return finals


def test_each_method_has_its_nets(run):
    best = run.trials().ranked()[0].number
    single, bag, ensemble, refit, auto = (use(run, method) for method in METHODS)
    assert [(net.trial, net.inner) for net in single.nets] == [(best, 0)]
    assert own(bag) == [(best, 0), (best, 1)]
    assert own(refit) == [(best, ALL_ROWS)] * 2
    assert {inner for _, inner in own(ensemble)} == {0, 1}, "each member brings all its inner nets"
    assert auto.method == "refit"
    for model in (single, bag, ensemble, refit, auto):
        assert sum(net.weight for net in model.nets) == pytest.approx(1)


def own(model):
    """The trials' nets; a partner on functionals stands beside them."""
    return [(net.trial, net.inner) for net in model.nets if net.trial is not None]


def test_a_partner_has_a_share_that_inner_validation_chose(run):
    for method, inner in (("bag", {0, 1}), ("refit", {ALL_ROWS})):
        model = use(run, method)
        partner = [net for net in model.nets if net.trial is None]
        assert sum(net.weight for net in partner) == pytest.approx(
            model.validation["partner_share"]
        )
        assert {net.config.model.name for net in partner} == {"logistic"}
        assert {net.inner for net in partner} == inner
        assert model.others["without partner"]
        assert "a partner on functionals" in model.describe()


def test_a_refits_seeds_differ_and_learn_from_every_row(run):
    first, second = (net for net in use(run, "refit").nets if net.trial is not None)
    one, two = (load_tensors(net.weights) for net in (first, second))
    assert any(not np.array_equal(one[name], two[name]) for name in one)
    means = [load_inputs(net.inputs)[1]["mel"][0] for net in (first, use(run, "single").nets[0])]
    assert not np.allclose(*means), "its statistics are of more rows than a trial's"


@pytest.mark.parametrize("method", METHODS)
def test_best_holds_every_net_and_can_be_used_alone(run, method):
    model = use(run, method)
    folder = write_best(run, run.spec(), run.trials(), ("a", "b"), {})
    described = json.loads((folder / "ensemble.json").read_text())
    assert (described["method"], described["size"]) == (model.method, len(model.nets))
    for entry, net in zip(described["nets"], model.nets, strict=True):
        assert load_tensors(folder / entry["weights"]).keys() == load_tensors(net.weights).keys()
        assert load_inputs(folder / entry["inputs"])[0].keys() == net.config.used_features.keys()
    assert f"Final model: {model.method}" in (folder / "model_card.md").read_text()
    rows = leaderboard_rows(run.spec(), run.trials(), model.members)
    partner = sum(net.weight for net in model.nets if net.trial is None)
    assert sum(row["final_share"] or 0 for row in rows) == pytest.approx(1 - partner, abs=1e-5)


def test_a_refit_is_evaluated_as_the_mean_of_its_nets(run, cluster, storage):
    model = use(run, "refit")
    with RunLease.acquire(run.root) as lease:
        figures = evaluate(run, "fold", cluster, lease, storage=storage, watcher=QUIET)
    assert figures["final"] == ["refit"]
    assert len(figures["ua"]["per_seed"]) == 1
    assert {"single", "bag", "ensemble", "without partner", OWN} <= set(figures["parts"])
    (gain,) = figures["parts"][OWN]["gain_by_fold"].values()
    (final,) = figures["per_fold_ua"].values()
    (own,) = figures["parts"][OWN]["per_fold_ua"].values()
    assert gain == pytest.approx(final - own)
    arm = final_arm(run, run.spec(), storage).prepared(storage)
    rows = row_table(arm.audited.split.test)
    together = mean_probabilities(model.nets, arm.bank, rows)
    logs = [net.weight * np.log(mean_probabilities([net], arm.bank, rows)) for net in model.nets]
    expected = np.exp(sum(logs))
    np.testing.assert_allclose(
        together, expected / expected.sum(axis=1, keepdims=True), rtol=1e-5, atol=1e-9
    )


def test_the_model_in_hand_says_what_the_evaluation_stored(run, cluster, storage):
    use(run, "refit")
    with RunLease.acquire(run.root) as lease:
        evaluate(run, "fold", cluster, lease, storage=storage, watcher=QUIET)
    stored = pq.read_table(run.root / "predictions-fold.parquet").to_pylist()
    split = final_arm(run, run.spec(), storage).audited.split
    write_best(run, run.spec(), run.trials(), split.labels, {})
    places = {utterance.id: utterance.path for utterance in split.test}
    waveforms = [read_waveform(places[row["utterance"]]) for row in stored]
    for row, found in zip(stored, load(run.best).predict_many(waveforms), strict=True):
        assert found.label == row["predicted"]
        assert dict(found.probabilities) == {name: row[f"p_{name}"] for name in split.labels}


def test_a_winner_is_swept_and_what_was_trained_serves_again(run, cluster, storage):
    points = points_of(winner_configs(run, [0]), [read_axis("model.width=4,8")])
    changes, splits = {point.name: point.of for point in points}, RunSplits(run, storage)
    experiment = plan_experiment(run, changes, folds=[0], splits=splits)
    missing = experiment.outlay().missing
    assert missing >= 3  # of width 4; others may have retrained the winner
    said = []
    watcher = Watcher(said.append, lambda *counts: None)
    with RunLease.acquire(run.root) as lease:
        first = experiment.carry_out(lease, cluster, storage=storage, watcher=watcher)
        assert experiment.outlay().missing == 0
        number = len(said)
        again = experiment.carry_out(lease, cluster, storage=storage, watcher=watcher)
    assert said[0] == f"training: {missing}"
    assert len(said) == number
    assert first == again
    assert first.compared.keys() == {"model.width=4"}
    assert first.figures["model.width=8"]["ua"] == first.figures["winner"]["ua"]
    assert first.figures["model.width=4"]["confusion"] != first.figures["winner"]["confusion"]
    stored = {path.parent.name for path in run.root.glob("experiments/*/test-single.parquet")}
    assert stored == {arm.identity for arm in experiment.changed["model.width=4"]}


def test_a_retraining_has_no_more_epochs_than_the_trial_had(run, cluster, storage, monkeypatch):
    """The best trial's share of the search ended after its first epoch, say."""
    use(run, "single")
    whole = final_arm(run, run.spec(), storage)
    assert whole.last_epoch is None, "its trial had all epochs that its settings plan"
    assert whole.epochs == whole.config.training.epochs > 1
    record = best_record(run)
    stopped = replace(record, status="pruned", epochs={1: record.epochs[1]})
    monkeypatch.setattr(evaluation, "best_record", lambda run: stopped)
    arm = final_arm(run, run.spec(), storage)
    assert (arm.last_epoch, arm.epochs) == (1, 1)
    assert arm.missing == [0, 1], "what was trained to the end is no retraining of it"
    with RunLease.acquire(run.root) as lease:
        (ready,), _ = run_arms(
            [arm],
            run.spec(),
            run,
            lease,
            cluster,
            line=lambda number: f"{number} trainings",
            storage=storage,
            watcher=QUIET,
        )
    assert ready.missing == []
    ((first, *_), *retrained) = ready.variants()
    assert len(retrained) == 2
    for (net,) in retrained:
        state = json.loads((net.folder / "state.json").read_text())
        assert (state["epoch"], len(state["history"])) == (1, 1)
        assert net.folder != first.folder
