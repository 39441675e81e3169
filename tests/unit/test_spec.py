"""The specification: validation with places, resolution, identity, round trips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spec_file import draw, loader

from raysearch.config.base import Places
from raysearch.config.search import parse_duration
from raysearch.errors import ConfigError, MissingPathError, UnknownNameError
from raysearch.prerequisites import feature_sets
from raysearch.spec import RESUMABLE_KEYS, SearchSpec, TrialConfig, published_values, trial_identity


@pytest.fixture
def load(tmp_path):
    return loader(tmp_path)


def test_sections_have_defaults(load):
    spec = load()
    assert spec.name == "own"
    assert (spec.search.trials, spec.training.epochs) == (20, 30)
    assert spec.base.features["mel"].n_mels == 40
    assert spec.resolve({}) == spec.base
    assert feature_sets(spec) == [spec.base.features]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("trainin: {epochs: 3}\n", r"own.yaml:4: unknown section 'trainin' .*'training'"),
        ("training: {epoch: 3}\n", r"own.yaml:4: unknown key 'training.epoch' .*'epochs'"),
        ("training:\n  epochs: 0\n", r"own.yaml:5: 'training.epochs' is 0: .*greater"),
        ("training: 3\n", r"own.yaml:4: 'training' is 3: a section is expected"),
        ("search: {time_budget: soon}\n", r"own.yaml:4: 'search.time_budget' is 'soon': write"),
        ("space: [1]\n", r"own.yaml:4: 'space' maps fields"),
        (
            "space:\n  training.batch_sise: {choice: [8]}\n",
            r"own.yaml:5: .*no field 'training.batch_sise' .*did you mean 'training.batch_size'",
        ),
        ("space:\n  training.epochs: {choice: [8]}\n", r"own.yaml:5: .*cannot be searched"),
        ("space:\n  model.name: {choice: [emohrnet]}\n", r"own.yaml:5: .*cannot be searched"),
        ("space:\n  features.mel.extractor: {choice: [log_mel]}\n", r"own.yaml:5: .*cannot"),
        ("space:\n  search.trials: {choice: [8]}\n", r"own.yaml:5: .*no field"),
        (
            "space:\n  model.width: {chioce: [8]}\n",
            r"own.yaml:5: 'space.model.width': unknown distribution 'chioce' .*'choice'",
        ),
        (
            "space:\n  training.batch_size: {choice: [8, 0]}\n",
            r"own.yaml:5: 'training.batch_size' is 0: .*greater",
        ),
        (
            "space:\n  training.learning_rate: {loguniform: [1e-3, 100]}\n",
            r"own.yaml:5: 'training.learning_rate' is 100: .*less",
        ),
        (
            "space:\n  training.optimizer: {choice: [adam, sgd]}\n",
            r"own.yaml:5: 'training.optimizer' is 'sgd'",
        ),
        (
            "space:\n  features.mel.f_min: {uniform: [0, 50]}\n",
            r"own.yaml:5: .*a feature's field is discrete",
        ),
        (
            # Each is allowed alone: only the pair masks too much.
            "space:\n  spec_augment.time_mask_width: {uniform: [0.0, 0.3]}\n"
            "  spec_augment.time_mask_count: {choice: [1, 2]}\n",
            r"own.yaml:[56]: .*above 0.4",
        ),
        (
            "space:\n  features.mel.hop_ms: {choice: [10, 60]}\n",
            r"own.yaml:5: .*hop_ms 60 exceeds window_ms 25",
        ),
        (
            "space:\n  features.mel.n_mels: {choice: [20, 24, 28, 32, 40]}\n"
            "  features.mel.hop_ms: {choice: [5, 10, 20]}\n",
            r"own.yaml:4: .*more than 12 feature sets \(features.mel.n_mels, features.mel.hop_ms",
        ),
        (
            "space:\n  model.width: {choice: [8], when: {model.blocks: [1]}}\n"
            "  model.blocks: {choice: [1], when: {model.width: [8]}}\n",
            r"own.yaml:[56]: 'when' goes in a circle: model",
        ),
        (
            "space:\n  model.width:\n    - {choice: [8]}\n    - {choice: [16]}\n",
            r"own.yaml:5: 'space.model.width': two of its alternatives can both apply",
        ),
        (
            "space:\n  model.width: {choice: [8], when: {model.branchs: [2]}}\n",
            r"own.yaml:5: .*no field 'model.branchs' .*'model.branches'",
        ),
        (
            "space:\n  model.width: {choice: [8], when: {model.fuse_attention: [sse]}}\n",
            r"own.yaml:5: 'model.fuse_attention' is 'sse'",
        ),
        (
            "space:\n  model.width: {choice: [8], when: {model.dropout: [0.1]}}\n"
            "  model.dropout: {uniform: [0, 0.5]}\n",
            r"own.yaml:5: 'space.model.width' depends on the continuous 'model.dropout'",
        ),
        (
            "published:\n  settings:\n    model.widht: {value: 8, source: paper}\n",
            r"own.yaml:6: no field 'model.widht' .*'model.width'",
        ),
        (
            "published:\n  settings:\n    model.width: {value: 0, source: paper}\n",
            r"own.yaml:6: 'model.width' is 0",
        ),
        (
            "published:\n  settings:\n    model.width: {value: 8, source: rumour}\n",
            r"own.yaml:6: .*source' is 'rumour'",
        ),
    ],
)
def test_mistakes_name_file_line_and_key(load, extra, message):
    with pytest.raises(ConfigError, match=message) as error:
        load(extra)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("base", "error", "message"),
    [
        ("features: {mel: {extractor: log_mel}}\n", ConfigError, r"'model.name' is missing"),
        (
            "features:\n  ssl: {extractor: log_mel}\nmodel: {name: emohrnet}\n",
            ConfigError,
            r"own.yaml:1: .*needs the stream 'mel': add features.mel",
        ),
        ("features: {mel: {}}\nmodel: {name: emohrnet}\n", ConfigError, "extractor' is missing"),
        (
            "features: {mel: {extractor: logmel}}\nmodel: {name: emohrnet}\n",
            UnknownNameError,
            r"own.yaml:1: .*unknown extractor 'logmel' .*'log_mel'",
        ),
        (
            "features: {mel: {extractor: log_mel}}\nmodel:\n  name: emohrnt\n",
            UnknownNameError,
            r"own.yaml:3: .*unknown model 'emohrnt' .*'emohrnet'",
        ),
    ],
)
def test_what_a_model_needs_must_be_there(load, base, error, message):
    with pytest.raises(error, match=message):
        load(base=base)


def test_unknown_spaces():
    with pytest.raises(UnknownNameError, match=r"'emohrnt' .*'emohrnet'.*looked in .*spaces"):
        SearchSpec.load("emohrnt")
    with pytest.raises(MissingPathError, match=r"absent\.yaml"):
        SearchSpec.load("absent.yaml")


def test_overrides_are_blamed_on_the_command_line(load):
    with pytest.raises(ConfigError, match=r"^--set training\.epochs: 'training\.epochs' is -1"):
        load(overrides=["training.epochs=-1"])
    with pytest.raises(ConfigError, match=r"^--set trainin\.epochs: unknown section"):
        load(overrides=["trainin.epochs=1"])
    with pytest.raises(ConfigError, match=r"^--set space\.model\.width: "):
        load(overrides=["space.model.width={choice: [0]}"])


def test_an_overridden_field_is_not_searched(load):
    extra = (
        "space:\n  model.width: {choice: [8, 12]}\n  features.mel.n_mels: {choice: [40, 64]}\n"
        "published: {settings: {features.mel.n_mels: {value: 64, source: assumed}}}\n"
    )
    assert len(feature_sets(load(extra))) == 2
    spec = load(extra, ["features.mel.n_mels=24"])
    assert list(spec.space.fields) == ["model.width"]
    assert [streams["mel"].n_mels for streams in feature_sets(spec)] == [24]
    assert published_values(spec) == {}


CONDITIONAL = """\
space:
  model.dropout:
    - {uniform: [0.0, 0.1], when: {model.fuse_attention: [none]}}
    - {uniform: [0.3, 0.4], when: {model.fuse_attention: [se, cbam]}}
  model.attention_ratio: {choice: [4, 16], when: {model.fuse_attention: [se]}}
  model.fuse_attention: {choice: [none, se, cbam]}
  training.label_smoothing: {quniform: [0, 0.2, 0.05]}
"""


def test_resolve_refuses_what_is_no_field(load):
    spec = load()
    with pytest.raises(ConfigError, match=r"no field 'model\.widht' .*'model\.width'"):
        spec.resolve({"model.widht": 8})
    with pytest.raises(ConfigError, match=r"'model\.width' is 0"):
        spec.resolve({"model.width": 0})


def test_round_trips(load, tmp_path):
    spec = load(
        CONDITIONAL
        + "published:\n  title: X\n  settings: {training.epochs: {value: 100, source: paper}}\n"
        "  results: [{corpus: C, num_classes: 4, metric: UA, value: 80.06}]\n",
        ["search.time_budget=1h30m", "corpus.data=/a/b"],
    )
    assert SearchSpec.from_dict(spec.to_dict()) == spec
    path = tmp_path / "spec.yaml"
    path.write_text(spec.to_yaml())
    again = SearchSpec.load(str(path))
    assert again == spec
    assert again.name == "own"
    assert spec.differences(again) == []
    assert spec.search.time_budget_s == 5400
    assert (spec.published.epochs, published_values(spec)) == (100, {})
    _, values = draw(spec, 3)
    config = spec.resolve(values)
    assert TrialConfig.from_dict(config.to_dict()) == config


def test_differences_on_resume(load):
    old = load(CONDITIONAL)
    allowed = load(CONDITIONAL, ["search.trials=40", "corpus.data=/elsewhere", "search.slots=2"])
    assert old.differences(allowed) == []
    # What a paper printed, or where a number is from, is no trial's business.
    printed = SearchSpec.load("resnet34")
    assert printed.differences(SearchSpec.load("resnet34", ["published.results=[]"])) == []
    changed = load(CONDITIONAL, ["search.seed=1", "training.epochs=5", "model.dropout=0.1"])
    found = old.differences(changed)
    assert "search.seed: 0 -> 1" in found
    assert "training.epochs: 30 -> 5" in found
    assert any(line.startswith("space.model.dropout") for line in found)


def test_resumable_keys_exist_and_are_not_in_an_identity(load):
    data = load().to_dict()
    for key in RESUMABLE_KEYS:
        section, _, name = key.partition(".")
        assert section not in load().base.to_dict()
        assert name in data[section]


SPLIT = {"protocol": "speaker_independent", "fold": 0, "labels": ["a", "b"], "train": [["u", "h"]]}


def test_identity_depends_on_what_determines_the_outcome_only(load):
    spec = load()
    config = spec.resolve({"model.width": 12})
    identity = trial_identity(config, SPLIT, 1, 0)
    assert len(identity) == 12
    assert int(identity, 16) >= 0
    # The same settings, whichever way they were written.
    other = load(overrides=["model.width=12", "search.slots=4", "corpus.data=/x"])
    assert trial_identity(other.resolve({}), SPLIT, 1, 0) == identity
    different = {
        trial_identity(spec.resolve({}), SPLIT, 1, 0),
        trial_identity(config, {**SPLIT, "fold": 1}, 1, 0),
        trial_identity(config, SPLIT, 2, 0),
        trial_identity(config, SPLIT, 1, 1),
        identity,
    }
    assert len(different) == 5


@given(st.integers(1, 99), st.sampled_from("hms"))
def test_durations(number, unit):
    assert parse_duration(f"{number}{unit}") == number * {"h": 3600, "m": 60, "s": 1}[unit]


@pytest.mark.parametrize("text", ["", "30", "m", "1d", "0s", "30m!", "-5m", "1 h"])
def test_malformed_durations(text):
    with pytest.raises(ValueError, match="time"):
        parse_duration(text)


def test_places_fall_back_to_the_parent():
    places = Places("file")
    places.note("a.b", "file:3")
    assert (places.of("a.b.c"), places.of("a")) == ("file:3", "file")
