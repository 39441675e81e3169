"""The logistic regression's tensors against scikit-learn's own probabilities."""

# Axis letters name tensor shapes.

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tiny_data import NUM_BINS, TinyData

from raysearch.errors import ConfigError
from raysearch.features.extractor import StreamShape
from raysearch.models.logistic import Logistic, LogisticConfig
from raysearch.spec import SearchSpec
from raysearch.training.checkpoint import load_tensors, load_weights, save_tensors
from raysearch.training.learner import Learner
from raysearch.training.training_sections import SpecAugmentConfig, TrainingConfig

SHAPES = {"mfcc": StreamShape(5, 20, kind="frames"), "mel": StreamShape(NUM_BINS, 40)}


def rows(num_rows, num_classes, seed=0):
    rng = np.random.default_rng(seed)
    labels_N = np.arange(num_rows) % num_classes
    centres_KD = np.random.default_rng(0).normal(size=(num_classes, 10))
    return 3 + centres_KD[labels_N] + rng.normal(size=(num_rows, 10)), labels_N


@pytest.mark.parametrize("num_classes", [2, 3, 7])
@pytest.mark.parametrize("pca", [None, 0.9])
def test_its_probabilities_are_scikit_learns(num_classes, pca):
    weights_K = np.linspace(0.5, 2, num_classes)
    model = Logistic(LogisticConfig(c=0.3, pca=pca), {"mfcc": SHAPES["mfcc"]}, num_classes)
    x_ND, labels_N = rows(90, num_classes)
    model.solve(x_ND, labels_N, weights_K, seed=0)
    steps = [StandardScaler(), *([PCA(pca)] if pca else [])]
    machine = LogisticRegression(C=0.3, class_weight=dict(enumerate(weights_K)), max_iter=10_000)
    pipeline = make_pipeline(*steps, machine).fit(x_ND, labels_N)
    new_ND = rows(200, num_classes, seed=1)[0]
    found_NK = model.classify(torch.from_numpy(new_ND).float()).softmax(dim=1).numpy()
    np.testing.assert_allclose(found_NK, pipeline.predict_proba(new_ND), atol=1e-4)


def test_an_emotion_without_rows_is_never_predicted():
    model = Logistic(LogisticConfig(), {"mfcc": SHAPES["mfcc"]}, 4)
    x_ND, labels_N = rows(90, 2)
    model.solve(x_ND, 2 * labels_N, np.ones(4), seed=0)
    probability_NK = model.classify(torch.from_numpy(x_ND).float()).softmax(dim=1)
    assert probability_NK[:, [1, 3]].max() < 1e-6
    predicted_N = probability_NK.argmax(dim=1) // 2
    assert (predicted_N == torch.from_numpy(labels_N)).float().mean() > 0.8


def test_its_state_goes_through_a_file(tmp_path):
    config = LogisticConfig(pca=0.8)
    model = Logistic(config, {"mfcc": SHAPES["mfcc"]}, 3)
    model.solve(*rows(90, 3), np.ones(3), seed=0)
    save_tensors(tmp_path / "w.safetensors", model.state_dict())
    other = Logistic(config, {"mfcc": SHAPES["mfcc"]}, 3)
    load_weights(other, load_tensors(tmp_path / "w.safetensors"), "w")
    x_BD = torch.randn(5, 10)
    assert torch.equal(other.classify(x_BD), model.classify(x_BD))
    assert other.num_params == model.num_params == 3 * (len(model.components_CD) + 1)


def test_a_trial_is_one_epoch():
    learner = Learner(
        LogisticConfig(inputs="mel", c=1.0),
        TrainingConfig(normalise="train_bin", epochs=5, class_weight="balanced"),
        SpecAugmentConfig(),
        TinyData(batch_size=8),
        seed=0,
        device=torch.device("cpu"),
    )
    metrics = learner.run_epoch().metrics
    assert learner.finished
    assert metrics["val_uar"] > 0.6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["model.inputs=mel+"], "streams' names joined by '\\+' are expected"),
        (["model.inputs=mel+mel"], "a stream is named twice"),
        (["model.inputs=mel+voice"], r"needs the stream 'voice': add features\.voice"),
        (["training.normalise=utterance"], r"features\.mfcc nothing to tell: set it to train_bin"),
        (
            ["model.inputs=p", "features.p.extractor=prosody", "features.p.per=frame"],
            r"features\.p\.per is 'frame'.*set it to utterance",
        ),
        (
            ["model.inputs=ssl", "features.ssl.extractor=ssl", "features.ssl.mode=tuned"],
            r"features\.ssl is a waveform.*set features\.ssl\.mode to frozen",
        ),
    ],
)
def test_inputs_without_statistics_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        SearchSpec.load("logistic", settings)


def test_functionals_alone_may_be_normalised_by_utterance():
    spec = SearchSpec.load("logistic", ["model.inputs=functionals", "space.model.inputs=null"])
    assert spec.base.replace({"training.normalise": "utterance"})
