"""The SVM's tensors against scikit-learn's own predictions, and its way through a learner."""

# Axis letters name tensor shapes.

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from tiny_data import NUM_BINS, TinyData

from raysearch.errors import ConfigError, DataError
from raysearch.features.extractor import StreamShape
from raysearch.models.svm import Svm, SvmConfig
from raysearch.spec import SearchSpec
from raysearch.training.checkpoint import load_tensors, load_weights, save_tensors
from raysearch.training.learner import Learner
from raysearch.training.training_sections import SpecAugmentConfig, TrainingConfig

SHAPES = {
    "mel": StreamShape(NUM_BINS, 40),
    "mfcc": StreamShape(5, 20, kind="frames"),
    "prosody": StreamShape(3, 20, kind="frames"),
    "egemaps": StreamShape(7, 1, frames_per_second=0, kind="vector"),
    "ssl": StreamShape(8, 1, frames_per_second=0, kind="vector"),
}
TRAIN_BIN = TrainingConfig(normalise="train_bin", epochs=5, class_weight="balanced")


def rows(num_rows, num_classes, num_features=10, seed=0):
    rng = np.random.default_rng(seed)
    labels_N = np.arange(num_rows) % num_classes
    centres_KD = rng.normal(size=(num_classes, num_features))
    x_ND = 3 + centres_KD[labels_N] + rng.normal(size=(num_rows, num_features))
    return x_ND, labels_N


@pytest.mark.parametrize("num_classes", [2, 3, 7])
@pytest.mark.parametrize(("kernel", "pca"), [("linear", None), ("rbf", None), ("rbf", 0.9)])
def test_it_decides_as_scikit_learn_does(num_classes, kernel, pca):
    config = SvmConfig(kernel=kernel, c=3.0, gamma=0.05, pca=pca)
    model = Svm(config, {"mfcc": SHAPES["mfcc"]}, num_classes)
    x_ND, labels_N = rows(90, num_classes)
    weights_K = np.linspace(0.5, 2, num_classes)
    model.solve(x_ND, labels_N, weights_K, seed=0)
    steps = [StandardScaler(), *([PCA(pca)] if pca else [])]
    machine = SVC(
        C=3.0, kernel=kernel, gamma=0.05, class_weight=dict(enumerate(weights_K)), break_ties=True
    )
    pipeline = make_pipeline(*steps, machine).fit(x_ND, labels_N)
    new_ND = rows(200, num_classes, seed=1)[0]
    logits_NK = model.classify(torch.from_numpy(new_ND).float()).numpy()
    np.testing.assert_array_equal(logits_NK.argmax(axis=1), pipeline.predict(new_ND))
    if num_classes > 2:
        np.testing.assert_allclose(logits_NK, pipeline.decision_function(new_ND), atol=1e-3)


@pytest.mark.parametrize("inputs", ["mel", "mfcc+prosody", "egemaps", "egemaps+prosody", "ssl"])
def test_descriptions_see_valid_frames_only(inputs):
    shapes = {name: SHAPES[name] for name in inputs.split("+")}
    model = Svm(SvmConfig(inputs=inputs), shapes, 3)
    x = {name: torch.randn(4, s.num_frames, s.num_bins) for name, s in shapes.items()}
    lengths = {name: torch.full((4,), max(1, s.num_frames // 2)) for name, s in shapes.items()}
    before_BD = model.describe(x, lengths)
    for name, shape in shapes.items():
        if shape.kind != "vector":
            x[name][:, shape.num_frames // 2 :] = 99.0
    assert before_BD.shape == (4, len(model.mean_D))
    assert torch.equal(model.describe(x, lengths), before_BD)
    assert model(x, lengths).shape == (4, 3)


def learner(batch_size=8, seed=0):
    return Learner(
        SvmConfig(inputs="mel", c=10.0),
        TRAIN_BIN,
        SpecAugmentConfig(),
        TinyData(batch_size=batch_size),
        seed=seed,
        device=torch.device("cpu"),
    )


def test_a_trial_is_one_epoch_and_resumes(tmp_path):
    first = learner()
    result = first.run_epoch()
    assert first.finished
    assert result.epoch == 1
    assert result.metrics["train_loss"] < 1.0
    assert result.metrics["val_uar"] > 0.6
    assert "learning_rate" not in result.metrics
    first.save(tmp_path / "checkpoint")
    again = learner()
    again.load(tmp_path / "checkpoint")
    assert again.finished
    assert again.history == first.history
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], tensor)


def test_neither_batches_nor_seeds_move_the_solution():
    results = [
        learner(**kwargs).run_epoch().metrics for kwargs in ({}, {"batch_size": 24}, {"seed": 9})
    ]
    assert results[0] == pytest.approx(results[1], abs=1e-6)
    assert results[0] == pytest.approx(results[2], abs=1e-6)


def test_its_state_goes_through_a_file_and_other_features_are_refused(tmp_path):
    model = Svm(SvmConfig(), {"mfcc": SHAPES["mfcc"]}, 3)
    model.solve(*rows(60, 3), np.ones(3), seed=0)
    save_tensors(tmp_path / "w.safetensors", model.state_dict())
    other = Svm(SvmConfig(), {"mfcc": SHAPES["mfcc"]}, 3)
    load_weights(other, load_tensors(tmp_path / "w.safetensors"), "w")
    x_BD = torch.randn(5, 10)
    assert torch.equal(other.classify(x_BD), model.classify(x_BD))
    assert other.num_params == model.num_params > 3
    wide = Svm(SvmConfig(inputs="mel"), {"mel": SHAPES["mel"]}, 3)
    with pytest.raises(DataError, match="w: tensor 'mean_D' has shape"):
        load_weights(wide, load_tensors(tmp_path / "w.safetensors"), "w")


def test_normalisation_by_utterance_is_refused():
    with pytest.raises(ConfigError, match=r"training\.normalise.*set it to train_bin"):
        SearchSpec.from_dict(
            {
                "name": "x",
                "features": {"mel": {"extractor": "log_mel"}},
                "model": {"name": "svm", "inputs": "mel"},
                "training": {"normalise": "utterance"},
            }
        )
