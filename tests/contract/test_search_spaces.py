"""Every shipped search space: loads, samples, resolves, rests on reference values."""

import re

import optuna
import pytest
import yaml

from raysearch.config.loader import parse_yaml
from raysearch.config.published import SHOWN_ONLY
from raysearch.config.shipped_spaces import shipped_spaces
from raysearch.features.extractor_table import build_extractor
from raysearch.models.model_table import build_model
from raysearch.prerequisites import MAX_FEATURE_SETS, feature_sets
from raysearch.spec import SearchSpec, published_values

optuna.logging.set_verbosity(optuna.logging.ERROR)

SPACES = sorted(shipped_spaces())
OF_NO_PAPER = ("logistic",)
# All that the paper prints, but for its epochs; the rest is assumed.
EMOHRNET_PAPER = {
    "training.optimizer": "adam",
    "training.learning_rate": 1e-3,
    "training.beta1": 0.9,
    "training.beta2": 0.999,
    "training.weight_decay": 1e-4,
    "training.batch_size": 64,
    "model.fuse_attention": "none",
}
CNN1D_PAPER = {
    "training.optimizer": "adam",
    "training.learning_rate": 1e-5,
    "training.batch_size": 64,
    "model.filters": 256,
    "model.kernel": 7,
    "model.attention": "both",
    "model.channel_ratio": 16,
    "model.spatial_kernel": 7,
    "model.l2": 1e-3,
    "model.dropout": 0.2,
}
CNN1D_NOTEBOOK = {
    "training.clip_s": 2.5,
    # librosa's windows of 2048 and hops of 512 samples, to the millisecond.
    "features.mfcc.window_ms": 93.0,
    "features.mfcc.hop_ms": 23.0,
    "features.mfcc.n_mfcc": 20,
    "features.mfcc.deltas": 0,
    "waveform_augment.cells": "noise:paper+pitch:0.7",
    "model.pooling": "flatten",
}


@pytest.fixture(params=SPACES)
def spec(request):
    return SearchSpec.load(request.param)


def test_the_shipped_spaces_are_there():
    systems = ("cnn", "cnn1d_attention", "emohrnet", "lstm", "resnet34", "ssl", "svm")
    assert {*systems, *(f"{name}-gpu" for name in systems if name != "svm")} <= set(SPACES)


def test_it_is_named_after_its_file(spec):
    assert shipped_spaces()[spec.name].stem == spec.name


def test_samples_resolve_and_build(spec):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    sets = feature_sets(spec)
    seen = set()
    for _ in range(30):
        trial = study.ask()
        config = spec.resolve(spec.sample(trial))
        assert config.used_features in sets
        seen.add(config.to_dict().__repr__())
        study.tell(trial, 0.0)
    assert len(seen) == 30
    shapes = {
        stream: build_extractor(c).shape(config.training.clip_s)
        for stream, c in config.used_features.items()
    }
    assert build_model(config.model, shapes, num_classes=7)


def test_feature_sets_are_few(spec):
    assert 1 <= len(feature_sets(spec)) <= MAX_FEATURE_SETS


def test_published_settings_resolve(spec):
    values = published_values(spec)
    if not values:
        return
    config = spec.resolve(values)
    fields = config.fields()
    assert {name: fields[name] for name in values} == values
    assert not SHOWN_ONLY & set(values)
    assert config.training.epochs == spec.training.epochs
    assert config.used_features == feature_sets(spec)[0]


def test_published_settings_cover_what_is_searched(spec):
    # A rerun of the paper must not depend on our own defaults, conditional fields aside.
    if not spec.published.settings:
        why = f"{spec.name}: name its paper in published.arxiv, or add it to OF_NO_PAPER"
        assert spec.published.arxiv or spec.name in OF_NO_PAPER, why
        return
    conditional = {
        name
        for name, alternatives in spec.space.fields.items()
        if any(a.when for a in alternatives)
    }
    assert set(spec.space.fields) - conditional <= set(spec.published.settings)


def test_published_settings_lie_in_the_space(spec):
    # So that the sampler learns from the rerun.
    if not spec.published.settings:
        return
    assert spec.space.parameters(published_values(spec)) is not None


def test_yaml_is_read_alike_by_a_plain_parser(spec):
    # No surprise for who opens the file with another YAML tool.
    plain = yaml.safe_load(shipped_spaces()[spec.name].read_text())
    again = SearchSpec.from_dict({"name": spec.name, **plain})
    assert again == spec


def test_some_fields_have_priors_whose_source_is_told(spec):
    # A mode is what the sections or the paper have, or a comment on its line says whence it is.
    text = shipped_spaces()[spec.name].read_text()
    explained = [parse_yaml(mode, "") for mode in re.findall(r"prior: {mode: (.*), .*} #", text)]
    fields, published = spec.base.fields(), published_values(spec)
    priors = [
        (name, alternative.prior)
        for name, alternatives in spec.space.fields.items()
        for alternative in alternatives
        if alternative.prior
    ]
    for name, prior in priors:
        assert prior.mode in [fields[name], published.get(name, fields[name]), *explained]
        assert 0.2 <= prior.width <= 0.7, "surer than a few speakers can make one"
    assert len(priors) >= 2, f"{spec.name}: say of two fields at least where good values lie"


def test_every_line_of_the_space_is_searched_at_its_bounds(spec):
    for name, alternatives in spec.space.fields.items():
        for alternative in alternatives:
            conditions = {key: options[0] for key, options in alternative.when.items()}
            for value in alternative.distribution.probes():
                assert spec.resolve({**conditions, name: value}).fields()[name] == value


@pytest.mark.parametrize("name", [name for name in SPACES if name.startswith("emohrnet")])
def test_emohrnet_is_as_printed(name):
    spec = SearchSpec.load(name)
    printed = {
        field: setting.value
        for field, setting in spec.published.settings.items()
        if setting.source == "paper"
    }
    assert printed == {**EMOHRNET_PAPER, "training.epochs": 100}
    assert spec.published.epochs == 100
    assert [(r.corpus, r.num_classes, r.value) for r in spec.published.results] == [
        ("RAVDESS", 8, 92.45),
        ("IEMOCAP", 4, 80.06),
        ("EMOVO", 7, 92.77),
    ]


def test_the_cpu_space_stays_cheap():
    spec = SearchSpec.load("emohrnet")
    assert (spec.training.epochs, spec.training.batch_size, spec.search.trials) == (30, 16, 60)
    published, *own = [(s["mel"].hop_ms, s["mel"].n_mels) for s in feature_sets(spec)]
    assert published == (10, 64)
    assert own == [(20, 40)]
    assert spec.model.width == 8
    assert "model.width" not in spec.space.fields  # cost grows with its square


def test_emohrnet_asks_the_papers_own_question():
    spec = SearchSpec.load("emohrnet")
    assert {"model.stem_stride", "model.modules"} <= set(spec.space.fields)


@pytest.mark.parametrize("name", ["cnn", "cnn1d_attention", "emohrnet", "lstm", "resnet34"])
def test_a_cpu_space_has_no_more_fields_than_its_trials_can_tell_apart(name):
    spec = SearchSpec.load(name)
    assert len(spec.space.fields) <= 7 < spec.search.trials / 2
    # Loudness is a cue to emotion: an utterance's own statistics would remove it.
    assert spec.training.normalise == "train_bin"


@pytest.mark.parametrize("name", [name for name in SPACES if name.startswith("cnn1d_attention")])
def test_cnn1d_attention_is_as_printed_and_released(name):
    spec = SearchSpec.load(name)

    def of(source):
        settings = spec.published.settings.items()
        return {field: setting.value for field, setting in settings if setting.source == source}

    assert of("paper") == {**CNN1D_PAPER, "training.epochs": 100}
    assert of("notebook") == CNN1D_NOTEBOOK
    assert spec.base.features["mfcc"].sample_rate == 22050
    assert {r.corpus: r.value for r in spec.published.results} == {
        "SAVEE": 97.49,
        "RAVDESS": 99.23,
        "CREMA-D": 89.31,
        "TESS": 99.82,
        "EMO-DB": 99.53,
        "EMOVO": 96.39,
    }


def test_no_published_number_is_without_a_source(spec):
    # Each says it in its own line: what the file leaves out would be nobody's word.
    written = yaml.safe_load(shipped_spaces()[spec.name].read_text()).get("published", {})
    for setting in written.get("settings", {}).values():
        assert setting["source"]
        assert ("printed" in setting) == ("printed_source" in setting)
    for result in written.get("results", ()):
        assert result["source"] == "paper", "a printed number is the paper's"
        assert result["classes_source"]
    if expansion := written.get("expansion"):
        assert expansion["cells_source"]
        rows = [expansion["other"], *expansion["rows"].values()]
        assert all(one["source"] for one in rows)


def test_the_sources_are_those_of_the_reference():
    said = {
        "cnn1d_attention": {"assumed"},  # no number of emotions is in the paper's table
        "emohrnet": {"paper"},
        "mfhca": {"paper"},
        "resnet34": {"assumed"},
    }
    for name, sources in said.items():
        results = SearchSpec.load(name).published.results
        assert {one.classes_source for one in results} == sources
    resnet34 = SearchSpec.load("resnet34").published.results
    assert [(one.metric, one.value) for one in resnet34] == [("accuracy", 66.7), ("F1", 63.1)]
    expansion = SearchSpec.load("cnn1d_attention").published.expansion
    rows = {name: expansion.rows_of(name).number for name in ("ravdess", "savee", "emodb", "demo")}
    assert rows == {"ravdess": 256, "savee": 256, "emodb": 4, "demo": 4}
    assert expansion.rows_of("demo").source == "assumed"


@pytest.mark.parametrize("name", ["resnet34", "resnet34-gpu"])
def test_resnet34_learns_at_other_rates_from_scratch(name):
    spec = SearchSpec.load(name)
    tuned, scratch = (
        spec.space.parameter("training.learning_rate", {"model.pretrained": pretrained})
        for pretrained in (True, False)
    )
    assert (tuned[1].low, tuned[1].high) == (1e-5, 1e-3)
    assert (scratch[1].low, scratch[1].high) == (1e-4, 3e-3)
    assert tuned[0] != scratch[0]
    for field in ("model.freeze_epochs", "model.backbone_rate"):
        assert spec.space.parameter(field, {"model.pretrained": True})
        assert not spec.space.parameter(field, {"model.pretrained": False})
    # Told to start from scratch, one regime is left.
    fixed = SearchSpec.load(name, ["model.pretrained=false"])
    assert fixed.space.parameter("training.learning_rate", {})[1] == scratch[1]
    assert "model.freeze_epochs" not in fixed.space.fields


@pytest.mark.parametrize("name", ["cnn", "cnn1d_attention", "lstm", "resnet34"])
def test_a_cpu_space_is_the_gpu_space_in_small(name):
    small, large = (SearchSpec.load(space) for space in (name, f"{name}-gpu"))
    assert small.model == large.model
    assert small.published.results == large.published.results
    assert small.training.epochs < large.training.epochs
    assert small.search.trials < large.search.trials
    for field in set(small.space.fields) & set(large.space.fields):
        for few, many in zip(small.space.fields[field], large.space.fields[field], strict=True):
            if few.distribution.values() is not None:
                assert all(many.distribution.contains(v) for v in few.distribution.values())
