"""Fields that are searched under conditions, draws of them, and the features they ask for."""

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spec_file import BASE, draw, loader

from raysearch.errors import ConfigError
from raysearch.features.log_mel import LogMelConfig
from raysearch.features.mfcc import MfccConfig
from raysearch.prerequisites import feature_sets, own_settings
from raysearch.spec import SearchSpec


@pytest.fixture
def load(tmp_path):
    return loader(tmp_path)


CONDITIONAL = """\
space:
  model.dropout:
    - {uniform: [0.0, 0.1], when: {model.fuse_attention: [none]}}
    - {uniform: [0.3, 0.4], when: {model.fuse_attention: [se, cbam]}}
  model.attention_ratio: {choice: [4, 16], when: {model.fuse_attention: [se]}}
  model.fuse_attention: {choice: [none, se, cbam]}
  training.label_smoothing: {quniform: [0, 0.2, 0.05]}
"""


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000))
def test_conditions_are_honoured(seed):
    spec = SearchSpec.from_dict(_data(CONDITIONAL))
    trial, values = draw(spec, seed)
    attention = values["model.fuse_attention"]
    low, high = (0.0, 0.1) if attention == "none" else (0.3, 0.4)
    assert low <= values["model.dropout"] <= high
    assert ("model.attention_ratio" in values) == (attention == "se")
    assert spec.resolve(values).model.fuse_attention == attention
    # Values lead back to the sampler's parameters, so a study can be rebuilt from a ledger.
    parameters = spec.space.parameters(values)
    assert spec.sample(optuna.trial.FixedTrial(parameters)) == values
    assert set(parameters) == set(trial.params)


def _data(extra):
    from raysearch.config.loader import parse_yaml

    return {"name": "own", **parse_yaml(BASE + extra, "test")}


def test_conditions_come_before_what_depends_on_them(load):
    order = list(load(CONDITIONAL).space.fields)
    assert order.index("model.fuse_attention") < order.index("model.dropout")
    assert order.index("model.fuse_attention") < order.index("model.attention_ratio")


def test_a_condition_may_be_a_fixed_field(load):
    spec = load(CONDITIONAL, ["model.fuse_attention=se"])
    _, values = draw(spec, 1)
    assert set(values) == {
        "model.dropout",
        "model.attention_ratio",
        "training.label_smoothing",
    }
    assert 0.3 <= values["model.dropout"] <= 0.4


def test_values_outside_the_space_have_no_parameters(load):
    spec = load("space:\n  model.width: {choice: [8, 12]}\n")
    assert spec.space.parameters({"model.width": 12, "training.batch_size": 4}) == {
        "model.width": 12
    }
    assert spec.space.parameters({"model.width": 16}) is None
    assert spec.space.parameters({}) is None


def test_feature_sets_follow_conditions(load):
    spec = load(
        "space:\n"
        "  features.mel.n_mels:\n"
        "    - {choice: [24, 40], when: {model.width: [8]}}\n"
        "    - {choice: [64], when: {model.width: [12]}}\n"
        "  model.width: {choice: [8, 12, 16]}\n"
        "published: {settings: {features.mel.n_mels: {value: 32, source: paper}}}\n"
    )
    # 32 is published, 40 the section's own, which is left at width 16, too.
    assert [streams["mel"].n_mels for streams in feature_sets(spec)] == [32, 40, 24, 64]


def test_conditions_on_a_fixed_field_are_not_probed():
    # The space's conditions name cells that the smaller bank no longer has.
    small = ["waveform_augment.bank=[noise:15]", "waveform_augment.cells=all"]
    spec = SearchSpec.load("resnet34-gpu", ["model.pretrained=false", *small])
    assert "waveform_augment.probability" in spec.space.fields
    assert "model.freeze_epochs" not in spec.space.fields
    (rate,) = spec.space.fields["training.learning_rate"]
    assert rate.when == {}
    assert rate.distribution.probes()[-1] == 3e-3
    with pytest.raises(ConfigError, match="the bank has no 'pitch'"):
        SearchSpec.load("resnet34-gpu", small[:1])


def test_feature_sets_are_told_apart_by_what_differs():
    sets = [
        LogMelConfig(n_mels=n_mels, hop_ms=hop_ms) for n_mels in (40, 64) for hop_ms in (10, 20)
    ]
    lines = [own_settings(config, [*sets, MfccConfig()]) for config in sets]
    assert lines[0] == ", hop_ms 10.0, n_mels 40"
    assert len(set(lines)) == 4
    assert own_settings(sets[0], [sets[0], MfccConfig()]) == ""
