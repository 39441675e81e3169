"""Where trials start: which runs say enough of themselves, and which settings go with weights."""

import json
import shutil

import pytest
import torch
from protocol_corpora import row

from raysearch.corpora.corpus_table import CorpusConfig
from raysearch.corpora.pretrain_section import PretrainConfig, pretraining_corpus
from raysearch.corpora.utterance import Corpus
from raysearch.errors import ConfigError, DataError, LeakError, MissingPathError, UserError
from raysearch.features.extractor import StreamShape
from raysearch.models.model_table import build_model
from raysearch.protocols.learned import LEARNED_FROM, Learned
from raysearch.protocols.splits import Split
from raysearch.published_folder import publish
from raysearch.spec import SearchSpec, own_values
from raysearch.training.checkpoint import save_tensors
from raysearch.tuning.start_source import find_source, fitted, outline

LABELS = ("angry", "sad")
ROW = row("u1", "01", "sad")


def small_spec(*overrides):
    usual = [
        ("features.mel.n_mels", 24),
        ("model.blocks", 2),
        ("training.clip_s", 1.0),
        ("space.model.width", {"choice": [8, 16]}),
        ("space.model.dropout", {"uniform": [0.0, 0.5]}),
    ]
    return SearchSpec.load("cnn", [*usual, *overrides])


@pytest.fixture
def earlier(tmp_path):
    """A run whose best/ holds two nets of width 8, the second with the larger share."""
    spec = small_spec(("model.width", 8), ("features.mel.n_mels", 20))
    run = tmp_path / "earlier"
    run.mkdir()
    (run / "spec.yaml").write_text(spec.to_yaml())
    write(run / "best", spec)
    return run


def write(folder, spec, record=True):
    frames = round(spec.training.clip_s * 100)
    shapes = {"mel": StreamShape(spec.base.features["mel"].n_mels, frames)}
    names = ["net-1.safetensors", "net-2.safetensors", "net-3.safetensors"]
    config = spec.base.to_dict()

    def fill(stage):
        for seed, name in enumerate(names[:2]):
            torch.manual_seed(seed)
            save_tensors(stage / name, build_model(spec.model, shapes, 2).state_dict())
        save_tensors(stage / names[2], {"bias": torch.zeros(2)})
        shares = zip(names, (0.2, 0.3, 0.5), (0, 0, None), strict=True)
        nets = [{"weights": n, "share": s, "trial": t, "config": config} for n, s, t in shares]
        (stage / "ensemble.json").write_text(json.dumps({"nets": nets}))
        (stage / "labels.json").write_text(json.dumps(LABELS))
        if record:
            (stage / LEARNED_FROM).write_text(Learned.of([ROW]).to_csv())

    publish(folder, fill)


def given(path, *more):
    return small_spec(("pretrain.weights", str(path)), *more)


def test_nothing_is_looked_for_unless_it_is_wanted(tmp_path):
    assert find_source(small_spec(), tmp_path) is None
    assert fitted(small_spec(), None) == (small_spec(), [])


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("", "net-2.safetensors"),
        ("best", "net-2.safetensors"),
        ("best/net-1.safetensors", "net-1.safetensors"),
    ],
)
def test_a_run_its_best_or_a_file_of_it_will_do(earlier, tmp_path, where, name):
    source = find_source(given(earlier / where), tmp_path)
    assert (source.weights, source.labels) == (name, LABELS)
    assert source.origin == "the model of earlier"
    assert source.learned == Learned.of([ROW])
    assert source.config.model.width == 8


def test_a_race_stands_for_its_winner(earlier, tmp_path):
    race = tmp_path / "race"
    shutil.copytree(earlier, race / "cnn")
    (race / "race.json").write_text('{"winner": "cnn", "systems": ["cnn"]}')
    assert find_source(given(race), tmp_path).config.model.width == 8


def test_the_settings_that_go_with_the_weights_are_fixed_and_said(earlier, tmp_path):
    spec = given(earlier)
    assert {"model.width", "model.dropout"} <= spec.space.fields.keys()
    source = find_source(spec, tmp_path)
    fixed, settings = fitted(spec, source)
    assert (fixed.model.width, fixed.base.features["mel"].n_mels) == (8, 20)
    assert {"model.width=8", "features.mel.n_mels=20"} <= set(settings)
    bound = {f for f in fixed.space.fields if f.startswith(("model.", "features."))}
    assert bound == {"model.dropout"}, "how it learns may still be searched"
    assert own_values(fixed).keys() == fixed.space.fields.keys()
    again, _ = fitted(fixed, source)
    assert again == fixed
    lines = outline(fixed, source, ("happy", "sad"), settings)
    assert "tensors" in lines[0]
    assert "1 recordings of 1 speakers of made" in lines[0]
    assert lines[1].startswith("fixed, as the weights go with them: ")


def test_nothing_that_fits_is_said_before_anything_starts(earlier, tmp_path):
    spec = given(earlier)  # not fitted: of another width
    with pytest.raises(DataError, match="no layer of the weights"):
        outline(
            spec.from_dict({**spec.to_dict(), "model": {"name": "cnn", "width": 16, "kernel": 5}}),
            find_source(spec, tmp_path),
            LABELS,
            [],
        )


def test_what_does_not_say_what_it_learned_from_is_refused(earlier, tmp_path):
    write(earlier / "best", small_spec(("model.width", 8)), record=False)
    with pytest.raises(DataError, match="does not say what it learned from"):
        find_source(given(earlier), tmp_path)
    # A record that is put there by hand is not one of these weights.
    (earlier / "best" / LEARNED_FROM).write_text(Learned.of([ROW]).to_csv())
    with pytest.raises(DataError, match="does not say what it learned from"):
        find_source(given(earlier), tmp_path)


def test_a_bare_file_and_damaged_weights_are_refused(earlier, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(earlier / "best" / "net-1.safetensors", bare / "weights.safetensors")
    with pytest.raises(DataError, match="weights are taken from a run, whose best/ says"):
        find_source(given(bare / "weights.safetensors"), tmp_path)
    with (earlier / "best" / "net-1.safetensors").open("ab") as file:
        file.write(b"0")
    with pytest.raises(DataError, match="does not match its manifest"):
        find_source(given(earlier), tmp_path)


def test_other_mistakes_are_told_in_one_line(earlier, tmp_path):
    with pytest.raises(MissingPathError, match="no such run, folder or file"):
        find_source(given(tmp_path / "nowhere"), tmp_path)
    with pytest.raises(DataError, match=r"net-3\.safetensors: no net of this model"):
        find_source(given(earlier / "best" / "net-3.safetensors"), tmp_path)
    lstm = SearchSpec.load("lstm", [("pretrain.weights", str(earlier))])
    with pytest.raises(ConfigError, match="it is a 'cnn', and this search is of 'lstm'"):
        find_source(lstm, tmp_path)
    shutil.rmtree(earlier / "best")
    with pytest.raises(UserError, match="has no best/ yet"):
        find_source(given(earlier), tmp_path)


def test_a_source_that_knows_a_test_speaker_is_refused(earlier, tmp_path):
    source = find_source(given(earlier), tmp_path)
    with pytest.raises(LeakError, match=r"the model of earlier learned from 1 test recording"):
        source.check([Split("speaker_independent", 0, 2, (), (), (ROW,))])


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"data": "x"}, "pretrain.data needs pretrain.on"),
        ({"epochs": 3}, "pretrain.epochs needs pretrain.on"),
        ({"on": "a", "weights": "w"}, "give one"),
        ({"on": "savee,tess", "data": "x"}, "1 for 2 corpora"),
        ({"on": "savee,,tess"}, "empty name"),
    ],
)
def test_what_contradicts_itself_is_refused(section, message):
    with pytest.raises(ConfigError, match=message) as error:
        small_spec(*((f"pretrain.{key}", value) for key, value in section.items()))
    assert "\n" not in str(error.value)


def test_a_solved_model_and_a_digest_by_hand_are_refused():
    with pytest.raises(ConfigError, match="'logistic' is solved in one go"):
        SearchSpec.load("logistic", [("pretrain.on", "demo")])
    with pytest.raises(ConfigError, match="is set by the search"):
        small_spec(("training.pretrained", "0" * 16))
    with pytest.raises(ConfigError, match="cannot be searched"):
        small_spec(("space.training.pretrained", {"choice": ["0" * 16]}))


def test_every_class_of_every_corpus_is_learned():
    def read(config: CorpusConfig) -> Corpus:
        emotions = {"savee": ("sad", "angry"), "tess": ("sad", "disgust")}[config.name]
        assert config.label_map == "common"
        rows = tuple(row(e, "01", e, corpus=config.name) for e in emotions)
        return Corpus(config.name, config.data or "", rows, ())

    corpus = pretraining_corpus(PretrainConfig(on="savee,tess", data="x,y"), read)
    assert corpus.emotions == ("angry", "disgust", "sad")
    assert corpus.speakers == ("savee/01", "tess/01")
    learned = Learned.of(corpus.utterances)
    assert learned.speakers == {"savee/01", "tess/01"}, "as they are called alone"
