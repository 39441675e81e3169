"""A trial over several validation sets: means, one best epoch, and a resumption that is exact."""

import pytest
import torch
from tiny_data import SMALL_EMOHRNET, TinyData

from raysearch.training.checkpoint import load_tensors
from raysearch.training.inner_folds import InnerFolds
from raysearch.training.learner import Learner
from raysearch.training.training_sections import SpecAugmentConfig, TrainingConfig
from raysearch.training.trial_state import BEST

EPOCHS = 4


def learner(num_train):
    return Learner(
        SMALL_EMOHRNET,
        TrainingConfig(epochs=EPOCHS, batch_size=8),
        SpecAugmentConfig(),
        TinyData(num_train=num_train),
        seed=3,
        device=torch.device("cpu"),
    )


def trial(sizes=(24, 18)):
    return InnerFolds([learner(size) for size in sizes])


def test_metrics_are_means_and_the_best_epoch_is_theirs():
    inner, apart = trial(), [learner(24), learner(18)]
    for _ in range(EPOCHS):
        metrics = inner.run_epoch().metrics
        alone = [one.run_epoch().metrics for one in apart]
        for name, value in metrics.items():
            assert value == pytest.approx(sum(m[name] for m in alone) / 2)
    values = [m["val_uar"] for m in inner.history]
    assert inner.first.best_value == pytest.approx(max(values))
    assert inner.first.best_epoch == 1 + values.index(max(values))
    assert inner.first.finished


def test_one_learner_is_itself():
    inner, alone = trial((24,)), learner(24)
    for _ in range(2):
        assert inner.run_epoch().metrics == alone.run_epoch().metrics
    assert inner.first.best_value == alone.best_value


def test_a_resumed_trial_equals_an_uninterrupted_one(tmp_path):
    whole, cut = trial(), trial()
    for _ in range(2):
        whole.run_epoch()
        cut.run_epoch()
    cut.save(tmp_path / "checkpoint")
    best = load_tensors(tmp_path / "checkpoint" / BEST)
    assert best.keys() == cut.first.model.state_dict().keys()
    again = trial()
    again.load(tmp_path / "checkpoint")
    for _ in range(EPOCHS - 2):
        assert again.run_epoch().metrics == whole.run_epoch().metrics
    assert again.history == whole.history
    assert again.first.best_epoch == whole.first.best_epoch
